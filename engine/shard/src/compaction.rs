//! Compaction in the background: one partition at a time, the dirtiest first, chunk by chunk within
//! a budget of its own. What it decides and how it writes is `engine_log::compact`.
//!
//! An exchange of segments is one journal entry, put in line in the same turn in which memory takes
//! the new segment. The old files go when that entry is durable and nobody reads them any more
//! (rules 9 and 12). Before, a crash finds the old ones; after, the new one. Files that neither needs
//! are removed when their topic is looked at for the first time in a life.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::rc::Rc;
use std::time::Duration;

use engine_log::TopicPartition;
use engine_log::compact::{CleanError, Cleaning, Step};
use engine_log::entry::{CleanedSegment, Entry, encode_change};
use engine_log::segment::Segment;
use engine_log::segment::layout::parse_segment_file_name;
use engine_rt::fs::READS_BEFORE_LOSS;
use engine_rt::mutant::{self, Mutant};
use engine_rt::{Instant, fs, now, random_u64, timeout, yield_now};
use engine_wal::EntryKind;
use net_wire::Uuid;

use crate::housekeeping::Clocks;
use crate::options::CompactionOptions;
use crate::shard::Shard;
use crate::slot::Slot;

/// The shortest pause between two looks at all partitions.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// Partitions that are looked at in one turn.
const LOOKED_AT_ONCE: usize = 512;
/// How often a busy disk is looked at again, and how often in a row: who appends all the time needs
/// compaction most.
const BUSY_PAUSE: Duration = Duration::from_millis(50);
const BUSY_PAUSES_MAX: usize = 20;
/// How long a cleaning rests before it looks whether its partition is deleted.
const REST_MAX: Duration = Duration::from_millis(500);

/// Why a cleaning ended.
enum End {
    /// There is nothing left to do.
    Done,
    /// The shard is stopping.
    Stopping,
    Failed(CleanError),
}

impl From<CleanError> for End {
    fn from(error: CleanError) -> Self {
        Self::Failed(error)
    }
}

/// What the task remembers from one look to the next.
struct Cleaner {
    swept: Swept,
    clocks: Clocks,
}

impl Shard {
    /// Puts other bounds of compaction in force.
    pub fn set_compaction(&self, options: CompactionOptions) {
        self.compaction.set(options);
        self.pressure.notify();
    }

    /// Cleans compacted partitions until the shard stops.
    pub(crate) async fn compact(self: Rc<Self>) {
        let mut cleaner = Cleaner {
            swept: Swept::default(),
            clocks: Clocks::read(),
        };
        let mut has_cleaned = false;
        loop {
            let is_on = || self.compaction.get().bytes_per_second > 0;
            let due = || self.stopping.get() || is_on();
            self.pressure.wait_until(due).await;
            let backoff = Duration::from_millis(self.compaction.get().interval_ms).max(PAUSE_MIN);
            let pause = if has_cleaned { PAUSE_MIN } else { backoff };
            if self.wait_or_change(pause).await {
                return;
            }
            match self.look_around(&mut cleaner).await {
                Some(cleaned) => has_cleaned = cleaned,
                None => return,
            }
        }
    }

    /// One look at all compacted partitions. Each that is due is cleaned once, the dirtiest first: none
    /// waits for another that never gets clean. Whether one was; `None` if the shard is stopping.
    async fn look_around(self: &Rc<Self>, cleaner: &mut Cleaner) -> Option<bool> {
        let compacted = self.compacted().await;
        cleaner.swept.renew(self);
        let mut due = Vec::new();
        for (at, slot) in compacted.into_iter().enumerate() {
            self.sweep(&slot, &mut cleaner.swept).await;
            self.seal(&slot).await;
            let dirty = slot.dirty_millionths(cleaner.clocks.trusted_ms());
            due.extend(dirty.map(|dirty| (Reverse(dirty), slot)));
            if at % LOOKED_AT_ONCE == LOOKED_AT_ONCE - 1 {
                yield_now().await;
            }
        }
        self.stats.borrow_mut().cleaner_due = due.len() as u64;
        due.sort_by_key(|(dirty, _)| *dirty);
        let mut has_cleaned = false;
        for (_, slot) in due {
            has_cleaned |= self.clean_one(&slot, cleaner).await?;
        }
        Some(has_cleaned)
    }

    /// The compacted partitions.
    async fn compacted(&self) -> Vec<Rc<Slot>> {
        let (mut found, mut from) = (Vec::new(), Bound::Unbounded);
        loop {
            let mut last = None;
            for (id, slot) in self
                .slots
                .borrow()
                .range((from, Bound::Unbounded))
                .take(LOOKED_AT_ONCE)
            {
                if slot.log.borrow().config().compact {
                    found.push(Rc::clone(slot));
                }
                last = Some(*id);
            }
            match last {
                Some(last) => from = Bound::Excluded(last),
                None => return found,
            }
            yield_now().await;
        }
    }

    /// Seals what was rolled: only that can be cleaned, and with few appends nothing else asks for it
    /// for long.
    async fn seal(self: &Rc<Self>, slot: &Rc<Slot>) {
        let is_fit = !self.journal().is_failed() && slot.failed.borrow().is_none();
        if is_fit && self.is_current(slot) && slot.has_to_seal() {
            self.write_behind(slot).await;
        }
    }

    /// Cleans a partition if it is due. Whether that came to its end; `None` if the shard is stopping.
    async fn clean_one(self: &Rc<Self>, slot: &Rc<Slot>, cleaner: &mut Cleaner) -> Option<bool> {
        let now_ms = cleaner.clocks.trusted_ms();
        let Some((cleaning, bytes)) = self.begin_cleaning(slot, now_ms) else {
            return Some(false);
        };
        slot.cleaning.set(true);
        let ended = Box::pin(self.clean(slot, cleaning)).await;
        slot.cleaning.set(false);
        slot.changed.notify();
        match ended {
            End::Done => {
                self.stats.borrow_mut().cleanings += 1;
                Some(true)
            },
            End::Stopping => None,
            End::Failed(error) => {
                self.tell_failed(slot, &error, bytes);
                // What was begun may be left, or what was replaced.
                cleaner.swept.forget(slot.id());
                Some(false)
            },
        }
    }

    /// A cleaning of a partition, if it is due and there is room for it, and how much it is.
    fn begin_cleaning(&self, slot: &Rc<Slot>, now_ms: i64) -> Option<(Cleaning, u64)> {
        let is_fit = slot.failed.borrow().is_none() && slot.damage_met.get() < READS_BEFORE_LOSS;
        if !is_fit || !self.is_current(slot) {
            return None;
        }
        let log = slot.log.borrow();
        let config = log.config();
        let what = log.cleanable(now_ms).filter(|what| what.is_due(config))?;
        let bytes = what.clean_bytes + what.dirty_bytes;
        let largest = log.segments().map(|segment| segment.len).max();
        let at_once = largest.unwrap_or(0).max(config.segment_bytes).min(bytes);
        if self.space_low.get() || self.space_left.get() < at_once {
            tracing::debug!(partition = %log.id(), "no room to clean");
            return None;
        }
        let keys = self.compaction.get().keys_bytes;
        let secret = [random_u64(), random_u64()];
        // Also after a recovery of the journal no name is used again in this life.
        let number = log.next_cleaning()?.max(self.last_cleaning.get() + 1);
        self.last_cleaning.set(number);
        let cleaning = Cleaning::new(&log, &what, number, now_ms, keys, secret);
        Some((cleaning, bytes))
    }

    async fn clean(self: &Rc<Self>, slot: &Rc<Slot>, mut cleaning: Cleaning) -> End {
        let ended = loop {
            match self.clean_on(slot, &mut cleaning).await {
                Ok(()) => {},
                Err(end) => break end,
            }
        };
        match cleaning.end(&self.files).await {
            Err(error) if matches!(ended, End::Done) => End::Failed(error.into()),
            _ => ended,
        }
    }

    /// One step, and the pause behind it.
    async fn clean_on(
        self: &Rc<Self>,
        slot: &Rc<Slot>,
        cleaning: &mut Cleaning,
    ) -> Result<(), End> {
        if self.stopping.get() {
            return Err(End::Stopping);
        }
        for _ in 0..BUSY_PAUSES_MAX {
            if slot.deleted.get() || !self.is_busy() {
                break;
            }
            if self.wait_or_stop(BUSY_PAUSE).await {
                return Err(End::Stopping);
            }
        }
        let began = now();
        let step = {
            let _under_way = self.begin_read().await;
            // Another one after a failure of the journal.
            if !self.is_current(slot) {
                return Err(CleanError::Gone.into());
            }
            cleaning.step(&slot.log, &self.files).await?
        };
        let bytes = match step {
            Step::Read(bytes) => bytes,
            Step::Written(segment) => {
                self.put_cleaned(slot, *segment).await?;
                0
            },
            Step::Done => return Err(End::Done),
        };
        self.stats.borrow_mut().cleaner_read_bytes += bytes;
        self.rest(slot, self.pause(bytes, began)).await
    }

    /// What keeps within the rate, and the disk half free.
    fn pause(&self, bytes: u64, began: Instant) -> Duration {
        let rate = self.compaction.get().bytes_per_second.max(1);
        let by_rate = Duration::from_micros(bytes.saturating_mul(1_000_000) / rate);
        by_rate.max(now().since(began))
    }

    /// Waits, unless the partition is deleted or other bounds are put in force.
    async fn rest(&self, slot: &Slot, mut pause: Duration) -> Result<(), End> {
        let bounds = self.compaction.get();
        while !pause.is_zero() && !slot.deleted.get() && self.compaction.get() == bounds {
            let part = pause.min(REST_MAX);
            if self.wait_or_change(part).await {
                return Err(End::Stopping);
            }
            pause -= part;
        }
        Ok(())
    }

    /// Waits, until other bounds are put in force at most; true if the shard is stopping.
    async fn wait_or_change(&self, interval: Duration) -> bool {
        let bounds = self.compaction.get();
        let is_changed = || self.stopping.get() || self.compaction.get() != bounds;
        let changed = self.pressure.wait_until(is_changed);
        let _ = timeout(now() + interval, changed).await;
        self.stopping.get()
    }

    /// Puts a segment that is written and flushed in the place of those that it covers.
    async fn put_cleaned(self: &Rc<Self>, slot: &Rc<Slot>, segment: Segment) -> Result<(), End> {
        let under_way = self.begin_read().await;
        let (id, journal) = (slot.id(), self.journal());
        if !self.is_current(slot) || journal.is_failed() || self.stopping.get() {
            drop(under_way);
            self.remove_segment(id, segment).await;
            return Err(CleanError::Gone.into());
        }
        // No await from here to the journal: a checkpoint has both or neither.
        let entry = encode_change(id, &Entry::Cleaned(CleanedSegment::of(&segment)));
        let fields = &entry.fields;
        slot.dirty.set(true);
        slot.unsettled.set(true);
        let (before, size) = slot.weigh();
        let old = slot.log.borrow_mut().put_cleaned(segment);
        let journaled = || {
            let fill = |into: &mut [u8]| into.copy_from_slice(fields);
            journal.append(EntryKind(entry.kind), fields.len(), true, fill)
        };
        let forgets = mutant::is_active(Mutant::ExchangeNotJournaled);
        let frame = if forgets { 0 } else { journaled().frame };
        let (after, size_after) = slot.weigh();
        self.freed(before - after);
        drop(under_way);
        // If that fails, the recovery of the journal finds out which segments there are.
        let flushed = if mutant::is_active(Mutant::ReplacedBeforeFlush) {
            Ok(())
        } else {
            journal.wait_durable(frame).await
        };
        flushed.map_err(|error| CleanError::Io(std::io::Error::other(error.to_string())))?;
        slot.unsettled.set(false);
        self.stats.borrow_mut().cleaner_freed_bytes += size.saturating_sub(size_after);
        for segment in old {
            let shard = Rc::clone(self);
            engine_rt::spawn(async move { shard.remove_segment(id, segment).await }).detach();
        }
        Ok(())
    }

    /// Whether the shard still has this partition, and not another log of it.
    fn is_current(&self, slot: &Rc<Slot>) -> bool {
        let slots = self.slots.borrow();
        !slot.deleted.get()
            && slots
                .get(&slot.id())
                .is_some_and(|now| Rc::ptr_eq(now, slot))
    }

    fn tell_failed(&self, slot: &Slot, error: &CleanError, bytes: u64) {
        if matches!(error, CleanError::Gone) {
            return;
        }
        self.stats.borrow_mut().cleanings_failed += 1;
        // Bits may have flipped on the way.
        let damage_met = slot.damage_met.get() + usize::from(error.is_damage());
        slot.damage_met.set(damage_met);
        let (shard, partition) = (self.index(), slot.id());
        if damage_met < READS_BEFORE_LOSS {
            tracing::warn!(shard, %partition, %error, bytes, "FL2009: a partition could not be cleaned; it is tried again");
        } else {
            tracing::error!(shard, %partition, %error, bytes, "FL2009: a partition is not cleaned until the restart: the disk does not have what was written");
        }
    }

    /// Removes the files of a topic that no log of this shard needs any more, once in a life.
    async fn sweep(self: &Rc<Self>, slot: &Slot, swept: &mut Swept) {
        let topic_id = slot.id().topic_id;
        if !swept.topics.insert(topic_id) {
            return;
        }
        let dir = self.files.topic_dir(slot.id());
        if !fs::exists(&dir).await.unwrap_or(false) {
            return;
        }
        let Ok(names) = fs::read_dir(&dir).await else {
            swept.topics.remove(&topic_id);
            return;
        };
        for (at, file) in names.iter().enumerate() {
            if at % LOOKED_AT_ONCE == LOOKED_AT_ONCE - 1 {
                yield_now().await;
            }
            self.sweep_file(topic_id, file).await;
        }
    }

    async fn sweep_file(self: &Rc<Self>, topic_id: Uuid, file: &str) {
        let Some((partition, name)) = parse_segment_file_name(file) else {
            return;
        };
        let id = TopicPartition {
            topic_id,
            partition,
        };
        let _under_way = self.begin_read().await;
        let Ok(slot) = self.slot(id) else { return };
        // What memory says of a journal that failed is not what the next life finds.
        if slot.unsettled.get() || self.journal().is_failed() {
            return;
        }
        let is_left_over = slot.log.borrow().is_left_over(name);
        // One that is still read goes by itself.
        if !is_left_over || self.removing.borrow().contains(&(id, name)) {
            return;
        }
        match self.files.remove(id, name).await {
            Ok(()) => tracing::info!(partition = %id, file, "a file that no log needs is removed"),
            Err(error) => tracing::warn!(partition = %id, file, %error, "a left-over file remains"),
        }
    }
}

impl Slot {
    fn id(&self) -> TopicPartition {
        self.log.borrow().id()
    }

    /// Bytes in memory, and of all segments.
    fn weigh(&self) -> (u64, u64) {
        let log = self.log.borrow();
        (log.tail_bytes(), log.size_bytes())
    }

    /// How dirty it is, if that is worth a cleaning.
    fn dirty_millionths(&self, now_ms: i64) -> Option<u64> {
        let log = self.log.borrow();
        let what = log.cleanable(now_ms)?;
        what.is_due(log.config()).then(|| what.dirty_millionths())
    }
}

/// Topics whose files were looked at since the journal was opened.
#[derive(Default)]
struct Swept {
    topics: BTreeSet<Uuid>,
    journals_recovered: u64,
}

impl Swept {
    /// A recovery of the journal decides anew which files are needed.
    fn renew(&mut self, shard: &Shard) {
        let recovered = shard.stats.borrow().journals_recovered;
        if self.journals_recovered != recovered {
            self.topics.clear();
            self.journals_recovered = recovered;
        }
    }

    fn forget(&mut self, id: TopicPartition) {
        self.topics.remove(&id.topic_id);
    }
}
