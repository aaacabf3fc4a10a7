//! Static members (KIP-345): they come back to the place they had.

use net_wire::ErrorCode;

use super::rig::{GROUP, Rig, heartbeat, join};
use crate::request::{Heartbeat, JoinGroup, LeaveGroup, LeavingMember, Request};
use crate::{Answer, GroupState, JoinedGroup};

fn named(instance: &str, member_id: &str, random: u128) -> JoinGroup {
    JoinGroup {
        group_instance_id: Some(instance.to_owned()),
        random,
        ..join(member_id)
    }
}

/// A stable group of `a`, which leads, and `b`.
fn pair(rig: &mut Rig) -> [JoinedGroup; 2] {
    let tokens = ["a", "b"].map(|name| rig.ask(Request::JoinGroup(named(name, "", 1))));
    rig.pass(10);
    let joined = tokens.map(|token| rig.joined(token).clone());
    assert_eq!(joined[0].leader, joined[0].member_id);
    for one in &joined {
        rig.sync(one);
    }
    assert_eq!(rig.state(), GroupState::Stable);
    joined
}

#[test]
fn one_comes_back_without_a_rebalance_and_its_former_self_is_fenced() {
    let mut rig = Rig::default();
    let [a, b] = pair(&mut rig);
    let back = rig.ask(Request::JoinGroup(named("b", "", 2)));
    let back = rig.joined(back).clone();
    assert_eq!((back.error_code, back.generation_id), (ErrorCode::NONE, 1));
    assert_ne!(back.member_id, b.member_id);
    assert_eq!(rig.state(), GroupState::Stable);
    let synced = rig.sync(&back);
    assert_eq!(rig.assignment(synced), b.member_id.as_bytes());
    let former = Request::Heartbeat(Heartbeat {
        group_instance_id: Some("b".to_owned()),
        ..heartbeat(&b.member_id, 1)
    });
    assert_eq!(rig.code_of(former), ErrorCode::FENCED_INSTANCE_ID);
    assert_eq!(rig.beat(&b.member_id, 1), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(rig.beat(&a.member_id, 1), ErrorCode::NONE);
    // The log knows who has the name now.
    rig.restart();
    assert_eq!(rig.beat(&back.member_id, 1), ErrorCode::NONE);
}

#[test]
fn a_leader_that_comes_back_keeps_the_assignments() {
    let mut rig = Rig::default();
    let [a, _] = pair(&mut rig);
    let request = JoinGroup {
        supports_skipping_assignment: true,
        ..named("a", "", 2)
    };
    let back = rig.ask(Request::JoinGroup(request));
    let new = rig.joined(back).clone();
    assert!(new.skip_assignment);
    assert_eq!(
        (new.leader.clone(), new.members.len()),
        (new.member_id.clone(), 2)
    );
    // An older client is not told that it leads.
    let back = rig.ask(Request::JoinGroup(named("a", "", 3)));
    let old = rig.joined(back);
    assert_eq!((old.skip_assignment, &old.leader), (false, &new.member_id));
    assert!(old.members.is_empty());
    assert_ne!(new.member_id, a.member_id);
}

#[test]
fn a_comeback_between_join_and_sync_begins_anew() {
    let mut rig = Rig::default();
    let tokens = ["a", "b"].map(|name| rig.ask(Request::JoinGroup(named(name, "", 1))));
    rig.pass(10);
    let [a, _] = tokens.map(|token| rig.joined(token).clone());
    let back = rig.ask(Request::JoinGroup(named("b", "", 2)));
    assert_eq!(rig.answer(back), None);
    assert_eq!(rig.state(), GroupState::PreparingRebalance);
    let again = rig.ask(Request::JoinGroup(named("a", &a.member_id, 0)));
    assert_eq!(rig.joined(back).generation_id, 2);
    assert_eq!(rig.joined(again).generation_id, 2);
}

#[test]
fn an_absent_one_is_waited_for_as_long_as_its_session() {
    let mut rig = Rig::default();
    let [a, b] = pair(&mut rig);
    let again = rig.ask(Request::JoinGroup(named("a", &a.member_id, 0)));
    for _ in 0..4 {
        rig.pass(8_000);
        let beat = Request::Heartbeat(heartbeat(&b.member_id, 1));
        rig.ask(beat);
    }
    // It did not join, and still has its place.
    assert_eq!(rig.joined(again).members.len(), 2);
    let wrong = rig.code_of(Request::JoinGroup(named("b", "somebody", 0)));
    assert_eq!(wrong, ErrorCode::FENCED_INSTANCE_ID);
    let unknown = rig.code_of(Request::JoinGroup(named("c", "somebody", 0)));
    assert_eq!(unknown, ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn an_admin_takes_one_out_by_its_name() {
    let mut rig = Rig::default();
    pair(&mut rig);
    let leaving = |name: &str| LeavingMember {
        member_id: String::new(),
        group_instance_id: Some(name.to_owned()),
    };
    let request = LeaveGroup {
        group_id: GROUP.to_owned(),
        members: vec![leaving("b"), leaving("c")],
    };
    let token = rig.ask(Request::LeaveGroup(request));
    let Some(Answer::LeaveGroup(left)) = rig.answer(token) else {
        panic!("it is answered");
    };
    let codes: Vec<_> = left.iter().map(|one| one.error_code).collect();
    assert_eq!(codes, [ErrorCode::NONE, ErrorCode::UNKNOWN_MEMBER_ID]);
    assert_eq!(rig.state(), GroupState::PreparingRebalance);
}
