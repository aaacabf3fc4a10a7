//! Fetch: limits, waits, topic ids.

use std::time::Duration;

use engine_rt::{now, sim, sleep};
use net_wire::batch::{Batches, RecordIter};
use net_wire::codec::Codecs;
use net_wire::messages::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData, READ_COMMITTED,
};
use net_wire::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use net_wire::{ApiKey, ErrorCode, Uuid};

use crate::client::{Client, batch};
use crate::node::{Node, Setup, with_node};

/// Wants of one topic: partition and offset.
pub(crate) fn fetch_request<'a>(
    topic: &'a str,
    topic_id: Uuid,
    partitions: &[(i32, i64)],
) -> FetchRequest<'a> {
    let partitions = partitions
        .iter()
        .map(|(partition, fetch_offset)| FetchPartition {
            partition: *partition,
            fetch_offset: *fetch_offset,
            partition_max_bytes: 1 << 20,
            ..FetchPartition::default()
        });
    FetchRequest {
        max_bytes: 50 << 20,
        min_bytes: 1,
        topics: vec![FetchTopic {
            topic,
            topic_id,
            partitions: partitions.collect(),
        }],
        ..FetchRequest::default()
    }
}

pub(crate) fn partitions<'a>(response: &'a FetchResponse<'a>) -> Vec<&'a PartitionData<'a>> {
    response
        .responses
        .iter()
        .flat_map(|topic| &topic.partitions)
        .collect()
}

/// Offsets and values of the records at and behind `from`.
fn values(data: &PartitionData<'_>, from: i64) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    for batch in Batches::new(data.records.as_ref().unwrap().bytes()) {
        let batch = batch.unwrap();
        assert!(batch.is_intact());
        let base = batch.header().base_offset;
        Codecs::new()
            .with_decompressed(&batch, 1 << 30, |payload, _| {
                for record in RecordIter::new(batch.header(), payload) {
                    let record = record?;
                    let value = String::from_utf8_lossy(record.value.unwrap()).into_owned();
                    found.push((base + i64::from(record.offset_delta), value));
                }
                Ok(())
            })
            .unwrap();
    }
    found.retain(|(offset, _)| *offset >= from);
    found
}

/// Everything from an offset on, by as many requests as it takes.
pub(crate) async fn read_values(
    client: &Client,
    topic: &str,
    partition: i32,
    from: i64,
) -> Vec<(i64, String)> {
    let mut all = Vec::new();
    let mut offset = from;
    loop {
        let answer = client
            .ask(
                11,
                &fetch_request(topic, Uuid::ZERO, &[(partition, offset)]),
            )
            .await;
        let response: FetchResponse<'_> = answer.decode();
        let data = partitions(&response)[0];
        assert!(data.error_code.is_none(), "{data:?}");
        let found = values(data, offset);
        let Some((last, _)) = found.last() else {
            assert_eq!(offset, data.high_watermark);
            return all;
        };
        assert_eq!(
            found[0].0, offset,
            "the batch that holds the offset comes first"
        );
        offset = last + 1;
        all.extend(found);
    }
}

pub(crate) async fn topic_id(client: &Client, name: &str) -> Uuid {
    let asked = MetadataRequestTopic {
        name: Some(name),
        ..Default::default()
    };
    let answer = client
        .ask(
            12,
            &MetadataRequest {
                topics: Some(vec![asked]),
                ..Default::default()
            },
        )
        .await;
    let response: MetadataResponse<'_> = answer.decode();
    response.topics[0].topic_id
}

pub(crate) async fn append(client: &Client, topic: &str, partition: i32, tag: &str, bytes: usize) {
    let (code, _) = client
        .produce(9, topic, partition, &batch(tag, 1, bytes))
        .await;
    assert!(code.is_none(), "{code}");
}

#[test]
fn every_version_reads_what_was_written() {
    with_node(&Setup::shards(2), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 3, &[]).await;
        for partition in 0..3 {
            append(&client, "t", partition, &format!("p{partition}"), 100).await;
        }
        let id = topic_id(&client, "t").await;
        for version in ApiKey::Fetch.versions() {
            let mut body = fetch_request("t", id, &[(0, 0), (1, 0), (2, 1)]);
            body.isolation_level = READ_COMMITTED;
            let answer = client.ask(version, &body).await;
            let response: FetchResponse<'_> = answer.decode();
            assert!(response.error_code.is_none());
            let data = partitions(&response);
            let found: Vec<_> = data.iter().map(|data| values(data, 0).len()).collect();
            assert_eq!(found, [1, 1, 0], "version {version}");
            for data in data {
                assert_eq!((data.high_watermark, data.last_stable_offset), (1, 1));
                assert_eq!(data.aborted_transactions, Some(Vec::new()));
                // librdkafka fails on null records.
                assert!(data.records.is_some());
            }
        }
    });
}

#[test]
fn an_offset_within_a_batch_gets_the_whole_batch() {
    with_node(&Setup::default(), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 1, &[]).await;
        client.produce(9, "t", 0, &batch("x", 10, 10)).await;
        let answer = client
            .ask(4, &fetch_request("t", Uuid::ZERO, &[(0, 7)]))
            .await;
        let response: FetchResponse<'_> = answer.decode();
        assert_eq!(values(partitions(&response)[0], 0).len(), 10);
    });
}

#[test]
fn the_first_batch_comes_whole_whatever_the_limits() {
    with_node(&Setup::shards(2), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 4, &[]).await;
        for partition in 1..4 {
            append(&client, "t", partition, "large", 30_000).await;
        }
        let mut body = fetch_request("t", Uuid::ZERO, &[(0, 0), (1, 0), (2, 0), (3, 0)]);
        body.max_bytes = 1_000;
        for partition in &mut body.topics[0].partitions {
            partition.partition_max_bytes = 1;
        }
        let answer = client.ask(11, &body).await;
        let response: FetchResponse<'_> = answer.decode();
        let found: Vec<_> = partitions(&response)
            .iter()
            .map(|data| values(data, 0).len())
            .collect();
        assert_eq!(found, [0, 1, 0, 0]);
        // With room for two, two come.
        body.max_bytes = 140_000;
        for partition in &mut body.topics[0].partitions {
            partition.partition_max_bytes = 100_000;
        }
        let answer = client.ask(11, &body).await;
        let response: FetchResponse<'_> = answer.decode();
        let bytes: usize = partitions(&response)
            .iter()
            .map(|data| data.records.as_ref().unwrap().bytes().len())
            .sum();
        assert!((60_000..=140_000).contains(&bytes), "{bytes}");
    });
}

/// The limit of the answer, not that of the partition: a client that asks for little gets little.
#[test]
fn the_first_batch_comes_alone_where_the_answer_has_no_room() {
    with_node(&Setup::default(), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 1, &[]).await;
        append(&client, "t", 0, "first", 100).await;
        append(&client, "t", 0, "second", 100).await;
        let mut body = fetch_request("t", Uuid::ZERO, &[(0, 0)]);
        body.max_bytes = 1;
        let answer = client.ask(11, &body).await;
        let response: FetchResponse<'_> = answer.decode();
        assert_eq!(values(partitions(&response)[0], 0).len(), 1);
    });
}

#[test]
fn an_append_wakes_who_waits() {
    with_node(&Setup::shards(2), |node| async move {
        let (reader, writer) = (node.connect().await, node.connect().await);
        writer.create_topic("t", 2, &[]).await;
        for partition in 0..2 {
            let mut body = fetch_request("t", Uuid::ZERO, &[(0, 0), (1, 0)]);
            body.topics[0].partitions[0].fetch_offset = i64::from(partition > 0);
            body.max_wait_ms = 60_000;
            let started = now();
            let id = reader.send(11, &body).await;
            sleep(Duration::from_secs(1)).await;
            append(&writer, "t", partition, "wake", 10).await;
            let answer = reader.receive(11, id).await.unwrap();
            let waited = now() - started;
            assert!(
                waited >= Duration::from_secs(1) && waited < Duration::from_secs(2),
                "{waited:?}"
            );
            let response: FetchResponse<'_> = answer.decode();
            let found = partitions(&response)[partition as usize];
            assert_eq!(values(found, 0).len(), 1);
        }
    });
}

/// A fetch that was answered leaves nobody waiting for it on the other shards.
#[test]
fn an_answered_fetch_waits_nowhere() {
    let world = sim::World::new(7, sim::Options::default());
    let machine = world.node("node");
    let setup = || async {
        let node = Node::start(&Setup::shards(4));
        let (reader, writer) = (node.connect().await, node.connect().await);
        writer.create_topic("t", 4, &[]).await;
        (node, reader, writer, 0)
    };
    let mut state = world.block_on(machine, setup);
    let mut tasks = Vec::new();
    for _ in 0..40 {
        state = world.block_on(machine, move || async move {
            let (node, reader, writer, offset) = state;
            let wanted = [(0, offset), (1, 0), (2, 0), (3, 0)];
            let mut body = fetch_request("t", Uuid::ZERO, &wanted);
            body.max_wait_ms = 60_000;
            let id = reader.send(11, &body).await;
            sleep(Duration::from_millis(10)).await;
            append(&writer, "t", 0, "wake", 10).await;
            reader.receive(11, id).await.unwrap();
            sleep(Duration::from_millis(10)).await;
            (node, reader, writer, offset + 1)
        });
        tasks.push(world.live_tasks(machine));
    }
    assert!(tasks[39] <= tasks[3] + 2, "{tasks:?}");
}

#[test]
fn who_wants_many_bytes_gets_them_together_or_what_there_is_in_time() {
    with_node(&Setup::default(), |node| async move {
        let (reader, writer) = (node.connect().await, node.connect().await);
        writer.create_topic("t", 1, &[]).await;
        let mut body = fetch_request("t", Uuid::ZERO, &[(0, 0)]);
        (body.min_bytes, body.max_wait_ms) = (5_000, 10_000);
        let id = reader.send(11, &body).await;
        for _ in 0..5 {
            append(&writer, "t", 0, "part", 1_000).await;
        }
        let answer = reader.receive(11, id).await.unwrap();
        let response: FetchResponse<'_> = answer.decode();
        assert_eq!(values(partitions(&response)[0], 0).len(), 5);

        (body.min_bytes, body.max_wait_ms) = (1_000_000, 2_000);
        let started = now();
        let answer = reader.ask(11, &body).await;
        let waited = now() - started;
        assert!(
            waited >= Duration::from_secs(2) && waited < Duration::from_secs(3),
            "{waited:?}"
        );
        let response: FetchResponse<'_> = answer.decode();
        assert_eq!(values(partitions(&response)[0], 0).len(), 5);
    });
}

#[test]
fn errors_answer_at_once() {
    with_node(&Setup::default(), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 1, &[]).await;
        let code = async |body: &FetchRequest<'_>, version| {
            let started = now();
            let answer = client.ask(version, body).await;
            assert!(now() - started < Duration::from_secs(1));
            let response: FetchResponse<'_> = answer.decode();
            let data = partitions(&response)[0];
            assert_eq!(data.high_watermark, -1);
            let unknown = [
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                ErrorCode::UNKNOWN_TOPIC_ID,
            ];
            let aborted = unknown.contains(&data.error_code).then(Vec::new);
            assert_eq!(data.aborted_transactions, aborted);
            data.error_code
        };
        let wait = |mut body: FetchRequest<'static>| {
            body.max_wait_ms = 60_000;
            body
        };
        let id = topic_id(&client, "t").await;
        let beyond = wait(fetch_request("t", id, &[(0, 5)]));
        assert_eq!(code(&beyond, 12).await, ErrorCode::OFFSET_OUT_OF_RANGE);
        let unknown = wait(fetch_request("gone", Uuid::ZERO, &[(0, 0)]));
        assert_eq!(
            code(&unknown, 12).await,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        );
        let unknown_id = wait(fetch_request("", Uuid::METADATA_TOPIC, &[(0, 0)]));
        assert_eq!(code(&unknown_id, 13).await, ErrorCode::UNKNOWN_TOPIC_ID);
        let no_partition = wait(fetch_request("", id, &[(7, 0)]));
        assert_eq!(
            code(&no_partition, 13).await,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        );
        let mut newer = wait(fetch_request("t", id, &[(0, 0)]));
        newer.topics[0].partitions[0].current_leader_epoch = 9;
        assert_eq!(code(&newer, 12).await, ErrorCode::UNKNOWN_LEADER_EPOCH);
        let mut follower = wait(fetch_request("t", id, &[(0, 0)]));
        follower.replica_id = 2;
        assert_eq!(code(&follower, 12).await, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    });
}

#[test]
fn a_follower_is_told_the_leader() {
    with_node(&Setup::default(), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 1, &[]).await;
        let mut body = fetch_request("", topic_id(&client, "t").await, &[(0, 0)]);
        body.replica_state.replica_id = 5;
        let answer = client.ask(16, &body).await;
        let response: FetchResponse<'_> = answer.decode();
        let data = partitions(&response)[0];
        assert_eq!(data.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
        assert_eq!(
            (
                data.current_leader.leader_id,
                data.current_leader.leader_epoch
            ),
            (1, 0)
        );
        assert_eq!(response.node_endpoints[0].port, 9092);
    });
}
