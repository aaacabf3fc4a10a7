//! Connections: what is not Kafka, what is slow, what is too much, and the end.

use std::time::Duration;

use engine_rt::{now, sleep, spawn};
use net_server::Limits;
use net_wire::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use net_wire::messages::fetch::FetchResponse;
use net_wire::messages::metadata::{MetadataRequest, MetadataResponse};
use net_wire::{ApiKey, ErrorCode, Uuid};

use crate::client::{Client, batch, produced};
use crate::fetch::fetch_request;
use crate::node::{Node, Setup, with_node};

/// The broker still answers others.
async fn assert_serves(node: &Node) {
    let client = node.connect().await;
    let answer = client.ask(1, &MetadataRequest::default()).await;
    let response: MetadataResponse<'_> = answer.decode();
    assert_eq!(response.brokers.len(), 1);
}

async fn assert_refused(node: &Node, bytes: &[u8]) {
    let client = node.connect().await;
    client.send_bytes(bytes).await.unwrap();
    assert!(
        client.is_closed().await,
        "{:?} was not refused",
        &bytes[..bytes.len().min(24)]
    );
}

fn frame(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes()[..], body].concat()
}

#[test]
fn what_is_not_a_request_closes_the_connection() {
    with_node(&Setup::default(), |node| async move {
        let bystander = node.connect().await;
        for bytes in [
            // Lengths below a header, negative, and above the limit.
            &[0, 0, 0, 0][..],
            &[0, 0, 0, 9, 0, 18, 0, 0, 0, 0, 0, 1, 0],
            &[0xff, 0xff, 0xff, 0xff],
            &[0x80, 0, 0, 0],
            &[0x7f, 0xff, 0xff, 0xff, 0, 3],
            b"GET / HTTP/1.1\r\n\r\n",
            // The beginning of a TLS handshake.
            &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00],
        ] {
            assert_refused(&node, bytes).await;
        }
        let refused: u64 = node
            .metrics()
            .await
            .iter()
            .map(|one| one.connections_refused)
            .sum();
        assert_eq!(refused, 7);
        let answer = bystander.ask(0, &ApiVersionsRequest::default()).await;
        assert!(
            answer
                .decode::<ApiVersionsResponse<'_>>()
                .error_code
                .is_none()
        );
    });
}

#[test]
fn unknown_apis_and_versions_close_without_a_reply() {
    with_node(&Setup::default(), |node| async move {
        let header = |key: i16, version: i16| {
            let mut body = key.to_be_bytes().to_vec();
            body.extend(version.to_be_bytes());
            body.extend([0, 0, 0, 5, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]);
            frame(&body)
        };
        // Telemetry is off.
        for (key, version) in [(-1, 0), (4, 0), (71, 0), (72, 0), (999, 0), (i16::MAX, 0)] {
            assert_refused(&node, &header(key, version)).await;
        }
        // Produce 0 to 2 are advertised, for librdkafka, and refused.
        for version in [0, 1, 2, 12, -1] {
            assert_refused(&node, &header(0, version)).await;
        }
        for &api in ApiKey::ALL
            .iter()
            .filter(|&&api| api != ApiKey::ApiVersions)
        {
            assert_refused(&node, &header(api.code(), api.api().version_max + 1)).await;
            assert_refused(&node, &header(api.code(), -1)).await;
        }
        assert_serves(&node).await;
    });
}

#[test]
fn api_versions_too_new_is_answered_in_version_0() {
    with_node(&Setup::default(), |node| async move {
        let client = node.connect().await;
        // Version 5 of Kafka 4.2 and one of the far future, with a body that is not understood.
        for version in [5_i16, 99] {
            let mut body = 18_i16.to_be_bytes().to_vec();
            body.extend(version.to_be_bytes());
            body.extend([0, 0, 0, 7, 0, 1, b'x', 0xde, 0xad, 0xbe, 0xef]);
            client.send_bytes(&frame(&body)).await.unwrap();
            let answer = client.receive(0, 7).await.unwrap();
            let expected = [0, 0, 0, 7, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4];
            assert_eq!(answer.bytes(), expected);
        }
        // The client asks again, in the version it was told.
        let body = ApiVersionsRequest {
            client_software_name: "it",
            client_software_version: "1",
        };
        let answer = client.ask(4, &body).await;
        let response: ApiVersionsResponse<'_> = answer.decode();
        assert_eq!(response.api_keys.len(), ApiKey::ALL.len());
    });
}

#[test]
fn truncated_bodies_and_hostile_counts_close_without_harm() {
    with_node(&Setup::default(), |node| async move {
        let setup = node.connect().await;
        setup.create_topic("t", 1, &[]).await;
        for &api in ApiKey::ALL {
            for version in api.versions() {
                let mut header = api.code().to_be_bytes().to_vec();
                header.extend(version.to_be_bytes());
                header.extend([0, 0, 0, 1, 0xff, 0xff]);
                if api.is_flexible(version) {
                    header.push(0);
                }
                for body in [&[][..], &[0x7f, 0xff, 0xff, 0xff], &[0xff; 9], &[0; 3]] {
                    let client = node.connect().await;
                    client
                        .send_bytes(&frame(&[&header, body].concat()))
                        .await
                        .unwrap();
                    // A few are complete in some version, and answered; none harms.
                    let answered = client.receive(version, 1).await.is_some();
                    assert!(
                        !answered || api != ApiKey::Produce,
                        "{api:?} {version} {body:?}"
                    );
                }
            }
        }
        assert_serves(&node).await;
    });
}

#[test]
fn a_length_above_the_limit_is_refused_before_its_bytes_come() {
    let setup = Setup {
        settings: vec![("socket.request.max.bytes", "1000")],
        ..Setup::default()
    };
    with_node(&setup, |node| async move {
        assert_refused(&node, &1_001_u32.to_be_bytes()).await;
        let client = node.connect().await;
        client.send_bytes(&1_000_u32.to_be_bytes()).await.unwrap();
        sleep(Duration::from_secs(5)).await;
        assert_eq!(node.metrics().await[0].connections, 1);
        client.close();
        assert_serves(&node).await;
    });
}

#[test]
fn idle_slow_and_half_open_connections_are_closed_in_time() {
    let setup = Setup {
        settings: vec![("connections.max.idle.ms", "5000")],
        ..Setup::default()
    };
    with_node(&setup, |node| async move {
        let (idle, slow, busy) = (
            node.connect().await,
            node.connect().await,
            node.connect().await,
        );
        let started = now();
        // A request whose bytes come one by one is not activity.
        let drip = spawn(async move {
            let length = frame(&[0; 1_000]);
            for byte in length {
                if slow.send_bytes(&[byte]).await.is_err() {
                    break;
                }
                sleep(Duration::from_millis(100)).await;
            }
            now() - started
        });
        for _ in 0..10 {
            sleep(Duration::from_secs(1)).await;
            busy.ask(0, &ApiVersionsRequest::default()).await;
        }
        assert!(idle.is_closed().await);
        assert!(drip.await < Duration::from_secs(8));
        let snapshot = &node.metrics().await[0];
        assert_eq!((snapshot.connections, snapshot.connections_expired), (1, 2));
        busy.ask(0, &ApiVersionsRequest::default()).await;
    });
}

#[test]
fn who_stays_within_a_frame_or_never_reads_is_closed_in_time() {
    let setup = Setup {
        settings: vec![("connections.max.idle.ms", "5000")],
        ..Setup::default()
    };
    with_node(&setup, |node| async move {
        let busy = node.connect().await;
        busy.create_topic("t", 1, &[]).await;
        let outcome = busy.produce(9, "t", 0, &batch("x", 1, 700_000)).await;
        assert!(outcome.0.is_none());
        let half = node.connect().await;
        half.send_bytes(&frame(&[0; 1_000])[..500]).await.unwrap();
        let deaf = node.connect().await;
        for _ in 0..4 {
            deaf.send(11, &fetch_request("t", Uuid::ZERO, &[(0, 0)]))
                .await;
        }
        for _ in 0..8 {
            sleep(Duration::from_secs(1)).await;
            busy.ask(0, &ApiVersionsRequest::default()).await;
        }
        let snapshot = &node.metrics().await[0];
        assert_eq!((snapshot.connections, snapshot.connections_expired), (1, 2));
        assert_eq!(snapshot.response_bytes_queued, 0);
        assert!(half.is_closed().await);
    });
}

fn tight(limits: &mut Limits) {
    limits.shard_request_bytes_max = 100_000;
    limits.contended_patience = Duration::from_secs(2);
}

#[test]
fn who_announces_much_and_sends_nothing_gives_way() {
    with_node(
        &Setup {
            limits: tight,
            ..Setup::default()
        },
        |node| async move {
            let hogs = [node.connect().await, node.connect().await];
            for hog in &hogs {
                hog.send_bytes(&90_000_u32.to_be_bytes()).await.unwrap();
            }
            sleep(Duration::from_millis(100)).await;
            let started = now();
            let honest = node.connect().await;
            honest.create_topic("t", 1, &[]).await;
            assert_eq!(
                honest.produce(9, "t", 0, &batch("x", 1, 50_000)).await.0,
                ErrorCode::NONE
            );
            assert!(
                now() - started < Duration::from_secs(8),
                "{:?}",
                now() - started
            );
            let snapshot = &node.metrics().await[0];
            assert!(snapshot.connections_expired >= 1, "{snapshot:?}");
        },
    );
}

#[test]
fn who_does_not_read_its_answers_gives_way() {
    let limits: fn(&mut Limits) = |limits| {
        limits.shard_response_bytes_max = 8_000_000;
        limits.contended_patience = Duration::from_secs(2);
    };
    let setup = Setup {
        limits,
        ..Setup::default()
    };
    with_node(&setup, |node| async move {
        let honest = node.connect().await;
        honest.create_topic("t", 1, &[]).await;
        for _ in 0..4 {
            let outcome = honest.produce(9, "t", 0, &batch("x", 1, 700_000)).await;
            assert!(outcome.0.is_none());
        }
        let fetch = fetch_request("t", Uuid::ZERO, &[(0, 0)]);
        let mut hogs = Vec::new();
        for _ in 0..12 {
            let hog = node.connect().await;
            hog.send(11, &fetch).await;
            hogs.push(hog);
        }
        sleep(Duration::from_secs(1)).await;
        let started = now();
        let answer = honest.ask(11, &fetch).await;
        assert!(answer.bytes().len() > 700_000);
        assert!(
            now() - started < Duration::from_secs(10),
            "{:?}",
            now() - started
        );
        let snapshot = &node.metrics().await[0];
        assert!(snapshot.connections_expired >= 1, "{snapshot:?}");
        drop(hogs);
    });
}

#[test]
fn requests_beyond_the_budget_wait_and_none_is_lost() {
    let limits: fn(&mut Limits) = |limits| {
        limits.shard_request_bytes_max = 50_000;
        limits.connection_bytes_queued_max = 30_000;
        limits.connection_requests_queued_max = 4;
    };
    with_node(
        &Setup {
            limits,
            ..Setup::default()
        },
        |node| async move {
            let setup = node.connect().await;
            setup.create_topic("t", 3, &[]).await;
            let mut clients = Vec::new();
            for partition in 0..3 {
                let client = node.connect().await;
                clients.push(spawn(async move {
                    let mut sent = Vec::new();
                    for _ in 0..30 {
                        let batch = batch("x", 1, 9_000);
                        sent.push(client.send_produce(9, -1, "t", partition, &batch).await);
                    }
                    for (offset, id) in (0..).zip(sent) {
                        let answer = client.receive(9, id).await.unwrap();
                        assert_eq!(produced(&answer), (ErrorCode::NONE, offset));
                    }
                }));
            }
            for client in clients {
                client.await;
            }
            let snapshot = &node.metrics().await[0];
            assert_eq!(
                (
                    snapshot.request_bytes_queued,
                    snapshot.response_bytes_queued
                ),
                (0, 0)
            );
        },
    );
}

#[test]
fn other_requests_keep_kafkas_order_behind_each_other() {
    with_node(&Setup::shards(2), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 1, &[]).await;
        // Pipelined: the fetch sees what the produce before it wrote.
        let batch = batch("x", 1, 10);
        let produce = client.send_produce(9, -1, "t", 0, &batch).await;
        let fetch = client
            .send(11, &fetch_request("t", Uuid::ZERO, &[(0, 0)]))
            .await;
        let versions = client.send(0, &ApiVersionsRequest::default()).await;
        assert_eq!(
            produced(&client.receive(9, produce).await.unwrap()),
            (ErrorCode::NONE, 0)
        );
        let answer = client.receive(11, fetch).await.unwrap();
        let response: FetchResponse<'_> = answer.decode();
        assert_eq!(response.responses[0].partitions[0].high_watermark, 1);
        assert!(
            !response.responses[0].partitions[0]
                .records
                .as_ref()
                .unwrap()
                .bytes()
                .is_empty()
        );
        let answer = client.receive(0, versions).await.unwrap();
        assert!(
            answer
                .decode::<ApiVersionsResponse<'_>>()
                .error_code
                .is_none()
        );
    });
}

#[test]
fn connections_spread_over_shards() {
    with_node(&Setup::shards(3), |node| async move {
        let mut clients = Vec::new();
        for _ in 0..6 {
            let client = node.connect().await;
            client.ask(0, &ApiVersionsRequest::default()).await;
            clients.push(client);
        }
        let open: Vec<_> = node
            .metrics()
            .await
            .iter()
            .map(|one| one.connections)
            .collect();
        assert_eq!(open, [2, 2, 2]);
        clients.into_iter().for_each(Client::close);
        sleep(Duration::from_secs(1)).await;
        let open: Vec<_> = node
            .metrics()
            .await
            .iter()
            .map(|one| one.connections)
            .collect();
        assert_eq!(open, [0, 0, 0]);
    });
}

#[test]
fn a_stop_answers_what_is_in_flight() {
    with_node(&Setup::shards(2), |node| async move {
        let (writer, reader, idle) = (
            node.connect().await,
            node.connect().await,
            node.connect().await,
        );
        writer.create_topic("t", 2, &[]).await;
        let mut wait = fetch_request("t", Uuid::ZERO, &[(1, 0)]);
        wait.max_wait_ms = 120_000;
        let waiting = reader.send(11, &wait).await;
        let mut sent = Vec::new();
        for _ in 0..5 {
            sent.push(
                writer
                    .send_produce(9, -1, "t", 0, &batch("x", 1, 100))
                    .await,
            );
        }
        // Wait for the requests to be read: what the broker has not read, it does not answer.
        sleep(Duration::from_millis(5)).await;
        let started = now();
        node.stop().await;
        assert!(now() - started < Duration::from_secs(5));
        let answer = reader
            .receive(11, waiting)
            .await
            .expect("a long poll ends with an answer");
        assert_eq!(
            answer.decode::<FetchResponse<'_>>().error_code,
            ErrorCode::NONE
        );
        let mut answered = 0;
        for id in sent {
            let Some(answer) = writer.receive(9, id).await else {
                break;
            };
            assert_eq!(produced(&answer), (ErrorCode::NONE, answered));
            answered += 1;
        }
        assert!(answered >= 1);
        assert!(idle.is_closed().await);
    });
}
