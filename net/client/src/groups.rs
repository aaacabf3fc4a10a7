//! Calls about consumer groups: which there are, who is in them, what they have committed.

use std::collections::BTreeMap;

use net_wire::consumer_protocol::{CONSUMER, ConsumerAssignment};
use net_wire::frame::decode_response;
use net_wire::messages::consumer_group_describe::{
    self as consumer, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse,
};
use net_wire::messages::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
use net_wire::messages::describe_groups::{
    self as classic, DescribeGroupsRequest, DescribeGroupsResponse,
};
use net_wire::messages::find_coordinator::{
    FindCoordinatorRequest, FindCoordinatorResponse, KEY_GROUP,
};
use net_wire::messages::list_groups::{
    ListGroupsRequest, ListGroupsResponse, ListedGroup as Listed,
};
use net_wire::{ApiKey, ErrorCode};

use super::connection::Connection;
use super::error::ClientError;

/// Partitions by the name of their topic.
pub type Partitions = BTreeMap<String, Vec<i32>>;

/// The state of a group that is not there.
const DEAD: &str = "Dead";

/// A group in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedGroup {
    /// Its id.
    pub id: String,
    /// Its state, by Kafka's name.
    pub state: String,
    /// `classic` or `consumer`; empty from brokers that do not say.
    pub kind: String,
    /// What kind of members it has: `consumer`, `connect` or anything; empty if it never had any.
    pub protocol_type: String,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its id.
    pub id: String,
    /// What is wrong with it, or none.
    pub error: ErrorCode,
    /// Its state, by Kafka's name.
    pub state: String,
    /// `classic` or `consumer`.
    pub kind: &'static str,
    /// What kind of members it has; empty if it never had any.
    pub protocol_type: String,
    /// How partitions are assigned; empty while nobody knows.
    pub assignor: String,
    /// Its members.
    pub members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupMember {
    /// Its id.
    pub id: String,
    /// Its name, if it is static.
    pub instance_id: Option<String>,
    /// The name of its client.
    pub client_id: String,
    /// The address of its client.
    pub client_host: String,
    /// What it is assigned; nothing where members say that in a way of their own.
    pub assigned: Partitions,
}

impl Connection {
    /// The groups that this broker coordinates, those in these states or all, by their ids.
    pub async fn list_groups(&self, states: &[&str]) -> Result<Vec<ListedGroup>, ClientError> {
        let request = ListGroupsRequest {
            states_filter: states.to_vec(),
            types_filter: Vec::new(),
        };
        let read = |frame: &[u8], version| {
            let (_, answer) = decode_response::<ListGroupsResponse<'_>>(frame, version)?;
            let told = ClientError::check(answer.error_code, None);
            Ok(told.map(|()| answer.groups.iter().map(listed).collect()))
        };
        let mut groups: Vec<ListedGroup> = self.call(&request, read).await??;
        groups.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(groups)
    }

    /// The broker that coordinates a group.
    pub async fn find_coordinator(&self, group: &str) -> Result<i32, ClientError> {
        let request = FindCoordinatorRequest {
            key: group,
            key_type: KEY_GROUP,
            coordinator_keys: vec![group],
        };
        let read = |frame: &[u8], version| {
            let (_, answer) = decode_response::<FindCoordinatorResponse<'_>>(frame, version)?;
            // The first versions have one coordinator, in the message itself.
            let (code, message, node_id) = match answer.coordinators.first() {
                Some(one) => (one.error_code, &one.error_message, one.node_id),
                None => (answer.error_code, &answer.error_message, answer.node_id),
            };
            Ok(ClientError::check(code, message.as_deref()).map(|()| node_id))
        };
        self.call(&request, read).await?
    }

    /// Describes one group, or says why it cannot.
    pub async fn describe_group(&self, id: &str) -> Result<GroupDescription, ClientError> {
        let groups = self.describe_groups(&[id]).await?;
        let group = groups.into_iter().next();
        let group = group.ok_or(ClientError::Missing("the group"))?;
        let told = ClientError::check(group.error, None);
        told.map_err(|error| error.of(format_args!("group {id}")))?;
        Ok(group)
    }

    /// Describes groups that this broker coordinates, of whatever kind they are.
    pub async fn describe_groups(
        &self,
        ids: &[&str],
    ) -> Result<Vec<GroupDescription>, ClientError> {
        let mut groups = Vec::new();
        if self
            .version(ApiKey::ConsumerGroupDescribe, i16::MAX)
            .is_ok()
        {
            groups = self.describe_consumer_groups(ids).await?;
            groups.retain(|group| group.error != ErrorCode::GROUP_ID_NOT_FOUND);
        }
        let is_known = |id: &str| groups.iter().any(|group| group.id == id);
        let others: Vec<&str> = ids.iter().copied().filter(|id| !is_known(id)).collect();
        if !others.is_empty() {
            groups.extend(self.describe_classic_groups(&others).await?);
        }
        Ok(groups)
    }

    async fn describe_consumer_groups(
        &self,
        ids: &[&str],
    ) -> Result<Vec<GroupDescription>, ClientError> {
        let request = ConsumerGroupDescribeRequest {
            group_ids: ids.to_vec(),
            include_authorized_operations: false,
        };
        let read = |frame: &[u8], version| {
            let (_, answer) = decode_response::<ConsumerGroupDescribeResponse<'_>>(frame, version)?;
            Ok(answer.groups.iter().map(of_consumers).collect())
        };
        self.call(&request, read).await
    }

    async fn describe_classic_groups(
        &self,
        ids: &[&str],
    ) -> Result<Vec<GroupDescription>, ClientError> {
        let request = DescribeGroupsRequest {
            groups: ids.to_vec(),
            include_authorized_operations: false,
        };
        let read = |frame: &[u8], version| {
            let (_, answer) = decode_response::<DescribeGroupsResponse<'_>>(frame, version)?;
            Ok(answer.groups.iter().map(of_classic_members).collect())
        };
        self.call(&request, read).await
    }

    /// Deletes a group that has no members, with what it has committed.
    pub async fn delete_group(&self, id: &str) -> Result<(), ClientError> {
        let request = DeleteGroupsRequest {
            groups_names: vec![id],
        };
        let read = |frame: &[u8], version| {
            let (_, answer) = decode_response::<DeleteGroupsResponse<'_>>(frame, version)?;
            let result = answer.results.first();
            Ok(result.map(|one| ClientError::check(one.error_code, None)))
        };
        let result = self.call(&request, read).await?;
        let result = result.ok_or(ClientError::Missing("the group's result"))?;
        result.map_err(|error| error.of(format_args!("group {id}")))
    }
}

fn listed(group: &Listed<'_>) -> ListedGroup {
    ListedGroup {
        id: group.group_id.to_owned(),
        state: group.group_state.to_owned(),
        kind: group.group_type.to_owned(),
        protocol_type: group.protocol_type.to_owned(),
    }
}

fn of_consumers(group: &consumer::DescribedGroup<'_>) -> GroupDescription {
    GroupDescription {
        id: group.group_id.to_owned(),
        error: group.error_code,
        state: group.group_state.to_owned(),
        kind: "consumer",
        protocol_type: CONSUMER.to_owned(),
        assignor: group.assignor_name.to_owned(),
        members: group.members.iter().map(consumer_member).collect(),
    }
}

fn consumer_member(member: &consumer::Member<'_>) -> GroupMember {
    let topics = member.assignment.topic_partitions.iter();
    let assigned = topics.map(|topic| (topic.topic_name.to_owned(), topic.partitions.clone()));
    GroupMember {
        id: member.member_id.to_owned(),
        instance_id: member.instance_id.map(str::to_owned),
        client_id: member.client_id.to_owned(),
        client_host: member.client_host.to_owned(),
        assigned: assigned.collect::<BTreeMap<_, _>>(),
    }
}

fn of_classic_members(group: &classic::DescribedGroup<'_>) -> GroupDescription {
    // Before version 6 a group that is not there is no error.
    let is_gone = group.error_code.is_none() && group.group_state == DEAD;
    let error = if is_gone {
        ErrorCode::GROUP_ID_NOT_FOUND
    } else {
        group.error_code
    };
    GroupDescription {
        id: group.group_id.to_owned(),
        error,
        state: group.group_state.to_owned(),
        kind: "classic",
        protocol_type: group.protocol_type.to_owned(),
        assignor: group.protocol_data.to_owned(),
        members: group.members.iter().map(classic_member).collect(),
    }
}

fn classic_member(member: &classic::DescribedGroupMember<'_>) -> GroupMember {
    GroupMember {
        id: member.member_id.to_owned(),
        instance_id: member.group_instance_id.map(str::to_owned),
        client_id: member.client_id.to_owned(),
        client_host: member.client_host.to_owned(),
        assigned: assigned(member.member_assignment),
    }
}

/// What a member is told to read; nothing where members say that in a way of their own.
pub(super) fn assigned(assignment: &[u8]) -> Partitions {
    let read = ConsumerAssignment::read(assignment).unwrap_or_default();
    let mut assigned = Partitions::new();
    for (topic, partitions) in read.partitions {
        assigned.entry(topic).or_default().extend(partitions);
    }
    assigned
}

#[cfg(test)]
mod tests {
    use net_wire::consumer_protocol::assignment_bytes;

    use super::*;

    #[test]
    fn a_group_that_is_not_there_is_an_error_in_every_version() {
        let dead = classic::DescribedGroup {
            group_id: "g",
            group_state: DEAD,
            ..Default::default()
        };
        assert_eq!(
            of_classic_members(&dead).error,
            ErrorCode::GROUP_ID_NOT_FOUND
        );
    }

    #[test]
    fn assignments_are_read_where_members_are_consumers() {
        let t = || "t".to_owned();
        let bytes = assignment_bytes(0, &[(t(), vec![3]), (t(), vec![5])]).unwrap();
        let assigned = Partitions::from([(t(), vec![3, 5])]);
        let member = |member_assignment: &[u8]| {
            classic_member(&classic::DescribedGroupMember {
                member_assignment,
                ..Default::default()
            })
        };
        assert_eq!(member(&bytes).assigned, assigned);
        assert_eq!(member(b"\xffconnect").assigned, Partitions::new());
    }
}
