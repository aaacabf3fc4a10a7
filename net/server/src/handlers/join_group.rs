//! `JoinGroup` (key 11): a member joins a group of the classic protocol, or joins again.
//!
//! Behaviour:
//! - the answer comes when the rebalance has everybody; the coordinator decides
//!   (`cluster_group`), and forgets nothing when the connection goes meanwhile;
//! - what members say to a protocol is opaque.
//!
//! Version notes:
//! - 0: the rebalance timeout is the session timeout; 4: new members ask twice (KIP-394); 5: static
//!   members (KIP-345); 7: the protocol's type, and null for no protocol; 9: the leader may keep
//!   the assignments (KIP-814).

use std::rc::Rc;

use cluster_group as group;
use cluster_group::{Answer, JoinedGroup, Protocol};
use net_wire::ErrorCode;
use net_wire::messages::join_group::{
    JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember,
};

use crate::connection::Context;
use crate::groups::ask;
use crate::request::{Outcome, Request};

/// First versions with a rebalance timeout, with two steps, with null protocols, with skipping.
const REBALANCE_TIMEOUT_VERSION: i16 = 1;
const KNOWN_ID_VERSION: i16 = 4;
const NULL_PROTOCOL_VERSION: i16 = 7;
const SKIP_VERSION: i16 = 9;

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let asked = asked(&context, &request)?;
    let (group_id, member_id) = (asked.group_id.clone(), asked.member_id.clone());
    let joined = match ask(&context, &group_id, group::Request::JoinGroup(asked)).await {
        Answer::JoinGroup(joined) => joined,
        Answer::Refused(code) => JoinedGroup::refused(member_id, code),
        _ => JoinedGroup::refused(member_id, ErrorCode::UNKNOWN_SERVER_ERROR),
    };
    context.broker.metrics.error(joined.error_code);
    request.respond(&response(&joined, request.version))
}

fn asked(context: &Context, request: &Request) -> Result<group::JoinGroup, net_wire::WireError> {
    let body: JoinGroupRequest<'_> = request.body()?;
    let protocols = body.protocols.iter().map(|protocol| Protocol {
        name: protocol.name.to_owned(),
        metadata: protocol.metadata.to_vec(),
    });
    let random = || u128::from(engine_rt::random_u64());
    Ok(group::JoinGroup {
        group_id: body.group_id.to_owned(),
        session_timeout_ms: body.session_timeout_ms,
        rebalance_timeout_ms: if request.version >= REBALANCE_TIMEOUT_VERSION {
            body.rebalance_timeout_ms
        } else {
            body.session_timeout_ms
        },
        member_id: body.member_id.to_owned(),
        group_instance_id: body.group_instance_id.map(str::to_owned),
        protocol_type: body.protocol_type.to_owned(),
        protocols: protocols.collect(),
        client_id: request.client_id().unwrap_or_default().to_owned(),
        client_host: format!("/{}", context.peer.ip()),
        random: random() << 64 | random(),
        requires_known_member_id: request.version >= KNOWN_ID_VERSION,
        supports_skipping_assignment: request.version >= SKIP_VERSION,
    })
}

fn response(joined: &JoinedGroup, version: i16) -> JoinGroupResponse<'_> {
    let protocol_name = joined.protocol_name.as_deref();
    let members = joined.members.iter().map(|member| JoinGroupResponseMember {
        member_id: &member.member_id,
        group_instance_id: member.group_instance_id.as_deref(),
        metadata: &member.metadata,
    });
    JoinGroupResponse {
        error_code: joined.error_code,
        generation_id: joined.generation_id,
        protocol_type: joined.protocol_type.as_deref(),
        protocol_name: if version >= NULL_PROTOCOL_VERSION {
            protocol_name
        } else {
            Some(protocol_name.unwrap_or_default())
        },
        leader: &joined.leader,
        skip_assignment: joined.skip_assignment,
        member_id: &joined.member_id,
        members: members.collect(),
        ..JoinGroupResponse::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_have_no_null_protocol() {
        let refused = JoinedGroup::refused("", ErrorCode::INVALID_GROUP_ID);
        assert_eq!(response(&refused, 6).protocol_name, Some(""));
        assert_eq!(response(&refused, 7).protocol_name, None);
    }
}
