//! Fetch sessions (KIP-227).

use std::time::Duration;

use engine_rt::{now, sleep};
use net_wire::messages::fetch::{FetchRequest, FetchResponse, ForgottenTopic};
use net_wire::{ErrorCode, Uuid};

use crate::client::Answer;
use crate::node::{Setup, with_node};

use crate::fetch::{append, fetch_request, partitions, topic_id};

fn session_of(answer: &Answer) -> i32 {
    let response: FetchResponse<'_> = answer.decode();
    assert!(response.error_code.is_none(), "{:?}", response.error_code);
    response.session_id
}

#[test]
fn sessions_tell_only_what_is_new() {
    with_node(&Setup::shards(2), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 3, &[]).await;
        let mut full = fetch_request("t", Uuid::ZERO, &[(0, 0), (1, 0), (2, 0)]);
        full.session_epoch = 0;
        let answer = client.ask(11, &full).await;
        let session_id = session_of(&answer);
        assert_ne!(session_id, 0);
        let opened: FetchResponse<'_> = answer.decode();
        assert_eq!(partitions(&opened).len(), 3);

        append(&client, "t", 1, "news", 10).await;
        let mut next = FetchRequest {
            session_id,
            session_epoch: 1,
            min_bytes: 1,
            ..FetchRequest::default()
        };
        next.max_wait_ms = 100;
        let answer = client.ask(11, &next).await;
        let response: FetchResponse<'_> = answer.decode();
        let told: Vec<_> = partitions(&response)
            .iter()
            .map(|data| data.partition_index)
            .collect();
        assert_eq!((told, response.session_id), (vec![1], session_id));

        // Partition 1 moves on, partition 2 leaves, and nothing is new.
        let moved = fetch_request("t", Uuid::ZERO, &[(1, 1)]);
        next.topics = moved.topics;
        next.session_epoch = 2;
        next.forgotten_topics_data = vec![ForgottenTopic {
            topic: "t",
            topic_id: Uuid::ZERO,
            partitions: vec![2],
        }];
        let answer = client.ask(11, &next).await;
        let response: FetchResponse<'_> = answer.decode();
        assert!(response.responses.is_empty(), "{response:?}");
        append(&client, "t", 2, "unwatched", 10).await;
        (next.topics, next.forgotten_topics_data) = (Vec::new(), Vec::new());
        next.session_epoch = 3;
        let answer = client.ask(11, &next).await;
        let response: FetchResponse<'_> = answer.decode();
        assert!(response.responses.is_empty(), "{response:?}");
        assert_eq!(
            node.metrics()
                .await
                .iter()
                .map(|one| one.fetch_sessions)
                .sum::<usize>(),
            1
        );
    });
}

#[test]
fn sessions_refuse_what_does_not_belong_to_them() {
    with_node(&Setup::default(), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 1, &[]).await;
        let id = topic_id(&client, "t").await;
        let mut full = fetch_request("t", id, &[(0, 0)]);
        full.session_epoch = 0;
        let session_id = session_of(&client.ask(12, &full).await);
        let code = async |version, session_id, session_epoch| {
            let body = FetchRequest {
                session_id,
                session_epoch,
                ..FetchRequest::default()
            };
            let answer = client.ask(version, &body).await;
            let response: FetchResponse<'_> = answer.decode();
            assert!(response.responses.is_empty());
            response.error_code
        };
        assert_eq!(
            code(12, session_id ^ 1, 1).await,
            ErrorCode::FETCH_SESSION_ID_NOT_FOUND
        );
        assert_eq!(
            code(12, session_id, 5).await,
            ErrorCode::INVALID_FETCH_SESSION_EPOCH
        );
        assert_eq!(
            code(13, session_id, 1).await,
            ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR
        );
        assert_eq!(code(12, session_id, 1).await, ErrorCode::NONE);
        // Closed by its client.
        assert_eq!(code(12, session_id, -1).await, ErrorCode::NONE);
        assert_eq!(
            code(12, session_id, 2).await,
            ErrorCode::FETCH_SESSION_ID_NOT_FOUND
        );
    });
}

#[test]
fn a_topic_deleted_under_a_waiting_session_is_told() {
    with_node(&Setup::shards(2), |node| async move {
        let (reader, admin) = (node.connect().await, node.connect().await);
        admin.create_topic("t", 1, &[]).await;
        let id = topic_id(&admin, "t").await;
        let mut full = fetch_request("", id, &[(0, 0)]);
        full.session_epoch = 0;
        let session_id = session_of(&reader.ask(13, &full).await);
        let wait = FetchRequest {
            session_id,
            session_epoch: 1,
            min_bytes: 1,
            max_wait_ms: 120_000,
            ..FetchRequest::default()
        };
        let started = now();
        let waiting = reader.send(13, &wait).await;
        sleep(Duration::from_millis(500)).await;
        crate::topics::delete_topic(&admin, "t").await;
        let answer = reader.receive(13, waiting).await.unwrap();
        assert!(now() - started < Duration::from_secs(5));
        let response: FetchResponse<'_> = answer.decode();
        assert_eq!(
            partitions(&response)[0].error_code,
            ErrorCode::UNKNOWN_TOPIC_ID
        );
        // Under the same name, another topic: the session's id does not mean it.
        admin.create_topic("t", 1, &[]).await;
        let again = FetchRequest {
            session_epoch: 2,
            ..wait
        };
        let answer = reader.ask(13, &again).await;
        let response: FetchResponse<'_> = answer.decode();
        assert_eq!(
            partitions(&response)[0].error_code,
            ErrorCode::UNKNOWN_TOPIC_ID
        );
    });
}
