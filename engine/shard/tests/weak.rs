//! A topic whose acknowledgements do not wait for the flush, in the simulation: a power cut may take
//! what was not flushed, and nothing else.
#![cfg(test)]

mod support;

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use engine_log::LogConfig;
use engine_rt::sim::{CrashKind, Options, World};
use engine_rt::{fs, sleep};
use engine_shard::{OpenError, PartitionSpec, Shard, ShardOptions};

use self::support::{batch, id, spec};

const SEEDS: u64 = 30;
const BATCHES: u64 = 60;

fn options() -> ShardOptions {
    ShardOptions {
        journal_files_max: 2,
        ..support::options()
    }
}

fn weak(partition: u32, flush_ms: i64) -> PartitionSpec {
    let config = LogConfig {
        flush_before_ack: false,
        flush_ms,
        ..LogConfig::default()
    };
    spec(partition, config)
}

fn specs() -> Vec<PartitionSpec> {
    vec![weak(0, i64::MAX)]
}

/// Opens the shard. The name of the data directory is durable before, as a node makes it.
async fn open(specs: Vec<PartitionSpec>) -> Result<Rc<Shard>, OpenError> {
    fs::create_dir_all(&options().data_dir).await.unwrap();
    fs::sync_dir(Path::new("/")).await.unwrap();
    Shard::open(options(), specs).await
}

/// The journal turns over and is used again, with nothing that asks for a flush; then the power
/// fails. A checkpoint must not name a place in the journal that the disk never had.
#[test]
fn a_shard_with_unflushed_appends_starts_after_a_power_cut() {
    let mut checkpoints = 0;
    for seed in 0..SEEDS {
        let world = World::new(seed, Options::default());
        let node = world.node("node");
        let taken = world.block_on(node, || async {
            let shard = open(specs()).await.unwrap();
            for number in 0..BATCHES {
                let batch = batch(0, None, &vec![number as u8; 50_000]);
                shard.append(vec![batch]).await.remove(0).unwrap();
                sleep(Duration::from_millis(2)).await;
            }
            shard.stats().checkpoints
        });
        checkpoints += taken;
        world.crash(node, CrashKind::PowerCut);
        world.block_on(node, move || async move {
            let shard = open(specs()).await;
            let shard = shard.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            let position = shard.position(id(0)).unwrap();
            assert!(position.high_watermark <= BATCHES as i64);
        });
    }
    assert!(checkpoints > 0, "no checkpoint was taken");
}

/// `flush.ms` bounds the delay of each topic's flush, whatever another topic of the shard has.
#[test]
fn a_flush_is_not_later_than_the_topic_asks_for() {
    let specs = || vec![weak(0, 3_600_000), weak(1, 10)];
    for seed in 0..SEEDS {
        let world = World::new(seed, Options::default());
        let node = world.node("node");
        world.block_on(node, move || async move {
            let shard = open(specs()).await.unwrap();
            for partition in [0, 1] {
                let batch = batch(partition, None, b"value");
                shard.append(vec![batch]).await.remove(0).unwrap();
            }
            sleep(Duration::from_secs(1)).await;
        });
        world.crash(node, CrashKind::PowerCut);
        world.block_on(node, move || async move {
            let shard = open(specs()).await.unwrap();
            let position = shard.position(id(1)).unwrap();
            assert_eq!(position.high_watermark, 1, "seed {seed}");
        });
    }
}
