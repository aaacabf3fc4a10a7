//! `DescribeCluster` (key 60, KIP-700).
//!
//! Version 1 adds endpoint types (KIP-919), 2 fenced brokers (KIP-1073).

use std::borrow::Cow;

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Asks for the brokers and the controller.
    pub struct DescribeClusterRequest for DescribeCluster {
        /// Whether to say what the client may do with the cluster.
        include_cluster_authorized_operations: bool [0..],
        /// 1 for brokers, 2 for controllers (KIP-919).
        endpoint_type: i8 [1..] = 1,
        /// Whether to list fenced brokers (KIP-1073).
        include_fenced_brokers: bool [2..],
    }

    /// The brokers and the controller.
    pub struct DescribeClusterResponse<'a> for DescribeCluster {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [0.., null 0..],
        /// 1 for brokers, 2 for controllers (KIP-919).
        endpoint_type: i8 [1..] = 1,
        /// The id of the cluster. Never null from a broker: Java and sarama admin clients loop on
        /// null.
        cluster_id: &'a str [0..],
        /// A live broker to send cluster requests to. With -1 admin clients loop.
        controller_id: i32 [0..] = -1,
        /// The brokers.
        brokers: Vec<DescribeClusterBroker<'a>> [0..],
        /// What the client may do, a bit each; the smallest integer unless asked for.
        cluster_authorized_operations: i32 [0..] = i32::MIN,
    }

    /// A broker, by the listener that the request came in by.
    pub struct DescribeClusterBroker<'a> {
        /// Its id.
        broker_id: i32 [0..],
        /// Its host name or address.
        host: &'a str [0..],
        /// Its port.
        port: i32 [0..],
        /// Its rack, or null.
        rack: Option<&'a str> [0.., null 0..],
        /// Whether it is fenced.
        is_fenced: bool [2..],
    }
}
