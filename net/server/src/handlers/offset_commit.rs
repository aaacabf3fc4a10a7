//! `OffsetCommit` (key 8): stores offsets of a group.
//!
//! Behaviour:
//! - the answer comes when the offsets are durable;
//! - what does not exist is `UNKNOWN_TOPIC_OR_PARTITION`, whatever the group;
//! - an error of the group or the member stands at each partition.
//!
//! Version notes:
//! - 2 to 4: a retention of the client's choice; 6: leader epochs (KIP-320); 7: static members
//!   (KIP-345); 9: epochs of members of the consumer protocol (KIP-848), and an unknown group is
//!   `GROUP_ID_NOT_FOUND`, which was `ILLEGAL_GENERATION` before.

use std::rc::Rc;

use cluster_group as group;
use cluster_group::{Answer, PartitionCommit, PartitionResult, TopicCommit};
use net_wire::ErrorCode;
use net_wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestTopic, OffsetCommitResponse,
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};

use crate::broker::TopicView;
use crate::connection::Context;
use crate::groups::ask;
use crate::request::{Outcome, Request};

/// First version with member epochs, and that says that there is no such group.
const EPOCHS_VERSION: i16 = 9;

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let broker = &context.broker;
    let body: OffsetCommitRequest<'_> = request.body()?;
    let known = body.topics.iter();
    let known = known.map(|topic| broker.topic_by_name(topic.name));
    let known: Vec<Option<TopicView>> = known.collect();
    let committed = commit(&context, &request, &body, &known).await;
    let mut committed = committed.into_iter();
    let topics = body.topics.iter().zip(&known).map(|(topic, known)| {
        let results = known.as_ref().and_then(|_| committed.next());
        let mut results = results.unwrap_or_default().into_iter();
        let partitions = topic.partitions.iter().map(|one| {
            let result = exists(known.as_ref(), one.partition_index)
                .then(|| results.next())
                .flatten();
            OffsetCommitResponsePartition {
                partition_index: one.partition_index,
                error_code: result.unwrap_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            }
        });
        OffsetCommitResponseTopic {
            name: topic.name,
            partitions: partitions.collect(),
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

pub(super) fn exists(topic: Option<&TopicView>, partition: i32) -> bool {
    topic.is_some_and(|topic| topic.partition(partition).is_some())
}

/// What became of the topics that exist, in their order, and of those of their partitions that do.
async fn commit(
    context: &Context,
    request: &Request,
    body: &OffsetCommitRequest<'_>,
    known: &[Option<TopicView>],
) -> Vec<Vec<ErrorCode>> {
    let topics = body.topics.iter().zip(known);
    let topics: Vec<TopicCommit> = topics
        .filter_map(|(topic, known)| Some(wanted(topic, known.as_ref()?)))
        .collect();
    if topics.is_empty() {
        return Vec::new();
    }
    let counts: Vec<usize> = topics.iter().map(|topic| topic.partitions.len()).collect();
    let asked = group::OffsetCommit {
        group_id: body.group_id.to_owned(),
        generation_id: body.generation_id_or_member_epoch,
        member_id: body.member_id.to_owned(),
        group_instance_id: body.group_instance_id.map(str::to_owned),
        knows_epochs: request.version >= EPOCHS_VERSION,
        retention_time_ms: body.retention_time_ms,
        topics,
    };
    let code = match ask(context, body.group_id, group::Request::OffsetCommit(asked)).await {
        Answer::OffsetCommit(results) => return results.iter().map(|one| codes(one)).collect(),
        Answer::Refused(ErrorCode::GROUP_ID_NOT_FOUND) if request.version < EPOCHS_VERSION => {
            ErrorCode::ILLEGAL_GENERATION
        },
        Answer::Refused(code) => code,
        _ => ErrorCode::UNKNOWN_SERVER_ERROR,
    };
    counts.into_iter().map(|count| vec![code; count]).collect()
}

fn codes(results: &[PartitionResult]) -> Vec<ErrorCode> {
    results.iter().map(|result| result.error_code).collect()
}

fn wanted(topic: &OffsetCommitRequestTopic<'_>, known: &TopicView) -> TopicCommit {
    let exist = topic.partitions.iter();
    let exist = exist.filter(|partition| exists(Some(known), partition.partition_index));
    let partitions = exist.map(|partition| PartitionCommit {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        committed_metadata: partition.committed_metadata.unwrap_or_default().to_owned(),
    });
    TopicCommit {
        name: topic.name.to_owned(),
        topic_id: known.id,
        partitions: partitions.collect(),
    }
}
