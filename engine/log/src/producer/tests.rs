use proptest::collection::{btree_map, vec, vec_deque};
use proptest::prelude::*;

use super::*;
use crate::arbitrary::damage;

fn batch() -> impl Strategy<Value = WrittenBatch> {
    // Offsets end below the largest number: the one behind them is an offset too.
    let fields = (any::<i32>(), any::<i32>(), any::<i64>(), 0..i64::MAX);
    fields.prop_map(
        |(base_sequence, last_sequence, base_offset, last_offset)| WrittenBatch {
            base_sequence,
            last_sequence,
            base_offset,
            last_offset,
        },
    )
}

fn state() -> impl Strategy<Value = ProducerState> {
    let batches = vec_deque(batch(), 1..=BATCHES_REMEMBERED);
    let first = proptest::option::of(0..=i64::MAX);
    (any::<i16>(), batches, any::<i64>(), first).prop_map(
        |(epoch, batches, last_append_ms, transaction_first_offset)| ProducerState {
            epoch,
            batches,
            last_append_ms,
            transaction_first_offset,
        },
    )
}

pub(crate) fn states() -> impl Strategy<Value = ProducerStates> {
    btree_map(any::<i64>(), state(), 0..6).prop_map(|producers| ProducerStates { producers })
}

fn encoded(states: &ProducerStates) -> Vec<u8> {
    let mut fields = Fields::default();
    states.encode(i64::MAX, &mut fields);
    fields.0
}

fn stamp(epoch: i16, sequence: i32) -> ProducerStamp {
    ProducerStamp {
        producer_id: 7,
        producer_epoch: epoch,
        base_sequence: sequence,
    }
}

fn written(count: i32) -> ProducerStates {
    let mut states = ProducerStates::default();
    for batch in 0..count {
        let offset = i64::from(batch) * 10;
        states.record(stamp(0, batch * 10), offset, offset + 9, 1);
    }
    states
}

#[test]
fn an_unknown_producer_may_start_anywhere() {
    assert_eq!(written(0).check(stamp(3, 99), 1), Ok(SequenceCheck::New));
}

#[test]
fn the_last_five_batches_are_recognised_and_older_ones_are_out_of_order() {
    let states = written(6);
    for batch in 1..6 {
        let offset = i64::from(batch) * 10;
        let original = SequenceCheck::Duplicate {
            base_offset: offset,
            last_offset: offset + 9,
        };
        assert_eq!(states.check(stamp(0, batch * 10), 10), Ok(original));
    }
    assert!(states.check(stamp(0, 0), 10).is_err());
    assert!(
        states.check(stamp(0, 50), 9).is_err(),
        "another length is not a retry"
    );
    assert_eq!(states.check(stamp(0, 60), 1), Ok(SequenceCheck::New));
    assert!(states.check(stamp(0, 61), 1).is_err());
}

#[test]
fn epochs_only_rise_and_begin_at_zero() {
    let mut states = written(1);
    assert!(states.check(stamp(1, 10), 1).is_err());
    assert_eq!(states.check(stamp(1, 0), 1), Ok(SequenceCheck::New));
    states.record(stamp(1, 0), 10, 10, 2);
    assert!(matches!(
        states.check(stamp(0, 10), 1),
        Err(ProducerError::InvalidEpoch { current: 1, .. })
    ));
}

#[test]
fn sequences_wrap_to_zero() {
    let mut states = ProducerStates::default();
    states.record(stamp(0, i32::MAX - 1), 0, 2, 1);
    assert_eq!(states.check(stamp(0, 1), 1), Ok(SequenceCheck::New));
    assert_eq!(sequence_after(i32::MAX, 1), 0);
}

#[test]
fn only_durable_batches_are_written_down() {
    let states = written(3);
    let mut fields = Fields::default();
    states.encode(20, &mut fields);
    let read = ProducerStates::decode(&mut Take(&fields.0)).unwrap();
    assert_eq!(read, written(2));
    let nothing_durable = {
        let mut fields = Fields::default();
        states.encode(5, &mut fields);
        ProducerStates::decode(&mut Take(&fields.0)).unwrap()
    };
    assert!(nothing_durable.is_empty());
}

#[test]
fn silent_producers_expire() {
    let mut states = written(1);
    states.expire(1);
    assert_eq!(states.len(), 1);
    states.expire(2);
    assert!(states.is_empty());
}

#[test]
fn producers_are_told_with_their_last_sequence() {
    let mut states = ProducerStates::default();
    let stamp = ProducerStamp {
        producer_id: 7,
        producer_epoch: 2,
        base_sequence: 10,
    };
    states.record(stamp, 100, 104, 55);
    let told: Vec<_> = states.active().collect();
    let expected = ActiveProducer {
        producer_id: 7,
        producer_epoch: 2,
        last_sequence: 14,
        last_append_ms: 55,
        transaction_first_offset: None,
    };
    assert_eq!(told, [expected]);
}

#[test]
fn no_producer_has_more_batches_than_are_remembered() {
    let mut states = ProducerStates::default();
    let stamp = ProducerStamp {
        producer_id: 7,
        producer_epoch: 0,
        base_sequence: 0,
    };
    states.record(stamp, 0, 0, 1);
    let mut bytes = encoded(&states);
    let batch = bytes[bytes.len() - 24..].to_vec();
    let count_at = bytes.len() - 25;
    for count in 2..=6 {
        bytes[count_at] = count;
        bytes.extend(&batch);
        let read = ProducerStates::decode(&mut Take(&bytes));
        // One more would never leave again: what is full makes room for one.
        assert_eq!(read.is_some(), count <= 5, "{count} batches");
    }
}

proptest! {
    #[test]
    fn producers_read_back(states in states(), behind: Vec<u8>) {
        let mut bytes = encoded(&states);
        bytes.extend(&behind);
        let mut from = Take(&bytes);
        prop_assert_eq!(ProducerStates::decode(&mut from), Some(states));
        prop_assert_eq!(from.0, &behind[..]);
    }

    #[test]
    fn damaged_producers_stay_within_bounds(states in states(), damage in damage()) {
        let bytes = encoded(&states);
        let bytes = damage.of(&bytes, bytes.len());
        if let Some(read) = ProducerStates::decode(&mut Take(&bytes)) {
            prop_assert!(read.producers.len() <= bytes.len() / 27);
            prop_assert!(read.producers.values().all(|state| state.batches.len() <= 5));
        }
    }

    #[test]
    fn no_bytes_panic(count in 0..4_u32, bytes in vec(prop_oneof![Just(0), any::<u8>()], 0..400)) {
        let _ = ProducerStates::decode(&mut Take(&bytes));
        let counted = [&count.to_le_bytes()[..], &bytes].concat();
        if let Some(mut read) = ProducerStates::decode(&mut Take(&counted)) {
            prop_assert!(read.len() <= count as usize);
            // What is read can be worked with.
            read.truncate(i64::MAX);
            let _ = encoded(&read);
        }
    }
}
