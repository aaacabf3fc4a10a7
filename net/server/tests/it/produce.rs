//! Produce: order, acknowledgements, refusals.

use net_wire::ErrorCode;
use net_wire::batch::{BatchBuilder, Batches};
use net_wire::codec::{Codec, Codecs};
use net_wire::messages::fetch::FetchResponse;
use net_wire::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use net_wire::messages::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use net_wire::{ApiKey, Records, Uuid};

use crate::client::{Client, batch, batch_of, produce_request, produced};
use crate::fetch::{fetch_request, read_values};
use crate::node::{Setup, with_node};

async fn end_offset(client: &Client, topic: &str, partition: i32) -> i64 {
    let one = ListOffsetsPartition {
        partition_index: partition,
        timestamp: -1,
        ..Default::default()
    };
    let body = ListOffsetsRequest {
        replica_id: -1,
        topics: vec![ListOffsetsTopic {
            name: topic,
            partitions: vec![one],
        }],
        ..ListOffsetsRequest::default()
    };
    let answer = client.ask(7, &body).await;
    let response: ListOffsetsResponse<'_> = answer.decode();
    let found = &response.topics[0].partitions[0];
    assert!(found.error_code.is_none(), "{found:?}");
    found.offset
}

#[test]
fn every_version_appends_and_answers_with_the_offset() {
    with_node(&Setup::shards(2), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 4, &[]).await;
        for (nth, version) in (0..).zip(ApiKey::Produce.versions()) {
            for partition in 0..4 {
                let batch = batch(&format!("v{version}"), 2, 10);
                let outcome = client.produce(version, "t", partition, &batch).await;
                assert_eq!(outcome, (ErrorCode::NONE, 2 * nth), "version {version}");
            }
        }
        let values = read_values(&client, "t", 3, 0).await;
        assert_eq!(values.len(), 18);
        assert!(values[17].1.starts_with("v11-1"));
    });
}

#[test]
fn requests_in_flight_keep_their_order() {
    with_node(&Setup::shards(2), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 2, &[]).await;
        let mut sent = Vec::new();
        for number in 0..40 {
            // A large compressed one is checked elsewhere and must not be overtaken.
            let batch = if number % 7 == 3 {
                let builder = BatchBuilder::new().codec(Codec::Gzip);
                batch_of(builder, &noise(number), 300, 700)
            } else {
                batch(&format!("n{number}"), 1, 100)
            };
            sent.push(client.send_produce(9, -1, "t", number % 2, &batch).await);
        }
        let mut next = [0, 0];
        for (number, id) in (0..).zip(sent) {
            let answer = client.receive(9, id).await.unwrap();
            let partition = number % 2;
            assert_eq!(
                produced(&answer),
                (ErrorCode::NONE, next[partition]),
                "request {number}"
            );
            next[partition] += if number % 7 == 3 { 300 } else { 1 };
        }
    });
}

/// Text that does not compress well, so that a batch of it is large.
fn noise(seed: i32) -> String {
    let mut bits = u64::from(seed.unsigned_abs()) + 88_172_645_463_325_252;
    (0..4_000)
        .map(|_| {
            bits ^= bits << 13;
            bits ^= bits >> 7;
            bits ^= bits << 17;
            char::from(b'0' + (bits % 75) as u8)
        })
        .collect()
}

#[test]
fn without_acks_there_is_no_answer_and_an_error_closes() {
    with_node(&Setup::shards(1), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 1, &[]).await;
        for _ in 0..3 {
            client
                .send_produce(9, 0, "t", 0, &batch("quiet", 1, 10))
                .await;
        }
        // The next answer on the connection is that of the next request which has one.
        assert_eq!(
            client.produce(9, "t", 0, &batch("loud", 1, 10)).await,
            (ErrorCode::NONE, 3)
        );
        client
            .send_produce(9, 0, "gone", 0, &batch("lost", 1, 10))
            .await;
        assert!(client.is_closed().await);
        let other = node.connect().await;
        assert_eq!(end_offset(&other, "t", 0).await, 4);
    });
}

#[test]
fn acks_outside_the_protocol_are_refused() {
    with_node(&Setup::shards(1), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 1, &[]).await;
        for acks in [2, -2] {
            let id = client
                .send_produce(9, acks, "t", 0, &batch("x", 1, 10))
                .await;
            let answer = client.receive(9, id).await.unwrap();
            assert_eq!(produced(&answer), (ErrorCode::INVALID_REQUIRED_ACKS, -1));
        }
        assert_eq!(end_offset(&client, "t", 0).await, 0);
    });
}

#[test]
fn a_retry_gets_the_offset_of_its_original() {
    with_node(&Setup::shards(1), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 1, &[]).await;
        let sequenced = |sequence: i32, epoch: i16| {
            batch_of(BatchBuilder::new().producer(7, epoch, sequence), "s", 3, 10)
        };
        // A producer that the broker has forgotten may start anywhere (KIP-360).
        let first = sequenced(i32::MAX - 1, 0);
        assert_eq!(
            client.produce(9, "t", 0, &first).await,
            (ErrorCode::NONE, 0)
        );
        // Sequences wrap from the largest integer to 0.
        let second = sequenced(1, 0);
        assert_eq!(
            client.produce(9, "t", 0, &second).await,
            (ErrorCode::NONE, 3)
        );
        assert_eq!(
            client.produce(9, "t", 0, &first).await,
            (ErrorCode::NONE, 0)
        );
        assert_eq!(
            client.produce(9, "t", 0, &second).await,
            (ErrorCode::NONE, 3)
        );
        let gap = client.produce(9, "t", 0, &sequenced(9, 0)).await;
        assert_eq!(gap, (ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, -1));
        assert_eq!(
            client.produce(9, "t", 0, &sequenced(0, 1)).await,
            (ErrorCode::NONE, 6)
        );
        let old = client.produce(9, "t", 0, &sequenced(4, 0)).await;
        assert_eq!(old, (ErrorCode::INVALID_PRODUCER_EPOCH, -1));
        assert_eq!(end_offset(&client, "t", 0).await, 9);
    });
}

/// Refused, one partition each, for another reason; but one is good.
const MIXED: [(&str, i32, ErrorCode); 9] = [
    ("t", 0, ErrorCode::CORRUPT_MESSAGE),
    ("t", 1, ErrorCode::NONE),
    ("t", 2, ErrorCode::INVALID_RECORD),
    ("t", 3, ErrorCode::INVALID_RECORD),
    ("t", 9, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    ("two", 0, ErrorCode::NOT_ENOUGH_REPLICAS),
    ("compact", 0, ErrorCode::INVALID_RECORD),
    ("gone", 0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    ("__consumer_offsets", 0, ErrorCode::INVALID_TOPIC_EXCEPTION),
];

/// What is sent to each partition of [`MIXED`].
fn mixed_batch(place: usize) -> Vec<u8> {
    let mut good = batch("good", 1, 10);
    match place {
        0 => *good.last_mut().unwrap() ^= 1,
        2 => {
            let transactional = BatchBuilder::new().transactional().producer(1, 0, 0);
            return batch_of(transactional, "t", 1, 9);
        },
        3 => return Vec::new(),
        6 => {
            let mut keyless = BatchBuilder::new();
            keyless.append(engine_rt::wall_clock_ms(), None, Some(b"v"), &[]);
            return keyless.build(&mut Codecs::new()).unwrap();
        },
        _ => {},
    }
    good
}

#[test]
fn partitions_are_refused_one_by_one() {
    with_node(&Setup::shards(2), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 4, &[]).await;
        client
            .create_topic("two", 1, &[("min.insync.replicas", "2")])
            .await;
        client
            .create_topic("compact", 1, &[("cleanup.policy", "compact")])
            .await;
        let batches: Vec<_> = (0..MIXED.len()).map(mixed_batch).collect();
        let topic_data = MIXED.iter().zip(&batches).map(|((name, index, _), batch)| {
            let records = Some(Records::Bytes(batch));
            TopicProduceData {
                name,
                partition_data: vec![PartitionProduceData {
                    index: *index,
                    records,
                }],
            }
        });
        let topic_data = topic_data.collect();
        let body = ProduceRequest {
            acks: -1,
            topic_data,
            ..ProduceRequest::default()
        };
        let answer = client.ask(9, &body).await;
        let response: ProduceResponse<'_> = answer.decode();
        let outcomes: Vec<_> = response
            .responses
            .iter()
            .flat_map(|topic| &topic.partition_responses)
            .collect();
        for (outcome, (name, index, code)) in outcomes.iter().zip(MIXED) {
            assert_eq!((outcome.index, outcome.error_code), (index, code), "{name}");
        }
        let transactional = outcomes[2].error_message.as_deref();
        assert_eq!(transactional, Some("Transactions are not supported yet"));
        let named: Vec<_> = outcomes[6]
            .record_errors
            .iter()
            .map(|one| one.batch_index)
            .collect();
        assert_eq!(named, [0]);
        assert_eq!(end_offset(&client, "t", 1).await, 1);
        assert_eq!(end_offset(&client, "compact", 0).await, 0);
        let snapshot = node.metrics().await;
        let counted = snapshot
            .iter()
            .flat_map(|one| &one.errors)
            .map(|(_, count)| count);
        assert_eq!(counted.sum::<u64>(), 8);
    });
}

#[test]
fn zstd_is_read_by_old_clients_too() {
    // No check of codecs on Fetch: aiokafka reads zstd with an old version.
    with_node(&Setup::default(), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 1, &[]).await;
        let zstd = batch_of(BatchBuilder::new().codec(Codec::Zstd), "z", 5, 100);
        let old = client.produce(6, "t", 0, &zstd).await;
        assert_eq!(old, (ErrorCode::UNSUPPORTED_COMPRESSION_TYPE, -1));
        assert_eq!(client.produce(7, "t", 0, &zstd).await, (ErrorCode::NONE, 0));
        let answer = client
            .ask(4, &fetch_request("t", Uuid::ZERO, &[(0, 0)]))
            .await;
        let response: FetchResponse<'_> = answer.decode();
        let records = response.responses[0].partitions[0]
            .records
            .as_ref()
            .unwrap();
        assert_eq!(records.bytes().len(), zstd.len());
    });
}

#[test]
fn a_topics_own_codec_is_what_is_stored() {
    with_node(&Setup::default(), |node| async move {
        let client = node.connect().await;
        client
            .create_topic("t", 1, &[("compression.type", "lz4")])
            .await;
        for codec in [Codec::None, Codec::Gzip, Codec::Lz4] {
            let batch = batch_of(BatchBuilder::new().codec(codec), codec.name(), 50, 2_000);
            assert!(client.produce(9, "t", 0, &batch).await.0.is_none());
        }
        let answer = client
            .ask(4, &fetch_request("t", Uuid::ZERO, &[(0, 0)]))
            .await;
        let response: FetchResponse<'_> = answer.decode();
        let records = response.responses[0].partitions[0]
            .records
            .as_ref()
            .unwrap();
        let codecs =
            Batches::new(records.bytes()).map(|one| one.unwrap().header().attributes.codec());
        assert_eq!(codecs.collect::<Vec<_>>(), [Some(Codec::Lz4); 3]);
        let values = read_values(&client, "t", 0, 0).await;
        assert_eq!(values.len(), 150);
        assert!(values[149].1.starts_with("lz4-49"));
    });
}

#[test]
fn the_admin_client_may_write_internal_topics_and_metadata_marks_them() {
    with_node(&Setup::shards(1), |node| async move {
        let client = node.connect().await;
        client.create_topic("__consumer_offsets", 1, &[]).await;
        let batch = batch("x", 1, 10);
        let body = produce_request(-1, "__consumer_offsets", 0, &batch);
        let id = client.send_as(Some("__admin_client"), 9, &body).await;
        let answer = client.receive(9, id).await.unwrap();
        assert_eq!(produced(&answer), (ErrorCode::NONE, 0));
        let id = client.send_as(Some("rdkafka"), 9, &body).await;
        let answer = client.receive(9, id).await.unwrap();
        assert_eq!(produced(&answer), (ErrorCode::INVALID_TOPIC_EXCEPTION, -1));
    });
}

#[test]
fn log_append_time_is_told_and_stored() {
    with_node(&Setup::shards(1), |node| async move {
        let client = node.connect().await;
        client
            .create_topic("t", 1, &[("message.timestamp.type", "LogAppendTime")])
            .await;
        let before = engine_rt::wall_clock_ms();
        let batch = batch("x", 3, 10);
        let answer = client.ask(9, &produce_request(1, "t", 0, &batch)).await;
        let response: ProduceResponse<'_> = answer.decode();
        let outcome = &response.responses[0].partition_responses[0];
        assert!(outcome.error_code.is_none());
        assert!((before..=engine_rt::wall_clock_ms()).contains(&outcome.log_append_time_ms));
        assert_eq!(read_values(&client, "t", 0, 0).await.len(), 3);
    });
}

#[test]
fn batches_larger_than_the_topic_allows_are_refused() {
    with_node(&Setup::shards(1), |node| async move {
        let client = node.connect().await;
        client
            .create_topic("t", 1, &[("max.message.bytes", "1000")])
            .await;
        let large = client.produce(9, "t", 0, &batch("large", 1, 1_000)).await;
        assert_eq!(large, (ErrorCode::MESSAGE_TOO_LARGE, -1));
        assert_eq!(
            client.produce(9, "t", 0, &batch("small", 1, 500)).await,
            (ErrorCode::NONE, 0)
        );
    });
}
