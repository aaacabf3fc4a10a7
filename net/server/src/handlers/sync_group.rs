//! `SyncGroup` (key 14): a member asks for its assignment; the leader brings all of them.
//!
//! Behaviour:
//! - the answer comes when the leader has assigned and the generation is durable.
//!
//! Version notes:
//! - 3: static members (KIP-345); 5: what the member believes the protocol to be (KIP-559).

use std::rc::Rc;

use cluster_group as group;
use cluster_group::{Answer, SyncedGroup};
use net_wire::ErrorCode;
use net_wire::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};

use crate::connection::Context;
use crate::groups::ask;
use crate::request::{Outcome, Request};

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let body: SyncGroupRequest<'_> = request.body()?;
    let assignments = body.assignments.iter();
    let asked = group::SyncGroup {
        group_id: body.group_id.to_owned(),
        generation_id: body.generation_id,
        member_id: body.member_id.to_owned(),
        group_instance_id: body.group_instance_id.map(str::to_owned),
        protocol_type: body.protocol_type.map(str::to_owned),
        protocol_name: body.protocol_name.map(str::to_owned),
        assignments: assignments
            .map(|one| (one.member_id.to_owned(), one.assignment.to_vec()))
            .collect(),
    };
    let answer = ask(&context, body.group_id, group::Request::SyncGroup(asked)).await;
    let (error_code, synced) = match answer {
        Answer::SyncGroup(synced) => (ErrorCode::NONE, synced),
        Answer::Refused(code) => (code, SyncedGroup::default()),
        _ => (ErrorCode::UNKNOWN_SERVER_ERROR, SyncedGroup::default()),
    };
    context.broker.metrics.error(error_code);
    request.respond(&SyncGroupResponse {
        error_code,
        protocol_type: synced.protocol_type.as_deref(),
        protocol_name: synced.protocol_name.as_deref(),
        assignment: &synced.assignment,
        ..SyncGroupResponse::default()
    })
}
