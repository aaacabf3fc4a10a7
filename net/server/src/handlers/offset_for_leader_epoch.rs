//! `OffsetForLeaderEpoch` (key 23, KIP-101): where a leader epoch ends, so that a client finds out
//! whether what it read is still there.
//!
//! Behaviour:
//! - the largest known epoch not above the one asked for, and the offset behind its last record;
//! - -1 and -1 if nothing that old is known, which is no error.
//!
//! Version notes:
//! - 2: fencing by the epoch that the client knows (KIP-320), the only version librdkafka sends;
//! - 3: the replica id; 4: tagged fields.

use std::rc::Rc;

use engine_shard::Shard;
use net_wire::ErrorCode;
use net_wire::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition, OffsetForLeaderTopicResult,
};

use crate::connection::Context;
use crate::request::{Outcome, Request};
use crate::scatter::carry_out;

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let broker = &context.broker;
    let body: OffsetForLeaderEpochRequest<'_> = request.body()?;
    let mut plans = Vec::new();
    for topic in &body.topics {
        let view = broker.topic_by_name(topic.topic);
        plans.extend(topic.partitions.iter().map(|one| {
            let id = view.as_ref().and_then(|view| view.partition(one.partition));
            let id = id.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
            Ok((id, (one.current_leader_epoch, one.leader_epoch)))
        }));
    }
    let look_up =
        |shard: Rc<Shard>, id, (current, epoch)| async move { shard.epoch_end(id, current, epoch) };
    let mut found = carry_out(broker, plans, look_up).await.into_iter();
    let topics = body.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().zip(found.by_ref());
        let partitions = partitions.map(|(one, end)| {
            let answer = answer(one, end);
            broker.metrics.error(answer.error_code);
            answer
        });
        OffsetForLeaderTopicResult {
            topic: topic.topic,
            partitions: partitions.collect(),
        }
    });
    let topics = topics.collect();
    request.respond(&OffsetForLeaderEpochResponse {
        topics,
        ..Default::default()
    })
}

fn answer(one: &OffsetForLeaderPartition, end: Result<(i32, i64), ErrorCode>) -> EpochEndOffset {
    let (error_code, (leader_epoch, end_offset)) = match end {
        Ok(end) => (ErrorCode::NONE, end),
        Err(code) => (code, (-1, -1)),
    };
    EpochEndOffset {
        error_code,
        partition: one.partition,
        leader_epoch,
        end_offset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_no_end() {
        let one = OffsetForLeaderPartition {
            partition: 4,
            ..Default::default()
        };
        let fenced = answer(&one, Err(ErrorCode::FENCED_LEADER_EPOCH));
        assert_eq!(
            (fenced.error_code, fenced.leader_epoch, fenced.end_offset),
            (ErrorCode::FENCED_LEADER_EPOCH, -1, -1)
        );
        let found = answer(&one, Ok((3, 70)));
        assert_eq!(
            (found.partition, found.leader_epoch, found.end_offset),
            (4, 3, 70)
        );
        assert!(found.error_code.is_none());
    }
}
