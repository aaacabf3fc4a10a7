//! Extents on their way to the disk: the whole blocks of large batches, written beside the journal.
//!
//! Every durable write makes the file system settle what it knows of the file, and flushes the
//! device; both cost as much for a block as for a megabyte. So a partition has few writes under way:
//! extents that come meanwhile wait, and those that follow each other in the file leave as one.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use engine_log::{SegmentWrite, write};
use engine_rt::fs::BUFS_MAX;
use engine_rt::mutant::{self, Mutant};
use engine_rt::spawn;
use engine_wal::ExtentGuard;

use crate::reopen::UnderWay;
use crate::shard::Shard;
use crate::slot::Slot;

/// Writes of one partition that are under way at a time.
const WRITERS_MAX: usize = 2;
/// A write of so many bytes takes no more with it.
const TOGETHER_BYTES: usize = 1 << 20;

/// The blocks of one batch.
#[derive(Debug)]
pub(crate) struct Extent {
    pub(crate) staged: SegmentWrite,
    /// Set once they are flushed.
    pub(crate) flushed: Rc<Cell<bool>>,
    pub(crate) guard: ExtentGuard,
    /// Held until then.
    pub(crate) under_way: UnderWay,
}

/// Those of one partition.
#[derive(Debug, Default)]
pub(crate) struct Extents {
    waiting: RefCell<VecDeque<Extent>>,
    writers: Cell<usize>,
}

impl Extents {
    /// The extents that leave next: the oldest, and those behind it that follow it in its file.
    fn take_together(&self) -> Vec<Extent> {
        let mut waiting = self.waiting.borrow_mut();
        let mut taken: Vec<Extent> = waiting.pop_front().into_iter().collect();
        let mut bytes: usize = taken.iter().map(|one| one.staged.bytes.len()).sum();
        while let Some(last) = taken.last()
            && bytes < TOGETHER_BYTES
            && taken.len() < BUFS_MAX
            && let Some(next) = waiting.pop_front_if(|next| next.staged.follows(&last.staged))
        {
            bytes += next.staged.bytes.len();
            taken.push(next);
        }
        taken
    }
}

impl Shard {
    /// Sends an extent on its way.
    pub(crate) fn carry_extent(self: &Rc<Self>, slot: &Rc<Slot>, extent: Extent) {
        let extents = &slot.extents;
        extents.waiting.borrow_mut().push_back(extent);
        if extents.writers.get() < WRITERS_MAX {
            extents.writers.set(extents.writers.get() + 1);
            spawn(Rc::clone(self).write_extents(Rc::clone(slot))).detach();
        }
    }

    async fn write_extents(self: Rc<Self>, slot: Rc<Slot>) {
        loop {
            let extents = slot.extents.take_together();
            if extents.is_empty() {
                break;
            }
            self.write_together(&slot, extents).await;
        }
        let writers = &slot.extents.writers;
        writers.set(writers.get() - 1);
    }

    async fn write_together(&self, slot: &Slot, extents: Vec<Extent>) {
        let (mut writes, mut waiting) = (Vec::new(), Vec::new());
        for extent in extents {
            writes.push(extent.staged);
            waiting.push((extent.flushed, extent.guard, extent.under_way));
        }
        match write(&slot.log, &self.files, &writes).await {
            Err(_) if mutant::is_active(Mutant::ExtentErrorIgnored) => {
                for (flushed, ..) in &waiting {
                    flushed.set(true);
                }
                slot.advance(self.durable_frame.get());
            },
            Ok(()) => {
                let bytes: usize = writes.iter().map(|one| one.bytes.len()).sum();
                self.stats.borrow_mut().segment_bytes += bytes as u64;
                for (flushed, guard, _) in waiting {
                    flushed.set(true);
                    guard.flushed();
                }
                slot.advance(self.durable_frame.get());
            },
            Err(error) => Self::fence(slot, &error),
        }
    }
}
