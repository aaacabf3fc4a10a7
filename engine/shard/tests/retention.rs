//! Retention by time, in the simulation, while the wall clock jumps.
#![cfg(test)]

mod support;

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use engine_log::LogConfig;
use engine_rt::sim::{DiskOp, Fault, FaultKind, Files, Operations, Options, Trigger, World};
use engine_rt::{fs, sleep, wall_clock_ms};
use engine_shard::{PartitionSpec, ProduceBatch, Shard, ShardOptions};

use self::support::{batch, id, spec};

const HOUR_MS: i64 = 3_600_000;

fn options() -> ShardOptions {
    ShardOptions {
        retention_check_ms: 100,
        ..support::options()
    }
}

fn keeps(partition: u32, retention_ms: i64) -> PartitionSpec {
    let config = LogConfig {
        retention_ms,
        ..LogConfig::default()
    };
    spec(partition, config)
}

/// Opens a shard with a record of now in each of two partitions, and shows their log starts.
async fn show_log_starts(seen: Rc<Cell<Option<[i64; 2]>>>) {
    fs::create_dir_all(&options().data_dir).await.unwrap();
    fs::sync_dir(Path::new("/")).await.unwrap();
    let specs = vec![keeps(0, 0), keeps(1, HOUR_MS)];
    let shard = Shard::open(options(), specs).await.unwrap();
    for partition in [0, 1] {
        let batch = ProduceBatch {
            max_timestamp: wall_clock_ms(),
            ..batch(partition, None, b"value")
        };
        shard.append(vec![batch]).await.remove(0).unwrap();
    }
    loop {
        let start = |partition| shard.position(id(partition)).unwrap().log_start_offset;
        seen.set(Some([start(0), start(1)]));
        sleep(Duration::from_millis(10)).await;
    }
}

/// What was written a moment ago is not old because the clock jumped, at whichever write of the
/// journal that is: one of them is that of the first partition's log start.
#[test]
fn a_jump_of_the_clock_during_a_pass_takes_nothing() {
    let mut passed = 0;
    for nth in 1..6 {
        let world = World::new(nth, Options::default());
        let node = world.node("node");
        let seen = Rc::new(Cell::new(None));
        let shows = Rc::clone(&seen);
        world.start(node, move || show_log_starts(shows));
        world.run_until(|| seen.get().is_some());
        world.inject(Fault {
            node,
            life: 0,
            trigger: Trigger::Starts(Operations::of(DiskOp::Write, Files::Journals), nth),
            kind: FaultKind::ClockJump {
                by_ms: 72 * HOUR_MS,
            },
        });
        world.run_for(Duration::from_secs(2));
        let [first, second] = seen.get().unwrap();
        assert_eq!(second, 0, "the jump came with write {nth}");
        passed += first;
    }
    assert!(passed > 0, "retention took nothing");
}
