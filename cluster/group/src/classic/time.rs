//! What happens when nothing does: sessions end, waits are over.

use super::ClassicGroup;
use super::join::timeout;
use crate::group::Turn;
use crate::state::GroupState;

impl ClassicGroup {
    /// No deadline of the group is before this.
    pub(crate) const fn wake_at(&self) -> Option<u64> {
        self.wake_at
    }

    /// Remembers a deadline.
    pub(super) fn arm(&mut self, at: u64) {
        self.wake_at = Some(self.wake_at.map_or(at, |wake_at| wake_at.min(at)));
    }

    /// A member was heard of.
    pub(super) fn start_session(&mut self, turn: &Turn<'_>, member_id: &str) {
        let member = self.member_mut(member_id);
        let deadline = turn.after(timeout(member.session_timeout_ms));
        member.session_deadline = Some(deadline);
        self.arm(deadline);
    }

    /// Begins the sessions of all members, after the group was read from the log.
    pub(crate) fn start_sessions(&mut self, turn: &Turn<'_>) {
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            self.start_session(turn, &id);
        }
    }

    /// Does what is due.
    pub(crate) fn on_deadline(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.monotonic_ms;
        self.end_sessions(turn, now);
        self.end_pending(turn, now);
        if self.join_wait.is_some_and(|wait| wait.at <= now) {
            self.join_time_over(turn);
        }
        if self.sync_deadline.is_some_and(|at| at <= now) {
            self.sync_time_over(turn);
        }
        self.wake_at = self.earliest_deadline();
    }

    fn earliest_deadline(&self) -> Option<u64> {
        let sessions = self.members.values().filter_map(|one| one.session_deadline);
        let pending = self.pending.values().copied();
        let join = self.join_wait.map(|wait| wait.at);
        sessions
            .chain(pending)
            .chain(join)
            .chain(self.sync_deadline)
            .min()
    }

    fn end_sessions(&mut self, turn: &mut Turn<'_>, now: u64) {
        let is_due = |at: Option<u64>| at.is_some_and(|at| at <= now);
        let members = self.members.iter();
        let due = members.filter(|(_, member)| is_due(member.session_deadline));
        let due: Vec<String> = due.map(|(id, _)| id.clone()).collect();
        for id in due {
            // The rebalance that one before it began may have removed it, or heard of it.
            let Some(member) = self.members.get_mut(&id) else {
                continue;
            };
            if !is_due(member.session_deadline) {
                continue;
            }
            member.session_deadline = None;
            if member.is_silent() {
                self.remove_member(turn, &id);
                self.rebalance_or_complete(turn);
            }
        }
    }

    fn end_pending(&mut self, turn: &mut Turn<'_>, now: u64) {
        let before = self.pending.len();
        self.pending.retain(|_, deadline| *deadline > now);
        if self.pending.len() < before {
            self.complete_if_all_joined(turn);
        }
    }

    /// Members that have not asked for their assignments are taken out.
    fn sync_time_over(&mut self, turn: &mut Turn<'_>) {
        self.sync_deadline = None;
        let members = self.members.iter().filter(|(_, member)| member.owes_sync);
        let owing: Vec<String> = members.map(|(id, _)| id.clone()).collect();
        let is_over = matches!(
            self.state,
            GroupState::CompletingRebalance | GroupState::Stable
        );
        if owing.is_empty() || !is_over {
            return;
        }
        for id in owing {
            self.remove_member(turn, &id);
        }
        self.prepare_rebalance(turn);
    }
}
