//! `ElectLeaders` (key 43, KIP-183): every partition is led by its one replica already.
//!
//! Behaviour:
//! - null asks for all partitions: those that need no election are left out of the answer, as by
//!   Kafka, and so all are;
//! - a partition that is named gets `ELECTION_NOT_NEEDED`, or is not known.
//!
//! Version notes:
//! - 1: the kind of election (KIP-460), and an error of the whole request.

use cluster_meta::State;
use cluster_meta::command::elect_leader;
use net_wire::ErrorCode;
use net_wire::messages::elect_leaders::{
    ELECTION_PREFERRED, ELECTION_UNCLEAN, ElectLeadersRequest, ElectLeadersResponse,
    PartitionResult, ReplicaElectionResult, TopicPartitions,
};

use crate::connection::Context;
use crate::request::{Outcome, Request};

pub(crate) fn handle(context: &Context, request: &Request) -> Outcome {
    let broker = &context.broker;
    let body: ElectLeadersRequest<'_> = request.body()?;
    let response = broker.with_state(|state| answer(state, &body));
    broker.metrics.error(response.error_code);
    request.respond(&response)
}

fn answer<'a>(state: &State, body: &'a ElectLeadersRequest<'_>) -> ElectLeadersResponse<'a> {
    if ![ELECTION_PREFERRED, ELECTION_UNCLEAN].contains(&body.election_type) {
        return ElectLeadersResponse {
            error_code: ErrorCode::INVALID_REQUEST,
            ..ElectLeadersResponse::default()
        };
    }
    let topics = body.topic_partitions.iter().flatten();
    ElectLeadersResponse {
        replica_election_results: topics.map(|topic| elections(state, topic)).collect(),
        ..ElectLeadersResponse::default()
    }
}

fn elections<'a>(state: &State, topic: &'a TopicPartitions<'_>) -> ReplicaElectionResult<'a> {
    let result = |partition_id: &i32| {
        let refusal = elect_leader(state, topic.topic, *partition_id).err();
        PartitionResult {
            partition_id: *partition_id,
            error_code: refusal.as_ref().map_or(ErrorCode::NONE, |why| why.code),
            error_message: refusal.map(|why| why.message.into()),
        }
    };
    ReplicaElectionResult {
        topic: topic.topic,
        partition_result: topic.partitions.iter().map(result).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::state_with;

    #[test]
    fn nobody_is_elected() {
        let state = state_with(&[("t", 1)]);
        let named = TopicPartitions {
            topic: "t",
            partitions: vec![0, 7],
        };
        let body = ElectLeadersRequest {
            topic_partitions: Some(vec![named]),
            ..ElectLeadersRequest::default()
        };
        let response = answer(&state, &body);
        let results = &response.replica_election_results[0].partition_result;
        let codes: Vec<_> = results.iter().map(|one| one.error_code).collect();
        assert_eq!(
            codes,
            [
                ErrorCode::ELECTION_NOT_NEEDED,
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            ]
        );
        let all = ElectLeadersRequest {
            topic_partitions: None,
            ..ElectLeadersRequest::default()
        };
        assert!(answer(&state, &all).replica_election_results.is_empty());
        let other = ElectLeadersRequest {
            election_type: 2,
            ..all
        };
        assert_eq!(
            answer(&state, &other).error_code,
            ErrorCode::INVALID_REQUEST
        );
    }
}
