//! A group of the classic protocol: the members agree on a way of assigning, and one of them, the
//! leader, assigns.
//!
//! ```text
//!            first join                    all have joined, or time is up
//!   Empty ───────────────▶ PreparingRebalance ─────────────────────▶ CompletingRebalance
//!     ▲                      ▲    │     ▲                              │      │
//!     │     nobody is left   │    │     └── a member joins or leaves ──┘      │ the leader
//!     └──────────────────────┼────┘                                           │ assigns
//!                            │        a member joins, leaves or falls silent  ▼
//!                            └──────────────────────────────────────────── Stable
//! ```
//!
//! A generation is written to the log when it has its assignments, and when the last member went.
//! After a restart a group goes on in the generation that was written; members of it that are gone
//! fall silent.
//!
//! `join.rs` decides who is a member, `rebalance.rs` begins and ends generations, `sync.rs` gives
//! assignments, `leave.rs` takes members out, `time.rs` does what happens when nothing does; with
//! `upgrade.rs` they leave for the other protocol.

mod join;
mod leave;
mod member;
mod rebalance;
mod sync;
mod time;
mod upgrade;

use std::collections::{BTreeMap, BTreeSet};

use net_wire::ErrorCode;
use net_wire::consumer_protocol::{self, CONSUMER};

use crate::answer::{DescribedGroup, JoinedGroup, JoinedMember};
use crate::group::Turn;
use crate::record::{GroupMetadata, Record};
use crate::state::GroupState;
use member::Member;

/// How long a rebalance waits for joins.
#[derive(Clone, Copy, Debug)]
struct JoinWait {
    at: u64,
    /// For the first generation of an empty group, which waits for more members: the delay that
    /// ends now, and how much of the rebalance timeout is left for more of it.
    initial: Option<(u64, u64)>,
}

/// The members of a group.
#[derive(Debug, Default)]
pub(crate) struct ClassicGroup {
    id: String,
    state: GroupState,
    /// When it came into its state, by the wall clock; not known of old records.
    state_timestamp_ms: Option<i64>,
    generation: i32,
    protocol_type: Option<String>,
    protocol_name: Option<String>,
    leader: Option<String>,
    members: BTreeMap<String, Member>,
    /// Members by their names (KIP-345).
    static_members: BTreeMap<String, String>,
    /// Ids that were given and not joined with yet (KIP-394), with the end of their time.
    pending: BTreeMap<String, u64>,
    join_wait: Option<JoinWait>,
    /// Whether the initial delay shall be extended.
    new_member_added: bool,
    /// When members that owe a sync are taken out.
    sync_deadline: Option<u64>,
    /// The topics that members are subscribed to, if it is a group of consumers and they say so.
    subscribed: Option<BTreeSet<String>>,
    /// Whether the log has a record of it.
    is_recorded: bool,
    /// No deadline is before this.
    wake_at: Option<u64>,
}

impl ClassicGroup {
    pub(crate) fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            ..Self::default()
        }
    }

    /// What is said of a group that there is not.
    pub(crate) fn dead() -> Self {
        Self {
            state: GroupState::Dead,
            ..Self::default()
        }
    }

    /// The group as the log has it.
    pub(crate) fn from_record(id: &str, record: GroupMetadata) -> Self {
        let protocol = record.protocol.as_deref();
        let members = record.members.into_iter().map(|member| {
            let id = member.member_id.clone();
            (id, Member::from_record(member, protocol))
        });
        let members: BTreeMap<String, Member> = members.collect();
        let named = members.iter().filter_map(|(id, member)| {
            let instance = member.group_instance_id.clone()?;
            Some((instance, id.clone()))
        });
        let mut group = Self {
            state: if members.is_empty() {
                GroupState::Empty
            } else {
                GroupState::Stable
            },
            state_timestamp_ms: record.state_timestamp_ms,
            generation: record.generation,
            protocol_type: Some(record.protocol_type).filter(|kind| !kind.is_empty()),
            leader: record.leader.filter(|leader| members.contains_key(leader)),
            protocol_name: record.protocol,
            static_members: named.collect(),
            members,
            is_recorded: true,
            ..Self::new(id)
        };
        group.subscribed = group.subscribed_topics();
        group
    }

    /// The group for the log.
    fn to_record(&self) -> Record {
        let protocol = self.protocol_name.as_deref().unwrap_or_default();
        let members = self.members.iter();
        let members = members.map(|(id, member)| member.to_record(id, protocol));
        let value = GroupMetadata {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol_name.clone(),
            leader: self.leader.clone(),
            state_timestamp_ms: self.state_timestamp_ms,
            members: members.collect(),
        };
        Record::GroupMetadata {
            group_id: self.id.clone(),
            value: Some(value),
        }
    }

    fn write(&mut self, turn: &mut Turn<'_>) {
        turn.out.append(vec![self.to_record()]);
        self.is_recorded = true;
    }

    pub(crate) const fn state(&self) -> GroupState {
        self.state
    }

    pub(crate) fn protocol_type(&self) -> Option<&str> {
        self.protocol_type.as_deref()
    }

    /// Since when a group that had members has none; `None` where it has some, never had any, or
    /// its record does not say.
    pub(crate) fn emptied_at(&self) -> Option<i64> {
        let had_members = self.state == GroupState::Empty && self.protocol_type.is_some();
        self.state_timestamp_ms.filter(|_| had_members)
    }

    /// Whether it has no members and nobody is about to become one.
    pub(crate) fn is_vacant(&self) -> bool {
        self.state == GroupState::Empty && self.pending.is_empty()
    }

    pub(crate) const fn is_recorded(&self) -> bool {
        self.is_recorded
    }

    pub(crate) fn is_blank(&self) -> bool {
        !self.is_recorded && self.members.is_empty() && self.pending.is_empty()
    }

    fn set_state(&mut self, turn: &Turn<'_>, state: GroupState) {
        self.state = state;
        self.state_timestamp_ms = Some(turn.now.wall_ms);
    }

    fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    /// The member of this id, which is known to be there.
    fn member_mut(&mut self, member_id: &str) -> &mut Member {
        self.members
            .get_mut(member_id)
            .expect("membership was checked")
    }

    /// Whether a request speaks for a member. The name of a static member belongs to one id.
    fn check_member(&self, member_id: &str, instance: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance) = instance {
            match self.static_members.get(instance) {
                None => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
                Some(owner) if owner != member_id => return Err(ErrorCode::FENCED_INSTANCE_ID),
                Some(_) => {},
            }
        }
        if self.members.contains_key(member_id) {
            Ok(())
        } else {
            Err(ErrorCode::UNKNOWN_MEMBER_ID)
        }
    }

    /// As [`Self::check_member`], in this generation.
    fn check_generation(
        &self,
        member_id: &str,
        instance: Option<&str>,
        generation: i32,
    ) -> Result<(), ErrorCode> {
        self.check_member(member_id, instance)?;
        if generation == self.generation {
            Ok(())
        } else {
            Err(ErrorCode::ILLEGAL_GENERATION)
        }
    }

    /// Whether offsets may be committed; `generation` is -1 and `member_id` empty for one who is
    /// no member.
    pub(crate) fn check_commit(
        &self,
        member_id: &str,
        instance: Option<&str>,
        generation: i32,
    ) -> Result<(), ErrorCode> {
        if generation < 0 && self.state == GroupState::Empty {
            return Ok(());
        }
        if generation < 0 && member_id.is_empty() && instance.is_none() {
            // The group has members, and they alone say where it is.
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        self.check_generation(member_id, instance, generation)?;
        match self.state {
            // The member knows its generation and not yet its assignment.
            GroupState::CompletingRebalance => Err(ErrorCode::REBALANCE_IN_PROGRESS),
            _ => Ok(()),
        }
    }

    /// Whether members of a group of consumers may be reading the topic.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.subscribed {
            Some(topics) => topics.contains(topic),
            // It is not known what members read.
            None => self.is_of_consumers() && !self.members.is_empty(),
        }
    }

    /// Whether it is known what the members read.
    pub(crate) const fn knows_subscriptions(&self) -> bool {
        self.subscribed.is_some()
    }

    pub(crate) fn is_of_consumers(&self) -> bool {
        self.protocol_type() == Some(CONSUMER)
    }

    fn subscribed_topics(&self) -> Option<BTreeSet<String>> {
        if !self.is_of_consumers() {
            return None;
        }
        let mut topics = BTreeSet::new();
        if let Some(protocol) = &self.protocol_name {
            for member in self.members.values() {
                topics.extend(consumer_protocol::topics(member.metadata(protocol)).ok()?);
            }
        }
        Some(topics)
    }

    pub(crate) fn describe(&self) -> DescribedGroup {
        let protocol = self
            .protocol_name
            .as_deref()
            .filter(|_| self.state == GroupState::Stable);
        let members = self.members.iter();
        DescribedGroup {
            state: self.state,
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol_data: protocol.unwrap_or_default().to_owned(),
            members: members
                .map(|(id, member)| member.describe(id, protocol))
                .collect(),
        }
    }

    /// The place of a member in this generation; the leader's has all members.
    fn joined(&self, member_id: &str) -> JoinedGroup {
        let members = if self.is_leader(member_id) {
            self.joined_members()
        } else {
            Vec::new()
        };
        JoinedGroup {
            error_code: ErrorCode::NONE,
            generation_id: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            skip_assignment: false,
            member_id: member_id.to_owned(),
            members,
        }
    }

    fn joined_members(&self) -> Vec<JoinedMember> {
        let protocol = self.protocol_name.as_deref().unwrap_or_default();
        let members = self.members.iter();
        members
            .map(|(id, member)| JoinedMember {
                member_id: id.clone(),
                group_instance_id: member.group_instance_id.clone(),
                metadata: member.metadata(protocol).to_vec(),
            })
            .collect()
    }
}

/// What tests look at.
#[cfg(test)]
impl ClassicGroup {
    pub(crate) fn leader(&self) -> Option<&str> {
        self.leader.as_deref()
    }

    pub(crate) fn member_ids(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    pub(crate) fn as_recorded(&self) -> Record {
        self.to_record()
    }
}
