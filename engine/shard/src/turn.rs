//! The background: bytes go from memory to segments in large writes of whole blocks
//! (write-behind), and checkpoints let the journal's files be used again.

use std::io;
use std::rc::Rc;
use std::slice::from_ref;
use std::time::Duration;

use engine_log::segment::layout::CHUNK_BYTES;
use engine_log::{SegmentWrite, load, write};
use engine_rt::mutant::{self, Mutant};
use engine_rt::{Task, now, sleep, spawn, timeout};
use engine_wal::Journal;

use crate::checkpoint::RecordWriter;
use crate::shard::Shard;
use crate::slot::Slot;

/// Most bytes of batches in one write to a segment: with the index block of the chunk that ends
/// there, one durable write of the file. A block more would be several writes and a flush beside.
pub(crate) const WRITE_BYTES_MAX: u64 = CHUNK_BYTES;
/// Such writes of one partition under way at a time: while the disk has one, the next is laid out.
pub(crate) const WRITES_AT_ONCE: u64 = 2;
/// Partitions whose bytes are carried at the same time.
const CARRIED_AT_ONCE: usize = 4;
/// A checkpoint is taken when this share of the journal's files is in use.
const TURN_AT_SHARE: f64 = 0.5;
/// Below this share it takes its time: thousands of partitions' small writes at once, each with a
/// flush, would hold up the journal's.
const HURRY_AT_SHARE: f64 = 0.75;
/// Pause of a checkpoint that takes its time, after [`CARRIED_AT_ONCE`] partitions that it carries
/// and [`CAPTURED_AT_ONCE`] that it writes down.
const CARRY_PAUSE: Duration = Duration::from_micros(500);
/// Partitions whose states are written down in one turn.
const CAPTURED_AT_ONCE: usize = 16;
/// Bytes of a partition that stay in memory and in the checkpoint rather than be carried.
const TAKEN_ALONG_BYTES: u64 = 8 << 10;
/// So few partitions are carried without a pause.
const CARRIED_STRAIGHT: usize = 256;
/// How long the background waits for what it cannot change.
pub(crate) const PRESSED_PAUSE: Duration = Duration::from_millis(5);
/// It looks around at least this often.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

impl Shard {
    pub(crate) fn wants_turn(&self) -> bool {
        let journal = self.journal();
        let files = journal.files();
        files.used_share() >= TURN_AT_SHARE && files.used_generations().len() > 1
    }

    /// Takes checkpoints as the journal's files fill up, until the shard stops.
    pub(crate) async fn turn_when_due(self: Rc<Self>) {
        loop {
            self.until_pressed(|| self.wants_turn()).await;
            if self.stopping.get() {
                return;
            }
            if self.journal().is_failed() {
                // Until it is recovered.
                sleep(PRESSED_PAUSE).await;
            } else if self.wants_turn()
                && let Err(error) = self.turn().await
            {
                tracing::error!(shard = self.index(), %error, "FL2004: checkpoint failed");
                sleep(LOOK_INTERVAL).await;
            }
        }
    }

    /// Waits until there may be something to do in the background.
    pub(crate) async fn until_pressed(&self, is_due: impl Fn() -> bool) {
        let due = || self.stopping.get() || is_due();
        // Looking around without being asked is the other way on.
        let _asked = timeout(now() + LOOK_INTERVAL, self.pressure.wait_until(due)).await;
    }

    /// Carries a partition's whole durable blocks to its segments and seals what was rolled.
    pub(crate) async fn write_behind(self: &Rc<Self>, slot: &Rc<Slot>) {
        if slot.writing.replace(true) {
            slot.changed.wait_until(|| !slot.writing.get()).await;
            return;
        }
        if let Err(error) = self.carry(slot).await {
            Self::fence(slot, &error);
        }
        slot.writing.set(false);
        slot.carrying.set(None);
        slot.changed.notify();
    }

    async fn carry(self: &Rc<Self>, slot: &Rc<Slot>) -> io::Result<()> {
        let mut under_way = None;
        let carried = self.carry_on(slot, &mut under_way).await;
        if let Some(UnderWay { task, .. }) = under_way {
            // After an error this one does no harm, but it must not go on behind our back.
            let _written = task.await;
        }
        carried
    }

    /// Carries on with [`WRITES_AT_ONCE`].
    async fn carry_on(
        self: &Rc<Self>,
        slot: &Rc<Slot>,
        under_way: &mut Option<UnderWay>,
    ) -> io::Result<()> {
        loop {
            let beside = under_way.as_ref().map(|write| write.segment_base);
            let staged = self.stage_next(slot, beside).await?;
            let next = staged.map(|staged| self.begin_write(slot, staged));
            let done = next.is_none() && under_way.is_none();
            if let Some(before) = std::mem::replace(under_way, next) {
                before.task.await?;
            }
            if done {
                return Ok(());
            }
        }
    }

    /// Lays out the next write to a segment, or to the one that has a write under way.
    async fn stage_next(
        &self,
        slot: &Rc<Slot>,
        beside: Option<i64>,
    ) -> io::Result<Option<SegmentWrite>> {
        let disk_id = self.options.disk_id;
        while let Some((base, limit, seals)) = slot.next_to_carry(beside) {
            load(&slot.log, &self.files, base)
                .await
                .map_err(io::Error::other)?;
            let mut log = slot.log.borrow_mut();
            // Loading seals what a crash left rolled.
            if log.segment(base).is_none_or(|segment| segment.sealed) {
                continue;
            }
            slot.carrying.set(Some(base));
            return Ok(match log.stage(disk_id, base, limit, WRITE_BYTES_MAX) {
                None if seals && beside.is_none() => log.stage_seal(disk_id, base),
                staged => staged,
            });
        }
        Ok(None)
    }

    fn begin_write(self: &Rc<Self>, slot: &Rc<Slot>, staged: SegmentWrite) -> UnderWay {
        let (shard, slot) = (Rc::clone(self), Rc::clone(slot));
        let segment_base = staged.segment.base_offset;
        let task = spawn(async move {
            write(&slot.log, &shard.files, from_ref(&staged)).await?;
            shard.let_go_of_written(&slot);
            let mut stats = shard.stats.borrow_mut();
            stats.segment_bytes += staged.bytes.len() as u64;
            stats.segments_sealed += u64::from(staged.seals_at.is_some());
            Ok(())
        });
        UnderWay { segment_base, task }
    }

    /// Takes a checkpoint: after it, the journal is needed only from where it stands now.
    pub(crate) async fn turn(self: &Rc<Self>) -> io::Result<()> {
        let _alone = self.turning.acquire(1).await;
        tracing::info!(shard = self.index(), "checkpoint started");
        let (journal, checkpoint) = (self.journal(), self.checkpoint());
        let position = journal.position();
        let mut dirty = self.all_slots();
        dirty.retain(|slot| slot.dirty.get());
        self.carry_all(&dirty).await;
        // Flushed, also what weak topics had only written: the checkpoint would name a place that a
        // power cut takes away.
        journal.flush_before(position).await?;
        for slot in &dirty {
            // Not for appends behind the position: they may wait for a file that only the end of
            // this checkpoint gives back.
            let settled = || {
                slot.deleted.get()
                    || slot.failed.borrow().is_some()
                    || !slot.log.borrow().has_pending_before(position.sequence)
            };
            slot.changed.wait_until(settled).await;
        }
        if mutant::is_active(Mutant::ReuseBeforeCheckpoint) {
            journal.files().release_before(position.generation);
        }
        let full = checkpoint.wants_full();
        let mut record = checkpoint.begin(full).await?;
        self.capture(&mut record, dirty.clone(), full).await?;
        record.finish(position).await?;
        journal.files().release_before(position.generation);
        self.stats.borrow_mut().checkpoints += 1;
        tracing::info!(
            shard = self.index(),
            partitions = dirty.len(),
            full,
            "checkpoint finished"
        );
        Ok(())
    }

    /// Carries what is worth it. A flush for each of thousands of partitions' few bytes costs more
    /// than writing these again with every checkpoint until they are more.
    async fn carry_all(self: &Rc<Self>, slots: &[Rc<Slot>]) {
        let much: Vec<_> = slots.iter().filter(|s| s.has_much_to_carry()).collect();
        for some in much.chunks(CARRIED_AT_ONCE) {
            let carried: Vec<_> = some
                .iter()
                .map(|slot| {
                    let (shard, slot) = (Rc::clone(self), Rc::clone(slot));
                    spawn(async move { shard.write_behind(&slot).await })
                })
                .collect();
            for task in carried {
                task.await;
            }
            if much.len() > CARRIED_STRAIGHT && !self.hurries() {
                sleep(CARRY_PAUSE).await;
            }
        }
    }

    /// Whether a checkpoint has no time to lose.
    fn hurries(&self) -> bool {
        let full = |journal: &Rc<Journal>| journal.files().used_share() >= HURRY_AT_SHARE;
        // Before the journal is open, nothing else runs.
        self.stopping.get() || self.journal.borrow().as_ref().is_none_or(full)
    }

    /// Writes down the states of all partitions, or of the dirty ones and which are gone. Slots that
    /// change afterwards are dirty again.
    pub(crate) async fn capture(
        &self,
        record: &mut RecordWriter<'_>,
        dirty: Vec<Rc<Slot>>,
        full: bool,
    ) -> io::Result<()> {
        let removed = self.removed.take();
        let slots = if full { self.all_slots() } else { dirty };
        for id in removed.into_iter().filter(|_| !full) {
            record.removed(id).await?;
        }
        let many = slots.len() > CARRIED_STRAIGHT;
        for some in slots.chunks(CAPTURED_AT_ONCE) {
            for slot in some.iter().filter(|slot| !slot.deleted.get()) {
                record.changed(&slot.capture()).await?;
            }
            if many && !self.hurries() {
                sleep(CARRY_PAUSE).await;
            }
        }
        Ok(())
    }
}

/// A write of write-behind.
struct UnderWay {
    segment_base: i64,
    task: Task<io::Result<()>>,
}

impl Slot {
    /// The state as of the high watermark. What the journal holds beyond it keeps the slot dirty.
    /// Bytes that no segment has go along: the few that are not worth a write of their own, and all
    /// of a fenced partition, so that it never pins the journal.
    fn capture(&self) -> Vec<u8> {
        let log = self.log.borrow();
        self.dirty.set(log.has_pending() || self.changing.get() > 0);
        log.encode_state()
    }

    /// Whether there is more to carry than the checkpoint takes along.
    fn has_much_to_carry(&self) -> bool {
        let seals = |(_, _, seals)| seals;
        self.next_to_carry(None).is_some_and(seals)
            || self.log.borrow().unwritten_bytes() > TAKEN_ALONG_BYTES
    }

    /// Whether a segment that was rolled can be sealed.
    pub(crate) fn has_to_seal(&self) -> bool {
        self.next_to_carry(None).is_some_and(|(_, _, seals)| seals)
    }

    pub(crate) fn has_to_carry(&self) -> bool {
        self.next_to_carry(None).is_some()
    }

    /// The next segment with something to carry: its name, up to where, and whether it is to be
    /// sealed. With a write under way, only its own segment: a file is made by one write alone.
    fn next_to_carry(&self, beside: Option<i64>) -> Option<(i64, u64, bool)> {
        let log = self.log.borrow();
        let last = log.segments().len().checked_sub(1)?;
        log.segments().enumerate().find_map(|(at, segment)| {
            let rolled = at < last && segment.durable == segment.len && !segment.sealed;
            let free = match beside {
                None => !segment.has_writes(),
                Some(base) => base == segment.base_offset && segment.written > 0,
            };
            let blocks = segment.durable / 4096 > segment.submitted / 4096;
            (free && (rolled || blocks)).then_some((segment.base_offset, segment.durable, rolled))
        })
    }
}
