//! `LeaveGroup` (key 13): members leave a classic group, or are removed from it.
//!
//! Version 3 removes many members at once, static ones too (KIP-345), 5 adds reasons (KIP-800).

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Leaves a group.
    pub struct LeaveGroupRequest<'a> for LeaveGroup {
        /// The id of the group.
        group_id: &'a str [0..],
        /// The id of the member that leaves.
        member_id: &'a str [0..=2],
        /// The members that leave.
        members: Vec<MemberIdentity<'a>> [3..],
    }

    /// A member that leaves.
    pub struct MemberIdentity<'a> {
        /// The id of the member; may be empty for a static one.
        member_id: &'a str [3..],
        /// The instance id of a static member, or null (KIP-345).
        group_instance_id: Option<&'a str> [3.., null 3..],
        /// Why, for the log, or null.
        reason: Option<&'a str> [5.., null 5..],
    }

    /// Who left.
    pub struct LeaveGroupResponse<'a> for LeaveGroup {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [1..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// What became of each.
        members: Vec<MemberResponse<'a>> [3..],
    }

    /// What became of one member.
    pub struct MemberResponse<'a> {
        /// The id of the member.
        member_id: &'a str [3..],
        /// The instance id of a static member, or null (KIP-345).
        group_instance_id: Option<&'a str> [3.., null 3..],
        /// The error, or 0.
        error_code: ErrorCode [3..],
    }
}
