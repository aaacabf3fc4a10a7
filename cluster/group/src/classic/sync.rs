//! `SyncGroup`: the leader brings assignments, everybody gets theirs.

use net_wire::ErrorCode;

use super::ClassicGroup;
use super::member::protocol_bytes;
use crate::answer::{Answer, SyncedGroup};
use crate::effect::Token;
use crate::group::Turn;
use crate::request::SyncGroup;
use crate::state::GroupState;

impl ClassicGroup {
    /// Answers at once, or when the leader has assigned.
    pub(crate) fn sync(&mut self, turn: &mut Turn<'_>, token: Token, request: SyncGroup) {
        if let Err(code) = self.check_sync(&request) {
            return turn.refuse(token, code);
        }
        match self.state {
            GroupState::Empty | GroupState::Dead => {
                turn.refuse(token, ErrorCode::UNKNOWN_MEMBER_ID);
            },
            GroupState::PreparingRebalance => turn.refuse(token, ErrorCode::REBALANCE_IN_PROGRESS),
            GroupState::CompletingRebalance => self.sync_generation(turn, token, request),
            GroupState::Stable => {
                self.member_mut(&request.member_id).owes_sync = false;
                self.settle_syncs();
                let synced = self.synced(&request.member_id);
                turn.out.answer(token, Answer::SyncGroup(synced));
            },
        }
    }

    fn check_sync(&self, request: &SyncGroup) -> Result<(), ErrorCode> {
        let instance = request.group_instance_id.as_deref();
        self.check_generation(&request.member_id, instance, request.generation_id)?;
        // Members of versions below 5 do not say what they believe.
        let differs = |said: &Option<String>, known: &Option<String>| {
            said.is_some() && known.is_some() && said != known
        };
        if differs(&request.protocol_type, &self.protocol_type)
            || differs(&request.protocol_name, &self.protocol_name)
        {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        Ok(())
    }

    fn sync_generation(&mut self, turn: &mut Turn<'_>, token: Token, request: SyncGroup) {
        let member = self.member_mut(&request.member_id);
        member.owes_sync = false;
        if let Some(before) = member.awaiting_sync.replace(token) {
            // Nobody waits there any more: the client has asked anew.
            turn.refuse(before, ErrorCode::REBALANCE_IN_PROGRESS);
        }
        self.settle_syncs();
        if self.is_leader(&request.member_id) {
            self.assign(turn, request.assignments);
        }
    }

    /// Nobody is waited for any more once everybody has asked.
    fn settle_syncs(&mut self) {
        if self.members.values().all(|member| !member.owes_sync) {
            self.sync_deadline = None;
        }
    }

    fn assign(&mut self, turn: &mut Turn<'_>, assignments: Vec<(String, Vec<u8>)>) {
        let said = self
            .members
            .values()
            .map(|one| protocol_bytes(&one.protocols));
        let assigned = assignments.iter().map(|(_, assignment)| assignment.len());
        if said.chain(assigned).sum::<usize>() > 2 * turn.config.group_bytes_max {
            self.refuse_syncs(turn, ErrorCode::UNKNOWN_SERVER_ERROR);
            return self.prepare_rebalance(turn);
        }
        // Who is not named gets nothing.
        for member in self.members.values_mut() {
            member.assignment = Vec::new();
        }
        for (id, assignment) in assignments {
            if let Some(member) = self.members.get_mut(&id) {
                member.assignment = assignment;
            }
        }
        self.set_state(turn, GroupState::Stable);
        self.write(turn);
        self.give_assignments(turn);
    }

    fn give_assignments(&mut self, turn: &mut Turn<'_>) {
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            if let Some(waiting) = self.member_mut(&id).awaiting_sync.take() {
                let synced = self.synced(&id);
                turn.out.answer(waiting, Answer::SyncGroup(synced));
                self.start_session(turn, &id);
            }
        }
    }

    fn synced(&self, member_id: &str) -> SyncedGroup {
        let assignment = self.members.get(member_id).map(|one| &one.assignment);
        SyncedGroup {
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            assignment: assignment.cloned().unwrap_or_default(),
        }
    }
}
