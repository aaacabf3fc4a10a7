//! Consumer groups: members of the classic protocol, and offsets that they commit.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use engine_rt::{Buf, Piece, now};
use net_wire::frame::{decode_response, encode_request};
use net_wire::messages::find_coordinator::{
    FindCoordinatorRequest, FindCoordinatorResponse, KEY_GROUP,
};
use net_wire::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use net_wire::messages::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse,
};
use net_wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse,
};
use net_wire::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse,
};
use net_wire::messages::sync_group::{
    SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse,
};
use net_wire::{ErrorCode, Message};

use super::admin::{PATIENCE, connect, passed, pause};
use super::connection::Connection;
use super::frame::{Check, Frame, produced};

const FIND_VERSION: i16 = 4;
const JOIN_VERSION: i16 = 9;
const SYNC_VERSION: i16 = 5;
const HEARTBEAT_VERSION: i16 = 4;
const COMMIT_VERSION: i16 = 8;
const FETCH_VERSION: i16 = 8;
/// Longer than any measurement: nobody falls silent.
const SESSION_MS: i32 = 1_200_000;
const PROTOCOL_TYPE: &str = "consumer";
const PROTOCOL: &str = "range";

/// One who is, or wants to be, a member of a group.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    group: String,
    /// The topic that it reads.
    topic: &'static str,
    id: String,
    pub(crate) generation: i32,
    /// It says something else of itself each time it joins, so that each time is a rebalance.
    joins: u32,
}

impl Member {
    pub(crate) const fn new(group: String, topic: &'static str) -> Self {
        Self {
            group,
            topic,
            id: String::new(),
            generation: -1,
            joins: 0,
        }
    }

    /// Joins, and takes its assignment. False: it has to join again.
    pub(crate) async fn join(&mut self, connection: &Connection) -> io::Result<bool> {
        self.joins += 1;
        let said = subscription(self.topic, self.joins);
        let members = loop {
            if let Some(members) = self.ask_to_join(connection, &said).await? {
                break members;
            }
        };
        self.sync(connection, &members).await
    }

    /// The members of the new generation if it is the one that assigns; `None` if it was given an
    /// id to come again with (KIP-394).
    async fn ask_to_join(
        &mut self,
        connection: &Connection,
        said: &[u8],
    ) -> io::Result<Option<Vec<String>>> {
        let request = JoinGroupRequest {
            group_id: &self.group,
            session_timeout_ms: SESSION_MS,
            rebalance_timeout_ms: SESSION_MS,
            member_id: &self.id,
            protocol_type: PROTOCOL_TYPE,
            protocols: vec![JoinGroupRequestProtocol {
                name: PROTOCOL,
                metadata: said,
            }],
            ..JoinGroupRequest::default()
        };
        let frame = connection.request(JOIN_VERSION, &request).await?;
        let (_, answer) = decode_response::<JoinGroupResponse<'_>>(&frame, JOIN_VERSION)
            .map_err(io::Error::other)?;
        answer.member_id.clone_into(&mut self.id);
        if answer.error_code == ErrorCode::MEMBER_ID_REQUIRED {
            return Ok(None);
        }
        passed(&self.group, answer.error_code)?;
        self.generation = answer.generation_id;
        let members = answer.members.iter();
        Ok(Some(members.map(|one| one.member_id.to_owned()).collect()))
    }

    async fn sync(&self, connection: &Connection, members: &[String]) -> io::Result<bool> {
        let assigned = (0..members.len() as i32).map(|number| assignment(self.topic, number));
        let assigned: Vec<Vec<u8>> = assigned.collect();
        let assignments = members.iter().zip(&assigned);
        let request = SyncGroupRequest {
            group_id: &self.group,
            generation_id: self.generation,
            member_id: &self.id,
            protocol_type: Some(PROTOCOL_TYPE),
            protocol_name: Some(PROTOCOL),
            assignments: assignments
                .map(|(member_id, assignment)| SyncGroupRequestAssignment {
                    member_id,
                    assignment,
                })
                .collect(),
            ..SyncGroupRequest::default()
        };
        let frame = connection.request(SYNC_VERSION, &request).await?;
        let (_, answer) = decode_response::<SyncGroupResponse<'_>>(&frame, SYNC_VERSION)
            .map_err(io::Error::other)?;
        self.goes_on(answer.error_code)
    }

    /// Says that it is there. False: it has to join again.
    pub(crate) async fn beat(&self, connection: &Connection) -> io::Result<bool> {
        let frame = connection
            .request(HEARTBEAT_VERSION, &self.heartbeat())
            .await?;
        let (_, answer) = decode_response::<HeartbeatResponse>(&frame, HEARTBEAT_VERSION)
            .map_err(io::Error::other)?;
        self.goes_on(answer.error_code)
    }

    fn heartbeat(&self) -> HeartbeatRequest<'_> {
        HeartbeatRequest {
            group_id: &self.group,
            generation_id: self.generation,
            member_id: &self.id,
            ..HeartbeatRequest::default()
        }
    }

    fn goes_on(&self, code: ErrorCode) -> io::Result<bool> {
        if code == ErrorCode::REBALANCE_IN_PROGRESS {
            return Ok(false);
        }
        passed(&self.group, code).map(|()| true)
    }

    /// A heartbeat as it leaves.
    pub(crate) fn heartbeat_frame(&self, number: i32) -> io::Result<Frame> {
        frame(HEARTBEAT_VERSION, number, &self.heartbeat(), heard)
    }

    /// A commit of one offset in each of the first partitions of its topic, as it leaves.
    pub(crate) fn commit_frame(&self, partitions: i32, number: i32) -> io::Result<Frame> {
        let partitions = (0..partitions).map(|partition| OffsetCommitRequestPartition {
            partition_index: partition,
            committed_offset: i64::from(number),
            committed_metadata: Some(""),
            ..OffsetCommitRequestPartition::default()
        });
        let request = OffsetCommitRequest {
            group_id: &self.group,
            generation_id_or_member_epoch: self.generation,
            member_id: &self.id,
            topics: vec![OffsetCommitRequestTopic {
                name: self.topic,
                partitions: partitions.collect(),
            }],
            ..OffsetCommitRequest::default()
        };
        frame(COMMIT_VERSION, number, &request, committed)
    }

    /// A question for all that its group has committed, as it leaves.
    pub(crate) fn offsets_frame(&self, number: i32) -> io::Result<Frame> {
        frame(
            FETCH_VERSION,
            number,
            &offsets_request(&self.group),
            fetched,
        )
    }
}

/// A frame of each member, in lists for so many connections.
pub(crate) fn member_frames(
    members: &[Member],
    connections: usize,
    make: impl Fn(&Member, i32) -> io::Result<Frame>,
) -> io::Result<Vec<Rc<[Frame]>>> {
    let of_connection = |connection| {
        let own = members.iter().skip(connection).step_by(connections);
        own.zip(0..)
            .map(|(member, number)| make(member, number))
            .collect()
    };
    (0..connections).map(of_connection).collect()
}

/// The same for a server that answers as to a produce, whatever it is asked.
pub(crate) fn echoed(frames: &[Rc<[Frame]>]) -> Vec<Rc<[Frame]>> {
    let echoed = |frame: &Frame| Frame {
        check: produced,
        ..frame.clone()
    };
    let of_connection = |frames: &Rc<[Frame]>| frames.iter().map(echoed).collect();
    frames.iter().map(of_connection).collect()
}

/// Waits until a broker has a coordinator for a group; the first who asks has it made.
pub(crate) async fn find_coordinator(addr: SocketAddr, group: &str) -> io::Result<()> {
    let request = FindCoordinatorRequest {
        key_type: KEY_GROUP,
        coordinator_keys: vec![group],
        ..FindCoordinatorRequest::default()
    };
    let deadline = now() + PATIENCE;
    let connection = connect(addr, deadline).await?;
    loop {
        let frame = connection.request(FIND_VERSION, &request).await?;
        let (_, answer) = decode_response::<FindCoordinatorResponse<'_>>(&frame, FIND_VERSION)
            .map_err(io::Error::other)?;
        let mut codes = answer.coordinators.iter().map(|one| one.error_code);
        match codes.find(|code| !code.is_none()) {
            None => return Ok(()),
            Some(code) if code.is_retriable() => pause(deadline).await?,
            Some(code) => return passed(group, code),
        }
    }
}

/// Waits until a broker that may still be starting says what a group has committed: so many offsets.
pub(crate) async fn committed_offsets(addr: SocketAddr, group: &str) -> io::Result<usize> {
    let deadline = now() + PATIENCE;
    let connection = connect(addr, deadline).await?;
    loop {
        let frame = connection
            .request(FETCH_VERSION, &offsets_request(group))
            .await?;
        let (_, code, offsets) = offsets_in(&frame)?;
        if !code.is_retriable() {
            return passed(group, code).map(|()| offsets);
        }
        pause(deadline).await?;
    }
}

/// All topics of a group.
fn offsets_request(group: &str) -> OffsetFetchRequest<'_> {
    OffsetFetchRequest {
        groups: vec![OffsetFetchRequestGroup {
            group_id: group,
            topics: None,
            ..OffsetFetchRequestGroup::default()
        }],
        ..OffsetFetchRequest::default()
    }
}

/// Correlation id, error and number of offsets of an answer for one group.
fn offsets_in(frame: &[u8]) -> io::Result<(i32, ErrorCode, usize)> {
    let (id, answer) = decode_response::<OffsetFetchResponse<'_>>(frame, FETCH_VERSION)
        .map_err(io::Error::other)?;
    let group = answer.groups.first();
    let group = group.ok_or_else(|| io::Error::other("no group in the answer"))?;
    let partitions = group.topics.iter().flat_map(|topic| &topic.partitions);
    let offsets = partitions.filter(|one| one.committed_offset >= 0).count();
    Ok((id, group.error_code, offsets))
}

fn fetched(frame: &[u8]) -> io::Result<i32> {
    let (id, code, offsets) = offsets_in(frame)?;
    passed("OffsetFetch", code)?;
    if offsets == 0 {
        return Err(io::Error::other("what was committed is not there"));
    }
    Ok(id)
}

fn heard(frame: &[u8]) -> io::Result<i32> {
    let (id, answer) =
        decode_response::<HeartbeatResponse>(frame, HEARTBEAT_VERSION).map_err(io::Error::other)?;
    passed("Heartbeat", answer.error_code).map(|()| id)
}

fn committed(frame: &[u8]) -> io::Result<i32> {
    let (id, answer) = decode_response::<OffsetCommitResponse<'_>>(frame, COMMIT_VERSION)
        .map_err(io::Error::other)?;
    let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
    let mut codes = partitions.map(|one| one.error_code);
    codes.try_for_each(|code| passed("OffsetCommit", code))?;
    Ok(id)
}

fn frame<'m, M: Message<'m>>(
    version: i16,
    correlation_id: i32,
    body: &M,
    check: Check,
) -> io::Result<Frame> {
    let frame = encode_request(version, correlation_id, Some("bench"), body);
    let bytes = Buf::copy_from_slice(&frame.map_err(io::Error::other)?.bytes);
    Ok(Frame {
        bytes: bytes.len() as u64,
        pieces: vec![Piece::Mem(bytes)],
        correlation_id,
        check,
    })
}

/// What a consumer says of itself: version 0, one topic, and a number as its own data.
fn subscription(topic: &str, number: u32) -> Vec<u8> {
    let mut said = of_topic(topic);
    said.extend(4_i32.to_be_bytes());
    said.extend(number.to_be_bytes());
    said
}

/// One partition, in the same format, and no data.
fn assignment(topic: &str, partition: i32) -> Vec<u8> {
    let mut assigned = of_topic(topic);
    assigned.extend(1_i32.to_be_bytes());
    assigned.extend(partition.to_be_bytes());
    assigned.extend((-1_i32).to_be_bytes());
    assigned
}

fn of_topic(topic: &str) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0, 0, 1];
    bytes.extend((topic.len() as i16).to_be_bytes());
    bytes.extend(topic.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_has_a_frame_of_its_own() {
        let member = |number| Member::new(format!("g{number}"), "t");
        let members: Vec<Member> = (0..10).map(member).collect();
        let frames = member_frames(&members, 3, Member::heartbeat_frame).unwrap();
        let lens: Vec<usize> = frames.iter().map(|frames| frames.len()).collect();
        assert_eq!(lens, [4, 3, 3]);
        let id = |frame: &Frame| frame.correlation_id;
        let ids: Vec<i32> = echoed(&frames)[1].iter().map(id).collect();
        assert_eq!(ids, [0, 1, 2]);
    }

    #[test]
    fn what_a_consumer_says_is_in_kafkas_format() {
        let topic = [0, 0, 0, 0, 0, 1, 0, 1, b't'];
        assert_eq!(
            subscription("t", 7),
            [&topic[..], &[0, 0, 0, 4, 0, 0, 0, 7]].concat()
        );
        let assigned = [0, 0, 0, 1, 0, 0, 0, 2, 255, 255, 255, 255];
        assert_eq!(assignment("t", 2), [&topic[..], &assigned].concat());
    }
}
