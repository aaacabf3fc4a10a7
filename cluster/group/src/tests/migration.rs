//! Groups that change their protocol while they have members.

use std::collections::BTreeMap;

use net_wire::ErrorCode;
use net_wire::consumer_protocol::{ConsumerAssignment, assignment_bytes};

use super::rig::{GROUP, Rig, heartbeat, join as classic_join, protocol, sync};
use crate::consumer::tests::{Cluster, join};
use crate::consumer::{ConsumerGroupState, EPOCH_LEAVE, MemberHeartbeat};
use crate::request::{JoinGroup, LeaveGroup, LeavingMember, Protocol, Request, SyncGroup};
use crate::{Answer, GroupState, JoinedGroup};

fn rig() -> Rig {
    let mut rig = Rig::default();
    rig.topics = Cluster::with(&[("t", 4)]);
    rig
}

/// What a cooperative member says that has these partitions of `t`.
fn owning(partitions: &[i32]) -> Protocol {
    let mut said = protocol("range", "t");
    said.metadata.extend((-1_i32).to_be_bytes());
    let owned = vec![("t".to_owned(), partitions.to_vec())];
    // The array is as in an assignment, without version and user data.
    let bytes = assignment_bytes(1, &owned).unwrap();
    said.metadata.extend(&bytes[2..bytes.len() - 4]);
    said
}

fn rejoin(rig: &mut Rig, member_id: &str, partitions: &[i32]) -> JoinedGroup {
    let token = rig.ask(Request::JoinGroup(JoinGroup {
        protocols: vec![owning(partitions)],
        ..classic_join(member_id)
    }));
    rig.joined(token).clone()
}

/// What a member gets of `t`, or why not.
fn synced(rig: &mut Rig, member_id: &str, generation: i32) -> Result<Vec<i32>, ErrorCode> {
    let token = rig.ask(Request::SyncGroup(SyncGroup {
        protocol_type: Some("consumer".to_owned()),
        protocol_name: Some("range".to_owned()),
        ..sync(member_id, generation)
    }));
    match rig.answer(token) {
        Some(Answer::SyncGroup(synced)) => {
            let read = ConsumerAssignment::read(&synced.assignment).unwrap();
            let all: BTreeMap<_, _> = read.partitions.into_iter().collect();
            Ok(all.get("t").cloned().unwrap_or_default())
        },
        Some(Answer::Refused(code)) => Err(*code),
        other => panic!("{other:?}"),
    }
}

/// A stable classic group of one member, which has all of `t`.
fn classic(rig: &mut Rig) -> JoinedGroup {
    let token = rig.ask(Request::JoinGroup(JoinGroup {
        protocols: vec![owning(&[])],
        random: 7,
        ..classic_join("")
    }));
    rig.pass(10);
    let joined = rig.joined(token).clone();
    let all = vec![("t".to_owned(), vec![0, 1, 2, 3])];
    let token = rig.ask(Request::SyncGroup(SyncGroup {
        assignments: vec![(joined.member_id.clone(), assignment_bytes(1, &all).unwrap())],
        ..sync(&joined.member_id, joined.generation_id)
    }));
    rig.assignment(token);
    joined
}

/// The same, and a member of the consumer protocol has come; nothing is given up yet.
fn mixed(rig: &mut Rig) -> JoinedGroup {
    let old = classic(rig);
    let told = rig.consumer_beat(join("new", &["t"])).unwrap();
    assert_eq!(told.member_epoch, old.generation_id + 1);
    assert_eq!(told.assignment.map(|all| all.len()), Some(0));
    old
}

fn beat_classic(rig: &mut Rig, joined: &JoinedGroup) -> ErrorCode {
    rig.beat(&joined.member_id, joined.generation_id)
}

fn leave_new() -> MemberHeartbeat {
    MemberHeartbeat {
        member_id: "new".to_owned(),
        member_epoch: EPOCH_LEAVE,
        ..MemberHeartbeat::default()
    }
}

#[test]
fn a_classic_group_goes_over_without_a_break() {
    let mut rig = rig();
    let old = mixed(&mut rig);
    let id = old.member_id.clone();
    // The old member has everything until it joins again, and says what it gave up.
    assert_eq!(
        beat_classic(&mut rig, &old),
        ErrorCode::REBALANCE_IN_PROGRESS
    );
    assert_eq!(
        synced(&mut rig, &id, old.generation_id),
        Err(ErrorCode::REBALANCE_IN_PROGRESS)
    );
    let joined = rejoin(&mut rig, &id, &[0, 1, 2, 3]);
    assert_eq!(
        (joined.error_code, &joined.leader[..]),
        (ErrorCode::NONE, "")
    );
    assert_eq!(joined.generation_id, old.generation_id);
    let kept = synced(&mut rig, &id, joined.generation_id).unwrap();
    assert_eq!(kept.len(), 2);
    assert_eq!(
        beat_classic(&mut rig, &joined),
        ErrorCode::REBALANCE_IN_PROGRESS
    );
    let joined = rejoin(&mut rig, &id, &kept);
    assert_eq!(joined.generation_id, old.generation_id + 1);
    assert_eq!(synced(&mut rig, &id, joined.generation_id), Ok(kept));
    assert_eq!(beat_classic(&mut rig, &joined), ErrorCode::NONE);

    let next = MemberHeartbeat {
        member_id: "new".to_owned(),
        member_epoch: joined.generation_id,
        ..MemberHeartbeat::default()
    };
    let told = rig.consumer_beat(next).unwrap().assignment.unwrap();
    assert_eq!(told[&rig.topics.id("t")].len(), 2);
    let group = rig.described_consumers().unwrap();
    assert_eq!(group.state, ConsumerGroupState::Stable);
    let speaks_classic = group
        .members
        .iter()
        .map(|one| one.subscription.classic.is_some());
    assert_eq!(speaks_classic.filter(|is| *is).count(), 1);
    rig.restart();
    assert_eq!(rig.described_consumers().unwrap(), group);
    assert_eq!(beat_classic(&mut rig, &joined), ErrorCode::NONE);
}

#[test]
fn it_goes_back_with_the_last_member_of_the_new_protocol() {
    let mut rig = rig();
    let old = mixed(&mut rig);
    rig.consumer_beat(leave_new()).unwrap();
    assert_eq!(rig.state(), GroupState::PreparingRebalance);
    let logged = rig.log.len();
    rig.restart();
    assert_eq!(rig.log.len(), logged);
    assert_eq!(rig.state(), GroupState::Stable);
    // Its generation is over: it joins again, and leads.
    assert_eq!(beat_classic(&mut rig, &old), ErrorCode::ILLEGAL_GENERATION);
    let token = rig.ask(Request::JoinGroup(JoinGroup {
        protocols: vec![owning(&[])],
        ..classic_join(&old.member_id)
    }));
    rig.pass(10);
    let joined = rig.joined(token);
    assert_eq!((&joined.leader, joined.members.len()), (&old.member_id, 1));
}

#[test]
fn the_policy_says_which_way_a_group_may_go() {
    let mut rig = Rig::with(|config| config.migration.upgrades = false);
    rig.topics = Cluster::with(&[("t", 4)]);
    classic(&mut rig);
    let refused = rig.consumer_beat(join("new", &["t"])).unwrap_err();
    assert_eq!(refused.error_code, ErrorCode::GROUP_ID_NOT_FOUND);
    assert!(
        refused
            .message
            .ends_with("because online upgrade is disabled.")
    );
    assert_eq!(rig.state(), GroupState::Stable);

    let mut rig = Rig::with(|config| config.migration.downgrades = false);
    rig.topics = Cluster::with(&[("t", 4)]);
    mixed(&mut rig);
    rig.consumer_beat(leave_new()).unwrap();
    assert_eq!(rig.described_consumers().unwrap().members.len(), 1);
}

#[test]
fn groups_of_other_software_do_not_go_over() {
    let mut rig = rig();
    let token = rig.ask(Request::JoinGroup(JoinGroup {
        protocol_type: "connect".to_owned(),
        ..classic_join("")
    }));
    rig.pass(10);
    assert_eq!(rig.joined(token).error_code, ErrorCode::NONE);
    let refused = rig.consumer_beat(join("new", &["t"])).unwrap_err();
    assert_eq!(refused.error_code, ErrorCode::GROUP_ID_NOT_FOUND);
    let before = rig.log.len();
    assert_eq!(rig.state(), GroupState::CompletingRebalance);
    assert_eq!(rig.log.len(), before);
}

#[test]
fn those_who_wait_are_sent_to_join_again() {
    let mut rig = rig();
    let old = classic(&mut rig);
    let token = rig.ask(Request::JoinGroup(JoinGroup {
        protocols: vec![owning(&[])],
        random: 8,
        ..classic_join("")
    }));
    assert_eq!(rig.answer(token), None);
    rig.consumer_beat(join("new", &["t"])).unwrap();
    assert_eq!(rig.code(token), ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!(
        beat_classic(&mut rig, &old),
        ErrorCode::REBALANCE_IN_PROGRESS
    );
}

#[test]
fn a_classic_member_joins_a_group_of_the_new_protocol() {
    let mut rig = rig();
    rig.consumer_beat(join("new", &["t"])).unwrap();
    let two_steps = rig.ask(Request::JoinGroup(JoinGroup {
        requires_known_member_id: true,
        random: 9,
        protocols: vec![owning(&[])],
        ..classic_join("")
    }));
    let asked = rig.joined(two_steps).clone();
    assert_eq!(asked.error_code, ErrorCode::MEMBER_ID_REQUIRED);
    let joined = rejoin(&mut rig, &asked.member_id, &[]);
    assert_eq!(
        (joined.error_code, joined.generation_id),
        (ErrorCode::NONE, 2)
    );
    assert_eq!(synced(&mut rig, &asked.member_id, 2), Ok(vec![]));
    // There is nothing to take as long as the other one has everything.
    assert_eq!(beat_classic(&mut rig, &joined), ErrorCode::NONE);
    let stranger = rig.beat("stranger", 2);
    assert_eq!(stranger, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(rig.beat("new", 1), ErrorCode::UNKNOWN_MEMBER_ID);
    let old_generation = rig.beat(&asked.member_id, 1);
    assert_eq!(old_generation, ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(
        synced(&mut rig, &asked.member_id, 1),
        Err(ErrorCode::ILLEGAL_GENERATION)
    );

    let token = rig.ask(Request::LeaveGroup(LeaveGroup {
        group_id: GROUP.to_owned(),
        members: vec![
            LeavingMember {
                member_id: asked.member_id,
                group_instance_id: None,
            },
            LeavingMember {
                member_id: "stranger".to_owned(),
                group_instance_id: None,
            },
            // Admin clients take out whom they want.
            LeavingMember {
                member_id: "new".to_owned(),
                group_instance_id: None,
            },
        ],
    }));
    let Some(Answer::LeaveGroup(left)) = rig.answer(token) else {
        panic!("it is answered");
    };
    let codes: Vec<_> = left.iter().map(|one| one.error_code).collect();
    let unknown = ErrorCode::UNKNOWN_MEMBER_ID;
    assert_eq!(codes, [ErrorCode::NONE, unknown, ErrorCode::NONE]);
    assert_eq!(
        rig.described_consumers().unwrap().state,
        ConsumerGroupState::Empty
    );
}

#[test]
fn classic_members_keep_to_their_own_sessions() {
    let mut rig = rig();
    let old = mixed(&mut rig);
    // Ten seconds of silence, of its own choice; the new member has 45 s.
    rig.pass(9_000);
    assert_eq!(rig.described_consumers().unwrap().members.len(), 2);
    rig.pass(2_000);
    let group = rig.described_consumers().unwrap();
    assert_eq!(group.members.len(), 1);
    assert!(group.members[0].member_id != old.member_id);
}

#[test]
fn a_member_that_is_sent_to_join_has_its_time_for_it() {
    let mut rig = rig();
    let old = mixed(&mut rig);
    assert_eq!(
        beat_classic(&mut rig, &old),
        ErrorCode::REBALANCE_IN_PROGRESS
    );
    for _ in 0..4 {
        rig.pass(7_000);
        let code = beat_classic(&mut rig, &old);
        assert_eq!(code, ErrorCode::REBALANCE_IN_PROGRESS);
    }
    // 30 s are over, however alive it is.
    rig.pass(3_000);
    assert_eq!(rig.described_consumers().unwrap().members.len(), 1);
}

#[test]
fn heartbeats_of_either_protocol_are_told_apart() {
    let mut rig = rig();
    let old = mixed(&mut rig);
    let request = Request::Heartbeat(heartbeat("new", old.generation_id + 1));
    assert_eq!(rig.code_of(request), ErrorCode::UNKNOWN_MEMBER_ID);
}
