//! `ListOffsets` (key 2): the first offset at or behind a timestamp, or one end of the partition.
//!
//! Version 0, which Kafka has given up (KIP-896), is served and not advertised: software that asks
//! nobody for versions sends it. Version 2 adds isolation levels, 4 leader epochs (KIP-320), 7 the largest timestamp (KIP-734), 8
//! the start of what is local (KIP-405), 9 the end of what is tiered (KIP-1005).

use crate::error_code::ErrorCode;
use crate::schema::schema;

/// Asks for the offset of the next record.
pub const LATEST_TIMESTAMP: i64 = -1;
/// Asks for the log start offset.
pub const EARLIEST_TIMESTAMP: i64 = -2;
/// Asks for the first record with the largest timestamp (KIP-734, from version 7).
pub const MAX_TIMESTAMP: i64 = -3;
/// Asks for the first offset that is local (KIP-405, from version 8).
pub const EARLIEST_LOCAL_TIMESTAMP: i64 = -4;
/// Asks for the last offset that is tiered (KIP-1005, from version 9).
pub const LATEST_TIERED_TIMESTAMP: i64 = -5;

schema! {
    /// Asks for the offsets at which the given timestamps begin.
    pub struct ListOffsetsRequest<'a> for ListOffsets {
        /// The follower that asks, or -1 for a consumer.
        replica_id: i32 [0..],
        /// 0 reads everything up to the high watermark, 1 only what is committed.
        isolation_level: i8 [2..],
        /// The topics.
        topics: Vec<ListOffsetsTopic<'a>> [0..],
    }

    /// The partitions of one topic.
    pub struct ListOffsetsTopic<'a> {
        /// The name of the topic.
        name: &'a str [0..],
        /// The partitions.
        partitions: Vec<ListOffsetsPartition> [0..],
    }

    /// One partition and the timestamp looked for.
    pub struct ListOffsetsPartition {
        /// The partition.
        partition_index: i32 [0..],
        /// The leader epoch that the client knows, for fencing (KIP-320), or -1.
        current_leader_epoch: i32 [4..] = -1,
        /// A time in ms, or one of the negative constants of this file.
        timestamp: i64 [0..],
        /// How many offsets the answer may have.
        max_num_offsets: i32 [0..=0] = 1,
    }

    /// The offsets found.
    pub struct ListOffsetsResponse<'a> for ListOffsets {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [2..],
        /// The topics.
        topics: Vec<ListOffsetsTopicResponse<'a>> [0..],
    }

    /// The partitions of one topic.
    pub struct ListOffsetsTopicResponse<'a> {
        /// The name of the topic.
        name: &'a str [0..],
        /// The partitions.
        partitions: Vec<ListOffsetsPartitionResponse> [0..],
    }

    /// The offset found in one partition.
    pub struct ListOffsetsPartitionResponse {
        /// The partition.
        partition_index: i32 [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The offset found, or nothing.
        old_style_offsets: Vec<i64> [0..=0],
        /// The timestamp of the record found, or -1.
        timestamp: i64 [1..] = -1,
        /// The offset found, or -1.
        offset: i64 [1..] = -1,
        /// The leader epoch, or -1.
        leader_epoch: i32 [4..] = -1,
    }
}
