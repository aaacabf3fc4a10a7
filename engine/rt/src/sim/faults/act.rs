//! What faults do that are no effect on a single operation of a disk.

use std::rc::Rc;
use std::time::Duration;

use super::armed::Undo;
use super::{FaultKind, Way};
use crate::sim::kernel::Kernel;
use crate::sim::node::{CrashKind, Node, NodeId};
use crate::sim::prng::Prng;

/// Does it; how it is undone, and after which time of itself, if it lasts.
pub(super) type Act = Box<dyn FnOnce(&Rc<Kernel>) -> Option<(Undo, Option<Duration>)>>;

/// What a fault will do, all of it drawn.
pub(super) struct Planned {
    pub(super) what: String,
    pub(super) act: Act,
}

/// Something that is done once.
fn once(what: String, act: impl FnOnce(&Rc<Kernel>) + 'static) -> Planned {
    Planned {
        what,
        act: Box::new(move |kernel| {
            act(kernel);
            None
        }),
    }
}

/// Something that lasts.
fn lasting(
    what: String,
    lasts: Option<Duration>,
    act: impl FnOnce(&Rc<Kernel>) + 'static,
    undo: impl FnOnce(&Rc<Kernel>) + 'static,
) -> Planned {
    Planned {
        what,
        act: Box::new(move |kernel| {
            act(kernel);
            Some((Box::new(undo), lasts))
        }),
    }
}

/// Draws what a fault of `node` will do now.
pub(super) fn plan(node: &Rc<Node>, kind: &FaultKind, prng: &mut Prng) -> Planned {
    let here = Rc::clone(node);
    match kind.clone() {
        FaultKind::Disk(_) => unreachable!("it is asked about operations"),
        FaultKind::Freeze(lasts) => freeze(here, lasts),
        FaultKind::Fill { free, lasts } => fill(here, free, lasts),
        FaultKind::Damage { file, damage } => {
            let hit = node.disk.draw_damage(&file, damage, prng);
            let what = hit
                .as_ref()
                .map_or_else(|| format!("no file for {damage:?}"), ToString::to_string);
            once(what, move |_| {
                if let Some(hit) = hit {
                    here.disk.damage(&hit);
                }
            })
        },
        FaultKind::ClockJump { by_ms } => {
            once(format!("the wall clock jumps by {by_ms} ms"), move |_| {
                here.wall_offset_ms.set(here.wall_offset_ms.get() + by_ms);
            })
        },
        FaultKind::Crash(how) => once(format!("{how:?}"), move |kernel| {
            // Nobody is there to be killed between two lives; the power can fail.
            if how == CrashKind::PowerCut || !here.life().is_over() {
                kernel.crash(&here, how);
            }
        }),
        kind => plan_net(node.id, &kind, here),
    }
}

fn freeze(node: Rc<Node>, lasts: Duration) -> Planned {
    let undone = Rc::clone(&node);
    lasting(
        format!("the disk ends nothing for {lasts:?}"),
        Some(lasts),
        move |_| node.disk.freeze(),
        move |kernel| undone.disk.thaw(kernel, &undone),
    )
}

fn fill(node: Rc<Node>, free: u64, lasts: Option<Duration>) -> Planned {
    let undone = Rc::clone(&node);
    let taken = node.disk.free_bytes().saturating_sub(free);
    lasting(
        format!("the file system is full but for {free} bytes"),
        lasts,
        move |_| node.disk.hoard(taken),
        move |_| undone.disk.give_back(taken),
    )
}

fn plan_net(one: NodeId, kind: &FaultKind, node: Rc<Node>) -> Planned {
    match *kind {
        FaultKind::Cut { peer, way, lasts } => cut(one, peer, way, lasts),
        FaultKind::Delay { peer, by, lasts } => lasting(
            format!("the link to {peer:?} is slower by {by:?}"),
            Some(lasts),
            move |kernel| kernel.net.borrow_mut().slow_down(one, peer, by),
            move |kernel| kernel.net.borrow_mut().slow_down(one, peer, Duration::ZERO),
        ),
        FaultKind::Reset { peer } => once(
            format!("connections with {peer:?} are reset"),
            move |kernel| kernel.net.borrow_mut().reset(one, peer),
        ),
        FaultKind::ResetMidway { peer } => once(
            format!("the next bytes to {peer:?} arrive in part"),
            move |kernel| kernel.net.borrow_mut().reset_midway(one, peer),
        ),
        FaultKind::HalfOpen { peer } => once(
            format!("connections with {peer:?} carry nothing any more"),
            move |kernel| kernel.net.borrow_mut().deaden(one, peer),
        ),
        FaultKind::StopReading { lasts } => {
            let undone = Rc::clone(&node);
            lasting(
                format!("connections are not read for {lasts:?}"),
                Some(lasts),
                move |_| node.deaf.set(node.deaf.get() + 1),
                move |kernel| {
                    undone.deaf.set(undone.deaf.get() - 1);
                    kernel.net.borrow_mut().wake_readers(undone.id);
                },
            )
        },
        _ => unreachable!("not of the network"),
    }
}

fn cut(one: NodeId, peer: NodeId, way: Way, lasts: Duration) -> Planned {
    lasting(
        format!("the link to {peer:?} is cut for {lasts:?}, way {way:?}"),
        Some(lasts),
        move |kernel| {
            let mut net = kernel.net.borrow_mut();
            if way != Way::In {
                net.cut(one, peer);
            }
            if way != Way::Out {
                net.cut(peer, one);
            }
        },
        move |kernel| {
            let mut net = kernel.net.borrow_mut();
            net.heal(kernel, one, peer);
            net.heal(kernel, peer, one);
        },
    )
}
