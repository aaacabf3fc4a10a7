use super::tests::{JAVA_BATCHES, unhex};
use super::*;
use crate::error_code::ErrorCode;
use proptest::prelude::*;

const NOW: i64 = 1_000_000;
const HOUR: i64 = 3_600_000;

fn check_with(bytes: &[u8], limits: &Limits) -> Result<CheckedBatch, BatchError> {
    check_batch(bytes, 11, limits, NOW, &mut Codecs::new())
}

fn check(bytes: &[u8]) -> Result<CheckedBatch, BatchError> {
    check_with(bytes, &Limits::default())
}

/// A batch with three records at these times.
fn batch_of(builder: BatchBuilder, timestamps: [i64; 3]) -> Vec<u8> {
    let mut builder = builder;
    for timestamp in timestamps {
        builder.append(timestamp, Some(b"k"), Some(b"v"), &[]);
    }
    builder.build(&mut Codecs::new()).unwrap()
}

fn batch() -> Vec<u8> {
    batch_of(BatchBuilder::new(), [NOW, NOW + 2, NOW + 1])
}

/// Overwrites bytes and makes the CRC right again, as a client with a defect would.
fn forge(mut bytes: Vec<u8>, at: usize, field: &[u8]) -> Vec<u8> {
    bytes[at..at + field.len()].copy_from_slice(field);
    BatchMut::new(&mut bytes).unwrap().stamp_crc();
    bytes
}

#[test]
fn batches_of_kafkas_client_pass_with_every_codec() {
    for (codec, java) in JAVA_BATCHES {
        let checked = check(&unhex(java)).unwrap();
        assert_eq!(checked.codec, codec);
        assert_eq!(
            (checked.max_timestamp, checked.max_timestamp_offset_delta),
            (3000, 1)
        );
        assert!(!checked.needs_timestamp_stamp);
    }
}

#[test]
fn exactly_one_batch_is_needed() {
    assert_eq!(check(&[]), Err(BatchError::Empty));
    let two = [batch(), batch()].concat();
    assert_eq!(check(&two), Err(BatchError::NotOne));
    assert_eq!(BatchError::NotOne.code(), ErrorCode::INVALID_RECORD);
    let good = batch();
    let got = check(&good[..good.len() - 1]).unwrap_err();
    assert!(matches!(got, BatchError::Incomplete { .. }));
}

#[test]
fn a_flipped_bit_behind_the_crc_is_corruption() {
    let good = batch();
    for at in CRC_AT..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 0x40;
        let got = check(&bytes).unwrap_err();
        // A bit of the codec is looked at before the CRC.
        let early = at == ATTRIBUTES_AT + 1 || at == ATTRIBUTES_AT;
        assert!(
            matches!(got, BatchError::Crc { .. }) || early,
            "{at}: {got:?}"
        );
        assert!(early || got.code() == ErrorCode::CORRUPT_MESSAGE);
    }
}

#[test]
fn size_is_bounded_before_the_crc_is_computed() {
    let mut bytes = batch();
    bytes[CRC_AT] ^= 1;
    let limits = Limits {
        message_bytes_max: bytes.len() - 1,
        ..Limits::default()
    };
    let got = check_with(&bytes, &limits).unwrap_err();
    assert_eq!(
        got,
        BatchError::TooLarge {
            size: bytes.len(),
            max: bytes.len() - 1
        }
    );
    assert_eq!(got.code(), ErrorCode::MESSAGE_TOO_LARGE);
}

#[test]
fn counts_that_lie_are_refused() {
    const LAST_OFFSET_DELTA_AT: usize = 23;
    const COUNT_AT: usize = 57;
    // Consistent with each other, but not with the records.
    for count in [1_i32, 2, 4, i32::MAX] {
        let bytes = forge(batch(), LAST_OFFSET_DELTA_AT, &(count - 1).to_be_bytes());
        let bytes = forge(bytes, COUNT_AT, &count.to_be_bytes());
        let got = check(&bytes).unwrap_err();
        assert_eq!(got.code(), ErrorCode::INVALID_RECORD, "{count}: {got}");
    }
    for (delta, count) in [(2, 0), (2, -1), (5, 3), (-1, 0)] {
        let bytes = forge(batch(), LAST_OFFSET_DELTA_AT, &i32::to_be_bytes(delta));
        let bytes = forge(bytes, COUNT_AT, &i32::to_be_bytes(count));
        let want = BatchError::Count {
            record_count: count,
            last_offset_delta: delta,
        };
        assert_eq!(check(&bytes), Err(want));
    }
}

#[test]
fn counts_in_compressed_batches_are_checked_too() {
    for codec in Codec::ALL {
        let bytes = batch_of(BatchBuilder::new().codec(codec), [NOW; 3]);
        let bytes = forge(bytes, 23, &3_i32.to_be_bytes());
        let bytes = forge(bytes, 57, &4_i32.to_be_bytes());
        let got = check(&bytes).unwrap_err();
        assert!(
            matches!(got, BatchError::Record { index: 3, .. }),
            "{codec:?}: {got}"
        );
    }
}

#[test]
fn offset_deltas_are_dense() {
    let bytes = batch();
    // The second record: its length, attributes, one byte of timestamp delta, then its offset.
    let first_len = usize::from(bytes[HEADER_BYTES] >> 1) + 1;
    let at = HEADER_BYTES + first_len + 3;
    assert_eq!(bytes[at], 2);
    let got = check(&forge(bytes, at, &[4]));
    assert_eq!(got, Err(BatchError::OffsetDelta { index: 1, found: 2 }));
}

#[test]
fn producers_may_not_do_what_brokers_do() {
    let control = batch_of(BatchBuilder::new().control(), [NOW; 3]);
    assert_eq!(check(&control), Err(BatchError::Control));
    let horizon = forge(batch(), ATTRIBUTES_AT, &DELETE_HORIZON_BIT.to_be_bytes());
    assert_eq!(check(&horizon), Err(BatchError::DeleteHorizon));
    let placed = batch_of(BatchBuilder::new().placed(1, 0), [NOW; 3]);
    assert_eq!(check(&placed), Err(BatchError::BaseOffset(1)));
    let stamped = BatchBuilder::new().timestamp_type(TimestampType::LogAppendTime);
    let got = check(&batch_of(stamped, [NOW; 3])).unwrap_err();
    assert_eq!(got.code(), ErrorCode::INVALID_TIMESTAMP);
}

#[test]
fn transactional_batches_pass_and_say_so() {
    let bytes = batch_of(
        BatchBuilder::new().transactional().producer(1, 0, 0),
        [NOW; 3],
    );
    assert!(check(&bytes).unwrap().header.attributes.is_transactional());
}

#[test]
fn an_idempotent_producer_needs_epoch_and_sequence() {
    for (epoch, sequence) in [(-1, 0), (0, -1)] {
        let bytes = batch_of(BatchBuilder::new().producer(5, epoch, sequence), [NOW; 3]);
        let want = BatchError::Sequence {
            producer_id: 5,
            epoch,
            sequence,
        };
        assert_eq!(check(&bytes), Err(want));
    }
}

#[test]
fn zstd_needs_produce_7_and_codecs_must_exist() {
    let bytes = batch_of(BatchBuilder::new().codec(Codec::Zstd), [NOW; 3]);
    let check = |version| check_batch(&bytes, version, &Limits::default(), NOW, &mut Codecs::new());
    let got = check(6).unwrap_err();
    assert_eq!((&got, got.code().code()), (&BatchError::ZstdTooEarly, 76));
    assert!(check(7).is_ok());

    let unknown = forge(batch(), ATTRIBUTES_AT, &5_i16.to_be_bytes());
    let got = check_batch(&unknown, 11, &Limits::default(), NOW, &mut Codecs::new());
    assert_eq!(got, Err(BatchError::UnknownCodec(5)));
}

#[test]
fn compacted_topics_name_every_record_without_key() {
    let limits = Limits {
        compacted: true,
        ..Limits::default()
    };
    let mut builder = BatchBuilder::new().codec(Codec::Lz4);
    for key in [None, Some(&b""[..]), Some(b"k"), None] {
        builder.append(NOW, key, None, &[]);
    }
    let bytes = builder.build(&mut Codecs::new()).unwrap();
    let got = check_with(&bytes, &limits).unwrap_err();
    assert_eq!(got.code(), ErrorCode::INVALID_RECORD);
    let faults: Vec<_> = got
        .record_faults()
        .iter()
        .map(|f| (f.index, f.kind))
        .collect();
    // An empty key is a key.
    assert_eq!(
        faults,
        [(0, RecordFaultKind::NoKey), (3, RecordFaultKind::NoKey)]
    );
    assert!(check(&bytes).is_ok());
}

#[test]
fn the_faults_named_are_bounded() {
    let limits = Limits {
        compacted: true,
        ..Limits::default()
    };
    let mut builder = BatchBuilder::new();
    for _ in 0..RECORD_ERRORS_MAX + 5 {
        builder.append(NOW, None, None, &[]);
    }
    let bytes = builder.build(&mut Codecs::new()).unwrap();
    let got = check_with(&bytes, &limits).unwrap_err();
    assert_eq!(got.record_faults().len(), RECORD_ERRORS_MAX);
}

#[test]
fn create_time_is_bounded_on_both_sides() {
    let limits = Limits {
        timestamp_before_max_ms: 100,
        ..Limits::default()
    };
    let ok = batch_of(BatchBuilder::new(), [NOW - 100, -1, NOW + HOUR]);
    assert!(check_with(&ok, &limits).is_ok());
    for timestamp in [NOW - 101, NOW + HOUR + 1, i64::MIN + NOW, 0] {
        let bytes = batch_of(BatchBuilder::new(), [NOW, timestamp, NOW]);
        let got = check_with(&bytes, &limits).unwrap_err();
        assert_eq!(got.code(), ErrorCode::INVALID_TIMESTAMP, "{timestamp}");
        let (min, max) = (NOW - 100, NOW + HOUR);
        let kind = RecordFaultKind::Timestamp {
            timestamp,
            min,
            max,
        };
        assert_eq!(got.record_faults(), [RecordFault { index: 1, kind }]);
    }
    // By default any age is allowed.
    assert!(check(&batch_of(BatchBuilder::new(), [0, 1, 2])).is_ok());
}

#[test]
fn a_lying_max_timestamp_is_found_and_can_be_stamped() {
    for codec in Codec::ALL {
        let good = batch_of(BatchBuilder::new().codec(codec), [NOW, NOW + 2, NOW + 1]);
        let lying = forge(good.clone(), MAX_TIMESTAMP_AT, &i64::MAX.to_be_bytes());
        let checked = check(&lying).unwrap();
        assert!(checked.needs_timestamp_stamp);
        assert_eq!(
            (checked.max_timestamp, checked.max_timestamp_offset_delta),
            (NOW + 2, 1)
        );
        let mut bytes = lying;
        let mut stamped = BatchMut::new(&mut bytes).unwrap();
        stamped.stamp_timestamp(TimestampType::CreateTime, checked.max_timestamp);
        assert_eq!(bytes, good, "{codec:?}");
    }
}

#[test]
fn of_equal_timestamps_the_first_record_is_the_largest() {
    let checked = check(&batch_of(BatchBuilder::new(), [NOW, NOW + 2, NOW + 2])).unwrap();
    assert_eq!(checked.max_timestamp_offset_delta, 1);
    // Nobody set a timestamp: -1 is that of the first record.
    let checked = check(&batch_of(BatchBuilder::new(), [-1; 3])).unwrap();
    assert_eq!(
        (checked.max_timestamp, checked.max_timestamp_offset_delta),
        (-1, 0)
    );
    assert!(!checked.needs_timestamp_stamp);
}

#[test]
fn log_append_time_takes_any_timestamp_and_stamps_now() {
    let limits = Limits {
        timestamp_type: TimestampType::LogAppendTime,
        ..Limits::default()
    };
    let bytes = batch_of(BatchBuilder::new(), [NOW + 2 * HOUR, 5, 6]);
    let checked = check_with(&bytes, &limits).unwrap();
    assert!(checked.needs_timestamp_stamp);
    assert_eq!(
        (checked.max_timestamp, checked.max_timestamp_offset_delta),
        (NOW, 0)
    );
}

#[test]
fn decompressed_size_is_bounded() {
    let limits = Limits {
        decompressed_bytes_max: 10_000,
        ..Limits::default()
    };
    for codec in Codec::ALL {
        let mut builder = BatchBuilder::new().codec(codec);
        builder.append(NOW, None, Some(&vec![0; 20_000]), &[]);
        let bytes = builder.build(&mut Codecs::new()).unwrap();
        let got = check_with(&bytes, &limits);
        if codec == Codec::None {
            assert!(got.is_ok());
        } else {
            let got = got.unwrap_err();
            assert_eq!(
                got,
                BatchError::DecompressedTooLarge { max: 10_000 },
                "{codec:?}"
            );
            assert_eq!(got.code(), ErrorCode::MESSAGE_TOO_LARGE);
        }
    }
}

#[test]
fn a_payload_that_is_not_of_its_codec_is_an_invalid_record() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let bytes = forge(batch(), ATTRIBUTES_AT, &i16::from(codec.id()).to_be_bytes());
        let got = check(&bytes).unwrap_err();
        assert_eq!(got.code(), ErrorCode::INVALID_RECORD, "{codec:?}: {got}");
    }
}

#[test]
fn records_must_fill_their_length_and_the_batch() {
    // One byte more in the first record than its fields take.
    let bytes = batch();
    let longer = bytes[HEADER_BYTES] + 2;
    let got = check(&forge(bytes, HEADER_BYTES, &[longer])).unwrap_err();
    assert!(
        matches!(got, BatchError::RecordLength { index: 0, .. }),
        "{got}"
    );
    // One byte behind the last record.
    let mut bytes = batch();
    bytes.push(0);
    let length = (bytes.len() - LENGTH_OVERHEAD) as i32;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    let bytes = forge(bytes, 8, &length.to_be_bytes());
    assert_eq!(check(&bytes), Err(BatchError::TrailingBytes(1)));
}

proptest! {
    /// Bytes changed anywhere behind the lengths, under a right CRC: refused or accepted, and what
    /// is accepted reads back in full.
    #[test]
    fn damage_under_a_right_crc_never_panics(
        damage in prop::collection::vec((ATTRIBUTES_AT..200, any::<u8>()), 1..4),
        codec in 0_usize..5,
    ) {
        let mut bytes = unhex(JAVA_BATCHES[codec].1);
        for (at, byte) in damage {
            let at = at % bytes.len();
            if at >= ATTRIBUTES_AT {
                bytes[at] = byte;
            }
        }
        BatchMut::new(&mut bytes).unwrap().stamp_crc();
        if let Ok(checked) = check(&bytes) {
            let (batch, _) = BatchView::split(&bytes).unwrap();
            let count = Codecs::new().with_decompressed(&batch, 1 << 20, |records, _| {
                Ok(RecordIter::new(batch.header(), records).filter_map(Result::ok).count())
            });
            prop_assert_eq!(count, Ok(checked.header.record_count as usize));
        }
    }

    #[test]
    fn noise_is_never_a_batch(noise: Vec<u8>) {
        prop_assert!(check(&noise).is_err());
    }
}
