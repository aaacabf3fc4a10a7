//! `CreatePartitions` (key 37, KIP-195).
//!
//! Version 2 is flexible, 3 may answer with a throttling error (KIP-599).

use std::borrow::Cow;

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Raises the number of partitions of topics.
    pub struct CreatePartitionsRequest<'a> for CreatePartitions {
        /// The topics.
        topics: Vec<CreatePartitionsTopic<'a>> [0..],
        /// How long the broker may take.
        timeout_ms: i32 [0..],
        /// Whether to check only and change nothing.
        validate_only: bool [0..],
    }

    /// A topic and the number it shall have.
    pub struct CreatePartitionsTopic<'a> {
        /// The name of the topic.
        name: &'a str [0..],
        /// The number it shall have in all.
        count: i32 [0..],
        /// Replicas of the new partitions, or null when the broker chooses.
        assignments: Option<Vec<CreatePartitionsAssignment>> [0.., null 0..],
    }

    /// The replicas of one new partition, chosen by the client.
    pub struct CreatePartitionsAssignment {
        /// The brokers that hold the replicas; the first is the preferred leader.
        broker_ids: Vec<i32> [0..],
    }

    /// What became of each topic.
    pub struct CreatePartitionsResponse<'a> for CreatePartitions {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The results.
        results: Vec<CreatePartitionsTopicResult<'a>> [0..],
    }

    /// What became of one topic.
    pub struct CreatePartitionsTopicResult<'a> {
        /// The name of the topic.
        name: &'a str [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [0.., null 0..],
    }
}
