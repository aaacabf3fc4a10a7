//! A journal that failed is recovered while the node runs on.
//!
//! What was not acknowledged has been refused. What is on the disk is the truth, so the shard reads
//! it back as a start does, and exchanges its partitions for what it found. Reads go on meanwhile:
//! they see what was durable before.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use engine_log::{PartitionLog, TopicPartition};
use engine_rt::mutant::{self, Mutant};
use engine_rt::sleep;

use crate::open::{Found, find, truncated};
use crate::options::{OpenError, PartitionSpec};
use crate::shard::Shard;
use crate::slot::Slot;

/// Pauses between attempts on a disk that keeps failing.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// A read or a bypassed append: the state that it works on is not exchanged before it ends.
#[derive(Debug)]
pub(crate) struct UnderWay(Rc<Shard>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.set(self.0.under_way.get() - 1);
        if self.0.exchanging.get() {
            self.0.settled.notify();
        }
    }
}

impl Shard {
    pub(crate) fn begin_work(self: &Rc<Self>) -> UnderWay {
        self.under_way.set(self.under_way.get() + 1);
        UnderWay(Rc::clone(self))
    }

    /// Begins a read, after an exchange that is going on.
    pub(crate) async fn begin_read(self: &Rc<Self>) -> UnderWay {
        if self.exchanging.get() {
            self.settled.wait_until(|| !self.exchanging.get()).await;
        }
        self.begin_work()
    }

    /// Recovers the journal each time it has failed, until the shard stops.
    pub(crate) async fn mend(self: Rc<Self>) {
        let mut pause = PAUSE;
        loop {
            let due = || self.stopping.get() || self.journal().is_failed();
            self.pressure.wait_until(due).await;
            if self.stopping.get() {
                return;
            }
            sleep(pause).await;
            match self.reopen().await {
                Ok(()) => pause = PAUSE,
                Err(error) => {
                    pause = (pause * 2).min(PAUSE_MAX);
                    tracing::error!(shard = self.index(), %error, "FL2007: the journal cannot be recovered yet; appends are refused");
                },
            }
        }
    }

    async fn reopen(self: &Rc<Self>) -> Result<(), OpenError> {
        // No append prepares itself, no checkpoint is taken; relief stops where it is.
        let _no_append = self.gate.acquire(1).await;
        let _no_checkpoint = self.turning.acquire(1).await;
        self.journal().ended().await;
        for slot in self.all_slots() {
            slot.changed.wait_until(|| !slot.writing.get()).await;
        }
        let found = find(&self.options, &self.specs()).await?;
        if self.stopping.get() {
            return Ok(());
        }
        self.exchanging.set(true);
        self.settled.wait_until(|| self.under_way.get() == 0).await;
        let exchanged = self.exchange(found).await;
        self.exchanging.set(false);
        self.settled.notify();
        exchanged
    }

    pub(crate) fn all_slots(&self) -> Vec<Rc<Slot>> {
        self.slots.borrow().values().cloned().collect()
    }

    /// The partitions as they are now, without their logs.
    fn specs(&self) -> BTreeMap<TopicPartition, PartitionSpec> {
        let slots = self.slots.borrow();
        let specs = slots.iter().map(|(id, slot)| {
            let log = slot.log.borrow();
            let spec = PartitionSpec {
                id: *id,
                leader_epoch: PartitionLog::leader_epoch(&log),
                config: *log.config(),
            };
            (*id, spec)
        });
        specs.collect()
    }

    /// Puts what was found in the place of what there is. Topics may have come and gone since it was
    /// read: what is here now counts.
    async fn exchange(self: &Rc<Self>, found: Found) -> Result<(), OpenError> {
        let Found {
            mut partitions,
            checkpoint,
            mut journal,
        } = found;
        let specs = self.specs();
        let before = self.slots.take();
        self.in_frames.borrow_mut().clear();
        self.tail_order.borrow_mut().clear();
        self.tail_bytes.set(0);
        self.unfreeable.set(0);
        if !mutant::is_active(Mutant::CacheSurvivesTruncation) {
            self.files.forget_reads();
        }
        *self.checkpoint.borrow_mut() = Rc::new(checkpoint);
        partitions.retain(|id, _| specs.contains_key(id));
        let truncated = truncated(&partitions);
        for (id, spec) in &specs {
            self.insert(spec, partitions.remove(id));
        }
        self.make_room(&mut journal).await?;
        self.open_journal(journal);
        self.begin_life(&truncated).await?;
        self.stats.borrow_mut().journals_recovered += 1;
        tracing::warn!(
            shard = self.index(),
            "the journal is recovered; appends are taken again"
        );
        // Who waits for data waits at the new ones from now on.
        for slot in before.values() {
            slot.wake();
        }
        Ok(())
    }
}
