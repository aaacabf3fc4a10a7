//! A member of a classic consumer group, for one task that reads: it joins, learns its partitions,
//! says that it is alive, commits and leaves.
//!
//! Partitions are assigned in ranges, which every client knows how to. Nothing happens in the
//! background: whoever has a member lets it [`Member::beat`] between reads.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use engine_rt::{Instant, now, sleep};
use net_wire::ErrorCode;
use net_wire::consumer_protocol::{CONSUMER, assignment_bytes, subscription_bytes, topics};
use net_wire::frame::decode_response;
use net_wire::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use net_wire::messages::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse,
};
use net_wire::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberIdentity};
use net_wire::messages::sync_group::{
    SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse,
};

use super::cluster::Cluster;
use super::connection::Connection;
use super::error::ClientError;
use super::group_offsets::{Committer, Offsets};
use super::groups::{Partitions, assigned};

/// The way of assigning that it knows.
const RANGE: &str = "range";
/// Silence after which the group goes on without it.
const SESSION_TIMEOUT_MS: i32 = 10_000;
/// How long the group waits for it in a rebalance.
const REBALANCE_TIMEOUT_MS: i32 = 60_000;
/// How often it says that it is alive.
const BEAT_INTERVAL: Duration = Duration::from_secs(2);
/// How long it waits before it looks for its coordinator again.
const COORDINATOR_INTERVAL: Duration = Duration::from_millis(100);

/// A member of a group.
#[derive(Debug)]
pub struct Member<'c> {
    cluster: &'c Cluster,
    group: String,
    topic: String,
    /// Empty until the coordinator has given it one.
    id: String,
    generation: i32,
    coordinator: Option<Rc<Connection>>,
    beats_at: Instant,
}

/// What a member is told when it has joined.
struct Joined {
    is_leader: bool,
    /// To the leader: who the members are, and which topics they read.
    members: BTreeMap<String, BTreeSet<String>>,
}

impl<'c> Member<'c> {
    /// One that will read a topic as a member of a group, once it has joined.
    pub fn new(cluster: &'c Cluster, group: &str, topic: &str) -> Self {
        Self {
            cluster,
            group: group.to_owned(),
            topic: topic.to_owned(),
            id: String::new(),
            generation: -1,
            coordinator: None,
            beats_at: now(),
        }
    }

    /// Joins the group, or joins it again; the partitions that it shall read from now on.
    pub async fn join(&mut self) -> Result<Vec<i32>, ClientError> {
        loop {
            match self.join_once().await {
                Ok(mut assigned) => {
                    self.beats_at = now() + BEAT_INTERVAL;
                    return Ok(assigned.remove(&self.topic).unwrap_or_default());
                },
                Err(error) => self.recover(error).await?,
            }
        }
    }

    async fn join_once(&mut self) -> Result<Partitions, ClientError> {
        let coordinator = self.cluster.coordinator(&self.group).await?;
        self.coordinator = Some(Rc::clone(&coordinator));
        let joined = self.join_group(&coordinator).await?;
        let assignments = if joined.is_leader {
            self.assign(&joined.members).await?
        } else {
            Vec::new()
        };
        self.sync_group(&coordinator, &assignments).await
    }

    async fn join_group(&mut self, coordinator: &Connection) -> Result<Joined, ClientError> {
        let metadata = subscription_bytes(&[self.topic.as_str()])?;
        let request = JoinGroupRequest {
            group_id: &self.group,
            session_timeout_ms: SESSION_TIMEOUT_MS,
            rebalance_timeout_ms: REBALANCE_TIMEOUT_MS,
            member_id: &self.id,
            protocol_type: CONSUMER,
            protocols: vec![JoinGroupRequestProtocol {
                name: RANGE,
                metadata: &metadata,
            }],
            ..Default::default()
        };
        let read = |frame: &[u8], version| {
            let (_, answer) = decode_response::<JoinGroupResponse<'_>>(frame, version)?;
            let members = answer.members.iter().map(|member| {
                let topics = topics(member.metadata).unwrap_or_default();
                (member.member_id.to_owned(), topics)
            });
            let joined = Joined {
                is_leader: answer.leader == answer.member_id,
                members: members.collect(),
            };
            let place = (answer.member_id.to_owned(), answer.generation_id);
            Ok((answer.error_code, place, joined))
        };
        let (code, (id, generation), joined) = coordinator.call(&request, read).await?;
        if code.is_none() || code == ErrorCode::MEMBER_ID_REQUIRED {
            (self.id, self.generation) = (id, generation);
        }
        ClientError::check(code, None)?;
        Ok(joined)
    }

    /// What each member gets, as the leader says it.
    async fn assign(
        &self,
        members: &BTreeMap<String, BTreeSet<String>>,
    ) -> Result<Vec<(String, Vec<u8>)>, ClientError> {
        let topics: BTreeSet<&str> = members.values().flatten().map(String::as_str).collect();
        let topics: Vec<&str> = topics.into_iter().collect();
        let metadata = self.cluster.any().metadata(Some(&topics), false).await?;
        let counts = metadata.topics.into_iter();
        let counts = counts.map(|topic| (topic.name, topic.partitions.len() as i32));
        let mut assignments = Vec::with_capacity(members.len());
        for (member, assigned) in ranges(members, &counts.collect()) {
            let assigned: Vec<_> = assigned.into_iter().collect();
            assignments.push((member.to_owned(), assignment_bytes(0, &assigned)?));
        }
        Ok(assignments)
    }

    async fn sync_group(
        &self,
        coordinator: &Connection,
        assignments: &[(String, Vec<u8>)],
    ) -> Result<Partitions, ClientError> {
        let request = SyncGroupRequest {
            group_id: &self.group,
            generation_id: self.generation,
            member_id: &self.id,
            protocol_type: Some(CONSUMER),
            protocol_name: Some(RANGE),
            assignments: assignments.iter().map(given).collect(),
            ..Default::default()
        };
        let read = |frame: &[u8], version| {
            let (_, answer) = decode_response::<SyncGroupResponse<'_>>(frame, version)?;
            let told = ClientError::check(answer.error_code, None);
            // A member that gets nothing may be told nothing.
            Ok(told.map(|()| assigned(answer.assignment)))
        };
        coordinator.call(&request, read).await?
    }

    /// Says that it is alive, if it is time to; false if it has to join again.
    pub async fn beat(&mut self) -> Result<bool, ClientError> {
        if now() < self.beats_at {
            return Ok(true);
        }
        self.beats_at = now() + BEAT_INTERVAL;
        let request = HeartbeatRequest {
            group_id: &self.group,
            generation_id: self.generation,
            member_id: &self.id,
            group_instance_id: None,
        };
        let read = |frame: &[u8], version| {
            let (_, answer) = decode_response::<HeartbeatResponse>(frame, version)?;
            Ok(ClientError::check(answer.error_code, None))
        };
        let told = self.coordinator()?.call(&request, read).await?;
        self.remains(told).await
    }

    /// What the group has committed of the topic.
    pub async fn committed(&self) -> Result<BTreeMap<i32, i64>, ClientError> {
        let offsets = self.coordinator()?.committed_offsets(&self.group).await?;
        let own = offsets
            .into_iter()
            .filter(|((topic, _), _)| *topic == self.topic);
        Ok(own
            .map(|((_, partition), offset)| (partition, offset))
            .collect())
    }

    /// Commits offsets of the topic; false if it has to join again, and nothing is committed.
    pub async fn commit(&mut self, offsets: &BTreeMap<i32, i64>) -> Result<bool, ClientError> {
        if offsets.is_empty() {
            return Ok(true);
        }
        let offsets = offsets.iter();
        let offsets =
            offsets.map(|(partition, offset)| ((self.topic.clone(), *partition), *offset));
        let offsets: Offsets = offsets.collect();
        let committer = Committer {
            group: &self.group,
            member_id: &self.id,
            generation: self.generation,
        };
        let told = self
            .coordinator()?
            .commit_offsets(committer, &offsets)
            .await;
        self.remains(told).await
    }

    /// Leaves the group, which need not wait for it then.
    pub async fn leave(self) -> Result<(), ClientError> {
        let member = MemberIdentity {
            member_id: &self.id,
            ..Default::default()
        };
        let request = LeaveGroupRequest {
            group_id: &self.group,
            member_id: &self.id,
            members: vec![member],
        };
        let read = |frame: &[u8], version| {
            let (_, answer) = decode_response::<LeaveGroupResponse<'_>>(frame, version)?;
            Ok(ClientError::check(answer.error_code, None))
        };
        self.coordinator()?.call(&request, read).await?
    }

    fn coordinator(&self) -> Result<&Connection, ClientError> {
        self.coordinator.as_deref().ok_or(ClientError::Closed)
    }

    async fn remains(&mut self, told: Result<(), ClientError>) -> Result<bool, ClientError> {
        match told {
            Ok(()) => Ok(true),
            Err(error) => self.recover(error).await.map(|()| false),
        }
    }

    /// Gets ready to join again; any other error stays one.
    async fn recover(&mut self, error: ClientError) -> Result<(), ClientError> {
        match error.code() {
            Some(ErrorCode::MEMBER_ID_REQUIRED | ErrorCode::REBALANCE_IN_PROGRESS) => {},
            Some(ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::ILLEGAL_GENERATION) => self.id.clear(),
            Some(
                ErrorCode::COORDINATOR_NOT_AVAILABLE
                | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
                | ErrorCode::NOT_COORDINATOR,
            ) => sleep(COORDINATOR_INTERVAL).await,
            _ => return Err(error.of(format_args!("group {}", self.group))),
        }
        Ok(())
    }
}

fn given((member_id, assignment): &(String, Vec<u8>)) -> SyncGroupRequestAssignment<'_> {
    SyncGroupRequestAssignment {
        member_id,
        assignment,
    }
}

/// Each topic in ranges to those who read it, in the order of their ids.
fn ranges<'a>(
    members: &'a BTreeMap<String, BTreeSet<String>>,
    counts: &BTreeMap<String, i32>,
) -> BTreeMap<&'a str, Partitions> {
    let ids = members.keys().map(|id| (id.as_str(), Partitions::new()));
    let mut assigned: BTreeMap<&str, Partitions> = ids.collect();
    for (topic, count) in counts {
        let readers = members.iter().filter(|(_, topics)| topics.contains(topic));
        let readers: Vec<&str> = readers.map(|(id, _)| id.as_str()).collect();
        let sharing = readers.len() as i32;
        let mut next = 0;
        for (rank, reader) in (0..).zip(readers) {
            // The first ones have one more, where it does not come out even.
            let end = next + count / sharing + i32::from(rank < count % sharing);
            let topics = assigned.entry(reader).or_default();
            topics.insert(topic.clone(), (next..end).collect());
            next = end;
        }
    }
    assigned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(read: &[(&str, &[&str])]) -> BTreeMap<String, BTreeSet<String>> {
        let owned = |topics: &[&str]| topics.iter().map(|topic| (*topic).to_owned()).collect();
        let read = read.iter();
        read.map(|(id, topics)| ((*id).to_owned(), owned(topics)))
            .collect()
    }

    #[test]
    fn every_partition_has_one_reader_and_nobody_has_many_more() {
        let members = members(&[("a", &["t", "u"]), ("b", &["t"]), ("c", &["t", "none"])]);
        let counts = BTreeMap::from([("t".to_owned(), 5), ("u".to_owned(), 2)]);
        let assigned = ranges(&members, &counts);
        assert_eq!(assigned["a"]["t"], [0, 1]);
        assert_eq!(assigned["b"]["t"], [2, 3]);
        assert_eq!(assigned["c"]["t"], [4]);
        assert_eq!(assigned["a"]["u"], [0, 1]);
        assert!(!assigned["b"].contains_key("u"));
    }

    #[test]
    fn more_members_than_partitions_leave_some_with_nothing() {
        let members = members(&[("a", &["t"]), ("b", &["t"])]);
        let assigned = ranges(&members, &BTreeMap::from([("t".to_owned(), 1)]));
        assert_eq!(assigned["a"]["t"], [0]);
        assert_eq!(assigned["b"]["t"], [0; 0]);
    }
}
