//! Consumer groups: every version of every request, other shards, a disk that fails.

use std::time::Duration;

use engine_rt::sim::{DiskOp, Effect, Fault, Files, Operations, Options, Span, World, held};
use engine_rt::sleep;
use net_wire::messages::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
use net_wire::messages::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
use net_wire::messages::find_coordinator::{
    FindCoordinatorRequest, FindCoordinatorResponse, KEY_GROUP, KEY_TRANSACTION,
};
use net_wire::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use net_wire::messages::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse,
};
use net_wire::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberIdentity};
use net_wire::messages::list_groups::{ListGroupsRequest, ListGroupsResponse};
use net_wire::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use net_wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse,
};
use net_wire::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
};
use net_wire::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchResponse,
};
use net_wire::messages::sync_group::{
    SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse,
};
use net_wire::{ApiKey, ErrorCode};

use crate::client::Client;
use crate::node::{HOST, Node, Setup, with_node, with_node_of};

fn quick(shards: usize) -> Setup {
    Setup {
        settings: vec![
            ("group.initial.rebalance.delay.ms", "0"),
            ("offsets.topic.num.partitions", "5"),
        ],
        ..Setup::shards(shards)
    }
}

/// The newest version that is not above `version`.
fn at_most(api: ApiKey, version: i16) -> i16 {
    let versions = api.versions();
    version.clamp(*versions.start(), *versions.end())
}

async fn find_coordinator(client: &Client, version: i16, key_type: i8) -> (ErrorCode, String) {
    let body = FindCoordinatorRequest {
        key: "g",
        key_type,
        coordinator_keys: vec!["g"],
    };
    let answer = client.ask(version, &body).await;
    let found: FindCoordinatorResponse<'_> = answer.decode();
    found.coordinators.first().map_or_else(
        || (found.error_code, found.host.to_owned()),
        |one| (one.error_code, one.host.to_owned()),
    )
}

async fn join(client: &Client, version: i16, group: &str, id: &str) -> (ErrorCode, String, i32) {
    let body = JoinGroupRequest {
        group_id: group,
        session_timeout_ms: 30_000,
        rebalance_timeout_ms: 30_000,
        member_id: id,
        protocol_type: "sr",
        protocols: vec![JoinGroupRequestProtocol {
            name: "v0",
            metadata: b"anything",
        }],
        ..JoinGroupRequest::default()
    };
    let answer = client.ask(version, &body).await;
    let joined: JoinGroupResponse<'_> = answer.decode();
    let is_led = joined.members.first().map(|one| one.metadata);
    assert!(joined.error_code != ErrorCode::NONE || is_led == Some(b"anything"));
    (
        joined.error_code,
        joined.member_id.to_owned(),
        joined.generation_id,
    )
}

async fn sync(client: &Client, version: i16, group: &str, id: &str, generation_id: i32) {
    let body = SyncGroupRequest {
        group_id: group,
        generation_id,
        member_id: id,
        assignments: vec![SyncGroupRequestAssignment {
            member_id: id,
            assignment: b"all of it",
        }],
        ..SyncGroupRequest::default()
    };
    let version = at_most(ApiKey::SyncGroup, version);
    let answer = client.ask(version, &body).await;
    let synced: SyncGroupResponse<'_> = answer.decode();
    let expected = (ErrorCode::NONE, &b"all of it"[..]);
    assert_eq!((synced.error_code, synced.assignment), expected);
}

async fn heartbeat(client: &Client, version: i16, group: &str, id: &str) -> ErrorCode {
    let body = HeartbeatRequest {
        group_id: group,
        generation_id: 1,
        member_id: id,
        group_instance_id: None,
    };
    let version = at_most(ApiKey::Heartbeat, version);
    let answer = client.ask(version, &body).await;
    answer.decode::<HeartbeatResponse>().error_code
}

async fn commit(
    client: &Client,
    version: i16,
    group: &str,
    member: (&str, i32),
    offset: i64,
) -> ErrorCode {
    // The topic has no partition 77: that one is refused, and nothing else with it.
    let codes = commit_all(client, version, group, member, offset, &[77, 1]).await;
    assert_eq!(codes[0], ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    codes[1]
}

async fn commit_all(
    client: &Client,
    version: i16,
    group: &str,
    member: (&str, i32),
    offset: i64,
    partitions: &[i32],
) -> Vec<ErrorCode> {
    let partition = |index: &i32| OffsetCommitRequestPartition {
        partition_index: *index,
        committed_offset: offset,
        committed_leader_epoch: -1,
        committed_metadata: None,
    };
    let body = OffsetCommitRequest {
        group_id: group,
        generation_id_or_member_epoch: member.1,
        member_id: member.0,
        topics: vec![OffsetCommitRequestTopic {
            name: "t",
            partitions: partitions.iter().map(partition).collect(),
        }],
        ..OffsetCommitRequest::default()
    };
    let version = at_most(ApiKey::OffsetCommit, version);
    let answer = client.ask(version, &body).await;
    let committed: OffsetCommitResponse<'_> = answer.decode();
    let committed = &committed.topics[0].partitions;
    committed.iter().map(|one| one.error_code).collect()
}

async fn fetch(client: &Client, version: i16, group: &str) -> (ErrorCode, i64) {
    let version = at_most(ApiKey::OffsetFetch, version);
    let body = OffsetFetchRequest {
        group_id: group,
        topics: Some(vec![OffsetFetchRequestTopic {
            name: "t",
            partition_indexes: vec![1],
        }]),
        groups: vec![OffsetFetchRequestGroup {
            group_id: group,
            topics: Some(vec![OffsetFetchRequestTopic {
                name: "t",
                partition_indexes: vec![1],
            }]),
            ..OffsetFetchRequestGroup::default()
        }],
        require_stable: true,
    };
    let answer = client.ask(version, &body).await;
    let fetched: OffsetFetchResponse<'_> = answer.decode();
    let Some(group) = fetched.groups.first() else {
        let topics = fetched.topics.first();
        let offset = topics.map_or(-1, |topic| topic.partitions[0].committed_offset);
        return (fetched.error_code, offset);
    };
    let topics = group.topics.first();
    let offset = topics.map_or(-1, |topic| topic.partitions[0].committed_offset);
    (group.error_code, offset)
}

async fn describe(client: &Client, version: i16, group: &str) -> (ErrorCode, String) {
    let version = at_most(ApiKey::DescribeGroups, version);
    let body = DescribeGroupsRequest {
        groups: vec![group],
        include_authorized_operations: version >= 3,
    };
    let answer = client.ask(version, &body).await;
    let described: DescribeGroupsResponse<'_> = answer.decode();
    let group = &described.groups[0];
    assert!(version < 3 || group.authorized_operations == 0b1101_0100_1000);
    (group.error_code, group.group_state.to_owned())
}

async fn leave(client: &Client, version: i16, group: &str, id: &str) -> ErrorCode {
    let version = at_most(ApiKey::LeaveGroup, version);
    let body = LeaveGroupRequest {
        group_id: group,
        member_id: id,
        members: vec![MemberIdentity {
            member_id: id,
            ..MemberIdentity::default()
        }],
    };
    let answer = client.ask(version, &body).await;
    let left: LeaveGroupResponse<'_> = answer.decode();
    let of_member = left.members.first().map(|one| one.error_code);
    of_member.unwrap_or(left.error_code)
}

async fn list(client: &Client, version: i16) -> Vec<String> {
    let version = at_most(ApiKey::ListGroups, version);
    let answer = client.ask(version, &ListGroupsRequest::default()).await;
    let listed: ListGroupsResponse<'_> = answer.decode();
    assert_eq!(listed.error_code, ErrorCode::NONE);
    let names = listed.groups.iter().map(|one| one.group_id.to_owned());
    names.collect()
}

async fn delete(client: &Client, version: i16, group: &str) -> ErrorCode {
    let version = at_most(ApiKey::DeleteGroups, version);
    let body = DeleteGroupsRequest {
        groups_names: vec![group],
    };
    let answer = client.ask(version, &body).await;
    let deleted: DeleteGroupsResponse<'_> = answer.decode();
    deleted.results[0].error_code
}

/// Deletes the offsets of partition 1 and of one that is not there; the code of the first.
async fn delete_offset(client: &Client, group: &str, topic: &str) -> ErrorCode {
    let partition = |partition_index| OffsetDeleteRequestPartition { partition_index };
    let body = OffsetDeleteRequest {
        group_id: group,
        topics: vec![OffsetDeleteRequestTopic {
            name: topic,
            partitions: [7, 1].map(partition).to_vec(),
        }],
    };
    let answer = client.ask(0, &body).await;
    let deleted: OffsetDeleteResponse<'_> = answer.decode();
    let Some(of_topic) = deleted.topics.first() else {
        return deleted.error_code;
    };
    let [unknown, known] = &of_topic.partitions[..] else {
        panic!("two partitions: {deleted:?}")
    };
    let unknown = (unknown.partition_index, unknown.error_code);
    assert_eq!(unknown, (7, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
    known.error_code
}

/// A group from its first member to its end, in one version.
async fn whole_life(client: &Client, version: i16) {
    let group = format!("group-{version}");
    let (mut code, mut id, mut generation) = join(client, version, &group, "").await;
    if version >= 4 {
        assert_eq!(code, ErrorCode::MEMBER_ID_REQUIRED);
        (code, id, generation) = join(client, version, &group, &id).await;
    }
    assert_eq!((code, generation), (ErrorCode::NONE, 1));
    sync(client, version, &group, &id, 1).await;
    assert_eq!(
        heartbeat(client, version, &group, &id).await,
        ErrorCode::NONE
    );
    let member = (id.as_str(), 1);
    assert_eq!(
        commit(client, version, &group, member, 7).await,
        ErrorCode::NONE
    );
    let outside = commit(client, version, &group, ("", -1), 8).await;
    assert_eq!(outside, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(fetch(client, version, &group).await, (ErrorCode::NONE, 7));
    let stable = (ErrorCode::NONE, "Stable".to_owned());
    assert_eq!(describe(client, version, &group).await, stable);
    assert_eq!(list(client, version).await, [group.as_str()]);
    assert_eq!(
        delete(client, version, &group).await,
        ErrorCode::NON_EMPTY_GROUP
    );
    assert_eq!(leave(client, version, &group, &id).await, ErrorCode::NONE);
    let again = leave(client, version, &group, &id).await;
    assert_eq!(again, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(
        delete_offset(client, "", "t").await,
        ErrorCode::INVALID_GROUP_ID
    );
    assert_eq!(delete_offset(client, &group, "t").await, ErrorCode::NONE);
    assert_eq!(fetch(client, version, &group).await, (ErrorCode::NONE, -1));
    assert_eq!(delete(client, version, &group).await, ErrorCode::NONE);
    let (code, state) = describe(client, version, &group).await;
    assert_eq!(state, "Dead");
    let gone = if version >= 6 {
        ErrorCode::GROUP_ID_NOT_FOUND
    } else {
        ErrorCode::NONE
    };
    assert_eq!(code, gone);
    let stray = commit(client, version, &group, member, 9).await;
    let unknown = if version >= 9 {
        ErrorCode::GROUP_ID_NOT_FOUND
    } else {
        ErrorCode::ILLEGAL_GENERATION
    };
    assert_eq!(stray, unknown);
}

#[test]
fn every_version_of_every_request_is_served_from_every_shard() {
    with_node(&quick(3), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 2, &[]).await;
        let early = fetch(&client, 9, "g").await;
        assert_eq!(early, (ErrorCode::NOT_COORDINATOR, -1));
        for version in ApiKey::FindCoordinator.versions() {
            let found = find_coordinator(&client, version, KEY_GROUP).await;
            assert_eq!(found, (ErrorCode::NONE, HOST.to_owned()));
        }
        for version in ApiKey::JoinGroup.versions() {
            // Connections go to the shards in turn, groups to partitions by their names.
            let client = node.connect().await;
            whole_life(&client, version).await;
        }
        assert_eq!(
            delete_offset(&client, "g", "t").await,
            ErrorCode::GROUP_ID_NOT_FOUND
        );
        let unknown = delete(&client, 2, "g").await;
        assert_eq!(unknown, ErrorCode::GROUP_ID_NOT_FOUND);
    });
}

#[test]
fn other_coordinators_are_refused_and_the_topic_is_internal() {
    with_node(&quick(1), |node| async move {
        let client = node.connect().await;
        let refused = find_coordinator(&client, 4, KEY_TRANSACTION).await;
        assert_eq!(refused, (ErrorCode::INVALID_REQUEST, String::new()));
        find_coordinator(&client, 4, KEY_GROUP).await;
        let body = MetadataRequest {
            topics: Some(vec![MetadataRequestTopic {
                name: Some("__consumer_offsets"),
                ..MetadataRequestTopic::default()
            }]),
            ..MetadataRequest::default()
        };
        let answer = client.ask(9, &body).await;
        let found: MetadataResponse<'_> = answer.decode();
        let topic = &found.topics[0];
        assert_eq!((topic.is_internal, topic.partitions.len()), (true, 5));
    });
}

/// An empty group waits for more members, for ten minutes.
fn patient() -> Setup {
    Setup {
        settings: vec![("group.initial.rebalance.delay.ms", "600000")],
        ..Setup::shards(2)
    }
}

/// Joins a group that waits; there is no answer within a second.
async fn join_and_wait(client: &Client) {
    find_coordinator(client, 4, KEY_GROUP).await;
    let waiting = JoinGroupRequest {
        group_id: "g",
        session_timeout_ms: 30_000,
        rebalance_timeout_ms: 1_200_000,
        protocol_type: "sr",
        protocols: vec![JoinGroupRequestProtocol {
            name: "v0",
            metadata: b"",
        }],
        ..JoinGroupRequest::default()
    };
    client.send(3, &waiting).await;
    sleep(Duration::from_secs(1)).await;
}

#[test]
fn a_stop_leaves_nobody_waiting_for_a_coordinator() {
    let tasks_left = |joins| {
        let world = World::new(1, Options::default());
        with_node_of(&world, &patient(), move |node| async move {
            let client = node.connect().await;
            if joins {
                join_and_wait(&client).await;
            }
            node.stop().await;
            sleep(Duration::from_secs(1)).await;
            held().expect("a simulated world").tasks
        })
    };
    assert_eq!(tasks_left(true), tasks_left(false));
}

#[test]
fn a_connection_that_ends_does_not_wait_for_the_others() {
    with_node(&patient(), |node| async move {
        let client = node.connect().await;
        join_and_wait(&client).await;
        let before = engine_rt::now();
        node.stop().await;
        assert!(engine_rt::now() - before < Duration::from_secs(5));
    });
}

/// Commits until one was refused, and then until one is accepted again: what is read in between and
/// afterwards is always the last offset that was acknowledged, or one whose answer was lost.
#[test]
fn a_coordinator_whose_append_fails_begins_anew_with_what_the_log_has() {
    let mut failures = 0;
    for seed in 0..12 {
        let world = World::new(seed, Options::default());
        let node = world.node("node");
        let journals = Operations::of(DiskOp::Write, Files::Journals);
        let nth = 30 + seed * 7;
        world.inject(Fault::of_disk(
            node,
            journals,
            nth,
            Effect::Io,
            Span::Times(1),
        ));
        failures += world.block_on(node, || async {
            let node = Node::start(&quick(2));
            let client = node.connect().await;
            client.create_topic("t", 2, &[]).await;
            find_coordinator(&client, 4, KEY_GROUP).await;
            commit_through_failures(&client).await
        });
    }
    assert!(failures >= 12, "{failures}");
}

async fn commit_through_failures(client: &Client) -> u64 {
    let (mut acknowledged, mut failures) = (-1, 0);
    for offset in 0..150 {
        let code = commit(client, 8, "g", ("", -1), offset).await;
        match code {
            ErrorCode::NONE => acknowledged = offset,
            ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS => failures += 1,
            other => panic!("{other}"),
        }
        if offset % 10 == 0 || !code.is_none() {
            match fetch(client, 8, "g").await {
                (ErrorCode::NONE, found) => assert!((acknowledged..=offset).contains(&found)),
                (ErrorCode::COORDINATOR_LOAD_IN_PROGRESS | ErrorCode::NOT_COORDINATOR, _) => {},
                (other, _) => panic!("{other}"),
            }
        }
    }
    assert!(acknowledged >= 140, "commits go on: {acknowledged}");
    failures
}
