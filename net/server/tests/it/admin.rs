//! What tools ask: configurations of groups, quotas, producers, pages of topics.

use net_wire::batch::BatchBuilder;
use net_wire::messages::alter_client_quotas::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, EntryData, OpData,
};
use net_wire::messages::alter_user_scram_credentials::{
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse, ScramCredentialDeletion,
    ScramCredentialUpsertion,
};
use net_wire::messages::describe_client_quotas::{
    DescribeClientQuotasRequest, DescribeClientQuotasResponse,
};
use net_wire::messages::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, TopicRequest,
};
use net_wire::messages::describe_topic_partitions::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
};
use net_wire::messages::describe_user_scram_credentials::{
    DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse,
};
use net_wire::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, OP_SET,
};
use net_wire::messages::list_config_resources::{
    ListConfigResourcesRequest, ListConfigResourcesResponse,
};
use net_wire::messages::quota_entity::EntityData;
use net_wire::messages::{ConfigResource, describe_acls};
use net_wire::{ApiKey, ErrorCode, Float64};

use crate::client::{Client, batch_of};
use crate::node::{Setup, with_node};

#[test]
fn groups_have_configurations_before_they_have_members() {
    with_node(&Setup::shards(2), |node| async move {
        let client = node.connect().await;
        let set = |value| IncrementalAlterConfigsRequest {
            resources: vec![AlterConfigsResource {
                resource_type: ConfigResource::GROUP,
                resource_name: "g",
                configs: vec![AlterableConfig {
                    name: "consumer.session.timeout.ms",
                    config_operation: OP_SET,
                    value: Some(value),
                }],
            }],
            ..IncrementalAlterConfigsRequest::default()
        };
        for (value, code) in [("50000", ErrorCode::NONE), ("5", ErrorCode::INVALID_CONFIG)] {
            let answer = client.ask(1, &set(value)).await;
            let response: IncrementalAlterConfigsResponse<'_> = answer.decode();
            assert_eq!(response.responses[0].error_code, code, "{value}");
        }
        let body = ListConfigResourcesRequest {
            resource_types: vec![ConfigResource::GROUP],
        };
        let answer = client.ask(1, &body).await;
        let response: ListConfigResourcesResponse<'_> = answer.decode();
        let names = response.config_resources.iter();
        let names: Vec<_> = names.map(|one| one.resource_name).collect();
        assert_eq!(names, ["g"]);
    });
}

async fn set_quota(client: &Client, value: f64, validate_only: bool) -> ErrorCode {
    let body = AlterClientQuotasRequest {
        entries: vec![EntryData {
            entity: vec![EntityData {
                entity_type: "client-id",
                entity_name: None,
            }],
            ops: vec![OpData {
                key: "producer_byte_rate",
                value: Float64(value),
                remove: false,
            }],
        }],
        validate_only,
    };
    let answer = client.ask(1, &body).await;
    let response: AlterClientQuotasResponse<'_> = answer.decode();
    assert_eq!(response.entries[0].entity, body.entries[0].entity);
    response.entries[0].error_code
}

#[test]
fn quotas_are_kept_and_told() {
    with_node(&Setup::shards(2), |node| async move {
        let client = node.connect().await;
        let told = async || {
            let answer = client.ask(1, &DescribeClientQuotasRequest::default()).await;
            let response: DescribeClientQuotasResponse<'_> = answer.decode();
            let entries = response.entries.expect("no error").into_iter();
            let values = entries.flat_map(|entry| entry.values);
            values.map(|one| one.value.0 as i64).collect::<Vec<_>>()
        };
        assert_eq!(set_quota(&client, 2048.0, true).await, ErrorCode::NONE);
        assert!(told().await.is_empty());
        assert_eq!(set_quota(&client, 2048.0, false).await, ErrorCode::NONE);
        assert_eq!(told().await, [2048]);
        let refused = set_quota(&client, 0.5, false).await;
        assert_eq!(refused, ErrorCode::INVALID_REQUEST);
    });
}

#[test]
fn credentials_are_kept_and_told_without_their_keys() {
    with_node(&Setup::shards(2), |node| async move {
        let (client, other) = (node.connect().await, node.connect().await);
        let alter = async |body: &AlterUserScramCredentialsRequest<'_>| {
            let answer = client.ask(0, body).await;
            let response: AlterUserScramCredentialsResponse<'_> = answer.decode();
            response.results[0].error_code
        };
        let told = async || {
            let body = DescribeUserScramCredentialsRequest::default();
            let answer = other.ask(0, &body).await;
            let response: DescribeUserScramCredentialsResponse<'_> = answer.decode();
            let results = response.results.iter();
            let infos = results.flat_map(|user| &user.credential_infos);
            infos
                .map(|info| (info.mechanism, info.iterations))
                .collect::<Vec<_>>()
        };
        let set = |iterations| AlterUserScramCredentialsRequest {
            upsertions: vec![ScramCredentialUpsertion {
                name: "u",
                mechanism: 2,
                iterations,
                salt: b"salt",
                salted_password: b"salted",
            }],
            ..AlterUserScramCredentialsRequest::default()
        };
        assert_eq!(alter(&set(1)).await, ErrorCode::UNACCEPTABLE_CREDENTIAL);
        assert_eq!(alter(&set(8_192)).await, ErrorCode::NONE);
        assert_eq!(told().await, [(2, 8_192)]);
        let delete = AlterUserScramCredentialsRequest {
            deletions: vec![ScramCredentialDeletion {
                name: "u",
                mechanism: 2,
            }],
            ..AlterUserScramCredentialsRequest::default()
        };
        assert_eq!(alter(&delete).await, ErrorCode::NONE);
        assert!(told().await.is_empty());
        assert_eq!(alter(&delete).await, ErrorCode::RESOURCE_NOT_FOUND);
    });
}

#[test]
fn producers_are_asked_where_their_partitions_are() {
    with_node(&Setup::shards(2), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 2, &[]).await;
        for partition in 0..2 {
            let builder = BatchBuilder::new().producer(7, 1, 0);
            let batch = batch_of(builder, "p", 3, 10);
            let (code, _) = client.produce(9, "t", partition, &batch).await;
            assert_eq!(code, ErrorCode::NONE);
        }
        let body = DescribeProducersRequest {
            topics: vec![TopicRequest {
                name: "t",
                partition_indexes: vec![0, 9, 1],
            }],
        };
        let answer = client.ask(0, &body).await;
        let response: DescribeProducersResponse<'_> = answer.decode();
        let [first, unknown, second] = &response.topics[0].partitions[..] else {
            panic!("three partitions")
        };
        for known in [first, second] {
            let producer = &known.active_producers[0];
            let seen = (
                producer.producer_id,
                producer.producer_epoch,
                producer.last_sequence,
            );
            assert_eq!(seen, (7, 1, 2));
        }
        let code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        assert_eq!((unknown.partition_index, unknown.error_code), (9, code));
    });
}

#[test]
fn topics_are_told_a_page_at_a_time() {
    with_node(&Setup::shards(2), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 5, &[]).await;
        let mut body = DescribeTopicPartitionsRequest {
            response_partition_limit: 3,
            ..DescribeTopicPartitionsRequest::default()
        };
        let first = client.ask(0, &body).await;
        let first: DescribeTopicPartitionsResponse<'_> = first.decode();
        assert_eq!(first.topics[0].partitions.len(), 3);
        body.cursor = first.next_cursor;
        let second = client.ask(0, &body).await;
        let second: DescribeTopicPartitionsResponse<'_> = second.decode();
        assert_eq!(second.topics[0].partitions[0].partition_index, 3);
        assert_eq!(second.next_cursor, None);
    });
}

#[test]
fn without_an_authorizer_security_is_disabled() {
    with_node(&Setup::default(), |node| async move {
        let client = node.connect().await;
        for version in ApiKey::DescribeAcls.versions() {
            let body = describe_acls::DescribeAclsRequest {
                resource_type_filter: 1,
                operation: 1,
                permission_type: 1,
                ..describe_acls::DescribeAclsRequest::default()
            };
            let answer = client.ask(version, &body).await;
            let response: describe_acls::DescribeAclsResponse<'_> = answer.decode();
            assert_eq!(response.error_code, ErrorCode::SECURITY_DISABLED);
        }
    });
}
