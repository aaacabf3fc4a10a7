//! `OffsetForLeaderEpoch` (key 23, KIP-101): where a leader epoch ends, to find lost tails.
//!
//! Version 2 adds fencing (KIP-320), 3 the replica id.

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Asks where leader epochs end.
    pub struct OffsetForLeaderEpochRequest<'a> for OffsetForLeaderEpoch {
        /// The follower that asks, -1 for a consumer, -2 for a debugging one.
        replica_id: i32 [3..] = -2,
        /// The topics.
        topics: Vec<OffsetForLeaderTopic<'a>> [0..],
    }

    /// The partitions of one topic.
    pub struct OffsetForLeaderTopic<'a> {
        /// The name of the topic.
        topic: &'a str [0..],
        /// The partitions.
        partitions: Vec<OffsetForLeaderPartition> [0..],
    }

    /// One partition and the epoch looked for.
    pub struct OffsetForLeaderPartition {
        /// The partition.
        partition: i32 [0..],
        /// The leader epoch that the client knows, for fencing (KIP-320), or -1.
        current_leader_epoch: i32 [2..] = -1,
        /// The epoch looked for.
        leader_epoch: i32 [0..],
    }

    /// Where the epochs end.
    pub struct OffsetForLeaderEpochResponse<'a> for OffsetForLeaderEpoch {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [2..],
        /// The topics.
        topics: Vec<OffsetForLeaderTopicResult<'a>> [0..],
    }

    /// The partitions of one topic.
    pub struct OffsetForLeaderTopicResult<'a> {
        /// The name of the topic.
        topic: &'a str [0..],
        /// The partitions.
        partitions: Vec<EpochEndOffset> [0..],
    }

    /// Where the epoch of one partition ends.
    pub struct EpochEndOffset {
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The partition.
        partition: i32 [0..],
        /// The largest epoch not above the one looked for, or -1.
        leader_epoch: i32 [1..] = -1,
        /// The first offset of the next epoch, or the end of the log; -1 if not known.
        end_offset: i64 [0..] = -1,
    }
}
