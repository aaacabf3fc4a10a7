//! `OffsetDelete` (key 47, KIP-496): deletes offsets of topics that a group does not read.
//!
//! Behaviour:
//! - an offset that is not there is no error; a topic or partition that does not exist is
//!   `UNKNOWN_TOPIC_OR_PARTITION`.

use std::rc::Rc;

use cluster_group as group;
use cluster_group::{Answer, TopicPartitions};
use net_wire::ErrorCode;
use net_wire::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestTopic, OffsetDeleteResponse,
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};

use super::offset_commit::exists;
use crate::broker::TopicView;
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
    let broker = &context.broker;
    let known = body.topics.iter();
    let known = known.map(|topic| broker.topic_by_name(topic.name));
    let known: Vec<Option<TopicView>> = known.collect();
    let topics = body.topics.iter().zip(&known);
    let asked = group::OffsetDelete {
        group_id: body.group_id.to_owned(),
        topics: topics
            .filter_map(|(topic, known)| Some(wanted(topic, known.as_ref()?)))
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
    let topics = body.topics.iter().zip(known).map(|(topic, known)| {
        let results = known.as_ref().and_then(|_| results.next());
        let mut results = results.unwrap_or_default().into_iter();
        let partitions = topic.partitions.iter().map(|one| {
            let result = exists(known.as_ref(), one.partition_index)
                .then(|| results.next())
                .flatten();
            let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
            OffsetDeleteResponsePartition {
                partition_index: one.partition_index,
                error_code: result.map_or(unknown, |result| result.error_code),
            }
        });
        OffsetDeleteResponseTopic {
            name: topic.name,
            partitions: partitions.collect(),
        }
    });
    request.respond(&OffsetDeleteResponse {
        topics: topics.collect(),
        ..OffsetDeleteResponse::default()
    })
}

fn wanted(topic: &OffsetDeleteRequestTopic<'_>, known: &TopicView) -> TopicPartitions {
    let partitions = topic.partitions.iter().map(|one| one.partition_index);
    TopicPartitions {
        name: topic.name.to_owned(),
        partitions: partitions.filter(|one| exists(Some(known), *one)).collect(),
    }
}
