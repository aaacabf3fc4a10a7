//! Whether a batch may be appended, and what is appended: checked, stamped, compressed anew.
//!
//! Batches are stored as they came but for base offset and leader epoch, which the shard stamps.
//! Three exceptions change the bytes, as in Kafka: `LogAppendTime`, a header that lies about its
//! largest timestamp, and a topic whose `compression.type` is a codec of its own.

use std::borrow::Cow;
use std::cell::RefCell;

use cluster_meta::config::{CompressionType, TimestampType as TopicTimestampType, TopicConfig};
use engine_rt::mutant::{self, Mutant};
use engine_rt::{Buf, BufMut};
use engine_shard::{ProduceBatch, ProducerStamp, TopicPartition};
use net_wire::ErrorCode;
use net_wire::batch::{
    BatchError, BatchMut, BatchView, CheckedBatch, Limits, TimestampType, check_batch, recompress,
};
use net_wire::codec::{Codec, Codecs};
use net_wire::messages::produce::BatchIndexAndErrorMessage;

/// Compressed batches above this are checked on a helper thread: a core must not stand still for
/// a millisecond.
const INLINE_BYTES_MAX: usize = 64 << 10;
/// Batches that grow beyond this when decompressed are checked there too.
const INLINE_DECOMPRESSED_MAX: usize = 1 << 20;

thread_local! {
    /// Buffers and contexts of this thread, shard or helper: they are used between two awaits.
    static CODECS: RefCell<Codecs> = RefCell::new(Codecs::new());
}

/// What a topic demands of batches, and what it makes of them. Goes to helper threads by value.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    limits: Limits,
    /// The codec to store in and its level; none keeps the producer's.
    codec: Option<(Codec, Option<i32>)>,
    segment_bytes: usize,
    version: i16,
    now_ms: i64,
}

/// Why a partition's records are not appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: ErrorCode,
    pub(crate) message: Option<Cow<'static, str>>,
    pub(crate) record_errors: Vec<BatchIndexAndErrorMessage<'static>>,
}

impl Refused {
    /// A refusal without words.
    pub(crate) const fn of(code: ErrorCode) -> Self {
        Self {
            code,
            message: None,
            record_errors: Vec::new(),
        }
    }

    /// A refusal that says why.
    pub(crate) fn with(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: Some(message.into()),
            record_errors: Vec::new(),
        }
    }
}

impl From<BatchError> for Refused {
    fn from(error: BatchError) -> Self {
        let faults = error
            .record_faults()
            .iter()
            .map(|fault| BatchIndexAndErrorMessage {
                batch_index: fault.index,
                batch_index_error_message: Some(fault.kind.to_string().into()),
            });
        let record_errors = faults.collect();
        Self {
            code: error.code(),
            message: Some(error.to_string().into()),
            record_errors,
        }
    }
}

impl Rules {
    /// The rules of a topic for a request of this version that came at this time.
    pub(crate) fn new(
        config: &TopicConfig,
        version: i16,
        now_ms: i64,
        decompressed_bytes_max: usize,
    ) -> Self {
        let ms = |value| i64::try_from(value).unwrap_or(i64::MAX);
        let timestamp_type = match config.message_timestamp_type {
            TopicTimestampType::CreateTime => TimestampType::CreateTime,
            TopicTimestampType::LogAppendTime => TimestampType::LogAppendTime,
        };
        Self {
            limits: Limits {
                message_bytes_max: config.max_message_bytes as usize,
                decompressed_bytes_max,
                compacted: config.cleanup_policy.compact,
                timestamp_type,
                timestamp_before_max_ms: ms(config.message_timestamp_before_max_ms),
                timestamp_after_max_ms: ms(config.message_timestamp_after_max_ms),
            },
            codec: target_codec(config.compression_type),
            segment_bytes: config.segment_bytes as usize,
            version,
            now_ms,
        }
    }

    /// The time that records get from the broker, or -1 where theirs are kept.
    pub(crate) const fn log_append_time_ms(&self) -> i64 {
        match self.limits.timestamp_type {
            TimestampType::CreateTime => -1,
            TimestampType::LogAppendTime => self.now_ms,
        }
    }
}

fn target_codec(compression: CompressionType) -> Option<(Codec, Option<i32>)> {
    Some(match compression {
        CompressionType::Producer => return None,
        CompressionType::Uncompressed => (Codec::None, None),
        // -1 leaves the level to the codec.
        CompressionType::Gzip(level) => (Codec::Gzip, Some(level).filter(|&level| level != -1)),
        CompressionType::Snappy => (Codec::Snappy, None),
        CompressionType::Lz4(level) => (Codec::Lz4, Some(level)),
        CompressionType::Zstd(level) => (Codec::Zstd, Some(level)),
    })
}

/// Checks the records of one partition and makes them ready for the log, here or, if that takes
/// long, on a helper thread.
pub(crate) async fn check(
    id: TopicPartition,
    records: Buf,
    rules: &Rules,
) -> Result<ProduceBatch, Refused> {
    // Most batches never wait: the rare future is boxed, so that theirs stays small.
    match check_here(id, &records, rules) {
        Some(result) => result,
        None => Box::pin(check_elsewhere(id, records, rules.clone())).await,
    }
}

/// Checks here, unless that turns out to take long.
fn check_here(
    id: TopicPartition,
    records: &Buf,
    rules: &Rules,
) -> Option<Result<ProduceBatch, Refused>> {
    if !is_quick(records, rules) {
        return None;
    }
    let allowed = rules.limits.decompressed_bytes_max;
    let max = allowed.min(INLINE_DECOMPRESSED_MAX);
    match check_now(id, records, rules, max) {
        Err(BatchError::DecompressedTooLarge { .. }) if max < allowed => None,
        result => Some(judged(result, rules)),
    }
}

async fn check_elsewhere(
    id: TopicPartition,
    records: Buf,
    rules: Rules,
) -> Result<ProduceBatch, Refused> {
    let there = rules.clone();
    let max = rules.limits.decompressed_bytes_max;
    let result = engine_rt::blocking(move || check_now(id, &records, &there, max)).await;
    judged(result, &rules)
}

/// Whether checking takes no longer than a core may stand still.
fn is_quick(records: &Buf, rules: &Rules) -> bool {
    let codec = BatchView::split(records)
        .ok()
        .and_then(|(batch, _)| batch.header().attributes.codec());
    let compressed = codec.is_some_and(|codec| codec != Codec::None)
        || rules.codec.is_some_and(|(target, _)| Some(target) != codec);
    !compressed || records.len() <= INLINE_BYTES_MAX
}

fn judged(
    result: Result<ProduceBatch, BatchError>,
    rules: &Rules,
) -> Result<ProduceBatch, Refused> {
    let batch = result?;
    if batch.bytes.len() > rules.segment_bytes {
        return Err(Refused::with(
            ErrorCode::RECORD_LIST_TOO_LARGE,
            format!(
                "record batch of {} bytes is larger than the {} of a segment",
                batch.bytes.len(),
                rules.segment_bytes
            ),
        ));
    }
    Ok(batch)
}

fn check_now(
    id: TopicPartition,
    records: &Buf,
    rules: &Rules,
    decompressed_bytes_max: usize,
) -> Result<ProduceBatch, BatchError> {
    let limits = Limits {
        decompressed_bytes_max,
        ..rules.limits
    };
    CODECS.with_borrow_mut(|codecs| {
        let checked = check_batch(records, rules.version, &limits, rules.now_ms, codecs)?;
        let bytes = stored_bytes(records, &checked, rules, codecs)?;
        Ok(produce_batch(id, bytes, &checked))
    })
}

/// The bytes to store: the request's own unless one of the exceptions holds.
fn stored_bytes(
    records: &Buf,
    checked: &CheckedBatch,
    rules: &Rules,
    codecs: &mut Codecs,
) -> Result<Buf, BatchError> {
    let recoded = match rules.codec.filter(|(codec, _)| *codec != checked.codec) {
        Some((codec, level)) => Some(recode(records, codec, level, rules, codecs)?),
        None => None,
    };
    let stamps = checked.needs_timestamp_stamp && !mutant::is_active(Mutant::AppendTimeNotStamped);
    if recoded.is_none() && !stamps {
        return Ok(records.clone());
    }
    let source: &[u8] = recoded.as_deref().unwrap_or(records);
    let mut bytes = BufMut::with_capacity(source.len());
    bytes.copy_from_slice(source);
    if stamps {
        BatchMut::new(&mut bytes)?
            .stamp_timestamp(rules.limits.timestamp_type, checked.max_timestamp);
    }
    Ok(bytes.freeze())
}

fn recode(
    records: &Buf,
    codec: Codec,
    level: Option<i32>,
    rules: &Rules,
    codecs: &mut Codecs,
) -> Result<Vec<u8>, BatchError> {
    let (batch, _) = BatchView::split(records)?;
    let limits = &rules.limits;
    let bytes = recompress(&batch, codec, level, limits.decompressed_bytes_max, codecs)?;
    if bytes.len() > limits.message_bytes_max {
        return Err(BatchError::TooLarge {
            size: bytes.len(),
            max: limits.message_bytes_max,
        });
    }
    Ok(bytes)
}

fn produce_batch(id: TopicPartition, bytes: Buf, checked: &CheckedBatch) -> ProduceBatch {
    let header = &checked.header;
    ProduceBatch {
        id,
        bytes,
        records: header.record_count,
        max_timestamp: checked.max_timestamp,
        max_timestamp_delta: checked.max_timestamp_offset_delta.unsigned_abs(),
        stamp: ProducerStamp {
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
        },
    }
}

/// Whether the batch in front is part of a transaction, which Flumen does not serve yet.
pub(crate) fn is_transactional(records: &[u8]) -> bool {
    BatchView::split(records).is_ok_and(|(batch, _)| batch.header().attributes.is_transactional())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cluster_meta::config::{ConfigMap, Layers, StaticConfig};
    use net_wire::batch::{Attributes, BatchBuilder};

    const NOW: i64 = 1_700_000_000_000;

    fn rules(values: &[(&str, &str)]) -> Rules {
        let topic: ConfigMap = values
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect();
        let fixed = StaticConfig::default();
        let layers = Layers {
            topic: Some(&topic),
            broker: None,
            cluster: None,
            fixed: &fixed,
        };
        Rules::new(&TopicConfig::of(&layers), 9, NOW, 64 << 20)
    }

    fn id() -> TopicPartition {
        TopicPartition {
            topic_id: net_wire::Uuid::METADATA_TOPIC,
            partition: 3,
        }
    }

    fn batch(builder: BatchBuilder, timestamps: &[i64]) -> Buf {
        let mut builder = builder;
        for timestamp in timestamps {
            builder.append(*timestamp, Some(b"k"), Some(&[b'v'; 200]), &[]);
        }
        Buf::copy_from_slice(&builder.build(&mut Codecs::new()).unwrap())
    }

    fn checked(records: &Buf, rules: &Rules) -> Result<ProduceBatch, Refused> {
        judged(check_now(id(), records, rules, 64 << 20), rules)
    }

    #[test]
    fn a_good_batch_is_passed_on_without_a_copy() {
        let records = batch(
            BatchBuilder::new().producer(7, 1, 40),
            &[NOW - 5, NOW, NOW - 3],
        );
        let out = checked(&records, &rules(&[])).unwrap();
        assert!(out.bytes.same_block(&records));
        assert_eq!(
            (out.records, out.max_timestamp, out.max_timestamp_delta),
            (3, NOW, 1)
        );
        let stamp = ProducerStamp {
            producer_id: 7,
            producer_epoch: 1,
            base_sequence: 40,
        };
        assert_eq!(out.stamp, stamp);
    }

    #[test]
    fn log_append_time_stamps_a_copy() {
        let rules = rules(&[("message.timestamp.type", "LogAppendTime")]);
        let records = batch(BatchBuilder::new(), &[5, 6]);
        let out = checked(&records, &rules).unwrap();
        assert!(!out.bytes.same_block(&records));
        let (view, _) = BatchView::split(&out.bytes).unwrap();
        assert!(view.is_intact());
        assert_eq!(view.header().max_timestamp, NOW);
        assert_eq!(
            view.header().attributes.timestamp_type(),
            TimestampType::LogAppendTime
        );
        assert_eq!((out.max_timestamp, out.max_timestamp_delta), (NOW, 0));
        assert_eq!(rules.log_append_time_ms(), NOW);
    }

    #[test]
    fn a_lying_max_timestamp_is_corrected() {
        let honest = batch(BatchBuilder::new(), &[NOW - 10, NOW - 20]);
        let mut lying = BufMut::with_capacity(honest.len());
        lying.copy_from_slice(&honest);
        BatchMut::new(&mut lying)
            .unwrap()
            .stamp_timestamp(TimestampType::CreateTime, NOW - 1);
        let out = checked(&lying.freeze(), &rules(&[])).unwrap();
        assert_eq!(&*out.bytes, &*honest);
        assert_eq!(out.max_timestamp, NOW - 10);
    }

    #[test]
    fn a_topics_own_codec_is_applied_to_what_has_another() {
        let zstd = rules(&[("compression.type", "zstd")]);
        let plain = batch(BatchBuilder::new(), &[NOW]);
        let out = checked(&plain, &zstd).unwrap();
        let (view, _) = BatchView::split(&out.bytes).unwrap();
        assert_eq!(view.header().attributes.codec(), Some(Codec::Zstd));
        assert!(view.is_intact());
        let already = batch(BatchBuilder::new().codec(Codec::Zstd), &[NOW]);
        assert!(checked(&already, &zstd).unwrap().bytes.same_block(&already));
        let plain_topic = rules(&[("compression.type", "uncompressed")]);
        let out = checked(&already, &plain_topic).unwrap();
        let (view, _) = BatchView::split(&out.bytes).unwrap();
        assert_eq!(view.header().attributes, Attributes(0));
    }

    #[test]
    fn sizes_are_bounded_before_and_after_compression() {
        let records = batch(BatchBuilder::new().codec(Codec::Gzip), &[NOW; 20]);
        let size = records.len().to_string();
        let fits = [("max.message.bytes", size.as_str())];
        assert!(checked(&records, &rules(&fits)).is_ok());
        let grows = [fits[0], ("compression.type", "uncompressed")];
        let refused = checked(&records, &rules(&grows)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::MESSAGE_TOO_LARGE);
        let segment = rules(&[("internal.segment.bytes", "100")]);
        let refused = checked(&records, &segment).unwrap_err();
        assert_eq!(refused.code, ErrorCode::RECORD_LIST_TOO_LARGE);
    }

    #[test]
    fn keyless_records_of_compacted_topics_are_named() {
        let mut builder = BatchBuilder::new();
        builder.append(NOW, Some(b"k"), None, &[]);
        builder.append(NOW, None, Some(b"v"), &[]);
        let records = Buf::copy_from_slice(&builder.build(&mut Codecs::new()).unwrap());
        let refused = checked(&records, &rules(&[("cleanup.policy", "compact")])).unwrap_err();
        assert_eq!(refused.code, ErrorCode::INVALID_RECORD);
        let named: Vec<_> = refused
            .record_errors
            .iter()
            .map(|error| error.batch_index)
            .collect();
        assert_eq!(named, [1]);
    }

    #[test]
    fn corrupt_control_and_empty_batches_are_refused() {
        let refused = |records: &Buf| checked(records, &rules(&[])).unwrap_err().code;
        let good = batch(BatchBuilder::new(), &[NOW]);
        let mut corrupt = good.to_vec();
        *corrupt.last_mut().unwrap() ^= 1;
        assert_eq!(
            refused(&Buf::copy_from_slice(&corrupt)),
            ErrorCode::CORRUPT_MESSAGE
        );
        let control = batch(BatchBuilder::new().control(), &[NOW]);
        assert_eq!(refused(&control), ErrorCode::INVALID_RECORD);
        assert_eq!(refused(&Buf::new()), ErrorCode::INVALID_RECORD);
        let two = Buf::copy_from_slice(&[&good[..], &good[..]].concat());
        assert_eq!(refused(&two), ErrorCode::INVALID_RECORD);
    }

    #[test]
    fn zstd_needs_produce_7() {
        let records = batch(BatchBuilder::new().codec(Codec::Zstd), &[NOW]);
        let old = Rules {
            version: 6,
            ..rules(&[])
        };
        assert_eq!(
            checked(&records, &old).unwrap_err().code,
            ErrorCode::UNSUPPORTED_COMPRESSION_TYPE
        );
        assert!(checked(&records, &rules(&[])).is_ok());
    }

    #[test]
    fn long_work_goes_to_helpers() {
        let large = batch(BatchBuilder::new(), &[NOW; 1_000]);
        assert!(large.len() > INLINE_BYTES_MAX);
        assert!(is_quick(&large, &rules(&[])));
        assert!(!is_quick(&large, &rules(&[("compression.type", "gzip")])));
        let small = batch(BatchBuilder::new().codec(Codec::Lz4), &[NOW]);
        assert!(is_quick(&small, &rules(&[])));
    }

    #[test]
    fn transactional_batches_are_told_by_their_header() {
        assert!(is_transactional(&batch(
            BatchBuilder::new().transactional(),
            &[NOW]
        )));
        assert!(!is_transactional(&batch(BatchBuilder::new(), &[NOW])));
        assert!(!is_transactional(b"noise"));
    }
}
