//! What compaction leaves of a batch: some of its records, or its header alone (KIP-534).
//!
//! Offsets, timestamps, producer and codec stay as they are, and so does the last offset: what a
//! follower or a consumer computes from a batch holds for what is left of it.

use super::builder::encode_batch;
use super::record::write_record;
use super::{
    BatchError, BatchHeader, BatchView, NO_TIMESTAMP, Record, RecordHeader, TimestampType,
};
use crate::codec::{Codec, Codecs};
use crate::writer::Writer;

/// The batch with those of its `records`, decompressed, that `keep` wants; at least one of them.
///
/// A `delete_horizon_ms` is put in the place of the base timestamp, to which those of the records
/// are relative; without one, the base timestamp stays.
pub fn retain_records(
    batch: &BatchView<'_>,
    records: &[u8],
    delete_horizon_ms: Option<i64>,
    mut keep: impl FnMut(&Record<'_>) -> bool,
    codecs: &mut Codecs,
) -> Result<Vec<u8>, BatchError> {
    let old = batch.header();
    let base_timestamp = delete_horizon_ms.unwrap_or(old.base_timestamp);
    let mut header = BatchHeader {
        attributes: match delete_horizon_ms {
            Some(_) => old.attributes.with_delete_horizon(),
            None => old.attributes,
        },
        base_timestamp,
        record_count: 0,
        ..*old
    };
    let mut newest = NO_TIMESTAMP;
    let (mut kept, mut headers) = (Writer::new(false), Vec::new());
    for record in super::RecordIter::new(old, records) {
        let record = record?;
        if !keep(&record) {
            continue;
        }
        let timestamp = old.base_timestamp.wrapping_add(record.timestamp_delta);
        newest = newest.max(timestamp);
        header.record_count += 1;
        headers.clear();
        headers.extend(record.headers.iter());
        write_kept(
            &mut kept,
            timestamp.wrapping_sub(base_timestamp),
            &record,
            &headers,
        );
    }
    if old.attributes.timestamp_type() == TimestampType::CreateTime {
        header.max_timestamp = newest;
    }
    let kept = kept
        .finish()
        .map_err(|cause| BatchError::Record { index: -1, cause })?;
    encode_batch(&header, &kept.bytes, None, codecs)
}

fn write_kept(
    into: &mut Writer,
    timestamp_delta: i64,
    record: &Record<'_>,
    headers: &[RecordHeader<'_>],
) {
    write_record(
        into,
        timestamp_delta,
        record.offset_delta,
        record.key,
        record.value,
        headers,
    );
}

/// A batch without records that has the offsets, the producer and the largest timestamp of this
/// one.
pub fn without_records(header: &BatchHeader) -> Result<Vec<u8>, BatchError> {
    let attributes = header.attributes.with_codec(Codec::None);
    let header = BatchHeader {
        attributes: attributes.without_delete_horizon(),
        base_timestamp: NO_TIMESTAMP,
        record_count: 0,
        ..*header
    };
    encode_batch(&header, &[], None, &mut Codecs::new())
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::{Attributes, BatchBuilder};
    use super::*;

    type Given = (Option<Vec<u8>>, Option<Vec<u8>>, i64, Vec<Vec<u8>>);
    type Seen = (i32, i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<Vec<u8>>);

    fn records() -> impl Strategy<Value = Vec<Given>> {
        let bytes = || proptest::option::of(vec(any::<u8>(), 0..40));
        let headers = vec(vec(any::<u8>(), 0..5), 0..3);
        vec((bytes(), bytes(), -5_000..5_000_i64, headers), 1..30)
    }

    fn build(records: &[Given], codec: Codec) -> Vec<u8> {
        let mut builder = BatchBuilder::new()
            .codec(codec)
            .producer(7, 2, 90)
            .placed(40, 3);
        for (key, value, timestamp, headers) in records {
            let headers: Vec<_> = headers
                .iter()
                .map(|key| RecordHeader { key, value: None })
                .collect();
            builder.append(*timestamp, key.as_deref(), value.as_deref(), &headers);
        }
        builder.build(&mut Codecs::new()).unwrap()
    }

    fn seen(bytes: &[u8]) -> (BatchHeader, Vec<Seen>) {
        let (batch, rest) = BatchView::split(bytes).unwrap();
        assert!(batch.is_intact() && rest.is_empty());
        let base = batch.header().base_timestamp;
        let records = Codecs::new().with_decompressed(&batch, 1 << 20, |records, _| {
            super::super::RecordIter::new(batch.header(), records)
                .map(|record| {
                    let record = record?;
                    Ok((
                        record.offset_delta,
                        base + record.timestamp_delta,
                        record.key.map(<[u8]>::to_vec),
                        record.value.map(<[u8]>::to_vec),
                        record
                            .headers
                            .iter()
                            .map(|header| header.key.to_vec())
                            .collect(),
                    ))
                })
                .collect()
        });
        (*batch.header(), records.unwrap())
    }

    proptest! {
        /// What is kept is as it was; all else of the header stands for the whole batch.
        #[test]
        fn what_is_kept_is_as_it_was(
            given in records(),
            codec in 0..5_u8,
            kept: u32,
            horizon in proptest::option::of(0..10_000_i64),
        ) {
            let codec = Codec::from_id(codec).unwrap();
            let bytes = build(&given, codec);
            let keep = |delta: i32| kept >> (delta % 32) & 1 == 1;
            let (old, all) = seen(&bytes);
            let expected: Vec<_> = all.into_iter().filter(|record| keep(record.0)).collect();
            let (batch, _) = BatchView::split(&bytes).unwrap();
            let left = Codecs::new().with_decompressed(&batch, 1 << 20, |records, codecs| {
                retain_records(&batch, records, horizon, |record| keep(record.offset_delta), codecs)
            });
            let (new, found) = seen(&left.unwrap());
            prop_assert_eq!(new.record_count as usize, expected.len());
            let newest = expected.iter().map(|record| record.1).max();
            prop_assert_eq!(new.max_timestamp, newest.map_or(-1, |newest| newest.max(-1)));
            prop_assert_eq!(found, expected);
            prop_assert_eq!(new.attributes.has_delete_horizon(), horizon.is_some());
            prop_assert_eq!(new.base_timestamp, horizon.unwrap_or(old.base_timestamp));
            prop_assert_eq!(new.attributes.codec(), Some(codec));
            prop_assert_eq!((new.base_offset, new.last_offset()), (old.base_offset, old.last_offset()));
            prop_assert_eq!((new.producer_id, new.producer_epoch), (7, 2));
            prop_assert_eq!((new.base_sequence, new.last_sequence()), (90, old.last_sequence()));
            prop_assert_eq!(new.partition_leader_epoch, 3);
        }
    }

    #[test]
    fn a_header_alone_keeps_offsets_and_sequences() {
        let given = vec![(Some(vec![1]), None, 500, Vec::new()); 9];
        let (mut old, _) = seen(&build(&given, Codec::Zstd));
        old.attributes = Attributes(old.attributes.0).with_delete_horizon();
        let (empty, records) = seen(&without_records(&old).unwrap());
        assert!(records.is_empty() && !empty.attributes.has_delete_horizon());
        assert_eq!(empty.attributes.codec(), Some(Codec::None));
        assert_eq!((empty.base_offset, empty.last_offset()), (40, 48));
        assert_eq!((empty.base_sequence, empty.last_sequence()), (90, 98));
        assert_eq!((empty.producer_id, empty.producer_epoch), (7, 2));
        assert_eq!((empty.base_timestamp, empty.max_timestamp), (-1, 500));
    }

    #[test]
    fn append_time_stays_that_of_the_batch() {
        let mut builder = BatchBuilder::new().timestamp_type(TimestampType::LogAppendTime);
        builder.append(10, Some(b"a"), Some(b"1"), &[]);
        builder.append(20, Some(b"b"), Some(b"2"), &[]);
        let bytes = builder.build(&mut Codecs::new()).unwrap();
        let (batch, _) = BatchView::split(&bytes).unwrap();
        let first = |record: &Record<'_>| record.offset_delta == 0;
        let left = retain_records(&batch, batch.payload(), None, first, &mut Codecs::new());
        let (header, records) = seen(&left.unwrap());
        assert_eq!((header.max_timestamp, records.len()), (20, 1));
    }
}
