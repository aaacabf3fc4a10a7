//! `DescribeGroups` (key 15): describes classic groups.
//!
//! Version 3 adds authorized operations (KIP-430), 4 static members (KIP-345), 6 the error
//! `GROUP_ID_NOT_FOUND`, where a group that does not exist was `Dead` before (KIP-1043).

use std::borrow::Cow;

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Asks for groups by their ids.
    pub struct DescribeGroupsRequest<'a> for DescribeGroups {
        /// The ids of the groups.
        groups: Vec<&'a str> [0..],
        /// Whether to say what the client may do with each group.
        include_authorized_operations: bool [3..],
    }

    /// The groups.
    pub struct DescribeGroupsResponse<'a> for DescribeGroups {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [1..],
        /// The groups.
        groups: Vec<DescribedGroup<'a>> [0..],
    }

    /// One group.
    pub struct DescribedGroup<'a> {
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [6.., null 6..],
        /// The id of the group.
        group_id: &'a str [0..],
        /// The state of the group, by Kafka's name; empty on an error.
        group_state: &'a str [0..],
        /// The type of the group's protocols, or empty.
        protocol_type: &'a str [0..],
        /// The protocol that was chosen; empty unless the group is stable.
        protocol_data: &'a str [0..],
        /// The members.
        members: Vec<DescribedGroupMember<'a>> [0..],
        /// What the client may do, a bit each; the smallest integer unless asked for.
        authorized_operations: i32 [3..] = i32::MIN,
    }

    /// One member.
    pub struct DescribedGroupMember<'a> {
        /// The id of the member.
        member_id: &'a str [0..],
        /// The instance id of a static member, or null (KIP-345).
        group_instance_id: Option<&'a str> [4.., null 4..],
        /// The name the client gives itself.
        client_id: &'a str [0..],
        /// The address of the client.
        client_host: &'a str [0..],
        /// What it says of itself by the chosen protocol; opaque, empty unless the group is stable.
        member_metadata: &'a [u8] [0..],
        /// What it is assigned; opaque, empty unless the group is stable.
        member_assignment: &'a [u8] [0..],
    }
}
