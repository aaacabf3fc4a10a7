//! `DescribeProducers` (key 61, KIP-664): the producers that partitions know, to find transactions
//! that hang.

use std::borrow::Cow;

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Asks for the producers of partitions.
    pub struct DescribeProducersRequest<'a> for DescribeProducers {
        /// The topics.
        topics: Vec<TopicRequest<'a>> [0..],
    }

    /// The partitions of one topic.
    pub struct TopicRequest<'a> {
        /// The name of the topic.
        name: &'a str [0..],
        /// The partitions.
        partition_indexes: Vec<i32> [0..],
    }

    /// The producers of each partition.
    pub struct DescribeProducersResponse<'a> for DescribeProducers {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The topics.
        topics: Vec<TopicResponse<'a>> [0..],
    }

    /// The partitions of one topic.
    pub struct TopicResponse<'a> {
        /// The name of the topic.
        name: &'a str [0..],
        /// The partitions.
        partitions: Vec<PartitionResponse<'a>> [0..],
    }

    /// The producers of one partition.
    pub struct PartitionResponse<'a> {
        /// The partition.
        partition_index: i32 [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [0.., null 0..],
        /// The producers.
        active_producers: Vec<ProducerState> [0..],
    }

    /// What a partition knows of one producer.
    pub struct ProducerState {
        /// The id of the producer.
        producer_id: i64 [0..],
        /// The epoch of the producer.
        producer_epoch: i32 [0..],
        /// The last sequence number, or -1.
        last_sequence: i32 [0..] = -1,
        /// The timestamp of the last batch, or -1.
        last_timestamp: i64 [0..] = -1,
        /// The epoch of the transaction coordinator, or -1.
        coordinator_epoch: i32 [0..],
        /// The first offset of its open transaction, or -1.
        current_txn_start_offset: i64 [0..] = -1,
    }
}
