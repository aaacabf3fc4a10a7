//! `ConsumerGroupDescribe` (key 69, KIP-848): describes consumer groups.
//!
//! Version 1 adds the type of each member (KIP-1099).

use std::borrow::Cow;

use crate::error_code::ErrorCode;
use crate::schema::schema;
use crate::uuid::Uuid;

/// The member uses the classic protocol.
pub const MEMBER_CLASSIC: i8 = 0;
/// The member uses the consumer protocol.
pub const MEMBER_CONSUMER: i8 = 1;

schema! {
    /// Asks for groups by their ids.
    pub struct ConsumerGroupDescribeRequest<'a> for ConsumerGroupDescribe {
        /// The ids of the groups.
        group_ids: Vec<&'a str> [0..],
        /// Whether to say what the client may do with each group.
        include_authorized_operations: bool [0..],
    }

    /// The groups.
    pub struct ConsumerGroupDescribeResponse<'a> for ConsumerGroupDescribe {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The groups.
        groups: Vec<DescribedGroup<'a>> [0..],
    }

    /// One group.
    pub struct DescribedGroup<'a> {
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [0.., null 0..],
        /// The id of the group.
        group_id: &'a str [0..],
        /// The state of the group, by Kafka's name; empty on an error.
        group_state: &'a str [0..],
        /// Grows with each change of members, subscriptions or topics.
        group_epoch: i32 [0..],
        /// The group epoch that the target assignment was made for.
        assignment_epoch: i32 [0..],
        /// The assignor that the group uses.
        assignor_name: &'a str [0..],
        /// The members.
        members: Vec<Member<'a>> [0..],
        /// What the client may do, a bit each; the smallest integer unless asked for.
        authorized_operations: i32 [0..] = i32::MIN,
    }

    /// One member.
    pub struct Member<'a> {
        /// The id of the member.
        member_id: &'a str [0..],
        /// The instance id of a static member, or null (KIP-345).
        instance_id: Option<&'a str> [0.., null 0..],
        /// The rack of the member, or null.
        rack_id: Option<&'a str> [0.., null 0..],
        /// The epoch of the member.
        member_epoch: i32 [0..],
        /// The name the client gives itself.
        client_id: &'a str [0..],
        /// The address of the client.
        client_host: &'a str [0..],
        /// The topics that it is subscribed to.
        subscribed_topic_names: Vec<&'a str> [0..],
        /// The regular expression that it is subscribed by, in RE2's syntax, or null.
        subscribed_topic_regex: Option<&'a str> [0.., null 0..],
        /// What it has.
        assignment: Assignment<'a> [0..],
        /// What it shall have.
        target_assignment: Assignment<'a> [0..],
        /// Which protocol it uses; see the constants of this file; -1 if not known.
        member_type: i8 [1..] = -1,
    }

    /// An assignment.
    pub struct Assignment<'a> {
        /// The partitions, by topic.
        topic_partitions: Vec<TopicPartitions<'a>> [0..],
    }

    /// Partitions of one topic.
    pub struct TopicPartitions<'a> {
        /// The id of the topic.
        topic_id: Uuid [0..],
        /// The name of the topic.
        topic_name: &'a str [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }
}
