//! `ConsumerGroupHeartbeat` (key 68, KIP-848): a member of a consumer group joins, reports,
//! acknowledges revocations, gets its assignment and leaves, all with this request.
//!
//! Version 1 adds subscriptions by regular expression, and the client makes the member id.

use std::borrow::Cow;

use crate::error_code::ErrorCode;
use crate::schema::schema;
use crate::uuid::Uuid;

/// Member epoch of a member that joins.
pub const JOIN_MEMBER_EPOCH: i32 = 0;
/// Member epoch of a member that leaves for good.
pub const LEAVE_MEMBER_EPOCH: i32 = -1;
/// Member epoch of a static member that will be back.
pub const LEAVE_STATIC_MEMBER_EPOCH: i32 = -2;

schema! {
    /// What a member says of itself. Null means unchanged since its last heartbeat.
    pub struct ConsumerGroupHeartbeatRequest<'a> for ConsumerGroupHeartbeat {
        /// The id of the group.
        group_id: &'a str [0..],
        /// The id of the member; in version 0 empty when it joins.
        member_id: &'a str [0..],
        /// Its epoch; 0 to join, -1 to leave, -2 for a static member that will be back.
        member_epoch: i32 [0..],
        /// The instance id of a static member, or null (KIP-345).
        instance_id: Option<&'a str> [0.., null 0..],
        /// Its rack, or null.
        rack_id: Option<&'a str> [0.., null 0..],
        /// How long it may take to give up partitions; -1 if unchanged.
        rebalance_timeout_ms: i32 [0..] = -1,
        /// The topics that it is subscribed to.
        subscribed_topic_names: Option<Vec<&'a str>> [0.., null 0..],
        /// The regular expression that it is subscribed by, in RE2's syntax.
        subscribed_topic_regex: Option<&'a str> [1.., null 1..],
        /// The assignor it wants: `uniform` or `range`.
        server_assignor: Option<&'a str> [0.., null 0..],
        /// The partitions that it owns now.
        topic_partitions: Option<Vec<TopicPartitions>> [0.., null 0..],
    }

    /// Partitions of one topic.
    pub struct TopicPartitions {
        /// The id of the topic.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }

    /// What the coordinator says to the member.
    pub struct ConsumerGroupHeartbeatResponse<'a> for ConsumerGroupHeartbeat {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [0.., null 0..],
        /// The id of the member; in version 0 the coordinator makes it.
        member_id: Option<&'a str> [0.., null 0..],
        /// Its epoch from now on.
        member_epoch: i32 [0..],
        /// How often it shall send this.
        heartbeat_interval_ms: i32 [0..],
        /// What it may own from now on; null if unchanged.
        assignment: Option<Box<Assignment>> [0.., null 0..],
    }

    /// The partitions that the member may own.
    pub struct Assignment {
        /// The partitions, by topic.
        topic_partitions: Vec<TopicPartitions> [0..],
    }
}
