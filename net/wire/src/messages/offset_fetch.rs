//! `OffsetFetch` (key 9): reads committed offsets of groups.
//!
//! Version 2 adds null for all topics and an error for the group, 5 leader epochs (KIP-320), 7
//! waiting for pending transactions (KIP-447), 8 many groups in one request (KIP-709), 9 member
//! epochs (KIP-848). Up to 7 there is one group in the fields of the message itself, from 8 on
//! there are `groups`; topics look alike in both.

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Asks for committed offsets.
    pub struct OffsetFetchRequest<'a> for OffsetFetch {
        /// The id of the group.
        group_id: &'a str [0..=7],
        /// The topics; null means all.
        topics: Option<Vec<OffsetFetchRequestTopic<'a>>> [0..=7, null 2..=7] = Some(Vec::new()),
        /// The groups.
        groups: Vec<OffsetFetchRequestGroup<'a>> [8..],
        /// Whether offsets of unfinished transactions are the error `UNSTABLE_OFFSET_COMMIT`.
        require_stable: bool [7..],
    }

    /// The partitions of one topic.
    pub struct OffsetFetchRequestTopic<'a> {
        /// The name of the topic.
        name: &'a str [0..],
        /// The partitions.
        partition_indexes: Vec<i32> [0..],
    }

    /// A group and the partitions wanted of it.
    pub struct OffsetFetchRequestGroup<'a> {
        /// The id of the group.
        group_id: &'a str [8..],
        /// The id of the member, or null.
        member_id: Option<&'a str> [9.., null 9..],
        /// The epoch of the member, or -1 (KIP-848).
        member_epoch: i32 [9..] = -1,
        /// The topics; null means all.
        topics: Option<Vec<OffsetFetchRequestTopic<'a>>> [8.., null 8..],
    }

    /// The committed offsets.
    pub struct OffsetFetchResponse<'a> for OffsetFetch {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [3..],
        /// The topics.
        topics: Vec<OffsetFetchResponseTopic<'a>> [0..=7],
        /// The error of the group, or 0.
        error_code: ErrorCode [2..=7],
        /// The groups.
        groups: Vec<OffsetFetchResponseGroup<'a>> [8..],
    }

    /// The offsets of one topic.
    pub struct OffsetFetchResponseTopic<'a> {
        /// The name of the topic.
        name: &'a str [0..],
        /// The partitions.
        partitions: Vec<OffsetFetchResponsePartition<'a>> [0..],
    }

    /// The offset of one partition.
    pub struct OffsetFetchResponsePartition<'a> {
        /// The partition.
        partition_index: i32 [0..],
        /// The offset, or -1 when there is none.
        committed_offset: i64 [0..],
        /// The leader epoch of the record before the offset, or -1.
        committed_leader_epoch: i32 [5..] = -1,
        /// What the client stored with the offset, or null.
        metadata: Option<&'a str> [0.., null 0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
    }

    /// The offsets of one group.
    pub struct OffsetFetchResponseGroup<'a> {
        /// The id of the group.
        group_id: &'a str [8..],
        /// The topics.
        topics: Vec<OffsetFetchResponseTopic<'a>> [8..],
        /// The error of the group, or 0.
        error_code: ErrorCode [8..],
    }
}
