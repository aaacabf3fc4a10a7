//! One partition: offsets, epochs, producers, segments and the memory tail. Everything here is
//! decided at once, without waiting; bytes are moved by `read.rs` and the shard.
//!
//! Positions: `log_start ≤ high_watermark ≤ next_offset`. On one node the high watermark is what is
//! durable here: it moves along the contiguous prefix of appends whose journal frame, and extent if
//! they have one, are flushed (rule 1).
//!
//! Append is two steps. [`PartitionLog::assign`] checks the producer and gives offsets and place;
//! [`PartitionLog::store`] takes bytes that are stamped already. Followers will use the second
//! alone. No await stands between them (rule 7).

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

use engine_rt::mutant::{self, Mutant};

use crate::entry::SegmentPos;
use crate::epochs::LeaderEpochs;
use crate::ids::TopicPartition;
use crate::producer::{ProducerError, ProducerStamp, ProducerStates, SequenceCheck};
use crate::segment::Segment;
use crate::tail::{StoredBatch, Tail};

/// What of a topic's configuration the log acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// `segment.bytes`.
    pub segment_bytes: u64,
    /// `segment.ms`.
    pub segment_ms: i64,
    /// `retention.ms`, -1 without bound; no effect unless `delete` is set.
    pub retention_ms: i64,
    /// `retention.bytes`, -1 without bound; no effect unless `delete` is set.
    pub retention_bytes: i64,
    /// Whether `cleanup.policy` includes `delete`.
    pub delete: bool,
    /// Whether `cleanup.policy` includes `compact`; what follows has no effect without it.
    pub compact: bool,
    /// `delete.retention.ms`.
    pub delete_retention_ms: i64,
    /// `min.compaction.lag.ms`.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`.
    pub max_compaction_lag_ms: i64,
    /// `min.cleanable.dirty.ratio`, in millionths.
    pub min_cleanable_millionths: u32,
    /// Whether an acknowledgement waits for the flush (`flush.messages` = 1).
    pub flush_before_ack: bool,
    /// `flush.ms` of a topic that does not wait: the delay's bound.
    pub flush_ms: i64,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 3_600_000,
            retention_ms: 7 * 24 * 3_600_000,
            retention_bytes: -1,
            delete: true,
            compact: false,
            delete_retention_ms: 24 * 3_600_000,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            min_cleanable_millionths: 500_000,
            flush_before_ack: true,
            flush_ms: i64::MAX,
        }
    }
}

impl LogConfig {
    /// How old the active segment may become: only what has left it can be cleaned.
    pub(crate) fn roll_ms(&self) -> i64 {
        if self.compact {
            return self.segment_ms.min(self.max_compaction_lag_ms);
        }
        self.segment_ms
    }
}

/// A batch that asks for offsets.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Bytes of the batch.
    pub bytes: u64,
    /// Records in it.
    pub records: i32,
    /// Its producer.
    pub stamp: ProducerStamp,
    /// Wall clock.
    pub now_ms: i64,
}

/// What a candidate got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assigned {
    /// Offsets and a place.
    New {
        /// First offset.
        base_offset: i64,
        /// Last offset.
        last_offset: i64,
        /// Epoch to stamp.
        leader_epoch: i32,
        /// Where the bytes go.
        at: SegmentPos,
    },
    /// It is a retry; the original has these offsets and may not be durable yet.
    Duplicate {
        /// First offset of the original.
        base_offset: i64,
        /// Last offset of the original.
        last_offset: i64,
    },
}

/// An append that is not durable yet.
#[derive(Debug)]
struct Pending {
    last_offset: i64,
    frame: u64,
    extent_flushed: Option<Rc<Cell<bool>>>,
    max_timestamp: i64,
    max_timestamp_offset: i64,
    segment_base: i64,
    end_pos: u64,
}

/// Adds to a queue that in most of many partitions has one element: the first gets room for itself
/// alone, where the library would make some for four.
pub(crate) fn push_sparing<T>(queue: &mut VecDeque<T>, value: T) {
    if queue.capacity() == 0 {
        queue.reserve_exact(1);
    }
    queue.push_back(value);
}

/// A partition's log.
#[derive(Debug)]
pub struct PartitionLog {
    pub(crate) id: TopicPartition,
    pub(crate) config: LogConfig,
    pub(crate) log_start: i64,
    /// A log start that is on its way into the journal: a checkpoint that covers its entry has it.
    pub(crate) announced_start: i64,
    pub(crate) high_watermark: i64,
    pub(crate) next_offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) epochs: LeaderEpochs,
    pub(crate) producers: ProducerStates,
    /// Oldest first; the last one is written to. Empty before the first batch.
    pub(crate) segments: VecDeque<Segment>,
    pub(crate) tail: Tail,
    pending: VecDeque<Pending>,
}

impl PartitionLog {
    /// An empty log.
    pub fn new(id: TopicPartition, leader_epoch: i32, config: LogConfig) -> Self {
        Self {
            id,
            config,
            log_start: 0,
            announced_start: 0,
            high_watermark: 0,
            next_offset: 0,
            leader_epoch,
            epochs: LeaderEpochs::default(),
            producers: ProducerStates::default(),
            segments: VecDeque::new(),
            tail: Tail::default(),
            pending: VecDeque::new(),
        }
    }

    /// The partition.
    pub fn id(&self) -> TopicPartition {
        self.id
    }

    /// First offset there is.
    pub fn log_start(&self) -> i64 {
        self.log_start
    }

    /// End of what is durable.
    pub fn high_watermark(&self) -> i64 {
        self.high_watermark
    }

    /// The next offset to be given.
    pub fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// The epoch in which batches are written.
    pub fn leader_epoch(&self) -> i32 {
        self.leader_epoch
    }

    /// Leader epochs with their first offsets.
    pub fn epochs(&self) -> &LeaderEpochs {
        &self.epochs
    }

    /// The configuration in force.
    pub fn config(&self) -> &LogConfig {
        &self.config
    }

    /// Puts another configuration in force: rolls and retention follow it from now on.
    pub fn set_config(&mut self, config: LogConfig) {
        self.config = config;
    }

    /// Bytes of batches, deleted segments left out.
    pub fn size_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.len).sum()
    }

    /// Bytes that memory holds for the batches of this partition.
    pub fn tail_bytes(&self) -> u64 {
        self.tail.bytes()
    }

    /// Bytes that no flushed segment block holds.
    pub fn unwritten_bytes(&self) -> u64 {
        self.segments
            .iter()
            .map(|segment| segment.len - segment.written)
            .sum()
    }

    /// The segments, oldest first.
    pub fn segments(&self) -> impl ExactSizeIterator<Item = &Segment> {
        self.segments.iter()
    }

    /// Puts a leader epoch in force, as the metadata says; the first batch written in it begins it.
    pub fn set_leader_epoch(&mut self, epoch: i32) {
        assert!(
            self.epochs
                .latest()
                .is_none_or(|latest| latest.epoch <= epoch),
            "leader epoch {epoch} of {} is older than its log",
            self.id
        );
        self.leader_epoch = epoch;
    }

    /// Takes every segment out: the partition is deleted, and what waits for the disk is void.
    pub fn take_segments(&mut self) -> Vec<Segment> {
        self.pending.clear();
        std::mem::take(&mut self.segments).into()
    }

    /// Checks the producer of `candidate` and gives it offsets, epoch and place.
    pub fn assign(&mut self, candidate: Candidate) -> Result<Assigned, ProducerError> {
        if candidate.stamp.is_idempotent()
            && let SequenceCheck::Duplicate {
                base_offset,
                last_offset,
            } = self.producers.check(candidate.stamp, candidate.records)?
        {
            return Ok(Assigned::Duplicate {
                base_offset,
                last_offset,
            });
        }
        let base_offset = self.next_offset;
        let last_offset = base_offset + i64::from(candidate.records) - 1;
        let at = self.place(candidate, last_offset);
        self.next_offset = last_offset + 1;
        self.producers
            .record(candidate.stamp, base_offset, last_offset, candidate.now_ms);
        self.epochs.begin(self.leader_epoch, base_offset);
        Ok(Assigned::New {
            base_offset,
            last_offset,
            leader_epoch: self.leader_epoch,
            at,
        })
    }

    /// The place of the next batch, in a new segment if the active one is full or old, or if it was
    /// sealed because of a newer one that a crash took.
    fn place(&mut self, candidate: Candidate, last_offset: i64) -> SegmentPos {
        let config = self.config;
        let fits = |active: &Segment| {
            active.len == 0
                || (!active.sealed
                    && active.len + candidate.bytes <= config.segment_bytes
                    && candidate.now_ms.saturating_sub(active.created_ms) < config.roll_ms()
                    && last_offset - active.base_offset <= i64::from(u32::MAX))
        };
        if !self.segments.back().is_some_and(fits) {
            let segment = Segment::new(self.id, self.next_offset, candidate.now_ms);
            push_sparing(&mut self.segments, segment);
        }
        let active = self.segments.back_mut().expect("just made sure");
        let at = SegmentPos {
            segment_base: active.base_offset,
            pos: active.len,
        };
        active.len += candidate.bytes;
        active.next_offset = last_offset + 1;
        at
    }

    /// Takes a stamped batch whose place was assigned. [`PartitionLog::wait_for`] must follow.
    pub fn store(&mut self, batch: StoredBatch) {
        let pending = Pending {
            last_offset: batch.last_offset,
            frame: u64::MAX,
            extent_flushed: None,
            max_timestamp: batch.max_timestamp,
            max_timestamp_offset: batch.base_offset + i64::from(batch.max_timestamp_delta),
            segment_base: batch.at.segment_base,
            end_pos: batch.end_pos(),
        };
        push_sparing(&mut self.pending, pending);
        assert!(
            self.tail
                .next_offset()
                .is_none_or(|next| next == batch.base_offset),
            "offsets are dense"
        );
        self.tail.push(batch);
    }

    /// The batch stored last is durable when `frame` is, and the extent if there is one.
    pub fn wait_for(&mut self, frame: u64, extent_flushed: Option<Rc<Cell<bool>>>) {
        let stored = self.pending.back_mut().expect("a batch was stored");
        assert_eq!(stored.frame, u64::MAX, "one frame for each batch");
        stored.frame = frame;
        stored.extent_flushed =
            extent_flushed.filter(|_| !mutant::is_active(Mutant::AckBeforeExtent));
    }

    /// Copies the bytes of a segment from `pos` on that no whole block has taken.
    pub fn copy_unstaged(&self, segment_base: i64, pos: u64) -> Vec<u8> {
        let len = self.segment(segment_base).map_or(0, |segment| segment.len);
        let mut bytes = vec![0; len.saturating_sub(pos) as usize];
        self.tail.copy_range(segment_base, pos, &mut bytes);
        bytes
    }

    /// Moves the high watermark along what is durable now that every frame up to `frame` is. True
    /// if it moved.
    pub fn advance(&mut self, frame: u64) -> bool {
        let before = self.high_watermark;
        while let Some(pending) = self.pending.pop_front_if(|pending| {
            pending.frame <= frame
                && pending
                    .extent_flushed
                    .as_ref()
                    .is_none_or(|done| done.get())
        }) {
            self.high_watermark = pending.last_offset + 1;
            let segment = self
                .segment_mut(pending.segment_base)
                .expect("segment of an append");
            segment.made_durable(&pending_end(&pending));
        }
        self.high_watermark > before
    }

    /// Whether appends wait for the disk.
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether appends in frames before this one are not durable yet.
    pub fn has_pending_before(&self, frame: u64) -> bool {
        // Frames ascend: each append goes to the open one.
        self.pending
            .front()
            .is_some_and(|oldest| oldest.frame < frame)
    }

    /// The segment named `base_offset`.
    pub fn segment(&self, base_offset: i64) -> Option<&Segment> {
        let at = self
            .segments
            .binary_search_by_key(&base_offset, |segment| segment.base_offset);
        at.ok().map(|at| &self.segments[at])
    }

    pub(crate) fn segment_mut(&mut self, base_offset: i64) -> Option<&mut Segment> {
        let at = self
            .segments
            .binary_search_by_key(&base_offset, |segment| segment.base_offset);
        at.ok().map(|at| &mut self.segments[at])
    }

    /// The segment that holds `offset`, which is below its end.
    pub(crate) fn segment_of(&self, offset: i64) -> Option<&Segment> {
        let after = self
            .segments
            .partition_point(|segment| segment.base_offset <= offset);
        self.segments.get(after.checked_sub(1)?)
    }

    /// Lets go of batches that flushed, indexed blocks hold, oldest first, until `bytes` are free or
    /// nothing more may go. Returns the bytes freed.
    pub fn evict(&mut self, bytes: u64) -> u64 {
        let mut freed = 0;
        while freed < bytes && self.has_evictable() {
            let batch = self.tail.pop_front();
            freed += batch.map_or(0, |batch| batch.bytes() + StoredBatch::OVERHEAD);
        }
        self.tail.shrink();
        freed
    }

    /// Whether the oldest batch in memory can be read from flushed blocks instead.
    pub fn has_evictable(&self) -> bool {
        self.tail.front().is_some_and(|batch| {
            let readable = self
                .segment(batch.at.segment_base)
                .is_none_or(|segment| batch.end_pos() <= segment.evictable_end());
            readable && batch.last_offset < self.high_watermark
        })
    }

    /// The log start will move to `log_start` when the journal has it.
    pub fn announce_log_start(&mut self, log_start: i64) {
        self.announced_start = self.announced_start.max(log_start);
    }

    /// Moves the log start up; gives the segments that lie wholly below it, for deletion. The
    /// caller has journaled the move (rule 9).
    pub fn move_log_start(&mut self, log_start: i64) -> Vec<Segment> {
        if log_start <= self.log_start {
            return Vec::new();
        }
        assert!(
            log_start <= self.high_watermark,
            "log start beyond the high watermark"
        );
        self.log_start = log_start;
        self.drop_below_start()
    }

    /// Takes out what lies wholly below the log start.
    pub(crate) fn drop_below_start(&mut self) -> Vec<Segment> {
        let log_start = self.log_start;
        self.epochs.trim_front(log_start);
        let mut dropped = Vec::new();
        while let Some(segment) = self.segments.pop_front_if(|segment| {
            segment.next_offset <= log_start && segment.durable == segment.len
        }) {
            dropped.push(segment);
        }
        while self.tail.front().is_some_and(|batch| {
            dropped
                .iter()
                .any(|segment| segment.base_offset == batch.at.segment_base)
        }) {
            self.tail.pop_front();
        }
        for segment in &dropped {
            self.tail.drop_prefix(segment.base_offset);
        }
        dropped
    }

    /// The idempotent producers that are known.
    pub const fn producers(&self) -> &ProducerStates {
        &self.producers
    }

    /// Lets `producer.id.expiration.ms` take effect.
    pub fn expire_producers(&mut self, before_ms: i64) {
        self.producers.expire(before_ms);
    }
}

/// What an append's durability says about its segment.
fn pending_end(pending: &Pending) -> crate::segment::DurableEnd {
    crate::segment::DurableEnd {
        pos: pending.end_pos,
        next_offset: pending.last_offset + 1,
        max_timestamp: pending.max_timestamp,
        max_timestamp_offset: pending.max_timestamp_offset,
    }
}

#[cfg(test)]
mod tests {
    use net_wire::Uuid;

    use super::*;
    use crate::producer::ProducerStamp;

    fn candidate(bytes: u64) -> Candidate {
        let stamp = ProducerStamp::NONE;
        Candidate {
            bytes,
            records: 3,
            stamp,
            now_ms: 0,
        }
    }

    fn place(log: &mut PartitionLog, bytes: u64) -> (i64, u64) {
        match log.assign(candidate(bytes)) {
            Ok(Assigned::New { at, .. }) => (at.segment_base, at.pos),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_sealed_segment_takes_no_append_even_as_the_last_one() {
        let id = TopicPartition {
            topic_id: Uuid::from_bytes([0; 16]),
            partition: 0,
        };
        let mut log = PartitionLog::new(id, 0, LogConfig::default());
        assert_eq!(place(&mut log, 500), (0, 0));
        assert_eq!(place(&mut log, 500), (0, 500));
        // As after a crash that took the segment behind it.
        log.segments[0].sealed = true;
        assert_eq!(place(&mut log, 500), (6, 0));
    }
}
