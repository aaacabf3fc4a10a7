//! `ListGroups` (key 16): lists the groups that a broker coordinates.
//!
//! Version 4 adds states (KIP-518), 5 types (KIP-848).

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Asks which groups there are.
    pub struct ListGroupsRequest<'a> for ListGroups {
        /// The states wanted; none means all.
        states_filter: Vec<&'a str> [4..],
        /// The types wanted; none means all.
        types_filter: Vec<&'a str> [5..],
    }

    /// The groups of this broker.
    pub struct ListGroupsResponse<'a> for ListGroups {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [1..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The groups.
        groups: Vec<ListedGroup<'a>> [0..],
    }

    /// One group.
    pub struct ListedGroup<'a> {
        /// The id of the group.
        group_id: &'a str [0..],
        /// The type of the group's protocols, or empty.
        protocol_type: &'a str [0..],
        /// The state of the group, by Kafka's name.
        group_state: &'a str [4..],
        /// The type of the group: `classic`, `consumer`, `share` or `streams`.
        group_type: &'a str [5..],
    }
}
