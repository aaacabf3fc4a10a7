//! Members that speak the classic protocol in a group that does not: they join, sync and heartbeat,
//! and get by these what others get by heartbeats alone.
//!
//! A member's epoch is its generation. It is sent to join again when there is anything for it to
//! do: to catch up with the group, to give partitions up, to take those that became free. It says
//! what it has when it joins.

use std::collections::BTreeSet;

use net_wire::ErrorCode;
use net_wire::consumer_protocol::{
    CONSUMER, ConsumerSubscription, NamedPartitions, assignment_bytes,
};

use super::heartbeat::{Entry, Scene};
use super::member::partitions;
use super::{
    Assignment, ConsumerConfig, ConsumerGroup, EPOCH_JOIN, Member, MemberHeartbeat, MemberState,
    Topics,
};
use crate::answer::{JoinedGroup, SyncedGroup};
use crate::effect::Now;
use crate::record::ClassicMember;
use crate::request::{Heartbeat, JoinGroup, LeavingMember, SyncGroup};

impl ConsumerGroup {
    /// Whether all members speak the classic protocol, and there are some.
    pub(crate) fn is_all_classic(&self) -> bool {
        let is_classic = |member: &Member| member.classic().is_some();
        !self.members.is_empty() && self.members.values().all(is_classic)
    }

    /// A member's place, or why it has none.
    pub(crate) fn join_classic(
        &mut self,
        now: Now,
        request: &JoinGroup,
        topics: &dyn Topics,
        config: &ConsumerConfig,
    ) -> JoinedGroup {
        match self.try_join_classic(now, request, topics, config) {
            Ok(joined) => joined,
            Err((member_id, code)) => JoinedGroup::refused(member_id, code),
        }
    }

    fn try_join_classic(
        &mut self,
        now: Now,
        request: &JoinGroup,
        topics: &dyn Topics,
        config: &ConsumerConfig,
    ) -> Result<JoinedGroup, (String, ErrorCode)> {
        let refuse = |code| (request.member_id.clone(), code);
        let is_new = request.member_id.is_empty();
        let member_id = if is_new {
            uuid(request.random)
        } else {
            request.member_id.clone()
        };
        let first = request.protocols.first();
        let first = first.filter(|_| self.supports(request));
        let protocol = first.ok_or_else(|| refuse(ErrorCode::INCONSISTENT_GROUP_PROTOCOL))?;
        let said = ConsumerSubscription::read(&protocol.metadata);
        let said = said.map_err(|_| refuse(ErrorCode::INCONSISTENT_GROUP_PROTOCOL))?;
        let heartbeat = heartbeat_of(request, member_id, said, topics);
        let entry = self.classic_entry(&heartbeat, is_new).map_err(refuse)?;
        let room = self.check_room(&heartbeat, config);
        room.map_err(|refusal| refuse(refusal.error_code))?;
        if is_new && request.requires_known_member_id && request.group_instance_id.is_none() {
            return Err((heartbeat.member_id, ErrorCode::MEMBER_ID_REQUIRED));
        }
        let scene = Scene {
            now,
            timing: config.timing,
            topics,
            config,
        };
        self.step(scene, &entry, &heartbeat, None);
        let Some(member) = self.members.get_mut(&heartbeat.member_id) else {
            return Err(refuse(ErrorCode::UNKNOWN_MEMBER_ID));
        };
        // Until it asks for its assignment.
        member.await_until(now);
        let generation_id = member.current.epoch;
        self.note_deadline(&heartbeat.member_id);
        Ok(JoinedGroup {
            generation_id,
            protocol_type: Some(CONSUMER.to_owned()),
            protocol_name: Some(protocol.name.clone()),
            ..JoinedGroup::refused(heartbeat.member_id, ErrorCode::NONE)
        })
    }

    /// Whether there is a protocol that it and all others of its kind know.
    fn supports(&self, request: &JoinGroup) -> bool {
        let is_known = |name: &str| {
            let mut others = self.members.values().filter_map(Member::classic);
            others.all(|one| one.protocols.iter().any(|known| known.name == name))
        };
        request.protocol_type == CONSUMER && request.protocols.iter().any(|one| is_known(&one.name))
    }

    fn classic_entry(&self, request: &MemberHeartbeat, is_new: bool) -> Result<Entry, ErrorCode> {
        let known = self.members.contains_key(&request.member_id);
        let Some(instance_id) = &request.instance_id else {
            return Ok(if known { Entry::Known } else { Entry::New });
        };
        match self.instances.get(instance_id) {
            Some(holder) if is_new => Ok(Entry::Back(holder.clone())),
            Some(holder) if *holder == request.member_id => Ok(Entry::Known),
            Some(_) => Err(ErrorCode::FENCED_INSTANCE_ID),
            None if is_new => Ok(Entry::New),
            None => Err(ErrorCode::UNKNOWN_MEMBER_ID),
        }
    }

    /// A member's assignment, unless it has to join again.
    pub(crate) fn sync_classic(
        &mut self,
        now: Now,
        request: &SyncGroup,
        topics: &dyn Topics,
        config: &ConsumerConfig,
    ) -> Result<SyncedGroup, ErrorCode> {
        let instance = request.group_instance_id.as_deref();
        let group_epoch = self.epoch;
        let member = self.classic_member(&request.member_id, instance, request.generation_id)?;
        let first = member.classic().and_then(|one| one.protocols.first());
        let first = first.ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        let differs =
            |said: &Option<String>, known: &str| said.as_deref().is_some_and(|said| said != known);
        if differs(&request.protocol_type, CONSUMER) || differs(&request.protocol_name, &first.name)
        {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        let said = ConsumerSubscription::read(&first.metadata);
        let version = said.map_or(0, |said| said.version);
        if group_epoch > member.current.epoch
            && member.current.state != MemberState::UnrevokedPartitions
        {
            member.await_until(now);
            self.note_deadline(&request.member_id);
            return Err(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        member.rebalance_deadline = None;
        member.start_session(now, config.timing);
        let named = named(&member.current.assigned, topics);
        self.note_deadline(&request.member_id);
        let assignment = assignment_bytes(version, &named);
        Ok(SyncedGroup {
            protocol_type: request.protocol_type.clone(),
            protocol_name: request.protocol_name.clone(),
            assignment: assignment.map_err(|_| ErrorCode::UNKNOWN_SERVER_ERROR)?,
        })
    }

    /// A member is alive, and learns whether it has to join again.
    pub(crate) fn heartbeat_classic(
        &mut self,
        now: Now,
        request: &Heartbeat,
        config: &ConsumerConfig,
    ) -> Result<(), ErrorCode> {
        let (id, instance) = (&*request.member_id, request.group_instance_id.as_deref());
        let group_epoch = self.epoch;
        let is_waiting = self.is_waiting(id);
        let member = self.classic_member(id, instance, request.generation_id)?;
        member.start_session(now, config.timing);
        let has_to_join = member.current.epoch < group_epoch
            || match member.current.state {
                MemberState::Stable => false,
                MemberState::UnrevokedPartitions => true,
                MemberState::UnreleasedPartitions => !is_waiting,
            };
        if has_to_join && member.rebalance_deadline.is_none() {
            member.await_until(now);
        }
        self.note_deadline(id);
        if has_to_join {
            return Err(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        Ok(())
    }

    /// Whether somebody else still has what this member shall have.
    fn is_waiting(&self, member_id: &str) -> bool {
        let (Some(member), Some(target)) =
            (self.members.get(member_id), self.target.get(member_id))
        else {
            return false;
        };
        let own: BTreeSet<_> = member.held().collect();
        partitions(target).any(|one| !own.contains(&one) && self.taken.contains(&one))
    }

    /// Takes members out, whatever protocol they speak; each code stands for one of them.
    pub(crate) fn leave_all(&mut self, leaving: &[LeavingMember]) -> Vec<ErrorCode> {
        let mut gone = false;
        let codes = leaving.iter().map(|one| match self.leaving(one) {
            Ok(id) => {
                self.remove(&id);
                gone = true;
                ErrorCode::NONE
            },
            Err(code) => code,
        });
        let codes = codes.collect();
        if gone {
            self.bump();
        }
        codes
    }

    fn leaving(&self, leaving: &LeavingMember) -> Result<String, ErrorCode> {
        let instance = leaving.group_instance_id.as_ref();
        let holder = instance.map(|instance| self.instances.get(instance));
        let id = match holder {
            Some(None) => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
            // An admin client names a static member.
            Some(Some(holder)) if leaving.member_id.is_empty() => holder,
            Some(Some(holder)) if *holder != leaving.member_id => {
                return Err(ErrorCode::FENCED_INSTANCE_ID);
            },
            _ => &leaving.member_id,
        };
        if self.members.contains_key(id) {
            Ok(id.clone())
        } else {
            Err(ErrorCode::UNKNOWN_MEMBER_ID)
        }
    }

    /// The member that a request of the classic protocol speaks for.
    fn classic_member(
        &mut self,
        member_id: &str,
        instance: Option<&str>,
        generation: i32,
    ) -> Result<&mut Member, ErrorCode> {
        if let Some(instance) = instance {
            match self.instances.get(instance) {
                None => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
                Some(holder) if holder != member_id => return Err(ErrorCode::FENCED_INSTANCE_ID),
                Some(_) => {},
            }
        }
        let member = self.members.get_mut(member_id);
        let member = member.filter(|member| member.classic().is_some());
        let member = member.ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if member.current.epoch != generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        Ok(member)
    }
}

impl Member {
    /// It has to say something by the end of its rebalance timeout.
    fn await_until(&mut self, now: Now) {
        let timeout = self.subscription.rebalance_timeout();
        self.rebalance_deadline = Some(now.monotonic_ms.saturating_add(timeout));
    }
}

/// What a member of the consumer protocol would say in its place.
fn heartbeat_of(
    request: &JoinGroup,
    member_id: String,
    said: ConsumerSubscription,
    topics: &dyn Topics,
) -> MemberHeartbeat {
    MemberHeartbeat {
        member_id,
        member_epoch: EPOCH_JOIN,
        instance_id: request.group_instance_id.clone(),
        rack_id: said.rack_id,
        rebalance_timeout_ms: Some(request.rebalance_timeout_ms),
        topic_names: Some(said.topics),
        topic_regex: Some(String::new()),
        server_assignor: None,
        owned: Some(identified(&said.owned, topics)),
        client_id: request.client_id.clone(),
        client_host: request.client_host.clone(),
        classic: Some(ClassicMember {
            session_timeout_ms: request.session_timeout_ms,
            protocols: request.protocols.clone(),
        }),
    }
}

/// The partitions of topics that exist, by their ids.
pub(crate) fn identified(named: &[(String, Vec<i32>)], topics: &dyn Topics) -> Assignment {
    let mut assignment = Assignment::new();
    for (name, partitions) in named {
        if let Some(topic) = topics.by_name(name)
            && !partitions.is_empty()
        {
            assignment.entry(topic.id).or_default().extend(partitions);
        }
    }
    assignment
}

/// The same by names.
fn named(assignment: &Assignment, topics: &dyn Topics) -> NamedPartitions {
    let topics = assignment.iter().filter_map(|(id, partitions)| {
        let name = topics.name_of(*id)?.to_owned();
        Some((name, partitions.iter().copied().collect()))
    });
    topics.collect()
}

/// The id of a member as Kafka's coordinator forms it here: of random bits, as text.
fn uuid(random: u128) -> String {
    net_wire::Uuid::from_bytes(random.to_be_bytes()).to_string()
}
