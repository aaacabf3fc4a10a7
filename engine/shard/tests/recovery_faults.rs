//! A disk that fails while a shard recovers, in the simulation: what was acknowledged is not cut for
//! it.
#![cfg(test)]

mod support;

use engine_log::LogConfig;
use engine_rt::sim::{CrashKind, DiskOp, Effect, Fault, Files, Operations, Options, Span, World};
use engine_shard::{PartitionSpec, Shard};

use self::support::{batch, id, options, spec};

const SEEDS: u64 = 10;
const BATCHES: u64 = 3;

fn specs() -> Vec<PartitionSpec> {
    vec![spec(0, LogConfig::default())]
}

/// Appends that bypassed the journal are verified by a start that no mark precedes. Each of these
/// faults passes: the start may be refused for it, and the next one finds everything.
#[test]
fn a_fault_that_passes_cuts_nothing_that_was_acknowledged() {
    let faults = [
        (DiskOp::Read, Effect::Io),
        (DiskOp::Open, Effect::TooManyFiles),
        (DiskOp::Sync, Effect::Io),
    ];
    for seed in 0..SEEDS {
        for (op, effect) in faults {
            let world = World::new(seed, Options::default());
            let node = world.node("node");
            world.block_on(node, || async {
                let shard = Shard::open(options(), specs()).await.unwrap();
                for number in 0..BATCHES {
                    let batch = batch(0, None, &vec![number as u8; 100_000]);
                    shard.append(vec![batch]).await.remove(0).unwrap();
                }
            });
            world.crash(node, CrashKind::Kill);
            let on = Operations::of(op, Files::Segments);
            world.inject(Fault::of_disk(node, on, 1, effect, Span::Times(1)));
            let found = world.block_on(node, || async {
                match Shard::open(options(), specs()).await {
                    Ok(shard) => shard,
                    Err(_) => Shard::open(options(), specs()).await.unwrap(),
                }
                .position(id(0))
                .unwrap()
                .high_watermark
            });
            assert_eq!(found, BATCHES as i64, "seed {seed}: {op:?} {effect:?}");
        }
    }
}
