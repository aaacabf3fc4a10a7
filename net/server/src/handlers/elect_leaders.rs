//! `ElectLeaders` (key 43, KIP-183): every partition is led by its one replica already.
//!
//! Behaviour:
//! - null asks for all topics: partitions that need no election are left out of the answer, as by
//!   Kafka, and so all are;
//! - a partition that is named gets `ELECTION_NOT_NEEDED`, or is not known;
//! - an unknown kind of election: `INVALID_REQUEST`, for each partition that is named, too.
//!
//! Version notes:
//! - 1: the kind of election (KIP-460), and an error of the whole request.

use cluster_meta::command::elect_leader;
use cluster_meta::{MetaError, State};
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
    let names: Vec<String> = match &body.topic_partitions {
        Some(_) => Vec::new(),
        None => broker.with_state(|state| {
            let topics = state.topics_by_name();
            topics.map(|topic| topic.name.clone()).collect()
        }),
    };
    let topics = wanted(&body, &names);
    let response = broker.with_state(|state| answer(state, body.election_type, &topics));
    broker.metrics.error(response.error_code);
    request.respond(&response)
}

/// The partitions that the request names; of all topics those that need an election, which is none.
fn wanted<'a>(body: &ElectLeadersRequest<'a>, names: &'a [String]) -> Vec<TopicPartitions<'a>> {
    let none = |topic: &'a String| TopicPartitions {
        topic,
        partitions: Vec::new(),
    };
    let named = body.topic_partitions.clone();
    named.unwrap_or_else(|| names.iter().map(none).collect())
}

fn answer<'a>(state: &State, kind: i8, topics: &[TopicPartitions<'a>]) -> ElectLeadersResponse<'a> {
    let unknown = ![ELECTION_PREFERRED, ELECTION_UNCLEAN].contains(&kind);
    let refusal = unknown.then(|| {
        let message = format!("Unknown election type {kind}");
        MetaError::new(ErrorCode::INVALID_REQUEST, message)
    });
    let elect = |topic: &str, partition| match &refusal {
        Some(refusal) => Err(refusal.clone()),
        None => elect_leader(state, topic, partition),
    };
    let results = topics.iter().map(|topic| ReplicaElectionResult {
        topic: topic.topic,
        partition_result: elections(topic, &elect),
    });
    ElectLeadersResponse {
        error_code: refusal.as_ref().map_or(ErrorCode::NONE, |why| why.code),
        replica_election_results: results.collect(),
        ..ElectLeadersResponse::default()
    }
}

fn elections(
    topic: &TopicPartitions<'_>,
    elect: &impl Fn(&str, i32) -> Result<(), MetaError>,
) -> Vec<PartitionResult<'static>> {
    let partitions = topic.partitions.iter();
    let result = |partition_id: &i32| {
        let refusal = elect(topic.topic, *partition_id).err();
        PartitionResult {
            partition_id: *partition_id,
            error_code: refusal.as_ref().map_or(ErrorCode::NONE, |why| why.code),
            error_message: refusal.map(|why| why.message.into()),
        }
    };
    partitions.map(result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::state_with;

    fn named(partitions: &[i32]) -> Vec<TopicPartitions<'static>> {
        vec![TopicPartitions {
            topic: "t",
            partitions: partitions.to_vec(),
        }]
    }

    fn codes(response: &ElectLeadersResponse<'_>) -> Vec<ErrorCode> {
        let results = response.replica_election_results.iter();
        let partitions = results.flat_map(|topic| &topic.partition_result);
        partitions.map(|one| one.error_code).collect()
    }

    #[test]
    fn nobody_is_elected() {
        let state = state_with(&[("t", 1)]);
        let response = answer(&state, ELECTION_PREFERRED, &named(&[0, 7]));
        let expected = [
            ErrorCode::ELECTION_NOT_NEEDED,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ];
        assert!(response.error_code.is_none());
        assert_eq!(codes(&response), expected);
        let response = answer(&state, 2, &named(&[0, 7]));
        assert_eq!(response.error_code, ErrorCode::INVALID_REQUEST);
        assert_eq!(codes(&response), [ErrorCode::INVALID_REQUEST; 2]);
    }

    #[test]
    fn of_all_topics_no_partition_needs_an_election() {
        let state = state_with(&[("t", 1)]);
        let all = ElectLeadersRequest {
            topic_partitions: None,
            ..ElectLeadersRequest::default()
        };
        let names = ["t".to_owned()];
        let response = answer(&state, ELECTION_PREFERRED, &wanted(&all, &names));
        assert_eq!(response.replica_election_results[0].topic, "t");
        assert!(codes(&response).is_empty());
    }
}
