//! `DeleteGroups` (key 42, KIP-229): deletes groups without members, with their offsets.

use std::rc::Rc;

use cluster_group as group;
use cluster_group::Answer;
use net_wire::ErrorCode;
use net_wire::messages::delete_groups::{
    DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse,
};

use crate::connection::Context;
use crate::groups::ask;
use crate::request::{Outcome, Request};

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let body: DeleteGroupsRequest<'_> = request.body()?;
    let mut results = Vec::with_capacity(body.groups_names.len());
    for &group_id in &body.groups_names {
        let asked = group::Request::DeleteGroup(group_id.to_owned());
        let error_code = match ask(&context, group_id, asked).await {
            Answer::DeleteGroup => ErrorCode::NONE,
            Answer::Refused(code) => code,
            _ => ErrorCode::UNKNOWN_SERVER_ERROR,
        };
        context.broker.metrics.error(error_code);
        results.push(DeletableGroupResult {
            group_id,
            error_code,
        });
    }
    request.respond(&DeleteGroupsResponse {
        results,
        ..DeleteGroupsResponse::default()
    })
}
