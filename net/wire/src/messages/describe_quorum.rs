//! `DescribeQuorum` (key 55, KIP-595): who votes on metadata, and how far each replica is.
//!
//! Version 1 adds timestamps (KIP-836), 2 error messages, directories and endpoints (KIP-853).

use std::borrow::Cow;

use crate::error_code::ErrorCode;
use crate::schema::schema;
use crate::uuid::Uuid;

schema! {
    /// Asks for the quorums of partitions: in Kafka, of the one of `__cluster_metadata`.
    pub struct DescribeQuorumRequest<'a> for DescribeQuorum {
        /// The topics.
        topics: Vec<TopicData<'a>> [0..],
    }

    /// The partitions of one topic.
    pub struct TopicData<'a> {
        /// The name of the topic.
        topic_name: &'a str [0..],
        /// The partitions.
        partitions: Vec<PartitionData> [0..],
    }

    /// A partition asked for.
    pub struct PartitionData {
        /// The partition.
        partition_index: i32 [0..],
    }

    /// The quorums.
    pub struct DescribeQuorumResponse<'a> for DescribeQuorum {
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [2.., null 2..],
        /// The topics.
        topics: Vec<TopicDataResult<'a>> [0..],
        /// The endpoints of the voters.
        nodes: Vec<Node<'a>> [2..],
    }

    /// The quorums of one topic.
    pub struct TopicDataResult<'a> {
        /// The name of the topic.
        topic_name: &'a str [0..],
        /// The partitions.
        partitions: Vec<PartitionDataResult<'a>> [0..],
    }

    /// The quorum of one partition.
    pub struct PartitionDataResult<'a> {
        /// The partition.
        partition_index: i32 [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [2.., null 2..],
        /// The leader, or -1.
        leader_id: i32 [0..],
        /// The leader epoch, or -1.
        leader_epoch: i32 [0..],
        /// The first offset that is not committed.
        high_watermark: i64 [0..],
        /// The replicas that vote.
        current_voters: Vec<ReplicaState> [0..],
        /// The replicas that only follow.
        observers: Vec<ReplicaState> [0..],
    }

    /// How far one replica is.
    pub struct ReplicaState {
        /// The replica.
        replica_id: i32 [0..],
        /// The directory of the replica, or zero.
        replica_directory_id: Uuid [2..],
        /// The end of its log, or -1.
        log_end_offset: i64 [0..],
        /// When the leader last heard of it, or -1.
        last_fetch_timestamp: i64 [1..] = -1,
        /// When it last had all that the leader had, or -1.
        last_caught_up_timestamp: i64 [1..] = -1,
    }

    /// The endpoints of one voter.
    pub struct Node<'a> {
        /// Its id.
        node_id: i32 [2..],
        /// The endpoints.
        listeners: Vec<Listener<'a>> [2..],
    }

    /// One endpoint.
    pub struct Listener<'a> {
        /// The name of the listener.
        name: &'a str [2..],
        /// Its host name or address.
        host: &'a str [2..],
        /// Its port.
        port: u16 [2..],
    }
}
