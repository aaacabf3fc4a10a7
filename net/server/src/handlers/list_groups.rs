//! `ListGroups` (key 16): the groups of this broker.
//!
//! Behaviour:
//! - names of states and types are known in any case; unknown ones list nothing;
//! - while a coordinator reads its partition, the answer would not be whole: the client comes again.
//!
//! Version notes:
//! - 4: states (KIP-518); 5: types (KIP-848).

use std::rc::Rc;

use cluster_group as group;
use net_wire::ErrorCode;
use net_wire::messages::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};

use crate::connection::Context;
use crate::groups::list;
use crate::request::{Outcome, Request};

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let body: ListGroupsRequest<'_> = request.body()?;
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let asked = group::ListGroups {
        states: owned(&body.states_filter),
        types: owned(&body.types_filter),
    };
    let (error_code, listed) = match list(&context, &asked).await {
        Ok(listed) => (ErrorCode::NONE, listed),
        Err(code) => (code, Vec::new()),
    };
    context.broker.metrics.error(error_code);
    let groups = listed.iter().map(|one| ListedGroup {
        group_id: &one.group_id,
        protocol_type: &one.protocol_type,
        group_state: one.state,
        group_type: one.group_type,
    });
    request.respond(&ListGroupsResponse {
        error_code,
        groups: groups.collect(),
        ..ListGroupsResponse::default()
    })
}
