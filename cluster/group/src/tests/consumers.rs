//! Groups of the consumer protocol in a coordinator: their log, and where the protocols meet.

use net_wire::ErrorCode;

use super::rig::{GROUP, Rig, join as classic_join, topic_commit};
use crate::consumer::tests::{Cluster, join, names};
use crate::consumer::{ConsumerGroupState, EPOCH_LEAVE, MemberHeartbeat, Refusal};
use crate::record::{ConsumerRecord, Record};
use crate::request::{
    JoinGroup, ListGroups, OffsetCommit, OffsetDelete, OffsetFetch, Request, TopicPartitions,
};
use crate::{Answer, GroupState};

const DAY_MS: u64 = 24 * 3_600_000;

fn rig() -> Rig {
    let mut rig = Rig::default();
    rig.topics = Cluster::with(&[("t", 4), ("u", 1)]);
    rig
}

fn leaving(member_id: &str) -> MemberHeartbeat {
    MemberHeartbeat {
        member_id: member_id.to_owned(),
        member_epoch: EPOCH_LEAVE,
        ..MemberHeartbeat::default()
    }
}

fn code_of<T>(result: Result<T, Refusal>) -> ErrorCode {
    result.err().map_or(ErrorCode::NONE, |one| one.error_code)
}

fn commit(member_id: &str, epoch: i32) -> Request {
    Request::OffsetCommit(OffsetCommit {
        group_id: GROUP.to_owned(),
        generation_id: epoch,
        member_id: member_id.to_owned(),
        knows_epochs: true,
        retention_time_ms: -1,
        topics: vec![topic_commit("t", 0, 7)],
        ..OffsetCommit::default()
    })
}

fn fetch(member: Option<(&str, i32)>) -> Request {
    Request::OffsetFetch(OffsetFetch {
        group_id: GROUP.to_owned(),
        member: member.map(|(id, epoch)| (id.to_owned(), epoch)),
        topics: None,
    })
}

fn listed(rig: &mut Rig, kind: &str) -> Vec<String> {
    let token = rig.ask(Request::ListGroups(ListGroups {
        states: Vec::new(),
        types: vec![kind.to_owned()],
    }));
    match rig.answer(token) {
        Some(Answer::ListGroups(listed)) => {
            let text = listed
                .iter()
                .map(|one| format!("{} {} {}", one.protocol_type, one.group_type, one.state));
            text.collect()
        },
        other => panic!("{other:?}"),
    }
}

/// A group of the classic protocol with one member.
fn classic(rig: &mut Rig) -> ErrorCode {
    let token = rig.join_new();
    rig.pass(10);
    let joined = rig.joined(token).clone();
    if joined.error_code.is_none() {
        rig.sync(&joined);
    }
    joined.error_code
}

#[test]
fn a_restart_changes_nothing() {
    let mut rig = rig();
    rig.consumer_beat(join("a", &["t"])).unwrap();
    rig.consumer_beat(join("b", &["t", "u"])).unwrap();
    let owned = rig.consumer_beat(join("a", &["t"])).unwrap().assignment;
    let regex = MemberHeartbeat {
        topic_regex: Some("[tu]".to_owned()),
        ..join("c", &[])
    };
    rig.consumer_beat(regex).unwrap();
    let before = rig.described_consumers().unwrap();
    rig.restart();
    assert_eq!(rig.described_consumers().unwrap(), before);
    // Those who were there have their sessions.
    rig.pass(44_000);
    assert_eq!(rig.described_consumers().unwrap(), before);
    // The next heartbeat changes nothing either: nothing has happened meanwhile.
    let next = MemberHeartbeat {
        member_id: "a".to_owned(),
        member_epoch: before.members[0].epoch,
        owned,
        ..MemberHeartbeat::default()
    };
    rig.consumer_beat(next).unwrap();
    assert_eq!(rig.described_consumers().unwrap().epoch, before.epoch);
    rig.pass(46_000);
    assert_eq!(
        rig.described_consumers().unwrap().state,
        ConsumerGroupState::Empty
    );
    rig.restart();
    assert_eq!(
        rig.described_consumers().unwrap().state,
        ConsumerGroupState::Empty
    );
}

#[test]
fn topics_that_changed_while_the_broker_was_down_are_noticed() {
    let mut rig = rig();
    rig.consumer_beat(join("a", &["t"])).unwrap();
    rig.topics.set("t", 6);
    rig.restart();
    let next = MemberHeartbeat {
        member_id: "a".to_owned(),
        member_epoch: 1,
        ..MemberHeartbeat::default()
    };
    let told = rig.consumer_beat(next).unwrap();
    let partitions = told.assignment.map(|all| all[&rig.topics.id("t")].len());
    assert_eq!((told.member_epoch, partitions), (2, Some(6)));
}

#[test]
fn what_is_not_there_has_kafkas_error() {
    let mut rig = rig();
    let unknown = ErrorCode::GROUP_ID_NOT_FOUND;
    assert_eq!(code_of(rig.described_consumers()), unknown);
    assert_eq!(code_of(rig.consumer_beat(leaving("a"))), unknown);
    let stray = MemberHeartbeat {
        member_epoch: 3,
        ..join("a", &["t"])
    };
    assert_eq!(code_of(rig.consumer_beat(stray)), unknown);
    // A group does not come to be by one who is refused.
    let refused = MemberHeartbeat {
        topic_regex: Some("(".to_owned()),
        ..join("a", &[])
    };
    let code = code_of(rig.consumer_beat(refused));
    assert_eq!(code, ErrorCode::INVALID_REGULAR_EXPRESSION);
    assert_eq!(rig.coordinator.group_count(), 0);
    assert_eq!(rig.log, []);
}

#[test]
fn offsets_go_by_the_epoch_of_the_member() {
    let mut rig = rig();
    rig.consumer_beat(join("a", &["t"])).unwrap();
    assert_eq!(rig.code_of(commit("a", 1)), ErrorCode::NONE);
    assert_eq!(rig.code_of(commit("a", 0)), ErrorCode::STALE_MEMBER_EPOCH);
    assert_eq!(rig.code_of(commit("b", 1)), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(rig.code_of(commit("", -1)), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(rig.code_of(fetch(None)), ErrorCode::NONE);
    assert_eq!(rig.code_of(fetch(Some(("a", 1)))), ErrorCode::NONE);
    let stale = rig.code_of(fetch(Some(("a", 2))));
    assert_eq!(stale, ErrorCode::STALE_MEMBER_EPOCH);
    let unknown = rig.code_of(fetch(Some(("b", 1))));
    assert_eq!(unknown, ErrorCode::UNKNOWN_MEMBER_ID);
    rig.consumer_beat(leaving("a")).unwrap();
    assert_eq!(rig.code_of(commit("", -1)), ErrorCode::NONE);
}

#[test]
fn offsets_of_topics_that_are_read_are_kept() {
    let mut rig = rig();
    rig.consumer_beat(join("a", &["t"])).unwrap();
    rig.code_of(commit("a", 1));
    let delete = |name: &str| {
        Request::OffsetDelete(OffsetDelete {
            group_id: GROUP.to_owned(),
            topics: vec![TopicPartitions {
                name: name.to_owned(),
                partitions: vec![0],
            }],
        })
    };
    for (name, expected) in [
        ("t", ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC),
        ("u", ErrorCode::NONE),
    ] {
        let token = rig.ask(delete(name));
        let Some(Answer::OffsetDelete(results)) = rig.answer(token) else {
            panic!("it is answered");
        };
        assert_eq!(results[0][0].error_code, expected);
    }
    rig.consumer_beat(leaving("a")).unwrap();
    rig.pass(8 * DAY_MS);
    // Nobody reads it, and nothing of it is left.
    assert_eq!(rig.coordinator.group_count(), 0);
    rig.restart();
    assert_eq!(rig.coordinator.group_count(), 0);
}

#[test]
fn groups_are_listed_and_described_as_what_they_are() {
    let mut rig = rig();
    rig.consumer_beat(join("a", &["t"])).unwrap();
    assert_eq!(listed(&mut rig, "Consumer"), ["consumer consumer Stable"]);
    assert_eq!(listed(&mut rig, "classic"), Vec::<String>::new());
    let code = rig.code_of(Request::DescribeGroup(GROUP.to_owned()));
    assert_eq!(code, ErrorCode::GROUP_ID_NOT_FOUND);
    let group = rig.described_consumers().unwrap();
    let member = &group.members[0];
    assert_eq!(
        (group.epoch, group.assignment_epoch, member.epoch),
        (1, 1, 1)
    );
    assert_eq!(member.subscription.topic_names, names(&["t"]));
    assert_eq!(member.assigned, member.target);
    assert_eq!(member.target[&rig.topics.id("t")].len(), 4);
}

#[test]
fn a_deleted_group_is_gone_from_the_log() {
    let mut rig = rig();
    rig.consumer_beat(join("a", &["t"])).unwrap();
    let delete = || Request::DeleteGroup(GROUP.to_owned());
    assert_eq!(rig.code_of(delete()), ErrorCode::NON_EMPTY_GROUP);
    rig.consumer_beat(leaving("a")).unwrap();
    assert_eq!(rig.code_of(delete()), ErrorCode::NONE);
    assert_eq!(
        code_of(rig.described_consumers()),
        ErrorCode::GROUP_ID_NOT_FOUND
    );
    let last = rig.log.last().unwrap();
    let Record::Consumer { record, .. } = last else {
        panic!("{last:?}")
    };
    assert_eq!(*record, ConsumerRecord::Group(None));
    rig.restart();
    assert_eq!(rig.coordinator.group_count(), 0);
}

#[test]
fn an_empty_group_takes_the_protocol_of_the_first_who_joins() {
    let mut rig = rig();
    let before = classic(&mut rig);
    assert_eq!(before, ErrorCode::NONE);
    // Its only member falls silent.
    rig.pass(60_000);
    assert_eq!(rig.state(), GroupState::Empty);
    rig.consumer_beat(join("a", &["t"])).unwrap();
    assert_eq!(listed(&mut rig, "consumer").len(), 1);
    rig.restart();
    assert_eq!(listed(&mut rig, "consumer").len(), 1);
    rig.consumer_beat(leaving("a")).unwrap();
    // And back.
    let stray = Request::JoinGroup(classic_join("unknown"));
    assert_eq!(rig.code_of(stray), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(classic(&mut rig), ErrorCode::NONE);
    assert_eq!(rig.state(), GroupState::Stable);
    rig.restart();
    assert_eq!(rig.state(), GroupState::Stable);
    assert_eq!(listed(&mut rig, "consumer"), Vec::<String>::new());
}

#[test]
fn other_software_does_not_join_a_consumer_group() {
    let mut rig = rig();
    rig.consumer_beat(join("a", &["t"])).unwrap();
    let other_type = Request::JoinGroup(JoinGroup {
        protocol_type: "connect".to_owned(),
        ..classic_join("")
    });
    let refused = rig.code_of(other_type);
    assert_eq!(refused, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
}
