//! Fetch (key 1): reads record batches, with long polling.
//!
//! Version 5 adds log start offsets, 7 sessions (KIP-227), 9 fencing by leader epoch (KIP-320), 10
//! zstd (KIP-110), 11 racks (KIP-392), 12 diverging epochs (KIP-595); from 13 on topics have ids
//! only (KIP-516), 15 moves the replica id to a tagged field (KIP-903), 16 adds endpoints
//! (KIP-951), 17 the directory of a follower (KIP-853).

use super::leader::{LeaderIdAndEpoch, NodeEndpoint};
use crate::error_code::ErrorCode;
use crate::schema::schema;
use crate::uuid::Uuid;
use crate::wire::Records;

/// Isolation level of readers that see everything up to the high watermark.
pub const READ_UNCOMMITTED: i8 = 0;
/// Isolation level of readers that see only what is committed.
pub const READ_COMMITTED: i8 = 1;

schema! {
    /// Asks for batches from the given offsets on.
    pub struct FetchRequest<'a> for Fetch {
        /// The follower that asks, or -1 for a consumer.
        replica_id: i32 [0..=14] = -1,
        /// How long to wait for `min_bytes`.
        max_wait_ms: i32 [0..],
        /// How many bytes to wait for.
        min_bytes: i32 [0..],
        /// Most bytes wanted. The first batch is sent even if it is larger.
        max_bytes: i32 [3..] = i32::MAX,
        /// 0 reads everything up to the high watermark, 1 only what is committed.
        isolation_level: i8 [4..],
        /// The fetch session (KIP-227), or 0.
        session_id: i32 [7..],
        /// The request of the session; 0 opens one, -1 closes it or wants none.
        session_epoch: i32 [7..] = -1,
        /// The topics.
        topics: Vec<FetchTopic<'a>> [0..],
        /// What leaves the session.
        forgotten_topics_data: Vec<ForgottenTopic<'a>> [7..],
        /// The rack of the consumer, for a replica nearby (KIP-392).
        rack_id: &'a str [11..],
        /// The cluster the follower believes it is in, or null.
        cluster_id: Option<&'a str> [12.., tag 0],
        /// The follower that asks.
        replica_state: ReplicaState [15.., tag 1],
    }

    /// The partitions wanted of one topic.
    pub struct FetchTopic<'a> {
        /// The name of the topic.
        topic: &'a str [0..=12],
        /// The id of the topic, or zero.
        topic_id: Uuid [13..],
        /// The partitions.
        partitions: Vec<FetchPartition> [0..],
    }

    /// Partitions that leave the fetch session (KIP-227).
    pub struct ForgottenTopic<'a> {
        /// The name of the topic.
        topic: &'a str [7..=12],
        /// The id of the topic, or zero.
        topic_id: Uuid [13..],
        /// The partitions.
        partitions: Vec<i32> [7..],
    }

    /// The follower that fetches (KIP-903).
    pub struct ReplicaState {
        /// The follower that asks, or -1 for a consumer.
        replica_id: i32 [15..] = -1,
        /// The epoch of the follower, or -1.
        replica_epoch: i64 [15..] = -1,
    }

    /// One partition and where to read it.
    pub struct FetchPartition {
        /// The partition.
        partition: i32 [0..],
        /// The leader epoch that the client knows, for fencing (KIP-320), or -1.
        current_leader_epoch: i32 [9..] = -1,
        /// The first offset wanted.
        fetch_offset: i64 [0..],
        /// The epoch of the last record that the follower has, or -1.
        last_fetched_epoch: i32 [12..] = -1,
        /// The first offset that the follower has; -1 from consumers.
        log_start_offset: i64 [5..] = -1,
        /// Most bytes wanted of this partition.
        partition_max_bytes: i32 [0..],
        /// The log directory of the follower (KIP-853).
        replica_directory_id: Uuid [17.., tag 0],
    }

    /// Batches, or why there are none.
    pub struct FetchResponse<'a> for Fetch {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [1..],
        /// The error, or 0.
        error_code: ErrorCode [7..],
        /// The fetch session, or 0 when there is none.
        session_id: i32 [7..],
        /// The topics.
        responses: Vec<FetchableTopicResponse<'a>> [0..],
        /// The endpoints of the leaders named in this response (KIP-951).
        node_endpoints: Vec<NodeEndpoint<'a>> [16.., tag 0],
    }

    /// The partitions of one topic.
    pub struct FetchableTopicResponse<'a> {
        /// The name of the topic.
        topic: &'a str [0..=12],
        /// The id of the topic, or zero.
        topic_id: Uuid [13..],
        /// The partitions.
        partitions: Vec<PartitionData<'a>> [0..],
    }

    /// One partition: its positions and its batches.
    pub struct PartitionData<'a> {
        /// The partition.
        partition_index: i32 [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The first offset that readers do not see.
        high_watermark: i64 [0..],
        /// The first offset that `read_committed` readers do not see.
        last_stable_offset: i64 [4..] = -1,
        /// The first offset that the partition has, or -1.
        log_start_offset: i64 [5..] = -1,
        /// Aborted transactions in the records; null unless asked for committed ones.
        aborted_transactions: Option<Vec<AbortedTransaction>> [4.., null 4..],
        /// The replica to read from instead, or -1.
        preferred_read_replica: i32 [11..] = -1,
        /// Whole batches, the first of which holds the offset asked for. The last one may be cut
        /// short by other brokers. Never null: librdkafka fails on it.
        records: Option<Records<'a>> [0.., null 0..] = Some(Records::EMPTY),
        /// Where the follower went astray (KIP-595).
        diverging_epoch: EpochEndOffset [12.., tag 0],
        /// Where the leader is now, when it is not here (KIP-951).
        current_leader: LeaderIdAndEpoch [12.., tag 1],
        /// The snapshot to fetch instead.
        snapshot_id: SnapshotId [12.., tag 2],
    }

    /// An aborted transaction with records in the answer, for `read_committed` readers.
    pub struct AbortedTransaction {
        /// The id of the producer, or -1.
        producer_id: i64 [4..],
        /// The first offset of the transaction.
        first_offset: i64 [4..],
    }

    /// The end of the largest epoch before the one that the follower fetched with.
    pub struct EpochEndOffset {
        /// The epoch, or -1.
        epoch: i32 [12..] = -1,
        /// The offset behind its last record, or -1.
        end_offset: i64 [12..] = -1,
    }

    /// The snapshot to fetch instead; only for the cluster metadata topic (KIP-630).
    pub struct SnapshotId {
        /// The offset behind its last record, or -1.
        end_offset: i64 [0..] = -1,
        /// The epoch, or -1.
        epoch: i32 [0..] = -1,
    }
}
