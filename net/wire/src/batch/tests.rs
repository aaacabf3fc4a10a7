use super::record::Glance;
use super::*;
use proptest::prelude::*;

/// The batch that Kafka's own client 4.1.1 makes of [`java_records`] with each codec: first offset
/// 0, leader epoch -1, producer 4711, epoch 3, sequence 7.
pub(super) const JAVA_BATCHES: [(Codec, &str); 5] = [
    (
        Codec::None,
        "00000000000000000000006cffffffff026a64bfa000000000000200000000000003e80000000000\
         000bb800000000000012670003000000070000000354000000046b312e76616c75652076616c7565\
         2076616c75652076616c7565060268023102680232026e010e00a01f020100000e00d00f04000100",
    ),
    (
        Codec::Gzip,
        "00000000000000000000006fffffffff02d7921a1600010000000200000000000003e80000000000\
         000bb80000000000001267000300000007000000031f8b08000000000000ff0b61606060c936d42b\
         4bcc294d55c020d99832980c81d888298f918f61813c132303031fc3057e16064606002c0deaff3b\
         000000",
    ),
    (
        Codec::Snappy,
        "000000000000000000000075ffffffff027a384fa200020000000200000000000003e80000000000\
         000bb800000000000012670003000000070000000382534e41505059000000000100000001000000\
         303b3454000000046b312e76616c7565204206006c060268023102680232026e010e00a01f020100\
         000e00d00f04000100",
    ),
    (
        Codec::Lz4,
        "00000000000000000000006fffffffff026786c6b900030000000200000000000003e80000000000\
         000bb800000000000012670003000000070000000304224d186040822f000000ed54000000046b31\
         2e76616c7565200600f00d060268023102680232026e010e00a01f020100000e00d00f0400010000\
         000000",
    ),
    (
        Codec::Zstd,
        "00000000000000000000006effffffff02cf7e7e1400040000000200000000000003e80000000000\
         000bb800000000000012670003000000070000000328b52ffd00588c0100a40254000000046b312e\
         76616c756520060268023102680232026e010e00a01f020100000e00d00f040001000100998b1201\
         0000",
    ),
];

pub(super) fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|d| d as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] << 4) | pair[1])
        .collect()
}

/// Duplicate header keys, a null header value, null and empty keys and values, times out of order.
fn java_records(builder: &mut BatchBuilder) {
    let headers = [
        RecordHeader {
            key: b"h",
            value: Some(b"1"),
        },
        RecordHeader {
            key: b"h",
            value: Some(b"2"),
        },
        RecordHeader {
            key: b"n",
            value: None,
        },
    ];
    builder.append(
        1000,
        Some(b"k1"),
        Some(b"value value value value"),
        &headers,
    );
    builder.append(3000, None, Some(b""), &[]);
    builder.append(2000, Some(b""), None, &[]);
}

fn java_builder() -> BatchBuilder {
    let mut builder = BatchBuilder::new().producer(4711, 3, 7);
    java_records(&mut builder);
    builder
}

#[test]
fn our_batch_is_kafkas_byte_for_byte() {
    let (_, java) = JAVA_BATCHES[0];
    assert_eq!(
        java_builder().build(&mut Codecs::new()).unwrap(),
        unhex(java)
    );
}

#[test]
fn every_codec_of_kafkas_client_is_read() {
    let expected = java_builder().build(&mut Codecs::new()).unwrap();
    let mut codecs = Codecs::new();
    for (codec, java) in JAVA_BATCHES {
        let bytes = unhex(java);
        let (batch, rest) = BatchView::split(&bytes).unwrap();
        assert!(batch.is_intact() && rest.is_empty(), "{codec:?}");
        assert_eq!(batch.header().attributes.codec(), Some(codec));
        let plain = recompress(&batch, Codec::None, None, 1000, &mut codecs).unwrap();
        assert_eq!(plain, expected, "{codec:?}");
    }
}

#[test]
fn the_header_has_its_fields_in_their_places() {
    let bytes = unhex(JAVA_BATCHES[1].1);
    let header = BatchHeader::read(&bytes).unwrap();
    assert_eq!(header.batch_length, 0x6f);
    assert_eq!(header.size_bytes(), bytes.len());
    assert_eq!(header.partition_leader_epoch, -1);
    assert_eq!(header.crc, 0xd792_1a16);
    assert_eq!((header.base_timestamp, header.max_timestamp), (1000, 3000));
    assert_eq!((header.producer_id, header.producer_epoch), (4711, 3));
    assert_eq!((header.base_sequence, header.last_sequence()), (7, 9));
    assert_eq!((header.record_count, header.last_offset_delta), (3, 2));
    assert_eq!((header.last_offset(), header.next_offset()), (2, 3));
    assert!(!header.attributes.is_control() && !header.attributes.is_transactional());
}

#[test]
fn sequences_wrap_to_zero() {
    let bytes = unhex(JAVA_BATCHES[0].1);
    let mut header = BatchHeader::read(&bytes).unwrap();
    header.base_sequence = i32::MAX - 1;
    assert_eq!(header.last_sequence(), 0);
    header.base_sequence = -1;
    assert_eq!(header.last_sequence(), -1);
}

#[test]
fn placement_is_outside_of_the_crc_and_timestamps_are_inside() {
    let mut bytes = unhex(JAVA_BATCHES[2].1);
    let mut batch = BatchMut::new(&mut bytes).unwrap();
    batch.stamp(1 << 40, 17);
    let (view, _) = BatchView::split(&bytes).unwrap();
    assert!(view.is_intact());
    assert_eq!(
        (
            view.header().base_offset,
            view.header().partition_leader_epoch
        ),
        (1 << 40, 17)
    );

    let before = *view.header();
    BatchMut::new(&mut bytes)
        .unwrap()
        .stamp_timestamp(TimestampType::LogAppendTime, 99);
    let (view, _) = BatchView::split(&bytes).unwrap();
    assert!(view.is_intact());
    assert_ne!(view.header().crc, before.crc);
    assert_eq!(view.header().max_timestamp, 99);
    assert_eq!(
        view.header().attributes.timestamp_type(),
        TimestampType::LogAppendTime
    );
    assert_eq!(view.header().attributes.codec(), Some(Codec::Snappy));

    let mut batch = BatchMut::new(&mut bytes).unwrap();
    batch.stamp_timestamp(TimestampType::CreateTime, before.max_timestamp);
    assert_eq!(BatchView::split(&bytes).unwrap().0.header(), &before);
}

#[test]
fn batches_are_found_one_behind_the_other() {
    let one = java_builder()
        .placed(5, 0)
        .build(&mut Codecs::new())
        .unwrap();
    let two = java_builder()
        .placed(8, 0)
        .control()
        .build(&mut Codecs::new())
        .unwrap();
    let mut bytes = [one.clone(), two].concat();
    bytes.extend_from_slice(&one[..one.len() - 1]);

    let mut batches = Batches::new(&bytes);
    assert_eq!(batches.next().unwrap().unwrap().header().base_offset, 5);
    assert!(
        batches
            .next()
            .unwrap()
            .unwrap()
            .header()
            .attributes
            .is_control()
    );
    let cut = BatchError::Incomplete {
        needed: one.len(),
        available: one.len() - 1,
    };
    assert_eq!(batches.next(), Some(Err(cut)));
    assert_eq!(batches.next(), None);
}

#[test]
fn lengths_and_formats_that_cannot_be_are_errors() {
    let good = unhex(JAVA_BATCHES[0].1);
    let mut short = good.clone();
    short[8..12].copy_from_slice(&48_i32.to_be_bytes());
    assert_eq!(BatchView::split(&short), Err(BatchError::Length(48)));
    let mut negative = good.clone();
    negative[8..12].copy_from_slice(&(-1_i32).to_be_bytes());
    assert_eq!(BatchView::split(&negative), Err(BatchError::Length(-1)));
    let mut old = good.clone();
    old[MAGIC_AT] = 1;
    assert_eq!(BatchView::split(&old), Err(BatchError::Magic(1)));
    assert!(matches!(
        BatchView::split(&good[..60]),
        Err(BatchError::Incomplete { .. })
    ));
    assert!(matches!(
        BatchMut::new(&mut [good, vec![0]].concat()),
        Err(BatchError::NotOne)
    ));
}

type OwnedHeader = (Vec<u8>, Option<Vec<u8>>);
type OwnedRecord = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<OwnedHeader>);

fn records() -> impl Strategy<Value = Vec<OwnedRecord>> {
    let headers = prop::collection::vec(any::<OwnedHeader>(), 0..4);
    let record = (
        0..1_i64 << 50,
        any::<Option<Vec<u8>>>(),
        any::<Option<Vec<u8>>>(),
        headers,
    );
    prop::collection::vec(record, 1..20)
}

pub(super) fn build(builder: BatchBuilder, records: &[OwnedRecord]) -> Vec<u8> {
    let mut builder = builder;
    for (timestamp, key, value, headers) in records {
        let headers: Vec<_> = headers
            .iter()
            .map(|(key, value)| RecordHeader {
                key,
                value: value.as_deref(),
            })
            .collect();
        builder.append(*timestamp, key.as_deref(), value.as_deref(), &headers);
    }
    builder.build(&mut Codecs::new()).unwrap()
}

fn read(batch: &BatchView<'_>) -> Vec<OwnedRecord> {
    let base = batch.header().base_timestamp;
    let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    Codecs::new()
        .with_decompressed(batch, 1 << 24, |payload, _| {
            RecordIter::new(batch.header(), payload)
                .map(|record| {
                    let record = record?;
                    let headers = record
                        .headers
                        .iter()
                        .map(|h| (h.key.to_vec(), owned(h.value)))
                        .collect();
                    let timestamp = base + record.timestamp_delta;
                    Ok((timestamp, owned(record.key), owned(record.value), headers))
                })
                .collect()
        })
        .unwrap()
}

proptest! {
    #[test]
    fn batches_round_trip(records in records(), codec in 0_u8..5) {
        let codec = Codec::from_id(codec).unwrap();
        let bytes = build(BatchBuilder::new().codec(codec), &records);
        let (batch, rest) = BatchView::split(&bytes).unwrap();
        prop_assert!(batch.is_intact() && rest.is_empty());
        prop_assert_eq!(read(&batch), records);
    }

    #[test]
    fn recompression_keeps_records_and_producer(
        records in records(),
        from in 0_u8..5,
        to in 0_u8..5,
    ) {
        let (from, to) = (Codec::from_id(from).unwrap(), Codec::from_id(to).unwrap());
        let builder = BatchBuilder::new().codec(from).producer(9, 1, 0).transactional();
        let bytes = build(builder, &records);
        let (batch, _) = BatchView::split(&bytes).unwrap();
        let other = recompress(&batch, to, None, 1 << 24, &mut Codecs::new()).unwrap();
        let (other, rest) = BatchView::split(&other).unwrap();
        prop_assert!(other.is_intact() && rest.is_empty());
        prop_assert_eq!(other.header().attributes, batch.header().attributes.with_codec(to));
        prop_assert_eq!(other.header().producer_id, 9);
        prop_assert_eq!(other.header().max_timestamp, batch.header().max_timestamp);
        prop_assert_eq!(read(&other), records);
    }

    #[test]
    fn noise_never_panics(noise: Vec<u8>, records_count: i32) {
        for batch in Batches::new(&noise) {
            let _ = batch.map(|batch| batch.records().count());
        }
        let header = BatchHeader::read(&unhex(JAVA_BATCHES[0].1)).unwrap();
        let header = BatchHeader { record_count: records_count, ..header };
        // As many results as bytes at most, whatever the header announces.
        prop_assert!(RecordIter::new(&header, &noise).count() <= noise.len() + 1);
    }

    #[test]
    fn a_glance_sees_what_reading_does(
        records in records(),
        plain: bool,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        // Small deltas and no headers, as most records are, or anything.
        let records: Vec<_> = records
            .into_iter()
            .map(|(timestamp, key, value, headers)| {
                if plain { (timestamp % 1000, key, value, Vec::new()) } else { (timestamp, key, value, headers) }
            })
            .collect();
        let bytes = build(BatchBuilder::new(), &records);
        let (batch, _) = BatchView::split(&bytes).unwrap();
        let mut payload = batch.payload().to_vec();
        for (at, byte) in changes {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        let read: Vec<_> = RecordIter::new(batch.header(), &payload)
            .map(|record| record.map(Glance::from))
            .collect();
        let mut iter = RecordIter::new(batch.header(), &payload);
        let glanced: Vec<_> = std::iter::from_fn(|| iter.glance()).collect();
        prop_assert_eq!(glanced, read);
    }
}
