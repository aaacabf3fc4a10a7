//! `AlterPartitionReassignments` (key 45, KIP-455): moves partitions to other brokers.
//!
//! Version 1 lets the client forbid a change of the replication factor (KIP-860).

use std::borrow::Cow;

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Moves partitions, or stops their moves.
    pub struct AlterPartitionReassignmentsRequest<'a> for AlterPartitionReassignments {
        /// How long the broker may take.
        timeout_ms: i32 [0..] = 60000,
        /// Whether the number of replicas may change.
        allow_replication_factor_change: bool [1..] = true,
        /// The topics.
        topics: Vec<ReassignableTopic<'a>> [0..],
    }

    /// The partitions of one topic.
    pub struct ReassignableTopic<'a> {
        /// The name of the topic.
        name: &'a str [0..],
        /// The partitions.
        partitions: Vec<ReassignablePartition> [0..],
    }

    /// One partition and where it shall be.
    pub struct ReassignablePartition {
        /// The partition.
        partition_index: i32 [0..],
        /// The brokers it shall be on; null stops a move.
        replicas: Option<Vec<i32>> [0.., null 0..],
    }

    /// What became of each partition.
    pub struct AlterPartitionReassignmentsResponse<'a> for AlterPartitionReassignments {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// Whether the number of replicas may change.
        allow_replication_factor_change: bool [1..] = true,
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [0.., null 0..],
        /// The topics.
        responses: Vec<ReassignableTopicResponse<'a>> [0..],
    }

    /// The partitions of one topic.
    pub struct ReassignableTopicResponse<'a> {
        /// The name of the topic.
        name: &'a str [0..],
        /// The partitions.
        partitions: Vec<ReassignablePartitionResponse<'a>> [0..],
    }

    /// What became of one partition.
    pub struct ReassignablePartitionResponse<'a> {
        /// The partition.
        partition_index: i32 [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [0.., null 0..],
    }
}
