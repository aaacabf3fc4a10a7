//! `SyncGroup` (key 14): the leader of a classic group hands in the assignments, everyone gets
//! theirs.
//!
//! Version 3 adds static members (KIP-345), 5 the protocol, checked against the group's (KIP-559).

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Asks for the assignment; the leader brings those of all members.
    pub struct SyncGroupRequest<'a> for SyncGroup {
        /// The id of the group.
        group_id: &'a str [0..],
        /// The generation that the member belongs to.
        generation_id: i32 [0..],
        /// The id of the member.
        member_id: &'a str [0..],
        /// The instance id of a static member, or null (KIP-345).
        group_instance_id: Option<&'a str> [3.., null 3..],
        /// The type of the group's protocols, or null.
        protocol_type: Option<&'a str> [5.., null 5..],
        /// The protocol that was chosen, or null.
        protocol_name: Option<&'a str> [5.., null 5..],
        /// The assignments; from the leader only.
        assignments: Vec<SyncGroupRequestAssignment<'a>> [0..],
    }

    /// What one member is assigned.
    pub struct SyncGroupRequestAssignment<'a> {
        /// The id of the member.
        member_id: &'a str [0..],
        /// What it is assigned; opaque.
        assignment: &'a [u8] [0..],
    }

    /// The assignment of the member.
    pub struct SyncGroupResponse<'a> for SyncGroup {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [1..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The type of the group's protocols, or null.
        protocol_type: Option<&'a str> [5.., null 5..],
        /// The protocol that was chosen, or null.
        protocol_name: Option<&'a str> [5.., null 5..],
        /// What it is assigned; opaque.
        assignment: &'a [u8] [0..],
    }
}
