//! What tests of a whole node have in common: where it listens, and a group that commits offsets.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use engine_rt::sleep;
use flumen::broker::{AdminHandle, BrokerConfig, KafkaListener, Settings};
use flumen::client::Connection;
use net_wire::ErrorCode;
use net_wire::frame::decode_response;
use net_wire::messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use net_wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse,
};
use net_wire::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchResponse,
};

/// Where the node listens.
pub(crate) const ADDR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9092);

/// A small node with these settings, which reserves no space.
pub(crate) fn config(shards: usize, settings: &[(&str, &str)]) -> BrokerConfig {
    let reserve = ("flumen.space.reserve.bytes", "0");
    let settings = settings.iter().copied().chain([reserve]);
    BrokerConfig {
        data_dir: PathBuf::from("/data"),
        listeners: vec![KafkaListener {
            name: "PLAINTEXT".to_owned(),
            bind: ADDR,
            advertised: None,
        }],
        shards,
        cpus: Vec::new(),
        memory_bytes: 64 << 20,
        open_files: 1024,
        settings: Settings::from_pairs(settings).expect("known settings"),
        node_id: None,
        accept_copy: false,
        admin: AdminHandle::new(shards),
    }
}

pub(crate) async fn connect() -> Connection {
    loop {
        match Connection::connect(ADDR, "test").await {
            Ok(connection) => return connection,
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Waits for the coordinator of group `g`, until it answers.
pub(crate) async fn find_coordinator(connection: &Connection) {
    let request = FindCoordinatorRequest {
        coordinator_keys: vec!["g"],
        ..FindCoordinatorRequest::default()
    };
    for _ in 0..100 {
        let read = |frame: &[u8], version| {
            let (_, answer) = decode_response::<FindCoordinatorResponse<'_>>(frame, version)?;
            Ok(answer.coordinators[0].error_code)
        };
        let code = connection.call(&request, read).await.expect("an answer");
        if code.is_none() && committed(connection, "t").await.0.is_none() {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("no coordinator");
}

/// Commits an offset of a topic's first partition for group `g`, with metadata of about 4 KB.
pub(crate) async fn commit(connection: &Connection, topic: &str, offset: i64) -> ErrorCode {
    let metadata = "m".repeat(4_000);
    let partition = OffsetCommitRequestPartition {
        partition_index: 0,
        committed_offset: offset,
        committed_leader_epoch: -1,
        committed_metadata: Some(&metadata),
    };
    let request = OffsetCommitRequest {
        group_id: "g",
        topics: vec![OffsetCommitRequestTopic {
            name: topic,
            partitions: vec![partition],
        }],
        ..OffsetCommitRequest::default()
    };
    let read = |frame: &[u8], version| {
        let (_, answer) = decode_response::<OffsetCommitResponse<'_>>(frame, version)?;
        Ok(answer.topics[0].partitions[0].error_code)
    };
    connection.call(&request, read).await.expect("an answer")
}

/// That offset, and the group's error.
pub(crate) async fn committed(connection: &Connection, topic: &str) -> (ErrorCode, i64) {
    let request = OffsetFetchRequest {
        groups: vec![OffsetFetchRequestGroup {
            group_id: "g",
            topics: Some(vec![OffsetFetchRequestTopic {
                name: topic,
                partition_indexes: vec![0],
            }]),
            ..OffsetFetchRequestGroup::default()
        }],
        ..OffsetFetchRequest::default()
    };
    let read = |frame: &[u8], version| {
        let (_, answer) = decode_response::<OffsetFetchResponse<'_>>(frame, version)?;
        let group = &answer.groups[0];
        let offset = group
            .topics
            .first()
            .map(|topic| topic.partitions[0].committed_offset);
        Ok((group.error_code, offset.unwrap_or(-1)))
    };
    connection.call(&request, read).await.expect("an answer")
}
