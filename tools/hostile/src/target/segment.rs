//! A segment's file: header, batches, index block, footer; sealed or cut anywhere.

use std::path::PathBuf;

use engine_log::segment::footer::Footer;
use engine_log::segment::layout::{
    BLOCK, SegmentHeader, SegmentName, decode_index_block, segment_file_name,
};
use net_wire::batch::crc32c;

use super::batches;
use super::disk::{on_a_machine, write};
use crate::input::Input;

const TRAILER_BYTES: usize = 16;
const SEGMENT_HEADER_BYTES: usize = 52;

/// Flags, then parts: header, index block, footer's fields; then batches, each a part.
pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let flags = input.u8();
    let mended = flags & 1 == 0;
    let header = header(input.part(), mended);
    let index = index(input.part(), mended);
    let footer = footer(input.part(), mended);
    let mut data = Vec::new();
    while !input.is_empty() && data.len() < 128 << 10 {
        let mut batch = input.part().to_vec();
        if mended {
            batches::mend(&mut batch);
        }
        data.extend(batch);
    }
    look(&header, &index, &footer);
    data.resize(data.len().next_multiple_of(BLOCK as usize), 0);
    let mut file = [header, data].concat();
    if flags & 2 == 0 {
        file.extend(index);
        file.extend(footer);
    }
    on_a_machine(move || async move {
        let path =
            PathBuf::from("/data/topics/t").join(segment_file_name(0, SegmentName::appended(0)));
        write(&path, &file).await;
        let mut told = 0;
        let sink = &mut |_| told += 1;
        let dumped = tools_dump::segment::dump(&path, sink).await;
        assert!(dumped.is_err() || told > 0, "a dump tells something");
    });
}

fn look(header: &[u8], index: &[u8], footer: &[u8]) {
    let _header = SegmentHeader::decode(header);
    for base in [0, -1, i64::MAX - 10] {
        if let Some(ranges) = decode_index_block(0, base, index) {
            assert!(
                ranges.len() * 28 <= index.len(),
                "as many as there is room for"
            );
            assert!(ranges.is_sorted_by_key(|range| range.first_offset));
        }
    }
    let last = footer.len().saturating_sub(BLOCK as usize);
    let blocks = Footer::blocks_bytes(&footer[last..]);
    assert!(blocks.is_none_or(|bytes| bytes.is_multiple_of(BLOCK)));
    if let Some(footer) = Footer::decode(footer) {
        let _known = footer.epochs.latest();
    }
}

fn padded(part: &[u8]) -> Vec<u8> {
    let mut block = part.to_vec();
    block.resize(
        block
            .len()
            .next_multiple_of(BLOCK as usize)
            .max(BLOCK as usize),
        0,
    );
    block
}

fn header(part: &[u8], mended: bool) -> Vec<u8> {
    let mut block = padded(part);
    if mended {
        let crc = crc32c(&block[..SEGMENT_HEADER_BYTES]);
        block[SEGMENT_HEADER_BYTES..SEGMENT_HEADER_BYTES + 4].copy_from_slice(&crc.to_le_bytes());
    }
    block.truncate(BLOCK as usize);
    block
}

fn index(part: &[u8], mended: bool) -> Vec<u8> {
    let mut block = padded(part);
    block.truncate(BLOCK as usize);
    let count = u32::from_le_bytes([block[4], block[5], block[6], block[7]]) as usize;
    if let Some(covered) = block
        .get(12..16 + count.min(1 << 20) * 28)
        .filter(|_| mended)
    {
        let crc = crc32c(covered);
        block[8..12].copy_from_slice(&crc.to_le_bytes());
    }
    block
}

/// The fields with a trailer that is right, or the trailer that came.
fn footer(part: &[u8], mended: bool) -> Vec<u8> {
    if !mended {
        return padded(part);
    }
    let mut blocks = part.to_vec();
    let total = (part.len() + TRAILER_BYTES).next_multiple_of(BLOCK as usize);
    blocks.resize(total - TRAILER_BYTES, 0);
    blocks.extend((part.len() as u32).to_le_bytes());
    blocks.extend(crc32c(part).to_le_bytes());
    blocks.extend([0; 4]);
    blocks.extend(b"FLF\x01");
    blocks
}
