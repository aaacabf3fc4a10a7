//! `ConsumerGroupHeartbeat` (key 68, KIP-848): a member of a consumer group joins, reports, gets its
//! assignment and leaves.
//!
//! Behaviour:
//! - the answer comes when everything that it tells is durable;
//! - where `group.coordinator.rebalance.protocols` leaves the protocol out: `UNSUPPORTED_VERSION`.
//!
//! Version notes:
//! - 0: the coordinator makes the id of a member; 1: the member does, and may subscribe by regular
//!   expression.

use std::rc::Rc;

use cluster_group as group;
use cluster_group::Answer;
use cluster_group::consumer::{MemberHeartbeat, MemberUpdate, Refusal};
use net_wire::ErrorCode;
use net_wire::messages::consumer_group_heartbeat::{
    Assignment, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, TopicPartitions,
};

use super::create_topics::uuid_v4;
use crate::connection::Context;
use crate::groups::{ask, timing};
use crate::request::{Outcome, Request};

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let groups = &context.broker.groups;
    let body: ConsumerGroupHeartbeatRequest<'_> = request.body()?;
    let mut heartbeat = said(&context, &request, &body);
    let checked = if groups.serves_consumers() {
        heartbeat.check(request.version, body.group_id, groups.assignors())
    } else {
        Err(refusal(ErrorCode::UNSUPPORTED_VERSION))
    };
    if heartbeat.member_id.is_empty() {
        let random = || u128::from(engine_rt::random_u64());
        heartbeat.member_id = uuid_v4(random() << 64 | random()).to_string();
    }
    let member_id = heartbeat.member_id.clone();
    let update = match checked {
        Ok(()) => beat(&context, body.group_id, heartbeat).await,
        Err(refusal) => Err(refusal),
    };
    let response = response(&member_id, &update);
    context.broker.metrics.error(response.error_code);
    request.respond(&response)
}

async fn beat(
    context: &Context,
    group_id: &str,
    heartbeat: MemberHeartbeat,
) -> Result<MemberUpdate, Refusal> {
    let asked = group::ConsumerGroupHeartbeat {
        group_id: group_id.to_owned(),
        timing: timing(&context.broker, group_id),
        heartbeat,
    };
    let asked = group::Request::ConsumerGroupHeartbeat(Box::new(asked));
    match ask(context, group_id, asked).await {
        Answer::ConsumerGroupHeartbeat(update) => update,
        Answer::Refused(code) => Err(refusal(code)),
        _ => Err(refusal(ErrorCode::UNKNOWN_SERVER_ERROR)),
    }
}

fn refusal(error_code: ErrorCode) -> Refusal {
    Refusal {
        error_code,
        message: error_code.message().to_owned(),
    }
}

fn said(
    context: &Context,
    request: &Request,
    body: &ConsumerGroupHeartbeatRequest<'_>,
) -> MemberHeartbeat {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let timeout = body.rebalance_timeout_ms;
    MemberHeartbeat {
        member_id: body.member_id.to_owned(),
        member_epoch: body.member_epoch,
        instance_id: owned(body.instance_id),
        rack_id: owned(body.rack_id),
        rebalance_timeout_ms: (timeout != -1).then_some(timeout),
        topic_names: body
            .subscribed_topic_names
            .as_ref()
            .map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
        topic_regex: owned(body.subscribed_topic_regex),
        server_assignor: owned(body.server_assignor),
        owned: body.topic_partitions.as_deref().map(assignment),
        client_id: request.client_id().unwrap_or_default().to_owned(),
        client_host: format!("/{}", context.peer.ip()),
        classic: None,
    }
}

fn assignment(topics: &[TopicPartitions]) -> group::consumer::Assignment {
    let topics = topics.iter().filter(|topic| !topic.partitions.is_empty());
    topics
        .map(|topic| (topic.topic_id, topic.partitions.iter().copied().collect()))
        .collect()
}

fn response<'a>(
    member_id: &'a str,
    update: &'a Result<MemberUpdate, Refusal>,
) -> ConsumerGroupHeartbeatResponse<'a> {
    match update {
        Ok(update) => ConsumerGroupHeartbeatResponse {
            member_id: Some(member_id),
            member_epoch: update.member_epoch,
            heartbeat_interval_ms: update.heartbeat_interval_ms,
            assignment: update.assignment.as_ref().map(|assigned| {
                let topics = assigned
                    .iter()
                    .map(|(topic_id, partitions)| TopicPartitions {
                        topic_id: *topic_id,
                        partitions: partitions.iter().copied().collect(),
                    });
                Box::new(Assignment {
                    topic_partitions: topics.collect(),
                })
            }),
            ..ConsumerGroupHeartbeatResponse::default()
        },
        Err(refusal) => ConsumerGroupHeartbeatResponse {
            error_code: refusal.error_code,
            error_message: Some((&*refusal.message).into()),
            ..ConsumerGroupHeartbeatResponse::default()
        },
    }
}
