//! Configurations, the cluster, its directory, its counters.

use net_server::MetricsSnapshot;
use net_wire::messages::alter_configs::{AlterConfigsRequest, AlterConfigsResponse};
use net_wire::messages::describe_cluster::{DescribeClusterRequest, DescribeClusterResponse};
use net_wire::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResponse,
};
use net_wire::messages::describe_log_dirs::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use net_wire::messages::incremental_alter_configs::{
    self as incremental, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, OP_SET,
};
use net_wire::messages::{ConfigResource, alter_configs};
use net_wire::{ApiKey, ErrorCode};

use crate::client::{Client, batch};
use crate::node::{CLUSTER_ID, HOST, Setup, with_node};

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
fn configurations_are_set_one_by_one() {
    with_node(&Setup::shards(2), |node| async move {
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
    });
}

#[test]
fn configurations_are_set_all_at_once() {
    with_node(&Setup::shards(2), |node| async move {
        let client = node.connect().await;
        let own = [("retention.ms", "5"), ("max.message.bytes", "200")];
        client.create_topic("t", 1, &own).await;
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
    with_node(&Setup::shards(2), |node| async move {
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
    with_node(&Setup::shards(2), |node| async move {
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
