//! The assignors of the server: who shall have which partition.
//!
//! They are pure functions of the members, what these are subscribed to, and what they were to have
//! before. The same input gives the same assignment.

mod range;
#[cfg(test)]
mod tests;
mod uniform;

use std::collections::{BTreeMap, BTreeSet};

use net_wire::Uuid;

use super::Assignment;

/// A member as an assignor sees it.
#[derive(Clone, Copy, Debug)]
pub struct Subscriber<'a> {
    /// The id of the member.
    pub member_id: &'a str,
    /// The instance id of a static member.
    pub instance_id: Option<&'a str>,
    /// The topics it is subscribed to. One that does not exist is as none.
    pub topics: &'a BTreeSet<Uuid>,
    /// What it was to have by the last assignment.
    pub previous: &'a Assignment,
}

/// A way to assign partitions to members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Assignor {
    /// As many partitions for one as for another, and as few moves as that takes.
    #[default]
    Uniform,
    /// Of each topic a range of partitions; the same numbers of all topics that have as many
    /// partitions and subscribers, so that they can be joined.
    Range,
}

impl Assignor {
    /// Every assignor, the default one first.
    pub const ALL: &[Self] = &[Self::Uniform, Self::Range];

    /// Kafka's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    /// The assignor of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.name() == name)
    }

    /// What each of `members` shall have, in their order, of topics with so many `partitions`.
    pub fn assign(
        self,
        members: &[Subscriber<'_>],
        partitions: &BTreeMap<Uuid, i32>,
    ) -> Vec<Assignment> {
        match self {
            Self::Uniform => uniform::assign(members, partitions),
            Self::Range => range::assign(members, partitions),
        }
    }
}

/// The subscribers of each topic that exists and has some, as positions in `members`.
fn subscribers(
    members: &[Subscriber<'_>],
    partitions: &BTreeMap<Uuid, i32>,
    in_order: impl Iterator<Item = usize>,
) -> BTreeMap<Uuid, Vec<usize>> {
    let mut by_topic: BTreeMap<Uuid, Vec<usize>> = BTreeMap::new();
    for member in in_order {
        for topic in members[member].topics {
            if partitions.contains_key(topic) {
                by_topic.entry(*topic).or_default().push(member);
            }
        }
    }
    by_topic
}
