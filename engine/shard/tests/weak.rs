//! A topic whose acknowledgements do not wait for the flush, in the simulation: a power cut may take
//! what was not flushed, and nothing else.
#![cfg(test)]

mod support;

use std::time::Duration;

use engine_log::LogConfig;
use engine_rt::sim::{CrashKind, Options, World};
use engine_rt::sleep;
use engine_shard::{PartitionSpec, Shard, ShardOptions};

use self::support::{batch, id, spec};

const SEEDS: u64 = 30;
const BATCHES: u64 = 60;

fn options() -> ShardOptions {
    ShardOptions {
        journal_files_max: 2,
        ..support::options()
    }
}

fn specs() -> Vec<PartitionSpec> {
    let config = LogConfig {
        flush_before_ack: false,
        flush_ms: i64::MAX,
        ..LogConfig::default()
    };
    vec![spec(0, config)]
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
            let shard = Shard::open(options(), specs()).await.unwrap();
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
            let shard = Shard::open(options(), specs()).await;
            let shard = shard.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            let position = shard.position(id(0)).unwrap();
            assert!(position.high_watermark <= BATCHES as i64);
        });
    }
    assert!(checkpoints > 0, "no checkpoint was taken");
}
