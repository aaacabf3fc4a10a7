//! Record batches of format v2 (KIP-98): the unit that is sent, checked, stored and read.
//!
//! [`BatchView`] reads a batch in place, [`BatchMut`] stamps what a broker stamps,
//! [`check_batch`] decides whether a producer's batch may be appended, [`BatchBuilder`] makes one.

use crate::codec::Codec;
#[cfg(test)]
use crate::codec::Codecs;
use crate::reader::Reader;

mod builder;
mod check;
mod error;
mod recompress;
mod record;
mod retain;
mod stamp;

pub use builder::BatchBuilder;
pub use check::{CheckedBatch, Limits, check_batch};
pub use error::{BatchError, RECORD_ERRORS_MAX, RecordFault, RecordFaultKind};
pub use recompress::recompress;
pub use record::{Headers, Record, RecordHeader, RecordIter};
pub use retain::{retain_records, without_records};
pub use stamp::{BatchMut, stamp_header};

// The header, big endian. The CRC covers everything behind it, so that a broker can stamp base
// offset and leader epoch without touching it. `batch_length` counts what stands behind itself.
//
//  0               8           12           16 17      21    23
// +---------------+-----------+------------+--+-------+-----+------------+
// | base_offset   | batch_    | partition_ |ma| crc   |attr | last_      |
// |               | length    | leader_ep. |=2|       |     | offset_del.|
// +---------------+-----------+------------+--+-------+-----+------------+
// 27              35              43              51    53        57     61
// +---------------+---------------+---------------+-----+---------+------+
// | base_         | max_          | producer_id   |epoch| base_   |record|
// | timestamp     | timestamp     |               |     | sequence|_count|
// +---------------+---------------+---------------+-----+---------+------+
// then the records, compressed as a whole if the attributes name a codec.
//
// Attributes: bits 0-2 codec, 3 timestamp type, 4 transactional, 5 control, 6 delete horizon.

/// Bytes of the header.
pub const HEADER_BYTES: usize = 61;
/// Bytes in front of those that `batch_length` counts.
pub const LENGTH_OVERHEAD: usize = 12;
/// Position of `partition_leader_epoch`.
pub(crate) const LEADER_EPOCH_AT: usize = 12;
/// Position of the magic, the same in all formats.
pub(crate) const MAGIC_AT: usize = 16;
/// Position of the CRC.
pub(crate) const CRC_AT: usize = 17;
/// Position of the attributes, the first bytes that the CRC covers.
pub(crate) const ATTRIBUTES_AT: usize = 21;
/// Position of `max_timestamp`.
pub(crate) const MAX_TIMESTAMP_AT: usize = 35;

/// The only format that is served.
pub const MAGIC: i8 = 2;
/// Most bytes of the records of one batch when decompressed: what a producer may send, and what whoever
/// reads it is ready for.
pub const DECOMPRESSED_BYTES_MAX: usize = 64 << 20;
/// A timestamp that nobody set.
pub const NO_TIMESTAMP: i64 = -1;
/// The producer id of batches without idempotence.
pub const NO_PRODUCER_ID: i64 = -1;

const CODEC_MASK: i16 = 0x07;
const TIMESTAMP_TYPE_BIT: i16 = 0x08;
const TRANSACTIONAL_BIT: i16 = 0x10;
const CONTROL_BIT: i16 = 0x20;
const DELETE_HORIZON_BIT: i16 = 0x40;

/// Who set the timestamps of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimestampType {
    /// The producer, one for each record.
    #[default]
    CreateTime,
    /// The broker when it appended: one for all records, kept as `max_timestamp`.
    LogAppendTime,
}

/// The attributes of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attributes(pub i16);

impl Attributes {
    /// The number of the codec, which may be unknown.
    pub const fn codec_id(self) -> u8 {
        (self.0 & CODEC_MASK) as u8
    }

    /// The codec, if it is known.
    pub const fn codec(self) -> Option<Codec> {
        Codec::from_id(self.codec_id())
    }

    /// Who set the timestamps.
    pub const fn timestamp_type(self) -> TimestampType {
        if self.has(TIMESTAMP_TYPE_BIT) {
            TimestampType::LogAppendTime
        } else {
            TimestampType::CreateTime
        }
    }

    /// Whether the batch is part of a transaction.
    pub const fn is_transactional(self) -> bool {
        self.has(TRANSACTIONAL_BIT)
    }

    /// Whether the records are markers of the broker and not data.
    pub const fn is_control(self) -> bool {
        self.has(CONTROL_BIT)
    }

    /// Whether `base_timestamp` says when compaction may drop tombstones (KIP-534).
    pub const fn has_delete_horizon(self) -> bool {
        self.has(DELETE_HORIZON_BIT)
    }

    /// With another codec.
    #[must_use]
    pub const fn with_codec(self, codec: Codec) -> Self {
        Self((self.0 & !CODEC_MASK) | codec.id() as i16)
    }

    /// With another timestamp type.
    #[must_use]
    pub const fn with_timestamp_type(self, timestamp_type: TimestampType) -> Self {
        self.with(
            TIMESTAMP_TYPE_BIT,
            matches!(timestamp_type, TimestampType::LogAppendTime),
        )
    }

    /// With the transactional bit set or not.
    #[must_use]
    pub const fn with_transactional(self, on: bool) -> Self {
        self.with(TRANSACTIONAL_BIT, on)
    }

    /// With the control bit set or not.
    #[must_use]
    pub const fn with_control(self, on: bool) -> Self {
        self.with(CONTROL_BIT, on)
    }

    /// As one whose `base_timestamp` is a delete horizon.
    #[must_use]
    pub const fn with_delete_horizon(self) -> Self {
        self.with(DELETE_HORIZON_BIT, true)
    }

    /// As one whose `base_timestamp` is no delete horizon.
    #[must_use]
    pub const fn without_delete_horizon(self) -> Self {
        self.with(DELETE_HORIZON_BIT, false)
    }

    const fn has(self, bit: i16) -> bool {
        self.0 & bit != 0
    }

    const fn with(self, bit: i16, on: bool) -> Self {
        Self(if on { self.0 | bit } else { self.0 & !bit })
    }
}

/// The header of a batch, as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record; 0 from producers.
    pub base_offset: i64,
    /// Bytes of the batch behind this field.
    pub batch_length: i32,
    /// Epoch of the leader that appended it.
    pub partition_leader_epoch: i32,
    /// CRC32C of everything behind it.
    pub crc: u32,
    /// Codec, timestamp type and flags.
    pub attributes: Attributes,
    /// Offset of the last record less `base_offset`.
    pub last_offset_delta: i32,
    /// What timestamps of records are relative to.
    pub base_timestamp: i64,
    /// Largest timestamp of the records, or when the broker appended them.
    pub max_timestamp: i64,
    /// The idempotent producer, or -1.
    pub producer_id: i64,
    /// Its epoch, or -1.
    pub producer_epoch: i16,
    /// Sequence number of the first record, or -1.
    pub base_sequence: i32,
    /// How many records.
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads the header in front of `bytes`, which may end behind it.
    ///
    /// Fails on another format and on a length that cannot hold a header.
    pub fn read(bytes: &[u8]) -> Result<Self, BatchError> {
        // The magic decides what the rest means; all formats have it in the same place.
        let available = bytes.len();
        let Some(&magic) = bytes.get(MAGIC_AT) else {
            return Err(BatchError::Incomplete {
                needed: HEADER_BYTES,
                available,
            });
        };
        if magic != MAGIC as u8 {
            return Err(BatchError::Magic(magic as i8));
        }
        let header =
            Self::fields(&mut Reader::new(bytes, false)).map_err(|_| BatchError::Incomplete {
                needed: HEADER_BYTES,
                available,
            })?;
        if i64::from(header.batch_length) < (HEADER_BYTES - LENGTH_OVERHEAD) as i64 {
            return Err(BatchError::Length(header.batch_length));
        }
        Ok(header)
    }

    fn fields(r: &mut Reader<'_>) -> Result<Self, crate::WireError> {
        let (base_offset, batch_length, partition_leader_epoch) = (r.i64()?, r.i32()?, r.i32()?);
        let _magic = r.i8()?;
        Ok(Self {
            base_offset,
            batch_length,
            partition_leader_epoch,
            crc: r.u32()?,
            attributes: Attributes(r.i16()?),
            last_offset_delta: r.i32()?,
            base_timestamp: r.i64()?,
            max_timestamp: r.i64()?,
            producer_id: r.i64()?,
            producer_epoch: r.i16()?,
            base_sequence: r.i32()?,
            record_count: r.i32()?,
        })
    }

    /// Bytes of the whole batch.
    pub const fn size_bytes(&self) -> usize {
        LENGTH_OVERHEAD + self.batch_length as usize
    }

    /// Offset of the last record.
    pub const fn last_offset(&self) -> i64 {
        self.base_offset.wrapping_add(self.last_offset_delta as i64)
    }

    /// Offset behind the last record.
    pub const fn next_offset(&self) -> i64 {
        self.last_offset().wrapping_add(1)
    }

    /// Offset of one of its records.
    pub const fn offset_of(&self, record: &Record<'_>) -> i64 {
        self.base_offset.wrapping_add(record.offset_delta as i64)
    }

    /// Timestamp of one of its records.
    pub const fn timestamp_of(&self, record: &Record<'_>) -> i64 {
        match self.attributes.timestamp_type() {
            TimestampType::LogAppendTime => self.max_timestamp,
            TimestampType::CreateTime => self.base_timestamp.wrapping_add(record.timestamp_delta),
        }
    }

    /// Sequence number of the last record: they wrap from the largest integer to 0.
    pub const fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 {
            return self.base_sequence;
        }
        self.base_sequence.wrapping_add(self.last_offset_delta) & i32::MAX
    }

    /// When compaction may drop the tombstones of the batch, if it has said so (KIP-534).
    pub const fn delete_horizon_ms(&self) -> Option<i64> {
        if self.attributes.has_delete_horizon() {
            Some(self.base_timestamp)
        } else {
            None
        }
    }

    /// Whether the producer is idempotent.
    pub const fn has_producer_id(&self) -> bool {
        self.producer_id > NO_PRODUCER_ID
    }
}

/// A whole batch, in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchView<'a> {
    header: BatchHeader,
    bytes: &'a [u8],
}

impl<'a> BatchView<'a> {
    /// Splits `bytes` into the batch in front and the rest. The CRC is not checked.
    pub fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), BatchError> {
        let header = BatchHeader::read(bytes)?;
        let needed = header.size_bytes();
        let Some((batch, rest)) = bytes.split_at_checked(needed) else {
            return Err(BatchError::Incomplete {
                needed,
                available: bytes.len(),
            });
        };
        Ok((
            Self {
                header,
                bytes: batch,
            },
            rest,
        ))
    }

    /// The header.
    pub const fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The whole batch.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The records, as they are: compressed if a codec says so.
    pub fn payload(&self) -> &'a [u8] {
        self.bytes.get(HEADER_BYTES..).unwrap_or_default()
    }

    /// The CRC32C that the batch should have.
    pub fn computed_crc(&self) -> u32 {
        crc32c(self.bytes.get(ATTRIBUTES_AT..).unwrap_or_default())
    }

    /// Whether the CRC is right.
    pub fn is_intact(&self) -> bool {
        self.header.crc == self.computed_crc()
    }

    /// The records of a batch that is not compressed.
    ///
    /// For others, decompress the payload and use [`RecordIter::new`].
    pub fn records(&self) -> RecordIter<'a> {
        RecordIter::new(&self.header, self.payload())
    }
}

/// CRC32C (Castagnoli), as batches have it.
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

/// The batches in a range of bytes, such as those of a Fetch response.
///
/// Ends behind the first error; [`BatchError::Incomplete`] then means that the bytes end within a
/// batch, as they may in answers of other brokers.
#[derive(Debug, Clone)]
pub struct Batches<'a> {
    rest: &'a [u8],
}

impl<'a> Batches<'a> {
    /// The batches in `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<BatchView<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let split = BatchView::split(self.rest);
        self.rest = split.as_ref().map_or(&[], |(_, rest)| rest);
        Some(split.map(|(batch, _)| batch))
    }
}

#[cfg(test)]
mod check_tests;
#[cfg(test)]
mod tests;
