//! `ListPartitionReassignments` (key 46, KIP-455): partitions that are moving.

use std::borrow::Cow;

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Asks which partitions are moving.
    pub struct ListPartitionReassignmentsRequest<'a> for ListPartitionReassignments {
        /// How long the broker may take.
        timeout_ms: i32 [0..] = 60000,
        /// The topics; null means all that are moving.
        topics: Option<Vec<ListPartitionReassignmentsTopics<'a>>> [0.., null 0..],
    }

    /// The partitions of one topic.
    pub struct ListPartitionReassignmentsTopics<'a> {
        /// The name of the topic.
        name: &'a str [0..],
        /// The partitions.
        partition_indexes: Vec<i32> [0..],
    }

    /// The partitions that are moving.
    pub struct ListPartitionReassignmentsResponse<'a> for ListPartitionReassignments {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [0.., null 0..],
        /// The topics.
        topics: Vec<OngoingTopicReassignment<'a>> [0..],
    }

    /// The partitions of one topic.
    pub struct OngoingTopicReassignment<'a> {
        /// The name of the topic.
        name: &'a str [0..],
        /// The partitions.
        partitions: Vec<OngoingPartitionReassignment> [0..],
    }

    /// A partition that is moving.
    pub struct OngoingPartitionReassignment {
        /// The partition.
        partition_index: i32 [0..],
        /// The brokers with replicas.
        replicas: Vec<i32> [0..],
        /// The brokers that replicas are added on.
        adding_replicas: Vec<i32> [0..],
        /// The brokers that replicas are removed from.
        removing_replicas: Vec<i32> [0..],
    }
}
