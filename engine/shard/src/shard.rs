//! What a core owns: its partitions, its journal, its memory.
//!
//! The life of an append is in `append.rs`, of a read in `fetch.rs`; `turn.rs` carries bytes to
//! segments and lets the journal turn over; `open.rs` is the start.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use engine_log::segment::layout::SegmentName;
use engine_log::{
    ActiveProducer, Flushes, LogConfig, PartitionLog, SegmentFiles, TopicPartition, shared,
};
use engine_rt::mutant::{self, Mutant};
use engine_rt::{Event, Instant, MailReceiver, Semaphore, now, timeout};
use engine_wal::{Journal, JournalObserver};
use net_wire::codec::Codecs;

use crate::api::{Mail, PartitionPosition, ShardError};
use crate::checkpoint::Checkpoint;
use crate::options::{CompactionOptions, PartitionSpec, ShardOptions, ShardStats};
use crate::slot::Slot;

/// One core's partitions, its journal and its memory.
pub struct Shard {
    pub(crate) options: ShardOptions,
    pub(crate) slots: RefCell<BTreeMap<TopicPartition, Rc<Slot>>>,
    /// Another one after a failure, see `reopen.rs`.
    pub(crate) journal: RefCell<Option<Rc<Journal>>>,
    pub(crate) files: SegmentFiles,
    pub(crate) checkpoint: RefCell<Rc<Checkpoint>>,
    /// Appends by frame: whose high watermark may move when the frame is durable.
    pub(crate) in_frames: RefCell<VecDeque<(u64, Rc<Slot>)>>,
    /// Every frame up to here is durable.
    pub(crate) durable_frame: Cell<u64>,
    /// Appends that must wait for memory or a file, in order.
    pub(crate) gate: Semaphore,
    pub(crate) gate_queue: Cell<usize>,
    /// Memory of batches, and whose turn it is to give some back.
    pub(crate) tail_bytes: Cell<u64>,
    pub(crate) tail_order: RefCell<VecDeque<Rc<Slot>>>,
    /// Bytes that the last look for memory could not free: of batches whose end fills no block yet.
    pub(crate) unfreeable: Cell<u64>,
    /// Memory of the written partitions' logs besides batches, as of that look.
    pub(crate) log_bytes: Cell<u64>,
    /// Bytes that the first append in line waits for.
    pub(crate) wanted_bytes: Cell<u64>,
    /// Something wants the background to work; and something has become free.
    pub(crate) pressure: Event,
    pub(crate) relieved: Event,
    /// Partitions deleted since the last checkpoint.
    pub(crate) removed: RefCell<Vec<TopicPartition>>,
    /// What compaction may take.
    pub(crate) compaction: Cell<CompactionOptions>,
    /// The number of the last cleaning.
    pub(crate) last_cleaning: Cell<u32>,
    /// Files that go as soon as nobody reads them.
    pub(crate) removing: RefCell<BTreeSet<(TopicPartition, SegmentName)>>,
    /// Bytes that may still be appended before free space is looked at again (rule 8).
    pub(crate) space_left: Cell<u64>,
    pub(crate) space_low: Cell<bool>,
    pub(crate) stopping: Cell<bool>,
    /// Set while the state of a failed journal is exchanged: nobody begins to read or to append.
    pub(crate) exchanging: Cell<bool>,
    /// Reads and bypassed appends under way, and the signal that one has ended.
    pub(crate) under_way: Cell<usize>,
    pub(crate) settled: Event,
    /// One checkpoint at a time.
    pub(crate) turning: Semaphore,
    /// When the journal is flushed for what was only written, if nothing else flushes it before.
    pub(crate) flush_due: Cell<Option<Instant>>,
    pub(crate) flush_sooner: Event,
    pub(crate) codecs: RefCell<Codecs>,
    pub(crate) stats: RefCell<ShardStats>,
}

impl std::fmt::Debug for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shard")
            .field("index", &self.options.index)
            .finish_non_exhaustive()
    }
}

/// The journal tells the shard what is durable.
impl JournalObserver for Shard {
    fn frames_durable(&self, sequence: u64) {
        self.durable_frame.set(sequence);
        loop {
            let next = self
                .in_frames
                .borrow_mut()
                .pop_front_if(|(frame, _)| *frame <= sequence);
            let Some((_, slot)) = next else { return };
            slot.advance(sequence);
        }
    }

    fn journal_failed(&self, error: &io::Error) {
        tracing::error!(shard = self.options.index, %error, "FL2001: journal write failed; the shard recovers its journal");
        let slots: Vec<Rc<Slot>> = self.slots.borrow().values().cloned().collect();
        for slot in slots {
            slot.fail(format!("journal: {error}"));
        }
        self.relieved.notify();
        self.pressure.notify();
    }
}

impl Shard {
    /// Number of this shard on its node.
    pub fn index(&self) -> usize {
        self.options.index
    }

    /// The journal.
    pub(crate) fn journal(&self) -> Rc<Journal> {
        let journal = self.journal.borrow();
        Rc::clone(journal.as_ref().expect("the journal opens with the shard"))
    }

    /// What readers of old data give way to.
    pub(crate) fn flushes(&self) -> Flushes {
        let journal = self.journal();
        let stats = journal.stats();
        Flushes {
            count: stats.flushes,
            total: Duration::from_nanos(stats.flush_nanos),
            waiting: journal.waiting(),
        }
    }

    pub(crate) fn checkpoint(&self) -> Rc<Checkpoint> {
        Rc::clone(&self.checkpoint.borrow())
    }

    /// Runs a piece of work of a connection. It begins now, so that calls keep their order; what
    /// does not end at once goes on as a task.
    #[track_caller]
    pub fn run(&self, mut work: Pin<Box<dyn Future<Output = ()>>>) {
        let mut context = Context::from_waker(Waker::noop());
        if work.as_mut().poll(&mut context).is_pending() {
            engine_rt::spawn(work).detach();
        }
    }

    /// Runs what other shards send until all of them are gone.
    pub async fn serve_mail(self: Rc<Self>, mut mailbox: MailReceiver<Mail>) {
        while let Some(mail) = mailbox.receive().await {
            if mutant::is_active(Mutant::MailOutOfOrder)
                && let Some(next) = mailbox.try_receive()
            {
                self.run(next(Rc::clone(&self)));
            }
            self.run(mail(Rc::clone(&self)));
        }
    }

    pub(crate) fn slot(&self, id: TopicPartition) -> Result<Rc<Slot>, ShardError> {
        self.slots
            .borrow()
            .get(&id)
            .cloned()
            .ok_or(ShardError::UnknownPartition(id))
    }

    /// Makes a new, empty partition. The metadata says so durably already (rule 17).
    pub fn create_partition(&self, spec: PartitionSpec) {
        let log = shared(PartitionLog::new(spec.id, spec.leader_epoch, spec.config));
        let before = self.slots.borrow_mut().insert(spec.id, Slot::new(log));
        assert!(before.is_none(), "partition {} exists", spec.id);
    }

    /// Puts another configuration in force.
    pub fn set_config(&self, id: TopicPartition, config: LogConfig) {
        if let Ok(slot) = self.slot(id) {
            slot.log.borrow_mut().set_config(config);
        }
    }

    /// Forgets a partition and removes its files; waiting requests end with `UnknownPartition`.
    pub async fn delete_partition(self: &Rc<Self>, id: TopicPartition) {
        let Some(slot) = self.slots.borrow_mut().remove(&id) else {
            return;
        };
        slot.deleted.set(true);
        self.removed.borrow_mut().push(id);
        slot.wake();
        let bytes = slot.log.borrow().tail_bytes();
        self.freed(bytes);
        self.tail_order
            .borrow_mut()
            .retain(|other| !Rc::ptr_eq(other, &slot));
        let idle = || !slot.writing.get() && !slot.cleaning.get();
        slot.changed.wait_until(idle).await;
        let segments = slot.log.borrow_mut().take_segments();
        for segment in segments {
            self.remove_segment(id, segment).await;
        }
        self.removals_ended(id).await;
    }

    /// Offsets, epoch and size of a partition.
    pub fn position(&self, id: TopicPartition) -> Result<PartitionPosition, ShardError> {
        let slot = self.slot(id)?;
        let log = slot.log.borrow();
        Ok(PartitionPosition {
            log_start_offset: log.log_start(),
            high_watermark: log.high_watermark(),
            log_end_offset: log.next_offset(),
            leader_epoch: log.leader_epoch(),
            size_bytes: log.size_bytes(),
        })
    }

    /// What a partition knows of its idempotent producers.
    pub fn producers(&self, id: TopicPartition) -> Result<Vec<ActiveProducer>, ShardError> {
        let slot = self.slot(id)?;
        let log = slot.log.borrow();
        Ok(log.producers().active().collect())
    }

    /// Counters, for metrics.
    pub fn stats(&self) -> ShardStats {
        let mut stats = *self.stats.borrow();
        stats.partitions = self.slots.borrow().len() as u64;
        stats.tail_bytes = self.tail_bytes.get();
        stats.journal = self.journal().stats();
        stats
    }

    /// Compares the client's idea of the leader epoch with the one in force (KIP-320).
    pub(crate) fn check_epoch(slot: &Slot, found: i32) -> Result<(), ShardError> {
        let current = slot.log.borrow().leader_epoch();
        match found {
            -1 => Ok(()),
            _ if found < current => Err(ShardError::FencedLeaderEpoch { found, current }),
            _ if found > current => Err(ShardError::UnknownLeaderEpoch { found, current }),
            _ => Ok(()),
        }
    }

    /// Stops taking appends, flushes, checkpoints and closes the journal.
    pub async fn stop(self: &Rc<Self>) -> io::Result<()> {
        self.stopping.set(true);
        self.pressure.notify();
        self.relieved.notify();
        let turned = self.turn().await;
        let stopped = self.stop_journal().await;
        turned.and(stopped)
    }

    /// Stops the journal. Appends that were in line before the stop may have filled it again, and
    /// only a checkpoint gives files back.
    async fn stop_journal(self: &Rc<Self>) -> io::Result<()> {
        const PAUSE: Duration = Duration::from_millis(5);
        let journal = self.journal();
        let mut stopped = pin!(journal.stop());
        loop {
            match timeout(now() + PAUSE, stopped.as_mut()).await {
                Ok(stopped) => return stopped,
                Err(_) if self.wants_turn() => self.turn().await?,
                Err(_) => {},
            }
        }
    }
}
