//! Memory of the newest records: how much there may be, and how it is given back.
//!
//! What a partition holds can be let go of once flushed blocks hold it and an index range covers it.
//! The last bytes of a partition fill neither: with thousands of partitions these rests are much, and
//! they come from the same budget as all else.

use std::rc::Rc;

use engine_rt::{Task, sleep, spawn};

use crate::shard::Shard;
use crate::slot::Slot;
use crate::turn::{PRESSED_PAUSE, WRITE_BYTES_MAX, WRITES_AT_ONCE};

/// Most partitions whose bytes are written behind at the same time: small writes, each with its own
/// flush, take their time one after the other.
const RELIEVED_AT_ONCE: usize = 32;
/// Bytes on their way to the disk, from which on no further partition is looked at meanwhile.
const RELIEVED_BYTES: u64 = 4 * WRITE_BYTES_MAX;
/// Memory that a written partition takes besides its batches: its log, its segment with the first
/// ranges of the index, an open file.
const LOG_BYTES: u64 = 5 << 10;

impl Shard {
    /// Whether memory is filling up faster than it should, or an append waits for some.
    pub(crate) fn wants_relief(&self) -> bool {
        let wanted = self.wanted_bytes.get();
        self.freeable_bytes() > self.room() / 4 * 3 || (wanted > 0 && !self.has_memory_for(wanted))
    }

    /// Whether a batch fits in the budget. One passes whatever its size when there is nothing else.
    pub(crate) fn has_memory_for(&self, bytes: u64) -> bool {
        let held = self.freeable_bytes();
        held == 0 || held + bytes <= self.room()
    }

    /// Memory of batches that was freeable, or did not exist, when memory was last looked for.
    fn freeable_bytes(&self) -> u64 {
        self.tail_bytes.get().saturating_sub(self.unfreeable.get())
    }

    /// The budget less what cannot be freed. Of that there is more with every partition, so that a
    /// share of the budget remains in any case, beyond it if need be.
    fn room(&self) -> u64 {
        let limit = self.options.tail_bytes_max;
        let fixed = self.unfreeable.get() + self.log_bytes.get();
        limit.saturating_sub(fixed).max(limit / 4)
    }

    /// Gives back memory as it fills up, until the shard stops. Beside checkpoints: these wait for
    /// the disk again and again, and appends must not wait for them.
    pub(crate) async fn relieve_when_due(self: Rc<Self>) {
        loop {
            self.until_pressed(|| self.wants_relief()).await;
            if self.stopping.get() {
                return;
            }
            if self.wants_relief() && !self.journal().is_failed() {
                self.relieve().await;
            }
            if self.wants_relief() {
                // What is left is not durable yet, or the journal has failed: give it time.
                sleep(PRESSED_PAUSE).await;
            }
        }
    }

    /// Writes behind the oldest bytes and lets go of them until memory is well below what begins
    /// this, or no partition gave anything in its turn. A small step: what is freed is soon wanted
    /// again, and what the pool cannot keep idle until then costs new pages.
    async fn relieve(self: &Rc<Self>) {
        let goal = self.relief_goal();
        let mut left = self.tail_order.borrow().len();
        while left > 0
            && self.tail_bytes.get() > goal
            && !self.stopping.get()
            && !self.journal().is_failed()
        {
            for (slot, write) in self.relieve_some(goal, &mut left) {
                write.await;
                if self.let_go(&slot, goal) > 0 {
                    left = self.tail_order.borrow().len();
                }
            }
        }
        if self.tail_bytes.get() > goal {
            self.weigh_rest();
        } else {
            self.unfreeable.set(0);
        }
        self.relieved.notify();
    }

    fn relief_goal(&self) -> u64 {
        let limit = self.options.tail_bytes_max;
        (limit / 8 * 5)
            .min(limit.saturating_sub(self.wanted_bytes.get()))
            .saturating_sub(self.log_bytes.get())
    }

    /// A write of write-behind is done: while memory is short, as much goes. A partition that is
    /// written without a pause is written behind without one.
    pub(crate) fn let_go_of_written(&self, slot: &Rc<Slot>) {
        if self.wants_relief() {
            self.let_go(slot, self.relief_goal());
        }
    }

    /// Lets go of what flushed blocks hold of the partitions whose turn it is, at most `left`, and
    /// begins to write behind what they do not.
    fn relieve_some(self: &Rc<Self>, goal: u64, left: &mut usize) -> Vec<(Rc<Slot>, Task<()>)> {
        let (mut bytes, mut writes) = (0, Vec::new());
        while *left > 0 && bytes < RELIEVED_BYTES && writes.len() < RELIEVED_AT_ONCE {
            *left -= 1;
            let Some(slot) = self.tail_order.borrow_mut().pop_front() else {
                break;
            };
            slot.in_tail_order.set(false);
            self.let_go(&slot, goal);
            if self.tail_bytes.get() <= goal {
                break;
            }
            let unwritten = slot.has_to_carry() || slot.writing.get();
            if unwritten && !slot.deleted.get() {
                let unwritten = slot.log.borrow().unwritten_bytes();
                bytes += unwritten.min(WRITES_AT_ONCE * WRITE_BYTES_MAX);
                let (shard, written) = (Rc::clone(self), Rc::clone(&slot));
                let write = spawn(async move { shard.write_behind(&written).await });
                writes.push((slot, write));
            }
        }
        writes
    }

    /// Frees what may be freed of a partition until memory is down to `goal`; says how much it was.
    fn let_go(&self, slot: &Rc<Slot>, goal: u64) -> u64 {
        let excess = self.tail_bytes.get().saturating_sub(goal);
        let freed = slot.log.borrow_mut().evict(excess.min(WRITE_BYTES_MAX));
        self.freed(freed);
        if slot.log.borrow().tail_bytes() > 0 && !slot.deleted.get() {
            self.enqueue_tail(slot);
        }
        freed
    }

    /// Memory holds so many bytes less.
    pub(crate) fn freed(&self, bytes: u64) {
        let held = self.tail_bytes.get().saturating_sub(bytes);
        self.tail_bytes.set(held);
        self.unfreeable.set(self.unfreeable.get().min(held));
        self.relieved.notify();
    }

    /// Puts a partition in line for giving back memory, unless it is.
    pub(crate) fn enqueue_tail(&self, slot: &Rc<Slot>) {
        if !slot.in_tail_order.replace(true) {
            self.tail_order.borrow_mut().push_back(Rc::clone(slot));
        }
    }

    /// Counts what memory holds, and how much of it stays until more is appended: the last bytes of
    /// a partition fill no block and no index range, and the batch that they belong to is kept whole.
    fn weigh_rest(&self) {
        let (mut held, mut unfreeable, mut written) = (0, 0, 0);
        for slot in self.slots.borrow().values() {
            let log = slot.log.borrow();
            held += log.tail_bytes();
            written += u64::from(log.segments().len() > 0);
            let gives_more = log.has_pending() || log.has_evictable() || slot.has_to_carry();
            if !gives_more {
                unfreeable += log.tail_bytes();
            }
        }
        self.tail_bytes.set(held);
        self.unfreeable.set(unfreeable);
        self.log_bytes.set(written * LOG_BYTES);
    }
}
