//! What a coordinator is asked, one structure for each API. The fields are Kafka's.

use net_wire::Uuid;

use crate::consumer::{MemberHeartbeat, Timing};

/// A request to a coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// To become or stay a member.
    JoinGroup(JoinGroup),
    /// For an assignment; the leader brings all of them.
    SyncGroup(SyncGroup),
    /// I am alive.
    Heartbeat(Heartbeat),
    /// Takes members out.
    LeaveGroup(LeaveGroup),
    /// Stores offsets.
    OffsetCommit(OffsetCommit),
    /// Reads offsets.
    OffsetFetch(OffsetFetch),
    /// Describes the group of this id.
    DescribeGroup(String),
    /// Lists the groups.
    ListGroups(ListGroups),
    /// Deletes the group of this id.
    DeleteGroup(String),
    /// Deletes offsets.
    OffsetDelete(OffsetDelete),
    /// A member of a consumer group says what there is to say.
    ConsumerGroupHeartbeat(Box<ConsumerGroupHeartbeat>),
    /// Describes the consumer group of this id.
    ConsumerGroupDescribe(String),
}

/// A way of assigning that a member knows, with what it says to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protocol {
    /// The name.
    pub name: String,
    /// For the leader; opaque.
    pub metadata: Vec<u8>,
}

/// Asks to become or stay a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JoinGroup {
    /// The group.
    pub group_id: String,
    /// Silence after which the member is taken out.
    pub session_timeout_ms: i32,
    /// How long others wait for it in a rebalance.
    pub rebalance_timeout_ms: i32,
    /// Empty, or the id that it was given.
    pub member_id: String,
    /// The name of a static member (KIP-345).
    pub group_instance_id: Option<String>,
    /// What kind of group it is: `consumer`, `connect` or anything.
    pub protocol_type: String,
    /// The ways of assigning that it knows, the best first.
    pub protocols: Vec<Protocol>,
    /// The name of the client.
    pub client_id: String,
    /// Its address.
    pub client_host: String,
    /// Random bits for the id of a new member.
    pub random: u128,
    /// Whether a new member must ask again with its id (version 4 and above, KIP-394).
    pub requires_known_member_id: bool,
    /// Whether it understands `skip_assignment` (version 9).
    pub supports_skipping_assignment: bool,
}

/// Asks for an assignment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncGroup {
    /// The group.
    pub group_id: String,
    /// The generation that was joined.
    pub generation_id: i32,
    /// The member.
    pub member_id: String,
    /// The name of a static member.
    pub group_instance_id: Option<String>,
    /// What it believes the kind of the group to be.
    pub protocol_type: Option<String>,
    /// What it believes the protocol to be.
    pub protocol_name: Option<String>,
    /// From the leader: what each member gets.
    pub assignments: Vec<(String, Vec<u8>)>,
}

/// Says that a member is alive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heartbeat {
    /// The group.
    pub group_id: String,
    /// The generation that was joined.
    pub generation_id: i32,
    /// The member.
    pub member_id: String,
    /// The name of a static member.
    pub group_instance_id: Option<String>,
}

/// Takes members out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaveGroup {
    /// The group.
    pub group_id: String,
    /// Who leaves.
    pub members: Vec<LeavingMember>,
}

/// One who leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeavingMember {
    /// The member; empty where an admin client names a static member by its name.
    pub member_id: String,
    /// The name of a static member.
    pub group_instance_id: Option<String>,
}

/// Stores offsets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetCommit {
    /// The group.
    pub group_id: String,
    /// The generation or the epoch of the member, or -1 from one who is no member.
    pub generation_id: i32,
    /// The member, or empty.
    pub member_id: String,
    /// The name of a static member.
    pub group_instance_id: Option<String>,
    /// Whether the request is of a version that has member epochs (9).
    pub knows_epochs: bool,
    /// How long to keep the offsets; -1 leaves it to the broker (versions 2 to 4).
    pub retention_time_ms: i64,
    /// The offsets. Their topics exist.
    pub topics: Vec<TopicCommit>,
}

/// Offsets of one topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicCommit {
    /// The name of the topic.
    pub name: String,
    /// Its id: another topic of this name does not have these offsets.
    pub topic_id: Uuid,
    /// The partitions.
    pub partitions: Vec<PartitionCommit>,
}

/// The offset of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionCommit {
    /// The partition.
    pub partition_index: i32,
    /// The offset of the next record to read.
    pub committed_offset: i64,
    /// The leader epoch of the last record read, or -1.
    pub committed_leader_epoch: i32,
    /// Whatever the client wants to keep beside it.
    pub committed_metadata: String,
}

/// Partitions of one topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicPartitions {
    /// The name of the topic.
    pub name: String,
    /// The partitions.
    pub partitions: Vec<i32>,
}

/// Reads offsets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetFetch {
    /// The group.
    pub group_id: String,
    /// The member and its epoch, if a member of a consumer group says who it is.
    pub member: Option<(String, i32)>,
    /// What to read; `None` for all there is.
    pub topics: Option<Vec<TopicPartitions>>,
}

/// Lists groups; an empty list stands for any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListGroups {
    /// States to list, by name in any case.
    pub states: Vec<String>,
    /// Types to list.
    pub types: Vec<String>,
}

/// Deletes offsets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetDelete {
    /// The group.
    pub group_id: String,
    /// What to delete.
    pub topics: Vec<TopicPartitions>,
}

/// What a member of a consumer group says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumerGroupHeartbeat {
    /// The group.
    pub group_id: String,
    /// What its members keep to.
    pub timing: Timing,
    /// The heartbeat, which was checked and has a member id.
    pub heartbeat: MemberHeartbeat,
}
