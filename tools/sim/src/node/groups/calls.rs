//! What a member of a group asks of its coordinator, by the classic protocol.

use flumen::client::{ClientError, Connection};
use net_wire::ErrorCode;
use net_wire::frame::decode_response;
use net_wire::messages::find_coordinator::{
    FindCoordinatorRequest, FindCoordinatorResponse, KEY_GROUP,
};
use net_wire::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use net_wire::messages::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse,
};
use net_wire::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberIdentity};
use net_wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse,
};
use net_wire::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchResponse,
};
use net_wire::messages::sync_group::{
    SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse,
};

use super::{GroupPlan, SHARED_TOPIC};

/// Kinds and ways of assigning that clients of Kafka name so.
const CONSUMER: &str = "consumer";
const RANGE: &str = "range";
/// Newest version of `JoinGroup` in which a new member asks once.
const JOINS_ONCE: i16 = 3;
/// Newest version of commits and reads that names topics by name.
const BY_NAME: i16 = 9;

/// Who asks, and for which generation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Who<'a> {
    pub group: &'a str,
    pub member: &'a str,
    pub generation: i32,
}

/// A place in a generation, or why there is none.
#[derive(Clone, Debug)]
pub(super) struct Joined {
    pub error: ErrorCode,
    pub generation: i32,
    pub member: String,
    pub leader: String,
    /// All members, for the leader.
    pub members: Vec<String>,
}

/// A committed offset, or -1.
#[derive(Clone, Debug)]
pub(super) struct Committed {
    pub partition: i32,
    pub error: ErrorCode,
    pub offset: i64,
    pub metadata: String,
}

/// Looks for the coordinator of a group.
pub(super) async fn find_coordinator(
    connection: &Connection,
    group: &str,
) -> Result<(), ClientError> {
    let request = FindCoordinatorRequest {
        key: group,
        key_type: KEY_GROUP,
        coordinator_keys: vec![group],
    };
    let read = |frame: &[u8], version| {
        let (_, answer) = decode_response::<FindCoordinatorResponse<'_>>(frame, version)?;
        let one = answer.coordinators.first();
        Ok(one.map_or(answer.error_code, |one| one.error_code))
    };
    ClientError::check(connection.call(&request, read).await?, None)
}

/// Joins a group, with an empty id the first time.
pub(super) async fn join(
    connection: &Connection,
    plan: &GroupPlan,
    group: &str,
    member: &str,
) -> Result<Joined, ClientError> {
    let metadata = subscription();
    let request = JoinGroupRequest {
        group_id: group,
        session_timeout_ms: plan.session_ms,
        rebalance_timeout_ms: plan.rebalance_ms,
        member_id: member,
        protocol_type: CONSUMER,
        protocols: vec![JoinGroupRequestProtocol {
            name: RANGE,
            metadata: &metadata,
        }],
        ..JoinGroupRequest::default()
    };
    let read = |frame: &[u8], version| {
        let (_, answer) = decode_response::<JoinGroupResponse<'_>>(frame, version)?;
        let members = answer.members.iter();
        Ok(Joined {
            error: answer.error_code,
            generation: answer.generation_id,
            member: answer.member_id.to_owned(),
            leader: answer.leader.to_owned(),
            members: members.map(|one| one.member_id.to_owned()).collect(),
        })
    };
    let most = if plan.joins_once {
        JOINS_ONCE
    } else {
        i16::MAX
    };
    connection.call_up_to(most, &request, read).await
}

/// A consumer's subscription to the shared topic, version 0.
fn subscription() -> Vec<u8> {
    let mut bytes = vec![0, 0];
    bytes.extend(1_i32.to_be_bytes());
    bytes.extend((SHARED_TOPIC.len() as i16).to_be_bytes());
    bytes.extend(SHARED_TOPIC.as_bytes());
    bytes.extend((-1_i32).to_be_bytes());
    bytes
}

/// Asks for an assignment; the leader brings all.
pub(super) async fn sync(
    connection: &Connection,
    who: Who<'_>,
    assignments: &[(String, Vec<u8>)],
) -> Result<Vec<u8>, ClientError> {
    let assignments = assignments.iter();
    let assignments = assignments.map(|(member, assignment)| SyncGroupRequestAssignment {
        member_id: member,
        assignment,
    });
    let request = SyncGroupRequest {
        group_id: who.group,
        generation_id: who.generation,
        member_id: who.member,
        protocol_type: Some(CONSUMER),
        protocol_name: Some(RANGE),
        assignments: assignments.collect(),
        ..SyncGroupRequest::default()
    };
    let read = |frame: &[u8], version| {
        let (_, answer) = decode_response::<SyncGroupResponse<'_>>(frame, version)?;
        Ok((answer.error_code, answer.assignment.to_vec()))
    };
    let (error, assignment) = connection.call(&request, read).await?;
    ClientError::check(error, None)?;
    Ok(assignment)
}

/// Says that a member is alive.
pub(super) async fn heartbeat(connection: &Connection, who: Who<'_>) -> Result<(), ClientError> {
    let request = HeartbeatRequest {
        group_id: who.group,
        generation_id: who.generation,
        member_id: who.member,
        ..HeartbeatRequest::default()
    };
    let read = |frame: &[u8], version| {
        Ok(decode_response::<HeartbeatResponse>(frame, version)?
            .1
            .error_code)
    };
    ClientError::check(connection.call(&request, read).await?, None)
}

/// Leaves.
pub(super) async fn leave(connection: &Connection, who: Who<'_>) -> Result<(), ClientError> {
    let request = LeaveGroupRequest {
        group_id: who.group,
        member_id: who.member,
        members: vec![MemberIdentity {
            member_id: who.member,
            ..MemberIdentity::default()
        }],
    };
    let read = |frame: &[u8], version| {
        let (_, answer) = decode_response::<LeaveGroupResponse<'_>>(frame, version)?;
        let own = answer.members.first().map(|one| one.error_code);
        Ok(own
            .filter(|_| answer.error_code.is_none())
            .unwrap_or(answer.error_code))
    };
    ClientError::check(connection.call(&request, read).await?, None)
}

/// Commits offsets: by partition, offset and metadata. What became of each.
pub(super) async fn commit(
    connection: &Connection,
    who: Who<'_>,
    offsets: &[(i32, i64, String)],
) -> Result<Vec<(i32, ErrorCode)>, ClientError> {
    let partitions = offsets.iter();
    let partitions = partitions.map(
        |(partition, offset, metadata)| OffsetCommitRequestPartition {
            partition_index: *partition,
            committed_offset: *offset,
            committed_metadata: Some(metadata),
            ..OffsetCommitRequestPartition::default()
        },
    );
    let request = OffsetCommitRequest {
        group_id: who.group,
        generation_id_or_member_epoch: who.generation,
        member_id: who.member,
        topics: vec![OffsetCommitRequestTopic {
            name: SHARED_TOPIC,
            partitions: partitions.collect(),
        }],
        ..OffsetCommitRequest::default()
    };
    let read = |frame: &[u8], version| {
        let (_, answer) = decode_response::<OffsetCommitResponse<'_>>(frame, version)?;
        let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
        let codes = partitions.map(|one| (one.partition_index, one.error_code));
        Ok(codes.collect())
    };
    connection.call_up_to(BY_NAME, &request, read).await
}

/// Reads committed offsets of a group.
pub(super) async fn offsets(
    connection: &Connection,
    group: &str,
    partitions: &[i32],
) -> Result<Vec<Committed>, ClientError> {
    let request = OffsetFetchRequest {
        groups: vec![OffsetFetchRequestGroup {
            group_id: group,
            topics: Some(vec![OffsetFetchRequestTopic {
                name: SHARED_TOPIC,
                partition_indexes: partitions.to_vec(),
            }]),
            ..OffsetFetchRequestGroup::default()
        }],
        ..OffsetFetchRequest::default()
    };
    let read = |frame: &[u8], version| {
        let (_, answer) = decode_response::<OffsetFetchResponse<'_>>(frame, version)?;
        let groups = answer.groups.iter();
        let error = groups.clone().find_map(|group| {
            let code = group.error_code;
            (!code.is_none()).then_some(code)
        });
        let topics = groups.flat_map(|group| &group.topics);
        let found = topics.flat_map(|topic| &topic.partitions);
        let found = found.map(|one| Committed {
            partition: one.partition_index,
            error: one.error_code,
            offset: one.committed_offset,
            metadata: one.metadata.unwrap_or_default().to_owned(),
        });
        Ok((error.unwrap_or(answer.error_code), found.collect()))
    };
    let (error, found) = connection.call_up_to(BY_NAME, &request, read).await?;
    ClientError::check(error, None)?;
    Ok(found)
}
