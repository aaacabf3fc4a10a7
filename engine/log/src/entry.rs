//! The journal entries of a partition: what recovery folds back into its state.
//!
//! All integers little-endian; every entry begins with the partition (topic id 16, index 4).
//!
//! | kind | entry | fields after the partition |
//! |---|---|---|
//! | 16 | batch | segment base 8, byte position 8, max timestamp's offset delta 4, batch bytes |
//! | 17 | extent | segment base 8, byte position 8, batch length 4, max timestamp's offset delta 4, file position 8, file bytes 8, CRC-32C of the file bytes 4, batch header 61, remainder |
//! | 18 | log start | offset 8 |
//! | 19 | epoch start | epoch 4, offset 8 |
//! | 20 | truncate | offset 8 |
//! | 21 | ownership | generation 8, shard 4 |
//! | 22 | promise | epoch 4 (kept for replication) |
//! | 23 | cleaned | segment base 8, cleaning 4, next offset 8, batch bytes 8, clean to 8, largest timestamp 8, its offset 8, created 8: the segment that takes the place of those between these offsets |

use engine_rt::Buf;

use crate::bytes::{Fields, Take};
use crate::ids::{ID_BYTES, TopicPartition};
use crate::segment::layout::{BLOCK, SegmentName};

/// Bytes of a batch header (record batch v2).
pub const BATCH_HEADER_BYTES: usize = 61;

const BATCH: u8 = 16;
const EXTENT: u8 = 17;
const LOG_START: u8 = 18;
const EPOCH_START: u8 = 19;
const TRUNCATE: u8 = 20;
const OWNERSHIP: u8 = 21;
const PROMISE: u8 = 22;
const CLEANED: u8 = 23;

/// Where a batch stands in its partition's segments. Roll decisions are part of it: recovery never
/// computes them again from configuration (rule 16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentPos {
    /// First offset of the segment, which names it.
    pub segment_base: i64,
    /// Byte position in the segment, counted without headers and index blocks.
    pub pos: u64,
}

/// A range of a segment file that was written and flushed beside the journal (rule 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Position in the file, a multiple of 4 KiB.
    pub file_pos: u64,
    /// Bytes in the file, a multiple of 4 KiB.
    pub file_bytes: u64,
    /// CRC-32C of those bytes.
    pub crc: u32,
}

/// One entry, borrowed from its frame.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A batch with its bytes.
    Batch {
        /// Where the batch stands.
        at: SegmentPos,
        /// Offset of the record with the largest timestamp, from the base offset.
        max_timestamp_delta: u32,
        /// The batch as consumers get it.
        bytes: Buf,
    },
    /// A batch whose whole blocks went to the segment directly.
    Extent {
        /// Where the batch stands.
        at: SegmentPos,
        /// Bytes of the batch.
        batch_bytes: u32,
        /// Offset of the record with the largest timestamp, from the base offset.
        max_timestamp_delta: u32,
        /// The blocks.
        extent: Extent,
        /// The batch's header.
        header: Buf,
        /// Bytes after the last whole block.
        remainder: Buf,
    },
    /// Everything below is deleted.
    LogStart(i64),
    /// A leader epoch begins, with or without records.
    EpochStart {
        /// The epoch.
        epoch: i32,
        /// Its first offset.
        offset: i64,
    },
    /// Everything at or above is void.
    Truncate(i64),
    /// The partition belongs to a shard from here on.
    Ownership {
        /// Generation of the table.
        generation: u64,
        /// The shard.
        shard: u32,
    },
    /// The highest epoch that this replica promised to follow.
    Promise(i32),
    /// A sealed segment takes the place of those between its first offset and its end.
    Cleaned(CleanedSegment),
}

/// What is known of a segment that compaction wrote, sealed and flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanedSegment {
    /// What names it.
    pub name: SegmentName,
    /// Offset after its last batch.
    pub next_offset: i64,
    /// Bytes of batches.
    pub bytes: u64,
    /// How far the cleaning knew the keys.
    pub clean_to: i64,
    /// Largest timestamp, -1 if it has no record.
    pub max_timestamp: i64,
    /// Offset of the record that has it.
    pub max_timestamp_offset: i64,
    /// Wall clock when the newest segment that it replaces was begun.
    pub created_ms: i64,
}

impl CleanedSegment {
    fn encode(&self, fields: &mut Fields) {
        fields
            .i64(self.name.base_offset)
            .u32(self.name.cleaning)
            .i64(self.next_offset)
            .u64(self.bytes)
            .i64(self.clean_to);
        fields
            .i64(self.max_timestamp)
            .i64(self.max_timestamp_offset)
            .i64(self.created_ms);
    }

    fn decode(from: &mut Take<'_>) -> Option<Self> {
        let name = SegmentName {
            base_offset: from.i64()?,
            cleaning: from.u32().filter(|cleaning| *cleaning > 0)?,
        };
        Some(Self {
            name,
            next_offset: from.i64()?,
            bytes: from.u64()?,
            clean_to: from.i64()?,
            max_timestamp: from.i64()?,
            max_timestamp_offset: from.i64()?,
            created_ms: from.i64()?,
        })
    }
}

/// An entry ready for the journal: its kind, and its bytes but for trailing payload.
#[derive(Debug)]
pub struct EncodedEntry {
    /// The journal's entry kind.
    pub kind: u8,
    /// Fields before the payload.
    pub fields: Vec<u8>,
}

/// Bytes before the batch in a batch entry.
pub const BATCH_ENTRY_PREFIX: usize = ID_BYTES + 20;

fn start(id: TopicPartition) -> Fields {
    let mut fields = Fields(Vec::with_capacity(128));
    id.encode(&mut fields);
    fields
}

/// The front of a batch entry; the batch's bytes follow it.
pub fn encode_batch(id: TopicPartition, at: SegmentPos, max_timestamp_delta: u32) -> EncodedEntry {
    let mut fields = start(id);
    fields
        .i64(at.segment_base)
        .u64(at.pos)
        .u32(max_timestamp_delta);
    EncodedEntry {
        kind: BATCH,
        fields: fields.0,
    }
}

/// A whole extent entry.
pub fn encode_extent(
    id: TopicPartition,
    at: SegmentPos,
    batch_bytes: u32,
    max_timestamp_delta: u32,
    extent: Extent,
    header: &[u8],
    remainder: &[u8],
) -> EncodedEntry {
    assert_eq!(header.len(), BATCH_HEADER_BYTES, "a batch header");
    let mut fields = start(id);
    fields
        .i64(at.segment_base)
        .u64(at.pos)
        .u32(batch_bytes)
        .u32(max_timestamp_delta);
    fields
        .u64(extent.file_pos)
        .u64(extent.file_bytes)
        .u32(extent.crc);
    fields.raw(header).raw(remainder);
    EncodedEntry {
        kind: EXTENT,
        fields: fields.0,
    }
}

/// Any entry without a batch.
pub fn encode_change(id: TopicPartition, entry: &Entry) -> EncodedEntry {
    let mut fields = start(id);
    let kind = match entry {
        Entry::LogStart(offset) => {
            fields.i64(*offset);
            LOG_START
        },
        Entry::EpochStart { epoch, offset } => {
            fields.i32(*epoch).i64(*offset);
            EPOCH_START
        },
        Entry::Truncate(offset) => {
            fields.i64(*offset);
            TRUNCATE
        },
        Entry::Ownership { generation, shard } => {
            fields.u64(*generation).u32(*shard);
            OWNERSHIP
        },
        Entry::Promise(epoch) => {
            fields.i32(*epoch);
            PROMISE
        },
        Entry::Cleaned(segment) => {
            segment.encode(&mut fields);
            CLEANED
        },
        Entry::Batch { .. } | Entry::Extent { .. } => {
            unreachable!("batches have encoders of their own")
        },
    };
    EncodedEntry {
        kind,
        fields: fields.0,
    }
}

/// Reads an entry; `None` if its kind is unknown, its bytes are too few, or its extent is not of
/// whole blocks, which a matching frame checksum rules out for entries of this format version.
pub fn decode(kind: u8, payload: &Buf) -> Option<(TopicPartition, Entry)> {
    let mut from = Take(payload);
    let id = TopicPartition::decode(&mut from)?;
    let entry = match kind {
        BATCH => {
            let at = decode_at(&mut from)?;
            let max_timestamp_delta = from.u32()?;
            Entry::Batch {
                at,
                max_timestamp_delta,
                bytes: rest(payload, &from),
            }
        },
        EXTENT => {
            let at = decode_at(&mut from)?;
            let batch_bytes = from.u32()?;
            let max_timestamp_delta = from.u32()?;
            let extent = Extent {
                file_pos: from.u64()?,
                file_bytes: from.u64()?,
                crc: from.u32()?,
            };
            if !extent.file_pos.is_multiple_of(BLOCK) || !extent.file_bytes.is_multiple_of(BLOCK) {
                return None;
            }
            let header_at = payload.len() - from.0.len();
            from.raw(BATCH_HEADER_BYTES)?;
            let header = payload.slice(header_at..header_at + BATCH_HEADER_BYTES);
            let remainder = rest(payload, &from);
            Entry::Extent {
                at,
                batch_bytes,
                max_timestamp_delta,
                extent,
                header,
                remainder,
            }
        },
        LOG_START => Entry::LogStart(from.i64()?),
        EPOCH_START => Entry::EpochStart {
            epoch: from.i32()?,
            offset: from.i64()?,
        },
        TRUNCATE => Entry::Truncate(from.i64()?),
        OWNERSHIP => Entry::Ownership {
            generation: from.u64()?,
            shard: from.u32()?,
        },
        PROMISE => Entry::Promise(from.i32()?),
        CLEANED => Entry::Cleaned(CleanedSegment::decode(&mut from)?),
        _ => return None,
    };
    Some((id, entry))
}

fn decode_at(from: &mut Take<'_>) -> Option<SegmentPos> {
    Some(SegmentPos {
        segment_base: from.i64()?,
        pos: from.u64()?,
    })
}

fn rest(payload: &Buf, from: &Take<'_>) -> Buf {
    payload.slice(payload.len() - from.0.len()..)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::arbitrary::{id, segment_pos};

    /// An entry with what was written, in the form that a test can compare.
    fn change() -> impl Strategy<Value = Entry> {
        prop_oneof![
            any::<i64>().prop_map(Entry::LogStart),
            (any::<i32>(), any::<i64>())
                .prop_map(|(epoch, offset)| Entry::EpochStart { epoch, offset }),
            any::<i64>().prop_map(Entry::Truncate),
            (any::<u64>(), any::<u32>())
                .prop_map(|(generation, shard)| Entry::Ownership { generation, shard }),
            any::<i32>().prop_map(Entry::Promise),
            cleaned().prop_map(Entry::Cleaned),
        ]
    }

    fn cleaned() -> impl Strategy<Value = CleanedSegment> {
        let numbers = any::<(i64, i64, u64, i64, i64, i64, i64)>();
        (1..u32::MAX, numbers).prop_map(|(cleaning, numbers)| {
            let (base_offset, next_offset, bytes, clean_to, max, max_offset, created_ms) = numbers;
            CleanedSegment {
                name: SegmentName {
                    base_offset,
                    cleaning,
                },
                next_offset,
                bytes,
                clean_to,
                max_timestamp: max,
                max_timestamp_offset: max_offset,
                created_ms,
            }
        })
    }

    fn extent() -> impl Strategy<Value = Extent> {
        let blocks = 0..=u64::MAX / BLOCK;
        (blocks.clone(), blocks, any::<u32>()).prop_map(|(pos, bytes, crc)| Extent {
            file_pos: pos * BLOCK,
            file_bytes: bytes * BLOCK,
            crc,
        })
    }

    fn read(entry: &EncodedEntry, behind: &[u8]) -> Option<(TopicPartition, String)> {
        let payload = Buf::copy_from_slice(&[&entry.fields, behind].concat());
        let (id, entry) = decode(entry.kind, &payload)?;
        Some((id, format!("{entry:?}")))
    }

    /// A buffer's own form names its place in memory.
    fn shown(entry: &Entry) -> String {
        format!("{entry:?}")
    }

    proptest! {
        #[test]
        fn changes_read_back(id in id(), entry in change()) {
            let encoded = encode_change(id, &entry);
            prop_assert_eq!(read(&encoded, &[]), Some((id, shown(&entry))));
            for len in 0..encoded.fields.len() {
                let cut = EncodedEntry { kind: encoded.kind, fields: encoded.fields[..len].to_vec() };
                prop_assert_eq!(read(&cut, &[]), None);
            }
        }

        #[test]
        fn batches_read_back(id in id(), at in segment_pos(), delta: u32, batch: Vec<u8>) {
            let entry = encode_batch(id, at, delta);
            prop_assert_eq!(entry.fields.len(), BATCH_ENTRY_PREFIX);
            let payload = Buf::copy_from_slice(&[&entry.fields[..], &batch].concat());
            let Some((found, Entry::Batch { at: place, max_timestamp_delta, bytes })) =
                decode(entry.kind, &payload)
            else {
                return Err(TestCaseError::fail("a batch"));
            };
            prop_assert_eq!((found, place, max_timestamp_delta), (id, at, delta));
            prop_assert_eq!(&bytes[..], &batch[..]);
        }

        #[test]
        fn extents_read_back(
            id in id(),
            at in segment_pos(),
            (batch_bytes, delta) in any::<(u32, u32)>(),
            extent in extent(),
            header in vec(any::<u8>(), BATCH_HEADER_BYTES),
            remainder: Vec<u8>,
        ) {
            let entry = encode_extent(id, at, batch_bytes, delta, extent, &header, &remainder);
            let decoded = decode(entry.kind, &Buf::copy_from_slice(&entry.fields));
            let Some((found, Entry::Extent {
                at: place,
                batch_bytes: bytes,
                max_timestamp_delta,
                extent: blocks,
                header: front,
                remainder: rest,
            })) = decoded else {
                return Err(TestCaseError::fail("an extent"));
            };
            prop_assert_eq!((found, place, bytes, max_timestamp_delta), (id, at, batch_bytes, delta));
            prop_assert_eq!(blocks, extent);
            prop_assert_eq!((&front[..], &rest[..]), (&header[..], &remainder[..]));
        }

        /// A read of a part of a block is a defect of the program; the journal cannot ask for one.
        #[test]
        fn an_extent_is_of_whole_blocks(id in id(), at in segment_pos(), file_pos: u64, file_bytes: u64) {
            let extent = Extent { file_pos, file_bytes, crc: 0 };
            let entry = encode_extent(id, at, 0, 0, extent, &[0; BATCH_HEADER_BYTES], &[]);
            let whole = file_pos % BLOCK == 0 && file_bytes % BLOCK == 0;
            prop_assert_eq!(read(&entry, &[]).is_some(), whole);
        }

        /// Payloads are slices: nothing is allocated whatever an entry says.
        #[test]
        fn no_bytes_panic(kind in 0..30_u8, bytes in vec(any::<u8>(), 0..200)) {
            let payload = Buf::copy_from_slice(&bytes);
            if let Some((_, entry)) = decode(kind, &payload) {
                let kept = match &entry {
                    Entry::Batch { bytes, .. } => bytes.len(),
                    Entry::Extent { header, remainder, .. } => header.len() + remainder.len(),
                    _ => 0,
                };
                prop_assert!(kept <= bytes.len());
            }
        }
    }
}
