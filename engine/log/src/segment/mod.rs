//! Segment files: layout, index, footer, and what is known of each.

pub mod footer;
pub mod index;
pub mod layout;

use std::rc::Rc;
use std::sync::Arc;

use engine_rt::Event;
use engine_rt::mutant::{self, Mutant};

use crate::ids::TopicPartition;
use index::SegmentIndex;
use layout::SegmentName;

/// Keeps a segment's file from being unlinked while a read plan refers to it (rule 12).
pub(crate) type SegmentPin = Arc<()>;

/// What one more durable append says about its segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DurableEnd {
    pub pos: u64,
    pub next_offset: i64,
    pub max_timestamp: i64,
    pub max_timestamp_offset: i64,
}

/// One segment of a partition.
///
/// Positions in it: `written ≤ submitted ≤ len`, `written ≤ durable ≤ len`; the first two are
/// multiples of 4 KiB until the segment is sealed (rule 2).
#[derive(Debug)]
pub struct Segment {
    /// First offset.
    pub base_offset: i64,
    /// The cleaning that wrote it, 0 if none did. Then offsets may be missing between batches, but
    /// the last batch ends right before [`Segment::next_offset`].
    pub cleaning: u32,
    /// Offset below which its records, and all before them, have no newer record of their key: how
    /// far the cleaning that wrote it knew the keys.
    pub clean_to: i64,
    /// Offset after the last assigned record.
    pub next_offset: i64,
    /// Bytes of assigned batches.
    pub len: u64,
    /// Bytes of durable batches, in the journal or here.
    pub durable: u64,
    /// Offset after the last durable record.
    pub durable_offset: i64,
    /// Bytes given to the file.
    pub submitted: u64,
    /// Bytes that are flushed in the file, without gaps.
    pub written: u64,
    /// Largest timestamp among durable records, -1 if there are none.
    pub max_timestamp: i64,
    /// Offset of the first record that has it.
    pub max_timestamp_offset: i64,
    /// Wall clock when the segment was begun.
    pub created_ms: i64,
    /// Whether the footer is on disk and the file never changes again.
    pub sealed: bool,
    /// The index, once loaded; always there for segments of this life.
    pub(crate) index: Option<SegmentIndex>,
    /// Set while a segment that a crash left rolled and open is being sealed: its end can be read
    /// from nowhere until that is done.
    pub(crate) sealing: Option<Rc<Event>>,
    /// Writes in flight or finished out of order: from, to, finished.
    in_flight: Vec<(u64, u64, bool)>,
    /// Shared with readers of the file.
    pub(crate) pin: SegmentPin,
    /// File bytes reserved.
    pub allocated: u64,
}

pub(crate) const fn whole_blocks(pos: u64) -> u64 {
    pos - pos % layout::BLOCK
}

impl Segment {
    pub(crate) fn new(id: TopicPartition, base_offset: i64, created_ms: i64) -> Self {
        Self::named(id, SegmentName::appended(base_offset), created_ms)
    }

    pub(crate) fn named(id: TopicPartition, name: SegmentName, created_ms: i64) -> Self {
        let base_offset = name.base_offset;
        Self {
            base_offset,
            cleaning: name.cleaning,
            clean_to: base_offset,
            next_offset: base_offset,
            len: 0,
            durable: 0,
            durable_offset: base_offset,
            submitted: 0,
            written: 0,
            max_timestamp: -1,
            max_timestamp_offset: -1,
            created_ms,
            sealed: false,
            index: Some(SegmentIndex::new(id, name)),
            sealing: None,
            in_flight: Vec::new(),
            pin: Arc::new(()),
            allocated: 0,
        }
    }

    /// The begin of another file for it.
    pub(crate) fn anew(&self, id: TopicPartition) -> Self {
        Self {
            clean_to: self.clean_to,
            ..Self::named(id, self.name(), self.created_ms)
        }
    }

    /// What names it.
    pub const fn name(&self) -> SegmentName {
        SegmentName {
            base_offset: self.base_offset,
            cleaning: self.cleaning,
        }
    }

    /// Whether the index is in memory and everything can be read.
    pub fn is_loaded(&self) -> bool {
        self.index.is_some() && self.sealing.is_none()
    }

    /// Whether nothing of the file has ever been written.
    pub fn is_fileless(&self) -> bool {
        self.submitted == 0
    }

    /// Whether a read plan still refers to the file.
    pub fn is_pinned(&self) -> bool {
        Arc::strong_count(&self.pin) > 1
    }

    /// Position up to which the file can be read range by range.
    pub(crate) fn readable_end(&self) -> u64 {
        let indexed = self.index.as_ref().map_or(0, SegmentIndex::open_pos);
        self.written.min(indexed)
    }

    /// Position up to which memory is not needed: every range that begins below it can be read, and
    /// checkpoints keep nothing of it.
    pub(crate) fn evictable_end(&self) -> u64 {
        match &self.index {
            Some(index) if self.sealed => index.whole_ranges_end(self.written),
            Some(index) => {
                let kept = whole_blocks(self.written.min(self.durable));
                index.whole_ranges_end(self.written).min(kept)
            },
            None => 0,
        }
    }

    /// Position up to which flushed blocks hold durable bytes and nothing else. A block may have the
    /// begin of an append that is not durable yet: without it, the block will be written again.
    pub(crate) fn kept_blocks(&self) -> u64 {
        let kept = self.written.min(self.durable);
        if self.sealed || mutant::is_active(Mutant::RewriteSegmentBlock) {
            return kept;
        }
        whole_blocks(kept)
    }

    pub(crate) fn made_durable(&mut self, end: &DurableEnd) {
        self.durable = end.pos;
        self.durable_offset = end.next_offset;
        if end.max_timestamp > self.max_timestamp {
            self.max_timestamp = end.max_timestamp;
            self.max_timestamp_offset = end.max_timestamp_offset;
        }
    }

    /// Notes that bytes up to `to` were given to the file.
    pub(crate) fn submit(&mut self, to: u64) {
        self.in_flight.push((self.submitted, to, false));
        self.submitted = to;
    }

    /// Notes that the write that began at `from` is flushed. `written` moves along the gapless part.
    pub(crate) fn flushed(&mut self, from: u64) {
        for write in &mut self.in_flight {
            write.2 |= write.0 == from;
        }
        while let Some((_, to, true)) = self.in_flight.first().copied() {
            self.written = to;
            self.in_flight.remove(0);
        }
        let sealed = self.sealed;
        if let Some(index) = &mut self.index {
            index.flushed(if sealed { u64::MAX } else { self.written });
        }
    }

    /// What was laid out for the file and did not get there is forgotten, and with it the index, which
    /// knows of it: they are made again.
    pub(crate) fn lay_out_anew(&mut self) {
        self.in_flight.clear();
        self.submitted = self.written;
        self.index = None;
    }

    /// Whether writes to the file are under way.
    pub fn has_writes(&self) -> bool {
        !self.in_flight.is_empty()
    }
}

#[cfg(test)]
mod tests;
