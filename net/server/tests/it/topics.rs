//! Topics: found, created by asking and by use, deleted, grown.

use net_wire::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic,
};
use net_wire::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
};
use net_wire::messages::delete_topics::{
    DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use net_wire::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseTopic,
};
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
    with_node(&Setup::shards(2), |node| async move {
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
fn a_long_answer_that_was_kept_goes_with_the_next_change() {
    with_node(&Setup::shards(1), |node| async move {
        let client = node.connect().await;
        client.create_topic("a", 1_000, &[]).await;
        let all = MetadataRequest {
            topics: None,
            ..MetadataRequest::default()
        };
        let partitions = async |version| {
            let answer = client.ask(version, &all).await;
            let response: MetadataResponse<'_> = answer.decode();
            let of_topic = |topic: &MetadataResponseTopic<'_>| topic.partitions.len();
            response.topics.iter().map(of_topic).collect::<Vec<_>>()
        };
        for _ in 0..2 {
            assert_eq!(partitions(12).await, [1_000]);
            assert_eq!(partitions(9).await, [1_000]);
        }
        client.create_topic("b", 2, &[]).await;
        assert_eq!(partitions(12).await, [1_000, 2]);
        delete_topic(&client, "a").await;
        assert_eq!(partitions(12).await, [2]);
    });
}

#[test]
fn topics_are_created_by_use_if_everybody_agrees() {
    let setup = Setup {
        settings: vec![("num.partitions", "3")],
        ..Setup::shards(2)
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
    with_node(&Setup::shards(2), |node| async move {
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
    });
}

#[test]
fn topics_are_deleted_by_name_and_id_and_may_come_back() {
    with_node(&Setup::shards(2), |node| async move {
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
    with_node(&Setup::shards(2), |node| async move {
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

#[test]
fn create_topics_answers_in_every_version_and_once() {
    with_node(&Setup::shards(2), |node| async move {
        let client = node.connect().await;
        client.create_topic("good", 1, &[]).await;
        let body = CreateTopicsRequest {
            topics: vec![creatable("good", 1, 1)],
            ..CreateTopicsRequest::default()
        };
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
