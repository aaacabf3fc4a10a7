//! The memory tail of a partition: every batch that is not wholly in a flushed segment block, and
//! as many older ones as the budget allows. Readers of the tail never touch a disk.

use std::collections::VecDeque;

use engine_rt::Buf;

use crate::entry::SegmentPos;
use crate::partition::push_sparing;

/// A batch in memory.
#[derive(Clone, Debug)]
pub struct StoredBatch {
    /// First offset.
    pub base_offset: i64,
    /// Last offset.
    pub last_offset: i64,
    /// Epoch that wrote it.
    pub leader_epoch: i32,
    /// Largest timestamp.
    pub max_timestamp: i64,
    /// Offset delta of the first record that has it.
    pub max_timestamp_delta: u32,
    /// Where it stands.
    pub at: SegmentPos,
    /// Its bytes: a stamped header and the rest, or all in the first part.
    pub parts: [Buf; 2],
}

impl StoredBatch {
    /// Memory that a batch in the tail takes beside its own bytes: its place in the queue, which has
    /// room for up to as many more.
    pub const OVERHEAD: u64 = 2 * size_of::<Self>() as u64;

    /// Bytes of the batch.
    pub fn bytes(&self) -> u64 {
        (self.parts[0].len() + self.parts[1].len()) as u64
    }

    /// Position after its last byte.
    pub fn end_pos(&self) -> u64 {
        self.at.pos + self.bytes()
    }

    /// Copies the bytes from `from` on, counted from the batch's start, as far as `into` reaches.
    fn copy_to(&self, from: u64, into: &mut [u8]) -> usize {
        let mut skip = from as usize;
        let mut copied = 0;
        for part in &self.parts {
            let source = &part[skip.min(part.len())..];
            skip = skip.saturating_sub(part.len());
            let count = source.len().min(into.len() - copied);
            into[copied..copied + count].copy_from_slice(&source[..count]);
            copied += count;
        }
        copied
    }
}

/// Bytes of batches that begin in flushed blocks and end behind them: what recovery knows of them
/// until the segment is loaded.
#[derive(Clone, Debug)]
pub(crate) struct Prefix {
    pub at: SegmentPos,
    pub bytes: Buf,
}

impl Prefix {
    pub(crate) fn end_pos(&self) -> u64 {
        self.at.pos + self.bytes.len() as u64
    }
}

/// Batches in order. Those that are appended follow each other without gaps; only what is written
/// anew elsewhere may have some.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    batches: VecDeque<StoredBatch>,
    prefixes: Vec<Prefix>,
    bytes: u64,
}

impl Tail {
    /// Adds the newest batch.
    pub(crate) fn push(&mut self, batch: StoredBatch) {
        if let Some(last) = self.batches.back() {
            assert!(last.last_offset < batch.base_offset, "offsets rise");
        }
        self.bytes += batch.bytes() + StoredBatch::OVERHEAD;
        push_sparing(&mut self.batches, batch);
    }

    /// Adds a batch before the oldest.
    pub(crate) fn push_front(&mut self, batch: StoredBatch) {
        if let Some(first) = self.batches.front() {
            assert_eq!(
                batch.last_offset + 1,
                first.base_offset,
                "offsets are dense"
            );
        }
        self.bytes += batch.bytes() + StoredBatch::OVERHEAD;
        self.batches.push_front(batch);
    }

    /// What is known of a segment's bytes behind its flushed blocks and before the first batch.
    pub(crate) fn prefix(&self, segment_base: i64) -> Option<&Prefix> {
        self.prefixes
            .iter()
            .find(|prefix| prefix.at.segment_base == segment_base)
    }

    /// Sets or replaces a segment's prefix; an empty one is forgotten.
    pub(crate) fn set_prefix(&mut self, prefix: Prefix) {
        self.drop_prefix(prefix.at.segment_base);
        if !prefix.bytes.is_empty() {
            self.prefixes.push(prefix);
        }
    }

    pub(crate) fn drop_prefix(&mut self, segment_base: i64) {
        self.prefixes
            .retain(|prefix| prefix.at.segment_base != segment_base);
    }

    /// Memory held.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
            + self
                .prefixes
                .iter()
                .map(|prefix| prefix.bytes.len() as u64)
                .sum::<u64>()
    }

    /// First offset that is wholly in memory.
    pub(crate) fn first_offset(&self) -> Option<i64> {
        self.batches.front().map(|batch| batch.base_offset)
    }

    /// Offset after the newest batch.
    pub(crate) fn next_offset(&self) -> Option<i64> {
        self.batches.back().map(|batch| batch.last_offset + 1)
    }

    /// The oldest batch.
    pub(crate) fn front(&self) -> Option<&StoredBatch> {
        self.batches.front()
    }

    /// Forgets every batch, not the prefixes.
    pub(crate) fn clear(&mut self) {
        self.batches.clear();
        self.bytes = 0;
    }

    pub(crate) fn pop_front(&mut self) -> Option<StoredBatch> {
        let batch = self.batches.pop_front()?;
        self.bytes -= batch.bytes() + StoredBatch::OVERHEAD;
        Some(batch)
    }

    /// Gives back room that batches have left, if they left most of it.
    pub(crate) fn shrink(&mut self) {
        if self.batches.len() < self.batches.capacity() / 4 {
            self.batches.shrink_to(self.batches.len() * 2);
        }
    }

    /// The batch with `offset` and those after it.
    pub(crate) fn batches_at(&self, offset: i64) -> impl Iterator<Item = &StoredBatch> {
        let at = self
            .batches
            .partition_point(|batch| batch.last_offset < offset);
        self.batches.range(at..)
    }

    /// The batches of a segment that end behind position `pos`.
    pub(crate) fn batches_behind(
        &self,
        segment_base: i64,
        pos: u64,
    ) -> impl Iterator<Item = &StoredBatch> {
        let before = |batch: &StoredBatch| {
            batch.at.segment_base < segment_base
                || (batch.at.segment_base == segment_base && batch.end_pos() <= pos)
        };
        let at = self.batches.partition_point(before);
        self.batches
            .range(at..)
            .take_while(move |batch| batch.at.segment_base == segment_base)
    }

    /// Copies the bytes of a segment from position `pos` on into `into`.
    ///
    /// # Panics
    /// If some of them are not in memory: the tail always covers what is not in flushed blocks.
    pub(crate) fn copy_range(&self, segment_base: i64, pos: u64, into: &mut [u8]) {
        let mut copied = 0;
        let at = |copied: usize| pos + copied as u64;
        if let Some(prefix) = self.prefix(segment_base)
            && prefix.at.pos <= pos
            && pos < prefix.end_pos()
        {
            let source = &prefix.bytes[(pos - prefix.at.pos) as usize..];
            copied = source.len().min(into.len());
            into[..copied].copy_from_slice(&source[..copied]);
        }
        for batch in self.batches_behind(segment_base, at(copied)) {
            if copied == into.len() {
                break;
            }
            assert!(
                batch.at.pos <= at(copied),
                "hole at {} in the memory tail",
                at(copied)
            );
            copied += batch.copy_to(at(copied) - batch.at.pos, &mut into[copied..]);
        }
        assert_eq!(copied, into.len(), "the memory tail ends at {}", at(copied));
    }
}
