//! A day of virtual time: a topic that is compacted, one that is deleted from, one that is both, and a
//! group's offsets; clients at all of them, and two power cuts.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::sim::{CrashKind, DiskView, Options, World};
use engine_rt::{Buf, now, sleep_until, wall_clock_ms};
use engine_shard::TopicPartition;
use flumen::broker::start;
use flumen::client::{Connection, Fetch, FetchFrom, NewTopic, ToProduce};
use net_wire::ErrorCode;
use net_wire::batch::{BatchBuilder, Batches};
use net_wire::codec::Codecs;

use crate::support::{commit, committed, config, connect, find_coordinator};

const DAY_MIN: i64 = 24 * 60;
/// Records in a minute, of each topic.
const RECORDS: i64 = 50;
/// Keys at first; later some are not written any more.
const KEYS: i64 = 1_000;
const KEYS_LATER: i64 = 900;
const FEWER_FROM_MIN: i64 = 120;
const VALUE_BYTES: usize = 200;
/// A record, with its share of what a batch of one adds.
const RECORD_BYTES: u64 = 300;
const SEGMENT_BYTES: u64 = 256 << 10;
const OFFSETS_SEGMENT_BYTES: u64 = 1 << 20;
/// What the file of a segment that is written to has reserved beyond its bytes.
const RESERVED_BYTES: u64 = 512 << 10;
const RETENTION_MIN: i64 = 6 * 60;

/// The topics with their policies. Tombstones stay for an hour.
const TOPICS: [(&str, &str); 3] = [
    ("table", "compact"),
    ("both", "compact,delete"),
    ("log", "delete"),
];

/// The key of the record at an offset.
const fn key(offset: i64) -> i64 {
    let keys = if offset / RECORDS < FEWER_FROM_MIN {
        KEYS
    } else {
        KEYS_LATER
    };
    offset * 7 % keys
}

/// The value of the record at an offset.
fn value(offset: i64) -> Option<[u8; VALUE_BYTES]> {
    let mut value = [offset as u8; VALUE_BYTES];
    value[..8].copy_from_slice(&offset.to_be_bytes());
    (offset % 10 != 3).then_some(value)
}

fn batch(from: i64) -> Buf {
    let mut builder = BatchBuilder::new();
    for offset in from..from + RECORDS {
        let (key, value) = (key(offset).to_be_bytes(), value(offset));
        let value = value.as_ref().map(|value| &value[..]);
        builder.append(wall_clock_ms(), Some(&key), value, &[]);
    }
    let bytes = builder.build(&mut Codecs::new());
    Buf::copy_from_slice(&bytes.expect("uncompressed batches always build"))
}

async fn create(connection: &Connection) {
    let (segment, retention) = (
        SEGMENT_BYTES.to_string(),
        (RETENTION_MIN * 60_000).to_string(),
    );
    for (name, policy) in TOPICS {
        let configs = [
            ("cleanup.policy", policy),
            ("internal.segment.bytes", segment.as_str()),
            ("segment.ms", "3600000"),
            ("retention.ms", retention.as_str()),
            ("delete.retention.ms", "3600000"),
        ];
        let new = NewTopic {
            name,
            partitions: 1,
            replication_factor: -1,
            configs: &configs,
        };
        connection.create_topic(&new).await.expect("a new topic");
    }
}

async fn produce(connection: &Connection, from: i64) {
    let batches = TOPICS.map(|(topic, _)| ToProduce {
        topic,
        partition: 0,
        records: batch(from),
    });
    let answer = connection.produce(-1, &batches).expect("in line");
    for produced in answer.await.expect("an answer") {
        assert_eq!(produced.error, ErrorCode::NONE, "{produced:?}");
        assert_eq!(produced.base_offset, from);
    }
}

/// Reads on to the end; gives the offsets that are there, each with the record that was sent.
async fn read(connection: &Connection, topic: &str, from: i64) -> Vec<i64> {
    let (mut next, mut seen) = (from, Vec::new());
    let end = connection.list_offset(topic, 0, -1).await.expect("the end");
    while next < end {
        let fetch = Fetch {
            max_wait_ms: 500,
            min_bytes: 1,
            max_bytes: 1 << 20,
            partitions: vec![FetchFrom {
                topic,
                partition: 0,
                offset: next,
                max_bytes: 1 << 20,
            }],
        };
        let fetched = connection.fetch(&fetch).await.expect("an answer").remove(0);
        assert_eq!(fetched.error, ErrorCode::NONE, "{topic} at {next}");
        for batch in Batches::new(&fetched.records) {
            let batch = batch.expect("whole batches");
            for record in batch.records() {
                let record = record.expect("a record");
                let offset = batch.header().offset_of(&record);
                assert_eq!(record.key, Some(&key(offset).to_be_bytes()[..]));
                assert_eq!(record.value, value(offset).as_ref().map(|value| &value[..]));
                seen.push(offset);
            }
            assert!(batch.header().next_offset() > next, "{topic} at {next}");
            next = batch.header().next_offset();
        }
    }
    seen.retain(|offset| *offset >= from);
    assert!(seen.is_sorted_by(|before, after| before < after));
    seen
}

/// Bytes of a topic's files.
async fn bytes_on_disk(connection: &Connection, disk: &DiskView, topic: &str) -> u64 {
    let id = connection.topic(topic).await.expect("it is there").topic_id;
    let dir = format!("/topics/{}/", TopicPartition::topic_dir(id));
    let files = disk.files();
    let files = files.iter().filter(|path| path.contains(&dir));
    files
        .map(|path| disk.read(path).expect("a file").len() as u64)
        .sum()
}

/// What is alive: of each key one record.
async fn disk_use_is_bounded(connection: &Connection, disk: &DiskView) {
    let live = KEYS as u64 * RECORD_BYTES;
    let bound = 2 * live + 2 * SEGMENT_BYTES + RESERVED_BYTES;
    for topic in ["table", "both"] {
        let used = bytes_on_disk(connection, disk, topic).await;
        assert!(used <= bound, "{topic}: {used} of {bound}");
    }
    let bound = 2 * OFFSETS_SEGMENT_BYTES + OFFSETS_SEGMENT_BYTES;
    let used = bytes_on_disk(connection, disk, "__consumer_offsets").await;
    assert!(used <= bound, "offsets: {used} of {bound}");
}

/// The newest offset of each key among these.
fn newest(offsets: impl Iterator<Item = i64>) -> BTreeMap<i64, i64> {
    offsets.map(|offset| (key(offset), offset)).collect()
}

/// At the end of the day, all of it read from its start.
async fn is_complete(connection: &Connection) {
    let end = DAY_MIN * RECORDS;
    let minute = |offset: i64| offset / RECORDS;
    let expired = |offset: i64| minute(offset) < DAY_MIN - RETENTION_MIN;

    let table = read(connection, "table", 0).await;
    let expected = newest(0..end);
    let found = newest(table.iter().copied());
    for (key, offset) in &expected {
        let is_young = minute(*offset) >= DAY_MIN - 60;
        let stays = value(*offset).is_some() || is_young;
        let is_there = found.get(key) == Some(offset);
        // Those of keys that are not written any more have had their hour, many times.
        let went = *key >= KEYS_LATER && !stays;
        assert!(is_there || !stays, "the last record of key {key}, {offset}");
        assert!(!(is_there && went), "the tombstone of key {key}, {offset}");
    }

    let start = connection.list_offset("log", 0, -2).await;
    let start = start.expect("the start");
    let late = DAY_MIN - RETENTION_MIN - 90..=DAY_MIN - RETENTION_MIN;
    assert!(late.contains(&minute(start)), "the log starts at {start}");
    let found = read(connection, "log", start).await;
    assert!(found.into_iter().eq(start..end), "the log has gaps");

    let start = connection.list_offset("both", 0, -2).await;
    let found = read(connection, "both", start.expect("the start")).await;
    let found = newest(found.into_iter());
    for (key, offset) in expected.iter().filter(|(_, offset)| !expired(**offset)) {
        let stays = value(*offset).is_some();
        assert!(
            !stays || found.get(key) == Some(offset),
            "key {key} of both"
        );
    }
}

/// From one minute of the day to another; a new life of the node each time.
async fn live(minutes: std::ops::Range<i64>, disk: DiskView, acknowledged: Rc<RefCell<i64>>) {
    let settings = [
        ("offsets.topic.num.partitions", "1"),
        ("offsets.topic.segment.bytes", "1048576"),
    ];
    let running = start(config(2, &settings)).await.expect("the node starts");
    let connection = connect().await;
    if minutes.start == 0 {
        create(&connection).await;
    }
    find_coordinator(&connection).await;
    let before = *acknowledged.borrow();
    assert_eq!(
        committed(&connection, "table").await,
        (ErrorCode::NONE, before)
    );
    let begun = now();
    for minute in minutes.clone() {
        let passed = (minute - minutes.start) as u64 * 60;
        sleep_until(begun + Duration::from_secs(passed)).await;
        produce(&connection, minute * RECORDS).await;
        for (topic, _) in TOPICS {
            read(&connection, topic, minute * RECORDS).await;
        }
        let offset = (minute + 1) * RECORDS;
        assert_eq!(commit(&connection, "table", offset).await, ErrorCode::NONE);
        *acknowledged.borrow_mut() = offset;
        if minute % 60 == 59 {
            disk_use_is_bounded(&connection, &disk).await;
        }
    }
    if minutes.end == DAY_MIN {
        is_complete(&connection).await;
        drop(connection);
        running.stop().await.expect("an orderly stop");
    }
}

#[test]
fn a_day_leaves_what_it_has_to_and_no_more() {
    let world = World::new(
        24,
        Options {
            time_limit: Duration::from_hours(25),
            ..Options::default()
        },
    );
    let node = world.node("node");
    let acknowledged = Rc::new(RefCell::new(-1));
    for minutes in [0..500, 500..1_001, 1_001..DAY_MIN] {
        let (disk, acknowledged) = (world.disk(node), Rc::clone(&acknowledged));
        world.block_on(node, move || live(minutes, disk, acknowledged));
        world.crash(node, CrashKind::PowerCut);
    }
}
