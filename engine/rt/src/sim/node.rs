//! Machines of the simulation and the lives of the process on them.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use super::disk::Disk;
use super::scheduler::LeftTask;

/// Names a node of a [`World`](super::World).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(super) usize);

/// How a node dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashKind {
    /// `kill -9`: the process is gone, the machine lives. Page cache and device keep what they
    /// were given; operations in flight may still be carried out, wholly or in part, after the
    /// death; peers see the connections closed or reset.
    Kill,
    /// The power fails. What was not flushed is lost, torn or kept, in any order; peers see nothing
    /// until they send.
    PowerCut,
}

/// The instant of a crash. Counts are of this node, from the scheduling on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    /// After this much virtual time.
    After(std::time::Duration),
    /// After that many polls of tasks.
    Polls(u64),
    /// After that many disk operations were handed to the disk: the last one is in flight.
    DiskStarts(u64),
    /// After that many disk operations have ended: nobody has seen the last one's result.
    DiskEnds(u64),
}

/// One run of a process, from its start to its end or crash.
#[derive(Debug, Default)]
pub(super) struct Life {
    pub(super) number: u64,
    over: Cell<bool>,
    pub(super) executors: Cell<usize>,
    /// Descriptors of files.
    pub(super) open_files: Cell<usize>,
    /// What waited when its executor ended.
    pub(super) left: RefCell<Vec<LeftTask>>,
}

impl Life {
    pub(super) fn new(number: u64) -> Rc<Self> {
        Rc::new(Self {
            number,
            ..Self::default()
        })
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.get()
    }

    pub(super) fn end(&self) {
        self.over.set(true);
    }
}

pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) name: String,
    pub(super) disk: Disk,
    life: RefCell<Rc<Life>>,
    pub(super) powered: Cell<bool>,
    /// The monotonic clock begins somewhere else with every boot.
    pub(super) monotonic_offset: Cell<u64>,
    pub(super) wall_offset_ms: Cell<i64>,
    pub(super) polls: Cell<u64>,
    /// How many reasons there are that nothing is read from connections.
    pub(super) deaf: Cell<u32>,
}

/// The wall clock at the start of every world: some day in 2026.
const WALL_CLOCK_START_MS: i64 = 1_790_000_000_000;

impl Node {
    pub(super) fn new(id: NodeId, name: &str, disk: Disk) -> Rc<Self> {
        let life = Life::new(0);
        life.end();
        Rc::new(Self {
            id,
            name: name.to_owned(),
            disk,
            life: RefCell::new(life),
            powered: Cell::new(true),
            monotonic_offset: Cell::new(0),
            wall_offset_ms: Cell::new(0),
            polls: Cell::new(0),
            deaf: Cell::new(0),
        })
    }

    pub(super) fn life(&self) -> Rc<Life> {
        Rc::clone(&self.life.borrow())
    }

    pub(super) fn begin_life(&self, life: Rc<Life>) {
        *self.life.borrow_mut() = life;
    }

    pub(super) fn wall_clock_ms(&self, now: u64) -> i64 {
        WALL_CLOCK_START_MS + (now / 1_000_000) as i64 + self.wall_offset_ms.get()
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
