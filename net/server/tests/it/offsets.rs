//! Offsets, leader epochs and producer ids.

use std::collections::BTreeSet;

use net_wire::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopic,
};
use net_wire::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use net_wire::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use net_wire::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use net_wire::{ApiKey, ErrorCode};

use crate::client::{Client, batch};
use crate::node::{Setup, with_node};

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
    // Version 0 has a list.
    let offset = found.old_style_offsets.first().unwrap_or(&found.offset);
    (found.error_code, *offset, found.timestamp)
}

#[test]
fn offsets_are_listed_by_end_and_by_time() {
    with_node(&Setup::shards(2), |node| async move {
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
            // Version 0 says no time.
            let time = if version == 0 { -1 } else { start + 10 };
            assert_eq!(by_time, (ErrorCode::NONE, 1, time));
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
    with_node(&Setup::shards(2), |node| async move {
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
fn leader_epochs_end_where_they_ended() {
    with_node(&Setup::shards(2), |node| async move {
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
        let to_come = ask(4, 1, -1, 7).await;
        assert_eq!(to_come, (ErrorCode::NONE, -1, -1));
        let newer = ask(4, 1, 3, 0).await;
        assert_eq!(newer, (ErrorCode::UNKNOWN_LEADER_EPOCH, -1, -1));
        let unknown = ask(4, 9, -1, 0).await;
        assert_eq!(unknown, (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, -1, -1));
    });
}

#[test]
fn producer_ids_are_never_given_twice() {
    with_node(&Setup::shards(2), |node| async move {
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
