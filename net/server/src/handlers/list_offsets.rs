//! `ListOffsets` (key 2): the ends of a partition, or the first record at or after a time.
//!
//! Behaviour:
//! - -1 is the high watermark and, without transactions, also the last stable offset; -2 the log
//!   start; -3 the record with the largest timestamp (KIP-734);
//! - -4, the start of what is local (KIP-405), is the log start, and -5, the end of what is tiered
//!   (KIP-1005), is -1: what Kafka answers for topics without remote storage;
//! - a time is looked up exactly; -1 if no record is that young;
//! - a partition named twice is `INVALID_REQUEST` for both.
//!
//! Version notes:
//! - 0: the offset stands in a list of one at most, though Kafka once gave the beginnings of segments,
//!   too; 4: fencing and the leader epoch (KIP-320); 7: -3; 8: -4; 9: -5. A negative time that the
//!   version does not have is `UNSUPPORTED_VERSION`.

use std::collections::BTreeMap;
use std::rc::Rc;

use engine_shard::{OffsetQuery, Shard, TimestampOffset, TopicPartition};
use net_wire::ErrorCode;
use net_wire::messages::list_offsets::{
    EARLIEST_LOCAL_TIMESTAMP, EARLIEST_TIMESTAMP, LATEST_TIERED_TIMESTAMP, LATEST_TIMESTAMP,
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopicResponse, MAX_TIMESTAMP,
};

use crate::broker::Broker;
use crate::connection::Context;
use crate::request::{Outcome, Request};
use crate::scatter::carry_out;

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let broker = &context.broker;
    let body: ListOffsetsRequest<'_> = request.body()?;
    let plans = plan(broker, &body, request.version);
    let look_up = |shard: Rc<Shard>, id, (query, epoch)| async move {
        shard.offset_for(id, query, epoch).await
    };
    let mut found = carry_out(broker, plans, look_up).await.into_iter();
    let topics = body.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().zip(found.by_ref());
        let partitions = partitions.map(|(one, found)| {
            let limit = usize::try_from(one.max_num_offsets).unwrap_or_default();
            let answer = answer(one.partition_index, found, limit);
            broker.metrics.error(answer.error_code);
            answer
        });
        ListOffsetsTopicResponse {
            name: topic.name,
            partitions: partitions.collect(),
        }
    });
    let topics = topics.collect();
    request.respond(&ListOffsetsResponse {
        topics,
        ..ListOffsetsResponse::default()
    })
}

/// What to ask of one partition, and the leader epoch that the client knows; or the answer at once,
/// which may be that there is no offset and no error.
type Plan = Result<(TopicPartition, (OffsetQuery, i32)), ErrorCode>;

fn plan(broker: &Broker, body: &ListOffsetsRequest<'_>, version: i16) -> Vec<Plan> {
    let twice = named_twice(body);
    let mut plans = Vec::new();
    for topic in &body.topics {
        let view = broker.topic_by_name(topic.name);
        plans.extend(topic.partitions.iter().map(|one| {
            if twice.contains(&(topic.name, one.partition_index)) {
                return Err(ErrorCode::INVALID_REQUEST);
            }
            let id = view
                .as_ref()
                .and_then(|view| view.partition(one.partition_index));
            plan_one(one, id, version)
        }));
    }
    plans
}

fn named_twice<'a>(body: &'a ListOffsetsRequest<'a>) -> Vec<(&'a str, i32)> {
    let mut seen: BTreeMap<(&str, i32), usize> = BTreeMap::new();
    for topic in &body.topics {
        for one in &topic.partitions {
            *seen.entry((topic.name, one.partition_index)).or_default() += 1;
        }
    }
    seen.into_iter()
        .filter(|(_, count)| *count > 1)
        .map(|(key, _)| key)
        .collect()
}

fn plan_one(one: &ListOffsetsPartition, id: Option<TopicPartition>, version: i16) -> Plan {
    let query = query_of(one.timestamp, version).ok_or(ErrorCode::UNSUPPORTED_VERSION)?;
    let id = id.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    match query {
        Query::Nothing => Err(ErrorCode::NONE),
        Query::Ask(query) => Ok((id, (query, one.current_leader_epoch))),
    }
}

/// What a time means.
enum Query {
    Ask(OffsetQuery),
    /// There is no such offset, which is no error.
    Nothing,
}

fn query_of(timestamp: i64, version: i16) -> Option<Query> {
    let (since, query) = match timestamp {
        LATEST_TIMESTAMP => (0, Query::Ask(OffsetQuery::Latest)),
        EARLIEST_TIMESTAMP => (0, Query::Ask(OffsetQuery::Earliest)),
        MAX_TIMESTAMP => (7, Query::Ask(OffsetQuery::MaxTimestamp)),
        EARLIEST_LOCAL_TIMESTAMP => (8, Query::Ask(OffsetQuery::Earliest)),
        LATEST_TIERED_TIMESTAMP => (9, Query::Nothing),
        0.. => (0, Query::Ask(OffsetQuery::Timestamp(timestamp))),
        _ => return None,
    };
    (version >= since).then_some(query)
}

fn answer(
    partition_index: i32,
    found: Result<TimestampOffset, ErrorCode>,
    limit: usize,
) -> ListOffsetsPartitionResponse {
    let nothing = ListOffsetsPartitionResponse {
        partition_index,
        ..ListOffsetsPartitionResponse::default()
    };
    match found {
        Ok(found) => ListOffsetsPartitionResponse {
            old_style_offsets: old_style(found.offset, limit),
            timestamp: found.timestamp,
            offset: found.offset,
            leader_epoch: found.leader_epoch,
            ..nothing
        },
        Err(error_code) => ListOffsetsPartitionResponse {
            error_code,
            ..nothing
        },
    }
}

fn old_style(offset: i64, limit: usize) -> Vec<i64> {
    let found = (offset >= 0).then_some(offset);
    found.into_iter().take(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::topic_view;
    use net_wire::messages::list_offsets::ListOffsetsTopic;

    fn planned(timestamp: i64, version: i16) -> Plan {
        let one = ListOffsetsPartition {
            timestamp,
            ..ListOffsetsPartition::default()
        };
        plan_one(&one, topic_view(&[]).partition(0), version)
    }

    #[test]
    fn negative_times_belong_to_versions() {
        for (timestamp, since) in [(-3, 7), (-4, 8), (-5, 9)] {
            let unsupported = Err(ErrorCode::UNSUPPORTED_VERSION);
            assert_eq!(planned(timestamp, since - 1), unsupported, "{timestamp}");
            assert_ne!(planned(timestamp, since), unsupported, "{timestamp}");
        }
        for (timestamp, version) in [(-1, 0), (-2, 0), (0, 0)] {
            assert!(planned(timestamp, version).is_ok(), "{timestamp}");
        }
        assert_eq!(planned(-6, 9), Err(ErrorCode::UNSUPPORTED_VERSION));
    }

    #[test]
    fn without_tiering_the_local_start_is_the_log_start_and_nothing_is_tiered() {
        assert!(matches!(
            planned(-4, 8),
            Ok((_, (OffsetQuery::Earliest, -1)))
        ));
        assert_eq!(planned(-5, 9), Err(ErrorCode::NONE));
        assert!(matches!(
            planned(0, 1),
            Ok((_, (OffsetQuery::Timestamp(0), -1)))
        ));
        let nothing = answer(0, Err(ErrorCode::NONE), 1);
        assert_eq!((nothing.offset, nothing.timestamp), (-1, -1));
    }

    #[test]
    fn partitions_named_twice_are_found() {
        let one = |partition_index| ListOffsetsPartition {
            partition_index,
            ..Default::default()
        };
        let topic = |name, partitions| ListOffsetsTopic { name, partitions };
        let body = ListOffsetsRequest {
            topics: vec![
                topic("a", vec![one(0), one(1)]),
                topic("a", vec![one(1)]),
                topic("b", vec![one(0)]),
            ],
            ..ListOffsetsRequest::default()
        };
        assert_eq!(named_twice(&body), [("a", 1)]);
    }

    #[test]
    fn what_is_found_is_told() {
        let found = TimestampOffset {
            timestamp: 5,
            offset: 6,
            leader_epoch: 7,
        };
        let told = answer(3, Ok(found), 1);
        assert_eq!(
            (
                told.partition_index,
                told.timestamp,
                told.offset,
                told.leader_epoch
            ),
            (3, 5, 6, 7)
        );
        assert!(told.error_code.is_none());
        assert_eq!(told.old_style_offsets, [6]);
        assert!(answer(3, Ok(found), 0).old_style_offsets.is_empty());
        let none = TimestampOffset {
            offset: -1,
            ..found
        };
        assert!(answer(3, Ok(none), 1).old_style_offsets.is_empty());
    }
}
