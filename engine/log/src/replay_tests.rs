//! Entries of the journal that do not fit together.

use std::path::Path;

use engine_rt::{Buf, sim};
use net_wire::Uuid;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::arbitrary::batch;
use crate::entry::{CleanedSegment, Entry, Extent, SegmentPos};
use crate::segment::layout::{BLOCK, SegmentName};
use crate::{LogConfig, PartitionLog, ReadPath, Recovering, SegmentFiles, TopicPartition, stamp};

const ID: TopicPartition = TopicPartition {
    topic_id: Uuid::from_bytes([9; 16]),
    partition: 0,
};

fn replayed() -> impl Strategy<Value = Entry> {
    let number = prop_oneof![0..4_u64, Just(4096), any::<u64>()];
    let place = (prop_oneof![0..6_i64, any::<i64>()], number.clone());
    let place = place.prop_map(|(segment_base, pos)| SegmentPos { segment_base, pos });
    let offset = prop_oneof![4 => -1..8_i64, 1 => any::<i64>()];
    let change =
        (offset.clone(), any::<i32>(), 0..3_u8).prop_map(|(offset, epoch, kind)| match kind {
            0 => Entry::LogStart(offset),
            1 => Entry::Truncate(offset),
            _ => Entry::EpochStart { epoch, offset },
        });
    let extent = (0..4_u64, number, any::<u32>(), vec(any::<u8>(), 0..6)).prop_map(
        |(file_pos, file_bytes, batch_bytes, remainder)| {
            let extent = Extent {
                file_pos: file_pos * BLOCK,
                file_bytes: file_bytes - file_bytes % BLOCK,
                crc: 0,
            };
            (extent, batch_bytes, remainder)
        },
    );
    let batch = (place, offset, any::<u32>(), proptest::option::of(extent)).prop_map(
        |(at, base_offset, max_timestamp_delta, extent)| {
            let mut bytes = batch(10);
            stamp(&mut bytes, base_offset, 0);
            let Some((extent, batch_bytes, remainder)) = extent else {
                let bytes = Buf::copy_from_slice(&bytes);
                return Entry::Batch {
                    at,
                    max_timestamp_delta,
                    bytes,
                };
            };
            Entry::Extent {
                at,
                batch_bytes,
                max_timestamp_delta,
                extent,
                header: Buf::copy_from_slice(&bytes[..61]),
                remainder: Buf::copy_from_slice(&remainder),
            }
        },
    );
    let numbers = (0..4_i64, 1..3_u32, 0..8_i64, 0..9_u64, -1..8_i64);
    let cleaned = numbers.prop_map(|(base_offset, cleaning, next_offset, bytes, clean_to)| {
        let name = SegmentName {
            base_offset,
            cleaning,
        };
        Entry::Cleaned(cleaned(name, next_offset, bytes, clean_to))
    });
    prop_oneof![1 => change, 1 => cleaned, 4 => batch]
}

fn cleaned(name: SegmentName, next_offset: i64, bytes: u64, clean_to: i64) -> CleanedSegment {
    CleanedSegment {
        name,
        next_offset,
        bytes,
        clean_to,
        max_timestamp: 5,
        max_timestamp_offset: name.base_offset,
        created_ms: 0,
    }
}

/// Folds entries as a start does, the first `flushed` of them certified.
fn fold(entries: Vec<Entry>, flushed: u64) -> Option<Vec<u8>> {
    sim::run(1, move || async move {
        let files = SegmentFiles::new(Path::new("topics"), 3, 8, 2, ReadPath::Direct);
        let file = files
            .create(ID, SegmentName::appended(0))
            .await
            .expect("the disk works");
        file.allocate(0, 3 * BLOCK).await.expect("there is room");
        let mut recovering = Recovering::empty(ID, LogConfig::default());
        for (frame, entry) in entries.into_iter().enumerate() {
            recovering.add(frame as u64 + 1, entry);
        }
        let found = recovering.finish(&files, flushed, 0).await;
        found.ok().map(|found| found.log.encode_state())
    })
}

/// A batch of two records at this place.
fn batch_at(segment_base: i64, pos: u64, base_offset: i64) -> Entry {
    let mut bytes = batch(10);
    stamp(&mut bytes, base_offset, 0);
    Entry::Batch {
        at: SegmentPos { segment_base, pos },
        max_timestamp_delta: 0,
        bytes: Buf::copy_from_slice(&bytes),
    }
}

fn extent_at(pos: u64, base_offset: i64, batch_bytes: u32, remainder: usize) -> Entry {
    let mut bytes = batch(10);
    stamp(&mut bytes, base_offset, 0);
    Entry::Extent {
        at: SegmentPos {
            segment_base: 0,
            pos,
        },
        batch_bytes,
        max_timestamp_delta: 0,
        extent: Extent {
            file_pos: BLOCK,
            file_bytes: u64::MAX - BLOCK + 1,
            crc: 0,
        },
        header: Buf::copy_from_slice(&bytes[..61]),
        remainder: Buf::copy_from_slice(&vec![0; remainder]),
    }
}

#[test]
fn an_extent_larger_than_its_file_is_not_read() {
    let nothing = PartitionLog::new(ID, 0, LogConfig::default()).encode_state();
    assert_eq!(fold(vec![extent_at(0, 0, 4096, 0)], 0), Some(nothing));
}

/// Three segments of two batches each, of which the first was flushed in blocks by nobody; then
/// exchanges of the second and third.
#[test]
fn an_exchange_is_replayed_once_and_keeps_what_is_before_and_behind() {
    let len = batch(10).len() as u64;
    let segments = [0, 4, 8, 12].into_iter();
    let batches =
        segments.flat_map(|base| [batch_at(base, 0, base), batch_at(base, len, base + 2)]);
    let batches: Vec<Entry> = batches.collect();
    let name = |base_offset, cleaning| SegmentName {
        base_offset,
        cleaning,
    };
    let exchange = |name, to| Entry::Cleaned(cleaned(name, to, 70, to));
    let both = || vec![exchange(name(4, 1), 8), exchange(name(8, 1), 12)];
    let replay = |entries: Vec<Entry>| {
        let state = fold(entries, 99)?;
        let log = PartitionLog::decode_state(&state, LogConfig::default())?;
        let names: Vec<SegmentName> = log.segments().map(crate::segment::Segment::name).collect();
        assert_eq!(log.copy_unstaged(0, 0).len() as u64, 2 * len);
        assert_eq!(log.copy_unstaged(12, 0).len() as u64, 2 * len);
        assert_eq!((log.high_watermark(), log.next_offset()), (16, 16));
        Some(names)
    };
    let [first, last] = [name(0, 0), name(12, 0)];
    let done = [first, name(4, 1), name(8, 1), last];
    let with = |exchanges: Vec<Entry>| [batches.clone(), exchanges].concat();
    assert_eq!(replay(with(both())).unwrap(), done);
    assert_eq!(replay(with([both(), both()].concat())).unwrap(), done);
    let once_more = || vec![exchange(name(4, 2), 12)];
    let merged = [first, name(4, 2), last];
    assert_eq!(
        replay(with([both(), once_more()].concat())).unwrap(),
        merged
    );
    let late = [both(), once_more(), both()].concat();
    assert_eq!(replay(with(late)).unwrap(), merged);
    for misfit in [
        exchange(name(5, 1), 12),
        exchange(name(4, 1), 7),
        exchange(name(4, 1), 17),
    ] {
        assert!(fold(with(vec![misfit]), 99).is_none());
    }
}

/// The file of a segment that was replaced is gone, also where the flushed mark has not passed its
/// extents yet.
#[test]
fn an_extent_that_was_cleaned_away_is_not_looked_for() {
    let name = SegmentName {
        base_offset: 0,
        cleaning: 1,
    };
    let written = vec![extent_at(0, 0, 4196, 100), batch_at(2, 0, 2)];
    let exchange = Entry::Cleaned(cleaned(name, 2, 70, 2));
    let state = fold([written, vec![exchange]].concat(), 0).unwrap();
    let log = PartitionLog::decode_state(&state, LogConfig::default()).unwrap();
    assert_eq!(log.high_watermark(), 4);
    assert_eq!(
        log.segments().next().map(crate::segment::Segment::name),
        Some(name)
    );
}

#[test]
fn entries_follow_each_other_without_gaps() {
    let len = batch(10).len() as u64;
    let fold = |entries| fold(entries, 9).is_some();
    assert!(fold(vec![
        batch_at(0, 0, 0),
        batch_at(0, len, 2),
        batch_at(4, 0, 4)
    ]));
    assert!(
        !fold(vec![batch_at(0, 0, 0), batch_at(0, len + 1, 2)]),
        "a hole"
    );
    assert!(
        !fold(vec![batch_at(0, 0, 0), batch_at(0, len - 1, 2)]),
        "a place that is taken"
    );
    assert!(
        !fold(vec![batch_at(0, 0, 0), batch_at(0, 0, 2)]),
        "a segment begins once"
    );
    assert!(!fold(vec![batch_at(1, 0, 0)]), "a segment behind its batch");
    assert!(
        !fold(vec![batch_at(-1, 0, 0)]),
        "a segment before all offsets"
    );
    assert!(fold(vec![extent_at(0, 0, 4099, 3)]));
    assert!(
        !fold(vec![extent_at(0, 0, 4099, 2)]),
        "a remainder cut short"
    );
    let most = extent_at(0, 0, u32::MAX, 4095);
    assert!(fold(vec![most.clone()]));
    assert!(
        !fold(vec![most, batch_at(0, u64::from(u32::MAX), 2)]),
        "no place so far behind"
    );
}

proptest! {
    /// Whatever stands in the journal, a state that comes of it can be written and read back.
    #[test]
    fn hostile_entries_are_refused_or_make_a_state(
        entries in vec(replayed(), 0..6),
        flushed in 0..6_u64,
    ) {
        if let Some(state) = fold(entries, flushed) {
            prop_assert!(PartitionLog::decode_state(&state, LogConfig::default()).is_some());
        }
    }
}
