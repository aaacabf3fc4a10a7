//! `Heartbeat` (key 12): a member of a classic group is alive, and learns of rebalances.
//!
//! Version 3 adds static members (KIP-345).

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Says that the member is alive.
    pub struct HeartbeatRequest<'a> for Heartbeat {
        /// The id of the group.
        group_id: &'a str [0..],
        /// The generation that the member belongs to.
        generation_id: i32 [0..],
        /// The id of the member.
        member_id: &'a str [0..],
        /// The instance id of a static member, or null (KIP-345).
        group_instance_id: Option<&'a str> [3.., null 3..],
    }

    /// Whether the member shall join again.
    pub struct HeartbeatResponse for Heartbeat {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [1..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
    }
}
