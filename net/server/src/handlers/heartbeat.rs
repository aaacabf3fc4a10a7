//! `Heartbeat` (key 12): a member of a group is alive, and learns whether it has to join again.
//!
//! Version notes:
//! - 3: static members (KIP-345).

use std::rc::Rc;

use cluster_group as group;
use cluster_group::Answer;
use net_wire::ErrorCode;
use net_wire::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};

use crate::connection::Context;
use crate::groups::ask;
use crate::request::{Outcome, Request};

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let body: HeartbeatRequest<'_> = request.body()?;
    let asked = group::Heartbeat {
        group_id: body.group_id.to_owned(),
        generation_id: body.generation_id,
        member_id: body.member_id.to_owned(),
        group_instance_id: body.group_instance_id.map(str::to_owned),
    };
    let answer = ask(&context, body.group_id, group::Request::Heartbeat(asked)).await;
    let error_code = match answer {
        Answer::Heartbeat => ErrorCode::NONE,
        Answer::Refused(code) => code,
        _ => ErrorCode::UNKNOWN_SERVER_ERROR,
    };
    context.broker.metrics.error(error_code);
    request.respond(&HeartbeatResponse {
        error_code,
        ..HeartbeatResponse::default()
    })
}
