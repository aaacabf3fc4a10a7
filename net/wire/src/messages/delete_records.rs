//! `DeleteRecords` (key 21, KIP-107): gives up records below an offset.

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Raises the log start offset of partitions.
    pub struct DeleteRecordsRequest<'a> for DeleteRecords {
        /// The topics.
        topics: Vec<DeleteRecordsTopic<'a>> [0..],
        /// How long the broker may take.
        timeout_ms: i32 [0..],
    }

    /// The partitions of one topic.
    pub struct DeleteRecordsTopic<'a> {
        /// The name of the topic.
        name: &'a str [0..],
        /// The partitions.
        partitions: Vec<DeleteRecordsPartition> [0..],
    }

    /// One partition and its new start.
    pub struct DeleteRecordsPartition {
        /// The partition.
        partition_index: i32 [0..],
        /// The new first offset; -1 stands for the high watermark.
        offset: i64 [0..],
    }

    /// The new start of each partition.
    pub struct DeleteRecordsResponse<'a> for DeleteRecords {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The topics.
        topics: Vec<DeleteRecordsTopicResult<'a>> [0..],
    }

    /// The partitions of one topic.
    pub struct DeleteRecordsTopicResult<'a> {
        /// The name of the topic.
        name: &'a str [0..],
        /// The partitions.
        partitions: Vec<DeleteRecordsPartitionResult> [0..],
    }

    /// The new start of one partition.
    pub struct DeleteRecordsPartitionResult {
        /// The partition.
        partition_index: i32 [0..],
        /// The first offset that is left, or -1.
        low_watermark: i64 [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
    }
}
