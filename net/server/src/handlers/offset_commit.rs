//! `OffsetCommit` (key 8): stores offsets of a group.
//!
//! Behaviour:
//! - the answer comes when the offsets are durable;
//! - a topic that does not exist is `UNKNOWN_TOPIC_OR_PARTITION`, whatever the group; which of its
//!   partitions there are is not checked, as in Kafka;
//! - an error of the group or the member stands at each partition.
//!
//! Version notes:
//! - 2 to 4: a retention of the client's choice; 6: leader epochs (KIP-320); 7: static members
//!   (KIP-345); 9: an unknown group is `GROUP_ID_NOT_FOUND`, which was `ILLEGAL_GENERATION` before.

use std::rc::Rc;

use cluster_group as group;
use cluster_group::{Answer, PartitionCommit, PartitionResult, TopicCommit};
use net_wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestTopic, OffsetCommitResponse,
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use net_wire::{ErrorCode, Uuid};

use crate::connection::Context;
use crate::groups::ask;
use crate::request::{Outcome, Request};

/// First version that says that there is no such group.
const NO_GROUP_VERSION: i16 = 9;

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let broker = &context.broker;
    let body: OffsetCommitRequest<'_> = request.body()?;
    let id_of = |name: &str| broker.with_state(|state| Some(state.topic_by_name(name)?.topic_id));
    let ids: Vec<Option<Uuid>> = body.topics.iter().map(|topic| id_of(topic.name)).collect();
    let committed = commit(&context, &request, &body, &ids).await;
    let mut committed = committed.into_iter();
    let topics = body.topics.iter().zip(&ids).map(|(topic, id)| {
        let results = match id {
            Some(_) => committed.next().unwrap_or_default(),
            None => all(topic, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        };
        OffsetCommitResponseTopic {
            name: topic.name,
            partitions: results.into_iter().map(partition).collect(),
        }
    });
    let topics: Vec<_> = topics.collect();
    for partition in topics.iter().flat_map(|topic| &topic.partitions) {
        broker.metrics.error(partition.error_code);
    }
    request.respond(&OffsetCommitResponse {
        topics,
        ..OffsetCommitResponse::default()
    })
}

/// What became of the topics that exist, in their order.
async fn commit(
    context: &Context,
    request: &Request,
    body: &OffsetCommitRequest<'_>,
    ids: &[Option<Uuid>],
) -> Vec<Vec<PartitionResult>> {
    let known = body.topics.iter().zip(ids);
    let known: Vec<_> = known
        .filter_map(|(topic, id)| Some((topic, (*id)?)))
        .collect();
    if known.is_empty() {
        return Vec::new();
    }
    let asked = group::OffsetCommit {
        group_id: body.group_id.to_owned(),
        generation_id: body.generation_id_or_member_epoch,
        member_id: body.member_id.to_owned(),
        group_instance_id: body.group_instance_id.map(str::to_owned),
        retention_time_ms: body.retention_time_ms,
        topics: known.iter().map(|(topic, id)| wanted(topic, *id)).collect(),
    };
    let code = match ask(context, body.group_id, group::Request::OffsetCommit(asked)).await {
        Answer::OffsetCommit(results) => return results,
        Answer::Refused(ErrorCode::GROUP_ID_NOT_FOUND) if request.version < NO_GROUP_VERSION => {
            ErrorCode::ILLEGAL_GENERATION
        },
        Answer::Refused(code) => code,
        _ => ErrorCode::UNKNOWN_SERVER_ERROR,
    };
    known.iter().map(|(topic, _)| all(topic, code)).collect()
}

fn wanted(topic: &OffsetCommitRequestTopic<'_>, topic_id: Uuid) -> TopicCommit {
    let partitions = topic.partitions.iter().map(|partition| PartitionCommit {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        committed_metadata: partition.committed_metadata.unwrap_or_default().to_owned(),
    });
    TopicCommit {
        name: topic.name.to_owned(),
        topic_id,
        partitions: partitions.collect(),
    }
}

/// The same for all partitions of a topic.
fn all(topic: &OffsetCommitRequestTopic<'_>, error_code: ErrorCode) -> Vec<PartitionResult> {
    let partitions = topic.partitions.iter().map(|partition| PartitionResult {
        partition_index: partition.partition_index,
        error_code,
    });
    partitions.collect()
}

fn partition(result: PartitionResult) -> OffsetCommitResponsePartition {
    OffsetCommitResponsePartition {
        partition_index: result.partition_index,
        error_code: result.error_code,
    }
}
