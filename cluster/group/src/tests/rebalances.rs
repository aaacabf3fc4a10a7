//! Joining, assigning, staying and leaving.

use net_wire::ErrorCode;

use super::rig::{GROUP, Rig, join, protocol, sync};
use crate::request::{JoinGroup, LeaveGroup, LeavingMember, Request, SyncGroup};
use crate::{Answer, GroupState};

fn leave(rig: &mut Rig, member_id: &str) -> ErrorCode {
    let token = rig.ask(Request::LeaveGroup(LeaveGroup {
        group_id: GROUP.to_owned(),
        members: vec![LeavingMember {
            member_id: member_id.to_owned(),
            group_instance_id: None,
        }],
    }));
    match rig.answer(token) {
        Some(Answer::LeaveGroup(left)) => left[0].error_code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn members_share_a_generation_with_one_leader() {
    let mut rig = Rig::default();
    let joined = rig.stable(3);
    assert!(joined.iter().all(|one| one.generation_id == 1));
    assert!(joined.iter().all(|one| one.leader == joined[0].leader));
    assert_eq!(joined[0].members.len(), 3);
    assert!(joined[1..].iter().all(|one| one.members.is_empty()));
    assert_eq!(joined[0].protocol_name.as_deref(), Some("range"));
    for one in &joined {
        assert_eq!(rig.beat(&one.member_id, 1), ErrorCode::NONE);
        assert_eq!(rig.beat(&one.member_id, 0), ErrorCode::ILLEGAL_GENERATION);
    }
    assert_eq!(rig.beat("nobody", 1), ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_new_member_makes_the_others_join_again() {
    let mut rig = Rig::default();
    let old = rig.stable(1).remove(0);
    let new = rig.join_new();
    assert_eq!(rig.state(), GroupState::PreparingRebalance);
    let beat = rig.beat(&old.member_id, 1);
    assert_eq!(beat, ErrorCode::REBALANCE_IN_PROGRESS);
    let again = rig.ask(Request::JoinGroup(join(&old.member_id)));
    assert_eq!(rig.joined(again).generation_id, 2);
    assert_eq!(rig.joined(again).members.len(), 2);
    assert_eq!(rig.joined(new).leader, old.member_id);
    let waits = rig.sync(&rig.joined(new).clone());
    assert_eq!(rig.answer(waits), None);
    let leads = rig.sync(&rig.joined(again).clone());
    assert_eq!(rig.assignment(leads), old.member_id.as_bytes());
    assert_eq!(rig.assignment(waits), rig.joined(new).member_id.as_bytes());
}

#[test]
fn an_empty_group_waits_for_more_members_and_a_little_longer_for_each() {
    let mut rig = Rig::with(|config| config.initial_rebalance_delay_ms = 3_000);
    let first = rig.join_new();
    rig.pass(2_000);
    let second = rig.join_new();
    rig.pass(3_000);
    assert_eq!(rig.answer(first), None);
    rig.pass(1_000);
    assert_eq!(rig.joined(first).generation_id, 1);
    assert_eq!(rig.joined(second).generation_id, 1);
    // Never longer than the rebalance timeout.
    let mut rig = Rig::with(|config| config.initial_rebalance_delay_ms = 3_000);
    let first = rig.join_new();
    for _ in 0..14 {
        rig.pass(2_000);
        rig.join_new();
    }
    assert_eq!(rig.answer(first), None);
    rig.pass(2_000);
    assert_eq!(rig.joined(first).generation_id, 1);
}

#[test]
fn a_known_id_is_required_where_the_client_can_ask_twice() {
    let mut rig = Rig::default();
    let new = JoinGroup {
        requires_known_member_id: true,
        ..join("")
    };
    let token = rig.ask(Request::JoinGroup(new));
    let required = rig.joined(token).clone();
    assert_eq!(required.error_code, ErrorCode::MEMBER_ID_REQUIRED);
    assert!(required.member_id.starts_with("me-"));
    let token = rig.ask(Request::JoinGroup(join(&required.member_id)));
    rig.pass(10);
    assert_eq!(rig.joined(token).member_id, required.member_id);
    assert_eq!(rig.joined(token).error_code, ErrorCode::NONE);
}

#[test]
fn an_id_that_is_not_joined_with_goes_and_the_group_with_it() {
    let mut rig = Rig::default();
    let new = JoinGroup {
        requires_known_member_id: true,
        ..join("")
    };
    let token = rig.ask(Request::JoinGroup(new));
    let id = rig.joined(token).member_id.clone();
    rig.pass(10_001);
    let late = rig.code_of(Request::JoinGroup(join(&id)));
    assert_eq!(late, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(rig.coordinator.group_count(), 0);
}

#[test]
fn a_pending_id_holds_up_the_others_until_it_joins() {
    let mut rig = Rig::default();
    let old = rig.stable(1).remove(0);
    let new = JoinGroup {
        requires_known_member_id: true,
        random: 9,
        ..join("")
    };
    let token = rig.ask(Request::JoinGroup(new));
    let id = rig.joined(token).member_id.clone();
    let again = rig.ask(Request::JoinGroup(join(&old.member_id)));
    assert_eq!(
        rig.answer(again),
        None,
        "the leader rejoined, one is awaited"
    );
    let new = rig.ask(Request::JoinGroup(join(&id)));
    assert_eq!(rig.joined(again).generation_id, 2);
    assert_eq!(rig.joined(new).generation_id, 2);
}

#[test]
fn silence_ends_a_membership_and_the_others_are_balanced() {
    let mut rig = Rig::default();
    let joined = rig.stable(2);
    for _ in 0..3 {
        rig.pass(5_000);
        rig.beat(&joined[0].member_id, 1);
    }
    assert_eq!(rig.state(), GroupState::PreparingRebalance);
    let again = rig.ask(Request::JoinGroup(join(&joined[0].member_id)));
    assert_eq!(rig.joined(again).members.len(), 1);
    let gone = rig.beat(&joined[1].member_id, 1);
    assert_eq!(gone, ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn who_does_not_join_again_in_time_is_out() {
    let mut rig = Rig::default();
    let joined = rig.stable(2);
    let again = rig.ask(Request::JoinGroup(join(&joined[0].member_id)));
    for _ in 0..5 {
        rig.pass(6_000);
        rig.beat(&joined[1].member_id, 1);
    }
    assert_eq!(rig.joined(again).members.len(), 1);
}

#[test]
fn who_does_not_ask_for_its_assignment_is_out() {
    let mut rig = Rig::default();
    let (a, b) = (rig.join_new(), rig.join_new());
    rig.pass(10);
    let (a, b) = (rig.joined(a).clone(), rig.joined(b).clone());
    let (leader, other) = if a.members.is_empty() { (b, a) } else { (a, b) };
    let waits = rig.sync(&other);
    for _ in 0..4 {
        rig.pass(8_000);
        rig.beat(&leader.member_id, 1);
    }
    assert_eq!(rig.code(waits), ErrorCode::REBALANCE_IN_PROGRESS);
    let beat = rig.beat(&leader.member_id, 1);
    assert_eq!(beat, ErrorCode::UNKNOWN_MEMBER_ID);
    let again = rig.ask(Request::JoinGroup(join(&other.member_id)));
    assert_eq!(rig.joined(again).leader, other.member_id);
}

#[test]
fn the_last_one_who_leaves_empties_the_group_at_once() {
    let mut rig = Rig::default();
    let joined = rig.stable(2);
    assert_eq!(leave(&mut rig, &joined[0].member_id), ErrorCode::NONE);
    assert_eq!(rig.state(), GroupState::PreparingRebalance);
    assert_eq!(leave(&mut rig, &joined[1].member_id), ErrorCode::NONE);
    assert_eq!(rig.state(), GroupState::Empty);
    let again = leave(&mut rig, &joined[1].member_id);
    assert_eq!(again, ErrorCode::UNKNOWN_MEMBER_ID);
    rig.restart();
    assert_eq!(rig.state(), GroupState::Empty);
    assert_eq!(rig.stable(1)[0].generation_id, 3);
}

#[test]
fn a_follower_that_asks_again_disturbs_nobody() {
    let mut rig = Rig::default();
    let joined = rig.stable(2);
    let token = rig.ask(Request::JoinGroup(join(&joined[1].member_id)));
    assert_eq!(rig.joined(token).generation_id, 1);
    assert_eq!(rig.state(), GroupState::Stable);
    // Unless it says something else.
    let changed = JoinGroup {
        protocols: vec![protocol("range", "other")],
        ..join(&joined[1].member_id)
    };
    let token = rig.ask(Request::JoinGroup(changed));
    assert_eq!(rig.answer(token), None);
    assert_eq!(rig.state(), GroupState::PreparingRebalance);
}

#[test]
fn the_protocol_is_one_that_all_know_and_most_like_best() {
    let mut rig = Rig::default();
    let with = |names: &[&str], random| JoinGroup {
        protocols: names.iter().map(|name| protocol(name, "t")).collect(),
        random,
        ..join("")
    };
    let first = rig.ask(Request::JoinGroup(with(&["range", "sticky"], 1)));
    let second = rig.ask(Request::JoinGroup(with(&["mine", "sticky", "range"], 2)));
    let third = rig.ask(Request::JoinGroup(with(&["sticky", "range"], 3)));
    let alien = rig.code_of(Request::JoinGroup(with(&["mine"], 4)));
    assert_eq!(alien, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    let connect = JoinGroup {
        protocol_type: "connect".to_owned(),
        ..with(&["range"], 5)
    };
    let alien = rig.code_of(Request::JoinGroup(connect));
    assert_eq!(alien, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    rig.pass(10);
    for token in [first, second, third] {
        assert_eq!(rig.joined(token).protocol_name.as_deref(), Some("sticky"));
    }
}

#[test]
fn what_a_member_believes_is_checked() {
    let mut rig = Rig::default();
    let joined = rig.stable(1).remove(0);
    let believes = |kind: &str, name: &str| {
        Request::SyncGroup(SyncGroup {
            protocol_type: Some(kind.to_owned()),
            protocol_name: Some(name.to_owned()),
            ..sync(&joined.member_id, 1)
        })
    };
    assert_eq!(rig.code_of(believes("consumer", "range")), ErrorCode::NONE);
    let wrong = ErrorCode::INCONSISTENT_GROUP_PROTOCOL;
    assert_eq!(rig.code_of(believes("consumer", "sticky")), wrong);
    assert_eq!(rig.code_of(believes("connect", "range")), wrong);
    let old = Request::SyncGroup(sync(&joined.member_id, 0));
    assert_eq!(rig.code_of(old), ErrorCode::ILLEGAL_GENERATION);
}

#[test]
fn bounds_are_kept() {
    let mut rig = Rig::with(|config| config.group_size_max = 2);
    let joined = rig.stable(2);
    let third = rig.join_new();
    assert_eq!(rig.code(third), ErrorCode::GROUP_MAX_SIZE_REACHED);
    assert_eq!(rig.beat(&joined[1].member_id, 1), ErrorCode::NONE);
    for session_timeout_ms in [5_999, 1_800_001] {
        let request = JoinGroup {
            session_timeout_ms,
            ..join("")
        };
        let code = rig.code_of(Request::JoinGroup(request));
        assert_eq!(code, ErrorCode::INVALID_SESSION_TIMEOUT);
    }
    let nameless = JoinGroup {
        group_id: String::new(),
        ..join("")
    };
    let code = rig.code_of(Request::JoinGroup(nameless));
    assert_eq!(code, ErrorCode::INVALID_GROUP_ID);

    let mut rig = Rig::with(|config| {
        config.groups_max = 1;
        config.group_bytes_max = 4_000;
    });
    rig.stable(3);
    let fourth = rig.join_new();
    assert_eq!(rig.code(fourth), ErrorCode::GROUP_MAX_SIZE_REACHED);
    let other = JoinGroup {
        group_id: "other".to_owned(),
        ..join("")
    };
    let code = rig.code_of(Request::JoinGroup(other));
    assert_eq!(code, ErrorCode::COORDINATOR_NOT_AVAILABLE);
}

#[test]
fn a_restart_changes_nothing_for_members() {
    let mut rig = Rig::default();
    let joined = rig.stable(2);
    rig.restart();
    assert_eq!(rig.state(), GroupState::Stable);
    for one in &joined {
        assert_eq!(rig.beat(&one.member_id, 1), ErrorCode::NONE);
    }
    // Their sessions began anew.
    rig.pass(10_001);
    assert_eq!(rig.state(), GroupState::Empty);
}

#[test]
fn timeouts_of_nothing_do_not_spin() {
    let mut rig = Rig::with(|config| config.session_timeout_min_ms = 0);
    let hasty = JoinGroup {
        session_timeout_ms: 0,
        rebalance_timeout_ms: -1,
        group_instance_id: Some("one".to_owned()),
        ..join("")
    };
    rig.ask(Request::JoinGroup(hasty));
    rig.pass(100_000);
    assert_eq!(rig.state(), GroupState::Empty);
}
