//! The footer of a sealed segment: all that later readers need, and nothing private.
//!
//! Fields (little-endian): magic 4, version 2, zero 2, base offset 8, next offset 8, batch bytes 8,
//! largest timestamp 8, its offset 8, leader epochs, producer snapshot, chunk summaries (count 4,
//! then chunk 4, first offset 8, position 8, largest timestamp 8 each). The last 16 bytes of the
//! file: footer bytes 4, CRC-32C of the fields 4, zero 4, magic 4.

use super::index::ChunkSummary;
use super::layout::BLOCK;
use crate::bytes::{Fields, Take, crc32c};
use crate::epochs::LeaderEpochs;
use crate::producer::ProducerStates;

const MAGIC: u32 = u32::from_le_bytes(*b"FLF\x01");
const FORMAT_VERSION: u16 = 1;
const TRAILER_BYTES: usize = 16;

/// What a footer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footer {
    /// First offset.
    pub base_offset: i64,
    /// Offset after the last record.
    pub next_offset: i64,
    /// Bytes of batches.
    pub bytes: u64,
    /// Largest timestamp.
    pub max_timestamp: i64,
    /// Offset of the record that has it.
    pub max_timestamp_offset: i64,
    /// Leader epochs up to the segment's end.
    pub epochs: LeaderEpochs,
    /// Producers at the segment's end.
    pub producers: ProducerStates,
    /// The chunks.
    pub chunks: Vec<ChunkSummary>,
}

impl Footer {
    /// The footer's blocks.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut fields = Fields::default();
        fields.u32(MAGIC).u16(FORMAT_VERSION).u16(0);
        fields
            .i64(self.base_offset)
            .i64(self.next_offset)
            .u64(self.bytes);
        fields
            .i64(self.max_timestamp)
            .i64(self.max_timestamp_offset);
        self.epochs.encode(&mut fields);
        self.producers.encode(i64::MAX, &mut fields);
        fields.u32(self.chunks.len() as u32);
        for chunk in &self.chunks {
            fields
                .u32(chunk.chunk as u32)
                .i64(chunk.first_offset)
                .u64(chunk.pos);
            fields.i64(chunk.max_timestamp);
        }
        let (len, crc) = (fields.0.len(), crc32c(&fields.0));
        let total = (len + TRAILER_BYTES).next_multiple_of(BLOCK as usize);
        fields.0.resize(total - TRAILER_BYTES, 0);
        fields.u32(len as u32).u32(crc).u32(0).u32(MAGIC);
        fields.0
    }

    /// Bytes of the footer's blocks, from the last block of the file; `None` if it has none.
    pub fn blocks_bytes(last_block: &[u8]) -> Option<u64> {
        let mut trailer = Take(last_block.get(last_block.len().checked_sub(TRAILER_BYTES)?..)?);
        let len = trailer.u32()? as usize;
        trailer.u64()?;
        let total = (len + TRAILER_BYTES).next_multiple_of(BLOCK as usize);
        (trailer.u32()? == MAGIC).then_some(total as u64)
    }

    /// Reads the footer's blocks; `None` if they are damaged.
    pub fn decode(blocks: &[u8]) -> Option<Self> {
        let mut trailer = Take(blocks.get(blocks.len().checked_sub(TRAILER_BYTES)?..)?);
        let (len, crc) = (trailer.u32()? as usize, trailer.u32()?);
        let mut from = Take(blocks.get(..len).filter(|fields| crc32c(fields) == crc)?);
        if from.u32()? != MAGIC || from.u16()? != FORMAT_VERSION {
            return None;
        }
        from.u16()?;
        Some(Self {
            base_offset: from.i64()?,
            next_offset: from.i64()?,
            bytes: from.u64()?,
            max_timestamp: from.i64()?,
            max_timestamp_offset: from.i64()?,
            epochs: LeaderEpochs::decode(&mut from)?,
            producers: ProducerStates::decode(&mut from)?,
            chunks: decode_chunks(&mut from)?,
        })
    }
}

fn decode_chunks(from: &mut Take<'_>) -> Option<Vec<ChunkSummary>> {
    let count = from.count(28)?;
    let mut chunks = Vec::with_capacity(count);
    for _ in 0..count {
        chunks.push(ChunkSummary {
            chunk: u64::from(from.u32()?),
            first_offset: from.i64()?,
            pos: from.u64()?,
            max_timestamp: from.i64()?,
        });
    }
    Some(chunks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_footer_is_read_back_from_the_end() {
        let mut epochs = LeaderEpochs::default();
        epochs.begin(3, 5);
        let footer = Footer {
            base_offset: 5,
            next_offset: 900,
            bytes: 77_000,
            max_timestamp: 44,
            max_timestamp_offset: 17,
            epochs,
            producers: ProducerStates::default(),
            chunks: (0..400)
                .map(|chunk| ChunkSummary {
                    chunk,
                    first_offset: chunk as i64,
                    pos: chunk,
                    max_timestamp: 1,
                })
                .collect(),
        };
        let mut blocks = footer.encode();
        let last = blocks.len() - BLOCK as usize;
        assert_eq!(
            Footer::blocks_bytes(&blocks[last..]),
            Some(blocks.len() as u64)
        );
        assert_eq!(Footer::decode(&blocks).unwrap(), footer);
        blocks[20] ^= 1;
        assert_eq!(Footer::decode(&blocks), None);
    }
}
