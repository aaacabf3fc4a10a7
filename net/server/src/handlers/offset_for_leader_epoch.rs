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

use engine_shard::{Shard, ShardError};
use net_wire::ErrorCode;
use net_wire::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition, OffsetForLeaderTopicResult,
};

use crate::connection::Context;
use crate::error_map::shard_code;
use crate::request::{Outcome, Request};
use crate::scatter::on_owners;

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let broker = &context.broker;
    let body: OffsetForLeaderEpochRequest<'_> = request.body()?;
    let mut known = Vec::new();
    let mut asked = Vec::new();
    for topic in &body.topics {
        let view = broker.topic_by_name(topic.topic);
        for one in &topic.partitions {
            let id = view.as_ref().and_then(|view| view.partition(one.partition));
            known.push(id.is_some());
            asked.extend(id.map(|id| (id, (one.current_leader_epoch, one.leader_epoch))));
        }
    }
    let look_up =
        |shard: Rc<Shard>, id, (current, epoch)| async move { shard.epoch_end(id, current, epoch) };
    let mut found = on_owners(broker, asked, look_up).await.into_iter();
    let mut known = known.into_iter();
    let topics = body.topics.iter().map(|topic| OffsetForLeaderTopicResult {
        topic: topic.topic,
        partitions: topic
            .partitions
            .iter()
            .map(|one| {
                let result = known
                    .next()
                    .unwrap_or(false)
                    .then(|| found.next())
                    .flatten();
                let answer = answer(one, result);
                broker.metrics.error(answer.error_code);
                answer
            })
            .collect(),
    });
    let topics = topics.collect();
    request.respond(&OffsetForLeaderEpochResponse {
        topics,
        ..Default::default()
    })
}

fn answer(
    one: &OffsetForLeaderPartition,
    result: Option<Result<(i32, i64), ShardError>>,
) -> EpochEndOffset {
    let (error_code, (leader_epoch, end_offset)) = match result {
        None => (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, (-1, -1)),
        Some(Err(error)) => (shard_code(&error), (-1, -1)),
        Some(Ok(end)) => (ErrorCode::NONE, end),
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
    fn unknown_partitions_and_refusals_have_their_codes() {
        let one = OffsetForLeaderPartition {
            partition: 4,
            ..Default::default()
        };
        let unknown = answer(&one, None);
        assert_eq!(unknown.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        let fenced = ShardError::FencedLeaderEpoch {
            found: 1,
            current: 2,
        };
        let fenced = answer(&one, Some(Err(fenced)));
        assert_eq!(
            (fenced.error_code, fenced.end_offset),
            (ErrorCode::FENCED_LEADER_EPOCH, -1)
        );
        let found = answer(&one, Some(Ok((3, 70))));
        assert_eq!(
            (found.partition, found.leader_epoch, found.end_offset),
            (4, 3, 70)
        );
        assert!(found.error_code.is_none());
    }
}
