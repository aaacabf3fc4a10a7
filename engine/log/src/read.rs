//! Reading: from the memory tail at once, from segment files range by range, each range checked
//! against the checksum that binds it to its place.
//!
//! Where compaction left gaps, the range that begins at or before an offset may end before it: then
//! what the reader wants begins with the next range.

use std::cell::RefCell;
use std::rc::Rc;

use engine_rt::Buf;
use engine_rt::fs::{File, READS_BEFORE_LOSS};
use engine_rt::mutant::{self, Mutant};
use thiserror::Error;

use crate::chunks::{Chunk, ChunkKey};
use crate::files::SegmentFiles;
use crate::header::{SPAN_BYTES, Span};
use crate::load::load;
use crate::partition::PartitionLog;
use crate::resident::{Candidate, ResidentRange};
use crate::segment::index::{ChunkSummary, Lookup};
use crate::segment::layout::{
    BLOCK, CHUNK_BYTES, Range, SegmentName, decode_index_block, file_pos, index_block_pos,
    place_digest, sealed_index_pos,
};
use crate::segment::{Segment, SegmentPin};
use crate::tail::StoredBatch;

/// Chunks that are read ahead of somebody who reads on.
const AHEAD: u64 = 3;

/// Why a read failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The offset is not within the log.
    #[error("offset out of range")]
    OutOfRange,
    /// The system refused.
    #[error("{0}")]
    Io(String),
    /// The bytes are not what was written: never served.
    #[error("{file}: {what} at byte {pos} is damaged")]
    Corrupt {
        /// The segment's file.
        file: String,
        /// What is damaged.
        what: &'static str,
        /// Where, in the file.
        pos: u64,
    },
}

/// What can be answered without waiting, and what needs a file.
enum Plan {
    Memory(Vec<Buf>),
    Segment(SegmentPlan),
}

/// Where in a segment the ranges are.
enum Place {
    /// In memory: those for the reader, as they were when the plan was made, for they leave it when
    /// their index block is flushed.
    Ranges(Vec<Range>),
    /// In the index block of a chunk.
    Chunk(ChunkSummary),
}

/// A place in a segment file.
struct SegmentPlan {
    segment: SegmentName,
    place: Place,
    /// Position at which the first range begins that may have the offset; else the offset says it.
    from: Option<u64>,
    /// Position up to which ranges can be read.
    readable_end: u64,
    written: u64,
    len: u64,
    /// Bytes below the high watermark.
    durable: u64,
    pin: SegmentPin,
}

/// What a reader wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadAt {
    /// Offset of the first record.
    pub offset: i64,
    /// Bytes at most.
    pub bytes_max: usize,
    /// Whether one batch comes even if it is larger than that.
    pub min_one: bool,
    /// Offset behind the last record that may be read.
    pub bound: i64,
}

/// Whole batches for a reader.
#[derive(Clone, Debug)]
pub enum Stored {
    /// In memory.
    Memory(Vec<Buf>),
    /// In resident pages of a file.
    Resident(Vec<ResidentRange>),
}

/// Ranges before a position of a segment that end before the offset that is wanted.
type Gap = (SegmentName, u64);

/// Whole batches as `at` wants them; none at the end of the log.
pub async fn read(
    partition: &Rc<RefCell<PartitionLog>>,
    files: &SegmentFiles,
    at: ReadAt,
) -> Result<Stored, ReadError> {
    let mut gap = None;
    loop {
        let plan = partition.borrow().plan(at, gap)?;
        match plan {
            Some(Plan::Memory(records)) => return Ok(Stored::Memory(records)),
            Some(Plan::Segment(plan)) => {
                let reader = SegmentReader::open(partition, files, &plan).await?;
                match until_sound(async || reader.read(partition, at).await).await? {
                    Ok(stored) => return Ok(stored),
                    Err(behind) => gap = Some((plan.segment, behind)),
                }
            },
            None => load_for(partition, files, at.offset).await?,
        }
    }
}

/// As [`read`], but always into memory.
pub async fn read_memory(
    partition: &Rc<RefCell<PartitionLog>>,
    files: &SegmentFiles,
    at: ReadAt,
) -> Result<Vec<Buf>, ReadError> {
    let mut gap = None;
    loop {
        let plan = partition.borrow().plan(at, gap)?;
        match plan {
            Some(Plan::Memory(records)) => return Ok(records),
            Some(Plan::Segment(plan)) => {
                let reader = SegmentReader::open(partition, files, &plan).await?;
                let read = async || reader.read_bytes(&reader.ranges(at).await?, at).await;
                match until_sound(read).await? {
                    Ok(records) => return Ok(records),
                    Err(behind) => gap = Some((plan.segment, behind)),
                }
            },
            None => load_for(partition, files, at.offset).await?,
        }
    }
}

/// Reads again what came damaged before it is refused: a bit may have flipped on its way.
pub(crate) async fn until_sound<T>(
    read: impl AsyncFn() -> Result<T, ReadError>,
) -> Result<T, ReadError> {
    for _ in 1..READS_BEFORE_LOSS {
        match read().await {
            Err(ReadError::Corrupt { .. }) => {},
            other => return other,
        }
    }
    read().await
}

/// Loads the segment that holds `offset`.
async fn load_for(
    partition: &Rc<RefCell<PartitionLog>>,
    files: &SegmentFiles,
    offset: i64,
) -> Result<(), ReadError> {
    let base = partition
        .borrow()
        .segment_of(offset)
        .map(|segment| segment.base_offset);
    load(partition, files, base.ok_or(ReadError::OutOfRange)?).await
}

impl PartitionLog {
    /// How to read; `None` if the segment must be loaded first.
    fn plan(&self, at: ReadAt, gap: Option<Gap>) -> Result<Option<Plan>, ReadError> {
        let offset = at.offset;
        if offset < self.log_start || offset > self.high_watermark {
            return Err(ReadError::OutOfRange);
        }
        if offset >= at.bound {
            return Ok(Some(Plan::Memory(Vec::new())));
        }
        if self
            .tail
            .first_offset()
            .is_some_and(|first| first <= offset)
        {
            let batches = self.tail.batches_at(offset);
            return Ok(Some(Plan::Memory(take_batches(batches, at))));
        }
        let segment = self.segment_of(offset).ok_or(ReadError::OutOfRange)?;
        let Some(index) = segment.index.as_ref().filter(|_| segment.is_loaded()) else {
            return Ok(None);
        };
        // Compaction may have replaced the segment meanwhile.
        let from = gap.filter(|gap| gap.0 == segment.name()).map(|gap| gap.1);
        let lookup = from
            .and_then(|from| index.find_pos(from))
            .map_or_else(|| index.find_offset(offset), Lookup::Chunk);
        let place = match lookup {
            Lookup::Chunk(chunk) => Place::Chunk(chunk),
            Lookup::Range(_) => {
                let ranges = index.ranges();
                Place::Ranges(take_ranges(ranges, from, at, segment.readable_end()))
            },
        };
        let mut plan = segment_plan(segment, place);
        plan.from = from;
        Ok(Some(Plan::Segment(plan)))
    }
}

/// Consecutive ranges from the one with the offset on, or from the one at position `from`, about as
/// many bytes as wanted, never beyond what is flushed.
fn take_ranges(
    candidates: &[Range],
    from: Option<u64>,
    at: ReadAt,
    readable_end: u64,
) -> Vec<Range> {
    let first = match from {
        Some(from) => candidates.partition_point(|range| range.pos < from),
        None => candidates
            .partition_point(|range| range.first_offset <= at.offset)
            .saturating_sub(1),
    };
    let candidates = &candidates[first..];
    let mut bytes = 0;
    let taken = candidates.iter().take_while(|range| {
        let is_first = bytes == 0;
        bytes += range.bytes as usize;
        range.end() <= readable_end && (is_first || bytes <= at.bytes_max)
    });
    candidates[..taken.count()].to_vec()
}

/// Slices of batches in memory.
fn take_batches<'a>(batches: impl Iterator<Item = &'a StoredBatch>, at: ReadAt) -> Vec<Buf> {
    let mut records = Vec::new();
    let mut bytes = 0;
    for batch in batches.take_while(|batch| batch.last_offset < at.bound) {
        let first = at.min_one && records.is_empty();
        bytes += batch.bytes() as usize;
        if bytes > at.bytes_max && !first {
            break;
        }
        records.extend(batch.parts.iter().filter(|part| !part.is_empty()).cloned());
    }
    records
}

/// The ranges that end in a chunk whose index block is on disk.
pub(crate) async fn read_chunk_ranges(
    partition: &Rc<RefCell<PartitionLog>>,
    files: &SegmentFiles,
    segment_base: i64,
    chunk: &ChunkSummary,
) -> Result<Rc<[Range]>, ReadError> {
    let plan = {
        let log = partition.borrow();
        let segment = log.segment(segment_base).ok_or(ReadError::OutOfRange)?;
        segment_plan(segment, Place::Chunk(*chunk))
    };
    let reader = SegmentReader::open(partition, files, &plan).await?;
    until_sound(async || reader.chunk_ranges(chunk.chunk).await).await
}

fn segment_plan(segment: &Segment, place: Place) -> SegmentPlan {
    SegmentPlan {
        segment: segment.name(),
        place,
        from: None,
        readable_end: segment.readable_end(),
        written: segment.written,
        len: segment.len,
        durable: segment.durable,
        pin: segment.pin.clone(),
    }
}

/// Reads one segment's file.
struct SegmentReader<'a> {
    files: &'a SegmentFiles,
    file: File,
    plan: &'a SegmentPlan,
    id: crate::ids::TopicPartition,
}

impl<'a> SegmentReader<'a> {
    async fn open(
        partition: &Rc<RefCell<PartitionLog>>,
        files: &'a SegmentFiles,
        plan: &'a SegmentPlan,
    ) -> Result<Self, ReadError> {
        let id = partition.borrow().id();
        let file = files.open(id, plan.segment).await;
        let file = file.map_err(|error| ReadError::Io(error.to_string()))?;
        Ok(Self {
            files,
            file,
            plan,
            id,
        })
    }

    /// Resident ranges if they serve the reader, else bytes; or the position where what is wanted
    /// begins.
    async fn read(
        &self,
        partition: &Rc<RefCell<PartitionLog>>,
        at: ReadAt,
    ) -> Result<Result<Stored, u64>, ReadError> {
        let ranges = self.ranges(at).await?;
        let place = Candidate {
            id: self.id,
            segment: self.plan.segment,
            file: &self.file,
            pin: &self.plan.pin,
        };
        let residents = &self.files.residents;
        // Ranges are sent as they are: the first batch may begin a little before the offset, but
        // never before the log start, and the last one never ends behind the high watermark. Where
        // offsets are missing, only the second range is sure to have some from the offset on.
        let has_some = !self.plan.segment.is_cleaned() || ranges.len() > 1;
        let serves = has_some
            && ranges[0].first_offset >= partition.borrow().log_start()
            && ranges[ranges.len() - 1].end() <= self.plan.durable
            && ranges
                .iter()
                .map(|range| range.bytes as usize)
                .sum::<usize>()
                <= at.bytes_max;
        if serves && let Some(pieces) = residents.pieces(&place, &ranges) {
            return Ok(Ok(Stored::Resident(pieces)));
        }
        let bytes = match self.read_bytes(&ranges, at).await? {
            Ok(bytes) => bytes,
            Err(behind) => return Ok(Err(behind)),
        };
        for chunk in residents.wanted(&place, &ranges) {
            if self.is_whole(chunk)
                && self.is_followed(chunk)
                && let Ok(checked) = self.checked_chunk(chunk).await
            {
                residents.warm(&place, chunk, checked);
            }
        }
        Ok(Ok(Stored::Memory(bytes)))
    }

    /// A chunk's bytes, after a check of each range that ends in it.
    async fn checked_chunk(&self, chunk: u64) -> Result<Buf, ReadError> {
        let bytes = self.whole_chunk(chunk).await?.bytes.clone();
        let ranges = self.chunk_ranges(chunk).await?;
        if !ranges.is_empty() {
            self.read_ranges(&ranges).await?;
        }
        Ok(bytes)
    }

    /// The batches for the reader; the position behind the ranges if they all end before the offset.
    async fn read_bytes(
        &self,
        ranges: &[Range],
        at: ReadAt,
    ) -> Result<Result<Vec<Buf>, u64>, ReadError> {
        let bytes = self.read_ranges(ranges).await?;
        let behind = ranges[ranges.len() - 1].end();
        match trim(&bytes, at) {
            Some(records) => Ok(Ok(records)),
            None if behind < self.plan.len => Ok(Err(behind)),
            // The last batch of a segment ends where the next segment begins.
            None => Err(self.corrupt("the last batch", file_pos(ranges[0].pos))),
        }
    }

    /// The ranges for the reader.
    async fn ranges(&self, at: ReadAt) -> Result<Vec<Range>, ReadError> {
        let taken = match &self.plan.place {
            Place::Ranges(ranges) => ranges.clone(),
            Place::Chunk(chunk) => {
                let candidates = self.chunk_ranges(chunk.chunk).await?;
                take_ranges(&candidates, self.plan.from, at, self.plan.readable_end)
            },
        };
        if taken.is_empty() {
            return Err(self.corrupt("no index entry", file_pos(0)));
        }
        Ok(taken)
    }

    /// Whether a chunk and its index block are flushed: nothing in it ever changes.
    fn is_whole(&self, chunk: u64) -> bool {
        (chunk + 1) * CHUNK_BYTES <= self.plan.written
    }

    /// Whether every range that lies in this chunk alone is in its own index block: one that is
    /// closed at the end of the segment is not.
    fn is_followed(&self, chunk: u64) -> bool {
        (chunk + 1) * CHUNK_BYTES < self.plan.len
    }

    fn key_of(&self, chunk: u64) -> ChunkKey {
        let mut key = (self.id, self.plan.segment, chunk);
        if mutant::is_active(Mutant::ChunkOfAnotherPartition) {
            key.0.partition = 0;
        }
        key
    }

    async fn whole_chunk(&self, chunk: u64) -> Result<Rc<Chunk>, ReadError> {
        let chunk = self.files.chunks.get(self.key_of(chunk), &self.file).await;
        chunk.map_err(|error| ReadError::Io(error.to_string()))
    }

    /// The ranges in a chunk's index block.
    async fn chunk_ranges(&self, number: u64) -> Result<Rc<[Range]>, ReadError> {
        if self.is_whole(number) {
            let chunk = self.whole_chunk(number).await?;
            let ranges = chunk.ranges(|block| self.decode_index(number, block));
            return ranges.ok_or_else(|| {
                self.files.chunks.forget_damaged(&self.key_of(number));
                self.corrupt("index block", index_block_pos(number))
            });
        }
        let pos = sealed_index_pos(self.plan.len);
        let block = self.read_at(pos, BLOCK as usize).await?;
        let ranges = self.decode_index(number, &block);
        ranges
            .map(Rc::from)
            .ok_or_else(|| self.corrupt("index block", pos))
    }

    fn decode_index(&self, number: u64, block: &[u8]) -> Option<Vec<Range>> {
        decode_index_block(number, self.plan.segment.base_offset, block)
    }

    /// The bytes of consecutive ranges, checked.
    async fn read_ranges(&self, ranges: &[Range]) -> Result<Vec<Buf>, ReadError> {
        let (from, to) = (ranges[0].pos, ranges[ranges.len() - 1].end());
        let mut parts = Vec::new();
        let mut chunk = None;
        let mut pos = from;
        while pos < to {
            let number = pos / CHUNK_BYTES;
            let until = to.min((number + 1) * CHUNK_BYTES);
            let part = if self.is_whole(number) {
                let whole = chunk.insert(self.whole_chunk(number).await?);
                self.cut(&whole.bytes, file_pos(number * CHUNK_BYTES), pos, until)?
            } else {
                chunk = None;
                self.read_part(pos, until).await?
            };
            parts.push(part);
            pos = until;
        }
        self.read_ahead(to);
        self.check(ranges, &parts, chunk.as_deref())?;
        Ok(parts)
    }

    /// Reads the bytes from `pos` to `until`, which lie in a chunk that is not whole yet.
    async fn read_part(&self, pos: u64, until: u64) -> Result<Buf, ReadError> {
        let start = file_pos(pos) - file_pos(pos) % BLOCK;
        let end = (file_pos(until - 1) + 1).next_multiple_of(BLOCK);
        let bytes = self.read_at(start, (end - start) as usize).await?;
        self.cut(&bytes, start, pos, until)
    }

    /// The bytes from `pos` to `until` out of those of the file from `start` on.
    fn cut(&self, bytes: &Buf, start: u64, pos: u64, until: u64) -> Result<Buf, ReadError> {
        let (from, to) = (file_pos(pos) - start, file_pos(until - 1) + 1 - start);
        if to > bytes.len() as u64 {
            return Err(self.corrupt("a range cut short", start));
        }
        Ok(bytes.slice(from as usize..to as usize))
    }

    /// Somebody who has read most of a chunk will want the next ones.
    fn read_ahead(&self, read_to: u64) {
        if read_to % CHUNK_BYTES <= CHUNK_BYTES / 2 {
            return;
        }
        let next = read_to / CHUNK_BYTES + 1;
        let chunks = (next..next + AHEAD).take_while(|chunk| self.is_whole(*chunk));
        let keys = chunks.map(|chunk| (self.id, self.plan.segment, chunk));
        self.files.chunks.read_ahead(keys, &self.file);
    }

    /// Compares each range with its checksum. `last` is the chunk that they end in, if it is whole:
    /// of a range that lies in it alone, this is done once.
    fn check(
        &self,
        ranges: &[Range],
        parts: &[Buf],
        last: Option<&Chunk>,
    ) -> Result<(), ReadError> {
        let mut cursor = Cursor {
            parts,
            part: 0,
            at: 0,
        };
        let last_chunk = (ranges[ranges.len() - 1].end() - 1) / CHUNK_BYTES;
        for range in ranges {
            let last = last.filter(|_| range.pos / CHUNK_BYTES == last_chunk);
            if last.is_some_and(|chunk| chunk.is_checked(range)) {
                cursor.take(range.bytes as usize, |_| ());
                continue;
            }
            let mut digest = place_digest(self.id, self.plan.segment, range.pos);
            cursor.take(range.bytes as usize, |bytes| digest.update(bytes));
            if digest.finalize() as u32 != range.crc && !mutant::is_active(Mutant::RangeUnchecked) {
                for chunk in range.pos / CHUNK_BYTES..=(range.end() - 1) / CHUNK_BYTES {
                    self.files.chunks.forget_damaged(&self.key_of(chunk));
                }
                return Err(self.corrupt("a range of batches", file_pos(range.pos)));
            }
            if let Some(chunk) = last {
                chunk.checked(range);
            }
        }
        Ok(())
    }

    async fn read_at(&self, pos: u64, len: usize) -> Result<Buf, ReadError> {
        self.file
            .read_at(pos, len)
            .await
            .map_err(|error| ReadError::Io(error.to_string()))
    }

    fn corrupt(&self, what: &'static str, pos: u64) -> ReadError {
        let file = self
            .files
            .path(self.id, self.plan.segment)
            .display()
            .to_string();
        ReadError::Corrupt { file, what, pos }
    }
}

/// Walks over bytes that lie in several parts.
struct Cursor<'a> {
    parts: &'a [Buf],
    part: usize,
    at: usize,
}

impl Cursor<'_> {
    fn take(&mut self, mut len: usize, mut each: impl FnMut(&[u8])) {
        while len > 0 && self.part < self.parts.len() {
            let part = &self.parts[self.part];
            let count = len.min(part.len() - self.at);
            each(&part[self.at..self.at + count]);
            self.at += count;
            len -= count;
            if self.at == part.len() {
                self.part += 1;
                self.at = 0;
            }
        }
    }
}

/// The first `N` bytes of a header that may lie across two parts.
pub(crate) fn header_at<const N: usize>(parts: &[Buf], mut at: usize) -> Option<[u8; N]> {
    let mut header = [0; N];
    let mut filled = 0;
    for part in parts {
        if at >= part.len() {
            at -= part.len();
            continue;
        }
        let count = (part.len() - at).min(N - filled);
        header[filled..filled + count].copy_from_slice(&part[at..at + count]);
        filled += count;
        at = 0;
        if filled == N {
            return Some(header);
        }
    }
    None
}

/// Cuts whole batches out of checked ranges: from the one with `offset`, or the next one, to
/// `bytes_max` or `bound`. `None` if all of them end before the offset.
fn trim(parts: &[Buf], limits: ReadAt) -> Option<Vec<Buf>> {
    let (wanted, bytes_max) = (limits.offset, limits.bytes_max);
    let total: usize = parts.iter().map(|part| part.len()).sum();
    let (mut start, mut end, mut at) = (None, 0, 0);
    while let Some(span) = header_at::<SPAN_BYTES>(parts, at).and_then(|h| Span::decode(&h)) {
        let next = at + span.bytes;
        if next > total || span.last_offset >= limits.bound {
            break;
        }
        if span.last_offset >= wanted {
            let from = *start.get_or_insert(at);
            let first = limits.min_one && end == 0;
            if next - from > bytes_max && !first {
                break;
            }
            end = next;
        }
        at = next;
    }
    if start.is_none() && at == total {
        return None;
    }
    let start = start.unwrap_or(0);
    Some(slice_parts(parts, start, end.max(start)))
}

/// The bytes `[from, to)` of several parts.
pub(crate) fn slice_parts(parts: &[Buf], from: usize, to: usize) -> Vec<Buf> {
    let mut sliced = Vec::new();
    let mut base = 0;
    for part in parts {
        let (start, end) = (from.max(base), to.min(base + part.len()));
        if start < end {
            sliced.push(part.slice(start - base..end - base));
        }
        base += part.len();
    }
    sliced
}
