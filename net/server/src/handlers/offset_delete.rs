//! `OffsetDelete` (key 47, KIP-496): deletes offsets of topics that a group does not read.
//!
//! Behaviour:
//! - an offset that is not there is no error; a topic that does not exist is
//!   `UNKNOWN_TOPIC_OR_PARTITION`.

use std::rc::Rc;

use cluster_group as group;
use cluster_group::{Answer, TopicPartitions};
use net_wire::ErrorCode;
use net_wire::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestTopic, OffsetDeleteResponse,
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};

use crate::connection::Context;
use crate::groups::ask;
use crate::request::{Outcome, Request};

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let body: OffsetDeleteRequest<'_> = request.body()?;
    if body.group_id.is_empty() {
        context.broker.metrics.error(ErrorCode::INVALID_GROUP_ID);
        return request.respond(&OffsetDeleteResponse {
            error_code: ErrorCode::INVALID_GROUP_ID,
            ..OffsetDeleteResponse::default()
        });
    }
    let exists = |topic: &OffsetDeleteRequestTopic<'_>| {
        let broker = &context.broker;
        broker.with_state(|state| state.topic_by_name(topic.name).is_some())
    };
    let known: Vec<bool> = body.topics.iter().map(exists).collect();
    let topics = body.topics.iter().zip(&known);
    let asked = group::OffsetDelete {
        group_id: body.group_id.to_owned(),
        topics: topics
            .filter(|(_, is_known)| **is_known)
            .map(|(topic, _)| wanted(topic))
            .collect(),
    };
    let answer = ask(&context, body.group_id, group::Request::OffsetDelete(asked)).await;
    let (error_code, results) = match answer {
        Answer::OffsetDelete(results) => (ErrorCode::NONE, results),
        Answer::Refused(code) => (code, Vec::new()),
        _ => (ErrorCode::UNKNOWN_SERVER_ERROR, Vec::new()),
    };
    context.broker.metrics.error(error_code);
    if !error_code.is_none() {
        return request.respond(&OffsetDeleteResponse {
            error_code,
            ..OffsetDeleteResponse::default()
        });
    }
    let mut results = results.into_iter();
    let topics = body.topics.iter().zip(known).map(|(topic, is_known)| {
        let codes: Vec<ErrorCode> = if is_known {
            let results = results.next().unwrap_or_default();
            results.iter().map(|one| one.error_code).collect()
        } else {
            vec![ErrorCode::UNKNOWN_TOPIC_OR_PARTITION; topic.partitions.len()]
        };
        let partitions = topic.partitions.iter().zip(codes);
        OffsetDeleteResponseTopic {
            name: topic.name,
            partitions: partitions
                .map(|(partition, error_code)| OffsetDeleteResponsePartition {
                    partition_index: partition.partition_index,
                    error_code,
                })
                .collect(),
        }
    });
    request.respond(&OffsetDeleteResponse {
        topics: topics.collect(),
        ..OffsetDeleteResponse::default()
    })
}

fn wanted(topic: &OffsetDeleteRequestTopic<'_>) -> TopicPartitions {
    let partitions = topic.partitions.iter().map(|one| one.partition_index);
    TopicPartitions {
        name: topic.name.to_owned(),
        partitions: partitions.collect(),
    }
}
