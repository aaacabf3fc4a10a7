//! Metadata (key 3): who leads what, and where.
//!
//! Version 1 adds racks, the controller and null for "all topics", 2 the cluster id, 4 the
//! permission to create topics, 5 offline replicas, 7 leader epochs (KIP-320), 8 authorized
//! operations (KIP-430), 10 topic ids (KIP-516), 12 asking by topic id; 11 drops the operations of
//! the cluster (KIP-700).

use crate::error_code::ErrorCode;
use crate::schema::schema;
use crate::uuid::Uuid;

schema! {
    /// Asks for brokers, topics and the leaders of their partitions.
    pub struct MetadataRequest<'a> for Metadata {
        /// The topics wanted. Null means all, and so does an empty list in version 0.
        topics: Option<Vec<MetadataRequestTopic<'a>>> [0.., null 1..],
        /// Whether topics that do not exist may be created.
        allow_auto_topic_creation: bool [4..] = true,
        /// Whether to say what the client may do with the cluster.
        include_cluster_authorized_operations: bool [8..=10],
        /// Whether to say what the client may do with each topic.
        include_topic_authorized_operations: bool [8..],
    }

    /// A topic asked for, by name or from version 10 by id.
    pub struct MetadataRequestTopic<'a> {
        /// The id of the topic, or zero.
        topic_id: Uuid [10..],
        /// The name, or null when asked for by id (works from version 12).
        name: Option<&'a str> [0.., null 10..],
    }

    /// Brokers, topics and the leaders of their partitions.
    pub struct MetadataResponse<'a> for Metadata {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [3..],
        /// The brokers.
        brokers: Vec<MetadataResponseBroker<'a>> [0..],
        /// The id of the cluster. Never null from a broker: Java and sarama admin clients loop on
        /// null.
        cluster_id: Option<&'a str> [2.., null 2..],
        /// A live broker to send cluster requests to. With -1 admin clients loop.
        controller_id: i32 [1..] = -1,
        /// The topics.
        topics: Vec<MetadataResponseTopic<'a>> [0..],
        /// What the client may do, a bit each; the smallest integer unless asked for.
        cluster_authorized_operations: i32 [8..=10] = i32::MIN,
    }

    /// A broker, by the listener that the request came in by.
    pub struct MetadataResponseBroker<'a> {
        /// Its id.
        node_id: i32 [0..],
        /// Its host name or address.
        host: &'a str [0..],
        /// Its port.
        port: i32 [0..],
        /// Its rack, or null.
        rack: Option<&'a str> [1.., null 1..],
    }

    /// One topic.
    pub struct MetadataResponseTopic<'a> {
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The name; null for an id that is not known.
        name: Option<&'a str> [0.., null 12..],
        /// The id of the topic, or zero.
        topic_id: Uuid [10..],
        /// Whether clients leave it out of subscriptions by pattern.
        is_internal: bool [1..],
        /// The partitions.
        partitions: Vec<MetadataResponsePartition> [0..],
        /// What the client may do, a bit each; the smallest integer unless asked for.
        topic_authorized_operations: i32 [8..] = i32::MIN,
    }

    /// One partition.
    pub struct MetadataResponsePartition {
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The partition.
        partition_index: i32 [0..],
        /// The broker that leads, or -1.
        leader_id: i32 [0..],
        /// The leader epoch, or -1.
        leader_epoch: i32 [7..] = -1,
        /// The brokers with replicas.
        replica_nodes: Vec<i32> [0..],
        /// The in-sync ones of them.
        isr_nodes: Vec<i32> [0..],
        /// The replicas that are offline.
        offline_replicas: Vec<i32> [5..],
    }
}
