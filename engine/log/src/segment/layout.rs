//! The bytes of a segment file.
//!
//! ```text
//! 0      4 KiB                    1 MiB+0           1 MiB+4 KiB
//! +------+------------------------+-----------------+-----------------------
//! |header| chunk 0: 255 blocks of | index block of  | chunk 1 ...
//! |      | batches, back to back  | chunk 0         |
//! +------+------------------------+-----------------+-----------------------
//! ```
//!
//! Batches are the exact bytes that consumers get and may cross blocks and chunks. A *position*
//! counts batch bytes only; [`file_pos`] maps it to the file. After 255 blocks of batches comes the
//! index block of the chunk, flushed with the bytes it covers (rule 19): one entry for each range of
//! whole batches, of at least 8 KiB, that *ends* in the chunk. Its CRC-32C is seeded with topic,
//! partition, segment and position (rule 14), so that valid batches of another place are noticed.
//!
//! A sealed segment ends with its last block filled up with zeros, the index block of its last
//! chunk, and the footer.
//!
//! Header block: magic 4, version 2, zero 2, disk id 16, topic id 16, partition 4, base offset 8,
//! then, in version 2 alone, the cleaning 4 that wrote the segment, CRC-32C 4 of what is before.
//! Index block: magic 4, entries 4, chunk 4, CRC-32C 4 (of chunk number and entries), then entries
//! of 28: first offset from the base 4, position 4, bytes 4, largest timestamp 8, zero 4, CRC-32C 4.

use engine_rt::mutant::{self, Mutant};
use net_wire::Uuid;

use crate::bytes::{Fields, Take, crc32c};
use crate::ids::TopicPartition;

/// Granule of everything in the file.
pub const BLOCK: u64 = 4096;
/// Batch bytes of a chunk.
pub const CHUNK_BYTES: u64 = 255 * BLOCK;
/// A chunk with its index block.
pub(crate) const CHUNK_FILE_BYTES: u64 = CHUNK_BYTES + BLOCK;
/// A range closes at the first batch end after this many bytes.
pub(crate) const RANGE_BYTES: u32 = 8 << 10;

const HEADER_MAGIC: u32 = u32::from_le_bytes(*b"FLS\x01");
const INDEX_MAGIC: u32 = u32::from_le_bytes(*b"FLI\x01");
const FORMAT_VERSION: u16 = 1;
/// Of a segment that compaction wrote.
const FORMAT_VERSION_CLEANED: u16 = 2;
const RANGE_ENTRY_BYTES: usize = 28;
/// No position is larger: index entries keep four bytes of it.
pub(crate) const POSITION_MAX: u64 = u32::MAX as u64;

/// The file position of a byte position.
pub const fn file_pos(pos: u64) -> u64 {
    BLOCK + (pos / CHUNK_BYTES) * CHUNK_FILE_BYTES + pos % CHUNK_BYTES
}

/// The file position of a chunk's index block.
pub const fn index_block_pos(chunk: u64) -> u64 {
    BLOCK + chunk * CHUNK_FILE_BYTES + CHUNK_BYTES
}

/// The file position of the last index block of a sealed segment with `len` bytes of batches. Where
/// the last chunk is full, it has an index block of its own before this one.
pub const fn sealed_index_pos(len: u64) -> u64 {
    if len.is_multiple_of(CHUNK_BYTES) {
        return file_pos(len);
    }
    (file_pos(len - 1) + 1).next_multiple_of(BLOCK)
}

/// What names a segment in its partition. Compaction replaces segments by new ones that may begin at
/// the same offset: no two of them ever have the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentName {
    /// Its first offset.
    pub base_offset: i64,
    /// The partition's cleaning that wrote it, from 1 on; 0 for a segment as it was appended.
    pub cleaning: u32,
}

impl SegmentName {
    /// A segment as it is appended.
    pub const fn appended(base_offset: i64) -> Self {
        Self {
            base_offset,
            cleaning: 0,
        }
    }

    /// Whether compaction wrote it: offsets may be missing between its batches.
    pub const fn is_cleaned(self) -> bool {
        self.cleaning > 0
    }
}

/// The name of a segment's file in its topic's directory.
pub fn segment_file_name(partition: u32, name: SegmentName) -> String {
    let SegmentName {
        base_offset,
        cleaning,
    } = name;
    if name.is_cleaned() {
        return format!("{partition:06}.{base_offset:020}.{cleaning:010}.segment");
    }
    format!("{partition:06}.{base_offset:020}.segment")
}

/// The partition and the segment that a file's name tells.
pub fn parse_segment_file_name(name: &str) -> Option<(u32, SegmentName)> {
    let mut parts = name.strip_suffix(".segment")?.split('.');
    let partition = parts.next()?.parse().ok()?;
    let base_offset = parts.next()?.parse().ok()?;
    let cleaning = match parts.next() {
        Some(part) => part.parse().ok().filter(|cleaning| *cleaning > 0)?,
        None => 0,
    };
    let name = SegmentName {
        base_offset,
        cleaning,
    };
    parts.next().is_none().then_some((partition, name))
}

/// Who a segment file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The data directory.
    pub disk_id: u128,
    /// The partition.
    pub id: TopicPartition,
    /// The segment.
    pub name: SegmentName,
}

impl SegmentHeader {
    pub(crate) fn encode(&self, into: &mut [u8]) {
        let version = if self.name.is_cleaned() {
            FORMAT_VERSION_CLEANED
        } else {
            FORMAT_VERSION
        };
        let mut fields = Fields::default();
        fields.u32(HEADER_MAGIC).u16(version).u16(0);
        fields.raw(&self.disk_id.to_le_bytes());
        self.id.encode(&mut fields);
        fields.i64(self.name.base_offset);
        if self.name.is_cleaned() {
            fields.u32(self.name.cleaning);
        }
        let crc = crc32c(&fields.0);
        fields.u32(crc);
        into[..fields.0.len()].copy_from_slice(&fields.0);
        into[fields.0.len()..].fill(0);
    }

    /// Reads a header block; `None` if it is none of this version or damaged.
    pub fn decode(block: &[u8]) -> Option<Self> {
        let mut from = Take(block);
        let (magic, version) = (from.u32()?, from.u16()?);
        from.u16()?;
        let disk_id = u128::from_le_bytes(from.raw(16)?.try_into().ok()?);
        let topic_id = Uuid::from_bytes(from.raw(16)?.try_into().ok()?);
        let id = TopicPartition {
            topic_id,
            partition: from.u32()?,
        };
        let base_offset = from.i64()?;
        let cleaning = match version {
            FORMAT_VERSION => 0,
            FORMAT_VERSION_CLEANED => from.u32()?,
            _ => return None,
        };
        let covered = block.len() - from.0.len();
        let good = magic == HEADER_MAGIC && from.u32()? == crc32c(&block[..covered]);
        let name = SegmentName {
            base_offset,
            cleaning,
        };
        good.then_some(Self { disk_id, id, name })
    }
}

/// One range of whole batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Offset of its first record.
    pub first_offset: i64,
    /// Position of its first byte.
    pub pos: u64,
    /// Its length.
    pub bytes: u32,
    /// Largest timestamp in it.
    pub max_timestamp: i64,
    /// CRC-32C of its bytes, seeded with the place.
    pub crc: u32,
}

impl Range {
    /// Position after its last byte.
    pub const fn end(&self) -> u64 {
        self.pos + self.bytes as u64
    }
}

/// Writes the index block of `chunk`.
pub(crate) fn encode_index_block(chunk: u64, base: i64, ranges: &[Range], into: &mut [u8]) {
    let mut fields = Fields::default();
    fields.u32(chunk as u32);
    for range in ranges {
        fields
            .u32((range.first_offset - base) as u32)
            .u32(range.pos as u32)
            .u32(range.bytes);
        fields.i64(range.max_timestamp).u32(0).u32(range.crc);
    }
    let mut head = Fields::default();
    head.u32(INDEX_MAGIC)
        .u32(ranges.len() as u32)
        .u32(crc32c(&fields.0));
    let used = head.0.len() + fields.0.len();
    assert!(
        used <= into.len(),
        "{} ranges in an index block",
        ranges.len()
    );
    into[..head.0.len()].copy_from_slice(&head.0);
    into[head.0.len()..used].copy_from_slice(&fields.0);
    into[used..].fill(0);
}

/// Reads the index block of `chunk`; `None` if it is damaged or of another chunk.
pub fn decode_index_block(chunk: u64, base: i64, block: &[u8]) -> Option<Vec<Range>> {
    let mut from = Take(block);
    let magic = from.u32()?;
    let count = from.u32()? as usize;
    let crc = from.u32()?;
    let covered = from.0.get(..4 + count.checked_mul(RANGE_ENTRY_BYTES)?)?;
    if magic != INDEX_MAGIC || crc32c(covered) != crc || from.u32()? != chunk as u32 {
        return None;
    }
    let mut ranges: Vec<Range> = Vec::with_capacity(count);
    for _ in 0..count {
        let first_offset = base.checked_add(i64::from(from.u32()?))?;
        let (pos, bytes) = (u64::from(from.u32()?), from.u32()?);
        let max_timestamp = from.i64()?;
        from.u32()?;
        ranges.push(Range {
            first_offset,
            pos,
            bytes,
            max_timestamp,
            crc: from.u32()?,
        });
    }
    // Ranges stand back to back, each of whole batches.
    let follows = |a: &Range, b: &Range| a.end() == b.pos && a.first_offset < b.first_offset;
    ranges.is_sorted_by(follows).then_some(ranges)
}

/// A CRC-32C that also covers where its bytes belong.
pub(crate) fn place_digest(id: TopicPartition, segment: SegmentName, pos: u64) -> crc_fast::Digest {
    let mut seed = Fields::default();
    id.encode(&mut seed);
    seed.i64(segment.base_offset).u64(pos);
    if segment.is_cleaned() {
        seed.u32(segment.cleaning);
    }
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    if !mutant::is_active(Mutant::RangeUnseeded) {
        digest.update(&seed.0);
    }
    digest
}

/// What the index keeps of a range: the checksum of its bytes and of where they belong.
pub fn range_crc(id: TopicPartition, segment: SegmentName, pos: u64, bytes: &[u8]) -> u32 {
    let mut digest = place_digest(id, segment, pos);
    digest.update(bytes);
    digest.finalize() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_skip_header_and_index_blocks() {
        assert_eq!(file_pos(0), 4096);
        assert_eq!(file_pos(CHUNK_BYTES - 1), 4096 + CHUNK_BYTES - 1);
        assert_eq!(index_block_pos(0), 1 << 20);
        assert_eq!(file_pos(CHUNK_BYTES), (1 << 20) + 4096);
        assert_eq!(index_block_pos(1), 2 << 20);
    }

    #[test]
    fn header_survives_a_round_trip_and_notices_damage() {
        let id = TopicPartition {
            topic_id: Uuid::from_bytes([7; 16]),
            partition: 3,
        };
        for cleaning in [0, 7] {
            let name = SegmentName {
                base_offset: 1234,
                cleaning,
            };
            let header = SegmentHeader {
                disk_id: 9,
                id,
                name,
            };
            let mut block = [0xFF; 4096];
            header.encode(&mut block);
            assert_eq!(SegmentHeader::decode(&block), Some(header));
            block[30] ^= 1;
            assert_eq!(SegmentHeader::decode(&block), None);
        }
    }

    #[test]
    fn an_index_block_holds_the_ranges_of_a_full_chunk() {
        let most = (CHUNK_BYTES / u64::from(RANGE_BYTES) + 1) as i64;
        let ranges: Vec<Range> = (0..most)
            .map(|i| Range {
                first_offset: 100 + i,
                pos: i as u64 * 8192,
                bytes: 8192,
                max_timestamp: -i,
                crc: i as u32,
            })
            .collect();
        let mut block = [1; 4096];
        encode_index_block(5, 100, &ranges, &mut block);
        assert_eq!(decode_index_block(5, 100, &block).unwrap(), ranges);
        assert_eq!(decode_index_block(6, 100, &block), None);
        block[20] ^= 4;
        assert_eq!(decode_index_block(5, 100, &block), None);
    }

    #[test]
    fn names_sort_and_parse() {
        for cleaning in [0, 1, u32::MAX] {
            let name = SegmentName {
                base_offset: 34,
                cleaning,
            };
            let file = segment_file_name(12, name);
            assert_eq!(parse_segment_file_name(&file), Some((12, name)));
        }
        for other in ["x.segment", "1.2.0.segment", "1.2.3.4.segment", "1.2.3"] {
            assert_eq!(parse_segment_file_name(other), None, "{other}");
        }
    }
}
