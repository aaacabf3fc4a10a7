//! Consumer groups of KIP-848: members only heartbeat, and the coordinator assigns.
//!
//! Three epochs tell who is behind. The group epoch grows with every change that could change who
//! has what: members, subscriptions, topics. The assignment epoch is the group epoch that the
//! target assignment was made for. A member's epoch is the assignment epoch that it has reached.
//! Nobody ever waits for anybody who has nothing to do with the change.
//!
//! A [`ConsumerGroup`] is a pure state machine: it is given requests, topics and the time, and
//! keeps what has to be written until it is taken. Members of the classic protocol can be in it,
//! too (`classic.rs`). First file to read: `member.rs`, the rule that no partition has two owners;
//! then `heartbeat.rs`; `log.rs` is what stands in the log.
//!
//! Different from Kafka 4.1: a member that comes again with epoch 0 is let in with what it has, as
//! Kafka does later; 4.1 fences it until its session is over.

pub mod assignor;
mod classic;
mod describe;
mod heartbeat;
mod log;
mod member;
mod migration;
mod pattern;
mod request;
mod subscription;
#[cfg(test)]
pub(crate) mod tests;
mod topics;

use std::collections::{BTreeMap, BTreeSet};

use net_wire::{ErrorCode, Uuid};

use crate::effect::Now;
use crate::record::{ConsumerRecord, GroupEpoch};
use assignor::{Assignor, Subscriber};
use member::Partition;

pub(crate) use classic::identified;
pub use describe::{DescribedConsumerGroup, DescribedConsumerMember};
pub use member::{Assignment, Member, MemberState};
pub(crate) use migration::FormerMember;
pub use pattern::Pattern;
pub use request::{MemberHeartbeat, MemberUpdate, Refusal};
pub use topics::{NoTopics, Topic, Topics};

/// Member epoch of one who joins.
pub const EPOCH_JOIN: i32 = 0;
/// Member epoch of one who leaves.
pub const EPOCH_LEAVE: i32 = -1;
/// Member epoch of a static member that leaves and will be back.
pub const EPOCH_LEAVE_STATIC: i32 = -2;

/// What an operator sets for consumer groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerConfig {
    /// What members keep to in groups that have no other.
    pub timing: Timing,
    /// `group.consumer.max.size`: members of a group.
    pub group_size_max: usize,
    /// What the members of a group say, in bytes.
    pub group_bytes_max: usize,
    /// `group.consumer.assignors`, the default first.
    pub assignors: Vec<Assignor>,
    /// How long the matches of regular expressions stand at least. To match all topics is the one
    /// thing here whose cost grows with the cluster.
    pub regex_refresh_ms: u64,
}

impl Default for ConsumerConfig {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            timing: Timing::default(),
            group_size_max: i32::MAX as usize,
            group_bytes_max: 16 << 20,
            assignors: Assignor::ALL.to_vec(),
            regex_refresh_ms: 10_000,
        }
    }
}

/// What the members of a group keep to; a group may have its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// `consumer.session.timeout.ms`: silence after which a member is removed.
    pub session_timeout_ms: u64,
    /// `consumer.heartbeat.interval.ms`.
    pub heartbeat_interval_ms: i32,
}

impl Default for Timing {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            session_timeout_ms: 45_000,
            heartbeat_interval_ms: 5_000,
        }
    }
}

/// Where a consumer group is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsumerGroupState {
    /// It has no members.
    Empty,
    /// Its target assignment is older than its last change.
    Assigning,
    /// Some member has not reached the target assignment.
    Reconciling,
    /// Everybody has what it shall have.
    Stable,
}

impl ConsumerGroupState {
    /// Kafka's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Stable => "Stable",
        }
    }
}

/// A group whose members speak the consumer protocol.
#[derive(Debug, Default)]
pub struct ConsumerGroup {
    epoch: i32,
    /// Of the topics that were read when the epoch was last written.
    metadata_hash: i64,
    assignment_epoch: i32,
    members: BTreeMap<String, Member>,
    /// The static members by instance id.
    instances: BTreeMap<String, String>,
    target: BTreeMap<String, Assignment>,
    /// Every partition that some member has.
    taken: BTreeSet<Partition>,
    regexes: BTreeMap<String, Regex>,
    /// What members said, in bytes.
    bytes: usize,
    /// Partitions of the topics that anybody is subscribed to, and whether they are up to date.
    partitions: BTreeMap<Uuid, i32>,
    partitions_counted: bool,
    /// The version of the topics that names were last looked up in.
    looked_up: Option<u64>,
    /// The one that regular expressions were last matched with, and when they may be again.
    matched: Option<u64>,
    match_again_at: u64,
    /// No deadline of a member is before this.
    wakes_at: Option<u64>,
    /// What changed and is not in the log.
    unwritten: Vec<ConsumerRecord>,
}

/// A regular expression that members are subscribed by.
#[derive(Debug, Default)]
struct Regex {
    /// None if only another broker understood it.
    pattern: Option<Pattern>,
    /// The names that it matched last.
    names: BTreeSet<String>,
}

impl ConsumerGroup {
    /// Grows with every change that could change who has what.
    pub const fn epoch(&self) -> i32 {
        self.epoch
    }

    /// The members by their ids.
    pub const fn members(&self) -> &BTreeMap<String, Member> {
        &self.members
    }

    /// Where the group is.
    pub fn state(&self) -> ConsumerGroupState {
        let is_there = |member: &Member| {
            member.current.state == MemberState::Stable
                && member.current.epoch == self.assignment_epoch
        };
        if self.members.is_empty() {
            ConsumerGroupState::Empty
        } else if self.assignment_epoch < self.epoch {
            ConsumerGroupState::Assigning
        } else if self.members.values().all(is_there) {
            ConsumerGroupState::Stable
        } else {
            ConsumerGroupState::Reconciling
        }
    }

    /// The assignor that most of those who named one want, among those there are; the first of
    /// these if nobody did.
    pub fn assignor(&self, assignors: &[Assignor]) -> Assignor {
        let votes = |assignor: Assignor| {
            let members = self.members.values();
            let wanted = members.filter_map(|one| one.subscription.server_assignor.as_deref());
            wanted.filter(|name| *name == assignor.name()).count()
        };
        let most = assignors
            .iter()
            .copied()
            .rev()
            .max_by_key(|one| votes(*one));
        most.unwrap_or_default()
    }

    /// Whether offsets may be committed with this epoch: the member's own, or none at all while
    /// the group is empty. `knows_epochs` is whether the request is of a version that has epochs.
    pub fn check_commit(
        &self,
        member_id: &str,
        epoch: i32,
        knows_epochs: bool,
    ) -> Result<(), ErrorCode> {
        if epoch < 0 && self.members.is_empty() {
            return Ok(());
        }
        let Some(member) = self.members.get(member_id) else {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        };
        if member.classic().is_none() && !knows_epochs {
            return Err(ErrorCode::UNSUPPORTED_VERSION);
        }
        member.check_offsets_epoch(epoch)
    }

    /// Whether this member may read offsets.
    pub fn check_fetch(&self, member_id: &str, epoch: i32) -> Result<(), ErrorCode> {
        let member = self.members.get(member_id);
        let member = member.ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        member.check_offsets_epoch(epoch)
    }

    /// When [`ConsumerGroup::on_deadline`] has to be called, if at all.
    pub const fn next_deadline(&self) -> Option<u64> {
        self.wakes_at
    }

    /// Removes the members whose time is over, and names them.
    pub fn on_deadline(&mut self, now: Now) -> Vec<String> {
        let is_over = |member: &Member| member.deadline() <= now.monotonic_ms;
        let over = self.members.iter().filter(|(_, member)| is_over(member));
        let over: Vec<String> = over.map(|(id, _)| id.clone()).collect();
        for id in &over {
            self.remove(id);
        }
        if !over.is_empty() {
            self.bump();
        }
        self.wakes_at = self.members.values().map(Member::deadline).min();
        over
    }

    /// Something changed that could change who has what.
    fn bump(&mut self) {
        self.epoch += 1;
        let epoch = GroupEpoch {
            epoch: self.epoch,
            metadata_hash: self.metadata_hash,
        };
        self.unwritten.push(ConsumerRecord::Group(Some(epoch)));
    }

    /// Forgets a member; what it had is free.
    fn remove(&mut self, member_id: &str) {
        let Some(member) = self.members.remove(member_id) else {
            return;
        };
        for partition in member.held() {
            self.taken.remove(&partition);
        }
        if let Some(instance_id) = &member.subscription.instance_id {
            self.instances.remove(instance_id);
        }
        self.target.remove(member_id);
        self.bytes -= member.subscription.bytes();
        self.write_gone(member_id);
        self.drop_unused_regexes();
        self.forget_unread_topics();
    }

    /// Makes the target assignment of the group epoch.
    fn assign(&mut self, assignors: &[Assignor]) {
        let nothing = Assignment::new();
        let subscribers: Vec<Subscriber<'_>> = self
            .members
            .iter()
            .map(|(member_id, member)| Subscriber {
                member_id,
                instance_id: member.subscription.instance_id.as_deref(),
                topics: &member.topics,
                previous: self.target.get(member_id).unwrap_or(&nothing),
            })
            .collect();
        let assignor = self.assignor(assignors);
        let assigned = assignor.assign(&subscribers, &self.partitions);
        let target = self.members.keys().cloned().zip(assigned).collect();
        let before = std::mem::replace(&mut self.target, target);
        for (id, assignment) in &self.target {
            if before.get(id) != Some(assignment) {
                let target = ConsumerRecord::Target(id.clone(), Some(assignment.clone()));
                self.unwritten.push(target);
            }
        }
        self.assignment_epoch = self.epoch;
        let epoch = ConsumerRecord::TargetEpoch(Some(self.assignment_epoch));
        self.unwritten.push(epoch);
    }
}

impl Member {
    fn check_offsets_epoch(&self, epoch: i32) -> Result<(), ErrorCode> {
        match self.classic() {
            _ if epoch == self.current.epoch => Ok(()),
            Some(_) => Err(ErrorCode::ILLEGAL_GENERATION),
            None => Err(ErrorCode::STALE_MEMBER_EPOCH),
        }
    }
}
