//! A node and a client, from start to stop and again.

use std::time::Duration;

use engine_rt::sim::{CrashKind, CrashPoint, NodeId, Options, World};
use engine_rt::{Buf, sleep};
use flumen::broker::{BrokerConfig, RunningBroker, StartError, start};
use flumen::client::{ClientError, Connection, Fetch, FetchFrom, NewTopic, Producer, ToProduce};
use net_admin::ReadyState;
use net_wire::ErrorCode;
use net_wire::batch::{BatchBuilder, Batches};
use net_wire::codec::Codecs;

use crate::support::{self, commit, committed, connect, find_coordinator};

fn config(shards: usize) -> BrokerConfig {
    support::config(shards, &[])
}

async fn started(shards: usize) -> RunningBroker {
    let started = start(config(shards)).await;
    started.expect("the node starts")
}

/// Lines of the start-up list that are more than a good sign.
fn warnings(node: &RunningBroker) -> String {
    let lines = node.report().lines.iter();
    let other = lines.filter(|line| line.mark != flumen::broker::Mark::Good);
    other
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

fn value(partition: i32, number: i64) -> String {
    format!("value {number} of partition {partition}")
}

fn batch(producer: &Producer, partition: i32, from: i64, count: i64) -> Buf {
    let builder = BatchBuilder::new();
    let mut builder = producer.stamp(builder, "t", partition, count as i32);
    for number in from..from + count {
        let key = number.to_be_bytes();
        builder.append(
            1_000 + number,
            Some(&key),
            Some(value(partition, number).as_bytes()),
            &[],
        );
    }
    let bytes = builder.build(&mut Codecs::new());
    Buf::copy_from_slice(&bytes.expect("uncompressed batches always build"))
}

/// Writes records `from..from + count` of every partition, in small batches, all on their way at
/// once.
async fn produce(connection: &Connection, partitions: i32, from: i64, count: i64) {
    let producer = Producer::new(connection).await.expect("a producer id");
    let mut waiting = Vec::new();
    for step in (0..count).step_by(5) {
        let batches: Vec<_> = (0..partitions)
            .map(|partition| ToProduce {
                topic: "t",
                partition,
                records: batch(&producer, partition, from + step, 5),
            })
            .collect();
        waiting.push(connection.produce(-1, &batches).expect("in line"));
    }
    for answer in waiting {
        for produced in answer.await.expect("an answer") {
            assert_eq!(produced.error, ErrorCode::NONE, "{produced:?}");
        }
    }
}

/// Reads a partition to its end and compares it with what was written.
async fn verify(connection: &Connection, partition: i32, count: i64) {
    let mut next = 0;
    while next < count {
        let from = FetchFrom {
            topic: "t",
            partition,
            offset: next,
            max_bytes: 4_000,
        };
        let fetch = Fetch {
            max_wait_ms: 500,
            min_bytes: 1,
            max_bytes: 10_000,
            partitions: vec![from],
        };
        let fetched = connection.fetch(&fetch).await.expect("an answer").remove(0);
        assert_eq!(fetched.error, ErrorCode::NONE);
        for batch in Batches::new(&fetched.records) {
            let batch = batch.expect("whole batches");
            assert!(batch.is_intact());
            for (number, record) in (batch.header().base_offset..).zip(batch.records()) {
                if number < next {
                    continue;
                }
                assert_eq!(number, next, "partition {partition} has a gap");
                let record = record.expect("a record");
                assert_eq!(record.key, Some(&number.to_be_bytes()[..]));
                assert_eq!(record.value, Some(value(partition, number).as_bytes()));
                next += 1;
            }
        }
    }
    let end = connection.list_offset("t", partition, -1).await;
    assert_eq!(end.expect("the end"), count);
}

async fn create(connection: &Connection, partitions: i32) -> Result<(), ClientError> {
    let new = NewTopic {
        name: "t",
        partitions,
        replication_factor: -1,
        configs: &[],
    };
    connection.create_topic(&new).await
}

#[test]
fn records_come_back_over_stops_and_other_numbers_of_shards() {
    let world = World::new(11, Options::default());
    let node = world.node("node");
    for (life, shards) in [(0, 2), (1, 2), (2, 3), (3, 1)] {
        world.block_on(node, move || async move {
            let running = started(shards).await;
            assert_eq!(running.admin().ready_state(), ReadyState::Ready);
            assert_eq!(warnings(&running), "");
            let connection = connect().await;
            if life == 0 {
                create(&connection, 5).await.expect("a new topic");
                let again = create(&connection, 5).await;
                let is_there = |error: &ClientError| {
                    matches!(error, ClientError::Refused { code, .. }
                        if *code == ErrorCode::TOPIC_ALREADY_EXISTS)
                };
                assert!(again.as_ref().is_err_and(is_there), "{again:?}");
            }
            produce(&connection, 5, life * 50, 50).await;
            for partition in 0..5 {
                verify(&connection, partition, (life + 1) * 50).await;
            }
            drop(connection);
            running.stop().await.expect("an orderly stop");
        });
    }
}

#[test]
fn a_kill_loses_nothing_and_opens_a_new_leader_epoch() {
    let world = World::new(12, Options::default());
    let node = world.node("node");
    for (life, kind) in [(0, CrashKind::Kill), (1, CrashKind::PowerCut)] {
        produce_then_crash(&world, node, life, kind);
    }
    world.block_on(node, || async {
        let running = started(2).await;
        assert!(warnings(&running).contains("did not end in order"));
        let connection = connect().await;
        for partition in 0..3 {
            verify(&connection, partition, 100).await;
        }
        let topic = connection.topic("t").await.expect("the topic");
        assert!(
            topic
                .partitions
                .iter()
                .all(|partition| partition.leader_epoch == 2)
        );
        let counters = running.admin().snapshot().await.expect("counters");
        assert_eq!((counters.node.topics, counters.node.partitions), (1, 3));
        assert_eq!(counters.node.unclean_starts, 2);
        let partitions = counters.shards.iter().map(|shard| shard.engine.partitions);
        assert_eq!(partitions.sum::<u64>(), 3);
        drop(connection);
        running.stop().await.expect("an orderly stop");
    });
}

fn produce_then_crash(world: &World, node: NodeId, life: i64, kind: CrashKind) {
    let done = std::rc::Rc::new(std::cell::Cell::new(false));
    let flag = std::rc::Rc::clone(&done);
    world.start(node, move || async move {
        let _running = started(2).await;
        let connection = connect().await;
        if life == 0 {
            create(&connection, 3).await.expect("a new topic");
        }
        produce(&connection, 3, life * 50, 50).await;
        flag.set(true);
        std::future::pending::<()>().await;
    });
    world.run_until(|| done.get());
    world.crash(node, kind);
}

#[test]
fn a_deleted_topic_leaves_no_files_and_its_name_is_free() {
    let world = World::new(13, Options::default());
    let node = world.node("node");
    world.block_on(node, || async {
        let running = started(2).await;
        let connection = connect().await;
        for _ in 0..2 {
            create(&connection, 3).await.expect("the name is free");
            produce(&connection, 3, 0, 500).await;
            verify(&connection, 2, 500).await;
            connection.delete_topic("t").await.expect("it was there");
            let gone = connection.topic("t").await.map(drop);
            assert!(gone.is_err(), "{gone:?}");
        }
        sleep(Duration::from_secs(1)).await;
        drop(connection);
        running.stop().await.expect("an orderly stop");
    });
    let files = world.disk(node).files();
    let left: Vec<_> = files
        .iter()
        .filter(|name| name.contains("/topics/"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_taken_address_and_a_directory_in_use_are_told() {
    let world = World::new(14, Options::default());
    let node = world.node("node");
    world.block_on(node, || async {
        let running = started(1).await;
        let taken = start(config(1)).await.map(drop);
        assert!(matches!(taken, Err(StartError::Listen { .. })), "{taken:?}");
        let mut other = config(1);
        other.listeners[0].bind.set_port(0);
        let in_use = start(other).await.map(drop);
        let message = in_use.expect_err("the directory is locked").to_string();
        assert!(message.contains("in use"), "{message}");
        running.stop().await.expect("an orderly stop");
    });
}

/// One life: starts, creates the topic if it is not there, appends at the end of every partition
/// until the node crashes. Gives the end of what was acknowledged, by partition.
fn write_until_crash(world: &World, node: NodeId, shards: usize) -> Vec<i64> {
    let acknowledged = std::rc::Rc::new(std::cell::RefCell::new(vec![0; PARTITIONS as usize]));
    let sink = std::rc::Rc::clone(&acknowledged);
    world.start(node, move || async move {
        let _running = started(shards).await;
        let connection = connect().await;
        // Whether it came about before a crash is not known.
        let _there = create(&connection, PARTITIONS).await;
        let producer = Producer::new(&connection).await.expect("a producer id");
        let mut ends = Vec::new();
        for partition in 0..PARTITIONS {
            let end = connection.list_offset("t", partition, -1).await;
            ends.push(end.expect("the end"));
        }
        loop {
            append_once(&connection, &producer, &mut ends, &sink).await;
        }
    });
    world.run_until(|| !world.is_running(node));
    acknowledged.take()
}

const PARTITIONS: i32 = 3;

async fn append_once(
    connection: &Connection,
    producer: &Producer,
    ends: &mut [i64],
    acknowledged: &std::cell::RefCell<Vec<i64>>,
) {
    let batches: Vec<_> = (0..PARTITIONS)
        .map(|partition| ToProduce {
            topic: "t",
            partition,
            records: batch(producer, partition, ends[partition as usize], 5),
        })
        .collect();
    let answer = connection.produce(-1, &batches).expect("in line");
    for produced in answer.await.expect("an answer") {
        assert_eq!(produced.error, ErrorCode::NONE, "{produced:?}");
        let at = produced.partition as usize;
        assert_eq!(produced.base_offset, ends[at]);
        ends[at] += 5;
        acknowledged.borrow_mut()[at] = ends[at];
    }
}

/// `FLUMEN_NODE_SEEDS` asks for more seeds than a check has time for.
#[test]
fn crashes_at_any_moment_lose_no_acknowledged_record() {
    let seeds = std::env::var("FLUMEN_NODE_SEEDS").map_or(12, |text| text.parse().unwrap());
    let mut records = 0;
    for seed in 0..seeds {
        let world = World::new(seed, Options::default());
        let node = world.node("node");
        let mut acknowledged = vec![0; PARTITIONS as usize];
        for life in 0..5 {
            let operations = 1 + (seed * 131 + life * 577) % 500;
            let kind = if (seed + life) % 3 == 0 {
                CrashKind::Kill
            } else {
                CrashKind::PowerCut
            };
            world.schedule_crash(node, CrashPoint::DiskStarts(operations), kind);
            let shards = 1 + ((seed + life / 2) % 3) as usize;
            let ends = write_until_crash(&world, node, shards);
            for (known, end) in acknowledged.iter_mut().zip(ends) {
                *known = end.max(*known);
            }
        }
        records += acknowledged.iter().sum::<i64>();
        world.block_on(node, move || async move {
            let running = started(2).await;
            let connection = connect().await;
            for (partition, promised) in (0..).zip(acknowledged).filter(|(_, end)| *end > 0) {
                let end = connection
                    .list_offset("t", partition, -1)
                    .await
                    .expect("the end");
                assert!(
                    end >= promised,
                    "seed {seed}: partition {partition} ends at {end}, not {promised}"
                );
                verify(&connection, partition, end).await;
            }
            drop(connection);
            running.stop().await.expect("an orderly stop");
        });
    }
    assert!(records > 100 * seeds as i64, "{records}");
}

/// Bytes by which compaction made logs smaller, once there are so many.
async fn freed_by_compaction(node: &RunningBroker, least: u64) {
    let mut freed = 0;
    for _ in 0..600 {
        let snapshot = node.admin().snapshot().await.expect("counters");
        freed = snapshot.shards[0].engine.cleaner_freed_bytes;
        if freed >= least {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("compaction freed {freed} bytes");
}

#[test]
fn the_offsets_topic_is_compacted_and_what_was_committed_last_stays() {
    const SETTINGS: [(&str, &str); 4] = [
        ("offsets.topic.num.partitions", "1"),
        ("offsets.topic.segment.bytes", "1048576"),
        ("log.cleaner.backoff.ms", "100"),
        ("log.cleaner.min.cleanable.ratio", "0.1"),
    ];
    let world = World::new(15, Options::default());
    let node = world.node("node");
    for life in 0..2 {
        world.block_on(node, move || async move {
            let started = start(support::config(1, &SETTINGS)).await;
            let running = started.expect("the node starts");
            let connection = connect().await;
            if life == 0 {
                create(&connection, 1).await.expect("a new topic");
            }
            find_coordinator(&connection).await;
            if life == 0 {
                for offset in 0..900 {
                    assert_eq!(commit(&connection, "t", offset).await, ErrorCode::NONE);
                }
                // Of four segments one is written to.
                freed_by_compaction(&running, 2 << 20).await;
            }
            assert_eq!(committed(&connection, "t").await, (ErrorCode::NONE, 899));
            drop(connection);
            running.stop().await.expect("an orderly stop");
        });
    }
}
