//! The bytes of one 4 KiB cell.

use std::rc::Rc;

use crate::buf::BLOCK_BYTES;
use crate::sim::prng::Prng;

pub(super) const BLOCK: u64 = BLOCK_BYTES as u64;
const SECTOR_BYTES: usize = 512;
const SECTORS: usize = BLOCK_BYTES / SECTOR_BYTES;

/// A cell's bytes; `None` is zeros.
pub(super) type Block = Option<Rc<[u8; BLOCK_BYTES]>>;

pub(super) fn block_from(bytes: &[u8]) -> Block {
    const ZEROS: &[u8] = &[0; BLOCK_BYTES];
    if bytes == ZEROS {
        return None;
    }
    // One copy: through an array it would be two.
    let block = Rc::<[u8]>::from(bytes).try_into();
    Some(block.expect("cells are written whole"))
}

pub(super) fn same(one: &Block, two: &Block) -> bool {
    match (one, two) {
        (None, None) => true,
        (Some(one), Some(two)) => Rc::ptr_eq(one, two) || one == two,
        _ => false,
    }
}

/// What is left of the block at `index` in a file cut to `len`.
pub(super) fn cut_block(block: &Block, index: u64, len: u64) -> Block {
    let kept = len.saturating_sub(index * BLOCK).min(BLOCK) as usize;
    let Some(bytes) = block else { return None };
    match kept {
        0 => None,
        BLOCK_BYTES => block.clone(),
        _ => {
            let mut rest = [0; BLOCK_BYTES];
            rest[..kept].copy_from_slice(&bytes[..kept]);
            Some(Rc::new(rest))
        },
    }
}

/// Which sectors of a torn cell were written, by bits: the first few, or any, but not all and not
/// none.
fn draw_sectors(prng: &mut Prng) -> u64 {
    let all = (1 << SECTORS) - 1;
    if prng.coin() {
        (1 << (1 + prng.index(SECTORS - 1))) - 1
    } else {
        1 + prng.below(all - 1)
    }
}

/// What is left of a block if the power fails while `new` is written over `old`.
pub(super) fn torn(old: &Block, new: &Block, prng: &mut Prng) -> Block {
    let zeros = [0; BLOCK_BYTES];
    let new = new.as_deref().unwrap_or(&zeros);
    let mut torn = old.as_deref().copied().unwrap_or(zeros);
    let written = draw_sectors(prng);
    for sector in (0..SECTORS).filter(|sector| written & (1 << sector) != 0) {
        let bytes = sector * SECTOR_BYTES..(sector + 1) * SECTOR_BYTES;
        torn[bytes.clone()].copy_from_slice(&new[bytes]);
    }
    block_from(&torn)
}
