//! `DeleteGroups` (key 42, KIP-229): deletes empty groups with their offsets.

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Deletes groups.
    pub struct DeleteGroupsRequest<'a> for DeleteGroups {
        /// The ids of the groups.
        groups_names: Vec<&'a str> [0..],
    }

    /// What became of each group.
    pub struct DeleteGroupsResponse<'a> for DeleteGroups {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The results.
        results: Vec<DeletableGroupResult<'a>> [0..],
    }

    /// What became of one group.
    pub struct DeletableGroupResult<'a> {
        /// The id of the group.
        group_id: &'a str [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
    }
}
