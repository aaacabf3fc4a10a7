//! `DescribeQuorum` (key 55, KIP-595): one voter, which leads and has everything.
//!
//! Behaviour:
//! - the one partition of `__cluster_metadata`; any other is `UNKNOWN_TOPIC_OR_PARTITION`;
//! - offsets count changes of the metadata since this start read them, epochs the starts after the
//!   node had not stopped.
//!
//! Version notes:
//! - 1: when replicas fetched last (KIP-836); 2: error messages, directories, endpoints (KIP-853).

use cluster_meta::name::CLUSTER_METADATA_TOPIC;
use cluster_meta::{NodeId, State};
use net_wire::ErrorCode;
use net_wire::messages::describe_quorum::{
    DescribeQuorumRequest, DescribeQuorumResponse, Listener, Node, PartitionDataResult,
    ReplicaState, TopicDataResult,
};

use crate::config::AdvertisedListener;
use crate::connection::Context;
use crate::request::{Outcome, Request};

pub(crate) fn handle(context: &Context, request: &Request) -> Outcome {
    let broker = &context.broker;
    let body: DescribeQuorumRequest<'_> = request.body()?;
    let quorum = broker.with_state(|state| Quorum {
        node: broker.cluster().node_id,
        epoch: i32::try_from(state.unclean_starts()).unwrap_or(i32::MAX),
        end: end_offset(state),
        now_ms: engine_rt::wall_clock_ms(),
    });
    let listener = &broker.config.listeners[context.listener];
    let response = answer(&body, &quorum, listener);
    let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    for one in partitions {
        broker.metrics.error(one.error_code);
    }
    request.respond(&response)
}

fn end_offset(state: &State) -> i64 {
    i64::try_from(state.changes()).unwrap_or(i64::MAX)
}

/// What there is to tell of the quorum.
struct Quorum {
    node: NodeId,
    epoch: i32,
    end: i64,
    now_ms: i64,
}

fn answer<'a>(
    body: &DescribeQuorumRequest<'a>,
    quorum: &Quorum,
    listener: &'a AdvertisedListener,
) -> DescribeQuorumResponse<'a> {
    let topics = body.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|one| {
            let is_metadata = topic.topic_name == CLUSTER_METADATA_TOPIC;
            partition(one.partition_index, is_metadata, quorum)
        });
        TopicDataResult {
            topic_name: topic.topic_name,
            partitions: partitions.collect(),
        }
    });
    DescribeQuorumResponse {
        topics: topics.collect(),
        nodes: vec![Node {
            node_id: quorum.node.0,
            listeners: vec![Listener {
                name: &listener.name,
                host: &listener.host,
                port: listener.port,
            }],
        }],
        ..DescribeQuorumResponse::default()
    }
}

fn partition(index: i32, is_metadata: bool, quorum: &Quorum) -> PartitionDataResult<'static> {
    if !is_metadata || index != 0 {
        let error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        return PartitionDataResult {
            partition_index: index,
            error_code,
            error_message: Some(error_code.message().into()),
            leader_id: -1,
            leader_epoch: -1,
            ..PartitionDataResult::default()
        };
    }
    PartitionDataResult {
        partition_index: index,
        leader_id: quorum.node.0,
        leader_epoch: quorum.epoch,
        high_watermark: quorum.end,
        current_voters: vec![ReplicaState {
            replica_id: quorum.node.0,
            log_end_offset: quorum.end,
            last_fetch_timestamp: quorum.now_ms,
            last_caught_up_timestamp: quorum.now_ms,
            ..ReplicaState::default()
        }],
        ..PartitionDataResult::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use net_wire::messages::describe_quorum::{PartitionData, TopicData};

    #[test]
    fn the_node_is_the_one_voter() {
        let quorum = Quorum {
            node: NodeId(1),
            epoch: 3,
            end: 70,
            now_ms: 5,
        };
        let listener = AdvertisedListener {
            name: "PLAINTEXT".to_owned(),
            host: "h".to_owned(),
            port: 9092,
        };
        let topic = |topic_name| TopicData {
            topic_name,
            partitions: [0, 1]
                .map(|partition_index| PartitionData { partition_index })
                .to_vec(),
        };
        let body = DescribeQuorumRequest {
            topics: vec![topic("__cluster_metadata"), topic("t")],
        };
        let response = answer(&body, &quorum, &listener);
        let [metadata, other] = &response.topics[..] else {
            panic!("two topics")
        };
        let first = &metadata.partitions[0];
        assert_eq!((first.leader_id, first.leader_epoch), (1, 3));
        assert_eq!((first.high_watermark, first.current_voters.len()), (70, 1));
        assert_eq!(first.current_voters[0].log_end_offset, 70);
        let unknown = [&metadata.partitions[1], &other.partitions[0]];
        let code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        assert!(unknown.iter().all(|one| one.error_code == code));
        assert_eq!(response.nodes[0].listeners[0].port, 9092);
    }
}
