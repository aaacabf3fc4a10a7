//! Faults to come: what goes wrong where, when, and for how long.
//!
//! A test gives its faults to [`World::inject`](super::World::inject), best all of them before
//! anything runs: each gets a number, in the order of the calls, beginning with 1. When one strikes,
//! the world writes a line ([`World::strikes`](super::World::strikes)). A run is shrunk to the
//! faults that matter by playing its seed again with a [`FaultMask`]: a fault that is masked out is
//! counted, drawn and written down as ever, but nothing happens. Each fault has a source of chance
//! of its own, so that neither the world's nor another fault's draws depend on the mask.
//!
//! First file to read: `armed.rs` for how a fault comes to strike.

mod act;
mod armed;
mod log;
mod strike;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

pub(super) use armed::{Faults, Operation, Struck};
pub use log::Strike;

use super::disk::DiskOp;
use super::node::{CrashKind, NodeId};

/// A fault to come.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The machine it strikes.
    pub node: NodeId,
    /// Nothing of it begins before the so manieth start of the machine's process from now on; 0 is
    /// now. Counts and times of the trigger begin there.
    pub life: u64,
    /// When it strikes.
    pub trigger: Trigger,
    /// What goes wrong.
    pub kind: FaultKind,
}

/// When a fault strikes. What is counted is counted of its machine.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    /// At once: before the first task runs, if the fault waits for the start of a process.
    Now,
    /// After this much virtual time.
    After(Duration),
    /// After that many polls of tasks.
    Polls(u64),
    /// When the so manieth of these operations (1 is the first) is handed to the disk. A
    /// [`FaultKind::Disk`] strikes this operation already, anything else while it is in flight.
    Starts(Operations, u64),
    /// When the so manieth of these operations has ended and nobody has seen its result.
    Ends(Operations, u64),
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum FaultKind {
    /// Operations of the disk go wrong.
    Disk(DiskFault),
    /// No operation of the disk ends for so long, whether it was handed to it before or after.
    Freeze(Duration),
    /// Somebody else fills the file system but for `free` bytes.
    Fill {
        /// Bytes that are left.
        free: u64,
        /// For how long; `None` until the fault is ended.
        lasts: Option<Duration>,
    },
    /// A file on the disk is damaged behind everybody's back, durably.
    Damage {
        /// One of these files that exist then, drawn.
        file: Files,
        /// What becomes of it.
        damage: Damage,
    },
    /// The wall clock jumps. The monotonic clock goes on.
    ClockJump {
        /// Milliseconds, negative for backwards.
        by_ms: i64,
    },
    /// The link to `peer` carries nothing: what is sent is held, connection requests go unanswered.
    Cut {
        /// The other machine.
        peer: NodeId,
        /// Which way.
        way: Way,
        /// For how long.
        lasts: Duration,
    },
    /// What goes to or comes from `peer` takes longer.
    Delay {
        /// The other machine.
        peer: NodeId,
        /// By how much.
        by: Duration,
        /// For how long.
        lasts: Duration,
    },
    /// Every connection with `peer` is reset.
    Reset {
        /// The other machine.
        peer: NodeId,
    },
    /// The next bytes that this machine sends to `peer` arrive in part, and then the connection is
    /// reset: in the middle of a frame.
    ResetMidway {
        /// The other machine.
        peer: NodeId,
    },
    /// The connections with `peer` carry nothing any more, for ever, and no end hears of it: each
    /// one finds out by what it sends, or not at all. New ones are fine.
    HalfOpen {
        /// The other machine.
        peer: NodeId,
    },
    /// This machine's processes take nothing from their connections, until windows are full.
    StopReading {
        /// For how long.
        lasts: Duration,
    },
    /// The process or the machine dies.
    Crash(CrashKind),
}

/// Which way a link is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Both ways.
    Both,
    /// What the machine sends is held, what it is sent arrives.
    Out,
    /// What the machine is sent is held, what it sends arrives.
    In,
}

/// Operations of a disk that go wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct DiskFault {
    /// The operations.
    pub on: Operations,
    /// How likely one of them is struck, once the fault has begun: 1 is every one.
    pub chance: f64,
    /// What becomes of those that are.
    pub effect: Effect,
    /// When it is over.
    pub span: Span,
}

/// Operations on files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operations {
    /// Their kinds; empty are all.
    pub ops: Vec<DiskOp>,
    /// Their files, by the path that each was opened with.
    pub files: Files,
    /// Bytes that they touch; `None` are all. Only reads, writes and reservations have a range.
    pub range: Option<Range<u64>>,
}

/// Files of a node, by the names that the engine gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Files {
    /// Every file and directory.
    All,
    /// Journals of shards.
    Journals,
    /// Checkpoints of shards.
    Checkpoints,
    /// Segments of partitions.
    Segments,
    /// The metadata log.
    Metadata,
    /// None of these: superblocks, locks, directories.
    Others,
    /// Those whose path contains this.
    Like(String),
}

/// What becomes of an operation of the disk. An effect that makes no sense for an operation (a
/// lost read) leaves it as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// `EIO`: a read gives nothing, a write has written some of its blocks, none of them durably, a
    /// flush has lost some of what it should have covered.
    Io,
    /// `ENOSPC`, as [`Effect::Io`] otherwise.
    NoSpace,
    /// `EMFILE`.
    TooManyFiles,
    /// It takes so much longer.
    Stall(Duration),
    /// A write is done in two parts: the first blocks, durable if they shall be, and after a while
    /// the rest, which a crash in between leaves out.
    Short,
    /// One bit of what is read or written is wrong: on the way, so that the next read is right
    /// again, but for ever if it was written.
    FlipBit,
    /// A read gives what one or more of the blocks held before they were last written.
    Stale,
    /// A write is acknowledged and its blocks stay as they were.
    Lose,
    /// A write is acknowledged and lands on other blocks, of this or another file.
    Misdirect,
    /// A durable write or a flush is acknowledged and has made nothing durable.
    NotDurable,
}

/// When operations go well again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// After so many that were struck.
    Times(u64),
    /// After this much time from the first one on.
    For(Duration),
    /// Never, for the bytes that the first one touched; all others go well at once.
    Range,
    /// Never.
    Forever,
}

/// What becomes of a file at rest. Faults that are not ended by
/// [`World::end_faults`](super::World::end_faults): what is damaged stays so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// So many bits are wrong, where the file has bytes other than zero.
    FlipBits(u64),
    /// A block with bytes other than zero cannot be read (`EIO`) until it is written again.
    Spoil,
    /// Its end is missing, from a place on that is drawn.
    Truncate,
    /// It is not there.
    Remove,
    /// It is as it was at the start of the process's last life: only files that were there then.
    Revert,
}

/// Which faults are acted on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FaultMask {
    /// All.
    #[default]
    All,
    /// Those with these numbers.
    Only(BTreeSet<u64>),
}

impl FaultMask {
    /// Whether the fault with this number is acted on.
    pub fn has(&self, number: u64) -> bool {
        match self {
            Self::All => true,
            Self::Only(numbers) => numbers.contains(&number),
        }
    }
}

impl Fault {
    /// Operations of a disk go wrong, the `nth` of them from now being the first.
    pub fn of_disk(node: NodeId, on: Operations, nth: u64, effect: Effect, span: Span) -> Self {
        Self {
            node,
            life: 0,
            trigger: Trigger::Starts(on.clone(), nth),
            kind: FaultKind::Disk(DiskFault {
                on,
                chance: 1.0,
                effect,
                span,
            }),
        }
    }
}

impl Operations {
    /// One kind of operation on some files.
    pub fn of(op: DiskOp, files: Files) -> Self {
        Self {
            ops: vec![op],
            files,
            range: None,
        }
    }

    /// Every operation on some files.
    pub const fn any(files: Files) -> Self {
        Self {
            ops: Vec::new(),
            files,
            range: None,
        }
    }

    /// Whether an operation is one of them.
    pub(super) fn have(&self, op: DiskOp, path: &Path, bytes: Option<&Range<u64>>) -> bool {
        let touched = self.range.as_ref().is_none_or(|range| {
            bytes.is_some_and(|bytes| bytes.start < range.end && range.start < bytes.end)
        });
        touched && (self.ops.is_empty() || self.ops.contains(&op)) && self.files.have(path)
    }
}

impl Files {
    /// Whether a path is one of theirs.
    pub fn have(&self, path: &Path) -> bool {
        match self {
            Self::All => true,
            Self::Like(part) => path.to_str().is_some_and(|path| path.contains(part)),
            class => *class == Self::class_of(path),
        }
    }

    /// What a file is for, by its name.
    fn class_of(path: &Path) -> Self {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.unwrap_or_default();
        let dir = path.parent().and_then(Path::file_name);
        if name.ends_with(".journal") {
            Self::Journals
        } else if name.ends_with(".segment") {
            Self::Segments
        } else if name.starts_with("checkpoint.") {
            Self::Checkpoints
        } else if dir.is_some_and(|dir| dir == "meta") {
            Self::Metadata
        } else {
            Self::Others
        }
    }
}
