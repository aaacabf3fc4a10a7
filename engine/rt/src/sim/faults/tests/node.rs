//! Clocks and deaths of one node.

use std::cell::Cell;
use std::rc::Rc;

use super::*;
use crate::sim::{CrashKind, DiskOp, Files, Operations};
use crate::{now, sleep, wall_clock_ms, yield_now};

#[test]
fn the_wall_clock_jumps_both_ways_and_the_monotonic_one_does_not() {
    let (world, node) = one_node(1);
    for (at, by_ms) in [(10, 7_200_000), (20, -86_400_000)] {
        let jump = FaultKind::ClockJump { by_ms };
        world.inject(fault(node, Trigger::After(seconds(at)), jump));
    }
    let seen = world.block_on(node, || async {
        let (begun, wall) = (now(), wall_clock_ms());
        let mut seen = Vec::new();
        for _ in 0..3 {
            let passed = now().since(begun).as_secs();
            let wall_passed = (wall_clock_ms() - wall) / 1000;
            seen.push((passed / 11, wall_passed / 3600));
            sleep(seconds(11)).await;
        }
        seen
    });
    assert_eq!(seen, [(0, 0), (1, 2), (2, -21)]);
    assert_eq!(
        world.strikes()[1].to_string(),
        "fault 2 at 20.001000 s: node: the wall clock jumps by -86400000 ms"
    );
}

/// How many operations a node has done when it dies.
fn operations_until(trigger: Trigger) -> u64 {
    let (world, node) = one_node(2);
    world.inject(fault(node, trigger, FaultKind::Crash(CrashKind::Kill)));
    let done = Rc::new(Cell::new(0));
    let counter = Rc::clone(&done);
    world.start(node, move || async move {
        loop {
            drop(open("/f.segment").await);
            counter.set(counter.get() + 1);
        }
    });
    world.run_until(|| !world.is_running(node));
    done.get()
}

#[test]
fn a_crash_strikes_at_any_await_point() {
    // Every await of this node ends with a poll: the first one begins, each other ends one.
    for polls in 1..20 {
        assert_eq!(operations_until(Trigger::Polls(polls)), polls - 1);
    }
}

#[test]
fn a_crash_strikes_with_an_operation_in_flight_or_ended_and_not_seen() {
    let opens = || Operations::of(DiskOp::Open, Files::Segments);
    for nth in 1..10 {
        assert_eq!(operations_until(Trigger::Starts(opens(), nth)), nth - 1);
        assert_eq!(operations_until(Trigger::Ends(opens(), nth)), nth - 1);
    }
    assert!(operations_until(Trigger::After(seconds(1))) > 100);
}

#[test]
fn a_fault_waits_for_its_life() {
    let (world, node) = one_node(3);
    let crash = |life, trigger| Fault {
        life,
        ..fault(node, trigger, FaultKind::Crash(CrashKind::PowerCut))
    };
    world.inject(crash(2, Trigger::Polls(3)));
    // Nothing of the third life ever runs.
    world.inject(crash(3, Trigger::Now));
    let polls = || {
        let polls = Rc::new(Cell::new(0));
        let counter = Rc::clone(&polls);
        world.start(node, move || async move {
            for _ in 0..10 {
                counter.set(counter.get() + 1);
                yield_now().await;
            }
        });
        world.run_until_idle();
        polls.get()
    };
    assert_eq!([polls(), polls(), polls(), polls()], [10, 3, 0, 10]);
    assert_eq!(world.stats().power_cuts, 2);
}

#[test]
fn nobody_is_killed_between_two_lives() {
    let (world, node) = one_node(4);
    for (at, kind) in [(1, CrashKind::Kill), (2, CrashKind::PowerCut)] {
        world.inject(fault(
            node,
            Trigger::After(seconds(at)),
            FaultKind::Crash(kind),
        ));
    }
    world.run_for(seconds(3));
    assert_eq!((world.stats().kills, world.stats().power_cuts), (0, 1));
}
