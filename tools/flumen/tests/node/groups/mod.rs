//! Consumer groups of a node, over crashes and other numbers of shards.

mod consumer;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::sim::{
    CrashKind, DiskOp, Effect, Fault, Files, NodeId, Operations, Options, Span, World,
};
use engine_rt::{sleep, spawn};
use flumen::broker::{RunningBroker, start};
use flumen::client::{Connection, NewTopic};
use net_wire::frame::decode_response;
use net_wire::messages::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
use net_wire::messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use net_wire::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use net_wire::messages::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse,
};
use net_wire::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberIdentity};
use net_wire::messages::list_groups::{ListGroupsRequest, ListGroupsResponse};
use net_wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse,
};
use net_wire::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse,
};
use net_wire::messages::sync_group::{
    SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse,
};
use net_wire::{ErrorCode, Message};

use crate::support::{self, config, connect};

const GROUP: &str = "billing";

async fn started(shards: usize) -> RunningBroker {
    let config = config(shards, &[("offsets.topic.num.partitions", "7")]);
    start(config).await.expect("the node starts")
}

/// A client that is or becomes a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Member {
    id: String,
    generation: i32,
    /// All members, if it leads.
    leads: Vec<String>,
    assignment: Vec<u8>,
}

fn response<'a, M: Message<'a>>(frame: &'a [u8], version: i16) -> M {
    decode_response(frame, version).expect("a response").1
}

/// Asks again while the coordinator is loading.
async fn ask<'m, M: Message<'m>, T>(
    connection: &Connection,
    request: &M,
    read: impl Fn(&[u8], i16) -> (ErrorCode, T),
) -> (ErrorCode, T) {
    loop {
        let answer = connection.call(request, |bytes, version| Ok(read(bytes, version)));
        let (code, answer) = answer.await.expect("an answer");
        if code != ErrorCode::COORDINATOR_LOAD_IN_PROGRESS {
            return (code, answer);
        }
        sleep(Duration::from_millis(50)).await;
    }
}

async fn find_coordinator(connection: &Connection) {
    let request = FindCoordinatorRequest {
        coordinator_keys: vec![GROUP],
        ..FindCoordinatorRequest::default()
    };
    let (code, port) = ask(connection, &request, |bytes, version| {
        let found: FindCoordinatorResponse<'_> = response(bytes, version);
        let found = &found.coordinators[0];
        (found.error_code, (found.node_id, found.port))
    })
    .await;
    assert_eq!((code, port), (ErrorCode::NONE, (1, 9092)));
}

async fn join(connection: &Connection, member_id: &str) -> (ErrorCode, Member) {
    let request = JoinGroupRequest {
        group_id: GROUP,
        session_timeout_ms: 30_000,
        rebalance_timeout_ms: 60_000,
        member_id,
        protocol_type: "consumer",
        protocols: vec![JoinGroupRequestProtocol {
            name: "range",
            metadata: b"\x00\x01\x00\x00\x00\x01\x00\x01t\xff\xff\xff\xff",
        }],
        ..JoinGroupRequest::default()
    };
    ask(connection, &request, |bytes, version| {
        let joined: JoinGroupResponse<'_> = response(bytes, version);
        let ids = joined.members.iter().map(|one| one.member_id.to_owned());
        let member = Member {
            id: joined.member_id.to_owned(),
            generation: joined.generation_id,
            leads: ids.collect(),
            assignment: Vec::new(),
        };
        (joined.error_code, member)
    })
    .await
}

/// Joins, and asks for the assignment.
async fn become_member() -> Member {
    let connection = connect().await;
    let (code, asked) = join(&connection, "").await;
    assert_eq!(code, ErrorCode::MEMBER_ID_REQUIRED);
    let (code, mut member) = join(&connection, &asked.id).await;
    assert_eq!(code, ErrorCode::NONE);
    let assignments = member.leads.iter().map(|id| SyncGroupRequestAssignment {
        member_id: id,
        assignment: id.as_bytes(),
    });
    let request = SyncGroupRequest {
        group_id: GROUP,
        generation_id: member.generation,
        member_id: &member.id,
        protocol_type: Some("consumer"),
        protocol_name: Some("range"),
        assignments: assignments.collect(),
        ..SyncGroupRequest::default()
    };
    let (code, assignment) = ask(&connection, &request, |bytes, version| {
        let synced: SyncGroupResponse<'_> = response(bytes, version);
        (synced.error_code, synced.assignment.to_vec())
    })
    .await;
    assert_eq!(code, ErrorCode::NONE);
    member.assignment = assignment;
    member
}

async fn heartbeat(connection: &Connection, member: &Member, generation_id: i32) -> ErrorCode {
    let request = HeartbeatRequest {
        group_id: GROUP,
        generation_id,
        member_id: &member.id,
        group_instance_id: None,
    };
    let (code, ()) = ask(connection, &request, |bytes, version| {
        let answer: HeartbeatResponse = response(bytes, version);
        (answer.error_code, ())
    })
    .await;
    code
}

async fn commit(connection: &Connection, member: &Member, topic: &str, offset: i64) -> ErrorCode {
    let request = OffsetCommitRequest {
        group_id: GROUP,
        generation_id_or_member_epoch: member.generation,
        member_id: &member.id,
        topics: vec![OffsetCommitRequestTopic {
            name: topic,
            partitions: vec![OffsetCommitRequestPartition {
                partition_index: 2,
                committed_offset: offset,
                committed_leader_epoch: 0,
                committed_metadata: Some("note"),
            }],
        }],
        ..OffsetCommitRequest::default()
    };
    let (code, ()) = ask(connection, &request, |bytes, version| {
        let answer: OffsetCommitResponse<'_> = response(bytes, version);
        (answer.topics[0].partitions[0].error_code, ())
    })
    .await;
    code
}

/// All that the group has committed.
async fn committed(connection: &Connection) -> Vec<(String, i32, i64, String)> {
    let request = OffsetFetchRequest {
        groups: vec![OffsetFetchRequestGroup {
            group_id: GROUP,
            topics: None,
            ..OffsetFetchRequestGroup::default()
        }],
        ..OffsetFetchRequest::default()
    };
    let (code, offsets) = ask(connection, &request, |bytes, version| {
        let fetched: OffsetFetchResponse<'_> = response(bytes, version);
        let group = &fetched.groups[0];
        let offsets = group.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|one| {
                let metadata = one.metadata.unwrap_or_default().to_owned();
                let name = topic.name.to_owned();
                (name, one.partition_index, one.committed_offset, metadata)
            })
        });
        (group.error_code, offsets.collect())
    })
    .await;
    assert_eq!(code, ErrorCode::NONE);
    offsets
}

async fn describe(connection: &Connection) -> (String, usize) {
    let request = DescribeGroupsRequest {
        groups: vec![GROUP],
        include_authorized_operations: false,
    };
    let (code, described) = ask(connection, &request, |bytes, version| {
        let described: DescribeGroupsResponse<'_> = response(bytes, version);
        let group = &described.groups[0];
        let state = (group.group_state.to_owned(), group.members.len());
        (group.error_code, state)
    })
    .await;
    assert_eq!(code, ErrorCode::NONE);
    described
}

async fn listed(connection: &Connection) -> Vec<String> {
    let request = ListGroupsRequest::default();
    let (code, names) = ask(connection, &request, |bytes, version| {
        let listed: ListGroupsResponse<'_> = response(bytes, version);
        let names = listed.groups.iter();
        let names = names.map(|one| format!("{} {}", one.group_id, one.group_state));
        (listed.error_code, names.collect())
    })
    .await;
    assert_eq!(code, ErrorCode::NONE);
    names
}

async fn leave(connection: &Connection, members: &[Member]) {
    let members = members.iter().map(|member| MemberIdentity {
        member_id: &member.id,
        ..MemberIdentity::default()
    });
    let request = LeaveGroupRequest {
        group_id: GROUP,
        members: members.collect(),
        ..LeaveGroupRequest::default()
    };
    let (code, codes) = ask(connection, &request, |bytes, version| {
        let left: LeaveGroupResponse<'_> = response(bytes, version);
        let codes: Vec<_> = left.members.iter().map(|one| one.error_code).collect();
        (left.error_code, codes)
    })
    .await;
    assert_eq!(code, ErrorCode::NONE);
    assert!(codes.iter().all(|code| code.is_none()), "{codes:?}");
}

async fn create(connection: &Connection, name: &str) {
    let new = NewTopic {
        name,
        partitions: 3,
        replication_factor: -1,
        configs: &[],
    };
    connection.create_topic(&new).await.expect("a new topic");
}

/// A balanced group of two that has committed.
async fn first_life() -> Vec<Member> {
    let connection = connect().await;
    create(&connection, "t").await;
    find_coordinator(&connection).await;
    let joining: Vec<_> = (0..2).map(|_| spawn(become_member())).collect();
    let mut members = Vec::new();
    for member in joining {
        members.push(member.await);
    }
    for member in &members {
        assert_eq!(member.assignment, member.id.as_bytes());
        assert_eq!(heartbeat(&connection, member, 1).await, ErrorCode::NONE);
    }
    let old = heartbeat(&connection, &members[0], 0).await;
    assert_eq!(old, ErrorCode::ILLEGAL_GENERATION);
    let unknown = commit(&connection, &members[0], "unknown", 1).await;
    assert_eq!(unknown, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let nobody = Member {
        generation: -1,
        ..Member::default()
    };
    let outside = commit(&connection, &nobody, "t", 9).await;
    assert_eq!(outside, ErrorCode::UNKNOWN_MEMBER_ID);
    for offset in 0..20 {
        let code = commit(&connection, &members[1], "t", offset).await;
        assert_eq!(code, ErrorCode::NONE);
    }
    assert_eq!(listed(&connection).await, ["billing Stable"]);
    members
}

/// What a group finds after a restart: everything that it was told.
async fn second_life(members: &[Member]) {
    let connection = connect().await;
    let note = |offset| ("t".to_owned(), 2, offset, "note".to_owned());
    assert_eq!(committed(&connection).await, [note(19)]);
    assert_eq!(listed(&connection).await, ["billing Stable"]);
    for member in members {
        assert_eq!(heartbeat(&connection, member, 1).await, ErrorCode::NONE);
    }
    assert_eq!(
        commit(&connection, &members[0], "t", 20).await,
        ErrorCode::NONE
    );
    leave(&connection, members).await;
    assert_eq!(describe(&connection).await, ("Empty".to_owned(), 0));
    assert_eq!(committed(&connection).await, [note(20)]);
    // Offsets go with their topic, also if another one takes its name.
    connection.delete_topic("t").await.expect("it was there");
    create(&connection, "t").await;
    assert_eq!(committed(&connection).await, []);
}

/// A node that crashes once its first life has told of members; gives these.
fn first_life_and_crash<T, F>(
    seed: u64,
    kind: CrashKind,
    first_life: fn() -> F,
) -> (World, NodeId, Vec<T>)
where
    T: 'static,
    F: Future<Output = Vec<T>> + 'static,
{
    let world = World::new(seed, Options::default());
    let node = world.node("node");
    let told = Rc::new(RefCell::new(Vec::new()));
    let sink = Rc::clone(&told);
    world.start(node, move || async move {
        let _running = started(3).await;
        sink.replace(first_life().await);
        std::future::pending::<()>().await;
    });
    world.run_until(|| !told.borrow().is_empty());
    world.crash(node, kind);
    (world, node, told.take())
}

#[test]
fn a_group_lives_through_crashes_and_other_numbers_of_shards() {
    for (seed, kind) in [(21, CrashKind::PowerCut), (22, CrashKind::Kill)] {
        let (world, node, members) = first_life_and_crash(seed, kind, first_life);
        world.block_on(node, move || async move {
            let running = started(2).await;
            second_life(&members).await;
            running.stop().await.expect("an orderly stop");
        });
        world.block_on(node, || async {
            let running = started(1).await;
            let connection = connect().await;
            assert_eq!(committed(&connection).await, []);
            assert_eq!(describe(&connection).await, ("Empty".to_owned(), 0));
            drop(connection);
            running.stop().await.expect("an orderly stop");
        });
    }
}

#[test]
fn silent_members_of_before_a_restart_are_taken_out_though_nobody_asks() {
    let world = World::new(23, Options::default());
    let node = world.node("node");
    world.block_on(node, || async {
        let running = started(2).await;
        first_life().await;
        running.stop().await.expect("an orderly stop");
    });
    world.block_on(node, || async {
        let running = started(2).await;
        sleep(Duration::from_secs(35)).await;
        let connection = connect().await;
        assert_eq!(describe(&connection).await, ("Empty".to_owned(), 0));
        drop(connection);
        running.stop().await.expect("an orderly stop");
    });
}

/// What a coordinator is made of may be on a disk that takes its time: a stop does not wait for it,
/// and leaves nobody who does.
#[test]
fn a_stop_ends_a_coordinator_that_is_being_read() {
    let world = World::new(24, Options::default());
    let node = world.node("node");
    world.block_on(node, || async {
        let running = started(1).await;
        let connection = connect().await;
        create(&connection, "t").await;
        support::find_coordinator(&connection).await;
        for offset in 0..30 {
            let code = support::commit(&connection, "t", offset).await;
            assert_eq!(code, ErrorCode::NONE);
        }
        drop(connection);
        running.stop().await.expect("an orderly stop");
    });
    let reads = Operations::of(DiskOp::Read, Files::Segments);
    let stall = Effect::Stall(Duration::from_mins(1));
    world.inject(Fault::of_disk(node, reads, 1, stall, Span::Forever));
    world.block_on(node, || async {
        let running = started(1).await;
        sleep(Duration::from_secs(1)).await;
        running.stop().await.expect("an orderly stop");
    });
    assert!(!world.strikes().is_empty(), "the coordinator is read");
    let left = world.left_tasks(node).into_iter();
    let left: Vec<String> = left.map(|task| task.to_string()).collect();
    let of_groups = |task: &&String| task.contains("net/server/src/groups");
    assert_eq!(left.iter().find(of_groups), None);
}
