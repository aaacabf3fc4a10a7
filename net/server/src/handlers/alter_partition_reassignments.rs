//! `AlterPartitionReassignments` (key 45, KIP-455): on one node a partition can only stay.
//!
//! Behaviour:
//! - to be where it is costs nothing; another broker is not known;
//! - stopping a move is `NO_REASSIGNMENT_IN_PROGRESS`.
//!
//! Version notes:
//! - 1: the number of replicas may be kept as it is (KIP-860).

use cluster_meta::State;
use cluster_meta::command::reassign_partition;
use net_wire::ErrorCode;
use net_wire::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
    ReassignablePartitionResponse, ReassignableTopicResponse,
};

use crate::connection::Context;
use crate::request::{Outcome, Request};

pub(crate) fn handle(context: &Context, request: &Request) -> Outcome {
    let broker = &context.broker;
    let body: AlterPartitionReassignmentsRequest<'_> = request.body()?;
    let response = broker.with_state(|state| answer(state, &body));
    let partitions = response
        .responses
        .iter()
        .flat_map(|topic| &topic.partitions);
    for one in partitions {
        broker.metrics.error(one.error_code);
    }
    request.respond(&response)
}

fn answer<'a>(
    state: &State,
    body: &'a AlterPartitionReassignmentsRequest<'_>,
) -> AlterPartitionReassignmentsResponse<'a> {
    let may_change_factor = body.allow_replication_factor_change;
    let responses = body.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|one| {
            let (index, replicas) = (one.partition_index, one.replicas.as_deref());
            let judged = reassign_partition(state, topic.name, index, replicas, may_change_factor);
            let refusal = judged.err();
            ReassignablePartitionResponse {
                partition_index: index,
                error_code: refusal.as_ref().map_or(ErrorCode::NONE, |why| why.code),
                error_message: refusal.map(|why| why.message.into()),
            }
        });
        ReassignableTopicResponse {
            name: topic.name,
            partitions: partitions.collect(),
        }
    });
    AlterPartitionReassignmentsResponse {
        responses: responses.collect(),
        allow_replication_factor_change: may_change_factor,
        ..AlterPartitionReassignmentsResponse::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::state_with;
    use net_wire::messages::alter_partition_reassignments::{
        ReassignablePartition, ReassignableTopic,
    };

    #[test]
    fn partitions_stay_where_they_are() {
        let state = state_with(&[("t", 1)]);
        let to = |replicas| ReassignablePartition {
            partition_index: 0,
            replicas,
        };
        let body = AlterPartitionReassignmentsRequest {
            topics: vec![ReassignableTopic {
                name: "t",
                partitions: vec![to(Some(vec![1])), to(Some(vec![2])), to(None)],
            }],
            ..AlterPartitionReassignmentsRequest::default()
        };
        let response = answer(&state, &body);
        let partitions = &response.responses[0].partitions;
        let codes: Vec<_> = partitions.iter().map(|one| one.error_code).collect();
        assert_eq!(
            codes,
            [
                ErrorCode::NONE,
                ErrorCode::INVALID_REPLICA_ASSIGNMENT,
                ErrorCode::NO_REASSIGNMENT_IN_PROGRESS
            ]
        );
    }
}
