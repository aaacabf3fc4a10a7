//! A journal whose writes fail, in the simulation: what was not acknowledged is refused, the shard
//! recovers by itself, and everything acknowledged is there.
#![cfg(test)]

mod support;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use engine_log::LogConfig;
use engine_rt::sim::{DiskOp, DiskOptions, Effect, Fault, Files, Operations, Options, Span, World};
use engine_rt::{fs, now, sleep, spawn};
use engine_shard::{FetchPart, PartitionSpec, ProduceBatch, Shard, ShardError, ShardOptions};
use net_wire::batch::Batches;

use self::support::{id, spec};

const PARTITIONS: u32 = 3;

fn options() -> ShardOptions {
    ShardOptions {
        tail_bytes_max: 2 << 20,
        ..support::options()
    }
}

fn specs() -> Vec<PartitionSpec> {
    let config = LogConfig {
        segment_bytes: 1 << 20,
        ..LogConfig::default()
    };
    (0..PARTITIONS)
        .map(|partition| spec(partition, config))
        .collect()
}

/// A batch of one record with a number as its key.
fn batch(partition: u32, number: u64) -> ProduceBatch {
    let bytes = if number.is_multiple_of(5) {
        100_000
    } else {
        3_000
    };
    let value = vec![number as u8; bytes];
    support::batch(partition, Some(&number.to_be_bytes()), &value)
}

/// What was acknowledged: partition, offset, number.
type Acknowledged = Rc<RefCell<Vec<(u32, i64, u64)>>>;

/// Appends to a partition for a while, whatever the answers.
async fn produce(
    shard: Rc<Shard>,
    partition: u32,
    acknowledged: Acknowledged,
    refused: Rc<Cell<u64>>,
) {
    let until = now() + Duration::from_secs(8);
    let mut number = 0;
    while now() < until {
        match shard.append(vec![batch(partition, number)]).await.remove(0) {
            Ok(appended) => {
                let seen = (partition, appended.base_offset, number);
                acknowledged.borrow_mut().push(seen);
            },
            Err(ShardError::Storage(_)) => refused.set(refused.get() + 1),
            Err(other) => panic!("{other}"),
        }
        number += 1;
        sleep(Duration::from_millis(3)).await;
    }
}

/// Reads a log from its start: the numbers, by offset.
async fn read_all(shard: &Rc<Shard>, partition: u32) -> Vec<u64> {
    let mut numbers = Vec::new();
    loop {
        let part = FetchPart::new(id(partition), numbers.len() as i64, 1 << 20);
        let fetched = shard.fetch(&[part], 1 << 20).await.remove(0).unwrap();
        let parts: Vec<&[u8]> = fetched.records.iter().map(|part| &part[..]).collect();
        let before = numbers.len();
        for batch in Batches::new(&parts.concat()) {
            let batch = batch.unwrap();
            assert!(batch.is_intact());
            let record = batch.records().next().unwrap().unwrap();
            numbers.push(u64::from_be_bytes(record.key.unwrap().try_into().unwrap()));
        }
        if numbers.len() == before {
            assert_eq!(fetched.high_watermark, before as i64);
            return numbers;
        }
    }
}

async fn check(shard: &Rc<Shard>, acknowledged: &Acknowledged) {
    for partition in 0..PARTITIONS {
        let found = read_all(shard, partition).await;
        for (_, offset, number) in acknowledged.borrow().iter().filter(|a| a.0 == partition) {
            assert_eq!(found.get(*offset as usize), Some(number), "{partition}");
        }
        assert!(found.is_sorted_by(|a, b| a < b), "each once, in order");
    }
}

/// Plays one fault of the journal's disk; how many appends were refused.
fn play(seed: u64, op: DiskOp, times: u64) -> u64 {
    let disk = DiskOptions {
        latency: Duration::from_micros(50)..Duration::from_millis(4),
        ..DiskOptions::default()
    };
    let world = World::new(
        seed,
        Options {
            disk,
            ..Options::default()
        },
    );
    let node = world.node("node");
    let on = Operations::of(op, Files::Journals);
    let nth = 101 + seed * 37;
    world.inject(Fault::of_disk(
        node,
        on,
        nth,
        Effect::Io,
        Span::Times(times),
    ));
    world.block_on(node, || async {
        fs::create_dir_all(&options().data_dir).await.unwrap();
        let shard = Shard::open(options(), specs()).await.unwrap();
        let (acknowledged, refused) = (Acknowledged::default(), Rc::new(Cell::new(0)));
        let producers: Vec<_> = (0..PARTITIONS)
            .map(|partition| {
                let (acknowledged, refused) = (Rc::clone(&acknowledged), Rc::clone(&refused));
                spawn(produce(Rc::clone(&shard), partition, acknowledged, refused))
            })
            .collect();
        for producer in producers {
            producer.await;
        }
        assert!(shard.stats().journals_recovered > 0, "nothing failed");
        let last = acknowledged.borrow().last().map(|last| last.2);
        assert!(last > Some(500), "appends go on: {last:?}");
        check(&shard, &acknowledged).await;
        shard.stop().await.unwrap();
        let shard = Shard::open(options(), specs()).await.unwrap();
        check(&shard, &acknowledged).await;
        shard.stop().await.unwrap();
        refused.get()
    })
}

#[test]
fn a_shard_recovers_from_a_failed_write_of_its_journal() {
    let refused: u64 = (0..30).map(|seed| play(seed, DiskOp::Write, 1)).sum();
    assert!(refused >= 30, "{refused}");
}

#[test]
fn a_shard_keeps_trying_on_a_disk_that_fails_for_a_while() {
    for seed in 0..10 {
        assert!(play(seed, DiskOp::Write, 6) > 5);
    }
}
