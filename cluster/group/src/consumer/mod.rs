//! Consumer groups of KIP-848: members only heartbeat, and the coordinator assigns.
//!
//! Three epochs tell who is behind. The group epoch grows with every change that could change who
//! has what: members, subscriptions, topics. The assignment epoch is the group epoch that the
//! target assignment was made for. A member's epoch is the assignment epoch that it has reached.
//! Nobody ever waits for anybody who has nothing to do with the change.
//!
//! A [`ConsumerGroup`] is a pure state machine: it is given requests, topics and the time. First
//! file to read: `member.rs`, the rule that no partition has two owners; then `heartbeat.rs`.
//!
//! Different from Kafka 4.1: a member that comes again with epoch 0 is let in with what it has, as
//! Kafka does later; 4.1 fences it until its session is over.

pub mod assignor;
mod heartbeat;
mod member;
mod pattern;
mod request;
mod subscription;
#[cfg(test)]
mod tests;
mod topics;

use std::collections::{BTreeMap, BTreeSet};

use net_wire::{ErrorCode, Uuid};

use assignor::{Assignor, Subscriber};
use member::Partition;
use pattern::Pattern;

pub use member::{Assignment, Member, MemberState};
pub use request::{MemberHeartbeat, MemberUpdate, Refusal};
pub use topics::{Topic, Topics};

/// Member epoch of one who joins.
pub const EPOCH_JOIN: i32 = 0;
/// Member epoch of one who leaves.
pub const EPOCH_LEAVE: i32 = -1;
/// Member epoch of a static member that leaves and will be back.
pub const EPOCH_LEAVE_STATIC: i32 = -2;

/// What an operator sets for consumer groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerConfig {
    /// `group.consumer.session.timeout.ms`.
    pub session_timeout_ms: u64,
    /// `group.consumer.heartbeat.interval.ms`.
    pub heartbeat_interval_ms: i32,
    /// `group.consumer.max.size`: members of a group.
    pub group_size_max: usize,
    /// How long the matches of regular expressions stand at least. To match all topics is the one
    /// thing here whose cost grows with the cluster.
    pub regex_refresh_ms: u64,
}

impl Default for ConsumerConfig {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            session_timeout_ms: 45_000,
            heartbeat_interval_ms: 5_000,
            group_size_max: i32::MAX as usize,
            regex_refresh_ms: 10_000,
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
    assignment_epoch: i32,
    members: BTreeMap<String, Member>,
    /// The static members by instance id.
    instances: BTreeMap<String, String>,
    target: BTreeMap<String, Assignment>,
    /// Every partition that some member has.
    taken: BTreeSet<Partition>,
    regexes: BTreeMap<String, Regex>,
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
}

/// A regular expression that members are subscribed by.
#[derive(Debug)]
struct Regex {
    pattern: Pattern,
    /// The names that it matched last.
    names: BTreeSet<String>,
}

impl ConsumerGroup {
    /// Grows with every change that could change who has what.
    pub const fn epoch(&self) -> i32 {
        self.epoch
    }

    /// The group epoch that the target assignment was made for.
    pub const fn assignment_epoch(&self) -> i32 {
        self.assignment_epoch
    }

    /// The members by their ids.
    pub const fn members(&self) -> &BTreeMap<String, Member> {
        &self.members
    }

    /// What each member shall have.
    pub const fn target(&self) -> &BTreeMap<String, Assignment> {
        &self.target
    }

    /// Where the group is.
    pub fn state(&self) -> ConsumerGroupState {
        let is_there = |member: &Member| {
            member.state == MemberState::Stable && member.epoch == self.assignment_epoch
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

    /// The assignor that most of those who named one want.
    pub fn assignor(&self) -> Assignor {
        let wanted = self.members.values().filter_map(|member| {
            let name = member.server_assignor.as_deref()?;
            Assignor::from_name(name)
        });
        let mut votes: BTreeMap<Assignor, usize> = BTreeMap::new();
        for assignor in wanted {
            *votes.entry(assignor).or_default() += 1;
        }
        let first = Assignor::ALL.iter().copied();
        first
            .rev()
            .max_by_key(|one| votes.get(one).copied().unwrap_or_default())
            .unwrap_or_default()
    }

    /// Whether offsets may be committed, or read by a member, with this epoch: the member's own, or
    /// none at all while the group is empty.
    pub fn check_epoch(&self, member_id: &str, epoch: i32) -> Result<(), ErrorCode> {
        if epoch < 0 && self.members.is_empty() {
            return Ok(());
        }
        match self.members.get(member_id) {
            None => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            Some(member) if member.epoch != epoch => Err(ErrorCode::STALE_MEMBER_EPOCH),
            Some(_) => Ok(()),
        }
    }

    /// When [`ConsumerGroup::on_deadline`] has to be called, if at all.
    pub const fn next_deadline(&self) -> Option<u64> {
        self.wakes_at
    }

    /// Removes the members whose time is over, and names them.
    pub fn on_deadline(&mut self, now_ms: u64) -> Vec<String> {
        let is_over = |member: &Member| member.deadline() <= now_ms;
        let over = self.members.iter().filter(|(_, member)| is_over(member));
        let over: Vec<String> = over.map(|(id, _)| id.clone()).collect();
        for id in &over {
            self.remove(id);
        }
        if !over.is_empty() {
            self.epoch += 1;
        }
        self.wakes_at = self.members.values().map(Member::deadline).min();
        over
    }

    /// Forgets a member; what it had is free.
    fn remove(&mut self, member_id: &str) {
        let Some(member) = self.members.remove(member_id) else {
            return;
        };
        for partition in member.held() {
            self.taken.remove(&partition);
        }
        if let Some(instance_id) = &member.instance_id {
            self.instances.remove(instance_id);
        }
        self.target.remove(member_id);
        self.drop_unused_regexes();
    }

    /// Makes the target assignment of the group epoch.
    fn assign(&mut self) {
        let nothing = Assignment::new();
        let subscribers: Vec<Subscriber<'_>> = self
            .members
            .iter()
            .map(|(member_id, member)| Subscriber {
                member_id,
                instance_id: member.instance_id.as_deref(),
                topics: &member.topics,
                previous: self.target.get(member_id).unwrap_or(&nothing),
            })
            .collect();
        let assigned = self.assignor().assign(&subscribers, &self.partitions);
        self.target = self.members.keys().cloned().zip(assigned).collect();
        self.assignment_epoch = self.epoch;
    }
}
