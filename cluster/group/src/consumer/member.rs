//! A member, and how it gets from what it has to what it shall have.
//!
//! The one rule that everything serves: a partition is given to a member only when nobody else has
//! it, and a member has it until it has said, by not naming it among its own any more, that it let
//! go. So members that give come first, and those that take wait.

use std::collections::{BTreeMap, BTreeSet};

use net_wire::Uuid;

use crate::record::{ClassicMember, CurrentAssignment, Subscription};

/// Partitions by topic; no topic is without any.
pub type Assignment = BTreeMap<Uuid, BTreeSet<i32>>;

/// A partition of a topic.
pub(super) type Partition = (Uuid, i32);

/// What a member costs beside its names, and a name beside its text, as an estimate.
const MEMBER_OVERHEAD_BYTES: usize = 1_024;
const NAME_OVERHEAD_BYTES: usize = 64;
/// What a compiled regular expression costs mostly.
const REGEX_BYTES: usize = 64 << 10;

/// Every partition of an assignment.
pub(super) fn partitions(assignment: &Assignment) -> impl Iterator<Item = Partition> {
    assignment
        .iter()
        .flat_map(|(&topic, partitions)| partitions.iter().map(move |&one| (topic, one)))
}

pub(super) fn has(assignment: &Assignment, (topic, partition): Partition) -> bool {
    assignment
        .get(&topic)
        .is_some_and(|partitions| partitions.contains(&partition))
}

/// How far a member is, by Kafka's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemberState {
    /// It has what it shall have, as of its epoch.
    #[default]
    Stable,
    /// It was told to give partitions up, and has not said yet that it did.
    UnrevokedPartitions,
    /// It has given up what it must, and waits for partitions that others still have.
    UnreleasedPartitions,
}

impl MemberState {
    /// Kafka's number of it.
    pub(crate) const fn code(self) -> i8 {
        match self {
            Self::Stable => 0,
            Self::UnrevokedPartitions => 1,
            Self::UnreleasedPartitions => 2,
        }
    }

    /// The state of a number; one that is not known counts as unreleased, which looks again.
    pub(crate) const fn from_code(code: i8) -> Self {
        match code {
            0 => Self::Stable,
            1 => Self::UnrevokedPartitions,
            _ => Self::UnreleasedPartitions,
        }
    }
}

/// A member of a consumer group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// What it is and reads.
    pub subscription: Subscription,
    /// What it has, and how far it is.
    pub current: CurrentAssignment,
    /// The topics that its names and its regular expression stand for now.
    pub topics: BTreeSet<Uuid>,
    /// When it is taken for dead.
    pub(super) session_deadline: u64,
    /// When it must have given up what it was told to.
    pub(super) rebalance_deadline: Option<u64>,
}

impl Subscription {
    /// What it costs in memory, as an estimate.
    pub(super) fn bytes(&self) -> usize {
        let names = Some(&self.topic_names);
        let regex = self.topic_regex.as_deref();
        MEMBER_OVERHEAD_BYTES + said_bytes(names, regex, self.classic.as_ref())
    }

    /// How long the member may take to give partitions up.
    pub(super) fn rebalance_timeout(&self) -> u64 {
        u64::try_from(self.rebalance_timeout_ms).unwrap_or(0)
    }
}

/// What a subscription costs in memory.
pub(super) fn said_bytes(
    names: Option<&BTreeSet<String>>,
    regex: Option<&str>,
    classic: Option<&ClassicMember>,
) -> usize {
    let names = names.into_iter().flatten();
    let names = names.map(|name| name.len() + NAME_OVERHEAD_BYTES);
    let regex = regex.filter(|text| !text.is_empty());
    let protocols = classic.into_iter().flat_map(|classic| &classic.protocols);
    let protocols = protocols.map(|one| one.name.len() + one.metadata.len());
    names.sum::<usize>()
        + regex.map_or(0, |text| text.len() + REGEX_BYTES)
        + protocols.sum::<usize>()
}

impl Member {
    /// What it said of the classic protocol, if it speaks that.
    pub(super) const fn classic(&self) -> Option<&ClassicMember> {
        self.subscription.classic.as_ref()
    }

    /// Every partition that nobody else may have.
    pub(super) fn held(&self) -> impl Iterator<Item = Partition> {
        partitions(&self.current.assigned).chain(partitions(&self.current.revoking))
    }

    /// When it has to be removed.
    pub(super) fn deadline(&self) -> u64 {
        let rebalance = self.rebalance_deadline.unwrap_or(u64::MAX);
        self.session_deadline.min(rebalance)
    }

    /// Takes the next step towards `target`; what it had before, if there was one. `owned` is what
    /// the member says it has; `taken` is what any member of the group has, and is kept so.
    pub(super) fn reconcile(
        &mut self,
        target_epoch: i32,
        target: &Assignment,
        owned: Option<&Assignment>,
        taken: &mut BTreeSet<Partition>,
    ) -> Option<CurrentAssignment> {
        let still_owns = |revoking: &Assignment| {
            owned.is_none_or(|owned| partitions(owned).any(|one| has(revoking, one)))
        };
        let is_waiting = match self.current.state {
            MemberState::Stable => self.current.epoch == target_epoch,
            MemberState::UnrevokedPartitions => still_owns(&self.current.revoking),
            MemberState::UnreleasedPartitions => false,
        };
        if is_waiting {
            return None;
        }
        for partition in self.held() {
            taken.remove(&partition);
        }
        let next = self.step(target_epoch, target, still_owns, taken);
        let before = std::mem::replace(&mut self.current, next);
        taken.extend(self.held());
        (before != self.current).then_some(before)
    }

    /// The step itself; nothing of the member's own is in `taken` while it is done.
    fn step(
        &self,
        target_epoch: i32,
        target: &Assignment,
        still_owns: impl Fn(&Assignment) -> bool,
        taken: &BTreeSet<Partition>,
    ) -> CurrentAssignment {
        let (kept, revoking) = split(&self.current.assigned, |one| has(target, one));
        let (epoch, previous_epoch) = (self.current.epoch, self.current.previous_epoch);
        if !revoking.is_empty() && still_owns(&revoking) {
            return CurrentAssignment {
                epoch,
                previous_epoch,
                state: MemberState::UnrevokedPartitions,
                assigned: kept,
                revoking,
            };
        }
        let (unreleased, free) = split(target, |one| taken.contains(&one));
        CurrentAssignment {
            epoch: target_epoch,
            previous_epoch: if epoch == target_epoch {
                previous_epoch
            } else {
                epoch
            },
            state: if unreleased.is_empty() {
                MemberState::Stable
            } else {
                MemberState::UnreleasedPartitions
            },
            // What was kept is in the target and free, for it is the member's own.
            assigned: free,
            revoking: Assignment::new(),
        }
    }
}

/// The partitions that are so, and those that are not.
fn split(all: &Assignment, is_so: impl Fn(Partition) -> bool) -> (Assignment, Assignment) {
    let (mut so, mut others) = (Assignment::new(), Assignment::new());
    for (topic, partition) in partitions(all) {
        let side = if is_so((topic, partition)) {
            &mut so
        } else {
            &mut others
        };
        side.entry(topic).or_default().insert(partition);
    }
    (so, others)
}
