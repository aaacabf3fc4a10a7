//! `DeleteRecords` (key 21, KIP-107): gives up the records below an offset.
//!
//! Behaviour:
//! - the log start moves up to the offset, -1 standing for the high watermark; the move is durable
//!   before the answer, and an offset below the log start changes nothing;
//! - above the high watermark is `OFFSET_OUT_OF_RANGE`;
//! - a topic that is only compacted refuses with `POLICY_VIOLATION`, the broker's own topics with
//!   `INVALID_TOPIC_EXCEPTION`.
//!
//! Version notes:
//! - 2: tagged fields.

use std::rc::Rc;

use engine_shard::{Shard, TopicPartition};
use net_wire::ErrorCode;
use net_wire::messages::delete_records::{
    DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse,
    DeleteRecordsTopicResult,
};
use net_wire::topic_name::is_internal;

use crate::broker::TopicView;
use crate::connection::Context;
use crate::request::{Outcome, Request};
use crate::scatter::carry_out;

/// Stands for the high watermark.
const HIGH_WATERMARK: i64 = -1;

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let broker = &context.broker;
    let body: DeleteRecordsRequest<'_> = request.body()?;
    let mut plans = Vec::new();
    for topic in &body.topics {
        let view = broker.topic_by_name(topic.name);
        let partitions = topic.partitions.iter();
        plans.extend(
            partitions.map(|one| plan(topic.name, view.as_ref(), one.partition_index, one.offset)),
        );
    }
    let delete =
        |shard: Rc<Shard>, id, offset| async move { shard.delete_records(id, offset).await };
    let mut results = carry_out(broker, plans, delete).await.into_iter();
    let topics = body.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().zip(results.by_ref());
        let partitions = partitions.map(|(one, result)| {
            let (low_watermark, error_code) = match result {
                Ok(low_watermark) => (low_watermark, ErrorCode::NONE),
                Err(code) => (-1, code),
            };
            broker.metrics.error(error_code);
            DeleteRecordsPartitionResult {
                partition_index: one.partition_index,
                low_watermark,
                error_code,
            }
        });
        DeleteRecordsTopicResult {
            name: topic.name,
            partitions: partitions.collect(),
        }
    });
    let topics = topics.collect();
    request.respond(&DeleteRecordsResponse {
        topics,
        ..Default::default()
    })
}

fn plan(
    name: &str,
    topic: Option<&TopicView>,
    index: i32,
    offset: i64,
) -> Result<(TopicPartition, i64), ErrorCode> {
    if is_internal(name) {
        return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    let topic = topic.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    let id = topic
        .partition(index)
        .ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    let policy = topic.config.cleanup_policy;
    if policy.compact && !policy.delete {
        return Err(ErrorCode::POLICY_VIOLATION);
    }
    if offset < HIGH_WATERMARK {
        return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
    }
    Ok((id, offset))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::topic_view;

    #[test]
    fn compacted_topics_keep_their_records() {
        let code = |policy| {
            let topic = topic_view(&[("cleanup.policy", policy)]);
            plan("t", Some(&topic), 0, 5).err()
        };
        assert_eq!(code("compact"), Some(ErrorCode::POLICY_VIOLATION));
        assert_eq!((code("delete"), code("compact,delete")), (None, None));
    }

    #[test]
    fn offsets_and_names_are_checked() {
        let topic = topic_view(&[]);
        let code = |name, index, offset| plan(name, Some(&topic), index, offset).err();
        assert_eq!(code("t", 0, -1), None);
        assert_eq!(code("t", 0, -2), Some(ErrorCode::OFFSET_OUT_OF_RANGE));
        assert_eq!(code("t", 4, 0), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
        assert_eq!(
            code("t", -1, 0),
            Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        );
        assert_eq!(
            code("__consumer_offsets", 0, 0),
            Some(ErrorCode::INVALID_TOPIC_EXCEPTION)
        );
        assert_eq!(
            plan("t", None, 0, 0),
            Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        );
    }
}
