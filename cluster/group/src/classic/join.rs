//! `JoinGroup`: who is a member.

use net_wire::ErrorCode;

use super::ClassicGroup;
use super::member::{Member, member_bytes};
use crate::answer::Answer;
use crate::effect::Token;
use crate::group::Turn;
use crate::request::{JoinGroup, Protocol};
use crate::state::GroupState;

/// How long a new member may wait for its first generation: nothing else tells that its client has
/// gone, for it has no id to send heartbeats with.
const NEW_MEMBER_JOIN_TIMEOUT_MS: u64 = 300_000;
/// Longest part of a member's id that the client chooses.
const ID_PREFIX_BYTES_MAX: usize = 249;

impl ClassicGroup {
    /// Answers at once, or when the rebalance that this begins has everybody.
    pub(crate) fn join(&mut self, turn: &mut Turn<'_>, token: Token, request: &JoinGroup) {
        if !self.has_room_for(turn, request) {
            self.remove_member(turn, &request.member_id);
            turn.refuse_join(token, "", ErrorCode::GROUP_MAX_SIZE_REACHED);
            return self.complete_if_all_joined(turn);
        }
        if !self.supports(&request.protocol_type, &request.protocols) {
            let code = ErrorCode::INCONSISTENT_GROUP_PROTOCOL;
            return turn.refuse_join(token, &request.member_id, code);
        }
        match (&*request.member_id, &request.group_instance_id) {
            ("", None) => self.join_new_dynamic(turn, token, request),
            ("", Some(instance)) => self.join_new_static(turn, token, request, instance),
            (id, _) if self.pending.contains_key(id) => {
                self.add_member(turn, token, id.to_owned(), request);
            },
            (id, instance) => match self.check_member(id, instance.as_deref()) {
                Ok(()) => self.join_again(turn, token, request),
                Err(code) => turn.refuse_join(token, id, code),
            },
        }
    }

    /// Whether one more may join. In a rebalance those count who have come: whoever comes late
    /// finds the group full, even if it was a member before.
    fn has_room_for(&self, turn: &Turn<'_>, request: &JoinGroup) -> bool {
        let known = self.members.get(&request.member_id);
        let others = self.members.values().map(Member::bytes).sum::<usize>();
        let own = member_bytes(&request.protocols);
        let bytes = others - known.map_or(0, Member::bytes) + own;
        if bytes > turn.config.group_bytes_max {
            return false;
        }
        let size_max = turn.config.group_size_max;
        match self.state {
            GroupState::Empty | GroupState::Dead => true,
            GroupState::PreparingRebalance => {
                known.is_some_and(|member| member.awaiting_join.is_some())
                    || self.count_awaiting_join() < size_max
            },
            GroupState::CompletingRebalance | GroupState::Stable => {
                known.is_some() || self.members.len() < size_max
            },
        }
    }

    pub(super) fn count_awaiting_join(&self) -> usize {
        let members = self.members.values();
        members.filter(|one| one.awaiting_join.is_some()).count()
    }

    /// Whether there would still be a protocol that all members know.
    fn supports(&self, protocol_type: &str, protocols: &[Protocol]) -> bool {
        if self.members.is_empty() {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        let known_to_all = |name: &str| self.members.values().all(|member| member.knows(name));
        self.protocol_type() == Some(protocol_type)
            && protocols.iter().any(|one| known_to_all(&one.name))
    }

    fn join_new_dynamic(&mut self, turn: &mut Turn<'_>, token: Token, request: &JoinGroup) {
        let member_id = new_member_id(&request.client_id, request.random);
        if !request.requires_known_member_id {
            return self.add_member(turn, token, member_id, request);
        }
        if self.pending.len() >= turn.config.group_size_max.min(PENDING_MAX) {
            return turn.refuse_join(token, "", ErrorCode::GROUP_MAX_SIZE_REACHED);
        }
        let deadline = turn.after(timeout(request.session_timeout_ms));
        self.arm(deadline);
        self.pending.insert(member_id.clone(), deadline);
        turn.refuse_join(token, &member_id, ErrorCode::MEMBER_ID_REQUIRED);
    }

    fn join_new_static(
        &mut self,
        turn: &mut Turn<'_>,
        token: Token,
        request: &JoinGroup,
        instance: &str,
    ) {
        let member_id = new_member_id(instance, request.random);
        match self.static_members.get(instance).cloned() {
            Some(old) => self.replace_static(turn, token, request, &old, &member_id),
            None => self.add_member(turn, token, member_id, request),
        }
    }

    fn add_member(
        &mut self,
        turn: &mut Turn<'_>,
        token: Token,
        member_id: String,
        request: &JoinGroup,
    ) {
        if self.members.is_empty() {
            self.protocol_type = Some(request.protocol_type.clone());
        }
        self.pending.remove(&member_id);
        if let Some(instance) = &request.group_instance_id {
            self.static_members
                .insert(instance.clone(), member_id.clone());
        }
        self.leader.get_or_insert_with(|| member_id.clone());
        self.new_member_added = true;
        let deadline = turn.after(NEW_MEMBER_JOIN_TIMEOUT_MS);
        self.arm(deadline);
        let member = Member {
            awaiting_join: Some(token),
            session_deadline: Some(deadline),
            ..Member::of(request)
        };
        self.members.insert(member_id, member);
        self.rebalance_or_complete(turn);
    }

    fn join_again(&mut self, turn: &mut Turn<'_>, token: Token, request: &JoinGroup) {
        let id = &*request.member_id;
        let says_the_same = self.member_mut(id).protocols == request.protocols;
        let goes_on = match self.state {
            // It may not have got the answer.
            GroupState::CompletingRebalance => says_the_same,
            // A leader that joins wants a rebalance, whatever it has seen.
            GroupState::Stable => says_the_same && !self.is_leader(id),
            _ => false,
        };
        if goes_on {
            let joined = self.joined(id);
            return turn.out.answer(token, Answer::JoinGroup(joined));
        }
        self.update_member(turn, token, id, request);
        self.rebalance_or_complete(turn);
    }

    fn update_member(
        &mut self,
        turn: &mut Turn<'_>,
        token: Token,
        member_id: &str,
        request: &JoinGroup,
    ) {
        let member = self.member_mut(member_id);
        member.protocols.clone_from(&request.protocols);
        member.rebalance_timeout_ms = request.rebalance_timeout_ms;
        member.session_timeout_ms = request.session_timeout_ms;
        if let Some(before) = member.awaiting_join.replace(token) {
            // Nobody waits there any more: the client has asked anew.
            turn.refuse_join(before, member_id, ErrorCode::REBALANCE_IN_PROGRESS);
        }
    }

    /// A static member came back without its id: it takes the place of what it was.
    fn replace_static(
        &mut self,
        turn: &mut Turn<'_>,
        token: Token,
        request: &JoinGroup,
        old_id: &str,
        new_id: &str,
    ) {
        let leader_before = self.leader.clone().unwrap_or_default();
        self.fence(
            turn,
            old_id,
            new_id,
            &request.client_id,
            &request.client_host,
        );
        self.update_member(turn, token, new_id, request);
        self.start_session(turn, new_id);
        let is_unchanged =
            self.state == GroupState::Stable && self.protocol_name == self.select_protocol();
        if !is_unchanged {
            return self.rebalance_or_complete(turn);
        }
        // It gets what its former self had, and nobody else notices.
        self.member_mut(new_id).awaiting_join = None;
        self.subscribed = self.subscribed_topics();
        self.write(turn);
        let mut joined = self.joined(new_id);
        if request.supports_skipping_assignment {
            joined.skip_assignment = self.is_leader(new_id);
        } else {
            // An older leader would assign anew if it were told that it leads.
            joined.leader = leader_before;
            joined.members.clear();
        }
        turn.out.answer(token, Answer::JoinGroup(joined));
    }

    /// Gives the place of a static member to another id; whoever has the old one is fenced.
    fn fence(
        &mut self,
        turn: &mut Turn<'_>,
        old_id: &str,
        new_id: &str,
        client_id: &str,
        client_host: &str,
    ) {
        let mut member = self
            .members
            .remove(old_id)
            .expect("static members are members");
        if let Some(waiting) = member.awaiting_join.take() {
            turn.refuse_join(waiting, old_id, ErrorCode::FENCED_INSTANCE_ID);
        }
        if let Some(waiting) = member.awaiting_sync.take() {
            turn.refuse(waiting, ErrorCode::FENCED_INSTANCE_ID);
        }
        client_id.clone_into(&mut member.client_id);
        client_host.clone_into(&mut member.client_host);
        if self.is_leader(old_id) {
            self.leader = Some(new_id.to_owned());
        }
        if let Some(instance) = &member.group_instance_id {
            self.static_members
                .insert(instance.clone(), new_id.to_owned());
        }
        self.members.insert(new_id.to_owned(), member);
    }
}

/// Ids of a group that may be given and not used.
const PENDING_MAX: usize = 10_000;

/// A timeout of a client; a negative one is none at all.
pub(super) const fn timeout(ms: i32) -> u64 {
    if ms < 0 { 0 } else { ms.unsigned_abs() as u64 }
}

/// As Kafka forms it: a name and a UUID.
fn new_member_id(name: &str, random: u128) -> String {
    let end = name.floor_char_boundary(ID_PREFIX_BYTES_MAX);
    let (name, hex) = (&name[..end], format!("{random:032x}"));
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    format!("{name}-{}", parts.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_a_name_and_a_uuid() {
        let random = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;
        let expected = "me-01234567-89ab-cdef-0123-456789abcdef";
        assert_eq!(new_member_id("me", random), expected);
        let long = new_member_id(&"ä".repeat(1_000), random);
        assert_eq!(long.len(), 248 + 37);
    }
}
