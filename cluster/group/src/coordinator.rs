//! The groups of one partition of `__consumer_offsets`.

use std::collections::{BTreeMap, BTreeSet};

use net_wire::{ErrorCode, Uuid};

use crate::answer::{
    Answer, FetchedOffset, FetchedOffsets, LeftMember, ListedGroup, PartitionResult,
};
use crate::classic::ClassicGroup;
use crate::config::Config;
use crate::effect::{Now, Outbox, Token};
use crate::expiry::Expiry;
use crate::group::{Group, Turn};
use crate::offsets::CommittedOffset;
use crate::record::Record;
use crate::request::{
    JoinGroup, LeaveGroup, ListGroups, OffsetCommit, OffsetDelete, OffsetFetch, PartitionCommit,
    Request, TopicCommit, TopicPartitions,
};
use crate::state::GroupState;

/// What groups of the classic protocol are listed as.
const CLASSIC: &str = "classic";

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
    offsets: usize,
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
            } => group.classic = ClassicGroup::from_record(&id, value),
            Record::GroupMetadata { .. } => group.classic = ClassicGroup::new(&id),
        }
        let after = group.offsets.len();
        self.settle(&id, before, after);
    }

    /// The log is read: sessions begin, and offsets are looked at for expiry.
    pub fn loaded(&mut self, now: Now, out: &mut Outbox) {
        let ids: Vec<String> = self.groups.keys().cloned().collect();
        for id in ids {
            self.with_group(now, &id, out, |group, turn| {
                group.classic.start_sessions(turn);
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
            self.with_group(now, &id, out, |group, turn| group.classic.on_deadline(turn));
        }
        self.expire(now, out);
    }

    /// Answers a request now or later, under `token`.
    pub fn on_request(&mut self, now: Now, token: Token, request: Request, out: &mut Outbox) {
        match request {
            Request::JoinGroup(request) => self.join(now, token, &request, out),
            Request::SyncGroup(request) => {
                let id = request.group_id.clone();
                self.of_member(now, token, &id, out, |group, turn| {
                    group.classic.sync(turn, token, request);
                });
            },
            Request::Heartbeat(request) => {
                self.of_member(now, token, &request.group_id, out, |group, turn| {
                    group.classic.heartbeat(turn, token, &request);
                });
            },
            Request::LeaveGroup(request) => self.leave(now, token, request, out),
            Request::OffsetCommit(request) => self.commit(now, token, &request, out),
            Request::OffsetFetch(request) => {
                let fetched = self.fetch(&request);
                out.answer(token, Answer::OffsetFetch(fetched));
            },
            Request::DescribeGroup(id) => {
                let group = self.groups.get(&id);
                let dead = ClassicGroup::dead();
                let described = group.map_or(&dead, |group| &group.classic).describe();
                out.answer(token, Answer::DescribeGroup(described));
            },
            Request::ListGroups(request) => {
                out.answer(token, Answer::ListGroups(self.list(&request)));
            },
            Request::DeleteGroup(id) => self.delete(now, token, &id, out),
            Request::OffsetDelete(request) => self.delete_offsets(now, token, &request, out),
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

    fn group_or_new(&mut self, id: &str) -> &mut Group {
        if !self.groups.contains_key(id) {
            self.groups.insert(id.to_owned(), Group::new(id));
        }
        self.groups.get_mut(id).expect("it was inserted just now")
    }

    /// Does something to a group, and what always follows.
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
        let wanted = group.classic.wake_at().filter(|_| !is_blank);
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

    fn join(&mut self, now: Now, token: Token, request: &JoinGroup, out: &mut Outbox) {
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
        self.with_group(now, id, out, |group, turn| {
            group.classic.join(turn, token, request);
        });
    }

    fn leave(&mut self, now: Now, token: Token, request: LeaveGroup, out: &mut Outbox) {
        let (id, members) = (request.group_id, request.members);
        if id.is_empty() {
            return out.answer(token, Answer::Refused(ErrorCode::INVALID_GROUP_ID));
        }
        if self.groups.contains_key(&id) {
            self.with_group(now, &id, out, |group, turn| {
                group.classic.leave(turn, token, members);
            });
            return;
        }
        let unknown = members.into_iter().map(|member| LeftMember {
            member_id: member.member_id,
            group_instance_id: member.group_instance_id,
            error_code: ErrorCode::UNKNOWN_MEMBER_ID,
        });
        out.answer(token, Answer::LeaveGroup(unknown.collect()));
    }

    fn commit(&mut self, now: Now, token: Token, request: &OffsetCommit, out: &mut Outbox) {
        let id = &*request.group_id;
        let code = match self.groups.get(id) {
            Some(group) => {
                let instance = request.group_instance_id.as_deref();
                let checked =
                    group
                        .classic
                        .check_commit(&request.member_id, instance, request.generation_id);
                checked.err().unwrap_or(ErrorCode::NONE)
            },
            None if request.generation_id >= 0 => ErrorCode::GROUP_ID_NOT_FOUND,
            None if self.groups.len() >= self.config.groups_max => {
                ErrorCode::COORDINATOR_NOT_AVAILABLE
            },
            None => ErrorCode::NONE,
        };
        if !code.is_none() {
            return out.answer(token, Answer::Refused(code));
        }
        let room = self.config.offsets_max.saturating_sub(self.offsets);
        self.group_or_new(id);
        self.with_group(now, id, out, |group, turn| {
            let results = commit_offsets(group, turn, request, room);
            group.classic.committed(turn, &request.member_id);
            turn.out.answer(token, Answer::OffsetCommit(results));
        });
    }

    fn fetch(&self, request: &OffsetFetch) -> Vec<FetchedOffsets> {
        let group = self.groups.get(&request.group_id);
        let Some(topics) = &request.topics else {
            let all = group.into_iter().flat_map(|group| group.offsets.topics());
            return all
                .map(|(topic, partitions)| FetchedOffsets {
                    name: topic.to_owned(),
                    partitions: partitions
                        .iter()
                        .map(|(partition, offset)| fetched(*partition, Some(offset)))
                        .collect(),
                })
                .collect();
        };
        let one = |topic: &TopicPartitions| FetchedOffsets {
            name: topic.name.clone(),
            partitions: topic
                .partitions
                .iter()
                .map(|partition| {
                    let found = group.and_then(|group| group.offsets.get(&topic.name, *partition));
                    fetched(*partition, found)
                })
                .collect(),
        };
        topics.iter().map(one).collect()
    }

    fn list(&self, request: &ListGroups) -> Vec<ListedGroup> {
        let is_among = |list: &[String], name: &str| {
            list.is_empty() || list.iter().any(|one| one.eq_ignore_ascii_case(name))
        };
        if !is_among(&request.types, CLASSIC) {
            return Vec::new();
        }
        let groups = self.groups.iter();
        groups
            .filter(|(_, group)| is_among(&request.states, group.classic.state().name()))
            .map(|(id, group)| ListedGroup {
                group_id: id.clone(),
                protocol_type: group.classic.protocol_type().unwrap_or_default().to_owned(),
                state: group.classic.state(),
                group_type: CLASSIC,
            })
            .collect()
    }

    fn delete(&mut self, now: Now, token: Token, id: &str, out: &mut Outbox) {
        let state = self.groups.get(id).map(|group| group.classic.state());
        let answer = match state {
            None | Some(GroupState::Dead) => Answer::Refused(ErrorCode::GROUP_ID_NOT_FOUND),
            Some(GroupState::Empty) => {
                self.with_group(now, id, out, |group, turn| remove_group(id, group, turn));
                Answer::DeleteGroup
            },
            Some(_) => Answer::Refused(ErrorCode::NON_EMPTY_GROUP),
        };
        out.answer(token, answer);
    }

    fn delete_offsets(&mut self, now: Now, token: Token, request: &OffsetDelete, out: &mut Outbox) {
        let id = &*request.group_id;
        let Some(group) = self.groups.get(id) else {
            return out.answer(token, Answer::Refused(ErrorCode::GROUP_ID_NOT_FOUND));
        };
        // What members of other kinds of groups read is not known.
        if group.classic.state() != GroupState::Empty && !group.classic.is_of_consumers() {
            return out.answer(token, Answer::Refused(ErrorCode::NON_EMPTY_GROUP));
        }
        self.with_group(now, id, out, |group, turn| {
            let mut gone = Vec::new();
            let results = request.topics.iter().map(|topic| {
                let error_code = if group.classic.is_subscribed_to(&topic.name) {
                    ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC
                } else {
                    ErrorCode::NONE
                };
                let partitions = topic.partitions.iter();
                if error_code.is_none() {
                    gone.extend(partitions.clone().map(|one| (topic.name.clone(), *one)));
                }
                let result = |partition: &i32| PartitionResult {
                    partition_index: *partition,
                    error_code,
                };
                partitions.map(result).collect()
            });
            let results = results.collect();
            remove_offsets(id, group, turn, gone);
            turn.out.answer(token, Answer::OffsetDelete(results));
        });
    }
}

fn fetched(partition_index: i32, offset: Option<&CommittedOffset>) -> FetchedOffset {
    let none = CommittedOffset::default();
    let offset = offset.unwrap_or(&none);
    FetchedOffset {
        partition_index,
        committed_offset: offset.offset,
        committed_leader_epoch: offset.leader_epoch,
        metadata: offset.metadata.clone(),
    }
}

/// Stores what may be stored, of so many offsets that are new.
fn commit_offsets(
    group: &mut Group,
    turn: &mut Turn<'_>,
    request: &OffsetCommit,
    mut room: usize,
) -> Vec<Vec<PartitionResult>> {
    let mut records = Vec::new();
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let mut of_topic = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            let is_known = group
                .offsets
                .get(&topic.name, partition.partition_index)
                .is_some();
            let error_code =
                if partition.committed_metadata.len() > turn.config.offset_metadata_bytes_max {
                    ErrorCode::OFFSET_METADATA_TOO_LARGE
                } else if !is_known && room == 0 {
                    ErrorCode::INVALID_COMMIT_OFFSET_SIZE
                } else {
                    room -= usize::from(!is_known);
                    records.push(commit_one(group, turn.now, request, topic, partition));
                    ErrorCode::NONE
                };
            of_topic.push(PartitionResult {
                partition_index: partition.partition_index,
                error_code,
            });
        }
        results.push(of_topic);
    }
    turn.out.append(records);
    results
}

fn commit_one(
    group: &mut Group,
    now: Now,
    request: &OffsetCommit,
    topic: &TopicCommit,
    partition: &PartitionCommit,
) -> Record {
    let retention = request.retention_time_ms;
    let offset = CommittedOffset {
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: partition.committed_metadata.clone(),
        commit_timestamp_ms: now.wall_ms,
        expire_timestamp_ms: (retention >= 0).then(|| now.wall_ms.saturating_add(retention)),
        topic_id: topic.topic_id,
    };
    group
        .offsets
        .insert(&topic.name, partition.partition_index, offset.clone());
    Record::OffsetCommit {
        group_id: request.group_id.clone(),
        topic: topic.name.clone(),
        partition: partition.partition_index,
        value: Some(offset),
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
    if group.classic.is_recorded() {
        turn.out.append(vec![Record::GroupMetadata {
            group_id: id.to_owned(),
            value: None,
        }]);
    }
    group.classic = ClassicGroup::new(id);
}
