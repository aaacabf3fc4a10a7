//! `LeaveGroup` (key 13): members go, or are taken out.
//!
//! Version notes:
//! - 0 to 2: one member, whose error is that of the request; 3: many, also static ones by their
//!   names (KIP-345); 5: reasons, which nobody reads here.

use std::rc::Rc;

use cluster_group as group;
use cluster_group::{Answer, LeavingMember};
use net_wire::ErrorCode;
use net_wire::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberResponse};

use crate::connection::Context;
use crate::groups::ask;
use crate::request::{Outcome, Request};

/// First version with many members.
const MEMBERS_VERSION: i16 = 3;

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let body: LeaveGroupRequest<'_> = request.body()?;
    let asked = group::LeaveGroup {
        group_id: body.group_id.to_owned(),
        members: leaving(&body, request.version),
    };
    let answer = ask(&context, body.group_id, group::Request::LeaveGroup(asked)).await;
    let (mut error_code, left) = match answer {
        Answer::LeaveGroup(left) => (ErrorCode::NONE, left),
        Answer::Refused(code) => (code, Vec::new()),
        _ => (ErrorCode::UNKNOWN_SERVER_ERROR, Vec::new()),
    };
    if request.version < MEMBERS_VERSION {
        let of_member = left.first().map(|one| one.error_code);
        error_code = of_member.unwrap_or(error_code);
    }
    context.broker.metrics.error(error_code);
    let members = left.iter().map(|one| MemberResponse {
        member_id: &one.member_id,
        group_instance_id: one.group_instance_id.as_deref(),
        error_code: one.error_code,
    });
    request.respond(&LeaveGroupResponse {
        error_code,
        members: members.collect(),
        ..LeaveGroupResponse::default()
    })
}

fn leaving(body: &LeaveGroupRequest<'_>, version: i16) -> Vec<LeavingMember> {
    if version < MEMBERS_VERSION {
        return vec![LeavingMember {
            member_id: body.member_id.to_owned(),
            group_instance_id: None,
        }];
    }
    let members = body.members.iter().map(|member| LeavingMember {
        member_id: member.member_id.to_owned(),
        group_instance_id: member.group_instance_id.map(str::to_owned),
    });
    members.collect()
}
