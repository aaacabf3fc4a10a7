//! The rules of what stays, against a plain model of them.

use std::collections::{BTreeMap, BTreeSet};

use net_wire::batch::{BatchBuilder, BatchHeader, BatchMut, BatchView, RecordIter};
use net_wire::codec::{Codec, Codecs};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Filter, KeyMap, Left};

const RETENTION_MS: i64 = 1_000;

/// A record: offset, key, value, timestamp.
type Seen = (i64, Option<Vec<u8>>, Option<Vec<u8>>, i64);

/// One batch: codec, producer and records of key, whether they have a value, and time.
type Given = (u8, Option<i64>, Vec<(u8, bool, i64)>);

fn given() -> impl Strategy<Value = Vec<Given>> {
    let record = (0..12_u8, prop::bool::weighted(0.7), 0..500_i64);
    let batch = (0..5_u8, prop::option::of(0..3_i64), vec(record, 1..8));
    vec(batch, 1..25)
}

/// Batches from offset 0 on. Key 11 is none.
fn build(given: &[Given]) -> Vec<Vec<u8>> {
    let mut offset = 0;
    let mut batches = Vec::new();
    for (codec, producer, records) in given {
        let mut builder = BatchBuilder::new()
            .codec(Codec::from_id(*codec).unwrap())
            .placed(offset, 0);
        if let Some(id) = producer {
            builder = builder.producer(*id, 0, offset as i32);
        }
        for (number, (key, has_value, timestamp)) in (offset..).zip(records) {
            let (key, value) = ([*key], number.to_be_bytes());
            let key = (key[0] != 11).then_some(&key[..]);
            let value = has_value.then_some(&value[..]);
            builder.append(*timestamp, key, value, &[]);
        }
        offset += records.len() as i64;
        batches.push(builder.build(&mut Codecs::new()).unwrap());
    }
    batches
}

fn header(bytes: &[u8]) -> BatchHeader {
    *BatchView::split(bytes).unwrap().0.header()
}

fn records(bytes: &[u8]) -> Vec<Seen> {
    let (batch, _) = BatchView::split(bytes).unwrap();
    assert!(batch.is_intact());
    let header = *batch.header();
    let read = Codecs::new().with_decompressed(&batch, 1 << 20, |records, _| {
        let seen = RecordIter::new(&header, records).map(|record| {
            let record = record?;
            Ok((
                header.offset_of(&record),
                record.key.map(<[u8]>::to_vec),
                record.value.map(<[u8]>::to_vec),
                header.base_timestamp + record.timestamp_delta,
            ))
        });
        seen.collect()
    });
    read.unwrap()
}

/// One pass over all batches, as one segment; what is left, and how far keys were known.
fn clean(
    batches: &[Vec<u8>],
    (dirty_from, room, now_ms): (i64, u64, i64),
    last_batches: &BTreeSet<(i64, i64)>,
) -> (Vec<Vec<u8>>, i64) {
    let end = batches.last().map_or(0, |last| header(last).next_offset());
    let mut filter = Filter {
        dirty_from,
        known_to: end,
        now_ms,
        delete_retention_ms: RETENTION_MS,
        last_batches: last_batches.clone(),
        has_opaque: false,
    };
    let (mut keys, mut codecs) = (KeyMap::new(0, room, [3, 4]), Codecs::new());
    for bytes in batches {
        let (batch, _) = BatchView::split(bytes).unwrap();
        if let Some(known_to) = filter.learn(&mut keys, &batch, &mut codecs) {
            filter.known_to = known_to;
            break;
        }
    }
    let mut left = Vec::new();
    for bytes in batches {
        let (batch, _) = BatchView::split(bytes).unwrap();
        let is_last = header(bytes).next_offset() == end;
        let (judged, newest) = filter.judge(&keys, &batch, is_last, &mut codecs);
        let bytes = match judged {
            Left::Whole => bytes.clone(),
            Left::Part(part) => part,
            Left::Nothing => continue,
        };
        let newer = records(&bytes)
            .into_iter()
            .fold((-1, -1), |newest, record| {
                if record.3 > newest.0 {
                    (record.3, record.0)
                } else {
                    newest
                }
            });
        assert_eq!(newest, newer, "the largest timestamp of what is left");
        left.push(bytes);
    }
    (left, filter.known_to)
}

fn all_records(batches: &[Vec<u8>]) -> Vec<Seen> {
    batches.iter().flat_map(|bytes| records(bytes)).collect()
}

fn last_batches(batches: &[Vec<u8>]) -> BTreeSet<(i64, i64)> {
    let mut last = BTreeMap::new();
    for header in batches.iter().map(|bytes| header(bytes)) {
        if header.has_producer_id() {
            last.insert(header.producer_id, header.last_offset());
        }
    }
    last.into_iter().collect()
}

/// What a reader that keeps the newest value of each key ends with.
fn table(records: &[Seen]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut table = BTreeMap::new();
    for (_, key, value, _) in records {
        let Some(key) = key else { continue };
        match value {
            Some(value) => table.insert(key.clone(), value.clone()),
            None => table.remove(key),
        };
    }
    table
}

proptest! {
    /// After one pass with room for all keys: the last record of each key and nothing else, every
    /// byte of it; the batches that must stay.
    #[test]
    fn the_last_record_of_each_key_stays(given in given()) {
        let batches = build(&given);
        let all = all_records(&batches);
        let producers = last_batches(&batches);
        let (left, known_to) = clean(&batches, (0, 1 << 20, 5_000), &producers);
        prop_assert_eq!(known_to, all.len() as i64);
        let mut last = BTreeMap::new();
        for record in all.iter().filter(|record| record.1.is_some()) {
            last.insert(record.1.clone(), record.clone());
        }
        let expected: BTreeSet<Seen> = last.into_values().collect();
        let found: BTreeSet<Seen> = all_records(&left).into_iter().collect();
        prop_assert_eq!(found, expected);
        let headers: Vec<_> = left.iter().map(|bytes| header(bytes)).collect();
        prop_assert!(headers.is_sorted_by(|a, b| a.next_offset() <= b.base_offset));
        prop_assert_eq!(headers.last().map(BatchHeader::next_offset), Some(known_to));
        for (id, offset) in &producers {
            let sequence = |header: &BatchHeader| {
                (header.producer_id, header.last_offset(), header.last_sequence())
            };
            let before = batches.iter().map(|bytes| header(bytes)).find(|h| h.last_offset() == *offset);
            let after = headers.iter().find(|h| h.last_offset() == *offset);
            prop_assert_eq!(after.map(sequence), before.as_ref().map(sequence), "producer {}", id);
        }
        // What has no record stays for its producer or for the end.
        for header in headers.iter().filter(|header| header.record_count == 0) {
            let of_producer = producers.contains(&(header.producer_id, header.last_offset()));
            prop_assert!(of_producer || header.next_offset() == known_to);
        }
    }

    /// Tombstones get a horizon at the first pass and go at the first one behind it, and no reader
    /// ends with another value for it.
    #[test]
    fn tombstones_stay_until_their_horizon(given in given()) {
        let batches = build(&given);
        let end = all_records(&batches).len() as i64;
        let producers = BTreeSet::new();
        let (first, _) = clean(&batches, (0, 1 << 20, 5_000), &producers);
        let tombstones = |batches: &[Vec<u8>]| {
            all_records(batches).iter().filter(|record| record.2.is_none()).count()
        };
        for bytes in &first {
            let has_some = records(bytes).iter().any(|record| record.2.is_none());
            let horizon = has_some.then_some(5_000 + RETENTION_MS);
            prop_assert_eq!(header(bytes).delete_horizon_ms(), horizon);
        }
        let (early, _) = clean(&first, (end, 1 << 20, 4_999 + RETENTION_MS), &producers);
        prop_assert_eq!(&early, &first);
        let (late, _) = clean(&first, (end, 1 << 20, 5_000 + RETENTION_MS), &producers);
        prop_assert_eq!(tombstones(&late), 0);
        let all = table(&all_records(&batches));
        for left in [&first, &early, &late] {
            prop_assert_eq!(table(&all_records(left)), all.clone());
        }
    }

    /// With room for a few keys it takes more passes, each of which goes on where the last one ended,
    /// and the end is the same.
    #[test]
    fn several_passes_do_what_one_does(given in given(), room in 1..6_u64) {
        let batches = build(&given);
        let end = all_records(&batches).len() as i64;
        let producers = last_batches(&batches);
        let (once, _) = clean(&batches, (0, 1 << 20, 0), &producers);
        let (mut left, mut from, mut passes) = (batches, 0, 0);
        while from < end {
            let (cleaned, known_to) = clean(&left, (from, room, 0), &producers);
            prop_assert!(known_to > from, "a pass gets on");
            (left, from) = (cleaned, known_to);
            passes += 1;
        }
        prop_assert!(passes >= 1);
        let sorted = |batches: &[Vec<u8>]| all_records(batches).into_iter().collect::<BTreeSet<_>>();
        prop_assert_eq!(sorted(&left), sorted(&once));
    }
}

/// Batches whose records nobody has looked at stay, and tombstones behind them: they may be all that
/// hides an older value.
#[test]
fn what_cannot_be_read_stays_and_keeps_tombstones() {
    let mut opaque = BatchBuilder::new().placed(0, 0);
    opaque.append(1, Some(b"k"), Some(b"old"), &[]);
    let mut opaque = opaque.build(&mut Codecs::new()).unwrap();
    // A length that leads behind the end of the batch.
    opaque[61] = 0x7e;
    BatchMut::new(&mut opaque).unwrap().stamp_crc();
    let mut gone = BatchBuilder::new().placed(1, 0);
    gone.append(2, Some(b"k"), None, &[]);
    let gone = gone.build(&mut Codecs::new()).unwrap();
    let mut transaction = BatchBuilder::new()
        .transactional()
        .producer(5, 0, 0)
        .placed(2, 0);
    transaction.append(3, Some(b"k"), Some(b"new"), &[]);
    let transaction = transaction.build(&mut Codecs::new()).unwrap();

    let judge = |batches: &[&Vec<u8>], now_ms: i64| -> Vec<Vec<u8>> {
        let mut filter = Filter {
            dirty_from: 0,
            known_to: 3,
            now_ms,
            delete_retention_ms: 0,
            last_batches: BTreeSet::new(),
            has_opaque: false,
        };
        let (mut keys, mut codecs) = (KeyMap::new(0, 9, [0; 2]), Codecs::new());
        for bytes in batches {
            let (batch, _) = BatchView::split(bytes).unwrap();
            assert_eq!(filter.learn(&mut keys, &batch, &mut codecs), None);
        }
        let left = batches.iter().filter_map(|bytes| {
            let (batch, _) = BatchView::split(bytes).unwrap();
            match filter.judge(&keys, &batch, false, &mut codecs).0 {
                Left::Whole => Some((*bytes).clone()),
                Left::Part(part) => Some(part),
                Left::Nothing => None,
            }
        });
        left.collect()
    };
    let first = judge(&[&opaque, &gone, &transaction], 10);
    assert_eq!((&first[0], &first[2]), (&opaque, &transaction));
    assert_eq!(header(&first[1]).delete_horizon_ms(), Some(10));
    let again: Vec<_> = first.iter().collect();
    assert_eq!(judge(&again, 1_000), first);
    assert_eq!(judge(&again[1..], 1_000), [transaction]);
}
