//! What is left of a classic group whose members go on in a group of the consumer protocol.

use net_wire::ErrorCode;
use net_wire::consumer_protocol::{ConsumerAssignment, ConsumerSubscription};

use super::ClassicGroup;
use super::member::Member;
use crate::consumer::{FormerMember, Topics, identified};
use crate::group::Turn;
use crate::record::{ClassicMember, Subscription};

impl ClassicGroup {
    pub(crate) const fn generation(&self) -> i32 {
        self.generation
    }

    pub(crate) fn member_count(&self) -> usize {
        self.members.len()
    }

    /// The members with what they read and have, or why they cannot change.
    pub(crate) fn former_members(
        &self,
        topics: &dyn Topics,
    ) -> Result<Vec<FormerMember>, &'static str> {
        if !self.is_of_consumers() {
            return Err("the group does not use the consumer embedded protocol.");
        }
        let members = self.members.iter();
        members
            .map(|(id, member)| self.former_member(id, member, topics))
            .collect()
    }

    fn former_member(
        &self,
        member_id: &str,
        member: &Member,
        topics: &dyn Topics,
    ) -> Result<FormerMember, &'static str> {
        let malformed = "the embedded consumer protocol is malformed.";
        let first = member.protocols.first().map(|one| &*one.name);
        let protocol = self.protocol_name.as_deref().or(first).unwrap_or_default();
        let said = ConsumerSubscription::read(member.metadata(protocol)).map_err(|_| malformed)?;
        let assigned = ConsumerAssignment::read(&member.assignment).map_err(|_| malformed)?;
        if assigned.has_user_data {
            return Err(
                "an unsupported custom assignor is in use. Please refer to the documentation or \
                 switch to a default assignor before re-attempting the upgrade.",
            );
        }
        Ok(FormerMember {
            member_id: member_id.to_owned(),
            subscription: Subscription {
                instance_id: member.group_instance_id.clone(),
                rack_id: said.rack_id,
                client_id: member.client_id.clone(),
                client_host: member.client_host.clone(),
                topic_names: said.topics,
                topic_regex: None,
                rebalance_timeout_ms: member.rebalance_timeout_ms,
                server_assignor: None,
                classic: Some(ClassicMember {
                    session_timeout_ms: member.session_timeout_ms,
                    protocols: member.protocols.clone(),
                }),
            },
            assigned: identified(&assigned.partitions, topics),
        })
    }

    /// Sends everybody who waits to join again.
    pub(crate) fn send_away(&mut self, turn: &mut Turn<'_>) {
        let code = ErrorCode::REBALANCE_IN_PROGRESS;
        for (id, member) in &mut self.members {
            if let Some(waiting) = member.awaiting_join.take() {
                turn.refuse_join(waiting, id, code);
            }
            if let Some(waiting) = member.awaiting_sync.take() {
                turn.refuse(waiting, code);
            }
        }
    }

    /// Members of another protocol have become these: their leader is to assign.
    pub(crate) fn begin_anew(&mut self, turn: &mut Turn<'_>) {
        self.start_sessions(turn);
        self.prepare_rebalance(turn);
    }
}
