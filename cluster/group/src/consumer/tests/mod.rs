//! The consumer protocol: single steps, and random histories.

mod histories;
mod steps;

use std::collections::{BTreeMap, BTreeSet};

use net_wire::Uuid;

use super::*;

/// Topics that tests create, grow and delete.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    topics: BTreeMap<String, Topic>,
    version: u64,
}

impl Cluster {
    pub(crate) fn with(topics: &[(&str, i32)]) -> Self {
        let mut cluster = Self::default();
        for (name, partitions) in topics {
            cluster.set(name, *partitions);
        }
        cluster
    }

    /// Creates a topic, gives it so many partitions, or deletes it if there are none.
    pub(crate) fn set(&mut self, name: &str, partitions: i32) {
        self.version += 1;
        if partitions == 0 {
            self.topics.remove(name);
            return;
        }
        let id = Uuid::from_bytes(u128::from(self.version).to_be_bytes());
        let new = Topic { id, partitions };
        let topic = self.topics.entry(name.to_owned()).or_insert(new);
        topic.partitions = partitions;
    }

    pub(crate) fn id(&self, name: &str) -> Uuid {
        self.topics[name].id
    }
}

impl Topics for Cluster {
    fn version(&self) -> u64 {
        self.version
    }

    fn by_name(&self, name: &str) -> Option<Topic> {
        self.topics.get(name).copied()
    }

    fn name_of(&self, id: Uuid) -> Option<&str> {
        let mut all = self.topics.iter();
        let found = all.find(|(_, topic)| topic.id == id);
        found.map(|(name, _)| name.as_str())
    }

    fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        Box::new(self.topics.keys().map(String::as_str))
    }
}

pub(crate) fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// A first heartbeat.
pub(crate) fn join(member_id: &str, topics: &[&str]) -> MemberHeartbeat {
    MemberHeartbeat {
        member_id: member_id.to_owned(),
        rebalance_timeout_ms: Some(10_000),
        topic_names: Some(names(topics)),
        owned: Some(Assignment::new()),
        ..MemberHeartbeat::default()
    }
}

fn at(monotonic_ms: u64) -> Now {
    Now {
        monotonic_ms,
        wall_ms: 0,
    }
}

/// What must hold of a group at any time.
pub(crate) fn check(group: &ConsumerGroup) {
    let mut held = BTreeSet::new();
    for (id, member) in &group.members {
        for partition in member.held() {
            assert!(
                held.insert(partition),
                "{partition:?} of {id} has two owners"
            );
        }
        assert_eq!(
            member.current.revoking.is_empty(),
            member.current.state != MemberState::UnrevokedPartitions
        );
        assert!(member.current.epoch <= group.assignment_epoch);
        if let Some(instance) = &member.subscription.instance_id {
            assert_eq!(group.instances.get(instance), Some(id));
        }
    }
    assert_eq!(held, group.taken);
    assert!(
        group
            .instances
            .values()
            .all(|id| group.members.contains_key(id))
    );
    let used = group
        .members
        .values()
        .filter_map(|one| one.subscription.topic_regex.as_ref());
    let used: BTreeSet<&String> = used.collect();
    assert_eq!(group.regexes.keys().collect::<BTreeSet<_>>(), used);
    assert!(group.assignment_epoch <= group.epoch);
    let bytes = group.members.values().map(|one| one.subscription.bytes());
    assert_eq!(bytes.sum::<usize>(), group.bytes);
    let first = group.members.values().map(Member::deadline).min();
    assert!(first.is_none_or(|first| group.wakes_at.is_some_and(|at| at <= first)));
}
