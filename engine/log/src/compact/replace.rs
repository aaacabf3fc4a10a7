//! The exchange: a cleaned segment takes the place of those that it covers, in a running log and
//! when the journal is replayed. And what is left over of exchanges.

use crate::entry::CleanedSegment;
use crate::partition::PartitionLog;
use crate::recovery::FoldError;
use crate::segment::layout::{SegmentName, file_pos};
use crate::segment::{DurableEnd, Segment};

impl CleanedSegment {
    /// What the journal says of a segment that is sealed and flushed.
    pub fn of(segment: &Segment) -> Self {
        Self {
            name: segment.name(),
            next_offset: segment.next_offset,
            bytes: segment.len,
            clean_to: segment.clean_to,
            max_timestamp: segment.max_timestamp,
            max_timestamp_offset: segment.max_timestamp_offset,
            created_ms: segment.created_ms,
        }
    }

    /// Whether a log may have such a segment below `end`.
    fn is_possible(&self, end: i64) -> bool {
        let base = self.name.base_offset;
        (0..self.next_offset).contains(&base)
            && self.next_offset <= end
            && (base..=self.next_offset).contains(&self.clean_to)
            && (1..=crate::segment::layout::POSITION_MAX).contains(&self.bytes)
    }
}

impl PartitionLog {
    /// Puts a sealed segment in the place of those between its first offset and its end. The caller
    /// puts the entry that says so into the journal before anything else happens to the partition,
    /// and removes the files of the segments that this gives only when that entry is durable. Among
    /// these is the new one, if the log start has passed it.
    pub fn put_cleaned(&mut self, cleaned: Segment) -> Vec<Segment> {
        let (from, to) = (cleaned.base_offset, cleaned.next_offset);
        // Bytes in memory stand where the old segments had them.
        while self
            .tail
            .front()
            .is_some_and(|batch| batch.at.segment_base < to)
        {
            self.tail.pop_front();
        }
        self.tail.shrink();
        let first = self.segments.partition_point(|s| s.base_offset < from);
        let behind = self.segments.partition_point(|s| s.base_offset < to);
        let mut old: Vec<Segment> = self.segments.drain(first..behind).collect();
        for segment in &old {
            self.tail.drop_prefix(segment.base_offset);
        }
        if old.is_empty() || to <= self.log_start {
            old.push(cleaned);
        } else {
            self.segments.insert(first, cleaned);
        }
        old
    }

    /// Applies a journal entry, unless the state has it already.
    pub(crate) fn replay_cleaned(&mut self, entry: &CleanedSegment) -> Result<(), FoldError> {
        if !entry.is_possible(self.next_offset) {
            return Err(self.misfit());
        }
        let (from, to) = (entry.name.base_offset, entry.next_offset);
        let first = self.segments.partition_point(|s| s.base_offset < from);
        let behind = self.segments.partition_point(|s| s.base_offset < to);
        let mut covered = self.segments.range(first..behind);
        let older = |segment: &Segment| segment.cleaning < entry.name.cleaning;
        if first == behind || !covered.all(older) {
            return Ok(());
        }
        // Retention may have taken the first ones; the last one ends where the new one does.
        let before = first.checked_sub(1).map(|at| self.segments[at].next_offset);
        if before.is_some_and(|end| end > from) || self.segments[behind - 1].next_offset != to {
            return Err(self.misfit());
        }
        // What no file is known to hold of segments before it.
        self.prefixes_of(|base| base < from);
        let segment = self.segment_of_entry(entry);
        drop(self.put_cleaned(segment));
        Ok(())
    }

    fn segment_of_entry(&self, entry: &CleanedSegment) -> Segment {
        let mut segment = Segment::named(self.id, entry.name, entry.created_ms);
        segment.next_offset = entry.next_offset;
        segment.len = entry.bytes;
        (segment.submitted, segment.written) = (entry.bytes, entry.bytes);
        segment.clean_to = entry.clean_to;
        segment.allocated = file_pos(entry.bytes);
        segment.made_durable(&DurableEnd {
            pos: entry.bytes,
            next_offset: entry.next_offset,
            max_timestamp: entry.max_timestamp,
            max_timestamp_offset: entry.max_timestamp_offset,
        });
        segment.sealed = true;
        segment.index = None;
        segment
    }

    /// Whether a file of that name is known to be of no use any more: a segment below the log start,
    /// one that compaction replaced, or a new one that never came into force. While a cleaning is
    /// under way, its own files look like the last kind.
    pub fn is_left_over(&self, name: SegmentName) -> bool {
        let base = name.base_offset;
        if base >= self.high_watermark && !name.is_cleaned() {
            // It may be begun at any time.
            return false;
        }
        let covering = self
            .segment_of(base)
            .filter(|segment| base < segment.next_offset);
        match covering {
            Some(segment) if segment.name() == name => false,
            Some(segment) => name.is_cleaned() || segment.name().is_cleaned(),
            None => name.is_cleaned() || base < self.log_start,
        }
    }
}
