//! One partition as a shard holds it: its log, and who waits for it.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use engine_log::PartitionLog;
use engine_rt::Event;

use crate::extents::Extents;

/// Watchers that are gone are forgotten once there are this many.
const WATCHERS_PRUNED_AT: usize = 64;

/// A partition of this shard.
#[derive(Debug)]
pub(crate) struct Slot {
    pub log: Rc<RefCell<PartitionLog>>,
    /// The high watermark moved, or the partition failed or went away.
    pub changed: Event,
    /// A segment of it failed: nothing is appended until the next start.
    pub failed: RefCell<Option<String>>,
    pub deleted: Cell<bool>,
    /// Whether the journal holds entries of it that no checkpoint covers.
    pub dirty: Cell<bool>,
    /// Whether write-behind is carrying its bytes, and those of which segment.
    pub writing: Cell<bool>,
    pub carrying: Cell<Option<i64>>,
    /// Whether compaction is at it; and how often that found it damaged.
    pub cleaning: Cell<bool>,
    pub damage_met: Cell<usize>,
    /// Whether memory has an exchange of segments that the journal may not have.
    pub unsettled: Cell<bool>,
    /// Large batches on their way to its segment.
    pub extents: Extents,
    /// Changes other than appends that are in the journal but not in force yet.
    pub changing: Cell<usize>,
    /// Whether it is in line for giving back memory.
    pub in_tail_order: Cell<bool>,
    /// Long polls.
    watchers: RefCell<Vec<Weak<Event>>>,
}

impl Slot {
    pub(crate) fn new(log: Rc<RefCell<PartitionLog>>) -> Rc<Self> {
        Rc::new(Self {
            log,
            changed: Event::new(),
            failed: RefCell::new(None),
            deleted: Cell::new(false),
            dirty: Cell::new(false),
            writing: Cell::new(false),
            carrying: Cell::new(None),
            cleaning: Cell::new(false),
            damage_met: Cell::new(0),
            unsettled: Cell::new(false),
            extents: Extents::default(),
            changing: Cell::new(0),
            in_tail_order: Cell::new(false),
            watchers: RefCell::new(Vec::new()),
        })
    }

    /// Moves the high watermark and wakes those who wait for it.
    pub(crate) fn advance(&self, frame: u64) {
        if self.log.borrow_mut().advance(frame) {
            self.wake();
        }
    }

    /// Wakes everybody: something about the partition is different now.
    pub(crate) fn wake(&self) {
        self.changed.notify();
        for watcher in self.watchers.take() {
            if let Some(watcher) = watcher.upgrade() {
                watcher.notify();
            }
        }
    }

    pub(crate) fn fail(&self, reason: String) {
        self.failed.borrow_mut().get_or_insert(reason);
        self.wake();
    }

    pub(crate) fn watch(&self, watcher: &Rc<Event>) {
        let mut watchers = self.watchers.borrow_mut();
        if watchers.len() >= WATCHERS_PRUNED_AT {
            watchers.retain(|watcher| watcher.strong_count() > 0);
        }
        watchers.push(Rc::downgrade(watcher));
    }
}
