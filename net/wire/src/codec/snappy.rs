//! Snappy as Java's library frames it, and raw.
//!
//! ```text
//! 0x82 "SNAPPY" 0x00 | version = 1 (4) | compatible version = 1 (4) | { length (4) | block }*
//! ```

use std::io;

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
/// Bytes of the magic and the two versions.
const HEADER_BYTES: usize = 16;
/// Bytes of input in a block, as in Java's library.
const BLOCK_BYTES: usize = 32 * 1024;
/// The most that a byte of a block can stand for: a copy of 64 bytes takes at least three.
const EXPANSION_MAX: usize = 22;

pub(super) fn compress(
    encoder: &mut snap::raw::Encoder,
    input: &[u8],
    output: &mut Vec<u8>,
) -> io::Result<()> {
    output.extend_from_slice(&MAGIC);
    output.extend_from_slice(&1_u32.to_be_bytes());
    output.extend_from_slice(&1_u32.to_be_bytes());
    for block in input.chunks(BLOCK_BYTES) {
        let compressed = encoder.compress_vec(block)?;
        output.extend_from_slice(&(compressed.len() as u32).to_be_bytes());
        output.extend_from_slice(&compressed);
    }
    Ok(())
}

/// Appends at most `max` bytes; more fail with [`io::ErrorKind::FileTooLarge`].
pub(super) fn decompress(input: &[u8], max: usize, output: &mut Vec<u8>) -> io::Result<()> {
    if !input.starts_with(&MAGIC) {
        return decompress_block(input, max, output);
    }
    let before = output.len();
    let mut rest = input
        .get(HEADER_BYTES..)
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    while !rest.is_empty() {
        let (length, behind) = rest
            .split_first_chunk::<4>()
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        let length = u32::from_be_bytes(*length) as usize;
        let (block, behind) = behind
            .split_at_checked(length)
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        decompress_block(block, max - (output.len() - before), output)?;
        rest = behind;
    }
    Ok(())
}

fn decompress_block(block: &[u8], room: usize, output: &mut Vec<u8>) -> io::Result<()> {
    let len = snap::raw::decompress_len(block)?;
    // The length is a number from the wire: memory is taken only for what the block can hold.
    if len > block.len().saturating_mul(EXPANSION_MAX) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    if len > room {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let before = output.len();
    output.resize(before + len, 0);
    let target = output.get_mut(before..).unwrap_or_default();
    snap::raw::Decoder::new().decompress(block, target)?;
    Ok(())
}
