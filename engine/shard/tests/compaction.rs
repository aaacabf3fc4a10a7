//! Compaction in the simulation: the last record of each key stays, whatever happens meanwhile.
#![cfg(test)]

mod support;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use engine_log::segment::layout::parse_segment_file_name;
use engine_log::{LogConfig, ProducerStamp};
use engine_rt::sim::{
    CrashKind, CrashPoint, DiskOp, Effect, Fault, FaultKind, Files, NodeId, Operations, Options,
    Span, Trigger, World,
};
use engine_rt::{Buf, fs, now, sleep, spawn};
use engine_shard::{
    CompactionOptions, FetchPart, OffsetQuery, PartitionSpec, ProduceBatch, Shard, ShardError,
    ShardOptions, ShardPlace, damaged, inspect,
};
use net_wire::batch::{BatchBuilder, Batches, RecordIter};
use net_wire::codec::{Codec, Codecs};

use self::support::{id, spec};

const KEYS: u64 = 40;

fn options(rate: u64) -> ShardOptions {
    ShardOptions {
        tail_bytes_max: 2 << 20,
        compaction: CompactionOptions {
            bytes_per_second: rate,
            interval_ms: 100,
            keys_bytes: 1 << 20,
        },
        ..support::options()
    }
}

fn cleaning() -> ShardOptions {
    options(1 << 30)
}

fn at_rest() -> ShardOptions {
    options(0)
}

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 400_000,
        compact: true,
        delete: false,
        min_cleanable_millionths: 0,
        ..LogConfig::default()
    }
}

fn specs(config: LogConfig) -> Vec<PartitionSpec> {
    vec![spec(0, config)]
}

/// A record as it was sent: its key, its number, and whether it has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sent {
    key: u64,
    number: u64,
    bytes: usize,
}

/// What is sent in the place of a value: none.
const TOMBSTONE: usize = 0;

impl Sent {
    /// The numbers of a run: a few keys again and again, some batches large enough for a segment of
    /// their own way.
    fn numbered(number: u64) -> Self {
        let bytes = match number % 50 {
            7 => 70_000,
            n if n % 9 == 0 => 12_000,
            _ => 1_500,
        };
        Self {
            key: number * 7 % KEYS,
            number,
            bytes,
        }
    }

    fn value(&self) -> Option<Vec<u8>> {
        let mut value = vec![self.number as u8; self.bytes];
        value
            .get_mut(..8)?
            .copy_from_slice(&self.number.to_be_bytes());
        Some(value)
    }
}

fn batch(records: &[Sent], codec: Codec) -> ProduceBatch {
    let mut builder = BatchBuilder::new().codec(codec);
    for sent in records {
        let key = sent.key.to_be_bytes();
        builder.append(sent.number as i64, Some(&key), sent.value().as_deref(), &[]);
    }
    let last = records.last().unwrap();
    ProduceBatch {
        id: id(0),
        bytes: Buf::copy_from_slice(&builder.build(&mut Codecs::new()).unwrap()),
        records: records.len() as i32,
        max_timestamp: last.number as i64,
        max_timestamp_delta: records.len() as u32 - 1,
        stamp: ProducerStamp::NONE,
    }
}

/// Nine appends of the size of half a segment to one partition, of one key.
async fn append_bulk(shard: &Rc<Shard>, partition: u32) {
    for number in 0..9 {
        let mut bulk = batch(
            &[Sent {
                key: 1,
                number,
                bytes: 180_000,
            }],
            Codec::None,
        );
        bulk.id = id(partition);
        shard.append(vec![bulk]).await.remove(0).unwrap();
    }
}

/// Appends records one by one; gives their offsets, which go on from `from`.
async fn append(shard: &Rc<Shard>, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let batch = batch(&[Sent::numbered(number)], Codec::None);
        let appended = shard.append(vec![batch]).await.remove(0).unwrap();
        assert_eq!(appended.base_offset, number as i64);
    }
}

/// A record that was read: offset, key, number of its value.
type Seen = (i64, u64, Option<u64>);

async fn fetch(shard: &Rc<Shard>, offset: i64, max_bytes: usize) -> Result<Vec<u8>, ShardError> {
    let part = FetchPart::new(id(0), offset, max_bytes);
    let fetched = shard.fetch(&[part], 1 << 20).await.remove(0)?;
    let parts: Vec<&[u8]> = fetched.records.iter().map(|part| &part[..]).collect();
    Ok(parts.concat())
}

/// The records of batches, and the offset behind them.
fn records(bytes: &[u8]) -> (Vec<Seen>, i64) {
    let (mut seen, mut next) = (Vec::new(), -1);
    for batch in Batches::new(bytes) {
        let batch = batch.unwrap();
        assert!(batch.is_intact());
        let header = *batch.header();
        assert!(next <= header.base_offset, "batches rise");
        next = header.next_offset();
        let read = Codecs::new().with_decompressed(&batch, 1 << 24, |records, _| {
            for record in RecordIter::new(&header, records) {
                let record = record?;
                let number = |bytes: &[u8]| u64::from_be_bytes(bytes[..8].try_into().unwrap());
                seen.push((
                    header.offset_of(&record),
                    number(record.key.unwrap()),
                    record.value.map(number),
                ));
            }
            Ok(())
        });
        read.unwrap();
    }
    (seen, next)
}

/// Everything from an offset on, as consumers step; each step goes on.
async fn consume(shard: &Rc<Shard>, from: i64) -> Result<Vec<Seen>, ShardError> {
    let (mut seen, mut offset) = (Vec::new(), from);
    loop {
        let bytes = fetch(shard, offset, 50_000).await?;
        if bytes.is_empty() {
            assert_eq!(offset, shard.position(id(0)).unwrap().high_watermark);
            return Ok(seen);
        }
        let (found, next) = records(&bytes);
        assert!(next > offset, "a consumer at {offset} gets on");
        seen.extend(found.into_iter().filter(|record| record.0 >= offset));
        offset = next;
    }
}

/// What is wrong with what was read: each record is as it was sent, and the last one of each key is
/// there, up to the number of those that were acknowledged.
fn judge(seen: &[Seen], acknowledged: u64) -> Result<(), String> {
    let mut last = BTreeMap::new();
    for (offset, key, number) in seen {
        let sent = Sent::numbered(*offset as u64);
        if (*key, *number) != (sent.key, Some(sent.number)) {
            return Err(format!("{offset}: {key} {number:?} instead of {sent:?}"));
        }
        last.insert(*key, *offset);
    }
    for number in 0..acknowledged {
        let key = Sent::numbered(number).key;
        if last.get(&key).is_none_or(|last| *last < number as i64) {
            return Err(format!(
                "key {key}: {number} is lost, {:?} is last",
                last.get(&key)
            ));
        }
    }
    Ok(())
}

/// Waits until the shard has cleaned, and has nothing more to clean.
async fn cleaned(shard: &Rc<Shard>) {
    while shard.stats().cleanings == 0 {
        sleep(Duration::from_millis(20)).await;
    }
    loop {
        let before = shard.stats().cleanings;
        sleep(Duration::from_millis(500)).await;
        if shard.stats().cleanings == before {
            return;
        }
    }
}

fn place() -> ShardPlace {
    let ShardOptions {
        data_dir,
        disk_id,
        generation,
        index,
        ..
    } = at_rest();
    ShardPlace {
        data_dir,
        disk_id,
        generation,
        index,
    }
}

/// Nothing on the disk is damaged, and no file is left that is known to be of no use.
async fn is_tidy(world_files: Vec<String>) {
    assert!(damaged(&place(), specs(config())).await.unwrap().is_empty());
    let found = inspect(&place(), specs(config())).await.unwrap();
    let log = &found.partitions[0].1.log;
    let named: Vec<_> = log
        .segments()
        .filter(|segment| !segment.is_fileless())
        .map(|segment| (0, segment.name()))
        .collect();
    let files: Vec<_> = world_files
        .iter()
        .filter(|path| path.contains("/topics/"))
        .map(|path| parse_segment_file_name(path.rsplit('/').next().unwrap()).unwrap())
        .collect();
    assert!(named.iter().all(|name| files.contains(name)), "{named:?}");
    let stray = files.iter().filter(|file| !named.contains(file));
    let left: Vec<_> = stray.filter(|file| log.is_left_over(file.1)).collect();
    assert!(left.is_empty(), "{left:?} beside {named:?}");
}

#[test]
fn the_last_record_of_each_key_stays_and_offsets_too() {
    let world = World::new(1, Options::default());
    let node = world.node("node");
    let disk = world.disk(node);
    let files = move || disk.files();
    world.block_on(node, move || async move {
        let shard = Shard::open(cleaning(), specs(config())).await.unwrap();
        append(&shard, 0..600).await;
        cleaned(&shard).await;
        let position = shard.position(id(0)).unwrap();
        assert_eq!(position.high_watermark, 600);
        let stats = shard.stats();
        assert!(
            position.size_bytes < stats.appended_bytes / 2,
            "{position:?}"
        );
        let gone = stats.appended_bytes - position.size_bytes;
        assert_eq!(stats.cleaner_freed_bytes, gone);

        let all = consume(&shard, 0).await.unwrap();
        judge(&all, 600).unwrap();
        for from in 0..=600 {
            let rest = consume(&shard, from).await.unwrap();
            let expected = all.iter().filter(|record| record.0 >= from);
            assert!(rest.iter().eq(expected), "from {from}");
        }
        for (offset, ..) in &all {
            let query = OffsetQuery::Timestamp(*offset);
            let found = shard.offset_for(id(0), query, -1).await.unwrap();
            assert_eq!((found.offset, found.timestamp), (*offset, *offset));
        }
        let newest = shard.offset_for(id(0), OffsetQuery::MaxTimestamp, -1);
        assert_eq!(newest.await.unwrap().offset, 599);
        shard.stop().await.unwrap();
        is_tidy(files()).await;

        let shard = Shard::open(cleaning(), specs(config())).await.unwrap();
        assert_eq!(consume(&shard, 0).await.unwrap(), all);
        append(&shard, 600..900).await;
        cleaned(&shard).await;
        let all = consume(&shard, 0).await.unwrap();
        judge(&all, 900).unwrap();
        assert!(all.len() < 300, "{}", all.len());
        shard.stop().await.unwrap();
        is_tidy(files()).await;
    });
}

/// Batches of twenty records, compressed in turn, a fifth of them tombstones; what a table of them has.
async fn write_table(shard: &Rc<Shard>) -> BTreeMap<u64, Option<u64>> {
    let mut table = BTreeMap::new();
    for first in (0..1_000).step_by(20) {
        let records: Vec<Sent> = (first..first + 20)
            .map(|number| Sent {
                key: number * 13 % 97,
                number,
                bytes: if number % 5 == 0 { TOMBSTONE } else { 700 },
            })
            .collect();
        for sent in &records {
            table.insert(sent.key, (sent.bytes != TOMBSTONE).then_some(sent.number));
        }
        let codec = Codec::from_id((first / 20 % 5) as u8).unwrap();
        let appended = shard.append(vec![batch(&records, codec)]).await;
        for one in appended {
            one.unwrap();
        }
    }
    table
}

/// Records of another key, so that what is before them leaves the active segment and there is
/// something to clean.
async fn write_filler(shard: &Rc<Shard>) {
    for number in 0..60 {
        let sent = Sent {
            key: 1_000,
            number,
            bytes: 3_000,
        };
        let appended = shard.append(vec![batch(&[sent], Codec::None)]).await;
        for one in appended {
            one.unwrap();
        }
    }
}

#[test]
fn batches_are_thinned_and_tombstones_go_behind_their_horizon() {
    let world = World::new(2, Options::default());
    let node = world.node("node");
    world.block_on(node, || async {
        let config = LogConfig {
            segment_bytes: 100_000,
            delete_retention_ms: 60_000,
            ..config()
        };
        let shard = Shard::open(cleaning(), specs(config)).await.unwrap();
        let table = write_table(&shard).await;
        let tombstones = table.values().filter(|number| number.is_none()).count();
        assert!(tombstones > 10);
        for (wait_s, left) in [(0, tombstones), (30, tombstones), (31, 0)] {
            sleep(Duration::from_secs(wait_s)).await;
            let before = shard.stats().cleanings;
            write_filler(&shard).await;
            while shard.stats().cleanings == before {
                sleep(Duration::from_millis(50)).await;
            }
            cleaned(&shard).await;
            let mut seen = consume(&shard, 0).await.unwrap();
            seen.retain(|record| record.1 != 1_000);
            let kept = table
                .iter()
                .filter(|(_, number)| left > 0 || number.is_some());
            let kept: BTreeMap<_, _> = kept.map(|(key, number)| (*key, *number)).collect();
            assert_eq!(seen.len(), kept.len(), "after {wait_s} s");
            let seen: BTreeMap<_, _> = seen.into_iter().map(|seen| (seen.1, seen.2)).collect();
            assert_eq!(seen, kept, "after {wait_s} s");
        }
        shard.stop().await.unwrap();
    });
}

/// Fills a shard that cleans nothing, and stops it.
fn filled(world: &World, count: u64) -> NodeId {
    let node = world.node("filled");
    world.block_on(node, move || async move {
        let shard = Shard::open(at_rest(), specs(config())).await.unwrap();
        append(&shard, 0..count).await;
        shard.stop().await.unwrap();
    });
    node
}

/// Whatever a crash left: all is there, and the next cleaning leaves nothing behind.
fn recovers(world: &World, node: NodeId, acknowledged: u64, what: &str) {
    let disk = world.disk(node);
    let label = what.to_owned();
    world.block_on(node, move || async move {
        let shard = Shard::open(at_rest(), specs(config())).await;
        let shard = shard.unwrap_or_else(|error| panic!("{label}: {error}"));
        let seen = consume(&shard, 0).await;
        let seen = seen.unwrap_or_else(|error| panic!("{label}: {error}"));
        judge(&seen, acknowledged).unwrap_or_else(|why| panic!("{label}: {why}"));
        shard.stop().await.unwrap();
        let sound = damaged(&place(), specs(config())).await.unwrap();
        assert!(sound.is_empty(), "{label}: {sound:?}");

        let shard = Shard::open(cleaning(), specs(config())).await.unwrap();
        sleep(Duration::from_secs(3)).await;
        let left = consume(&shard, 0).await.unwrap();
        judge(&left, acknowledged).unwrap_or_else(|why| panic!("{label}, cleaned: {why}"));
        let end = shard.position(id(0)).unwrap().high_watermark as u64;
        append(&shard, end..end + 3).await;
        shard.stop().await.unwrap();
        is_tidy(disk.files()).await;
    });
}

/// A crash at every operation of the disk from the start to the end of a cleaning.
#[test]
fn a_crash_at_any_step_finds_the_old_segments_or_the_new_ones() {
    const COUNT: u64 = 300;
    type Point = fn(u64) -> CrashPoint;
    let points: [(Point, CrashKind); 3] = [
        (CrashPoint::DiskEnds, CrashKind::PowerCut),
        (CrashPoint::DiskStarts, CrashKind::PowerCut),
        (CrashPoint::DiskEnds, CrashKind::Kill),
    ];
    let world = World::new(3, Options::default());
    let full = filled(&world, COUNT);
    for (point, kind) in points {
        let mut crashes = 0;
        for step in 1.. {
            let node = world.clone_disk(full, &format!("step {step}"));
            world.schedule_crash(node, point(step), kind);
            let ended = world.try_block_on(node, || async {
                let shard = Shard::open(cleaning(), specs(config())).await.unwrap();
                cleaned(&shard).await;
            });
            if ended.is_some() {
                break;
            }
            crashes += 1;
            recovers(&world, node, COUNT, &format!("{kind:?} at step {step}"));
        }
        assert!(crashes > 30, "a cleaning has {crashes} steps");
    }
}

/// Appends, reads and cleanings in one life, without a checkpoint, until it ends anywhere: the
/// journal has both the batches and the exchanges of the segments that they were in.
#[test]
fn what_the_journal_replays_is_exchanged_again() {
    for seed in 0..24 {
        let world = World::new(seed, Options::drawn(seed));
        let node = world.node("node");
        let kind = [CrashKind::Kill, CrashKind::PowerCut][seed as usize % 2];
        let acknowledged = Rc::new(RefCell::new(0));
        let acked = Rc::clone(&acknowledged);
        // As the broker does for its directory before any shard opens.
        world.block_on(node, || async {
            fs::create_dir_all(&at_rest().data_dir).await.unwrap();
            fs::sync_dir(Path::new("/")).await.unwrap();
        });
        world.schedule_crash(node, CrashPoint::DiskEnds(60 + seed * 23), kind);
        let _crashed = world.try_block_on(node, move || async move {
            let shard = Shard::open(cleaning(), specs(config())).await.unwrap();
            let reader = Rc::clone(&shard);
            spawn(async move {
                loop {
                    consume_some(&reader).await;
                    sleep(Duration::from_millis(3)).await;
                }
            })
            .detach();
            for number in 0..3_000 {
                append(&shard, number..number + 1).await;
                *acked.borrow_mut() = number + 1;
                if number % 40 == 0 {
                    sleep(Duration::from_millis(120)).await;
                }
            }
        });
        world.crash(node, kind);
        let acknowledged = *acknowledged.borrow();
        recovers(&world, node, acknowledged, &format!("seed {seed}"));
    }
}

/// Whoever reads while segments are exchanged misses nothing that stays.
async fn consume_some(shard: &Rc<Shard>) {
    let before = shard.position(id(0)).unwrap().high_watermark as u64;
    let seen = consume_to_end(shard).await;
    judge(&seen, before).unwrap();
}

/// To the end as it is by then: what is gone by the time it is read has a newer one there.
async fn consume_to_end(shard: &Rc<Shard>) -> Vec<Seen> {
    let (mut seen, mut offset) = (Vec::new(), 0);
    while offset < shard.position(id(0)).unwrap().high_watermark {
        let (found, next) = records(&fetch(shard, offset, 20_000).await.unwrap());
        seen.extend(found.into_iter().filter(|record| record.0 >= offset));
        assert!(next > offset, "a reader at {offset} gets on");
        offset = next;
    }
    seen
}

#[test]
fn readers_go_on_while_segments_are_exchanged() {
    for seed in 0..6 {
        let world = World::new(seed, Options::default());
        let full = filled(&world, 400);
        world.block_on(full, move || async move {
            // Slowly, so that many reads fall between two exchanges.
            let shard = Shard::open(options(4 << 20), specs(config()))
                .await
                .unwrap();
            let readers: Vec<_> = (0..4)
                .map(|_| {
                    let shard = Rc::clone(&shard);
                    spawn(async move {
                        for _ in 0..30 {
                            consume_some(&shard).await;
                            sleep(Duration::from_millis(10 + seed)).await;
                        }
                    })
                })
                .collect();
            cleaned(&shard).await;
            for reader in readers {
                reader.await;
            }
            shard.stop().await.unwrap();
        });
    }
}

/// The journal fails while an exchange is on its way into it: its recovery finds out what holds.
#[test]
fn a_journal_that_fails_under_an_exchange_loses_nothing() {
    for (at, op) in (1..8).flat_map(|at| [(at, DiskOp::Write), (at, DiskOp::Sync)]) {
        let world = World::new(at, Options::default());
        let node = filled(&world, 300);
        let disk = world.disk(node);
        world.inject(Fault::of_disk(
            node,
            Operations::of(op, Files::Journals),
            at,
            Effect::Io,
            Span::Times(1),
        ));
        world.block_on(node, move || async move {
            let Ok(shard) = Shard::open(cleaning(), specs(config())).await else {
                return;
            };
            // What failed may have reached the disk: then the rest is clean without another cleaning.
            sleep(Duration::from_secs(5)).await;
            let seen = consume(&shard, 0).await.unwrap();
            judge(&seen, 300).unwrap();
            assert!(seen.len() < 150, "{} are left", seen.len());
            sleep(Duration::from_secs(2)).await;
            shard.stop().await.unwrap();
        });
        // Those that struck nothing.
        world.end_faults();
        world.block_on(node, move || async move { is_tidy(disk.files()).await });
    }
}

/// `compact,delete`: log starts move through cleaned segments, and segments go by size.
#[test]
fn compacted_logs_are_deleted_from_as_others_are() {
    let world = World::new(7, Options::default());
    let node = world.node("node");
    let disk = world.disk(node);
    world.block_on(node, move || async move {
        let config = LogConfig {
            delete: true,
            retention_ms: -1,
            ..config()
        };
        let options = || ShardOptions {
            retention_check_ms: 500,
            ..cleaning()
        };
        let shard = Shard::open(options(), specs(config)).await.unwrap();
        append(&shard, 0..600).await;
        cleaned(&shard).await;
        let all = consume(&shard, 0).await.unwrap();
        for start in [100, 333, 580] {
            assert_eq!(shard.delete_records(id(0), start).await.unwrap(), start);
            let kept: Vec<_> = all
                .iter()
                .filter(|record| record.0 >= start)
                .copied()
                .collect();
            assert_eq!(consume(&shard, start).await.unwrap(), kept);
            let early = fetch(&shard, start - 1, 1_000).await;
            assert!(matches!(early, Err(ShardError::OffsetOutOfRange { .. })));
        }
        append(&shard, 600..1_500).await;
        cleaned(&shard).await;
        shard.set_config(
            id(0),
            LogConfig {
                retention_bytes: 200_000,
                ..config
            },
        );
        sleep(Duration::from_secs(5)).await;
        let position = shard.position(id(0)).unwrap();
        assert!(position.log_start_offset > 600, "{position:?}");
        assert!(position.size_bytes < 900_000, "{position:?}");
        let kept = consume(&shard, position.log_start_offset).await.unwrap();
        shard.stop().await.unwrap();
        let shard = Shard::open(at_rest(), specs(config)).await.unwrap();
        assert_eq!(
            consume(&shard, position.log_start_offset).await.unwrap(),
            kept
        );
        shard.stop().await.unwrap();
        is_tidy(disk.files()).await;
    });
}

#[test]
fn a_partition_is_deleted_under_its_cleaning() {
    for wait_ms in 0..12 {
        let world = World::new(wait_ms, Options::default());
        let node = filled(&world, 300);
        let disk = world.disk(node);
        world.block_on(node, move || async move {
            let shard = Shard::open(cleaning(), specs(config())).await.unwrap();
            let more = support::batch(0, Some(b"a key of eight"), b"a value of more than eight");
            shard.append(vec![more]).await.remove(0).unwrap();
            sleep(Duration::from_millis(100 + wait_ms)).await;
            shard.delete_partition(id(0)).await;
            sleep(Duration::from_secs(1)).await;
            let left = disk.files();
            let left: Vec<_> = left
                .iter()
                .filter(|path| path.contains("/topics/"))
                .collect();
            assert!(left.is_empty(), "{left:?}");
            shard.stop().await.unwrap();
        });
    }
}

/// One partition never gets clean, since it is written to faster than it is cleaned.
#[test]
fn a_partition_that_never_gets_clean_keeps_no_other_from_it() {
    let world = World::new(8, Options::default());
    let node = world.node("node");
    world.block_on(node, || async {
        let specs = vec![spec(0, config()), spec(1, config())];
        let shard = Shard::open(options(4 << 20), specs).await.unwrap();
        let writer = Rc::clone(&shard);
        spawn(async move {
            loop {
                append_bulk(&writer, 0).await;
                sleep(Duration::from_millis(200)).await;
            }
        })
        .detach();
        sleep(Duration::from_secs(3)).await;
        append_bulk(&shard, 1).await;
        let size = || shard.position(id(1)).unwrap().size_bytes;
        let before = size();
        for _ in 0..60 {
            sleep(Duration::from_secs(1)).await;
            if size() < before / 2 {
                return;
            }
        }
        panic!("{} of {before} bytes are left", size());
    });
}

#[test]
fn a_cleaning_that_rests_holds_up_no_deletion() {
    let world = World::new(9, Options::default());
    let node = filled(&world, 300);
    world.block_on(node, || async {
        // A chunk lasts for a quarter of an hour.
        let shard = Shard::open(options(1_000), specs(config())).await.unwrap();
        let more = support::batch(0, Some(b"a key of eight"), b"a value of more than eight");
        shard.append(vec![more]).await.remove(0).unwrap();
        while shard.stats().cleaner_read_bytes == 0 {
            sleep(Duration::from_millis(50)).await;
        }
        let begun = now();
        shard.delete_partition(id(0)).await;
        assert!(now().since(begun) < Duration::from_secs(2));
    });
}

/// A rate that was much too low holds up nobody who sets a better one.
#[test]
fn a_cleaning_that_rests_takes_other_bounds_at_once() {
    let world = World::new(9, Options::default());
    let node = filled(&world, 300);
    world.block_on(node, || async {
        // A chunk lasts for a quarter of an hour, and the next look is a day away.
        let slow = CompactionOptions {
            interval_ms: 86_400_000,
            ..options(1_000).compaction
        };
        let shard = Shard::open(at_rest(), specs(config())).await.unwrap();
        shard.set_compaction(slow);
        sleep(Duration::from_secs(1)).await;
        shard.set_compaction(options(1_000).compaction);
        while shard.stats().cleaner_read_bytes == 0 {
            sleep(Duration::from_millis(50)).await;
        }
        let begun = now();
        shard.set_compaction(cleaning().compaction);
        while shard.stats().cleanings == 0 {
            sleep(Duration::from_millis(50)).await;
        }
        assert!(now().since(begun) < Duration::from_secs(10));
        shard.stop().await.unwrap();
    });
}

#[test]
fn compaction_is_switched_on_and_off_while_the_shard_runs() {
    let world = World::new(10, Options::default());
    let node = filled(&world, 300);
    world.block_on(node, || async {
        let shard = Shard::open(at_rest(), specs(config())).await.unwrap();
        sleep(Duration::from_mins(1)).await;
        assert_eq!(shard.stats().cleanings, 0);
        shard.set_compaction(cleaning().compaction);
        cleaned(&shard).await;
        shard.set_compaction(CompactionOptions::default());
        let before = shard.stats().cleanings;
        append(&shard, 300..600).await;
        sleep(Duration::from_mins(1)).await;
        assert_eq!(shard.stats().cleanings, before);
        shard.stop().await.unwrap();
    });
}

/// The wall clock jumps by a year: no tombstone is a year older for that (rule 21).
#[test]
fn a_clock_that_jumps_takes_no_tombstone() {
    let world = World::new(11, Options::default());
    let node = world.node("node");
    world.inject(Fault {
        node,
        life: 0,
        trigger: Trigger::After(Duration::from_secs(200)),
        kind: FaultKind::ClockJump {
            by_ms: 365 * 86_400_000,
        },
    });
    world.block_on(node, || async {
        let config = LogConfig {
            segment_bytes: 100_000,
            ..config()
        };
        let shard = Shard::open(cleaning(), specs(config)).await.unwrap();
        let table = write_table(&shard).await;
        for pause_s in [0, 300] {
            sleep(Duration::from_secs(pause_s)).await;
            let before = shard.stats().cleanings;
            write_filler(&shard).await;
            while shard.stats().cleanings == before {
                sleep(Duration::from_millis(50)).await;
            }
            cleaned(&shard).await;
        }
        let seen = consume(&shard, 0).await.unwrap();
        let left = seen.iter().filter(|record| record.2.is_none()).count();
        let tombstones = table.values().filter(|number| number.is_none()).count();
        assert_eq!(left, tombstones);
        shard.stop().await.unwrap();
    });
}

/// A bit that flips on the way is read again; one that flips on the disk keeps its partition as it is.
#[test]
fn damage_stops_the_cleaning_of_its_partition_alone() {
    for (seed, lasts) in [(12, false), (13, true)] {
        let world = World::new(seed, Options::default());
        let node = filled(&world, 300);
        let disk = world.disk(node);
        let segment = disk
            .files()
            .into_iter()
            .find(|path| path.contains(".segment"));
        if lasts {
            disk.flip_bit(&segment.unwrap(), 9_000, 3).unwrap();
        } else {
            world.inject(Fault::of_disk(
                node,
                Operations::of(DiskOp::Read, Files::Segments),
                2,
                Effect::FlipBit,
                Span::Times(1),
            ));
        }
        world.block_on(node, move || async move {
            let specs = vec![spec(0, config()), spec(1, config())];
            let shard = Shard::open(cleaning(), specs).await.unwrap();
            append_bulk(&shard, 1).await;
            sleep(Duration::from_secs(10)).await;
            let stats = shard.stats();
            let failed = if lasts { 5 } else { 1 };
            assert_eq!(stats.cleanings_failed, failed, "{stats:?}");
            let size = |partition| shard.position(id(partition)).unwrap().size_bytes;
            assert!(size(1) < 1_000_000, "{} bytes of the other", size(1));
            if !lasts {
                judge(&consume(&shard, 0).await.unwrap(), 300).unwrap();
                assert!(size(0) < stats.cleaner_freed_bytes, "{stats:?}");
            }
            append(&shard, 300..303).await;
            shard.stop().await.unwrap();
        });
    }
}
