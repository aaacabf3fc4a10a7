//! `ConsumerGroupDescribe` (key 69, KIP-848): consumer groups as admin clients see them.
//!
//! Behaviour:
//! - a group of the classic protocol is `GROUP_ID_NOT_FOUND`: the client asks `DescribeGroups` then;
//! - topics that are gone are left out.
//!
//! Version notes:
//! - 1: which protocol a member speaks (KIP-1099).

use std::collections::BTreeMap;
use std::rc::Rc;

use cluster_group as group;
use cluster_group::Answer;
use cluster_group::consumer::{DescribedConsumerGroup, DescribedConsumerMember};
use net_wire::messages::AUTHORIZED_OPERATIONS_OMITTED;
use net_wire::messages::consumer_group_describe::{
    Assignment, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, DescribedGroup,
    MEMBER_CLASSIC, MEMBER_CONSUMER, Member, TopicPartitions,
};
use net_wire::{ErrorCode, Uuid};

use super::describe_groups::GROUP_OPERATIONS;
use crate::broker::Broker;
use crate::connection::Context;
use crate::groups::ask;
use crate::request::{Outcome, Request};

/// Names of topics by their ids.
type Names = BTreeMap<Uuid, String>;

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let broker = &context.broker;
    let body: ConsumerGroupDescribeRequest<'_> = request.body()?;
    let mut answers = Vec::with_capacity(body.group_ids.len());
    for id in &body.group_ids {
        answers.push(describe(&context, id).await);
    }
    let authorized_operations = if body.include_authorized_operations {
        GROUP_OPERATIONS
    } else {
        AUTHORIZED_OPERATIONS_OMITTED
    };
    let names = names(broker, &answers);
    let groups = body.group_ids.iter().zip(&answers);
    let groups: Vec<_> = groups
        .map(|(id, answer)| described(id, answer, authorized_operations, &names))
        .collect();
    for group in &groups {
        broker.metrics.error(group.error_code);
    }
    request.respond(&ConsumerGroupDescribeResponse {
        groups,
        ..ConsumerGroupDescribeResponse::default()
    })
}

async fn describe(context: &Context, group_id: &str) -> Answer {
    if !context.broker.groups.serves_consumers() {
        return Answer::Refused(ErrorCode::UNSUPPORTED_VERSION);
    }
    if group_id.is_empty() {
        return Answer::Refused(ErrorCode::INVALID_GROUP_ID);
    }
    let asked = group::Request::ConsumerGroupDescribe(group_id.to_owned());
    ask(context, group_id, asked).await
}

/// The names of all topics that members have or shall have.
fn names(broker: &Broker, answers: &[Answer]) -> Names {
    let groups = answers.iter().filter_map(|answer| match answer {
        Answer::ConsumerGroupDescribe(Ok(group)) => Some(group),
        _ => None,
    });
    let members = groups.flat_map(|group| &group.members);
    let ids = members.flat_map(|member| member.assigned.keys().chain(member.target.keys()));
    broker.with_state(|state| {
        let known = ids.filter_map(|id| Some((*id, state.topic(*id)?.name.clone())));
        known.collect()
    })
}

fn described<'a>(
    group_id: &'a str,
    answer: &'a Answer,
    authorized_operations: i32,
    names: &'a Names,
) -> DescribedGroup<'a> {
    let refused = |error_code| DescribedGroup {
        group_id,
        error_code,
        ..DescribedGroup::default()
    };
    match answer {
        Answer::ConsumerGroupDescribe(Ok(group)) => DescribedGroup {
            group_id,
            authorized_operations,
            ..of_group(group, names)
        },
        Answer::ConsumerGroupDescribe(Err(refusal)) => DescribedGroup {
            error_message: Some((&*refusal.message).into()),
            ..refused(refusal.error_code)
        },
        Answer::Refused(code) => refused(*code),
        _ => refused(ErrorCode::UNKNOWN_SERVER_ERROR),
    }
}

fn of_group<'a>(group: &'a DescribedConsumerGroup, names: &'a Names) -> DescribedGroup<'a> {
    DescribedGroup {
        group_state: group.state.name(),
        group_epoch: group.epoch,
        assignment_epoch: group.assignment_epoch,
        assignor_name: group.assignor.name(),
        members: group.members.iter().map(|one| member(one, names)).collect(),
        ..DescribedGroup::default()
    }
}

fn member<'a>(member: &'a DescribedConsumerMember, names: &'a Names) -> Member<'a> {
    let subscription = &member.subscription;
    Member {
        member_id: &member.member_id,
        instance_id: subscription.instance_id.as_deref(),
        rack_id: subscription.rack_id.as_deref(),
        member_epoch: member.epoch,
        client_id: &subscription.client_id,
        client_host: &subscription.client_host,
        subscribed_topic_names: subscription.topic_names.iter().map(|one| &**one).collect(),
        // As Kafka tells it: an empty one is none.
        subscribed_topic_regex: subscription.topic_regex.as_deref().or(Some("")),
        assignment: assignment(&member.assigned, names),
        target_assignment: assignment(&member.target, names),
        member_type: if subscription.classic.is_some() {
            MEMBER_CLASSIC
        } else {
            MEMBER_CONSUMER
        },
    }
}

fn assignment<'a>(assigned: &'a group::consumer::Assignment, names: &'a Names) -> Assignment<'a> {
    let topics = assigned.iter().filter_map(|(topic_id, partitions)| {
        Some(TopicPartitions {
            topic_id: *topic_id,
            topic_name: names.get(topic_id)?,
            partitions: partitions.iter().copied().collect(),
        })
    });
    Assignment {
        topic_partitions: topics.collect(),
    }
}
