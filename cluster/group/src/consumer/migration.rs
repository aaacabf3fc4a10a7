//! A group of the classic protocol that becomes one of the consumer protocol, and back.

use net_wire::consumer_protocol::CONSUMER;

use super::member::partitions;
use super::{Assignment, ConsumerConfig, ConsumerGroup, Member, MemberState};
use crate::effect::Now;
use crate::record::{
    ConsumerRecord, CurrentAssignment, GroupEpoch, GroupMetadata, MemberMetadata, Subscription,
};

/// A member of a classic group, as what it will be.
#[derive(Clone, Debug)]
pub(crate) struct FormerMember {
    pub(crate) member_id: String,
    pub(crate) subscription: Subscription,
    pub(crate) assigned: Assignment,
}

impl ConsumerGroup {
    /// The group that these members are now: their generation is their epoch.
    pub(crate) fn upgraded(
        now: Now,
        generation: i32,
        former: Vec<FormerMember>,
        config: &ConsumerConfig,
    ) -> Self {
        let mut group = Self {
            epoch: generation,
            assignment_epoch: generation,
            ..Self::default()
        };
        for member in former {
            group.take_over(generation, member);
        }
        let epoch = GroupEpoch {
            epoch: generation,
            metadata_hash: 0,
        };
        group.unwritten.extend([
            ConsumerRecord::TargetEpoch(Some(generation)),
            ConsumerRecord::Group(Some(epoch)),
        ]);
        group.begin_sessions(now, config);
        group
    }

    fn take_over(&mut self, epoch: i32, former: FormerMember) {
        let FormerMember {
            member_id,
            subscription,
            mut assigned,
        } = former;
        // A leader may have given a partition to two: the first one has it.
        let taken: Assignment = std::mem::take(&mut assigned);
        for (topic, partition) in partitions(&taken) {
            if self.taken.insert((topic, partition)) {
                assigned.entry(topic).or_default().insert(partition);
            }
        }
        let target = ConsumerRecord::Target(member_id.clone(), Some(assigned.clone()));
        self.target.insert(member_id.clone(), assigned.clone());
        let member = Member {
            subscription,
            current: CurrentAssignment {
                epoch,
                previous_epoch: epoch,
                state: MemberState::Stable,
                assigned,
                revoking: Assignment::new(),
            },
            ..Member::default()
        };
        self.members.insert(member_id.clone(), member);
        self.write_member(&member_id);
        self.unwritten.push(target);
        self.write_current(&member_id);
    }

    /// The classic group that the members are now, all of whom speak that protocol. Their leader
    /// will assign anew.
    pub(crate) fn downgraded(&self, now: Now) -> GroupMetadata {
        let known_to_all = |name: &str| {
            let mut others = self.members.values().filter_map(Member::classic);
            others.all(|one| one.protocols.iter().any(|known| known.name == name))
        };
        let first = self.members.values().find_map(Member::classic);
        let mut candidates = first.into_iter().flat_map(|one| &one.protocols);
        let protocol = candidates.find(|one| known_to_all(&one.name));
        let protocol = protocol.map(|one| one.name.clone()).unwrap_or_default();
        let members = self.members.iter();
        let members = members.map(|(id, member)| member.downgraded(id, &protocol));
        GroupMetadata {
            protocol_type: CONSUMER.to_owned(),
            generation: self.epoch,
            members: members.collect(),
            protocol: Some(protocol),
            leader: self.members.keys().next().cloned(),
            state_timestamp_ms: Some(now.wall_ms),
        }
    }
}

impl Member {
    fn downgraded(&self, member_id: &str, protocol: &str) -> MemberMetadata {
        let known = &self.subscription;
        let classic = known.classic.clone().unwrap_or_default();
        let mut protocols = classic.protocols.into_iter();
        let said = protocols.find(|one| one.name == protocol);
        MemberMetadata {
            member_id: member_id.to_owned(),
            group_instance_id: known.instance_id.clone(),
            client_id: known.client_id.clone(),
            client_host: known.client_host.clone(),
            rebalance_timeout_ms: known.rebalance_timeout_ms,
            session_timeout_ms: classic.session_timeout_ms,
            subscription: said.map(|one| one.metadata).unwrap_or_default(),
            assignment: Vec::new(),
        }
    }
}
