//! Faults that wait, count and strike.
//!
//! A fault waits for its life, then counts towards its trigger, then is open. A fault of the disk
//! is asked about every operation from then on; anything else acts once, and, if it lasts, leaves
//! behind how it is undone.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use super::log::{Log, Strike};
use super::{Damage, DiskFault, Effect, Fault, FaultKind, FaultMask, Operations, Span, Trigger};
use crate::sim::disk::DiskOp;
use crate::sim::kernel::{Decision, Kernel};
use crate::sim::node::NodeId;
use crate::sim::prng::Prng;

/// Takes back what a fault that lasts has done.
pub(super) type Undo = Box<dyn FnOnce(&Rc<Kernel>)>;

/// Every fault of a world, by its number from 1 on.
pub(in crate::sim) struct Faults {
    pub(super) armed: Vec<Armed>,
    mask: FaultMask,
    log: Log,
    /// Indices of those that strike when the step is over.
    pub(super) due: Vec<usize>,
}

pub(super) struct Armed {
    pub(super) fault: Fault,
    pub(super) prng: Prng,
    pub(super) phase: Phase,
    pub(super) undo: Option<Undo>,
}

pub(super) enum Phase {
    /// For so many starts of its machine's process.
    Waiting(u64),
    /// So many polls or operations are to come.
    Counting(u64),
    Open(Opened),
    Over,
}

/// What a fault of the disk remembers.
#[derive(Default)]
pub(super) struct Opened {
    struck: u64,
    until: Option<u64>,
    place: Option<(PathBuf, Option<Range<u64>>)>,
}

/// An operation of the disk, on its way or at its end.
#[derive(Clone, Copy)]
pub(in crate::sim) struct Operation<'a> {
    pub(in crate::sim) node: NodeId,
    pub(in crate::sim) op: DiskOp,
    pub(in crate::sim) path: &'a Path,
    pub(in crate::sim) bytes: Option<&'a Range<u64>>,
}

/// What becomes of an operation, and the chance that decides the rest.
pub(in crate::sim) struct Struck {
    pub(in crate::sim) fault: u64,
    pub(in crate::sim) effect: Effect,
    pub(in crate::sim) prng: Prng,
}

impl Operation<'_> {
    fn is_one(&self, fault: &Fault, of: &Operations) -> bool {
        fault.node == self.node && of.have(self.op, self.path, self.bytes)
    }

    fn describe(&self, effect: Effect) -> String {
        let path = self.path.display();
        let op = format!("{:?}", self.op).to_lowercase();
        let bytes = self.bytes.map_or_else(String::new, |bytes| {
            format!(" {}..{}", bytes.start, bytes.end)
        });
        format!("{} on {op} of {path}{bytes}", effect.name())
    }
}

impl Faults {
    pub(in crate::sim) fn new(mask: FaultMask) -> Self {
        Self {
            armed: Vec::new(),
            mask,
            log: Log::default(),
            due: Vec::new(),
        }
    }

    pub(in crate::sim) fn strikes(&self) -> &[Strike] {
        self.log.strikes()
    }

    /// Whether some fault is about to bring back older versions of a machine's files.
    pub(in crate::sim) fn want_older_files(&self, node: NodeId) -> bool {
        let reverts = |kind: &FaultKind| {
            let damage = Damage::Revert;
            matches!(kind, FaultKind::Damage { damage: own, .. } if *own == damage)
        };
        self.armed.iter().any(|armed| {
            let is_over = matches!(armed.phase, Phase::Over);
            armed.fault.node == node && reverts(&armed.fault.kind) && !is_over
        })
    }

    /// An operation is handed to its disk: counts it, and says what becomes of it.
    pub(in crate::sim) fn operation_starts(
        &mut self,
        kernel: &Kernel,
        operation: Operation<'_>,
    ) -> Option<Struck> {
        let mut first = None;
        for index in 0..self.armed.len() {
            if let Trigger::Starts(on, _) = &self.armed[index].fault.trigger
                && operation.is_one(&self.armed[index].fault, on)
            {
                self.count_down(index);
            }
            let number = index as u64 + 1;
            let Some(struck) = self.armed[index].judge(number, kernel.now(), operation) else {
                continue;
            };
            let what = operation.describe(struck.effect);
            // Every fault counts the operation, the first one that strikes decides.
            if self.write_down(kernel, index, what) && first.is_none() {
                kernel.count(|stats| stats.disk_faults += 1);
                first = Some(struck);
            }
        }
        first
    }

    /// An operation has ended.
    pub(in crate::sim) fn operation_ends(&mut self, operation: Operation<'_>) {
        for index in 0..self.armed.len() {
            if let Trigger::Ends(on, _) = &self.armed[index].fault.trigger
                && operation.is_one(&self.armed[index].fault, on)
            {
                self.count_down(index);
            }
        }
    }

    /// A task of a machine was polled.
    pub(in crate::sim) fn poll_ends(&mut self, node: NodeId) {
        for index in 0..self.armed.len() {
            let fault = &self.armed[index].fault;
            if fault.node == node && matches!(fault.trigger, Trigger::Polls(_)) {
                self.count_down(index);
            }
        }
    }

    /// Counts one towards a trigger. A fault of the disk is open at once.
    pub(super) fn count_down(&mut self, index: usize) {
        let armed = &mut self.armed[index];
        let Phase::Counting(left) = &mut armed.phase else {
            return;
        };
        *left = left.saturating_sub(1);
        if *left > 0 {
            return;
        }
        if let FaultKind::Disk(_) = armed.fault.kind {
            armed.phase = Phase::Open(Opened::default());
        } else {
            armed.phase = Phase::Over;
            self.due.push(index);
        }
    }

    /// Writes down more of a fault's last strike.
    pub(in crate::sim) fn add_detail(&mut self, fault: u64, detail: &str) {
        self.log.add_detail(fault, detail);
    }

    /// Writes a strike down; whether it is acted on.
    pub(super) fn write_down(&mut self, kernel: &Kernel, index: usize, what: String) -> bool {
        let fault = index as u64 + 1;
        let strike = Strike {
            fault,
            at: Duration::from_nanos(kernel.now()),
            what,
            acted_on: self.mask.has(fault),
        };
        kernel.trace(|| strike.to_string());
        let acted_on = strike.acted_on;
        if acted_on {
            kernel.fold(Decision::Fault, fault);
        }
        self.log.add(strike);
        acted_on
    }
}

impl Armed {
    /// What becomes of an operation by this fault.
    fn judge(&mut self, fault: u64, now: u64, operation: Operation<'_>) -> Option<Struck> {
        let FaultKind::Disk(DiskFault {
            on,
            chance,
            effect,
            span,
        }) = &self.fault.kind
        else {
            return None;
        };
        let Phase::Open(opened) = &mut self.phase else {
            return None;
        };
        let is_one = operation.is_one(&self.fault, on) && opened.is_touched(operation);
        if !is_one || !self.prng.chance(*chance) {
            return None;
        }
        if opened.until.is_some_and(|until| now >= until) {
            self.phase = Phase::Over;
            return None;
        }
        opened.struck += 1;
        let effect = *effect;
        match *span {
            Span::Times(times) if opened.struck >= times => self.phase = Phase::Over,
            Span::For(time) => {
                opened.until.get_or_insert(now + time.as_nanos() as u64);
            },
            Span::Range if opened.place.is_none() => {
                opened.place = Some((operation.path.to_owned(), operation.bytes.cloned()));
            },
            _ => {},
        }
        let prng = Prng::new(self.prng.next());
        Some(Struck {
            fault,
            effect,
            prng,
        })
    }
}

impl Opened {
    /// Whether an operation touches the place that went bad, if only one did.
    fn is_touched(&self, operation: Operation<'_>) -> bool {
        self.place.as_ref().is_none_or(|(path, range)| {
            let on = Operations {
                ops: Vec::new(),
                files: super::Files::All,
                range: range.clone(),
            };
            path == operation.path && on.have(operation.op, operation.path, operation.bytes)
        })
    }
}

impl Effect {
    /// Nanoseconds that an operation takes longer.
    pub(in crate::sim) const fn longer(self) -> u64 {
        match self {
            Self::Stall(time) => time.as_nanos() as u64,
            _ => 0,
        }
    }

    /// As it is written down.
    const fn name(self) -> &'static str {
        match self {
            Self::Io => "EIO",
            Self::NoSpace => "ENOSPC",
            Self::TooManyFiles => "EMFILE",
            Self::Stall(_) => "stall",
            Self::Short => "in two parts",
            Self::FlipBit => "a flipped bit",
            Self::Stale => "stale blocks",
            Self::Lose => "acknowledged and lost",
            Self::Misdirect => "misdirected",
            Self::NotDurable => "acknowledged and not durable",
        }
    }
}
