//! A disk that fails while a shard recovers or reads, in the simulation: what was acknowledged is not
//! cut for it, and not refused for what passes.
#![cfg(test)]

mod support;

use std::path::Path;
use std::time::Duration;

use engine_log::LogConfig;
use engine_rt::sim::{
    CrashKind, DiskOp, Effect, Fault, Files, NodeId, Operations, Options, Span, World,
};
use engine_rt::{fs, now, spawn, timeout};
use engine_shard::{FetchPart, PartitionSpec, Shard, ShardOptions};

use self::support::{batch, id, options, spec};

const SEEDS: u64 = 10;
const BATCHES: u64 = 3;

fn specs() -> Vec<PartitionSpec> {
    vec![spec(0, LogConfig::default())]
}

/// Appends batches of these many bytes to a shard that is killed before a mark certifies the last.
fn append_and_kill(world: &World, node: NodeId, batches: u64, bytes: usize) {
    world.block_on(node, move || async move {
        let shard = Shard::open(options(), specs()).await.unwrap();
        for number in 0..batches {
            let batch = batch(0, None, &vec![number as u8; bytes]);
            shard.append(vec![batch]).await.remove(0).unwrap();
        }
    });
    world.crash(node, CrashKind::Kill);
}

/// Opens the shard, twice if the first time is refused; its high watermark.
fn recover(world: &World, node: NodeId) -> u64 {
    world.block_on(node, || async {
        let shard = match Shard::open(options(), specs()).await {
            Ok(shard) => shard,
            Err(_) => Shard::open(options(), specs()).await.unwrap(),
        };
        shard.position(id(0)).unwrap().high_watermark as u64
    })
}

/// Appends that bypassed the journal are verified by a start that no mark precedes. Each of these
/// faults passes: the start may be refused for it, and the next one finds everything.
#[test]
fn a_fault_that_passes_cuts_nothing_that_was_acknowledged() {
    let faults = [
        (DiskOp::Read, Effect::Io, 1),
        (DiskOp::Open, Effect::TooManyFiles, 1),
        (DiskOp::Sync, Effect::Io, 1),
        (DiskOp::Read, Effect::FlipBit, 4),
        (DiskOp::Read, Effect::Stale, 4),
    ];
    for seed in 0..SEEDS {
        for (op, effect, times) in faults {
            let world = World::new(seed, Options::default());
            let node = world.node("node");
            append_and_kill(&world, node, BATCHES, 100_000);
            let on = Operations::of(op, Files::Segments);
            world.inject(Fault::of_disk(node, on, 1, effect, Span::Times(times)));
            let found = recover(&world, node);
            assert_eq!(found, BATCHES, "seed {seed}: {op:?} {effect:?}");
        }
    }
}

/// An append that the crash cut off is not kept for a read that fails once: there would be damage for
/// ever where nothing was acknowledged.
#[test]
fn a_read_that_fails_keeps_nothing_that_is_not_there() {
    for seed in 0..SEEDS {
        let world = World::new(seed, Options::default());
        let node = world.node("node");
        append_and_kill(&world, node, BATCHES, 100_000);
        let writes = Operations::of(DiskOp::Write, Files::Segments);
        let stall = Effect::Stall(Duration::from_mins(1));
        world.inject(Fault::of_disk(node, writes, 1, stall, Span::Forever));
        world.block_on(node, || async {
            let shard = Shard::open(options(), specs()).await.unwrap();
            fs::sync_dir(Path::new("/")).await.unwrap();
            let appended = shard.append(vec![batch(0, None, &[9; 100_000])]);
            let waited = timeout(now() + Duration::from_secs(1), appended).await;
            assert!(waited.is_err(), "its extent is on its way");
        });
        world.crash(node, CrashKind::PowerCut);
        world.end_faults();
        let reads = Operations::of(DiskOp::Read, Files::Segments);
        world.inject(Fault::of_disk(node, reads, 1, Effect::Io, Span::Times(1)));
        assert_eq!(recover(&world, node), BATCHES, "seed {seed}");
        let strikes = world.strikes();
        assert!(strikes.iter().any(|strike| strike.what.contains("EIO")));
    }
}

/// A read of the journal that gives what was there before, or has a bit wrong, looks like a torn
/// tail. The journal has been used again, so that what was there before are frames as well.
#[test]
fn wrong_reads_of_a_journal_cut_nothing_that_was_acknowledged() {
    const OF_A_LIFE: u64 = 120;
    for (seed, effect) in [(1, Effect::Stale), (2, Effect::FlipBit)] {
        for nth in 1..40 {
            let world = World::new(seed, Options::default());
            let node = world.node("node");
            append_and_kill(&world, node, OF_A_LIFE, 50_000);
            let on = Operations::of(DiskOp::Read, Files::Journals);
            world.inject(Fault::of_disk(node, on, nth, effect, Span::Times(4)));
            let found = recover(&world, node);
            assert_eq!(found, OF_A_LIFE, "{effect:?} from read {nth} on");
        }
    }
}

/// Either copy of the checkpoint is enough to start with, and the other one is made again.
#[test]
fn a_copy_of_the_checkpoint_may_be_lost() {
    type Harm = fn(&World, NodeId, &str);
    let harms: [Harm; 3] = [
        |world, node, path| world.disk(node).remove(path).unwrap(),
        |world, node, path| world.disk(node).spoil(path, 0).unwrap(),
        |world, node, path| world.disk(node).flip_bit(path, 200, 3).unwrap(),
    ];
    for (number, harm) in harms.iter().enumerate() {
        for names in [["a", "b"], ["b", "a"]] {
            let world = World::new(number as u64, Options::default());
            let node = world.node("node");
            for (life, name) in names.iter().cycle().take(4).enumerate() {
                let before = life as u64 * 120;
                world.block_on(node, move || async move {
                    let shard = Shard::open(options(), specs()).await;
                    let shard = shard.unwrap_or_else(|error| panic!("harm {number}: {error}"));
                    let position = shard.position(id(0)).unwrap();
                    assert_eq!(position.high_watermark as u64, before, "harm {number}");
                    for number in 0..120 {
                        let batch = batch(0, None, &vec![number as u8; 50_000]);
                        shard.append(vec![batch]).await.remove(0).unwrap();
                    }
                    assert!(shard.stats().checkpoints > 0);
                });
                world.crash(node, CrashKind::Kill);
                let path = format!("/data/shards/00000001/0/checkpoint.{name}");
                harm(&world, node, &path);
            }
        }
    }
}

/// Appends that are in line when the stop comes fill the journal after its last checkpoint: others
/// must follow, or nothing gives files back.
#[test]
fn a_stop_ends_with_more_in_line_than_the_journal_holds() {
    let options = || ShardOptions {
        journal_file_bytes: 256 << 10,
        journal_first_file_bytes: 256 << 10,
        journal_files_max: 2,
        ..options()
    };
    for seed in 0..SEEDS {
        let world = World::new(seed, Options::default());
        let node = world.node("node");
        let appended = world.block_on(node, move || async move {
            let shard = Shard::open(options(), specs()).await.unwrap();
            let appends = (0..80).map(|number| {
                let batch = batch(0, None, &vec![number; 30_000]);
                let shard = std::rc::Rc::clone(&shard);
                spawn(async move { shard.append(vec![batch]).await.remove(0).is_ok() })
            });
            let appends: Vec<_> = appends.collect();
            engine_rt::sleep(Duration::from_micros((seed + 1) * 300)).await;
            let stopped = timeout(now() + Duration::from_secs(20), shard.stop()).await;
            stopped.expect("a stop ends").unwrap();
            let mut appended = 0;
            for append in appends {
                appended += i64::from(append.await);
            }
            appended
        });
        let found = world.block_on(node, move || async move {
            let shard = Shard::open(options(), specs()).await.unwrap();
            shard.position(id(0)).unwrap().high_watermark
        });
        assert!(
            0 < appended && appended <= found,
            "seed {seed}: {appended}, {found}"
        );
    }
}

/// Chunks of old records are kept in memory for all readers: not so one that a bit has changed on its
/// way.
#[test]
fn a_fetch_that_meets_flipped_bits_reads_again() {
    const OF_CHUNKS: i64 = 40;
    for nth in 1..=8 {
        let world = World::new(nth, Options::default());
        let node = world.node("node");
        world.block_on(node, || async {
            let shard = Shard::open(options(), specs()).await.unwrap();
            for number in 0..OF_CHUNKS {
                let batch = batch(0, None, &vec![number as u8; 100_000]);
                shard.append(vec![batch]).await.remove(0).unwrap();
            }
            shard.stop().await.unwrap();
        });
        let reads = Operations::of(DiskOp::Read, Files::Segments);
        let flips = Fault::of_disk(node, reads, nth, Effect::FlipBit, Span::Times(4));
        world.inject(flips);
        world.block_on(node, move || async move {
            let shard = Shard::open(options(), specs()).await.unwrap();
            for offset in 0..OF_CHUNKS {
                let part = FetchPart::new(id(0), offset, 1);
                let fetched = shard.fetch(&[part], usize::MAX).await.remove(0);
                assert!(fetched.is_ok(), "read {nth}, offset {offset}: {fetched:?}");
            }
        });
        assert!(!world.strikes().is_empty(), "from read {nth} on");
    }
}
