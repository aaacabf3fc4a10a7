//! Segment files of a simulated disk, damaged before they are read back.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::fs::{Durability, File};
use engine_rt::sim::{self, DiskOp, Effect, Fault, Files, Operations, Options, Span, World};
use engine_rt::{Buf, now, timeout};
use net_wire::Uuid;
use proptest::prelude::*;

use crate::arbitrary::{Damage, batch, damage};
use crate::bytes::crc32c;
use crate::segment::layout::{BLOCK, SegmentName};
use crate::{
    Assigned, Candidate, LogConfig, PartitionLog, ProducerStamp, ReadAt, ReadError, ReadPath,
    SegmentFiles, StoredBatch, load, read_memory, shared, stamp, write,
};

const ID: crate::TopicPartition = crate::TopicPartition {
    topic_id: Uuid::from_bytes([9; 16]),
    partition: 0,
};
const DISK: u128 = 3;
/// So many make several ranges, end behind a whole block, and are three segments of [`ROLLED`].
const BATCHES: usize = 20;
const ROLLED: LogConfig = LogConfig {
    segment_bytes: 12_000,
    segment_ms: i64::MAX,
    retention_ms: -1,
    retention_bytes: -1,
    delete: true,
    compact: false,
    delete_retention_ms: 0,
    min_compaction_lag_ms: 0,
    max_compaction_lag_ms: i64::MAX,
    min_cleanable_millionths: 0,
    flush_before_ack: true,
    flush_ms: i64::MAX,
};

fn files() -> SegmentFiles {
    SegmentFiles::new(Path::new("topics"), DISK, 8, 2, ReadPath::Direct)
}

/// Appends batches, all durable in frame 1.
fn filled(config: LogConfig, batches: usize) -> PartitionLog {
    let mut log = PartitionLog::new(ID, 4, config);
    let none = ProducerStamp::NONE;
    for number in 0..batches {
        let mut bytes = batch(600 * BATCHES / batches + number);
        let candidate = Candidate {
            bytes: bytes.len() as u64,
            records: 2,
            stamp: none,
            now_ms: 0,
        };
        let Ok(Assigned::New {
            base_offset,
            last_offset,
            leader_epoch,
            at,
        }) = log.assign(candidate)
        else {
            panic!("no producer, no retry");
        };
        stamp(&mut bytes, base_offset, leader_epoch);
        log.store(StoredBatch {
            base_offset,
            last_offset,
            leader_epoch,
            max_timestamp: 1001,
            max_timestamp_delta: 1,
            at,
            parts: [Buf::copy_from_slice(&bytes), Buf::new()],
        });
        log.wait_for(1, None);
    }
    log.advance(1);
    log
}

/// Writes what is whole blocks, and the end of every segment but the last; gives the state, and of
/// the first segment the checksum of its records, and its end.
async fn stored(config: LogConfig, batches: usize, files: &SegmentFiles) -> (Vec<u8>, u32, i64) {
    stored_as(config, batches, files, true).await
}

/// As [`stored`], or as a crash leaves it that comes before the ends.
async fn stored_as(
    config: LogConfig,
    batches: usize,
    files: &SegmentFiles,
    seals: bool,
) -> (Vec<u8>, u32, i64) {
    let log = shared(filled(config, batches));
    let ends: Vec<(i64, u64)> = {
        let log = log.borrow();
        log.segments().map(|s| (s.base_offset, s.durable)).collect()
    };
    for (at, (base, end)) in ends.iter().enumerate() {
        let staged = log.borrow_mut().stage(DISK, *base, *end, u64::MAX);
        if let Some(staged) = staged {
            write(&log, files, &[staged]).await.expect("the disk works");
        }
        if seals && at + 1 < ends.len() {
            let seal = log.borrow_mut().stage_seal(DISK, *base);
            write(&log, files, &[seal.expect("rolled")])
                .await
                .expect("the disk works");
        }
    }
    let end = ends.get(1).map_or(2 * batches as i64, |second| second.0);
    let records = records(&log, files, end).await.expect("nothing is damaged");
    let state = log.borrow().encode_state();
    (state, records, end)
}

/// The checksum of all records below `end`.
async fn records(
    log: &Rc<RefCell<PartitionLog>>,
    files: &SegmentFiles,
    end: i64,
) -> Result<u32, ReadError> {
    let (mut offset, mut bytes) = (0, Vec::new());
    while offset < end {
        let at = ReadAt {
            offset,
            bytes_max: 1,
            min_one: true,
            bound: end,
        };
        let batch = read_memory(log, files, at)
            .await?
            .iter()
            .flat_map(|part| part.to_vec())
            .collect::<Vec<u8>>();
        let header = crate::StoredHeader::decode(&batch).expect("one batch");
        assert_eq!(header.base_offset, offset, "batches follow each other");
        offset = header.last_offset + 1;
        bytes.extend(batch);
    }
    Ok(crc32c(&bytes))
}

/// Changes the file of the first segment.
async fn change(
    files: &SegmentFiles,
    change: impl FnOnce(&[u8]) -> Vec<u8>,
) -> std::io::Result<()> {
    let file: File = files.open(ID, SegmentName::appended(0)).await?;
    let len = file.len().await? as usize;
    let bytes = file
        .read_at(0, len.next_multiple_of(BLOCK as usize))
        .await?;
    let changed = change(&bytes);
    let blocks = changed.len().next_multiple_of(BLOCK as usize);
    let mut padded = changed.clone();
    padded.resize(blocks, 0);
    if blocks > 0 {
        file.write_at(0, Buf::copy_from_slice(&padded), Durability::Durable)
            .await?;
    }
    file.set_len(changed.len() as u64).await
}

/// What a start makes of the first segment's file once `damage` was done to it.
fn after(
    config: LogConfig,
    batches: usize,
    damage: impl FnOnce(&[u8]) -> Vec<u8> + 'static,
) -> (u32, Result<u32, ReadError>) {
    sim::run(1, move || async move {
        let files = files();
        let (state, before, end) = stored(config, batches, &files).await;
        change(&files, damage).await.expect("the disk works");
        files.forget_reads();
        let log = PartitionLog::decode_state(&state, config).expect("it was not damaged");
        let log = shared(log);
        let loaded = load(&log, &files, 0).await;
        let read = match loaded {
            Ok(()) => records(&log, &files, end).await,
            Err(error) => Err(error),
        };
        (before, read)
    })
}

fn flipped(bytes: &[u8], at: usize, bit: u8) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[at] ^= bit;
    flipped
}

/// Base offset, leader epoch and magic: the batch's own checksum leaves them out.
#[test]
fn a_damaged_header_in_the_open_segment_is_found() {
    let len = batch(600).len();
    // In the first batch and the second, and in one that stands alone.
    for (batches, at) in [
        (20, 0),
        (20, 7),
        (20, len + 6),
        (20, len + 7),
        (1, 1),
        (1, 7),
        (20, 12),
        (20, 15),
        (20, 16),
        (20, len + 14),
        (1, 15),
        (1, 16),
    ] {
        let (_, read) = after(LogConfig::default(), batches, move |bytes| {
            flipped(bytes, BLOCK as usize + at, 1)
        });
        let found = matches!(
            &read,
            Err(ReadError::Corrupt {
                what: "a batch",
                ..
            })
        );
        assert!(found, "byte {at} of {batches} batches: {read:?}");
    }
}

/// What a bit made of a segment on its way to memory is neither served nor taken for what is on the
/// disk: it is read again.
#[test]
fn flipped_bits_on_the_way_cost_another_read() {
    for (config, nth) in [LogConfig::default(), ROLLED]
        .into_iter()
        .flat_map(|config| (1..=4).map(move |nth| (config, nth)))
    {
        let world = World::new(nth, Options::default());
        let node = world.node("node");
        let (state, before, end) = world.block_on(node, move || async move {
            stored(config, BATCHES, &files()).await
        });
        let reads = Operations::of(DiskOp::Read, Files::Segments);
        let flips = Fault::of_disk(node, reads, nth, Effect::FlipBit, Span::Times(4));
        world.inject(flips);
        let read = world.block_on(node, move || async move {
            let log = PartitionLog::decode_state(&state, config).expect("as written");
            records(&shared(log), &files(), end).await
        });
        assert_eq!(read, Ok(before), "from read {nth} on");
        assert!(!world.strikes().is_empty(), "from read {nth} on");
    }
}

/// What a crash left rolled is sealed when it is first used. If its flush fails then, or nobody waits
/// for it, the next one does all of it: an index that was written is not written again as an empty one.
#[test]
fn a_seal_that_comes_to_nothing_is_begun_anew() {
    for effect in [Effect::Io, Effect::Stall(Duration::from_mins(1))] {
        let world = World::new(1, Options::default());
        let node = world.node("node");
        let (state, before, end) = world.block_on(node, || async {
            stored_as(ROLLED, BATCHES, &files(), false).await
        });
        let flushes = Operations::of(DiskOp::Sync, Files::Segments);
        let once = Span::Times(1);
        world.inject(Fault::of_disk(node, flushes, 1, effect, once));
        world.block_on(node, move || async move {
            let files = files();
            let log = shared(PartitionLog::decode_state(&state, ROLLED).expect("as written"));
            let loaded = timeout(now() + Duration::from_secs(1), load(&log, &files, 0)).await;
            assert!(!matches!(loaded, Ok(Ok(()))), "{effect:?}: {loaded:?}");
            for _ in 0..2 {
                let read = timeout(now() + Duration::from_secs(1), records(&log, &files, end));
                assert_eq!(read.await.ok(), Some(Ok(before)), "{effect:?}");
            }
            let state = log.borrow().encode_state();
            let log = shared(PartitionLog::decode_state(&state, ROLLED).expect("as encoded"));
            assert!(log.borrow().segment(0).is_some_and(|first| first.sealed));
            let read = records(&log, &files, end).await;
            assert_eq!(read, Ok(before), "{effect:?}");
        });
    }
}

#[test]
fn a_sealed_file_of_any_length_is_read_or_refused() {
    for cut in [1, 100, 4095, 4096, 5000] {
        let (_, read) = after(ROLLED, BATCHES, move |bytes| {
            bytes[..bytes.len() - cut].to_vec()
        });
        assert!(
            matches!(read, Err(ReadError::Corrupt { .. })),
            "{cut}: {read:?}"
        );
    }
}

#[test]
fn the_footer_of_another_segment_is_refused() {
    sim::run(1, || async {
        let files = files();
        let (state, _, second) = stored(ROLLED, BATCHES, &files).await;
        let file = files
            .open(ID, SegmentName::appended(second))
            .await
            .expect("it was written");
        let bytes = file.read_at(0, file.len().await.expect("a length") as usize);
        let bytes = bytes.await.expect("the disk works").to_vec();
        change(&files, |_| bytes).await.expect("the disk works");
        let log = shared(PartitionLog::decode_state(&state, ROLLED).expect("as written"));
        let loaded = load(&log, &files, 0).await;
        assert!(
            matches!(loaded, Err(ReadError::Corrupt { .. })),
            "{loaded:?}"
        );
    });
}

proptest! {
    /// Damage is refused, or what is read is what was written.
    #[test]
    fn a_damaged_segment_is_never_read_as_another(damage in damage(), sealed: bool) {
        let config = if sealed { ROLLED } else { LogConfig::default() };
        let cut = matches!(damage, Damage::Cut(_));
        let (before, read) = after(config, BATCHES, move |bytes| damage.of(bytes, bytes.len()));
        match read {
            Ok(read) => prop_assert_eq!(read, before),
            Err(ReadError::Corrupt { .. }) => {},
            Err(error) => prop_assert!(cut, "{error:?}"),
        }
    }
}
