//! `ElectLeaders` (key 43, KIP-183): elects leaders of partitions.
//!
//! Version 1 adds unclean elections (KIP-460).

use std::borrow::Cow;

use crate::error_code::ErrorCode;
use crate::schema::schema;

/// Elects the first replica if it is in sync.
pub const ELECTION_PREFERRED: i8 = 0;
/// Elects any replica where none is in sync, and may lose records.
pub const ELECTION_UNCLEAN: i8 = 1;

schema! {
    /// Elects leaders.
    pub struct ElectLeadersRequest<'a> for ElectLeaders {
        /// How to elect; see the constants of this file.
        election_type: i8 [1..],
        /// The partitions; null means all.
        topic_partitions: Option<Vec<TopicPartitions<'a>>> [0.., null 0..],
        /// How long the broker may take.
        timeout_ms: i32 [0..] = 60000,
    }

    /// The partitions of one topic.
    pub struct TopicPartitions<'a> {
        /// The name of the topic.
        topic: &'a str [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }

    /// What became of each election.
    pub struct ElectLeadersResponse<'a> for ElectLeaders {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The error, or 0.
        error_code: ErrorCode [1..],
        /// The elections, by topic.
        replica_election_results: Vec<ReplicaElectionResult<'a>> [0..],
    }

    /// The elections of one topic.
    pub struct ReplicaElectionResult<'a> {
        /// The name of the topic.
        topic: &'a str [0..],
        /// The elections.
        partition_result: Vec<PartitionResult<'a>> [0..],
    }

    /// What became of one election.
    pub struct PartitionResult<'a> {
        /// The partition.
        partition_id: i32 [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [0.., null 0..],
    }
}
