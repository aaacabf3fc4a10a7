//! `OffsetCommit` (key 8): commits offsets of a group.
//!
//! Versions 2 to 4 have a retention time, 6 adds leader epochs (KIP-320), 7 static members
//! (KIP-345), 9 member epochs in the place of generations (KIP-848).

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Commits offsets.
    pub struct OffsetCommitRequest<'a> for OffsetCommit {
        /// The id of the group.
        group_id: &'a str [0..],
        /// The generation or the member epoch; -1 from outside of the group.
        generation_id_or_member_epoch: i32 [1..] = -1,
        /// The id of the member; empty from outside of the group.
        member_id: &'a str [1..],
        /// The instance id of a static member, or null (KIP-345).
        group_instance_id: Option<&'a str> [7.., null 7..],
        /// How long to keep the offsets, or -1 for as long as the broker does.
        retention_time_ms: i64 [2..=4] = -1,
        /// The topics.
        topics: Vec<OffsetCommitRequestTopic<'a>> [0..],
    }

    /// The offsets of one topic.
    pub struct OffsetCommitRequestTopic<'a> {
        /// The name of the topic.
        name: &'a str [0..],
        /// The partitions.
        partitions: Vec<OffsetCommitRequestPartition<'a>> [0..],
    }

    /// The offset of one partition.
    pub struct OffsetCommitRequestPartition<'a> {
        /// The partition.
        partition_index: i32 [0..],
        /// The offset.
        committed_offset: i64 [0..],
        /// The leader epoch of the record before the offset, or -1.
        committed_leader_epoch: i32 [6..] = -1,
        /// What the client stores with the offset; null is as empty.
        committed_metadata: Option<&'a str> [0.., null 0..],
    }

    /// What became of each offset.
    pub struct OffsetCommitResponse<'a> for OffsetCommit {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [3..],
        /// The topics.
        topics: Vec<OffsetCommitResponseTopic<'a>> [0..],
    }

    /// What became of the offsets of one topic.
    pub struct OffsetCommitResponseTopic<'a> {
        /// The name of the topic.
        name: &'a str [0..],
        /// The partitions.
        partitions: Vec<OffsetCommitResponsePartition> [0..],
    }

    /// What became of one offset.
    pub struct OffsetCommitResponsePartition {
        /// The partition.
        partition_index: i32 [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
    }
}
