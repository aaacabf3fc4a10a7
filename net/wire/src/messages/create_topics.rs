//! `CreateTopics` (key 19, KIP-4).
//!
//! Version 4 allows -1 for the numbers of partitions and replicas (KIP-464; Kafka Streams needs
//! it), 5 answers with the configurations (KIP-525), 7 with the topic id (KIP-516).

use std::borrow::Cow;

use crate::error_code::ErrorCode;
use crate::schema::schema;
use crate::uuid::Uuid;

schema! {
    /// Creates topics.
    pub struct CreateTopicsRequest<'a> for CreateTopics {
        /// The topics.
        topics: Vec<CreatableTopic<'a>> [0..],
        /// How long the broker may take.
        timeout_ms: i32 [0..] = 60000,
        /// Whether to check only and change nothing.
        validate_only: bool [1..],
    }

    /// A topic to create.
    pub struct CreatableTopic<'a> {
        /// The name of the topic.
        name: &'a str [0..],
        /// How many partitions; -1 for the default or when assignments are given (KIP-464).
        num_partitions: i32 [0..],
        /// How many replicas; -1 for the default or when assignments are given (KIP-464).
        replication_factor: i16 [0..],
        /// Replicas chosen by the client; empty when the broker chooses.
        assignments: Vec<CreatableReplicaAssignment> [0..],
        /// The configurations.
        configs: Vec<CreatableTopicConfig<'a>> [0..],
    }

    /// The replicas of one partition, chosen by the client.
    pub struct CreatableReplicaAssignment {
        /// The partition.
        partition_index: i32 [0..],
        /// The brokers that hold the replicas; the first is the preferred leader.
        broker_ids: Vec<i32> [0..],
    }

    /// A configuration to create the topic with.
    pub struct CreatableTopicConfig<'a> {
        /// The key.
        name: &'a str [0..],
        /// The value, or null.
        value: Option<&'a str> [0.., null 0..],
    }

    /// What became of each topic.
    pub struct CreateTopicsResponse<'a> for CreateTopics {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [2..],
        /// The topics.
        topics: Vec<CreatableTopicResult<'a>> [0..],
    }

    /// What became of one topic.
    pub struct CreatableTopicResult<'a> {
        /// The name of the topic.
        name: &'a str [0..],
        /// The id of the topic, or zero.
        topic_id: Uuid [7..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [1.., null 1..],
        /// The number of partitions, or -1.
        num_partitions: i32 [5..] = -1,
        /// The number of replicas, or -1.
        replication_factor: i16 [5..] = -1,
        /// All configurations of the topic; null if the client may not read them.
        configs: Option<Vec<CreatableTopicConfigs<'a>>> [5.., null 5..],
        /// Why `configs` is null, if the client may not read configurations.
        topic_config_error_code: ErrorCode [5.., tag 0],
    }

    /// A configuration that the created topic has (KIP-525).
    pub struct CreatableTopicConfigs<'a> {
        /// The key.
        name: &'a str [5..],
        /// The value, or null.
        value: Option<Cow<'a, str>> [5.., null 5..],
        /// Whether it cannot be changed while the broker runs.
        read_only: bool [5..],
        /// Where the value comes from; see [`ConfigSource`](super::ConfigSource).
        config_source: i8 [5..] = -1,
        /// Whether the value is secret, and therefore null.
        is_sensitive: bool [5..],
    }
}
