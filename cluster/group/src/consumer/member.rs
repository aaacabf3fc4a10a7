//! A member, and how it gets from what it has to what it shall have.
//!
//! The one rule that everything serves: a partition is given to a member only when nobody else has
//! it, and a member has it until it has said, by not naming it among its own any more, that it let
//! go. So members that give come first, and those that take wait.

use std::collections::{BTreeMap, BTreeSet};

use net_wire::Uuid;

/// Partitions by topic; no topic is without any.
pub type Assignment = BTreeMap<Uuid, BTreeSet<i32>>;

/// A partition of a topic.
pub(super) type Partition = (Uuid, i32);

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

/// A member of a consumer group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// The epoch that it has reached; -2 for a static member that is away.
    pub epoch: i32,
    /// The one before: what it sends if it did not get the last answer.
    pub previous_epoch: i32,
    /// How far it is.
    pub state: MemberState,
    /// The instance id of a static member.
    pub instance_id: Option<String>,
    /// Its rack.
    pub rack_id: Option<String>,
    /// The name that the client gives itself.
    pub client_id: String,
    /// The address of the client.
    pub client_host: String,
    /// How long it may take to give partitions up.
    pub rebalance_timeout_ms: u64,
    /// The names it is subscribed to.
    pub topic_names: BTreeSet<String>,
    /// The regular expression it is subscribed by.
    pub topic_regex: Option<String>,
    /// The assignor it would like.
    pub server_assignor: Option<String>,
    /// The topics that its names and its regular expression stand for now.
    pub topics: BTreeSet<Uuid>,
    /// What it has, or was told that it may take.
    pub assigned: Assignment,
    /// What it was told to give up and may still have.
    pub revoking: Assignment,
    /// When it is taken for dead.
    pub(super) session_deadline: u64,
    /// When it must have given up what it was told to.
    pub(super) rebalance_deadline: Option<u64>,
}

impl Member {
    /// Every partition that nobody else may have.
    pub(super) fn held(&self) -> impl Iterator<Item = Partition> {
        partitions(&self.assigned).chain(partitions(&self.revoking))
    }

    /// Takes the next step towards `target`, if there is one. `owned` is what the member says it
    /// has; `taken` is what any member of the group has, and is kept so.
    pub(super) fn reconcile(
        &mut self,
        target_epoch: i32,
        target: &Assignment,
        owned: Option<&Assignment>,
        taken: &mut BTreeSet<Partition>,
    ) {
        let still_owns = |revoking: &Assignment| {
            owned.is_none_or(|owned| partitions(owned).any(|one| has(revoking, one)))
        };
        let is_waiting = match self.state {
            MemberState::Stable => self.epoch == target_epoch,
            MemberState::UnrevokedPartitions => still_owns(&self.revoking),
            MemberState::UnreleasedPartitions => false,
        };
        if is_waiting {
            return;
        }
        for partition in self.held() {
            taken.remove(&partition);
        }
        self.step(target_epoch, target, still_owns, taken);
        taken.extend(self.held());
    }

    /// The step itself; nothing of the member's own is in `taken` while it is done.
    fn step(
        &mut self,
        target_epoch: i32,
        target: &Assignment,
        still_owns: impl Fn(&Assignment) -> bool,
        taken: &BTreeSet<Partition>,
    ) {
        let (kept, revoking) = split(&self.assigned, |one| has(target, one));
        self.assigned = kept;
        if !revoking.is_empty() && still_owns(&revoking) {
            self.revoking = revoking;
            self.state = MemberState::UnrevokedPartitions;
            return;
        }
        self.revoking.clear();
        let (unreleased, free) = split(target, |one| taken.contains(&one));
        // What was kept is in the target and free, for it is the member's own.
        self.assigned = free;
        self.state = if unreleased.is_empty() {
            MemberState::Stable
        } else {
            MemberState::UnreleasedPartitions
        };
        if self.epoch != target_epoch {
            self.previous_epoch = self.epoch;
            self.epoch = target_epoch;
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
