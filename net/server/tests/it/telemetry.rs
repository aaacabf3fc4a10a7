//! Telemetry: clients are asked for metrics and push them, within limits.

use std::time::Duration;

use engine_rt::sleep;
use net_server::ClientMetric;
use net_wire::codec::Codec;
use net_wire::messages::ConfigResource;
use net_wire::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use net_wire::messages::get_telemetry_subscriptions::{
    GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse,
};
use net_wire::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, OP_SET,
};
use net_wire::messages::push_telemetry::{PushTelemetryRequest, PushTelemetryResponse};
use net_wire::{ErrorCode, Uuid};

use crate::client::Client;
use crate::node::{Node, Setup, with_node};

const INTERVAL: Duration = Duration::from_secs(10);

fn switched_on() -> Setup {
    Setup {
        settings: vec![("telemetry.max.bytes", "200")],
        client_telemetry: true,
        ..Setup::shards(2)
    }
}

/// A field of protocol buffers.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, content.len() as u8], content].concat()
}

/// A gauge of OpenTelemetry.
fn gauge(name: &str, value: f64) -> Vec<u8> {
    let point = [&[4 << 3 | 1][..], &value.to_le_bytes()].concat();
    let data = field(5, &field(1, &point));
    let metric = [field(1, name.as_bytes()), data].concat();
    field(1, &field(2, &field(2, &metric)))
}

async fn subscribe(client: &Client, configs: &[(&str, &str)]) {
    let configs = configs.iter().map(|(name, value)| AlterableConfig {
        name,
        config_operation: OP_SET,
        value: Some(value),
    });
    let body = IncrementalAlterConfigsRequest {
        resources: vec![AlterConfigsResource {
            resource_type: ConfigResource::CLIENT_METRICS,
            resource_name: "s",
            configs: configs.collect(),
        }],
        ..IncrementalAlterConfigsRequest::default()
    };
    let answer = client.ask(1, &body).await;
    let response: IncrementalAlterConfigsResponse<'_> = answer.decode();
    assert_eq!(response.responses[0].error_code, ErrorCode::NONE);
}

/// What a client is asked for: its instance, the subscription, and the metrics.
async fn asked(client: &Client, instance: Uuid) -> Result<(Uuid, i32, Vec<String>), ErrorCode> {
    let body = GetTelemetrySubscriptionsRequest {
        client_instance_id: instance,
    };
    let answer = client.ask(0, &body).await;
    let told: GetTelemetrySubscriptionsResponse<'_> = answer.decode();
    if !told.error_code.is_none() {
        return Err(told.error_code);
    }
    assert_eq!(told.telemetry_max_bytes, 200);
    assert_eq!(told.accepted_compression_types, [4, 3, 1, 2]);
    assert_eq!(told.push_interval_ms, INTERVAL.as_millis() as i32);
    let metrics = told.requested_metrics.iter();
    let metrics = metrics.map(|name| (*name).to_owned()).collect();
    Ok((told.client_instance_id, told.subscription_id, metrics))
}

async fn push(client: &Client, body: &PushTelemetryRequest<'_>) -> ErrorCode {
    let answer = client.ask(0, body).await;
    answer.decode::<PushTelemetryResponse>().error_code
}

/// What all shards were told, by name.
async fn told(node: &Node) -> Vec<(String, ClientMetric)> {
    let shards = node.metrics().await;
    let all = shards.into_iter().flat_map(|one| one.client_metrics);
    all.collect()
}

#[test]
fn clients_push_what_they_are_asked_for() {
    with_node(&switched_on(), |node| async move {
        let (admin, client) = (node.connect().await, node.connect().await);
        let body = ApiVersionsRequest {
            client_software_name: "it",
            client_software_version: "1",
        };
        let answer = client.ask(4, &body).await;
        let versions: ApiVersionsResponse<'_> = answer.decode();
        for key in [71, 72] {
            assert!(versions.api_keys.iter().any(|line| line.api_key == key));
        }
        let configs = [
            ("metrics", "a.,b."),
            ("interval.ms", "10000"),
            (
                "match",
                "client_software_name=it,client_software_version=[0-9]",
            ),
        ];
        subscribe(&admin, &configs).await;
        let (instance, subscription_id, metrics) = asked(&client, Uuid::ZERO).await.unwrap();
        assert!(!instance.is_zero());
        assert_eq!(metrics, ["a.", "b."]);
        // One push at once, the next after the interval, from whatever connection.
        let (wanted, other) = (gauge("a.lag", 3.0), gauge("c.lag", 3.0));
        let body = PushTelemetryRequest {
            client_instance_id: instance,
            subscription_id,
            metrics: &wanted,
            ..PushTelemetryRequest::default()
        };
        assert_eq!(push(&client, &body).await, ErrorCode::NONE);
        let early = ErrorCode::THROTTLING_QUOTA_EXCEEDED;
        assert_eq!(push(&client, &body).await, early);
        assert_eq!(asked(&client, instance).await, Err(early));
        sleep(INTERVAL).await;
        let unasked = PushTelemetryRequest {
            metrics: &other,
            ..body.clone()
        };
        assert_eq!(push(&client, &unasked).await, ErrorCode::NONE);
        let last = PushTelemetryRequest {
            terminating: true,
            ..body.clone()
        };
        assert_eq!(push(&client, &last).await, ErrorCode::NONE);
        assert_eq!(push(&client, &last).await, ErrorCode::INVALID_REQUEST);
        let metric = ClientMetric { sum: 6.0, count: 2 };
        assert_eq!(told(&node).await, [("a.lag".to_owned(), metric)]);
        let dropped: u64 = node
            .metrics()
            .await
            .iter()
            .map(|one| one.telemetry_dropped)
            .sum();
        assert_eq!(dropped, 1);
    });
}

#[test]
fn what_was_not_agreed_on_is_refused() {
    with_node(&switched_on(), |node| async move {
        let client = node.connect().await;
        subscribe(&client, &[("metrics", "*"), ("interval.ms", "10000")]).await;
        let (instance, subscription_id, metrics) = asked(&client, Uuid::ZERO).await.unwrap();
        assert_eq!(metrics, ["*"]);
        let (fine, large, junk) = (gauge("a", 1.0), [7; 201], [0xff; 20]);
        let body = PushTelemetryRequest {
            client_instance_id: instance,
            subscription_id,
            metrics: &fine,
            ..PushTelemetryRequest::default()
        };
        let cases = [
            (
                PushTelemetryRequest {
                    subscription_id: subscription_id ^ 1,
                    ..body.clone()
                },
                ErrorCode::UNKNOWN_SUBSCRIPTION_ID,
            ),
            (
                PushTelemetryRequest {
                    compression_type: 5,
                    ..body.clone()
                },
                ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
            ),
            (
                PushTelemetryRequest {
                    metrics: &large,
                    ..body.clone()
                },
                ErrorCode::TELEMETRY_TOO_LARGE,
            ),
            (
                PushTelemetryRequest {
                    metrics: &junk,
                    ..body.clone()
                },
                ErrorCode::INVALID_RECORD,
            ),
            (
                PushTelemetryRequest {
                    metrics: &junk,
                    compression_type: Codec::Zstd.id() as i8,
                    ..body.clone()
                },
                ErrorCode::INVALID_RECORD,
            ),
            (
                PushTelemetryRequest {
                    client_instance_id: Uuid::ZERO,
                    ..body.clone()
                },
                ErrorCode::INVALID_REQUEST,
            ),
        ];
        for (body, code) in cases {
            assert_eq!(push(&client, &body).await, code);
            sleep(INTERVAL).await;
        }
        // Told otherwise, the client asks again, and may do so at once.
        assert_eq!(push(&client, &body).await, ErrorCode::NONE);
        subscribe(&client, &[("metrics", "b")]).await;
        sleep(INTERVAL).await;
        let outdated = push(&client, &body).await;
        assert_eq!(outdated, ErrorCode::UNKNOWN_SUBSCRIPTION_ID);
        let (same, changed, metrics) = asked(&client, instance).await.unwrap();
        assert_eq!((same, metrics), (instance, vec!["b".to_owned()]));
        assert_ne!(changed, subscription_id);
        assert_eq!(told(&node).await.len(), 1);
    });
}
