//! The sparse index of one segment: built while batches are laid into the file, read back from the
//! index blocks.

use std::collections::VecDeque;

use engine_rt::Buf;

use super::layout::{
    CHUNK_BYTES, RANGE_BYTES, Range, SegmentName, encode_index_block, place_digest,
};
use crate::ids::TopicPartition;

/// What is kept in memory of a chunk whose index block is on disk: the ranges that end in it begin
/// at `first_offset` and `pos`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkSummary {
    /// Number of the chunk in its segment.
    pub chunk: u64,
    /// First offset of the first range.
    pub first_offset: i64,
    /// Position of the first range.
    pub pos: u64,
    /// Largest timestamp of the ranges.
    pub max_timestamp: i64,
}

/// The range that is still growing.
#[derive(Clone, Debug)]
struct OpenRange {
    first_offset: i64,
    pos: u64,
    bytes: u32,
    max_timestamp: i64,
    digest: crc_fast::Digest,
}

/// The index of a segment that is being written.
#[derive(Clone, Debug)]
pub struct SegmentIndex {
    id: TopicPartition,
    name: SegmentName,
    chunks: Vec<ChunkSummary>,
    /// Ranges whose index block is not known to be flushed.
    ranges: Vec<Range>,
    /// Index blocks that were encoded and are on their way: chunk, number of ranges.
    finished: VecDeque<(u64, usize)>,
    open: Option<OpenRange>,
    /// Position up to which batches were added.
    end: u64,
}

/// Where to look for an offset or a timestamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// In this range, or behind the last range if `None`: what no range covers yet.
    Range(Option<Range>),
    /// In a range of this chunk, whose index block is on disk.
    Chunk(ChunkSummary),
}

impl SegmentIndex {
    /// The index of an empty segment.
    pub fn new(id: TopicPartition, name: SegmentName) -> Self {
        let (chunks, ranges, finished) = (Vec::new(), Vec::new(), VecDeque::new());
        Self {
            id,
            name,
            chunks,
            ranges,
            finished,
            open: None,
            end: 0,
        }
    }

    /// Position up to which batches were added.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Adds the next batch.
    pub fn add(&mut self, base_offset: i64, pos: u64, max_timestamp: i64, parts: &[Buf]) {
        assert_eq!(pos, self.end, "batches are indexed in order");
        let open = self.open.get_or_insert_with(|| OpenRange {
            first_offset: base_offset,
            pos,
            bytes: 0,
            max_timestamp: i64::MIN,
            digest: place_digest(self.id, self.name, pos),
        });
        for part in parts {
            open.digest.update(part);
            open.bytes += part.len() as u32;
        }
        open.max_timestamp = open.max_timestamp.max(max_timestamp);
        self.end = open.pos + u64::from(open.bytes);
        if open.bytes >= RANGE_BYTES {
            self.close_range();
        }
    }

    fn close_range(&mut self) {
        if let Some(open) = self.open.take() {
            self.ranges.push(Range {
                first_offset: open.first_offset,
                pos: open.pos,
                bytes: open.bytes,
                max_timestamp: open.max_timestamp,
                crc: open.digest.finalize() as u32,
            });
        }
    }

    /// Ends chunk number `chunk`: writes its index block into `block`.
    pub(crate) fn finish_chunk(&mut self, chunk: u64, block: &mut [u8]) {
        self.encode_block(chunk, (chunk + 1) * CHUNK_BYTES, block);
    }

    /// Ends the segment: closes the last range and writes the last chunk's block. Gives the
    /// summaries of all chunks.
    pub(crate) fn finish_segment(&mut self, block: &mut [u8]) -> Vec<ChunkSummary> {
        self.close_range();
        self.encode_block(self.end / CHUNK_BYTES, u64::MAX, block);
        let mut all = self.clone();
        all.flushed(u64::MAX);
        all.chunks
    }

    fn encode_block(&mut self, chunk: u64, end: u64, block: &mut [u8]) {
        let encoded: usize = self.finished.iter().map(|(_, count)| count).sum();
        let rest = &self.ranges[encoded..];
        let count = rest.partition_point(|range| range.end() <= end);
        encode_index_block(chunk, self.name.base_offset, &rest[..count], block);
        self.finished.push_back((chunk, count));
    }

    /// Everything below `written` is flushed: ranges in flushed index blocks leave memory.
    pub(crate) fn flushed(&mut self, written: u64) {
        while let Some((chunk, count)) = self
            .finished
            .pop_front_if(|(chunk, _)| (*chunk + 1).saturating_mul(CHUNK_BYTES) <= written)
        {
            let ranges: Vec<Range> = self.ranges.drain(..count).collect();
            self.add_chunk(chunk, &ranges);
        }
    }

    /// Takes a chunk that is on disk already.
    pub(crate) fn add_chunk(&mut self, chunk: u64, ranges: &[Range]) {
        let Some(first) = ranges.first() else { return };
        let max_timestamp = ranges.iter().map(|range| range.max_timestamp).max();
        self.chunks.push(ChunkSummary {
            chunk,
            first_offset: first.first_offset,
            pos: first.pos,
            max_timestamp: max_timestamp.unwrap_or(i64::MIN),
        });
        self.end = self.end.max(ranges.last().map_or(0, Range::end));
    }

    /// Takes a footer's summaries.
    pub fn add_summaries(&mut self, chunks: Vec<ChunkSummary>, end: u64) {
        self.chunks = chunks;
        self.end = end;
    }

    /// The range with `offset`, which is not below the segment's base.
    pub fn find_offset(&self, offset: i64) -> Lookup {
        let in_memory = self.ranges.first().map(|range| range.first_offset);
        if in_memory.is_some_and(|first| first <= offset) {
            if self
                .open
                .as_ref()
                .is_some_and(|open| open.first_offset <= offset)
            {
                return Lookup::Range(None);
            }
            let after = self
                .ranges
                .partition_point(|range| range.first_offset <= offset);
            return Lookup::Range(after.checked_sub(1).map(|at| self.ranges[at]));
        }
        let open = self
            .open
            .as_ref()
            .is_some_and(|open| open.first_offset <= offset);
        let after = self
            .chunks
            .partition_point(|chunk| chunk.first_offset <= offset);
        match after.checked_sub(1) {
            Some(at) if !open => Lookup::Chunk(self.chunks[at]),
            // Compaction may have taken the segment's first offsets.
            None if !open && !self.chunks.is_empty() => Lookup::Chunk(self.chunks[0]),
            _ => Lookup::Range(None),
        }
    }

    /// The chunk, on disk, in whose index block the range at `pos` is.
    pub(crate) fn find_pos(&self, pos: u64) -> Option<ChunkSummary> {
        let after = self.chunks.partition_point(|chunk| chunk.pos <= pos);
        Some(self.chunks[after.checked_sub(1)?])
    }

    /// The first range with a timestamp of at least `timestamp`.
    pub fn find_timestamp(&self, timestamp: i64) -> Lookup {
        if let Some(chunk) = self
            .chunks
            .iter()
            .find(|chunk| chunk.max_timestamp >= timestamp)
        {
            return Lookup::Chunk(*chunk);
        }
        Lookup::Range(
            self.ranges
                .iter()
                .find(|range| range.max_timestamp >= timestamp)
                .copied(),
        )
    }

    /// First offset of the range that is still growing.
    pub(crate) fn open_offset(&self) -> Option<i64> {
        self.open.as_ref().map(|open| open.first_offset)
    }

    /// Ranges in memory.
    pub(crate) fn ranges(&self) -> &[Range] {
        &self.ranges
    }

    /// Position after the last range that is wholly below `written`, which is behind every finished
    /// chunk.
    pub(crate) fn whole_ranges_end(&self, written: u64) -> u64 {
        let cut = self.ranges.iter().find(|range| range.end() > written);
        cut.map_or_else(|| self.open_pos(), |range| range.pos)
    }

    /// The position where the range after the last closed one begins.
    pub fn open_pos(&self) -> u64 {
        self.open.as_ref().map_or(self.end, |open| open.pos)
    }
}

#[cfg(test)]
mod tests {
    use net_wire::Uuid;

    use super::super::layout::decode_index_block;
    use super::*;

    fn index() -> SegmentIndex {
        let id = TopicPartition {
            topic_id: Uuid::from_bytes([1; 16]),
            partition: 0,
        };
        SegmentIndex::new(id, SegmentName::appended(100))
    }

    fn add(index: &mut SegmentIndex, offset: i64, bytes: usize, timestamp: i64) {
        let pos = index.end();
        index.add(
            offset,
            pos,
            timestamp,
            &[Buf::copy_from_slice(&vec![offset as u8; bytes])],
        );
    }

    #[test]
    fn ranges_close_at_batch_ends() {
        let mut index = index();
        for batch in 0..10 {
            add(&mut index, 100 + batch, 3000, batch);
        }
        let Lookup::Range(Some(range)) = index.find_offset(104) else {
            panic!("a closed range")
        };
        assert_eq!(
            (range.first_offset, range.pos, range.bytes),
            (103, 9000, 9000)
        );
        assert_eq!(index.find_offset(109), Lookup::Range(None));
        assert_eq!(index.open_pos(), 27000);
    }

    #[test]
    fn a_finished_chunk_is_found_by_offset_and_time() {
        let mut index = index();
        for batch in 0..6 {
            add(&mut index, 100 + batch, 9000, 10 - batch);
        }
        let mut block = [0; 4096];
        index.finish_chunk(0, &mut block);
        assert!(
            matches!(index.find_offset(105), Lookup::Range(Some(_))),
            "not flushed yet"
        );
        index.flushed(CHUNK_BYTES);
        add(&mut index, 106, 9000, 50);
        assert_eq!(decode_index_block(0, 100, &block).unwrap().len(), 6);
        assert!(matches!(index.find_offset(105), Lookup::Chunk(chunk) if chunk.chunk == 0));
        assert!(matches!(index.find_offset(106), Lookup::Range(Some(range)) if range.pos == 54000));
        assert!(matches!(index.find_timestamp(10), Lookup::Chunk(_)));
        assert!(
            matches!(index.find_timestamp(11), Lookup::Range(Some(r)) if r.first_offset == 106)
        );
        assert_eq!(index.find_timestamp(51), Lookup::Range(None));
    }

    #[test]
    fn an_offset_before_the_first_that_is_left_is_in_the_first_chunk() {
        let mut index = index();
        add(&mut index, 150, 9000, 0);
        add(&mut index, 170, 9000, 0);
        let mut block = [0; 4096];
        index.finish_segment(&mut block);
        index.flushed(u64::MAX);
        for offset in [100, 149, 150, 169, 170, 999] {
            assert!(matches!(index.find_offset(offset), Lookup::Chunk(chunk) if chunk.pos == 0));
        }
        assert_eq!(index.find_pos(9000).map(|chunk| chunk.chunk), Some(0));
    }

    #[test]
    fn the_same_bytes_at_another_place_have_another_checksum() {
        let (mut one, mut two) = (index(), index());
        add(&mut one, 100, 9000, 0);
        add(&mut two, 100, 100, 0);
        add(&mut two, 100, 9000, 0);
        assert_ne!(one.ranges[0].crc, two.ranges[0].crc);
    }
}
