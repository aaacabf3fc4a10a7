//! Offsets: stored, read and deleted.

use net_wire::ErrorCode;

use crate::answer::{Answer, FetchedOffset, FetchedOffsets, PartitionResult};
use crate::classic::ClassicGroup;
use crate::coordinator::{Coordinator, remove_offsets};
use crate::effect::{Now, Outbox, Token};
use crate::group::{Group, Turn};
use crate::offsets::CommittedOffset;
use crate::record::Record;
use crate::request::{
    OffsetCommit, OffsetDelete, OffsetFetch, PartitionCommit, TopicCommit, TopicPartitions,
};

impl Coordinator {
    pub(crate) fn commit(
        &mut self,
        now: Now,
        token: Token,
        request: &OffsetCommit,
        out: &mut Outbox,
    ) {
        let id = &*request.group_id;
        let code = match self.groups.get(id) {
            Some(group) => {
                let checked = group.members.check_commit(request);
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
            group.members.committed(turn, &request.member_id);
            turn.out.answer(token, Answer::OffsetCommit(results));
        });
    }

    pub(crate) fn fetch(&self, request: &OffsetFetch) -> Answer {
        let group = self.groups.get(&request.group_id);
        match group.map(|group| group.members.check_fetch(request)) {
            Some(Err(code)) => Answer::Refused(code),
            _ => Answer::OffsetFetch(fetch_offsets(group, request)),
        }
    }

    pub(crate) fn delete_offsets(
        &mut self,
        now: Now,
        token: Token,
        request: &OffsetDelete,
        out: &mut Outbox,
    ) {
        let id = &*request.group_id;
        let Some(group) = self.groups.get(id) else {
            return out.answer(token, Answer::Refused(ErrorCode::GROUP_ID_NOT_FOUND));
        };
        // What members of other kinds of groups read is not known.
        if !group.members.is_empty()
            && !group
                .members
                .classic()
                .is_none_or(ClassicGroup::is_of_consumers)
        {
            return out.answer(token, Answer::Refused(ErrorCode::NON_EMPTY_GROUP));
        }
        self.with_group(now, id, out, |group, turn| {
            let mut gone = Vec::new();
            let results = request.topics.iter().map(|topic| {
                let error_code = if group.members.is_subscribed_to(&topic.name) {
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

fn fetch_offsets(group: Option<&Group>, request: &OffsetFetch) -> Vec<FetchedOffsets> {
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
