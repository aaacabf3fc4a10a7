//! `JoinGroup` (key 11): a member of a classic group joins, or joins again after a change.
//!
//! Version 1 adds the rebalance timeout, 4 asks a new member to come again with the id it is given
//! (KIP-394), 5 adds static members (KIP-345), 7 the protocol type in the answer (KIP-559), 8
//! reasons (KIP-800), 9 the skipped assignment (KIP-814). The metadata is opaque: Connect and
//! schema registries put their own there.

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Joins a group.
    pub struct JoinGroupRequest<'a> for JoinGroup {
        /// The id of the group.
        group_id: &'a str [0..],
        /// How long the group keeps the member without a heartbeat.
        session_timeout_ms: i32 [0..],
        /// How long the group waits for the member in a rebalance; the session timeout in version
        /// 0.
        rebalance_timeout_ms: i32 [1..] = -1,
        /// The id of the member; empty when it first joins.
        member_id: &'a str [0..],
        /// The instance id of a static member, or null (KIP-345).
        group_instance_id: Option<&'a str> [5.., null 5..],
        /// The type of the group's protocols, such as `consumer` or `connect`.
        protocol_type: &'a str [0..],
        /// The protocols it can speak, the one it likes best first.
        protocols: Vec<JoinGroupRequestProtocol<'a>> [0..],
        /// Why, for the log, or null.
        reason: Option<&'a str> [8.., null 8..],
    }

    /// A protocol that the member can speak.
    pub struct JoinGroupRequestProtocol<'a> {
        /// The name of the protocol, such as `range`.
        name: &'a str [0..],
        /// What the member says of itself by this protocol; opaque.
        metadata: &'a [u8] [0..],
    }

    /// The generation that the member belongs to.
    pub struct JoinGroupResponse<'a> for JoinGroup {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [2..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The generation, or -1.
        generation_id: i32 [0..] = -1,
        /// The type of the group's protocols, or null.
        protocol_type: Option<&'a str> [7.., null 7..],
        /// The protocol that was chosen; null only where there is none.
        protocol_name: Option<&'a str> [0.., null 7..] = Some(""),
        /// The member that assigns.
        leader: &'a str [0..],
        /// Whether the leader keeps the assignment that there is.
        skip_assignment: bool [9..],
        /// The id of the member.
        member_id: &'a str [0..],
        /// The members with their metadata; for the leader only.
        members: Vec<JoinGroupResponseMember<'a>> [0..],
    }

    /// A member, as the leader sees it.
    pub struct JoinGroupResponseMember<'a> {
        /// The id of the member.
        member_id: &'a str [0..],
        /// The instance id of a static member, or null (KIP-345).
        group_instance_id: Option<&'a str> [5.., null 5..],
        /// What it says of itself by the chosen protocol; opaque.
        metadata: &'a [u8] [0..],
    }
}
