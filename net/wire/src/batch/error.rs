//! Why a batch is refused, and what the producer is told.

use std::borrow::Cow;

use thiserror::Error;

use crate::codec::CodecError;
use crate::error::WireError;
use crate::error_code::ErrorCode;

/// Most records that one refusal names: a hostile batch has a hundred thousand of them.
pub const RECORD_ERRORS_MAX: usize = 1000;

/// A fault of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BatchError {
    /// No bytes at all.
    #[error("a record batch is required")]
    Empty,
    /// The bytes end within the batch.
    #[error("record batch of {needed} bytes is cut short after {available}")]
    Incomplete {
        /// Bytes that the batch, or its header, takes.
        needed: usize,
        /// Bytes there are.
        available: usize,
    },
    /// A length too small for a header.
    #[error("record batch has the length {0}, less than its header")]
    Length(i32),
    /// An old format, or no batch at all.
    #[error("record batch has magic {0}, only 2 is allowed")]
    Magic(i8),
    /// More than one batch, or something else behind it.
    #[error("exactly one record batch per partition is allowed")]
    NotOne,
    /// Larger than `max.message.bytes`.
    #[error("record batch has {size} bytes, more than the {max} of max.message.bytes")]
    TooLarge {
        /// Its bytes.
        size: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// Larger than allowed once decompressed.
    #[error("record batch has more than {max} bytes when decompressed")]
    DecompressedTooLarge {
        /// Bytes allowed.
        max: usize,
    },
    /// The CRC does not match.
    #[error("record batch is corrupt: stored crc {stored:08x}, computed crc {computed:08x}")]
    Crc {
        /// As it is in the batch.
        stored: u32,
        /// As it should be.
        computed: u32,
    },
    /// Producers do not choose offsets.
    #[error("base offset should be 0, but it is {0}")]
    BaseOffset(i64),
    /// A codec that does not exist.
    #[error("compression type {0} is unknown")]
    UnknownCodec(u8),
    /// zstd in a version of Produce below 7 (KIP-110).
    #[error("Produce below version 7 is not allowed to use zstd compression")]
    ZstdTooEarly,
    /// Markers belong to the broker.
    #[error("clients are not allowed to write control records")]
    Control,
    /// The delete horizon belongs to compaction (KIP-534).
    #[error("clients are not allowed to set the delete horizon")]
    DeleteHorizon,
    /// The number of records does not match the offsets.
    #[error("{record_count} records for a last offset delta of {last_offset_delta}")]
    Count {
        /// Records announced.
        record_count: i32,
        /// Last offset delta announced.
        last_offset_delta: i32,
    },
    /// An idempotent producer without epoch or sequence number.
    #[error("epoch {epoch} and sequence {sequence} are invalid with producer id {producer_id}")]
    Sequence {
        /// The producer.
        producer_id: i64,
        /// Its epoch.
        epoch: i16,
        /// The base sequence.
        sequence: i32,
    },
    /// The payload is not what its codec writes.
    #[error("records cannot be decompressed: {0}")]
    Decompress(CodecError),
    /// The payload cannot be compressed.
    #[error("records cannot be compressed: {0}")]
    Compress(CodecError),
    /// A record is not readable.
    #[error("record {index} is malformed: {cause}")]
    Record {
        /// Its position.
        index: i32,
        /// The field at fault.
        cause: WireError,
    },
    /// A record whose length is not that of its fields.
    #[error("record {index} has the length {announced}, but its fields take {actual} bytes")]
    RecordLength {
        /// Its position.
        index: i32,
        /// Its length.
        announced: i32,
        /// What its fields take.
        actual: usize,
    },
    /// A timestamp beyond 64 bits.
    #[error("timestamp of record {index} overflows")]
    TimestampOverflow {
        /// Its position.
        index: i32,
    },
    /// Bytes behind the last record.
    #[error("{0} bytes are left behind the last record")]
    TrailingBytes(usize),
    /// Offsets within the batch have gaps.
    #[error("record {index} has the offset delta {found}")]
    OffsetDelta {
        /// Its position.
        index: i32,
        /// Its offset delta.
        found: i32,
    },
    /// Records that the topic does not accept; nothing of the batch is appended.
    #[error("{}", record_faults(.0))]
    Records(Vec<RecordFault>),
}

/// A record that the topic does not accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordFault {
    /// Its position in the batch.
    pub index: i32,
    /// What is wrong with it.
    pub kind: RecordFaultKind,
}

/// Why the topic does not accept a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RecordFaultKind {
    /// Compaction is by key.
    #[error("compacted topic cannot accept message without key")]
    NoKey,
    /// Outside of the bounds of the topic.
    #[error("timestamp {timestamp} is out of range, it should be within [{min}, {max}]")]
    Timestamp {
        /// Its timestamp.
        timestamp: i64,
        /// Smallest one allowed.
        min: i64,
        /// Largest one allowed.
        max: i64,
    },
    /// The type that only a broker sets.
    #[error("invalid timestamp type: producers should not set it to LogAppendTime")]
    LogAppendTime,
}

impl RecordFaultKind {
    const fn is_timestamp(self) -> bool {
        !matches!(self, Self::NoKey)
    }
}

fn record_faults(faults: &[RecordFault]) -> Cow<'static, str> {
    if faults.iter().any(|fault| fault.kind.is_timestamp()) {
        return "one or more records have been rejected due to invalid timestamp".into();
    }
    format!(
        "one or more records have been rejected due to {} record errors",
        faults.len()
    )
    .into()
}

impl BatchError {
    /// The error code for the producer.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Length(_) | Self::Crc { .. } => ErrorCode::CORRUPT_MESSAGE,
            Self::TooLarge { .. } | Self::DecompressedTooLarge { .. } => {
                ErrorCode::MESSAGE_TOO_LARGE
            },
            Self::UnknownCodec(_) | Self::ZstdTooEarly => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
            Self::Compress(_) => ErrorCode::UNKNOWN_SERVER_ERROR,
            Self::Records(faults) if faults.iter().any(|fault| fault.kind.is_timestamp()) => {
                ErrorCode::INVALID_TIMESTAMP
            },
            // A payload that does not decompress under a right CRC is the producer's doing: a
            // retriable code would have it sent again forever.
            _ => ErrorCode::INVALID_RECORD,
        }
    }

    /// The records at fault, for `RecordErrors` of Produce 8 and above (KIP-467).
    pub fn record_faults(&self) -> &[RecordFault] {
        match self {
            Self::Records(faults) => faults,
            _ => &[],
        }
    }
}
