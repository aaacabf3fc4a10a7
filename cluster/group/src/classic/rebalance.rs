//! Generations: how they begin and how they end.

use std::collections::BTreeMap;
use std::mem;

use net_wire::ErrorCode;

use super::join::timeout;
use super::{ClassicGroup, JoinWait};
use crate::answer::Answer;
use crate::group::Turn;
use crate::state::GroupState;

/// How long a group of absent static members waits at least before it looks again.
const ABSENT_WAIT_MIN_MS: u64 = 1_000;

impl ClassicGroup {
    /// Something about the members changed: they have to join anew, or are doing so already.
    pub(super) fn rebalance_or_complete(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            GroupState::PreparingRebalance => self.complete_if_all_joined(turn),
            _ => self.prepare_rebalance(turn),
        }
    }

    pub(super) fn prepare_rebalance(&mut self, turn: &mut Turn<'_>) {
        if self.state == GroupState::CompletingRebalance {
            self.refuse_syncs(turn, ErrorCode::REBALANCE_IN_PROGRESS);
        }
        self.sync_deadline = None;
        let is_initial = self.state == GroupState::Empty;
        self.set_state(turn, GroupState::PreparingRebalance);
        if is_initial {
            // More members are likely to come: they are spared a rebalance each.
            let delay = turn.config.initial_rebalance_delay_ms;
            let left = self.rebalance_timeout_ms().saturating_sub(delay);
            self.new_member_added = false;
            self.wait_for_joins(turn.after(delay), Some((delay, left)));
        } else if self.have_all_joined() {
            self.complete_join(turn);
        } else {
            self.wait_for_joins(turn.after(self.rebalance_timeout_ms()), None);
        }
    }

    fn wait_for_joins(&mut self, at: u64, initial: Option<(u64, u64)>) {
        self.arm(at);
        self.join_wait = Some(JoinWait { at, initial });
    }

    /// The longest that any member wants to be waited for.
    pub(super) fn rebalance_timeout_ms(&self) -> u64 {
        let timeouts = self.members.values().map(|one| one.rebalance_timeout_ms);
        timeouts.max().map_or(0, timeout)
    }

    fn have_all_joined(&self) -> bool {
        self.pending.is_empty() && self.count_awaiting_join() == self.members.len()
    }

    /// Ends the wait for joins if nobody is missing; the initial delay is waited for anyway.
    pub(super) fn complete_if_all_joined(&mut self, turn: &mut Turn<'_>) {
        let is_initial = self.join_wait.is_some_and(|wait| wait.initial.is_some());
        let is_preparing = self.state == GroupState::PreparingRebalance;
        if is_preparing && !is_initial && self.have_all_joined() {
            self.complete_join(turn);
        }
    }

    /// The time to join is over.
    pub(super) fn join_time_over(&mut self, turn: &mut Turn<'_>) {
        let wait = self.join_wait.take();
        match wait.and_then(|wait| wait.initial) {
            Some((delay, left)) if self.new_member_added && left > 0 => {
                self.new_member_added = false;
                let next = turn.config.initial_rebalance_delay_ms.min(left);
                let left = left.saturating_sub(delay);
                self.wait_for_joins(turn.after(next), Some((next, left)));
            },
            _ => self.complete_join(turn),
        }
    }

    /// Begins the next generation with those who have joined.
    fn complete_join(&mut self, turn: &mut Turn<'_>) {
        self.join_wait = None;
        self.remove_absent(turn);
        if !self.members.is_empty() && !self.elect_leader() {
            // Only static members are left, and none of them is here: they have their sessions.
            let wait = self.rebalance_timeout_ms().max(ABSENT_WAIT_MIN_MS);
            return self.wait_for_joins(turn.after(wait), None);
        }
        self.generation = self.generation.checked_add(1).unwrap_or(0);
        if self.members.is_empty() {
            self.become_empty(turn);
        } else {
            self.begin_generation(turn);
        }
    }

    /// Takes out those who did not join again. Static members keep their places.
    fn remove_absent(&mut self, turn: &mut Turn<'_>) {
        let members = self.members.iter();
        let absent = members.filter(|(_, one)| one.awaiting_join.is_none() && !one.is_static());
        let absent: Vec<String> = absent.map(|(id, _)| id.clone()).collect();
        for id in absent {
            self.remove_member(turn, &id);
        }
    }

    /// Sees to it that the leader is one who has joined.
    fn elect_leader(&mut self) -> bool {
        let has_joined = |id: &String| {
            let member = self.members.get(id);
            member.is_some_and(|member| member.awaiting_join.is_some())
        };
        if self.leader.as_ref().is_some_and(has_joined) {
            return true;
        }
        let Some(elected) = self.members.keys().find(|id| has_joined(id)).cloned() else {
            return false;
        };
        self.leader = Some(elected);
        true
    }

    fn become_empty(&mut self, turn: &mut Turn<'_>) {
        self.protocol_name = None;
        self.leader = None;
        self.subscribed = self.subscribed_topics();
        self.set_state(turn, GroupState::Empty);
        self.write(turn);
    }

    fn begin_generation(&mut self, turn: &mut Turn<'_>) {
        self.protocol_name = self.select_protocol();
        self.subscribed = self.subscribed_topics();
        self.set_state(turn, GroupState::CompletingRebalance);
        let deadline = turn.after(self.rebalance_timeout_ms());
        self.arm(deadline);
        self.sync_deadline = Some(deadline);
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            self.start_session(turn, &id);
            let member = self.member_mut(&id);
            member.is_new = false;
            member.owes_sync = true;
            if let Some(waiting) = member.awaiting_join.take() {
                let joined = self.joined(&id);
                turn.out.answer(waiting, Answer::JoinGroup(joined));
            }
        }
    }

    /// Of the protocols that all members know, the one that most of them like best.
    pub(super) fn select_protocol(&self) -> Option<String> {
        let mut members = self.members.values();
        let known_to_all = |name: &str| self.members.values().all(|member| member.knows(name));
        let first = members.next()?;
        let candidates: Vec<&str> = first
            .protocols
            .iter()
            .map(|one| &*one.name)
            .filter(|name| known_to_all(name))
            .collect();
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let mut names = member.protocols.iter().map(|one| &*one.name);
            if let Some(vote) = names.find(|name| candidates.contains(name)) {
                *votes.entry(vote).or_default() += 1;
            }
        }
        // Among equals the first by name.
        let most = votes.into_iter().rev().max_by_key(|(_, count)| *count);
        most.map(|(name, _)| name.to_owned())
    }

    /// Takes a member out, or one who was given an id. Whoever waits under it is told.
    pub(super) fn remove_member(&mut self, turn: &mut Turn<'_>, member_id: &str) {
        self.pending.remove(member_id);
        let Some(mut member) = self.members.remove(member_id) else {
            return;
        };
        if let Some(waiting) = member.awaiting_join.take() {
            turn.refuse_join(waiting, "", ErrorCode::UNKNOWN_MEMBER_ID);
        }
        if let Some(waiting) = member.awaiting_sync.take() {
            turn.refuse(waiting, ErrorCode::UNKNOWN_MEMBER_ID);
        }
        if let Some(instance) = &member.group_instance_id {
            self.static_members.remove(instance);
        }
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
    }

    /// The generation ends before it had its assignments.
    pub(super) fn refuse_syncs(&mut self, turn: &mut Turn<'_>, code: ErrorCode) {
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let member = self.member_mut(&id);
            mem::take(&mut member.assignment);
            if let Some(waiting) = member.awaiting_sync.take() {
                turn.refuse(waiting, code);
                self.start_session(turn, &id);
            }
        }
    }
}
