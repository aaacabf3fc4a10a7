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

use engine_rt::Buf;

use crate::bytes::{Fields, Take};
use crate::ids::{ID_BYTES, TopicPartition};

/// Bytes of a batch header (record batch v2).
pub const BATCH_HEADER_BYTES: usize = 61;

const BATCH: u8 = 16;
const EXTENT: u8 = 17;
const LOG_START: u8 = 18;
const EPOCH_START: u8 = 19;
const TRUNCATE: u8 = 20;
const OWNERSHIP: u8 = 21;
const PROMISE: u8 = 22;

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
        Entry::Batch { .. } | Entry::Extent { .. } => {
            unreachable!("batches have encoders of their own")
        },
    };
    EncodedEntry {
        kind,
        fields: fields.0,
    }
}

/// Reads an entry; `None` if its kind is unknown or its bytes are too few, which a matching frame
/// checksum rules out for entries of this format version.
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
