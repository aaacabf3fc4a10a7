//! Everything that is not records: topics, configurations, offsets, ids, the cluster.

use std::collections::BTreeSet;

use net_server::MetricsSnapshot;
use net_wire::messages::alter_configs::{AlterConfigsRequest, AlterConfigsResponse};
use net_wire::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic,
};
use net_wire::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
};
use net_wire::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopic,
};
use net_wire::messages::delete_topics::{
    DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use net_wire::messages::describe_cluster::{DescribeClusterRequest, DescribeClusterResponse};
use net_wire::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResponse,
};
use net_wire::messages::describe_log_dirs::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use net_wire::messages::incremental_alter_configs::{
    self as incremental, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, OP_SET,
};
use net_wire::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use net_wire::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use net_wire::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseTopic,
};
use net_wire::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use net_wire::messages::{ConfigResource, alter_configs};
use net_wire::{ApiKey, ErrorCode, Uuid};

use crate::client::{Client, batch};
use crate::node::{CLUSTER_ID, HOST, Setup, with_node};

pub(crate) async fn delete_topic(client: &Client, name: &str) {
    let topic = DeleteTopicState {
        name: Some(name),
        topic_id: Uuid::ZERO,
    };
    let body = DeleteTopicsRequest {
        topics: vec![topic],
        ..DeleteTopicsRequest::default()
    };
    let answer = client.ask(6, &body).await;
    let response: DeleteTopicsResponse<'_> = answer.decode();
    assert!(response.responses[0].error_code.is_none(), "{response:?}");
}

fn two_shards() -> Setup {
    Setup {
        shards: 2,
        ..Setup::default()
    }
}

fn named<'a>(names: &[&'a str], allow: bool) -> MetadataRequest<'a> {
    let topic = |name: &&'a str| MetadataRequestTopic {
        name: Some(*name),
        ..Default::default()
    };
    MetadataRequest {
        topics: Some(names.iter().map(topic).collect()),
        allow_auto_topic_creation: allow,
        ..MetadataRequest::default()
    }
}

fn code_of(topic: &MetadataResponseTopic<'_>) -> (ErrorCode, usize) {
    (topic.error_code, topic.partitions.len())
}

#[test]
fn metadata_names_a_live_controller_and_the_listeners_address_in_every_version() {
    with_node(&two_shards(), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 3, &[]).await;
        for version in ApiKey::Metadata.versions() {
            let answer = client.ask(version, &named(&["t"], false)).await;
            let response: MetadataResponse<'_> = answer.decode();
            let broker = &response.brokers[0];
            assert_eq!((broker.node_id, broker.host, broker.port), (1, HOST, 9092));
            assert!(version < 1 || response.controller_id == 1);
            assert!(version < 2 || response.cluster_id == Some(CLUSTER_ID));
            assert_eq!(code_of(&response.topics[0]), (ErrorCode::NONE, 3));
            assert_eq!(response.topics[0].topic_authorized_operations, i32::MIN);
            assert_eq!(response.cluster_authorized_operations, i32::MIN);
        }
    });
}

#[test]
fn topics_are_created_by_use_if_everybody_agrees() {
    let setup = Setup {
        settings: vec![("num.partitions", "3")],
        ..two_shards()
    };
    with_node(&setup, |node| async move {
        let client = node.connect().await;
        let answer = client.ask(9, &named(&["new"], false)).await;
        let refused: MetadataResponse<'_> = answer.decode();
        assert_eq!(
            code_of(&refused.topics[0]),
            (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, 0)
        );
        let answer = client.ask(9, &named(&["new", "no good"], true)).await;
        let created: MetadataResponse<'_> = answer.decode();
        assert_eq!(code_of(&created.topics[0]), (ErrorCode::NONE, 3));
        assert_eq!(
            code_of(&created.topics[1]),
            (ErrorCode::INVALID_TOPIC_EXCEPTION, 0)
        );
        // Every shard has it before the answer: each of its partitions takes records.
        for partition in 0..3 {
            let outcome = client
                .produce(9, "new", partition, &batch("x", 1, 10))
                .await;
            assert_eq!(outcome, (ErrorCode::NONE, 0));
        }
        // The broker's own topics are not made by asking.
        let answer = client.ask(9, &named(&["__consumer_offsets"], true)).await;
        let internal: MetadataResponse<'_> = answer.decode();
        assert_eq!(
            code_of(&internal.topics[0]),
            (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, 0)
        );
    });
    let setup = Setup {
        settings: vec![("auto.create.topics.enable", "false")],
        ..Setup::default()
    };
    with_node(&setup, |node| async move {
        let client = node.connect().await;
        let answer = client.ask(9, &named(&["new"], true)).await;
        let response: MetadataResponse<'_> = answer.decode();
        assert_eq!(
            code_of(&response.topics[0]),
            (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, 0)
        );
    });
}

fn creatable(name: &str, partitions: i32, replicas: i16) -> CreatableTopic<'_> {
    CreatableTopic {
        name,
        num_partitions: partitions,
        replication_factor: replicas,
        ..CreatableTopic::default()
    }
}

#[test]
fn create_topics_judges_each_topic() {
    with_node(&two_shards(), |node| async move {
        let client = node.connect().await;
        let mut strange = creatable("strange", 1, 1);
        strange.configs = vec![CreatableTopicConfig {
            name: "no.such.key",
            value: Some("1"),
        }];
        let mut retired = creatable("retired", 1, 1);
        retired.configs = vec![CreatableTopicConfig {
            name: "message.format.version",
            value: Some("3.0"),
        }];
        let mut small = creatable("small", 1, 1);
        small.configs = vec![CreatableTopicConfig {
            name: "segment.bytes",
            value: Some("1000"),
        }];
        let topics = vec![
            creatable("good", -1, -1),
            creatable("two", 1, 2),
            creatable("none", 0, 1),
            creatable("bad name", 1, 1),
            strange,
            retired,
            small,
            creatable("twice", 1, 1),
            creatable("twice", 1, 1),
        ];
        let mut body = CreateTopicsRequest {
            topics,
            ..CreateTopicsRequest::default()
        };
        let expected = [
            ("good", ErrorCode::NONE),
            ("two", ErrorCode::INVALID_REPLICATION_FACTOR),
            ("none", ErrorCode::INVALID_PARTITIONS),
            ("bad name", ErrorCode::INVALID_TOPIC_EXCEPTION),
            ("strange", ErrorCode::INVALID_CONFIG),
            ("retired", ErrorCode::NONE),
            ("small", ErrorCode::INVALID_CONFIG),
            ("twice", ErrorCode::INVALID_REQUEST),
        ];
        for validate_only in [true, true, false] {
            body.validate_only = validate_only;
            let answer = client.ask(7, &body).await;
            let response: CreateTopicsResponse<'_> = answer.decode();
            let codes: Vec<_> = response
                .topics
                .iter()
                .map(|topic| (topic.name, topic.error_code))
                .collect();
            assert_eq!(codes, expected);
            let good = &response.topics[0];
            assert_eq!(good.topic_id.is_zero(), validate_only);
            assert_eq!((good.num_partitions, good.replication_factor), (1, 1));
            let configs = good.configs.as_ref().unwrap();
            assert!(
                configs
                    .iter()
                    .any(|one| one.name == "retention.ms" && one.config_source == 5)
            );
        }
        let answer = client.ask(7, &body).await;
        let response: CreateTopicsResponse<'_> = answer.decode();
        assert_eq!(
            response.topics[0].error_code,
            ErrorCode::TOPIC_ALREADY_EXISTS
        );
        let message = response.topics[0].error_message.as_deref();
        assert_eq!(message, Some("Topic 'good' already exists."));
        for version in ApiKey::CreateTopics.versions() {
            let name = format!("v{version}");
            let topics = vec![creatable(&name, 1, 1)];
            let body = CreateTopicsRequest {
                topics,
                ..CreateTopicsRequest::default()
            };
            let answer = client.ask(version, &body).await;
            let response: CreateTopicsResponse<'_> = answer.decode();
            assert!(response.topics[0].error_code.is_none(), "version {version}");
        }
    });
}

#[test]
fn topics_are_deleted_by_name_and_id_and_may_come_back() {
    with_node(&two_shards(), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 2, &[]).await;
        client.produce(9, "t", 0, &batch("old", 3, 10)).await;
        let body = DeleteTopicsRequest {
            topic_names: vec!["t", "gone"],
            ..DeleteTopicsRequest::default()
        };
        let answer = client.ask(5, &body).await;
        let response: DeleteTopicsResponse<'_> = answer.decode();
        let mut codes: Vec<_> = response
            .responses
            .iter()
            .map(|one| (one.name, one.error_code))
            .collect();
        codes.sort_unstable();
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        assert_eq!(
            codes,
            [(Some("gone"), unknown), (Some("t"), ErrorCode::NONE)]
        );
        assert_eq!(
            client.produce(9, "t", 0, &batch("x", 1, 10)).await.0,
            unknown
        );

        client.create_topic("t", 2, &[]).await;
        // Another topic of the same name: nothing of the old one is there.
        assert_eq!(
            client.produce(9, "t", 0, &batch("new", 1, 10)).await,
            (ErrorCode::NONE, 0)
        );
        let answer = client.ask(12, &named(&["t"], false)).await;
        let topic_id = answer.decode::<MetadataResponse<'_>>().topics[0].topic_id;
        let by_id = DeleteTopicState {
            name: None,
            topic_id,
        };
        let body = DeleteTopicsRequest {
            topics: vec![by_id.clone()],
            ..DeleteTopicsRequest::default()
        };
        let answer = client.ask(6, &body).await;
        let response: DeleteTopicsResponse<'_> = answer.decode();
        assert_eq!(response.responses[0].name, Some("t"));
        assert!(response.responses[0].error_code.is_none());
        let answer = client.ask(6, &body).await;
        let response: DeleteTopicsResponse<'_> = answer.decode();
        assert_eq!(
            response.responses[0].error_code,
            ErrorCode::UNKNOWN_TOPIC_ID
        );
    });
}

#[test]
fn partitions_are_added_and_serve_at_once() {
    with_node(&two_shards(), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 1, &[]).await;
        let topic = |count| CreatePartitionsTopic {
            name: "t",
            count,
            assignments: None,
        };
        let code = async |version, count, validate_only| {
            let body = CreatePartitionsRequest {
                topics: vec![topic(count)],
                validate_only,
                ..CreatePartitionsRequest::default()
            };
            let answer = client.ask(version, &body).await;
            let response: CreatePartitionsResponse<'_> = answer.decode();
            response.results[0].error_code
        };
        assert_eq!(code(3, 4, true).await, ErrorCode::NONE);
        let unknown = client.produce(9, "t", 3, &batch("x", 1, 10)).await.0;
        assert_eq!(unknown, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        assert_eq!(code(0, 4, false).await, ErrorCode::NONE);
        for partition in 0..4 {
            let outcome = client.produce(9, "t", partition, &batch("x", 1, 10)).await;
            assert_eq!(outcome, (ErrorCode::NONE, 0));
        }
        assert_eq!(code(3, 2, false).await, ErrorCode::INVALID_PARTITIONS);
    });
}

async fn list_offset(client: &Client, version: i16, timestamp: i64) -> (ErrorCode, i64, i64) {
    let one = ListOffsetsPartition {
        partition_index: 1,
        timestamp,
        ..Default::default()
    };
    let body = ListOffsetsRequest {
        replica_id: -1,
        topics: vec![ListOffsetsTopic {
            name: "t",
            partitions: vec![one],
        }],
        ..ListOffsetsRequest::default()
    };
    let answer = client.ask(version, &body).await;
    let response: ListOffsetsResponse<'_> = answer.decode();
    let found = &response.topics[0].partitions[0];
    (found.error_code, found.offset, found.timestamp)
}

#[test]
fn offsets_are_listed_by_end_and_by_time() {
    with_node(&two_shards(), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 2, &[]).await;
        let start = engine_rt::wall_clock_ms();
        for number in 0..3 {
            let mut builder = net_wire::batch::BatchBuilder::new();
            builder.append(start + 10 * number, None, Some(b"v"), &[]);
            let batch = builder.build(&mut net_wire::codec::Codecs::new()).unwrap();
            client.produce(9, "t", 1, &batch).await;
        }
        for version in ApiKey::ListOffsets.versions() {
            assert_eq!(
                list_offset(&client, version, -1).await,
                (ErrorCode::NONE, 3, -1)
            );
            assert_eq!(
                list_offset(&client, version, -2).await,
                (ErrorCode::NONE, 0, -1)
            );
            let by_time = list_offset(&client, version, start + 1).await;
            assert_eq!(by_time, (ErrorCode::NONE, 1, start + 10));
            let late = list_offset(&client, version, start + 21).await;
            assert_eq!(late, (ErrorCode::NONE, -1, -1));
        }
        assert_eq!(
            list_offset(&client, 7, -3).await,
            (ErrorCode::NONE, 2, start + 20)
        );
        assert_eq!(list_offset(&client, 8, -4).await, (ErrorCode::NONE, 0, -1));
        assert_eq!(list_offset(&client, 9, -5).await, (ErrorCode::NONE, -1, -1));
        assert_eq!(
            list_offset(&client, 6, -3).await.0,
            ErrorCode::UNSUPPORTED_VERSION
        );
    });
}

async fn delete_records(client: &Client, topic: &str, offset: i64) -> (ErrorCode, i64) {
    let one = DeleteRecordsPartition {
        partition_index: 1,
        offset,
    };
    let body = DeleteRecordsRequest {
        topics: vec![DeleteRecordsTopic {
            name: topic,
            partitions: vec![one],
        }],
        ..DeleteRecordsRequest::default()
    };
    let answer = client.ask(2, &body).await;
    let response: DeleteRecordsResponse<'_> = answer.decode();
    let done = &response.topics[0].partitions[0];
    assert_eq!(done.partition_index, 1);
    (done.error_code, done.low_watermark)
}

#[test]
fn records_are_given_up_below_an_offset() {
    with_node(&two_shards(), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 2, &[]).await;
        client
            .create_topic("kept", 2, &[("cleanup.policy", "compact")])
            .await;
        client.produce(9, "t", 1, &batch("x", 10, 10)).await;
        assert_eq!(delete_records(&client, "t", 4).await, (ErrorCode::NONE, 4));
        assert_eq!(list_offset(&client, 7, -2).await, (ErrorCode::NONE, 4, -1));
        assert_eq!(delete_records(&client, "t", 2).await, (ErrorCode::NONE, 4));
        assert_eq!(
            delete_records(&client, "t", 11).await,
            (ErrorCode::OFFSET_OUT_OF_RANGE, -1)
        );
        assert_eq!(
            delete_records(&client, "t", -1).await,
            (ErrorCode::NONE, 10)
        );
        assert_eq!(
            delete_records(&client, "kept", -1).await,
            (ErrorCode::POLICY_VIOLATION, -1)
        );
    });
}

#[test]
fn producer_ids_are_never_given_twice() {
    with_node(&two_shards(), |node| async move {
        let clients = [node.connect().await, node.connect().await];
        let mut given = BTreeSet::new();
        for round in 0..1_200 {
            for client in &clients {
                let version = (round % 6) as i16;
                let answer = client.ask(version, &InitProducerIdRequest::default()).await;
                let response: InitProducerIdResponse = answer.decode();
                assert_eq!(
                    (response.error_code, response.producer_epoch),
                    (ErrorCode::NONE, 0)
                );
                assert!(
                    given.insert(response.producer_id),
                    "{}",
                    response.producer_id
                );
            }
        }
        let transactional = InitProducerIdRequest {
            transactional_id: Some("tx"),
            ..Default::default()
        };
        let answer = clients[0].ask(4, &transactional).await;
        let response: InitProducerIdResponse = answer.decode();
        assert_eq!(response.error_code, ErrorCode::INVALID_REQUEST);
        assert_eq!((response.producer_id, response.producer_epoch), (-1, -1));
    });
}

#[test]
fn leader_epochs_end_where_they_ended() {
    with_node(&two_shards(), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 2, &[]).await;
        client.produce(9, "t", 1, &batch("x", 5, 10)).await;
        let ask = async |version, partition, current_leader_epoch, leader_epoch| {
            let one = OffsetForLeaderPartition {
                partition,
                current_leader_epoch,
                leader_epoch,
            };
            let body = OffsetForLeaderEpochRequest {
                topics: vec![OffsetForLeaderTopic {
                    topic: "t",
                    partitions: vec![one],
                }],
                ..OffsetForLeaderEpochRequest::default()
            };
            let answer = client.ask(version, &body).await;
            let response: OffsetForLeaderEpochResponse<'_> = answer.decode();
            let EpochEndOffset {
                error_code,
                leader_epoch,
                end_offset,
                ..
            } = response.topics[0].partitions[0];
            (error_code, leader_epoch, end_offset)
        };
        for version in ApiKey::OffsetForLeaderEpoch.versions() {
            assert_eq!(ask(version, 1, -1, 0).await, (ErrorCode::NONE, 0, 5));
        }
        let newer = ask(4, 1, 3, 0).await;
        assert_eq!(newer, (ErrorCode::UNKNOWN_LEADER_EPOCH, -1, -1));
        let unknown = ask(4, 9, -1, 0).await;
        assert_eq!(unknown, (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, -1, -1));
    });
}

async fn described(client: &Client, version: i16, key: &str) -> (Option<String>, i8) {
    let resource = DescribeConfigsResource {
        resource_type: ConfigResource::TOPIC,
        resource_name: "t",
        configuration_keys: Some(vec![key]),
    };
    let body = DescribeConfigsRequest {
        resources: vec![resource],
        ..DescribeConfigsRequest::default()
    };
    let answer = client.ask(version, &body).await;
    let response: DescribeConfigsResponse<'_> = answer.decode();
    let row = &response.results[0].configs[0];
    (row.value.as_deref().map(str::to_owned), row.config_source)
}

#[test]
fn configurations_are_set_one_by_one_or_all_at_once() {
    with_node(&two_shards(), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 1, &[("retention.ms", "5")]).await;
        let set = |name, value, validate_only| IncrementalAlterConfigsRequest {
            resources: vec![incremental::AlterConfigsResource {
                resource_type: ConfigResource::TOPIC,
                resource_name: "t",
                configs: vec![incremental::AlterableConfig {
                    name,
                    config_operation: OP_SET,
                    value: Some(value),
                }],
            }],
            validate_only,
        };
        let alter = async |version, body: &IncrementalAlterConfigsRequest<'_>| {
            let answer = client.ask(version, body).await;
            let response: IncrementalAlterConfigsResponse<'_> = answer.decode();
            response.responses[0].error_code
        };
        assert_eq!(
            alter(1, &set("max.message.bytes", "200", true)).await,
            ErrorCode::NONE
        );
        assert_eq!(
            described(&client, 1, "max.message.bytes").await,
            (Some("1048588".into()), 5)
        );
        assert_eq!(
            alter(0, &set("max.message.bytes", "200", false)).await,
            ErrorCode::NONE
        );
        assert_eq!(
            described(&client, 4, "max.message.bytes").await,
            (Some("200".into()), 1)
        );
        // In force for the next request.
        let large = client.produce(9, "t", 0, &batch("x", 1, 300)).await.0;
        assert_eq!(large, ErrorCode::MESSAGE_TOO_LARGE);
        let bad = alter(1, &set("max.message.bytes", "x", true)).await;
        assert_eq!(bad, ErrorCode::INVALID_CONFIG);

        let body = AlterConfigsRequest {
            resources: vec![alter_configs::AlterConfigsResource {
                resource_type: ConfigResource::TOPIC,
                resource_name: "t",
                configs: vec![alter_configs::AlterableConfig {
                    name: "flush.messages",
                    value: Some("9223372036854775807"),
                }],
            }],
            ..AlterConfigsRequest::default()
        };
        let answer = client.ask(2, &body).await;
        let response: AlterConfigsResponse<'_> = answer.decode();
        assert!(response.responses[0].error_code.is_none());
        // What was not named is back to its default; the weak setting is shown as it is.
        assert_eq!(
            described(&client, 1, "retention.ms").await,
            (Some("604800000".into()), 5)
        );
        let flush = described(&client, 1, "flush.messages").await;
        assert_eq!(flush, (Some("9223372036854775807".into()), 1));
        assert_eq!(
            client.produce(9, "t", 0, &batch("x", 1, 300)).await.0,
            ErrorCode::NONE
        );
    });
}

#[test]
fn the_cluster_is_described() {
    with_node(&two_shards(), |node| async move {
        let client = node.connect().await;
        for version in ApiKey::DescribeCluster.versions() {
            let answer = client
                .ask(version, &DescribeClusterRequest::default())
                .await;
            let response: DescribeClusterResponse<'_> = answer.decode();
            assert_eq!(
                (response.cluster_id, response.controller_id),
                (CLUSTER_ID, 1)
            );
            assert_eq!(
                (response.brokers[0].host, response.brokers[0].port),
                (HOST, 9092)
            );
            assert_eq!(response.cluster_authorized_operations, i32::MIN);
        }
        let asked = DescribeClusterRequest {
            include_cluster_authorized_operations: true,
            ..Default::default()
        };
        let answer = client.ask(1, &asked).await;
        assert!(
            answer
                .decode::<DescribeClusterResponse<'_>>()
                .cluster_authorized_operations
                > 0
        );
        let controllers = DescribeClusterRequest {
            endpoint_type: 2,
            ..Default::default()
        };
        let answer = client.ask(1, &controllers).await;
        let response: DescribeClusterResponse<'_> = answer.decode();
        assert_eq!(response.error_code, ErrorCode::MISMATCHED_ENDPOINT_TYPE);
    });
}

#[test]
fn log_dirs_show_sizes() {
    with_node(&two_shards(), |node| async move {
        let client = node.connect().await;
        client.create_topic("a", 2, &[]).await;
        client.create_topic("b", 1, &[]).await;
        let batch = batch("x", 1, 1_000);
        client.produce(9, "a", 1, &batch).await;
        for version in ApiKey::DescribeLogDirs.versions() {
            let answer = client
                .ask(version, &DescribeLogDirsRequest { topics: None })
                .await;
            let response: DescribeLogDirsResponse<'_> = answer.decode();
            let dir = &response.results[0];
            assert_eq!(dir.log_dir, "/data");
            let names: Vec<_> = dir.topics.iter().map(|topic| topic.name).collect();
            assert_eq!(names, ["a", "b"]);
            let sizes: Vec<_> = dir.topics[0]
                .partitions
                .iter()
                .map(|one| one.partition_size)
                .collect();
            assert_eq!(sizes, [0, batch.len() as i64]);
            assert!(version < 4 || dir.total_bytes >= dir.usable_bytes && dir.usable_bytes > 0);
        }
    });
}

#[test]
fn requests_and_latencies_are_counted() {
    with_node(&Setup::default(), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 1, &[]).await;
        client.produce(9, "t", 0, &batch("x", 7, 10)).await;
        let snapshot: MetricsSnapshot = node.metrics().await.remove(0);
        assert!(snapshot.requests.contains(&(ApiKey::Produce, 1)));
        assert!(snapshot.requests.contains(&(ApiKey::CreateTopics, 1)));
        let counts: Vec<_> = snapshot
            .stages
            .iter()
            .map(net_server::Histogram::count)
            .collect();
        assert_eq!(counts, [2, 1, 2, 2]);
        assert_eq!(
            (
                snapshot.records_in,
                snapshot.connections,
                snapshot.errors.len()
            ),
            (7, 1, 0)
        );
        assert!(snapshot.bytes_in > 100 && snapshot.bytes_out > 100);
    });
}
