//! Produce (key 0): appends record batches.
//!
//! Version 3 brings batches of format v2 and transactional ids (KIP-98), 5 the log start offset, 7
//! zstd (KIP-110), 8 the records at fault (KIP-467), 10 the current leader (KIP-951), 11 the error
//! `TRANSACTION_ABORTABLE` (KIP-890). Acks 0 gets no response at all.

use std::borrow::Cow;

use super::leader::{LeaderIdAndEpoch, NodeEndpoint};
use crate::error_code::ErrorCode;
use crate::schema::schema;
use crate::wire::Records;

schema! {
    /// Appends one batch to each partition named.
    pub struct ProduceRequest<'a> for Produce {
        /// The transactional id, or null.
        transactional_id: Option<&'a str> [3.., null 3..],
        /// 0 wants no answer, 1 the leader, -1 all in-sync replicas; anything else is an error.
        acks: i16 [0..],
        /// How long the broker may take.
        timeout_ms: i32 [0..],
        /// The topics.
        topic_data: Vec<TopicProduceData<'a>> [0..],
    }

    /// The batches for one topic.
    pub struct TopicProduceData<'a> {
        /// The name of the topic.
        name: &'a str [0..],
        /// The partitions.
        partition_data: Vec<PartitionProduceData<'a>> [0..],
    }

    /// The batch for one partition.
    pub struct PartitionProduceData<'a> {
        /// The partition.
        index: i32 [0..],
        /// Exactly one batch of format v2.
        records: Option<Records<'a>> [0.., null 0..] = Some(Records::EMPTY),
    }

    /// What became of each batch.
    pub struct ProduceResponse<'a> for Produce {
        /// The topics.
        responses: Vec<TopicProduceResponse<'a>> [0..],
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [1..],
        /// The endpoints of the leaders named in this response (KIP-951).
        node_endpoints: Vec<NodeEndpoint<'a>> [10.., tag 0],
    }

    /// What became of the batches of one topic.
    pub struct TopicProduceResponse<'a> {
        /// The name of the topic.
        name: &'a str [0..],
        /// The partitions.
        partition_responses: Vec<PartitionProduceResponse<'a>> [0..],
    }

    /// What became of one batch.
    pub struct PartitionProduceResponse<'a> {
        /// The partition.
        index: i32 [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The offset of the first record.
        base_offset: i64 [0..],
        /// The timestamp the broker gave the records, or -1 where theirs are kept.
        log_append_time_ms: i64 [2..] = -1,
        /// The first offset that the partition has, or -1.
        log_start_offset: i64 [5..] = -1,
        /// The records at fault.
        record_errors: Vec<BatchIndexAndErrorMessage<'a>> [8..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [8.., null 8..],
        /// Where the leader is now, when it is not here (KIP-951).
        current_leader: LeaderIdAndEpoch [10.., tag 0],
    }

    /// A record for which the whole batch was refused (KIP-467).
    pub struct BatchIndexAndErrorMessage<'a> {
        /// Position of the record in its batch.
        batch_index: i32 [8..],
        /// What is wrong with it, or null.
        batch_index_error_message: Option<Cow<'a, str>> [8.., null 8..],
    }
}
