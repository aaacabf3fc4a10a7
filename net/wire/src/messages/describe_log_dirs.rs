//! `DescribeLogDirs` (key 35, KIP-113): directories and the sizes of partitions in them.
//!
//! Version 3 adds a top-level error, 4 the size of the volume (KIP-827).

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Asks for the log directories and the sizes of partitions in them.
    pub struct DescribeLogDirsRequest<'a> for DescribeLogDirs {
        /// The topics wanted; null means all.
        topics: Option<Vec<DescribableLogDirTopic<'a>>> [0.., null 0..],
    }

    /// The partitions of one topic.
    pub struct DescribableLogDirTopic<'a> {
        /// The name of the topic.
        topic: &'a str [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }

    /// The log directories.
    pub struct DescribeLogDirsResponse<'a> for DescribeLogDirs {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The error, or 0.
        error_code: ErrorCode [3..],
        /// The results.
        results: Vec<DescribeLogDirsResult<'a>> [0..],
    }

    /// One log directory.
    pub struct DescribeLogDirsResult<'a> {
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The absolute path.
        log_dir: &'a str [0..],
        /// The topics.
        topics: Vec<DescribeLogDirsTopic<'a>> [0..],
        /// Size of the volume, or -1.
        total_bytes: i64 [4..] = -1,
        /// Room left on the volume, or -1.
        usable_bytes: i64 [4..] = -1,
    }

    /// The partitions of one topic.
    pub struct DescribeLogDirsTopic<'a> {
        /// The name of the topic.
        name: &'a str [0..],
        /// The partitions.
        partitions: Vec<DescribeLogDirsPartition> [0..],
    }

    /// One partition in the directory.
    pub struct DescribeLogDirsPartition {
        /// The partition.
        partition_index: i32 [0..],
        /// Bytes of its segments.
        partition_size: i64 [0..],
        /// How far the log is behind: the high watermark less its end, or 0.
        offset_lag: i64 [0..],
        /// Whether it is being moved here from another directory.
        is_future_key: bool [0..],
    }
}
