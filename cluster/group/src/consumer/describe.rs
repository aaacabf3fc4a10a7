//! A consumer group as admin clients see it.

use super::assignor::Assignor;
use super::{Assignment, ConsumerGroup, ConsumerGroupState};
use crate::record::Subscription;

/// A consumer group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedConsumerGroup {
    /// Its state.
    pub state: ConsumerGroupState,
    /// Its epoch.
    pub epoch: i32,
    /// The one that the target assignment was made for.
    pub assignment_epoch: i32,
    /// The assignor in use.
    pub assignor: Assignor,
    /// The members.
    pub members: Vec<DescribedConsumerMember>,
}

/// A member of a consumer group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedConsumerMember {
    /// Its id.
    pub member_id: String,
    /// What it is and reads.
    pub subscription: Subscription,
    /// Its epoch.
    pub epoch: i32,
    /// What it has.
    pub assigned: Assignment,
    /// What it shall have.
    pub target: Assignment,
}

impl ConsumerGroup {
    /// The group as it is.
    pub fn describe(&self, assignors: &[Assignor]) -> DescribedConsumerGroup {
        let members = self.members.iter();
        let members = members.map(|(id, member)| DescribedConsumerMember {
            member_id: id.clone(),
            subscription: member.subscription.clone(),
            epoch: member.current.epoch,
            assigned: member.current.assigned.clone(),
            target: self.target.get(id).cloned().unwrap_or_default(),
        });
        DescribedConsumerGroup {
            state: self.state(),
            epoch: self.epoch,
            assignment_epoch: self.assignment_epoch,
            assignor: self.assignor(assignors),
            members: members.collect(),
        }
    }
}
