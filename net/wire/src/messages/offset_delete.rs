//! `OffsetDelete` (key 47, KIP-496): deletes committed offsets of topics that a group is not
//! subscribed to.
//!
//! Its only version is not flexible.

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Deletes committed offsets of one group.
    pub struct OffsetDeleteRequest<'a> for OffsetDelete {
        /// The id of the group.
        group_id: &'a str [0..],
        /// The topics.
        topics: Vec<OffsetDeleteRequestTopic<'a>> [0..],
    }

    /// The partitions of one topic.
    pub struct OffsetDeleteRequestTopic<'a> {
        /// The name of the topic.
        name: &'a str [0..],
        /// The partitions.
        partitions: Vec<OffsetDeleteRequestPartition> [0..],
    }

    /// One partition.
    pub struct OffsetDeleteRequestPartition {
        /// The partition.
        partition_index: i32 [0..],
    }

    /// What became of each offset.
    pub struct OffsetDeleteResponse<'a> for OffsetDelete {
        /// The error of the group, or 0.
        error_code: ErrorCode [0..],
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The topics.
        topics: Vec<OffsetDeleteResponseTopic<'a>> [0..],
    }

    /// What became of the offsets of one topic.
    pub struct OffsetDeleteResponseTopic<'a> {
        /// The name of the topic.
        name: &'a str [0..],
        /// The partitions.
        partitions: Vec<OffsetDeleteResponsePartition> [0..],
    }

    /// What became of one offset.
    pub struct OffsetDeleteResponsePartition {
        /// The partition.
        partition_index: i32 [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
    }
}
