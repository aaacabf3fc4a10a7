//! `DescribeGroups` (key 15): groups of the classic protocol as admin clients see them.
//!
//! Behaviour:
//! - a group that there is not is in state `Dead`, and so is one of the consumer protocol;
//! - what members said and were given is shown while the group is stable, as in Kafka.
//!
//! Version notes:
//! - 3: authorized operations (KIP-430), which without an authorizer are all there are; 4: static
//!   members (KIP-345); 6: a group that there is not is `GROUP_ID_NOT_FOUND` (KIP-1043).

use std::borrow::Cow;
use std::rc::Rc;

use cluster_group as group;
use cluster_group::{Answer, DescribedMember, GroupState};
use net_wire::ErrorCode;
use net_wire::messages::AUTHORIZED_OPERATIONS_OMITTED;
use net_wire::messages::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};

use crate::connection::Context;
use crate::groups::ask;
use crate::request::{Outcome, Request};

/// READ, DELETE, DESCRIBE, `DESCRIBE_CONFIGS`, `ALTER_CONFIGS`: what an operation on a group can
/// be, a bit for each code of `AclOperation`.
pub(super) const GROUP_OPERATIONS: i32 = 0b1101_0100_1000;
/// First version that says that there is no such group.
const NO_GROUP_VERSION: i16 = 6;

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let body: DescribeGroupsRequest<'_> = request.body()?;
    let mut answers = Vec::with_capacity(body.groups.len());
    for id in &body.groups {
        let asked = group::Request::DescribeGroup((*id).to_owned());
        answers.push(ask(&context, id, asked).await);
    }
    let authorized_operations = if body.include_authorized_operations {
        GROUP_OPERATIONS
    } else {
        AUTHORIZED_OPERATIONS_OMITTED
    };
    let groups = body.groups.iter().zip(&answers);
    let groups: Vec<_> = groups
        .map(|(id, answer)| DescribedGroup {
            authorized_operations,
            ..described(id, answer, request.version)
        })
        .collect();
    for group in &groups {
        context.broker.metrics.error(group.error_code);
    }
    request.respond(&DescribeGroupsResponse {
        groups,
        ..DescribeGroupsResponse::default()
    })
}

fn described<'a>(group_id: &'a str, answer: &'a Answer, version: i16) -> DescribedGroup<'a> {
    let refused = |error_code| DescribedGroup {
        group_id,
        error_code,
        ..DescribedGroup::default()
    };
    let dead = |message: String| DescribedGroup {
        group_state: GroupState::Dead.name(),
        error_message: Some(Cow::Owned(message)),
        ..refused(if version >= NO_GROUP_VERSION {
            ErrorCode::GROUP_ID_NOT_FOUND
        } else {
            ErrorCode::NONE
        })
    };
    match answer {
        Answer::DescribeGroup(group) if group.state == GroupState::Dead => {
            dead(format!("Group {group_id} not found."))
        },
        Answer::Refused(ErrorCode::GROUP_ID_NOT_FOUND) => {
            dead(format!("Group {group_id} is not a classic group."))
        },
        Answer::DescribeGroup(group) => DescribedGroup {
            group_state: group.state.name(),
            protocol_type: &group.protocol_type,
            protocol_data: &group.protocol_data,
            members: group.members.iter().map(member).collect(),
            ..refused(ErrorCode::NONE)
        },
        Answer::Refused(code) => refused(*code),
        _ => refused(ErrorCode::UNKNOWN_SERVER_ERROR),
    }
}

fn member(member: &DescribedMember) -> DescribedGroupMember<'_> {
    DescribedGroupMember {
        member_id: &member.member_id,
        group_instance_id: member.group_instance_id.as_deref(),
        client_id: &member.client_id,
        client_host: &member.client_host,
        member_metadata: &member.member_metadata,
        member_assignment: &member.member_assignment,
    }
}
