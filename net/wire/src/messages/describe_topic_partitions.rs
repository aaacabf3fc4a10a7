//! `DescribeTopicPartitions` (key 75, KIP-966): topics and their partitions, a page at a time.

use crate::error_code::ErrorCode;
use crate::schema::schema;
use crate::uuid::Uuid;

schema! {
    /// Asks for topics.
    pub struct DescribeTopicPartitionsRequest<'a> for DescribeTopicPartitions {
        /// The topics.
        topics: Vec<TopicRequest<'a>> [0..],
        /// Most partitions wanted in the answer.
        response_partition_limit: i32 [0..] = 2000,
        /// Where to begin, or null for the first page.
        cursor: Option<Box<Cursor<'a>>> [0.., null 0..],
    }

    /// A topic asked for.
    pub struct TopicRequest<'a> {
        /// The name of the topic.
        name: &'a str [0..],
    }

    /// The partition that a page begins with.
    pub struct Cursor<'a> {
        /// The name of the topic.
        topic_name: &'a str [0..],
        /// The partition.
        partition_index: i32 [0..],
    }

    /// A page of topics.
    pub struct DescribeTopicPartitionsResponse<'a> for DescribeTopicPartitions {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The topics.
        topics: Vec<DescribeTopicPartitionsResponseTopic<'a>> [0..],
        /// Where the next page begins, or null when this is the last.
        next_cursor: Option<Box<Cursor<'a>>> [0.., null 0..],
    }

    /// One topic.
    pub struct DescribeTopicPartitionsResponseTopic<'a> {
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The name; null for an id that is not known.
        name: Option<&'a str> [0.., null 0..],
        /// The id of the topic.
        topic_id: Uuid [0..],
        /// Whether clients leave it out of subscriptions by pattern.
        is_internal: bool [0..],
        /// The partitions.
        partitions: Vec<DescribeTopicPartitionsResponsePartition> [0..],
        /// What the client may do, a bit each; the smallest integer unless asked for.
        topic_authorized_operations: i32 [0..] = i32::MIN,
    }

    /// One partition.
    pub struct DescribeTopicPartitionsResponsePartition {
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The partition.
        partition_index: i32 [0..],
        /// The broker that leads, or -1.
        leader_id: i32 [0..],
        /// The leader epoch, or -1.
        leader_epoch: i32 [0..] = -1,
        /// The brokers with replicas.
        replica_nodes: Vec<i32> [0..],
        /// The in-sync ones of them.
        isr_nodes: Vec<i32> [0..],
        /// Those that may lead although they are not in sync, or null (KIP-966).
        eligible_leader_replicas: Option<Vec<i32>> [0.., null 0..],
        /// The last of them that were known, or null (KIP-966).
        last_known_elr: Option<Vec<i32>> [0.., null 0..],
        /// The replicas that are offline.
        offline_replicas: Vec<i32> [0..],
    }
}
