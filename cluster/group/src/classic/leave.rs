//! `Heartbeat` and `LeaveGroup`: members that stay, and those that go.

use net_wire::ErrorCode;

use super::ClassicGroup;
use crate::answer::{Answer, LeftMember};
use crate::effect::Token;
use crate::group::Turn;
use crate::request::{Heartbeat, LeavingMember};
use crate::state::GroupState;

impl ClassicGroup {
    pub(crate) fn heartbeat(&mut self, turn: &mut Turn<'_>, token: Token, request: &Heartbeat) {
        let id = &*request.member_id;
        let instance = request.group_instance_id.as_deref();
        if let Err(code) = self.check_generation(id, instance, request.generation_id) {
            return turn.refuse(token, code);
        }
        self.start_session(turn, id);
        match self.state {
            GroupState::PreparingRebalance => turn.refuse(token, ErrorCode::REBALANCE_IN_PROGRESS),
            _ => turn.out.answer(token, Answer::Heartbeat),
        }
    }

    /// A member that commits is alive.
    pub(crate) fn committed(&mut self, turn: &Turn<'_>, member_id: &str) {
        if self.members.contains_key(member_id) {
            self.start_session(turn, member_id);
        }
    }

    pub(crate) fn leave(&mut self, turn: &mut Turn<'_>, token: Token, members: Vec<LeavingMember>) {
        let left: Vec<LeftMember> = members
            .into_iter()
            .map(|member| LeftMember {
                error_code: self
                    .leave_one(turn, &member)
                    .err()
                    .unwrap_or(ErrorCode::NONE),
                member_id: member.member_id,
                group_instance_id: member.group_instance_id,
            })
            .collect();
        let somebody_left = left.iter().any(|member| member.error_code.is_none());
        if somebody_left && self.state != GroupState::Empty {
            self.rebalance_or_complete(turn);
        }
        turn.out.answer(token, Answer::LeaveGroup(left));
    }

    fn leave_one(&mut self, turn: &mut Turn<'_>, leaving: &LeavingMember) -> Result<(), ErrorCode> {
        let instance = leaving.group_instance_id.as_deref();
        let id = match (&*leaving.member_id, instance) {
            // An admin client names a static member.
            ("", Some(instance)) => self
                .static_members
                .get(instance)
                .cloned()
                .ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?,
            (id, _) if self.pending.contains_key(id) => id.to_owned(),
            (id, instance) => {
                self.check_member(id, instance)?;
                id.to_owned()
            },
        };
        self.remove_member(turn, &id);
        Ok(())
    }
}
