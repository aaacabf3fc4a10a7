//! Quotas: what clients get in virtual time, what they are told, and who is left alone.

use std::time::Duration;

use engine_rt::{Instant, now, sleep, spawn};
use net_wire::messages::alter_client_quotas::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, EntryData, OpData,
};
use net_wire::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use net_wire::messages::fetch::{FetchRequest, FetchResponse};
use net_wire::messages::produce::{ProduceRequest, ProduceResponse};
use net_wire::messages::quota_entity::EntityData;
use net_wire::{ErrorCode, Float64, Uuid};

use crate::client::{Client, batch, produce_request};
use crate::fetch::{fetch_request, partitions};
use crate::node::{Node, Setup, with_node};

const MIB: f64 = 1_048_576.0;
const SMALL: f64 = 65_536.0;
/// Long enough for the burst that the windows allow not to matter.
const LONG: Duration = Duration::from_mins(2);
/// All of Kafka's default windows: what is used in them is the burst and nothing more.
const WINDOWS: Duration = Duration::from_secs(11);

/// Sets the quota of an entity, or removes it.
async fn set_quota(client: &Client, entity: (&str, Option<&str>), key: &str, value: Option<f64>) {
    let body = AlterClientQuotasRequest {
        entries: vec![EntryData {
            entity: vec![EntityData {
                entity_type: entity.0,
                entity_name: entity.1,
            }],
            ops: vec![OpData {
                key,
                value: Float64(value.unwrap_or_default()),
                remove: value.is_none(),
            }],
        }],
        validate_only: false,
    };
    let id = client.send_as(Some("admin"), 1, &body).await;
    let answer = client.receive(1, id).await.unwrap();
    let response: AlterClientQuotasResponse<'_> = answer.decode();
    assert_eq!(response.entries[0].error_code, ErrorCode::NONE);
}

const ANYBODY: (&str, Option<&str>) = ("client-id", None);

/// What a client got, and what it was told.
#[derive(Default)]
struct Account {
    began: Option<Instant>,
    amount: f64,
    /// At the end of the windows.
    first: Option<f64>,
    throttled: Duration,
    /// When the client may ask again, as it was told.
    rests_until: Instant,
}

impl Account {
    /// Counts an answer, which must not have come while the client was to rest.
    fn add(&mut self, amount: usize, throttle_time_ms: i32) {
        let at = now();
        assert!(at >= self.rests_until, "an answer to a client that rests");
        let throttle = Duration::from_millis(throttle_time_ms.unsigned_abs().into());
        // The time began when the answer left.
        self.rests_until = at + throttle.saturating_sub(Duration::from_millis(10));
        self.throttled += throttle;
        self.began.get_or_insert(at);
        self.amount += amount as f64;
        if self.age() >= WINDOWS && self.first.is_none() {
            self.first = Some(self.rate());
        }
    }

    fn age(&self) -> Duration {
        self.began.map_or(Duration::ZERO, |began| now() - began)
    }

    fn rate(&self) -> f64 {
        self.amount / self.age().as_secs_f64()
    }

    fn assert(&self, limit: f64) {
        for rate in [self.first.unwrap(), self.rate()] {
            let share = rate / limit;
            assert!((0.9..1.1).contains(&share), "{share} of what is allowed");
        }
        assert!(self.throttled > self.age() / 2, "{:?}", self.throttled);
    }
}

async fn assert_counted(node: &Node) {
    let shards = node.metrics().await;
    assert!(shards.iter().map(|one| one.requests_throttled).sum::<u64>() > 10);
    assert!(shards.iter().map(|one| one.throttle_ms).sum::<u64>() > 60_000);
}

#[test]
fn a_producer_gets_what_its_quota_allows() {
    with_node(&Setup::shards(2), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 1, &[]).await;
        set_quota(&client, ANYBODY, "producer_byte_rate", Some(MIB)).await;
        let batch = batch("x", 1, 16_000);
        let body = produce_request(-1, "t", 0, &batch);
        let mut account = Account::default();
        while account.age() < LONG {
            let answer = client.ask(9, &body).await;
            let response: ProduceResponse<'_> = answer.decode();
            let outcome = &response.responses[0].partition_responses[0];
            assert_eq!(outcome.error_code, ErrorCode::NONE);
            account.add(batch.len(), response.throttle_time_ms);
        }
        account.assert(MIB);
        assert_counted(&node).await;
    });
}

#[test]
fn connections_of_one_client_share_its_quota() {
    with_node(&Setup::shards(3), |node| async move {
        let admin = node.connect().await;
        admin.create_topic("t", 3, &[]).await;
        set_quota(&admin, ("user", None), "producer_byte_rate", Some(SMALL)).await;
        let mut tasks = Vec::new();
        // They are on different shards.
        for partition in 0..3 {
            let client = node.connect().await;
            tasks.push(spawn(async move {
                let batch = batch("x", 1, 1_000);
                let body = produce_request(-1, "t", partition, &batch);
                let (began, mut bytes) = (now(), 0);
                while now() - began < LONG {
                    client.ask(9, &body).await;
                    bytes += batch.len();
                }
                bytes as f64 / (now() - began).as_secs_f64()
            }));
        }
        let mut rate = 0.0;
        for task in tasks {
            rate += task.await;
        }
        let share = rate / SMALL;
        assert!((0.9..1.1).contains(&share), "{share} of what is allowed");
    });
}

#[test]
fn a_producer_without_answers_is_slowed_down_as_well() {
    with_node(&Setup::default(), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 1, &[]).await;
        set_quota(&client, ANYBODY, "producer_byte_rate", Some(SMALL)).await;
        let batch = batch("x", 1, 1_000);
        let (began, mut bytes) = (now(), 0);
        while (bytes as f64) < SMALL * LONG.as_secs_f64() {
            client.send(9, &produce_request(0, "t", 0, &batch)).await;
            bytes += batch.len();
        }
        // Behind all of them.
        client.ask(0, &ApiVersionsRequest::default()).await;
        let share = bytes as f64 / (now() - began).as_secs_f64() / SMALL;
        assert!((0.9..1.1).contains(&share), "{share} of what is allowed");
    });
}

#[test]
fn a_consumer_gets_what_its_quota_allows() {
    with_node(&Setup::shards(2), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 1, &[]).await;
        for _ in 0..40 {
            let outcome = client.produce(9, "t", 0, &batch("x", 1, 60_000)).await;
            assert!(outcome.0.is_none());
        }
        set_quota(&client, ANYBODY, "consumer_byte_rate", Some(MIB)).await;
        let (mut account, mut offset) = (Account::default(), 0);
        while account.age() < LONG {
            let mut body = fetch_request("t", Uuid::ZERO, &[(0, offset)]);
            body.max_bytes = 130_000;
            let answer = client.ask(11, &body).await;
            let response: FetchResponse<'_> = answer.decode();
            let read = partitions(&response).into_iter().next();
            // Who is throttled gets nothing, and asks again.
            assert_eq!(read.is_none(), response.throttle_time_ms > 0);
            let read = read.map_or(0, |data| data.records.unwrap().bytes().len());
            account.add(read, response.throttle_time_ms);
            offset = if read == 0 { offset } else { (offset + 2) % 40 };
        }
        account.assert(MIB);
        assert_counted(&node).await;
    });
}

#[test]
fn a_throttled_fetch_leaves_its_session_as_it_is() {
    with_node(&Setup::default(), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 1, &[]).await;
        let outcome = client.produce(9, "t", 0, &batch("x", 1, 60_000)).await;
        assert!(outcome.0.is_none());
        let mut body = fetch_request("t", Uuid::ZERO, &[(0, 0)]);
        (body.session_id, body.session_epoch) = (0, 0);
        let ask = async |body: &FetchRequest<'_>| {
            let answer = client.ask(11, body).await;
            let response: FetchResponse<'_> = answer.decode();
            let told = partitions(&response).len();
            assert_eq!(response.error_code, ErrorCode::NONE);
            (response.session_id, response.throttle_time_ms, told)
        };
        let (session, throttle, told) = ask(&body).await;
        assert!(session != 0 && throttle == 0 && told == 1);
        // What was read once uses up the quota of ten seconds, so that the next ones wait.
        set_quota(&client, ANYBODY, "consumer_byte_rate", Some(7_000.0)).await;
        body.topics.clear();
        let mut answers = Vec::new();
        for epoch in 1..=3 {
            (body.session_id, body.session_epoch) = (session, epoch);
            let (same, throttle, told) = ask(&body).await;
            assert_eq!(same, session);
            answers.push((throttle > 0, told));
        }
        assert_eq!(answers, [(false, 1), (true, 0), (true, 0)]);
        sleep(WINDOWS).await;
        body.session_epoch = 4;
        assert_eq!(ask(&body).await, (session, 0, 1));
        // A full request is refused a session while it is throttled.
        (body.session_id, body.session_epoch) = (0, 0);
        body.topics = fetch_request("t", Uuid::ZERO, &[(0, 0)]).topics;
        let (session, throttle, told) = ask(&body).await;
        assert!(session == 0 && throttle > 0 && told == 0);
    });
}

#[test]
fn time_of_requests_is_shared_out_as_well() {
    let setup = Setup {
        limits: |limits| limits.request_overhead = Duration::from_millis(2),
        ..Setup::shards(2)
    };
    with_node(&setup, |node| async move {
        let client = node.connect().await;
        // A tenth of a core: 50 requests of 2 ms in a second.
        set_quota(&client, ANYBODY, "request_percentage", Some(10.0)).await;
        let mut account = Account::default();
        while account.age() < LONG {
            let answer = client.ask(2, &ApiVersionsRequest::default()).await;
            let response: ApiVersionsResponse<'_> = answer.decode();
            assert!(response.throttle_time_ms <= 1_000);
            account.add(1, response.throttle_time_ms);
        }
        account.assert(50.0);
        assert_counted(&node).await;
    });
}

/// The throttle time that one request more is told.
async fn throttle_of(client: &Client, client_id: &str, body: &ProduceRequest<'_>) -> i32 {
    let id = client.send_as(Some(client_id), 9, body).await;
    let answer = client.receive(9, id).await.unwrap();
    answer.decode::<ProduceResponse<'_>>().throttle_time_ms
}

#[test]
fn a_change_holds_for_the_next_request_and_for_whom_it_is() {
    with_node(&Setup::shards(2), |node| async move {
        let (admin, client) = (node.connect().await, node.connect().await);
        admin.create_topic("t", 1, &[]).await;
        let batch = batch("x", 1, 60_000);
        let body = produce_request(-1, "t", 0, &batch);
        let throttled = async |id: &str| throttle_of(&client, id, &body).await > 0;
        assert!(!throttled("one").await);
        // What was used before does not count: nobody had counted it.
        set_quota(&admin, ANYBODY, "producer_byte_rate", Some(9_000.0)).await;
        assert!(!throttled("one").await);
        assert!(throttled("one").await);
        // Each client has the default for itself; one of its own comes first.
        assert!(!throttled("two").await);
        let two = ("client-id", Some("two"));
        set_quota(&admin, two, "producer_byte_rate", Some(MIB)).await;
        assert!(!throttled("two").await);
        set_quota(&admin, two, "producer_byte_rate", Some(1_000.0)).await;
        assert!(throttled("two").await);
        set_quota(&admin, two, "producer_byte_rate", None).await;
        set_quota(&admin, ANYBODY, "producer_byte_rate", None).await;
        assert!(!throttled("one").await && !throttled("two").await);
    });
}

#[test]
fn a_throttled_connection_is_not_read_from_and_can_end() {
    with_node(&Setup::default(), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 1, &[]).await;
        set_quota(&client, ANYBODY, "producer_byte_rate", Some(50.0)).await;
        let batch = batch("x", 1, 1_000);
        for _ in 0..10 {
            client.send(9, &produce_request(-1, "t", 0, &batch)).await;
        }
        sleep(Duration::from_secs(5)).await;
        let snapshot = &node.metrics().await[0];
        // The first one has to be paid for with more than 11 s: the others wait in the socket.
        assert_eq!(
            (
                snapshot.connections_throttled,
                snapshot.request_bytes_queued
            ),
            (1, 0)
        );
        assert_eq!(snapshot.records_in, 1);
        let began = now();
        node.stop().await;
        assert!(now() - began < Duration::from_secs(5));
        assert!(client.receive(9, 3).await.is_some());
    });
}
