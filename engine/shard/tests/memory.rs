//! The memory that a shard's newest records take stays within its budget, in the simulation.
#![cfg(test)]

mod support;

use std::rc::Rc;
use std::time::Duration;

use engine_log::LogConfig;
use engine_rt::sim::{DiskOptions, Options, World};
use engine_rt::{fs, sleep, spawn};
use engine_shard::{ProduceBatch, Shard, ShardOptions};

use self::support::spec;

const TAIL_BYTES: u64 = 4 << 20;
const BATCH_BYTES: usize = 100_000;

fn options() -> ShardOptions {
    ShardOptions {
        tail_bytes_max: TAIL_BYTES,
        ..support::options()
    }
}

fn batch(partition: u32) -> ProduceBatch {
    support::batch(partition, None, &vec![7; BATCH_BYTES])
}

#[test]
fn the_tail_stays_within_its_budget_while_records_stream_in() {
    let disk = DiskOptions {
        latency: Duration::from_micros(50)..Duration::from_millis(1),
        ..DiskOptions::default()
    };
    let world = World::new(
        3,
        Options {
            disk,
            ..Options::default()
        },
    );
    let node = world.node("node");
    let peak = world.block_on(node, || async {
        fs::create_dir_all(&options().data_dir).await.unwrap();
        let spec = |partition| spec(partition, LogConfig::default());
        let shard = Shard::open(options(), (0..4).map(spec).collect())
            .await
            .unwrap();
        let mut peak = 0;
        for _ in 0..500 {
            let appends: Vec<_> = (0..8)
                .map(|number| {
                    let shard = Rc::clone(&shard);
                    spawn(async move { shard.append(vec![batch(number % 4)]).await })
                })
                .collect();
            for append in appends {
                append.await.remove(0).unwrap();
                peak = peak.max(shard.stats().tail_bytes);
            }
        }
        shard.stop().await.unwrap();
        peak
    });
    assert!(peak > TAIL_BYTES / 2, "{peak}");
    assert!(peak <= TAIL_BYTES + BATCH_BYTES as u64, "{peak}");
}

/// Relief takes a partition's oldest records a step at a time: what it did not get to is not what
/// cannot be freed. Where it is taken for that, memory stays full for ever.
#[test]
fn memory_is_given_back_when_nothing_more_is_appended() {
    let options = ShardOptions {
        tail_bytes_max: 4 * TAIL_BYTES,
        ..options()
    };
    let world = World::new(3, Options::default());
    let node = world.node("node");
    world.block_on(node, move || async move {
        fs::create_dir_all(&options.data_dir).await.unwrap();
        let specs = vec![spec(0, LogConfig::default())];
        let shard = Shard::open(options, specs).await.unwrap();
        for _ in 0..20 {
            let burst = vec![support::batch(0, None, &[7; 1024]); TAIL_BYTES as usize / 1024];
            for appended in shard.append(burst).await {
                appended.unwrap();
            }
            sleep(Duration::from_secs(1)).await;
            let held = shard.stats().tail_bytes;
            assert!(held <= TAIL_BYTES / 2 * 7, "{held}");
        }
        shard.stop().await.unwrap();
    });
}
