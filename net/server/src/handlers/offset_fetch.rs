//! `OffsetFetch` (key 9): reads committed offsets.
//!
//! Behaviour:
//! - what was never committed is -1 and no error, also in a group that there is not;
//! - nothing is pending without transactions: `require_stable` changes nothing.
//!
//! Version notes:
//! - 1: an error stands at each partition; 2: null for all topics, and an error of the group; 5:
//!   leader epochs (KIP-320); 8: many groups (KIP-709); 9: members of groups of the consumer
//!   protocol (KIP-848).

use std::rc::Rc;

use cluster_group as group;
use cluster_group::{Answer, FetchedOffsets, TopicPartitions};
use net_wire::ErrorCode;
use net_wire::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchResponse,
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};

use crate::connection::Context;
use crate::groups::ask;
use crate::request::{Outcome, Request};

/// First version in which an error is one of the group.
const GROUP_ERROR_VERSION: i16 = 2;
/// First version with many groups.
const GROUPS_VERSION: i16 = 8;

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let body: OffsetFetchRequest<'_> = request.body()?;
    if request.version >= GROUPS_VERSION {
        return fetch_groups(&context, &request, &body).await;
    }
    let topics = body.topics.as_deref();
    let (error_code, fetched) = fetch(&context, body.group_id, None, topics).await;
    let mut topics: Vec<_> = fetched.iter().map(topic).collect();
    if request.version < GROUP_ERROR_VERSION && !error_code.is_none() {
        topics = refused(&body, error_code);
    }
    request.respond(&OffsetFetchResponse {
        topics,
        error_code,
        ..OffsetFetchResponse::default()
    })
}

async fn fetch_groups(
    context: &Context,
    request: &Request,
    body: &OffsetFetchRequest<'_>,
) -> Outcome {
    let mut fetched = Vec::with_capacity(body.groups.len());
    for group in &body.groups {
        let (member, topics) = (member(group), group.topics.as_deref());
        fetched.push(fetch(context, group.group_id, member, topics).await);
    }
    let groups = body.groups.iter().zip(&fetched);
    let groups = groups.map(|(group, (error_code, fetched))| OffsetFetchResponseGroup {
        group_id: group.group_id,
        topics: fetched.iter().map(topic).collect(),
        error_code: *error_code,
    });
    request.respond(&OffsetFetchResponse {
        groups: groups.collect(),
        ..OffsetFetchResponse::default()
    })
}

/// Who asks, if it is a member of a consumer group.
fn member(group: &OffsetFetchRequestGroup<'_>) -> Option<(String, i32)> {
    let is_member = group.member_id.is_some() || group.member_epoch >= 0;
    let id = group.member_id.unwrap_or_default();
    is_member.then(|| (id.to_owned(), group.member_epoch))
}

async fn fetch(
    context: &Context,
    group_id: &str,
    member: Option<(String, i32)>,
    topics: Option<&[OffsetFetchRequestTopic<'_>]>,
) -> (ErrorCode, Vec<FetchedOffsets>) {
    let asked = group::OffsetFetch {
        group_id: group_id.to_owned(),
        member,
        topics: topics.map(|topics| topics.iter().map(wanted).collect()),
    };
    let answer = ask(context, group_id, group::Request::OffsetFetch(asked)).await;
    let (code, fetched) = match answer {
        Answer::OffsetFetch(fetched) => (ErrorCode::NONE, fetched),
        Answer::Refused(code) => (code, Vec::new()),
        _ => (ErrorCode::UNKNOWN_SERVER_ERROR, Vec::new()),
    };
    context.broker.metrics.error(code);
    (code, fetched)
}

fn wanted(topic: &OffsetFetchRequestTopic<'_>) -> TopicPartitions {
    TopicPartitions {
        name: topic.name.to_owned(),
        partitions: topic.partition_indexes.clone(),
    }
}

fn topic(fetched: &FetchedOffsets) -> OffsetFetchResponseTopic<'_> {
    let partitions = fetched.partitions.iter();
    OffsetFetchResponseTopic {
        name: &fetched.name,
        partitions: partitions
            .map(|one| OffsetFetchResponsePartition {
                partition_index: one.partition_index,
                committed_offset: one.committed_offset,
                committed_leader_epoch: one.committed_leader_epoch,
                metadata: Some(&one.metadata),
                error_code: ErrorCode::NONE,
            })
            .collect(),
    }
}

/// The same error at each partition.
fn refused<'a>(
    body: &OffsetFetchRequest<'a>,
    error_code: ErrorCode,
) -> Vec<OffsetFetchResponseTopic<'a>> {
    let topics = body.topics.iter().flatten();
    let refused = |partition: &i32| OffsetFetchResponsePartition {
        partition_index: *partition,
        committed_offset: -1,
        metadata: Some(""),
        error_code,
        ..OffsetFetchResponsePartition::default()
    };
    topics
        .map(|topic| OffsetFetchResponseTopic {
            name: topic.name,
            partitions: topic.partition_indexes.iter().map(refused).collect(),
        })
        .collect()
}
