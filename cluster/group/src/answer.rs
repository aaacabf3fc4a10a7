//! What a coordinator answers, one structure for each API. The fields are Kafka's.

use net_wire::ErrorCode;

use crate::consumer::{DescribedConsumerGroup, MemberUpdate, Refusal};
use crate::state::GroupState;

/// The answer to a request: of the same name as the request, or a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing but an error: for the whole request, whatever it was.
    Refused(ErrorCode),
    /// To `JoinGroup`.
    JoinGroup(JoinedGroup),
    /// To `SyncGroup`.
    SyncGroup(SyncedGroup),
    /// To `Heartbeat`.
    Heartbeat,
    /// To `LeaveGroup`, in the order of the request.
    LeaveGroup(Vec<LeftMember>),
    /// To `OffsetCommit`, by topic and partition in the order of the request.
    OffsetCommit(Vec<Vec<PartitionResult>>),
    /// To `OffsetFetch`.
    OffsetFetch(Vec<FetchedOffsets>),
    /// To `DescribeGroup`.
    DescribeGroup(DescribedGroup),
    /// To `ListGroups`.
    ListGroups(Vec<ListedGroup>),
    /// To `DeleteGroup`.
    DeleteGroup,
    /// To `OffsetDelete`, by topic and partition in the order of the request.
    OffsetDelete(Vec<Vec<PartitionResult>>),
    /// To `ConsumerGroupHeartbeat`.
    ConsumerGroupHeartbeat(Result<MemberUpdate, Refusal>),
    /// To `ConsumerGroupDescribe`.
    ConsumerGroupDescribe(Result<DescribedConsumerGroup, Refusal>),
}

/// A member's place in a generation, or why it has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedGroup {
    /// The error, or none.
    pub error_code: ErrorCode,
    /// The generation, or -1.
    pub generation_id: i32,
    /// What kind of group it is.
    pub protocol_type: Option<String>,
    /// The way of assigning that everybody knows.
    pub protocol_name: Option<String>,
    /// The member that assigns.
    pub leader: String,
    /// Whether the leader keeps the assignments there are.
    pub skip_assignment: bool,
    /// The member that is answered, or the id that it has to ask again with.
    pub member_id: String,
    /// For the leader: all members.
    pub members: Vec<JoinedMember>,
}

impl JoinedGroup {
    /// No place.
    pub fn refused(member_id: impl Into<String>, error_code: ErrorCode) -> Self {
        Self {
            error_code,
            generation_id: -1,
            protocol_type: None,
            protocol_name: None,
            leader: String::new(),
            skip_assignment: false,
            member_id: member_id.into(),
            members: Vec::new(),
        }
    }
}

/// A member as the leader is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMember {
    /// Its id.
    pub member_id: String,
    /// Its name, if it is static.
    pub group_instance_id: Option<String>,
    /// What it said to the protocol in force.
    pub metadata: Vec<u8>,
}

/// A member's assignment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncedGroup {
    /// What kind of group it is.
    pub protocol_type: Option<String>,
    /// The protocol in force.
    pub protocol_name: Option<String>,
    /// What it gets; opaque.
    pub assignment: Vec<u8>,
}

/// What became of one who leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftMember {
    /// As asked.
    pub member_id: String,
    /// As asked.
    pub group_instance_id: Option<String>,
    /// The error, or none.
    pub error_code: ErrorCode,
}

/// What became of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionResult {
    /// The partition.
    pub partition_index: i32,
    /// The error, or none.
    pub error_code: ErrorCode,
}

/// Offsets of one topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchedOffsets {
    /// The name of the topic.
    pub name: String,
    /// The partitions.
    pub partitions: Vec<FetchedOffset>,
}

/// The offset of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedOffset {
    /// The partition.
    pub partition_index: i32,
    /// The offset, or -1 if none was committed.
    pub committed_offset: i64,
    /// The leader epoch that was committed with it, or -1.
    pub committed_leader_epoch: i32,
    /// What the client kept beside it.
    pub metadata: String,
}

/// A group as admin clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedGroup {
    /// Its state; [`GroupState::Dead`] if there is none.
    pub state: GroupState,
    /// What kind of group it is, or empty.
    pub protocol_type: String,
    /// The protocol in force, or empty.
    pub protocol_data: String,
    /// The members.
    pub members: Vec<DescribedMember>,
}

/// A member as admin clients see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DescribedMember {
    /// Its id.
    pub member_id: String,
    /// Its name, if it is static.
    pub group_instance_id: Option<String>,
    /// The name of its client.
    pub client_id: String,
    /// The address of its client.
    pub client_host: String,
    /// What it said to the protocol in force; empty unless the group is stable.
    pub member_metadata: Vec<u8>,
    /// What it was given; empty unless the group is stable.
    pub member_assignment: Vec<u8>,
}

/// A group in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedGroup {
    /// Its id.
    pub group_id: String,
    /// What kind of group it is, or empty.
    pub protocol_type: String,
    /// Its state, by Kafka's name.
    pub state: &'static str,
    /// `classic` or `consumer`.
    pub group_type: &'static str,
}
