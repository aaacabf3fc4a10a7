//! Offsets: stored, fenced, read, deleted, expired.

use net_wire::{ErrorCode, Uuid};

use super::rig::{GROUP, Rig, TOPIC_ID, join, topic_commit};
use crate::request::{
    JoinGroup, ListGroups, OffsetCommit, OffsetDelete, OffsetFetch, Request, TopicPartitions,
};
use crate::{Answer, GroupState, JoinedGroup, Outbox};

const DAY_MS: u64 = 24 * 3_600_000;

fn commit(topic: &str, partition: i32, offset: i64) -> OffsetCommit {
    OffsetCommit {
        group_id: GROUP.to_owned(),
        generation_id: -1,
        retention_time_ms: -1,
        topics: vec![topic_commit(topic, partition, offset)],
        ..OffsetCommit::default()
    }
}

fn commit_of(member: &JoinedGroup, offset: i64) -> OffsetCommit {
    OffsetCommit {
        generation_id: member.generation_id,
        member_id: member.member_id.clone(),
        ..commit("t", 0, offset)
    }
}

/// The error of the only partition, or of the whole request.
fn committed(rig: &mut Rig, request: OffsetCommit) -> ErrorCode {
    let token = rig.ask(Request::OffsetCommit(request));
    match rig.answer(token) {
        Some(Answer::OffsetCommit(results)) => results[0][0].error_code,
        Some(Answer::Refused(code)) => *code,
        other => panic!("{other:?}"),
    }
}

fn fetched(rig: &mut Rig, topic: &str, partition: i32) -> i64 {
    let token = rig.ask(Request::OffsetFetch(OffsetFetch {
        group_id: GROUP.to_owned(),
        member: None,
        topics: Some(vec![TopicPartitions {
            name: topic.to_owned(),
            partitions: vec![partition],
        }]),
    }));
    match rig.answer(token) {
        Some(Answer::OffsetFetch(topics)) => topics[0].partitions[0].committed_offset,
        other => panic!("{other:?}"),
    }
}

fn fetched_topics(rig: &mut Rig) -> Vec<String> {
    let token = rig.ask(Request::OffsetFetch(OffsetFetch {
        group_id: GROUP.to_owned(),
        member: None,
        topics: None,
    }));
    match rig.answer(token) {
        Some(Answer::OffsetFetch(topics)) => topics.iter().map(|one| one.name.clone()).collect(),
        other => panic!("{other:?}"),
    }
}

fn delete(rig: &mut Rig, topic: &str) -> ErrorCode {
    let token = rig.ask(Request::OffsetDelete(OffsetDelete {
        group_id: GROUP.to_owned(),
        topics: vec![TopicPartitions {
            name: topic.to_owned(),
            partitions: vec![0, 1],
        }],
    }));
    match rig.answer(token) {
        Some(Answer::OffsetDelete(results)) => results[0][0].error_code,
        Some(Answer::Refused(code)) => *code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn offsets_are_kept_over_a_restart() {
    let mut rig = Rig::default();
    assert_eq!(fetched(&mut rig, "t", 0), -1);
    assert!(fetched_topics(&mut rig).is_empty());
    assert_eq!(committed(&mut rig, commit("t", 0, 5)), ErrorCode::NONE);
    assert_eq!(committed(&mut rig, commit("u", 1, 6)), ErrorCode::NONE);
    assert_eq!(committed(&mut rig, commit("t", 0, 7)), ErrorCode::NONE);
    rig.restart();
    assert_eq!(fetched(&mut rig, "t", 0), 7);
    assert_eq!(fetched(&mut rig, "t", 1), -1);
    assert_eq!(fetched_topics(&mut rig), ["t", "u"]);
}

#[test]
fn members_alone_commit_in_their_generation() {
    let mut rig = Rig::default();
    let joined = rig.stable(2);
    let first = &joined[0];
    assert_eq!(committed(&mut rig, commit_of(first, 1)), ErrorCode::NONE);
    let outside = committed(&mut rig, commit("t", 0, 2));
    assert_eq!(outside, ErrorCode::UNKNOWN_MEMBER_ID);
    let old = OffsetCommit {
        generation_id: 0,
        ..commit_of(first, 3)
    };
    assert_eq!(committed(&mut rig, old), ErrorCode::ILLEGAL_GENERATION);
    let named = OffsetCommit {
        group_instance_id: Some("x".to_owned()),
        ..commit_of(first, 3)
    };
    assert_eq!(committed(&mut rig, named), ErrorCode::UNKNOWN_MEMBER_ID);
    // While the others join again a member may still commit; between join and sync it may not.
    let again = rig.ask(Request::JoinGroup(join(&first.member_id)));
    assert_eq!(
        committed(&mut rig, commit_of(&joined[1], 4)),
        ErrorCode::NONE
    );
    rig.ask(Request::JoinGroup(join(&joined[1].member_id)));
    let now = rig.joined(again).clone();
    let early = committed(&mut rig, commit_of(&now, 5));
    assert_eq!(early, ErrorCode::REBALANCE_IN_PROGRESS);
    let late = committed(&mut rig, commit_of(&joined[1], 5));
    assert_eq!(late, ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(fetched(&mut rig, "t", 0), 4);
}

#[test]
fn a_member_of_a_group_that_is_not_there_is_told_so() {
    let mut rig = Rig::default();
    let stray = OffsetCommit {
        generation_id: 3,
        member_id: "m".to_owned(),
        ..commit("t", 0, 1)
    };
    assert_eq!(committed(&mut rig, stray), ErrorCode::GROUP_ID_NOT_FOUND);
    assert_eq!(rig.coordinator.group_count(), 0);
}

#[test]
fn sizes_are_bounded() {
    let mut rig = Rig::with(|config| {
        config.offset_metadata_bytes_max = 4;
        config.offsets_max = 1;
    });
    assert_eq!(committed(&mut rig, commit("t", 0, 5)), ErrorCode::NONE);
    assert_eq!(committed(&mut rig, commit("t", 0, 6)), ErrorCode::NONE);
    let full = committed(&mut rig, commit("t", 1, 5));
    assert_eq!(full, ErrorCode::INVALID_COMMIT_OFFSET_SIZE);
    let mut long = commit("t", 0, 7);
    long.topics[0].partitions[0].committed_metadata = "longer".to_owned();
    let code = committed(&mut rig, long);
    assert_eq!(code, ErrorCode::OFFSET_METADATA_TOO_LARGE);
    assert_eq!(fetched(&mut rig, "t", 0), 6);
}

#[test]
fn a_group_is_deleted_when_it_is_empty() {
    let mut rig = Rig::default();
    let gone = |rig: &mut Rig| rig.code_of(Request::DeleteGroup(GROUP.to_owned()));
    assert_eq!(gone(&mut rig), ErrorCode::GROUP_ID_NOT_FOUND);
    let joined = rig.stable(1);
    committed(&mut rig, commit_of(&joined[0], 1));
    assert_eq!(gone(&mut rig), ErrorCode::NON_EMPTY_GROUP);
    rig.pass(20_000);
    assert_eq!(rig.state(), GroupState::Empty);
    assert_eq!(gone(&mut rig), ErrorCode::NONE);
    assert_eq!(rig.state(), GroupState::Dead);
    rig.restart();
    assert_eq!(rig.coordinator.group_count(), 0);
}

#[test]
fn offsets_of_topics_that_are_read_are_not_deleted() {
    let mut rig = Rig::default();
    assert_eq!(delete(&mut rig, "t"), ErrorCode::GROUP_ID_NOT_FOUND);
    committed(&mut rig, commit("t", 0, 1));
    committed(&mut rig, commit("u", 0, 1));
    rig.stable(1);
    assert_eq!(delete(&mut rig, "t"), ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC);
    assert_eq!(delete(&mut rig, "u"), ErrorCode::NONE);
    assert_eq!(fetched_topics(&mut rig), ["t"]);
    rig.restart();
    assert_eq!(fetched_topics(&mut rig), ["t"]);

    let mut rig = Rig::default();
    let connect = JoinGroup {
        protocol_type: "connect".to_owned(),
        ..join("")
    };
    rig.ask(Request::JoinGroup(connect));
    assert_eq!(delete(&mut rig, "u"), ErrorCode::NON_EMPTY_GROUP);
}

#[test]
fn offsets_expire_from_when_the_group_became_empty() {
    let mut rig = Rig::default();
    let joined = rig.stable(1);
    committed(&mut rig, commit_of(&joined[0], 1));
    for _ in 0..8 * 24 * 450 {
        rig.pass(8_000);
        rig.beat(&joined[0].member_id, 1);
    }
    assert_eq!(fetched(&mut rig, "t", 0), 1, "it is read, however old");
    rig.pass(7 * DAY_MS - 1_000);
    assert_eq!(fetched(&mut rig, "t", 0), 1);
    rig.pass(DAY_MS);
    assert_eq!(fetched(&mut rig, "t", 0), -1);
    assert_eq!(rig.coordinator.group_count(), 0);
    rig.restart();
    assert_eq!(rig.coordinator.group_count(), 0);
}

#[test]
fn offsets_of_nobody_expire_from_their_commit() {
    let mut rig = Rig::default();
    committed(&mut rig, commit("t", 0, 1));
    let brief = OffsetCommit {
        retention_time_ms: DAY_MS as i64,
        ..commit("t", 1, 1)
    };
    committed(&mut rig, brief);
    rig.pass(6 * DAY_MS);
    rig.restart();
    committed(&mut rig, commit("u", 0, 1));
    assert_eq!(fetched(&mut rig, "t", 0), 1);
    rig.pass(2 * DAY_MS);
    assert_eq!(fetched_topics(&mut rig), ["u"]);
}

#[test]
fn a_walk_over_many_offsets_goes_on_in_portions() {
    let mut rig = Rig::default();
    for number in 0..30 {
        let mut all = commit("t", 0, 1);
        all.group_id = format!("group-{number}");
        let one = all.topics[0].partitions[0].clone();
        all.topics[0].partitions = (0..1_000)
            .map(|partition_index| crate::PartitionCommit {
                partition_index,
                ..one.clone()
            })
            .collect();
        assert_eq!(committed(&mut rig, all), ErrorCode::NONE);
    }
    rig.pass(7 * DAY_MS - 1);
    let before = rig.coordinator.group_count();
    rig.pass(600_000);
    assert_eq!((before, rig.coordinator.group_count()), (30, 0));
}

#[test]
fn offsets_go_with_their_topic() {
    let mut rig = Rig::default();
    committed(&mut rig, commit("t", 0, 1));
    committed(&mut rig, commit("u", 0, 1));
    let mut out = Outbox::default();
    // Another topic of the name is another topic.
    let exists = |name: &str, id: Uuid| name == "u" && id == TOPIC_ID;
    rig.coordinator.retain_topics(rig.now, exists, &mut out);
    assert_eq!(out.take().len(), 1);
    assert_eq!(fetched_topics(&mut rig), ["u"]);
}

#[test]
fn groups_are_listed_by_state_and_type() {
    let mut rig = Rig::default();
    rig.stable(1);
    committed(
        &mut rig,
        OffsetCommit {
            group_id: "simple".to_owned(),
            ..commit("t", 0, 1)
        },
    );
    let mut list = |states: &[&str], types: &[&str]| {
        let owned = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect();
        let token = rig.ask(Request::ListGroups(ListGroups {
            states: owned(states),
            types: owned(types),
        }));
        match rig.answer(token) {
            Some(Answer::ListGroups(groups)) => {
                let names = groups.iter();
                names
                    .map(|one| format!("{}:{}:{}", one.group_id, one.protocol_type, one.state))
                    .collect::<Vec<_>>()
            },
            other => panic!("{other:?}"),
        }
    };
    let both = ["group:consumer:Stable", "simple::Empty"];
    assert_eq!(list(&[], &[]), both);
    assert_eq!(list(&["stable"], &["Classic"]), both[..1]);
    assert_eq!(list(&["Empty", "Dead"], &[]), both[1..]);
    assert!(list(&[], &["consumer"]).is_empty());
}
