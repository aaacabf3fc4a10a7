//! `fetch.read.path=sendfile`: old records leave as ranges of their files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine_rt::fs::{self, File, OpenOptions};
use engine_rt::{now, sim, sleep};
use engine_shard::{LogConfig, ReadPath};
use net_wire::batch::Batches;
use net_wire::messages::fetch::FetchResponse;
use net_wire::{ErrorCode, Uuid};

use crate::client::{Client, batch};
use crate::fetch::{fetch_request, partitions};
use crate::node::{Node, Setup, with_node_of};
use crate::topics::delete_topic;

/// Batches by partition and offset.
type Log = BTreeMap<(i32, i64), Vec<u8>>;

fn setup(shards: usize) -> Setup {
    Setup {
        storage: |options| {
            options.read_path = ReadPath::Sendfile;
            options.tail_bytes_max = 1 << 20;
        },
        log: LogConfig {
            segment_bytes: 4 << 20,
            ..LogConfig::default()
        },
        ..Setup::shards(shards)
    }
}

/// A calm world, or one whose kernel lets go of half the pages between a look and the next.
fn world(seed: u64, evict: f64) -> sim::World {
    let mut options = sim::Options::default();
    options.disk.evict = evict;
    options.net.window_bytes = 64 << 10;
    sim::World::new(seed, options)
}

async fn fill(client: &Client, partitions: i32, batches: usize) {
    client.create_topic("t", partitions, &[]).await;
    for number in 0..batches {
        for partition in 0..partitions {
            let batch = batch(&format!("{partition}-{number}"), 9, 9_000);
            let outcome = client.produce(9, "t", partition, &batch).await;
            assert_eq!(outcome.0, ErrorCode::NONE);
        }
    }
}

/// Reads a partition to its end, as a consumer does.
async fn read_partition(client: &Client, partition: i32, log: &mut Log) {
    let mut offset = 0;
    loop {
        let body = fetch_request("t", Uuid::ZERO, &[(partition, offset)]);
        let answer = client.ask(11, &body).await;
        let response: FetchResponse<'_> = answer.decode();
        let data = partitions(&response)[0];
        assert_eq!(data.error_code, ErrorCode::NONE);
        let before = offset;
        for batch in Batches::new(data.records.as_ref().unwrap().bytes()) {
            let batch = batch.expect("whole batches");
            assert!(batch.is_intact());
            offset = batch.header().next_offset();
            let key = (partition, batch.header().base_offset);
            let known = log.entry(key).or_insert_with(|| batch.bytes().to_vec());
            assert!(known == batch.bytes(), "{key:?} differs");
        }
        if offset == before {
            assert_eq!(offset, data.high_watermark);
            return;
        }
    }
}

async fn file_bytes_out(node: &Node) -> u64 {
    let metrics = node.metrics().await;
    metrics.iter().map(|one| one.file_bytes_out).sum()
}

/// Reads the first records over and over until they come from their file.
async fn until_resident(node: &Node, client: &Client) {
    let before = file_bytes_out(node).await;
    let body = fetch_request("t", Uuid::ZERO, &[(0, 0)]);
    while file_bytes_out(node).await == before {
        client.ask(11, &body).await;
        sleep(Duration::from_millis(20)).await;
    }
}

async fn segments() -> Vec<PathBuf> {
    let topics = Path::new("/data/topics");
    let mut found = Vec::new();
    for topic in fs::read_dir(topics).await.unwrap() {
        let dir = topics.join(topic);
        let names = fs::read_dir(&dir).await.unwrap();
        found.extend(names.iter().map(|name| dir.join(name)));
    }
    found
}

#[test]
fn what_leaves_from_files_is_what_left_from_memory() {
    let (mut resident, mut cold) = (0, 0);
    for (seed, evict) in [(1, 0.0), (2, 0.05), (3, 0.5)] {
        let world = world(seed, evict);
        with_node_of(&world, &setup(3), |node| async move {
            let client = node.connect().await;
            fill(&client, 3, 40).await;
            let mut log = Log::new();
            // The first pass is of memory alone; the others by connections of every shard.
            let clients = [client, node.connect().await, node.connect().await];
            for pass in 0..4 {
                for client in &clients {
                    for partition in 0..3 {
                        read_partition(client, partition, &mut log).await;
                    }
                }
                assert_eq!(log.len(), 3 * 40, "pass {pass}");
            }
            let sent = file_bytes_out(&node).await;
            assert!(sent > 10_000_000, "{sent} bytes from files");
            // Nothing is held when all is sent.
            let metrics = node.metrics().await;
            assert!(metrics.iter().all(|one| one.response_bytes_queued == 0));
        });
        resident += world.stats().resident_sends;
        cold += world.stats().cold_sends;
    }
    assert!(resident > 300, "{resident} ranges from resident pages");
    assert!(
        cold > 30,
        "{cold} ranges were evicted before they were sent"
    );
}

#[test]
fn a_slow_reader_gets_its_bytes_and_holds_nobody_up() {
    for (seed, evict) in [(1, 0.0), (2, 0.7)] {
        with_node_of(&world(seed, evict), &setup(1), |node| async move {
            let client = node.connect().await;
            fill(&client, 1, 30).await;
            let body = fetch_request("t", Uuid::ZERO, &[(0, 0)]);
            let expected = client.ask(11, &body).await;
            until_resident(&node, &client).await;
            let slow = node.connect().await;
            slow.send(11, &body).await;
            let mut got = Vec::new();
            while got.len() < 4 + expected.bytes().len() {
                let asked = now();
                client.ask(11, &body).await;
                assert!(now() - asked < Duration::from_secs(2));
                let some = slow.receive_some(20_000).await;
                assert!(!some.is_empty(), "closed after {} bytes", got.len());
                got.extend(some);
                sleep(Duration::from_millis(100)).await;
            }
            // All but the correlation id.
            assert!(got[8..] == expected.bytes()[4..]);
        });
    }
}

#[test]
fn a_topic_deleted_while_its_records_are_sent_is_sent_and_gone() {
    for seed in 1..=3 {
        with_node_of(&world(seed, 0.0), &setup(2), |node| async move {
            let client = node.connect().await;
            fill(&client, 2, 30).await;
            let mut log = Log::new();
            for partition in [0, 1] {
                read_partition(&client, partition, &mut log).await;
            }
            until_resident(&node, &client).await;
            // Two connections: one of them is on another shard than the partition.
            let slow = [node.connect().await, node.connect().await];
            let body = fetch_request("t", Uuid::ZERO, &[(0, 0)]);
            let mut asked = Vec::new();
            for one in &slow {
                asked.push(one.send(11, &body).await);
            }
            sleep(Duration::from_secs(1)).await;
            let before = file_bytes_out(&node).await;
            delete_topic(&client, "t").await;
            sleep(Duration::from_secs(1)).await;
            let answer = client.ask(11, &body).await;
            let response: FetchResponse<'_> = answer.decode();
            let code = partitions(&response)[0].error_code;
            assert_eq!(code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
            assert!(!segments().await.is_empty(), "somebody still reads");
            for (one, id) in slow.iter().zip(asked) {
                let answer = one.receive(11, id).await.expect("an answer");
                let response: FetchResponse<'_> = answer.decode();
                let records = partitions(&response)[0].records.as_ref().unwrap();
                assert!(records.bytes().len() > 800_000);
                for batch in Batches::new(records.bytes()) {
                    let batch = batch.expect("whole batches");
                    assert!(log[&(0, batch.header().base_offset)] == batch.bytes());
                }
            }
            assert!(file_bytes_out(&node).await >= before + 2 * 800_000);
            sleep(Duration::from_secs(1)).await;
            assert_eq!(segments().await, Vec::<PathBuf>::new());
        });
    }
}

#[test]
fn a_file_that_became_shorter_ends_the_connection_within_the_answer() {
    with_node_of(&world(5, 0.0), &setup(1), |node| async move {
        let client = node.connect().await;
        fill(&client, 1, 30).await;
        let body = fetch_request("t", Uuid::ZERO, &[(0, 0)]);
        let expected = client.ask(11, &body).await;
        until_resident(&node, &client).await;
        let slow = node.connect().await;
        slow.send(11, &body).await;
        let mut got = slow.receive_some(1_000).await;
        for path in segments().await {
            let file = File::open(&path, OpenOptions::default()).await.unwrap();
            file.set_len(8_192).await.unwrap();
        }
        loop {
            let some = slow.receive_some(100_000).await;
            if some.is_empty() {
                break;
            }
            got.extend(some);
        }
        assert!(got.len() < expected.bytes().len());
        assert!(
            got[8..] == expected.bytes()[4..got.len() - 4],
            "no wrong byte"
        );
        // The node goes on, and what is in memory is served.
        let (code, offset) = client.produce(9, "t", 0, &batch("more", 1, 10)).await;
        assert_eq!((code, offset), (ErrorCode::NONE, 270));
        let newest = fetch_request("t", Uuid::ZERO, &[(0, 270)]);
        let answer = client.ask(11, &newest).await;
        let response: FetchResponse<'_> = answer.decode();
        assert_eq!(partitions(&response)[0].error_code, ErrorCode::NONE);
    });
}
