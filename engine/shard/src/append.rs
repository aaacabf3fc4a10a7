//! The life of an append on the shard that owns the partition.
//!
//! 1. wait, if need be, for memory or for the segment's index: in order, before anything is decided
//! 2. `assign`: producer check, offsets, place — no await from here to 4 (rule 7)
//! 3. small: one copy into the journal's open group, which the memory tail shares.
//!    large: the tail takes the request's own buffer, whole blocks go to the segment, and the group
//!    gets a reference (rule 1)
//! 4. the answer waits until the high watermark has passed the batch

use std::cell::Cell;
use std::rc::Rc;

use engine_log::entry::{
    BATCH_HEADER_BYTES, EncodedEntry, SegmentPos, encode_batch, encode_extent,
};
use engine_log::{Assigned, Candidate, StoredBatch, load, stamp};
use engine_rt::mutant::{self, Mutant};
use engine_rt::{Buf, BufMut, wall_clock_ms};
use engine_wal::{EntryKind, Placed};

use crate::api::{Appended, ProduceBatch, ShardError};
use crate::extents::Extent;
use crate::shard::Shard;
use crate::slot::Slot;

/// An append that has its offsets, or had them before.
struct Begun {
    slot: Rc<Slot>,
    base_offset: i64,
    /// The high watermark that makes it durable.
    durable_at: i64,
}

/// Appends that are in line: each has its offsets and waits for the disk, or was refused.
pub(crate) struct InLine(Vec<Result<Begun, ShardError>>);

impl std::fmt::Debug for InLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("InLine").field(&self.0.len()).finish()
    }
}

impl InLine {
    /// Waits until each is durable or refused.
    pub(crate) async fn durable(self) -> Vec<Result<Appended, ShardError>> {
        let mut results = Vec::with_capacity(self.0.len());
        for begun in self.0 {
            results.push(match begun {
                Ok(begun) => begun.durable().await,
                Err(error) => Err(error),
            });
        }
        results
    }
}

impl Shard {
    /// Appends batches in order and waits until each is durable or refused.
    pub async fn append(
        self: &Rc<Self>,
        batches: Vec<ProduceBatch>,
    ) -> Vec<Result<Appended, ShardError>> {
        self.put_in_line(batches).await.durable().await
    }

    /// Gives batches their offsets, in order, as soon as there is memory for them.
    pub(crate) async fn put_in_line(self: &Rc<Self>, batches: Vec<ProduceBatch>) -> InLine {
        let mut begun = Vec::with_capacity(batches.len());
        if self.gate_queue.get() == 0 && batches.iter().all(|batch| self.is_ready(batch)) {
            begun.extend(batches.into_iter().map(|batch| self.begin(&batch)));
            return InLine(begun);
        }
        let _queued = Queued::new(self);
        let _turn = self.gate.acquire(1).await;
        for batch in batches {
            let ready = self.make_ready(&batch).await;
            begun.push(ready.and_then(|()| self.begin(&batch)));
        }
        InLine(begun)
    }

    fn is_bypass(&self, batch: &ProduceBatch) -> bool {
        batch.bytes.len() >= self.options.bypass_bytes
            || batch.bytes.len() + 128 > self.journal().payload_bytes_max()
    }

    /// Whether the append may begin at once.
    fn is_ready(&self, batch: &ProduceBatch) -> bool {
        self.has_memory_for(batch.bytes.len() as u64)
            && (!self.is_bypass(batch)
                || self.slot(batch.id).map_or(true, |slot| slot.takes_bypass()))
    }

    /// Waits until the append may begin: in the order of coming, holding the gate.
    async fn make_ready(self: &Rc<Self>, batch: &ProduceBatch) -> Result<(), ShardError> {
        let bytes = batch.bytes.len() as u64;
        let free =
            || self.has_memory_for(bytes) || self.stopping.get() || self.journal().is_failed();
        if !free() {
            self.wanted_bytes.set(bytes);
            self.pressure.notify();
            self.relieved.wait_until(free).await;
            self.wanted_bytes.set(0);
        }
        let Ok(slot) = self.slot(batch.id) else {
            return Ok(());
        };
        if self.is_bypass(batch) {
            self.make_ready_for_bypass(&slot).await?;
        }
        Ok(())
    }

    /// Waits until the active segment has its index and nobody carries its bytes. Loading takes its
    /// time, in which write-behind may begin anew: then an extent could be flushed while blocks
    /// before it are not, and recovery trusts all that lies before an extent.
    async fn make_ready_for_bypass(&self, slot: &Slot) -> Result<(), ShardError> {
        while !slot.takes_bypass() {
            slot.changed.wait_until(|| !slot.writing.get()).await;
            let active = slot.log.borrow().segments().last().map(|s| s.base_offset);
            if let Some(active) = active {
                load(&slot.log, &self.files, active)
                    .await
                    .map_err(|error| ShardError::Storage(error.to_string()))?;
            }
        }
        Ok(())
    }

    /// Gives the batch its offsets and sends it on its way to the disk.
    fn begin(self: &Rc<Self>, batch: &ProduceBatch) -> Result<Begun, ShardError> {
        let slot = self.slot(batch.id)?;
        self.refuse_if_unfit(&slot)?;
        self.take_space(batch.bytes.len() as u64)?;
        let now_ms = wall_clock_ms();
        let candidate = Candidate {
            bytes: batch.bytes.len() as u64,
            records: batch.records,
            stamp: batch.stamp,
            now_ms,
        };
        let assigned = slot.log.borrow_mut().assign(candidate)?;
        match assigned {
            Assigned::Duplicate {
                base_offset,
                last_offset,
            } => {
                self.stats.borrow_mut().duplicates += 1;
                let early = mutant::is_active(Mutant::DuplicateBeforeDurable);
                let durable_at = if early { 0 } else { last_offset + 1 };
                let base_offset = if mutant::is_active(Mutant::DuplicateAtEnd) {
                    slot.log.borrow().high_watermark()
                } else {
                    base_offset
                };
                Ok(Begun {
                    slot,
                    base_offset,
                    durable_at,
                })
            },
            Assigned::New {
                base_offset,
                last_offset,
                leader_epoch,
                at,
            } => {
                self.store(&slot, batch, base_offset, leader_epoch, at);
                Ok(Begun {
                    slot,
                    base_offset,
                    durable_at: last_offset + 1,
                })
            },
        }
    }

    fn refuse_if_unfit(&self, slot: &Slot) -> Result<(), ShardError> {
        if self.stopping.get() {
            return Err(ShardError::Stopping);
        }
        if let Some(reason) = &*slot.failed.borrow() {
            return Err(ShardError::Storage(reason.clone()));
        }
        if self.journal().is_failed() || self.exchanging.get() {
            return Err(ShardError::Storage("the journal failed".into()));
        }
        Ok(())
    }

    fn store(
        self: &Rc<Self>,
        slot: &Rc<Slot>,
        batch: &ProduceBatch,
        base_offset: i64,
        leader_epoch: i32,
        at: SegmentPos,
    ) {
        let stored = |parts| StoredBatch {
            base_offset,
            last_offset: base_offset + i64::from(batch.records) - 1,
            leader_epoch,
            max_timestamp: batch.max_timestamp,
            max_timestamp_delta: batch.max_timestamp_delta,
            at,
            parts,
        };
        slot.dirty.set(true);
        let frame = if self.is_bypass(batch) {
            self.store_beside(
                slot,
                stored(stamped(&batch.bytes, base_offset, leader_epoch)),
            )
        } else {
            let entry = encode_batch(batch.id, at, batch.max_timestamp_delta);
            let durable = self.wants_flush(slot);
            let placed = self.place(&entry, &batch.bytes, durable, base_offset, leader_epoch);
            let bytes = placed.payload.slice(entry.fields.len()..);
            let mut log = slot.log.borrow_mut();
            log.store(stored([bytes, Buf::new()]));
            log.wait_for(placed.frame, None);
            placed.frame
        };
        self.in_frames
            .borrow_mut()
            .push_back((frame, Rc::clone(slot)));
        self.enqueue_tail(slot);
        self.count(batch, at);
    }

    fn count(&self, batch: &ProduceBatch, at: SegmentPos) {
        let bytes = batch.bytes.len() as u64;
        let held = self.tail_bytes.get() + bytes + StoredBatch::OVERHEAD;
        self.tail_bytes.set(held);
        let mut stats = self.stats.borrow_mut();
        stats.batches += 1;
        stats.records += batch.records as u64;
        stats.appended_bytes += bytes;
        stats.bypassed += u64::from(self.is_bypass(batch));
        stats.segments_rolled += u64::from(at.pos == 0);
        drop(stats);
        if self.wants_relief() || self.wants_turn() {
            self.pressure.notify();
        }
    }

    /// The one copy of a small batch: into the journal's open group.
    fn place(
        &self,
        entry: &EncodedEntry,
        batch: &[u8],
        durable: bool,
        base_offset: i64,
        leader_epoch: i32,
    ) -> Placed {
        let front = entry.fields.len();
        let total = front + batch.len();
        self.journal()
            .append(EntryKind(entry.kind), total, durable, |into| {
                into[..front].copy_from_slice(&entry.fields);
                into[front..].copy_from_slice(batch);
                stamp(&mut into[front..], base_offset, leader_epoch);
            })
    }

    /// Sends a large batch's whole blocks to its segment and a reference to the journal.
    fn store_beside(self: &Rc<Self>, slot: &Rc<Slot>, batch: StoredBatch) -> u64 {
        let (at, batch_bytes) = (batch.at, batch.bytes() as u32);
        let (delta, header) = (batch.max_timestamp_delta, batch.parts[0].clone());
        let id = slot.log.borrow().id();
        assert!(
            slot.takes_bypass(),
            "{id}: an extent behind blocks that are on their way"
        );
        let (staged, remainder) = {
            let mut log = slot.log.borrow_mut();
            log.store(batch);
            let end = at.pos + u64::from(batch_bytes);
            let staged = log
                .stage(self.options.disk_id, at.segment_base, end, u64::MAX)
                .expect("a large batch has whole blocks");
            let remainder = log.copy_unstaged(at.segment_base, staged.to);
            (staged, remainder)
        };
        let entry = encode_extent(
            id,
            at,
            batch_bytes,
            delta,
            staged.extent(),
            &header,
            &remainder,
        );
        let fields = &entry.fields;
        let placed = self
            .journal()
            .append(EntryKind(entry.kind), fields.len(), true, |into| {
                into.copy_from_slice(fields);
            });
        let flushed = Rc::new(Cell::new(false));
        slot.log
            .borrow_mut()
            .wait_for(placed.frame, Some(Rc::clone(&flushed)));
        let extent = Extent {
            staged,
            flushed,
            guard: self.journal().hold_extent(placed.frame),
            under_way: self.begin_work(),
        };
        self.carry_extent(slot, extent);
        placed.frame
    }

    /// A segment write failed: the partition takes nothing more in this life.
    pub(crate) fn fence(slot: &Slot, error: &std::io::Error) {
        let id = slot.log.borrow().id();
        tracing::error!(partition = %id, %error, "FL2002: segment write failed; the partition is fenced until restart");
        slot.fail(format!("segment: {error}"));
    }
}

impl Begun {
    /// Waits until the batch is durable.
    async fn durable(self) -> Result<Appended, ShardError> {
        let Self {
            slot,
            base_offset,
            durable_at,
        } = self;
        let reached = || slot.log.borrow().high_watermark() >= durable_at;
        let over = || reached() || slot.deleted.get() || slot.failed.borrow().is_some();
        slot.changed.wait_until(over).await;
        if reached() {
            let log_start_offset = slot.log.borrow().log_start();
            return Ok(Appended {
                base_offset,
                log_start_offset,
            });
        }
        if slot.deleted.get() {
            return Err(ShardError::UnknownPartition(slot.log.borrow().id()));
        }
        let reason = slot.failed.borrow().clone().unwrap_or_default();
        Err(ShardError::Storage(reason))
    }
}

/// One more request in line before the gate, until this is dropped.
struct Queued<'a>(&'a Shard);

impl<'a> Queued<'a> {
    fn new(shard: &'a Shard) -> Self {
        shard.gate_queue.set(shard.gate_queue.get() + 1);
        Self(shard)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.gate_queue.set(self.0.gate_queue.get() - 1);
    }
}

impl Slot {
    /// Whether a bypassed append may be staged now: the index is there, and everything before it is
    /// flushed or has a reference of its own.
    fn takes_bypass(&self) -> bool {
        let log = self.log.borrow();
        let carried = self.carrying.get();
        log.segments()
            .last()
            .is_none_or(|active| active.is_loaded() && carried != Some(active.base_offset))
    }
}

/// A batch's bytes with a header of its own, stamped; the rest is the request's buffer.
fn stamped(bytes: &Buf, base_offset: i64, leader_epoch: i32) -> [Buf; 2] {
    let mut header = BufMut::with_capacity(BATCH_HEADER_BYTES);
    header.copy_from_slice(&bytes[..BATCH_HEADER_BYTES]);
    stamp(&mut header, base_offset, leader_epoch);
    [header.freeze(), bytes.slice(BATCH_HEADER_BYTES..)]
}
