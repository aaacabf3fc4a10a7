//! Calls about what consumer groups have committed.

use std::collections::BTreeMap;

use net_wire::ErrorCode;
use net_wire::frame::decode_response;
use net_wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse,
};
use net_wire::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
};
use net_wire::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse, OffsetFetchResponseTopic,
};

use super::connection::Connection;
use super::error::ClientError;

/// Offsets by topic and partition.
pub type Offsets = BTreeMap<(String, i32), i64>;

/// Who commits: a member of a group, or somebody from outside while it has no members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committer<'a> {
    /// The group.
    pub group: &'a str,
    /// The member; empty from outside.
    pub member_id: &'a str,
    /// The generation of the member; -1 from outside.
    pub generation: i32,
}

impl<'a> Committer<'a> {
    /// Somebody from outside of the group.
    pub const fn outside(group: &'a str) -> Self {
        Self {
            group,
            member_id: "",
            generation: -1,
        }
    }
}

impl Connection {
    /// Everything that a group has committed; nothing if there is no such group.
    pub async fn committed_offsets(&self, group: &str) -> Result<Offsets, ClientError> {
        // From version 8 on the group stands in a list, before that in the message itself.
        let request = OffsetFetchRequest {
            group_id: group,
            topics: None,
            groups: vec![OffsetFetchRequestGroup {
                group_id: group,
                member_id: None,
                member_epoch: -1,
                topics: None,
            }],
            require_stable: false,
        };
        let read = |frame: &[u8], version| {
            let (_, answer) = decode_response::<OffsetFetchResponse<'_>>(frame, version)?;
            let (code, topics) = match answer.groups.first() {
                Some(one) => (one.error_code, &one.topics),
                None => (answer.error_code, &answer.topics),
            };
            Ok(ClientError::check(code, None).and_then(|()| committed(topics)))
        };
        self.call(&request, read).await?
    }

    /// Commits offsets, all or none but for what the broker refuses of single partitions: the first
    /// of those is the error.
    pub async fn commit_offsets(
        &self,
        committer: Committer<'_>,
        offsets: &Offsets,
    ) -> Result<(), ClientError> {
        let mut topics = BTreeMap::<&str, Vec<_>>::new();
        for ((topic, partition), offset) in offsets {
            let partition = OffsetCommitRequestPartition {
                partition_index: *partition,
                committed_offset: *offset,
                committed_leader_epoch: -1,
                committed_metadata: Some(""),
            };
            topics.entry(topic).or_default().push(partition);
        }
        let topic = |(name, partitions)| OffsetCommitRequestTopic { name, partitions };
        let request = OffsetCommitRequest {
            group_id: committer.group,
            generation_id_or_member_epoch: committer.generation,
            member_id: committer.member_id,
            topics: topics.into_iter().map(topic).collect(),
            ..Default::default()
        };
        let read = |frame: &[u8], version| {
            let (_, answer) = decode_response::<OffsetCommitResponse<'_>>(frame, version)?;
            let mut results = answer.topics.iter().flat_map(|topic| {
                let partitions = topic.partitions.iter();
                partitions.map(|one| (topic.name, one.partition_index, one.error_code))
            });
            Ok(results.try_for_each(first_refusal))
        };
        self.call(&request, read).await?
    }

    /// Deletes what a group has committed of these partitions of a topic that it does not read.
    pub async fn delete_offsets(
        &self,
        group: &str,
        topic: &str,
        partitions: &[i32],
    ) -> Result<(), ClientError> {
        let partition = |index: &i32| OffsetDeleteRequestPartition {
            partition_index: *index,
        };
        let request = OffsetDeleteRequest {
            group_id: group,
            topics: vec![OffsetDeleteRequestTopic {
                name: topic,
                partitions: partitions.iter().map(partition).collect(),
            }],
        };
        let read = |frame: &[u8], version| {
            let (_, answer) = decode_response::<OffsetDeleteResponse<'_>>(frame, version)?;
            if !answer.error_code.is_none() {
                let refused = ClientError::check(answer.error_code, None);
                return Ok(refused.map_err(|error| error.of(format_args!("group {group}"))));
            }
            let mut results = answer.topics.iter().flat_map(|topic| {
                let partitions = topic.partitions.iter();
                partitions.map(|one| (topic.name, one.partition_index, one.error_code))
            });
            Ok(results.try_for_each(first_refusal))
        };
        self.call(&request, read).await?
    }
}

fn first_refusal((topic, partition, code): (&str, i32, ErrorCode)) -> Result<(), ClientError> {
    let told = ClientError::check(code, None);
    told.map_err(|error| error.of(format_args!("{topic} {partition}")))
}

/// What was committed; -1 stands for nothing.
fn committed(topics: &[OffsetFetchResponseTopic<'_>]) -> Result<Offsets, ClientError> {
    let mut offsets = Offsets::new();
    for topic in topics {
        for one in &topic.partitions {
            first_refusal((topic.name, one.partition_index, one.error_code))?;
            if one.committed_offset >= 0 {
                let place = (topic.name.to_owned(), one.partition_index);
                offsets.insert(place, one.committed_offset);
            }
        }
    }
    Ok(offsets)
}
