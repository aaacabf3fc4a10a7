//! Whether a batch of a producer may be appended: the checks of Kafka's broker, in its order.

use super::error::{BatchError, RECORD_ERRORS_MAX, RecordFault, RecordFaultKind};
use super::record::Glance;
use super::{BatchHeader, BatchView, NO_TIMESTAMP, RecordIter, TimestampType};
use crate::codec::{Codec, Codecs};

/// First version of Produce that may carry zstd (KIP-110).
const ZSTD_PRODUCE_VERSION: i16 = 7;

/// What a topic accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `max.message.bytes`: most bytes of a batch, compressed as it comes.
    pub message_bytes_max: usize,
    /// Most bytes of the records of a batch when decompressed; bounds memory, not in Kafka.
    pub decompressed_bytes_max: usize,
    /// Whether `cleanup.policy` has `compact`: each record then needs a key.
    pub compacted: bool,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how old a timestamp may be.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how far ahead a timestamp may be.
    pub timestamp_after_max_ms: i64,
}

impl Default for Limits {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            message_bytes_max: 1_048_588,
            decompressed_bytes_max: 64 * 1024 * 1024,
            compacted: false,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 3_600_000,
        }
    }
}

/// A batch that may be appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckedBatch {
    /// The header as the producer sent it.
    pub header: BatchHeader,
    /// The codec that its attributes name.
    pub codec: Codec,
    /// The largest timestamp that the batch has once stamped: that of its records, or now.
    pub max_timestamp: i64,
    /// Offset of the first record with that timestamp, less the base offset.
    pub max_timestamp_offset_delta: i32,
    /// Whether [`BatchMut::stamp_timestamp`](super::BatchMut::stamp_timestamp) must be called with
    /// the topic's type and `max_timestamp`: it is appended under `LogAppendTime`, or the header
    /// lies about its records, which would mislead the time index and retention.
    pub needs_timestamp_stamp: bool,
}

/// Checks what Produce in `produce_version` carries for one partition.
///
/// Transactional batches pass; the header tells. Idempotence is checked by who knows the producer.
pub fn check_batch(
    bytes: &[u8],
    produce_version: i16,
    limits: &Limits,
    now_ms: i64,
    codecs: &mut Codecs,
) -> Result<CheckedBatch, BatchError> {
    let batch = only_batch(bytes)?;
    let codec = check_codec(batch.header(), produce_version)?;
    check_frame(&batch, limits)?;
    check_header(batch.header())?;
    let scan = codecs.with_decompressed(&batch, limits.decompressed_bytes_max, |records, _| {
        Scan::over(batch.header(), records, limits, now_ms)
    })?;
    Ok(scan.checked(batch.header(), codec, limits, now_ms))
}

fn only_batch(bytes: &[u8]) -> Result<BatchView<'_>, BatchError> {
    if bytes.is_empty() {
        return Err(BatchError::Empty);
    }
    let (batch, rest) = BatchView::split(bytes)?;
    if rest.is_empty() {
        Ok(batch)
    } else {
        Err(BatchError::NotOne)
    }
}

fn check_codec(header: &BatchHeader, produce_version: i16) -> Result<Codec, BatchError> {
    match header.attributes.codec() {
        None => Err(BatchError::UnknownCodec(header.attributes.codec_id())),
        Some(Codec::Zstd) if produce_version < ZSTD_PRODUCE_VERSION => {
            Err(BatchError::ZstdTooEarly)
        },
        Some(codec) => Ok(codec),
    }
}

fn check_frame(batch: &BatchView<'_>, limits: &Limits) -> Result<(), BatchError> {
    let header = batch.header();
    if header.base_offset != 0 {
        return Err(BatchError::BaseOffset(header.base_offset));
    }
    let size = header.size_bytes();
    if size > limits.message_bytes_max {
        return Err(BatchError::TooLarge {
            size,
            max: limits.message_bytes_max,
        });
    }
    let computed = batch.computed_crc();
    if header.crc != computed {
        return Err(BatchError::Crc {
            stored: header.crc,
            computed,
        });
    }
    Ok(())
}

fn check_header(header: &BatchHeader) -> Result<(), BatchError> {
    let BatchHeader {
        record_count,
        last_offset_delta,
        producer_id,
        ..
    } = *header;
    if header.attributes.is_control() {
        return Err(BatchError::Control);
    }
    if header.attributes.has_delete_horizon() {
        return Err(BatchError::DeleteHorizon);
    }
    if record_count <= 0 || last_offset_delta != record_count - 1 {
        return Err(BatchError::Count {
            record_count,
            last_offset_delta,
        });
    }
    let (epoch, sequence) = (header.producer_epoch, header.base_sequence);
    if header.has_producer_id() && (epoch < 0 || sequence < 0) {
        return Err(BatchError::Sequence {
            producer_id,
            epoch,
            sequence,
        });
    }
    Ok(())
}

/// What a pass over the records finds.
#[derive(Debug)]
struct Scan {
    max_timestamp: i64,
    max_timestamp_offset_delta: i32,
    faults: Vec<RecordFault>,
}

impl Scan {
    fn over(
        header: &BatchHeader,
        records: &[u8],
        limits: &Limits,
        now_ms: i64,
    ) -> Result<Self, BatchError> {
        let mut scan = Self {
            max_timestamp: NO_TIMESTAMP,
            max_timestamp_offset_delta: 0,
            faults: Vec::new(),
        };
        let mut records = RecordIter::new(header, records);
        let mut index = 0;
        while let Some(record) = records.glance() {
            scan.record(index, &record?, header, limits, now_ms)?;
            index += 1;
        }
        if scan.faults.is_empty() {
            Ok(scan)
        } else {
            Err(BatchError::Records(scan.faults))
        }
    }

    #[inline]
    fn record(
        &mut self,
        index: i32,
        record: &Glance,
        header: &BatchHeader,
        limits: &Limits,
        now_ms: i64,
    ) -> Result<(), BatchError> {
        if record.offset_delta != index {
            return Err(BatchError::OffsetDelta {
                index,
                found: record.offset_delta,
            });
        }
        let timestamp = header
            .base_timestamp
            .checked_add(record.timestamp_delta)
            .ok_or(BatchError::TimestampOverflow { index })?;
        if timestamp > self.max_timestamp {
            self.max_timestamp = timestamp;
            self.max_timestamp_offset_delta = index;
        }
        let fault = record_fault(record, timestamp, header, limits, now_ms);
        if let Some(kind) = fault.filter(|_| self.faults.len() < RECORD_ERRORS_MAX) {
            self.faults.push(RecordFault { index, kind });
        }
        Ok(())
    }

    fn checked(
        &self,
        header: &BatchHeader,
        codec: Codec,
        limits: &Limits,
        now_ms: i64,
    ) -> CheckedBatch {
        let by_broker = limits.timestamp_type == TimestampType::LogAppendTime;
        // Under LogAppendTime all records have the same timestamp: the first one is the answer.
        let (max_timestamp, max_timestamp_offset_delta) = if by_broker {
            (now_ms, 0)
        } else {
            (self.max_timestamp, self.max_timestamp_offset_delta)
        };
        CheckedBatch {
            header: *header,
            codec,
            max_timestamp,
            max_timestamp_offset_delta,
            needs_timestamp_stamp: by_broker || header.max_timestamp != max_timestamp,
        }
    }
}

fn record_fault(
    record: &Glance,
    timestamp: i64,
    header: &BatchHeader,
    limits: &Limits,
    now_ms: i64,
) -> Option<RecordFaultKind> {
    if limits.compacted && !record.has_key {
        return Some(RecordFaultKind::NoKey);
    }
    if header.attributes.timestamp_type() == TimestampType::LogAppendTime {
        return Some(RecordFaultKind::LogAppendTime);
    }
    if limits.timestamp_type == TimestampType::LogAppendTime || timestamp == NO_TIMESTAMP {
        return None;
    }
    let min = now_ms.saturating_sub(limits.timestamp_before_max_ms);
    let max = now_ms.saturating_add(limits.timestamp_after_max_ms);
    // Long.MAX allows any age, also one before 1970 that the subtraction would cut off.
    let too_old = limits.timestamp_before_max_ms != i64::MAX && timestamp < min;
    (too_old || timestamp > max).then_some(RecordFaultKind::Timestamp {
        timestamp,
        min,
        max,
    })
}
