//! The groups of one partition of `__consumer_offsets`.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use net_wire::{ErrorCode, Uuid};

use crate::answer::{Answer, ListedGroup};
use crate::classic::ClassicGroup;
use crate::config::Config;
use crate::consumer::Topics;
use crate::effect::{Now, Outbox, Token};
use crate::expiry::Expiry;
use crate::group::{Group, Members, Turn};
use crate::protocols::left;
use crate::record::Record;
use crate::request::{JoinGroup, LeaveGroup, ListGroups, Request};

/// A coordinator. Its whole state is what its partition's records say, and who waits.
///
/// To start one: [`Coordinator::replay`] every record in the order of the log, then
/// [`Coordinator::loaded`]. From then on it is told of requests, and of time as
/// [`Coordinator::next_deadline`] asks for it; what is to be done comes out in an [`Outbox`].
#[derive(Debug)]
pub struct Coordinator {
    pub(crate) config: Config,
    pub(crate) groups: BTreeMap<String, Group>,
    /// When groups want to be woken.
    deadlines: BTreeSet<(u64, String)>,
    pub(crate) expiry: Expiry,
    /// Committed offsets of all groups.
    pub(crate) offsets: usize,
}

impl Coordinator {
    /// A coordinator without groups.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            groups: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            expiry: Expiry::default(),
            offsets: 0,
        }
    }

    /// How many groups there are.
    pub fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// Takes a record of the log into the state.
    pub fn replay(&mut self, record: Record) {
        let id = record.group_id().to_owned();
        let group = self.group_or_new(&id);
        let before = group.offsets.len();
        match record {
            Record::OffsetCommit {
                topic,
                partition,
                value: Some(offset),
                ..
            } => group.offsets.insert(&topic, partition, offset),
            Record::OffsetCommit {
                topic, partition, ..
            } => {
                group.offsets.remove(&topic, partition);
            },
            Record::GroupMetadata {
                value: Some(value), ..
            } => group.members = Members::Classic(ClassicGroup::from_record(&id, value)),
            // Of what the group was before it changed its protocol.
            Record::GroupMetadata { .. } if group.members.classic().is_none() => {},
            Record::GroupMetadata { .. } => {
                group.members = Members::Classic(ClassicGroup::new(&id));
            },
            Record::Consumer { record, .. } => group.members.replay(record),
        }
        let after = group.offsets.len();
        self.settle(&id, before, after);
    }

    /// The log is read: sessions begin, and offsets are looked at for expiry.
    pub fn loaded(&mut self, now: Now, out: &mut Outbox) {
        let ids: Vec<String> = self.groups.keys().cloned().collect();
        for id in ids {
            self.with_group(now, &id, out, |group, turn| {
                group.members.loaded(turn);
            });
        }
        self.expiry.begin(now, &self.config);
    }

    /// The next point of the monotonic clock at which [`Coordinator::on_deadline`] has something
    /// to do; it may turn out to be nothing.
    pub fn next_deadline(&self) -> Option<u64> {
        let groups = self.deadlines.first().map(|(at, _)| *at);
        groups.into_iter().chain(self.expiry.at()).min()
    }

    /// Does what is due.
    pub fn on_deadline(&mut self, now: Now, out: &mut Outbox) {
        while let Some((at, _)) = self.deadlines.first()
            && *at <= now.monotonic_ms
        {
            let Some((_, id)) = self.deadlines.pop_first() else {
                break;
            };
            if let Some(group) = self.groups.get_mut(&id) {
                group.wakes_at = None;
            }
            self.with_group(now, &id, out, |group, turn| group.members.on_deadline(turn));
        }
        self.expire(now, out);
    }

    /// Answers a request now or later, under `token`. `topics` are those of the cluster.
    pub fn on_request(
        &mut self,
        now: Now,
        token: Token,
        request: Request,
        topics: &dyn Topics,
        out: &mut Outbox,
    ) {
        match request {
            Request::JoinGroup(request) => self.join(now, token, &request, topics, out),
            Request::SyncGroup(request) => {
                let id = request.group_id.clone();
                self.of_member(now, token, &id, out, |group, turn| {
                    group.sync(turn, token, request, topics);
                });
            },
            Request::Heartbeat(request) => {
                self.of_member(now, token, &request.group_id, out, |group, turn| {
                    group.heartbeat(turn, token, &request);
                });
            },
            Request::LeaveGroup(request) => self.leave(now, token, request, out),
            Request::OffsetCommit(request) => self.commit(now, token, &request, out),
            Request::OffsetFetch(request) => out.answer(token, self.fetch(&request)),
            Request::DescribeGroup(id) => out.answer(token, self.describe(&id)),
            Request::ListGroups(request) => {
                out.answer(token, Answer::ListGroups(self.list(&request)));
            },
            Request::DeleteGroup(id) => self.delete(now, token, &id, out),
            Request::OffsetDelete(request) => self.delete_offsets(now, token, &request, out),
            Request::ConsumerGroupHeartbeat(request) => {
                let update = self.consumer_heartbeat(now, &request, topics, out);
                out.answer(token, Answer::ConsumerGroupHeartbeat(update));
            },
            Request::ConsumerGroupDescribe(id) => {
                let described = self.describe_consumer_group(&id);
                out.answer(token, Answer::ConsumerGroupDescribe(described));
            },
        }
    }

    /// Removes the offsets of topics that are gone: those whose name and id (zero if the record
    /// does not say) `exists` does not know.
    pub fn retain_topics(
        &mut self,
        now: Now,
        exists: impl Fn(&str, Uuid) -> bool,
        out: &mut Outbox,
    ) {
        let ids: Vec<String> = self.groups.keys().cloned().collect();
        for id in ids {
            self.with_group(now, &id, out, |group, turn| {
                let all = group.offsets.iter();
                let gone = all.filter(|(topic, _, offset)| !exists(topic, offset.topic_id));
                let gone = gone.map(|(topic, partition, _)| (topic.to_owned(), partition));
                let gone: Vec<_> = gone.collect();
                remove_offsets(&id, group, turn, gone);
            });
        }
    }

    pub(crate) fn group_or_new(&mut self, id: &str) -> &mut Group {
        if !self.groups.contains_key(id) {
            self.groups.insert(id.to_owned(), Group::new(id));
        }
        self.groups.get_mut(id).expect("it was inserted just now")
    }

    /// Does something to a group, and what always follows. What changes members of the consumer
    /// protocol leaves the answer to the caller: the change is appended behind it.
    pub(crate) fn with_group<R>(
        &mut self,
        now: Now,
        id: &str,
        out: &mut Outbox,
        act: impl FnOnce(&mut Group, &mut Turn<'_>) -> R,
    ) -> Option<R> {
        let group = self.groups.get_mut(id)?;
        let before = group.offsets.len();
        let mut turn = Turn {
            now,
            config: &self.config,
            out,
        };
        let result = act(group, &mut turn);
        group.write(id, &mut turn);
        let after = group.offsets.len();
        self.settle(id, before, after);
        Some(result)
    }

    /// Counts offsets, notes the next deadline of a group, and forgets it if there is nothing to
    /// know about it.
    fn settle(&mut self, id: &str, offsets_before: usize, offsets_after: usize) {
        self.offsets = self.offsets - offsets_before + offsets_after;
        let Some(group) = self.groups.get_mut(id) else {
            return;
        };
        let is_blank = group.is_blank();
        let wanted = group.members.wake_at().filter(|_| !is_blank);
        if wanted != group.wakes_at {
            if let Some(at) = group.wakes_at {
                self.deadlines.remove(&(at, id.to_owned()));
            }
            self.deadlines.extend(wanted.map(|at| (at, id.to_owned())));
            group.wakes_at = wanted;
        }
        if is_blank {
            self.groups.remove(id);
        }
    }

    /// A request of a member: without the group there is no such member.
    fn of_member(
        &mut self,
        now: Now,
        token: Token,
        id: &str,
        out: &mut Outbox,
        act: impl FnOnce(&mut Group, &mut Turn<'_>),
    ) {
        if id.is_empty() {
            return out.answer(token, Answer::Refused(ErrorCode::INVALID_GROUP_ID));
        }
        if self.with_group(now, id, out, act).is_none() {
            out.answer(token, Answer::Refused(ErrorCode::UNKNOWN_MEMBER_ID));
        }
    }

    fn join(
        &mut self,
        now: Now,
        token: Token,
        request: &JoinGroup,
        topics: &dyn Topics,
        out: &mut Outbox,
    ) {
        let mut turn = Turn {
            now,
            config: &self.config,
            out,
        };
        let id = &*request.group_id;
        let timeouts = turn.config.session_timeout_min_ms..=turn.config.session_timeout_max_ms;
        let (member_id, code) = if id.is_empty() {
            (&*request.member_id, ErrorCode::INVALID_GROUP_ID)
        } else if !timeouts.contains(&request.session_timeout_ms) {
            ("", ErrorCode::INVALID_SESSION_TIMEOUT)
        } else if self.groups.contains_key(id) {
            ("", ErrorCode::NONE)
        } else if !request.member_id.is_empty() {
            (&*request.member_id, ErrorCode::UNKNOWN_MEMBER_ID)
        } else if self.groups.len() >= turn.config.groups_max {
            ("", ErrorCode::COORDINATOR_NOT_AVAILABLE)
        } else {
            ("", ErrorCode::NONE)
        };
        if !code.is_none() {
            return turn.refuse_join(token, member_id, code);
        }
        self.group_or_new(id);
        let joined = self.with_group(now, id, out, |group, turn| {
            group.join(turn, token, request, topics)
        });
        if let Some(joined) = joined.flatten() {
            out.answer(token, Answer::JoinGroup(joined));
        }
    }

    fn leave(&mut self, now: Now, token: Token, request: LeaveGroup, out: &mut Outbox) {
        let (id, members) = (request.group_id, request.members);
        if id.is_empty() {
            return out.answer(token, Answer::Refused(ErrorCode::INVALID_GROUP_ID));
        }
        let answer = if self.groups.contains_key(&id) {
            let leave = |group: &mut Group, turn: &mut Turn<'_>| group.leave(turn, token, members);
            self.with_group(now, &id, out, leave).flatten()
        } else {
            Some(left(members, iter::repeat(ErrorCode::UNKNOWN_MEMBER_ID)))
        };
        if let Some(answer) = answer {
            out.answer(token, answer);
        }
    }

    /// A group of the other protocol is as none, and is told apart by its code.
    fn describe(&self, id: &str) -> Answer {
        let members = self.groups.get(id).map(|group| &group.members);
        match members.map(Members::classic) {
            None => Answer::DescribeGroup(ClassicGroup::dead().describe()),
            Some(Some(classic)) => Answer::DescribeGroup(classic.describe()),
            Some(None) => Answer::Refused(ErrorCode::GROUP_ID_NOT_FOUND),
        }
    }

    fn list(&self, request: &ListGroups) -> Vec<ListedGroup> {
        let is_among = |list: &[String], name: &str| {
            list.is_empty() || list.iter().any(|one| one.eq_ignore_ascii_case(name))
        };
        let groups = self.groups.iter().map(|(id, group)| ListedGroup {
            group_id: id.clone(),
            protocol_type: group.members.protocol_type().to_owned(),
            state: group.members.state_name(),
            group_type: group.members.type_name(),
        });
        groups
            .filter(|group| is_among(&request.types, group.group_type))
            .filter(|group| is_among(&request.states, group.state))
            .collect()
    }

    fn delete(&mut self, now: Now, token: Token, id: &str, out: &mut Outbox) {
        let answer = match self.groups.get(id) {
            None => Answer::Refused(ErrorCode::GROUP_ID_NOT_FOUND),
            Some(group) if group.members.is_empty() => {
                self.with_group(now, id, out, |group, turn| remove_group(id, group, turn));
                Answer::DeleteGroup
            },
            Some(_) => Answer::Refused(ErrorCode::NON_EMPTY_GROUP),
        };
        out.answer(token, answer);
    }
}

/// Removes offsets; those that are not there are not missed.
pub(crate) fn remove_offsets(
    id: &str,
    group: &mut Group,
    turn: &mut Turn<'_>,
    gone: Vec<(String, i32)>,
) {
    let mut records = Vec::new();
    for (topic, partition) in gone {
        if group.offsets.remove(&topic, partition) {
            records.push(Record::OffsetCommit {
                group_id: id.to_owned(),
                topic,
                partition,
                value: None,
            });
        }
    }
    turn.out.append(records);
}

/// Removes a group without members; nothing of it is left.
pub(crate) fn remove_group(id: &str, group: &mut Group, turn: &mut Turn<'_>) {
    let all = group.offsets.iter();
    let all = all.map(|(topic, partition, _)| (topic.to_owned(), partition));
    let all: Vec<_> = all.collect();
    remove_offsets(id, group, turn, all);
    group.clear(id, turn);
}
