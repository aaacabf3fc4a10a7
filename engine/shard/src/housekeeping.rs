//! What happens by itself: retention, expired producers. And log starts moved by hand.

use std::rc::Rc;
use std::time::Duration;

use engine_log::TopicPartition;
use engine_log::entry::{Entry, encode_change};
use engine_log::segment::Segment;
use engine_rt::mutant::{self, Mutant};
use engine_rt::{Instant, now, sleep, spawn, timeout, wall_clock_ms};
use engine_wal::EntryKind;

use crate::api::ShardError;
use crate::shard::Shard;
use crate::slot::Slot;

/// How often a segment that a reader still holds is looked at again.
const PIN_INTERVAL: Duration = Duration::from_millis(10);
/// Retention by time pauses when the two clocks part by more than this (rule 21).
const CLOCK_JUMP_MS: i64 = 3_600_000;

/// Compares the clocks.
pub(crate) struct Clocks {
    monotonic: Instant,
    wall_ms: i64,
}

impl Clocks {
    pub(crate) fn read() -> Self {
        Self {
            monotonic: now(),
            wall_ms: wall_clock_ms(),
        }
    }

    /// Whether the wall clock went away from the monotonic one since `self`.
    fn have_parted(&self) -> bool {
        let later = Self::read();
        let parted = (later.wall_ms - self.undisturbed_ms(&later)).abs() > CLOCK_JUMP_MS;
        parted && !mutant::is_active(Mutant::ClockJumpIgnored)
    }

    /// The wall clock, or what it would be if it had not jumped: what goes by its age does not go
    /// because of that.
    pub(crate) fn trusted_ms(&self) -> i64 {
        let later = Self::read();
        if self.have_parted() {
            self.undisturbed_ms(&later)
        } else {
            later.wall_ms
        }
    }

    fn undisturbed_ms(&self, later: &Self) -> i64 {
        let passed = later.monotonic.since(self.monotonic).as_millis() as i64;
        self.wall_ms + passed
    }
}

impl Shard {
    /// Applies retention until the shard stops.
    pub(crate) async fn keep_house(self: Rc<Self>) {
        let clocks = Clocks::read();
        let interval = Duration::from_millis(self.options.retention_check_ms);
        while !self.wait_or_stop(interval).await {
            if clocks.have_parted() {
                tracing::error!(
                    shard = self.index(),
                    "FL2005: the wall clock jumped by more than an hour; retention by time is paused until restart"
                );
                continue;
            }
            let slots: Vec<Rc<Slot>> = self.slots.borrow().values().cloned().collect();
            // Of the clock that was looked at: it may jump while partitions have their turn.
            let now_ms = wall_clock_ms();
            for slot in slots {
                self.keep_partition(&slot, now_ms).await;
            }
        }
    }

    async fn keep_partition(self: &Rc<Self>, slot: &Rc<Slot>, now_ms: i64) {
        let before = now_ms.saturating_sub(self.options.producer_expiration_ms);
        slot.log.borrow_mut().expire_producers(before);
        let start = slot.log.borrow().retention_start(now_ms);
        if let Some(start) = start
            && let Err(error) = self.move_log_start(slot, start).await
        {
            tracing::warn!(%error, "retention could not move a log start");
        }
    }

    /// Waits; true if the shard is stopping.
    pub(crate) async fn wait_or_stop(&self, interval: Duration) -> bool {
        let stopped = self.pressure.wait_until(|| self.stopping.get());
        timeout(now() + interval, stopped).await.is_ok()
    }

    /// Moves the log start up to `offset` (-1: the high watermark); durable on return. Gives the
    /// new log start (`DeleteRecords`).
    pub async fn delete_records(
        self: &Rc<Self>,
        id: TopicPartition,
        offset: i64,
    ) -> Result<i64, ShardError> {
        let slot = self.slot(id)?;
        let (log_start_offset, high_watermark) = {
            let log = slot.log.borrow();
            (log.log_start(), log.high_watermark())
        };
        let target = if offset == -1 { high_watermark } else { offset };
        if target < 0 || target > high_watermark {
            return Err(ShardError::OffsetOutOfRange {
                offset,
                log_start_offset,
                high_watermark,
            });
        }
        self.move_log_start(&slot, target).await?;
        Ok(slot.log.borrow().log_start())
    }

    /// Journals a log start, waits for it, and only then lets go of segments (rule 9).
    async fn move_log_start(
        self: &Rc<Self>,
        slot: &Rc<Slot>,
        start: i64,
    ) -> Result<(), ShardError> {
        if start <= slot.log.borrow().log_start() {
            return Ok(());
        }
        let id = slot.log.borrow().id();
        if !mutant::is_active(Mutant::LogStartFromFiles) {
            let journal = self.journal();
            let entry = encode_change(id, &Entry::LogStart(start));
            let fields = &entry.fields;
            slot.dirty.set(true);
            slot.changing.set(slot.changing.get() + 1);
            slot.log.borrow_mut().announce_log_start(start);
            let placed = journal.append(EntryKind(entry.kind), fields.len(), true, |into| {
                into.copy_from_slice(fields);
            });
            let flushed = if mutant::is_active(Mutant::DeletedBeforeFlush) {
                Ok(())
            } else {
                journal.wait_durable(placed.frame).await
            };
            slot.changing.set(slot.changing.get() - 1);
            flushed.map_err(|error| ShardError::Storage(error.to_string()))?;
        }
        let before = slot.log.borrow().tail_bytes();
        let dropped = slot.log.borrow_mut().move_log_start(start);
        let freed = before - slot.log.borrow().tail_bytes();
        self.freed(freed);
        for segment in dropped {
            spawn({
                let shard = Rc::clone(self);
                async move { shard.remove_segment(id, segment).await }
            })
            .detach();
        }
        Ok(())
    }

    /// Waits for those of a partition's files that go when nobody reads them any more.
    pub(crate) async fn removals_ended(&self, id: TopicPartition) {
        let is_left = || self.removing.borrow().iter().any(|(of, _)| *of == id);
        while is_left() {
            sleep(PIN_INTERVAL).await;
        }
    }

    /// Removes a segment's file once nobody reads or writes it (rule 12).
    pub(crate) async fn remove_segment(&self, id: TopicPartition, segment: Segment) {
        let name = segment.name();
        self.removing.borrow_mut().insert((id, name));
        while segment.is_pinned() && !mutant::is_active(Mutant::UnlinkWhileRead) {
            sleep(PIN_INTERVAL).await;
        }
        self.stats.borrow_mut().segments_deleted += 1;
        if !segment.is_fileless()
            && let Err(error) = self.files.remove(id, name).await
        {
            tracing::warn!(partition = %id, %error, "a deleted segment's file remains");
        }
        self.removing.borrow_mut().remove(&(id, name));
    }
}
