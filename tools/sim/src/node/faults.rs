//! Which faults a seed has: drawn before anything happens, each with a name, and with what it may
//! cost.

use std::time::Duration;

use engine_rt::sim::{
    Damage, DiskFault, DiskOp, Effect, Fault, FaultKind, Files, NodeId, Operations, Span, Trigger,
    Way,
};

use super::plan::Plan;
use crate::rng::Rng;

/// How bad the world is allowed to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Crashes, power cuts and a network that fails now and then.
    Crashes,
    /// And faults that pass: nothing that was acknowledged may be gone after them.
    Passing,
    /// And damage to the only copy of something: what it hits may be refused.
    #[default]
    Damage,
}

impl Severity {
    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crashes => "none",
            Self::Passing => "passing",
            Self::Damage => "all",
        }
    }
}

/// What a fault may cost, by section 3 of the storage design.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cost {
    /// Answers that are late or refused while it lasts.
    Time,
    /// What it hit, which is refused and named from then on.
    Place,
}

/// A kind of fault, by its name in reports.
pub(super) struct Spec {
    pub name: &'static str,
    pub cost: Cost,
    make: fn(&mut Rng, Machines) -> (Trigger, FaultKind),
}

/// The machines of the play.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machines {
    pub node: NodeId,
    pub clients: NodeId,
}

/// A fault of a seed.
pub(super) struct Drawn {
    pub spec: &'static Spec,
    pub fault: Fault,
}

/// Names of all kinds, for the report of those that never struck.
pub fn names() -> impl Iterator<Item = &'static str> {
    SPECS.iter().map(|spec| spec.name)
}

/// Draws the faults of a seed that has so many lives.
pub(super) fn draw(
    rng: &mut Rng,
    severity: Severity,
    lives: u32,
    machines: Machines,
) -> Vec<Drawn> {
    let allowed = match rng.below(100) {
        0..30 => Severity::Crashes,
        30..75 => Severity::Passing,
        _ => Severity::Damage,
    };
    let allowed = allowed.min(severity);
    let passing = match allowed {
        Severity::Crashes => 0,
        Severity::Passing => rng.between(1, 12),
        Severity::Damage => rng.below(4),
    };
    let damage = u64::from(allowed == Severity::Damage) * rng.between(1, 2);
    let costs = [(Cost::Time, passing), (Cost::Place, damage)];
    let mut drawn = Vec::new();
    for (cost, count) in costs {
        let kinds: Vec<&'static Spec> = SPECS.iter().filter(|spec| spec.cost == cost).collect();
        drawn.extend((0..count).map(|_| {
            let spec = *rng.pick(&kinds);
            let (trigger, kind) = (spec.make)(rng, machines);
            let life = rng.between(1, u64::from(lives));
            let fault = Fault {
                node: machines.node,
                life,
                trigger,
                kind,
            };
            Drawn { spec, fault }
        }));
    }
    drawn
}

/// Has a plan leave out what its faults would make unclear.
pub(super) fn fit(plan: &mut Plan, drawn: &[Drawn]) {
    let has = |is: fn(&FaultKind) -> bool| drawn.iter().any(|drawn| is(&drawn.fault.kind));
    plan.clock_jumps = has(|kind| matches!(kind, FaultKind::ClockJump { .. }));
    // What is not flushed may go with a write that fails, at any time.
    if has(|kind| matches!(kind, FaultKind::Disk(_) | FaultKind::Fill { .. })) {
        plan.weak_percent = 0;
    }
}

/// Operations of one kind on some files fail so from the so manieth on.
fn on(rng: &mut Rng, op: DiskOp, files: Files, effect: Effect, span: Span) -> (Trigger, FaultKind) {
    let on = Operations::of(op, files);
    let nth = rng.magnitude(1, 60);
    let fault = DiskFault {
        on: on.clone(),
        chance: 1.0,
        effect,
        span,
    };
    (Trigger::Starts(on, nth), FaultKind::Disk(fault))
}

fn few(rng: &mut Rng) -> Span {
    Span::Times(rng.magnitude(1, 4))
}

/// A few operations, or all for a while.
fn while_(rng: &mut Rng) -> Span {
    if rng.percent(50) {
        few(rng)
    } else {
        Span::For(moment(rng))
    }
}

/// From a millisecond to two seconds.
fn moment(rng: &mut Rng) -> Duration {
    Duration::from_micros(rng.magnitude(1000, 2_000_000))
}

/// At a time of a life.
fn soon(rng: &mut Rng) -> Trigger {
    Trigger::After(Duration::from_micros(rng.magnitude(1000, 300_000)))
}

/// Before a life begins.
fn at_rest(file: Files, damage: Damage) -> (Trigger, FaultKind) {
    (Trigger::Now, FaultKind::Damage { file, damage })
}

fn superblocks() -> Files {
    Files::Like("superblock.".to_owned())
}

const fn passing(name: &'static str, make: fn(&mut Rng, Machines) -> (Trigger, FaultKind)) -> Spec {
    Spec {
        name,
        cost: Cost::Time,
        make,
    }
}

const fn damage(name: &'static str, make: fn(&mut Rng, Machines) -> (Trigger, FaultKind)) -> Spec {
    Spec {
        name,
        cost: Cost::Place,
        make,
    }
}

/// Every kind of fault.
static SPECS: &[Spec] = &[
    passing("EIO: journal write", |r, _| {
        let span = while_(r);
        on(r, DiskOp::Write, Files::Journals, Effect::Io, span)
    }),
    passing("EIO: journal flush", |r, _| {
        let span = few(r);
        on(r, DiskOp::Sync, Files::Journals, Effect::Io, span)
    }),
    passing("EIO: journal read", |r, _| {
        let span = few(r);
        on(r, DiskOp::Read, Files::Journals, Effect::Io, span)
    }),
    passing("EIO: segment write", |r, _| {
        let span = while_(r);
        on(r, DiskOp::Write, Files::Segments, Effect::Io, span)
    }),
    passing("EIO: segment flush", |r, _| {
        let span = few(r);
        on(r, DiskOp::Sync, Files::Segments, Effect::Io, span)
    }),
    passing("EIO: segment read", |r, _| {
        let span = while_(r);
        on(r, DiskOp::Read, Files::Segments, Effect::Io, span)
    }),
    passing("EIO: checkpoint write", |r, _| {
        let span = while_(r);
        on(r, DiskOp::Write, Files::Checkpoints, Effect::Io, span)
    }),
    passing("EIO: checkpoint read", |r, _| {
        let span = few(r);
        on(r, DiskOp::Read, Files::Checkpoints, Effect::Io, span)
    }),
    passing("EIO: metadata write", |r, _| {
        let span = few(r);
        on(r, DiskOp::Write, Files::Metadata, Effect::Io, span)
    }),
    passing("EIO: metadata read", |r, _| {
        let span = few(r);
        on(r, DiskOp::Read, Files::Metadata, Effect::Io, span)
    }),
    passing("EIO: flush of a directory", |r, _| {
        let span = few(r);
        on(r, DiskOp::SyncDir, Files::All, Effect::Io, span)
    }),
    passing("EIO: names", |r, _| {
        let span = few(r);
        on(r, DiskOp::Names, Files::All, Effect::Io, span)
    }),
    passing("EMFILE: open", |r, _| {
        let span = few(r);
        on(r, DiskOp::Open, Files::All, Effect::TooManyFiles, span)
    }),
    passing("ENOSPC: allocate", |r, _| {
        let span = while_(r);
        on(r, DiskOp::Allocate, Files::All, Effect::NoSpace, span)
    }),
    passing("ENOSPC: write", |r, _| {
        let span = while_(r);
        on(r, DiskOp::Write, Files::All, Effect::NoSpace, span)
    }),
    passing("full disk", |r, _| {
        let (free, lasts) = (r.below(1 << 20), moment(r));
        let lasts = Some(lasts);
        (soon(r), FaultKind::Fill { free, lasts })
    }),
    passing("slow operations", |r, _| {
        let (effect, times) = (Effect::Stall(moment(r)), r.magnitude(1, 20));
        let op = *r.pick(&[DiskOp::Write, DiskOp::Read, DiskOp::Sync]);
        on(r, op, Files::All, effect, Span::Times(times))
    }),
    passing("frozen disk", |r, _| {
        let lasts = moment(r);
        (soon(r), FaultKind::Freeze(lasts))
    }),
    passing("short writes", |r, _| {
        let times = r.magnitude(1, 100);
        on(
            r,
            DiskOp::Write,
            Files::All,
            Effect::Short,
            Span::Times(times),
        )
    }),
    passing("flip on the way: segment read", |r, _| {
        let span = few(r);
        on(r, DiskOp::Read, Files::Segments, Effect::FlipBit, span)
    }),
    passing("flip on the way: journal read", |r, _| {
        let span = few(r);
        on(r, DiskOp::Read, Files::Journals, Effect::FlipBit, span)
    }),
    passing("flip on the way: metadata read", |r, _| {
        let span = few(r);
        on(r, DiskOp::Read, Files::Metadata, Effect::FlipBit, span)
    }),
    passing("stale read: segment", |r, _| {
        let span = few(r);
        on(r, DiskOp::Read, Files::Segments, Effect::Stale, span)
    }),
    passing("stale read: journal", |r, _| {
        let span = few(r);
        on(r, DiskOp::Read, Files::Journals, Effect::Stale, span)
    }),
    passing("clock jump", |r, _| {
        const DAY_MS: u64 = 86_400_000;
        let by = r.magnitude(1000, 3 * DAY_MS) as i64;
        let by_ms = if r.percent(50) { by } else { -by };
        (soon(r), FaultKind::ClockJump { by_ms })
    }),
    passing("link cut", |r, m| {
        let way = *r.pick(&[Way::Both, Way::In, Way::Out]);
        let (peer, lasts) = (m.clients, moment(r));
        (soon(r), FaultKind::Cut { peer, way, lasts })
    }),
    passing("slow link", |r, m| {
        let (peer, by, lasts) = (m.clients, moment(r) / 10, moment(r));
        (soon(r), FaultKind::Delay { peer, by, lasts })
    }),
    passing("reset within a frame", |r, m| {
        (soon(r), FaultKind::ResetMidway { peer: m.clients })
    }),
    passing("half-open connections", |r, m| {
        (soon(r), FaultKind::HalfOpen { peer: m.clients })
    }),
    passing("stopped reader", |r, _| {
        let lasts = moment(r);
        (soon(r), FaultKind::StopReading { lasts })
    }),
    damage("flip at rest: segment", |r, _| {
        at_rest(Files::Segments, Damage::FlipBits(r.magnitude(1, 8)))
    }),
    damage("flip at rest: journal", |_, _| {
        at_rest(Files::Journals, Damage::FlipBits(1))
    }),
    damage("flip at rest: checkpoint", |_, _| {
        at_rest(Files::Checkpoints, Damage::FlipBits(1))
    }),
    damage("flip at rest: metadata", |_, _| {
        at_rest(Files::Metadata, Damage::FlipBits(1))
    }),
    damage("flip at rest: superblock", |_, _| {
        at_rest(superblocks(), Damage::FlipBits(1))
    }),
    damage("unreadable block: segment", |_, _| {
        at_rest(Files::Segments, Damage::Spoil)
    }),
    damage("unreadable block: journal", |_, _| {
        at_rest(Files::Journals, Damage::Spoil)
    }),
    damage("unreadable block: checkpoint", |_, _| {
        at_rest(Files::Checkpoints, Damage::Spoil)
    }),
    damage("unreadable block: metadata", |_, _| {
        at_rest(Files::Metadata, Damage::Spoil)
    }),
    damage("file cut: segment", |_, _| {
        at_rest(Files::Segments, Damage::Truncate)
    }),
    damage("file lost: segment", |_, _| {
        at_rest(Files::Segments, Damage::Remove)
    }),
    damage("file lost: metadata", |_, _| {
        at_rest(Files::Metadata, Damage::Remove)
    }),
    damage("file lost: checkpoint", |_, _| {
        at_rest(Files::Checkpoints, Damage::Remove)
    }),
    damage("old version: segment", |_, _| {
        at_rest(Files::Segments, Damage::Revert)
    }),
    damage("EIO for ever: segment", |r, _| {
        on(r, DiskOp::Read, Files::Segments, Effect::Io, Span::Range)
    }),
    damage("flip on the way: segment write", |r, _| {
        let span = few(r);
        on(r, DiskOp::Write, Files::Segments, Effect::FlipBit, span)
    }),
    damage("lost write: segment", |r, _| {
        let span = few(r);
        on(r, DiskOp::Write, Files::Segments, Effect::Lose, span)
    }),
    damage("misdirected write: segment", |r, _| {
        on(
            r,
            DiskOp::Write,
            Files::Segments,
            Effect::Misdirect,
            Span::Times(1),
        )
    }),
    damage("lost write: journal", |r, _| {
        on(
            r,
            DiskOp::Write,
            Files::Journals,
            Effect::Lose,
            Span::Times(1),
        )
    }),
    damage("flush that does nothing: journal", |r, _| {
        let span = few(r);
        on(r, DiskOp::Write, Files::Journals, Effect::NotDurable, span)
    }),
];
