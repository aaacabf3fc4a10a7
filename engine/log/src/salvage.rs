//! What is left of a damaged segment: every batch that is still whole and in its place, and the
//! offsets between them that are gone.
//!
//! Index blocks lead. Where a range does not agree with its checksum, or an index block is lost, a
//! batch counts if its own checksum holds and its offsets and leader epoch are those that are due.
//!
//! In a segment that compaction wrote, offsets are missing between batches that stand back to back:
//! that is no loss. Behind a damaged batch, all offsets up to the next whole one count as lost.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use engine_rt::Buf;
use engine_rt::fs::{File, OpenOptions};

use crate::entry::BATCH_HEADER_BYTES;
use crate::epochs::LeaderEpochs;
use crate::files::SegmentFiles;
use crate::header::StoredHeader;
use crate::ids::TopicPartition;
use crate::load::is_intact;
use crate::partition::PartitionLog;
use crate::rewrite::Rewriter;
use crate::segment::footer::Footer;
use crate::segment::layout::{
    BLOCK, CHUNK_BYTES, Range, SegmentHeader, SegmentName, decode_index_block, file_pos,
    index_block_pos, range_crc, sealed_index_pos,
};

/// Offsets that are gone: first and last.
pub type Loss = (i64, i64);

/// What was found of a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Records that are gone.
    pub losses: Vec<Loss>,
    /// What is damaged, with its position in the file.
    pub faults: Vec<(u64, &'static str)>,
}

impl Survey {
    /// Whether nothing is wrong.
    pub const fn is_sound(&self) -> bool {
        self.losses.is_empty() && self.faults.is_empty()
    }
}

/// Looks at everything that a segment holds. Changes nothing.
pub async fn survey(
    partition: &Rc<RefCell<PartitionLog>>,
    files: &SegmentFiles,
    base: i64,
) -> io::Result<Survey> {
    let mut source = Source::open(partition, files, base).await?;
    let (ranges, faults) = source.ranges().await?;
    let mut walk = Walk::new(&partition.borrow(), &source, faults);
    walk.run(&mut source, &ranges, None).await?;
    Ok(walk.survey)
}

/// Writes a segment anew, sealed, into `scratch`, with what is left of it. Empty batches stand for
/// what is gone, as after Kafka's compaction: clients step over them, and no offset is used again.
pub(crate) async fn write_anew(
    partition: &Rc<RefCell<PartitionLog>>,
    files: &SegmentFiles,
    scratch: &SegmentFiles,
    base: i64,
) -> io::Result<Rewriter> {
    let mut source = Source::open(partition, files, base).await?;
    let (ranges, faults) = source.ranges().await?;
    let mut walk = Walk::new(&partition.borrow(), &source, faults);
    let into = {
        let log = partition.borrow();
        let anew = log
            .segment(base)
            .ok_or(io::ErrorKind::NotFound)?
            .anew(log.id());
        Rewriter::new(&log, scratch.beside(scratch.root()), anew)
    };
    walk.run(&mut source, &ranges, Some(&into)).await?;
    let newest = newest_left(&partition.borrow(), base, &walk.survey.losses);
    into.finish(newest).await?;
    Ok(into)
}

/// The largest timestamp of a segment with its offset, if that was not lost.
fn newest_left(log: &PartitionLog, base: i64, losses: &[Loss]) -> Option<(i64, i64)> {
    let segment = log.segment(base)?;
    let newest = (segment.max_timestamp, segment.max_timestamp_offset);
    let lost = |loss: &Loss| (loss.0..=loss.1).contains(&newest.1);
    (!losses.iter().any(lost)).then_some(newest)
}

/// The bytes of a segment, from its file and, behind its flushed blocks, from memory.
struct Source {
    id: TopicPartition,
    name: SegmentName,
    base: i64,
    disk_id: u128,
    file: Option<File>,
    written: u64,
    durable: u64,
    end_offset: i64,
    sealed: bool,
    /// Whether a repair wrote it that did not end.
    is_anew: bool,
    memory: Vec<u8>,
    /// The chunk at hand.
    chunk: Option<(u64, Vec<u8>)>,
}

impl Source {
    async fn open(
        partition: &Rc<RefCell<PartitionLog>>,
        files: &SegmentFiles,
        base: i64,
    ) -> io::Result<Self> {
        let mut source = {
            let log = partition.borrow();
            Self::known(&log, files, base).ok_or(io::ErrorKind::NotFound)?
        };
        let options = OpenOptions {
            read_only: true,
            ..OpenOptions::default()
        };
        source.file = match File::open(&files.path(source.id, source.name), options).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            file => Some(file?),
        };
        source.take_as_written_anew().await?;
        Ok(source)
    }

    /// A repair that did not come to its end may have left the new segment under the old one's state.
    async fn take_as_written_anew(&mut self) -> io::Result<()> {
        let Some(footer) = self.footer().await? else {
            return Ok(());
        };
        let same = footer.base_offset == self.base && footer.next_offset == self.end_offset;
        if same && footer.bytes != self.durable {
            (self.written, self.durable) = (footer.bytes, footer.bytes);
            (self.sealed, self.is_anew) = (true, true);
            self.memory.clear();
        }
        Ok(())
    }

    /// The footer, if there is a whole one.
    async fn footer(&self) -> io::Result<Option<Footer>> {
        let Some(file) = &self.file else {
            return Ok(None);
        };
        let len = file.len().await?;
        let Some(last) = len.checked_sub(BLOCK).filter(|at| at.is_multiple_of(BLOCK)) else {
            return Ok(None);
        };
        let bytes = Footer::blocks_bytes(&self.file_bytes(last, len).await);
        let Some(bytes) = bytes.filter(|bytes| *bytes <= len) else {
            return Ok(None);
        };
        Ok(Footer::decode(&self.file_bytes(len - bytes, len).await))
    }

    /// What the log knows of the segment.
    fn known(log: &PartitionLog, files: &SegmentFiles, base: i64) -> Option<Self> {
        let segment = log.segment(base)?;
        let (written, durable) = (segment.written, segment.durable);
        let mut memory = Vec::new();
        if !segment.sealed {
            memory = log.copy_unstaged(base, written);
            memory.truncate((durable - written) as usize);
        }
        Some(Self {
            id: log.id(),
            name: segment.name(),
            base,
            disk_id: files.disk_id(),
            file: None,
            written,
            durable,
            end_offset: segment.durable_offset,
            sealed: segment.sealed,
            is_anew: false,
            memory,
            chunk: None,
        })
    }

    /// Bytes of the file; zeros where it has none or does not give them.
    async fn file_bytes(&self, from: u64, to: u64) -> Vec<u8> {
        let mut bytes = vec![0; (to - from) as usize];
        let Some(file) = &self.file else { return bytes };
        if let Ok(read) = file.read_at(from, bytes.len()).await {
            bytes[..read.len()].copy_from_slice(&read);
            return bytes;
        }
        for (at, block) in bytes.chunks_mut(BLOCK as usize).enumerate() {
            let pos = from + at as u64 * BLOCK;
            if let Ok(read) = file.read_at(pos, BLOCK as usize).await {
                block[..read.len()].copy_from_slice(&read);
            }
        }
        bytes
    }

    /// Every range that an index block vouches for, and what else is wrong with the file's frame.
    async fn ranges(&self) -> io::Result<(Vec<Range>, Vec<(u64, &'static str)>)> {
        let (mut ranges, mut faults) = (Vec::new(), Vec::new());
        if self.written == 0 {
            return Ok((ranges, faults));
        }
        if self.file.is_none() {
            return Ok((ranges, vec![(0, "the file is missing")]));
        }
        let header = SegmentHeader {
            disk_id: self.disk_id,
            id: self.id,
            name: self.name,
        };
        if SegmentHeader::decode(&self.file_bytes(0, BLOCK).await) != Some(header) {
            faults.push((0, "the header is damaged"));
        }
        let mut blocks: Vec<u64> = (0..self.written / CHUNK_BYTES)
            .map(index_block_pos)
            .collect();
        if self.sealed {
            blocks.push(sealed_index_pos(self.durable));
        }
        for (chunk, pos) in blocks.into_iter().enumerate() {
            let block = self.file_bytes(pos, pos + BLOCK).await;
            match decode_index_block(chunk as u64, self.base, &block) {
                Some(found) => ranges.extend(found),
                None => faults.push((pos, "the index block is damaged")),
            }
        }
        if self.is_anew {
            faults.push((0, "it was written anew by a repair that did not end"));
        }
        let fits =
            |footer: &Footer| footer.base_offset == self.base && footer.bytes == self.durable;
        if self.sealed && !self.footer().await?.as_ref().is_some_and(fits) {
            faults.push((
                sealed_index_pos(self.durable) + BLOCK,
                "the footer is damaged",
            ));
        }
        Ok((ranges, faults))
    }

    /// Bytes of batches, fewer at the end.
    async fn bytes(&mut self, from: u64, to: u64) -> Vec<u8> {
        let (mut bytes, mut pos, to) = (Vec::new(), from, to.min(self.durable));
        while pos < to {
            let number = pos / CHUNK_BYTES;
            let start = number * CHUNK_BYTES;
            if self.chunk.as_ref().is_none_or(|chunk| chunk.0 != number) {
                self.chunk = Some((number, self.load(start).await));
            }
            let chunk = self.chunk.as_ref().map_or(&[][..], |chunk| &chunk.1);
            let until = to.min(start + CHUNK_BYTES);
            bytes.extend(&chunk[(pos - start) as usize..(until - start) as usize]);
            pos = until;
        }
        bytes
    }

    async fn load(&self, start: u64) -> Vec<u8> {
        let end = self.durable.min(start + CHUNK_BYTES);
        let flushed = self.written.clamp(start, end);
        let mut bytes = Vec::new();
        if flushed > start {
            let to = (file_pos(flushed - 1) + 1).next_multiple_of(BLOCK);
            bytes = self.file_bytes(file_pos(start), to).await;
            bytes.truncate((flushed - start) as usize);
        }
        if end > flushed {
            let (from, to) = (flushed - self.written, end - self.written);
            bytes.extend(&self.memory[from as usize..to as usize]);
        }
        bytes
    }
}

/// The way through a segment.
struct Walk {
    id: TopicPartition,
    name: SegmentName,
    /// Whether bytes before the next batch make no sense.
    broken: bool,
    epochs: LeaderEpochs,
    /// Next byte, and next offset that is due.
    pos: u64,
    offset: i64,
    end_offset: i64,
    survey: Survey,
}

impl Walk {
    fn new(log: &PartitionLog, source: &Source, faults: Vec<(u64, &'static str)>) -> Self {
        let losses = Vec::new();
        Self {
            id: source.id,
            name: source.name,
            broken: false,
            epochs: log.epochs().clone(),
            pos: 0,
            offset: source.base,
            end_offset: source.end_offset,
            survey: Survey { losses, faults },
        }
    }

    async fn run(
        &mut self,
        source: &mut Source,
        ranges: &[Range],
        into: Option<&Rewriter>,
    ) -> io::Result<()> {
        for (at, range) in ranges.iter().enumerate() {
            if range.pos < self.pos {
                continue;
            }
            self.batches(source, range.pos, range.first_offset, false, into)
                .await?;
            let bytes = source.bytes(range.pos, range.end()).await;
            let trusted = range_crc(self.id, self.name, range.pos, &bytes) == range.crc;
            if !trusted {
                let fault = (file_pos(range.pos), "a range of batches is damaged");
                self.survey.faults.push(fault);
            }
            let next = ranges.get(at + 1).map(|next| next.first_offset);
            let limit = next.unwrap_or(self.end_offset);
            self.batches(source, range.end(), limit, trusted, into)
                .await?;
        }
        let (to, limit) = (source.durable, self.end_offset);
        self.batches(source, to, limit, false, into).await?;
        self.reach(self.end_offset, into).await
    }

    /// Takes the batches from here to `to`, which end below `limit`. Where nothing vouches for them,
    /// they follow each other from the offset that is due; behind a damaged one, a row of them
    /// counts if it ends exactly at the limit.
    async fn batches(
        &mut self,
        source: &mut Source,
        to: u64,
        limit: i64,
        trusted: bool,
        into: Option<&Rewriter>,
    ) -> io::Result<()> {
        while self.pos < to {
            let Some(batch) = batch_at(source, self.pos, to).await else {
                break;
            };
            if !trusted && !self.counts(&batch, self.offset, limit) {
                self.broken = true;
                for batch in self.row(source, &batch, to, limit).await {
                    self.take(&batch, into).await?;
                }
                self.pos = to;
            } else {
                self.take(&batch, into).await?;
                self.pos += batch.bytes.len() as u64;
            }
        }
        self.broken |= self.pos < to;
        self.pos = self.pos.max(to);
        Ok(())
    }

    /// Whether a batch is whole, at the offset that is due, or behind it where some may be missing.
    fn counts(&self, batch: &Batch, due: i64, limit: i64) -> bool {
        let epoch = self.epochs.epoch_of(batch.header.base_offset);
        let first = batch.header.base_offset;
        (first == due || (self.name.is_cleaned() && first > due))
            && batch.header.last_offset < limit
            && epoch.is_none_or(|epoch| epoch == batch.header.leader_epoch)
            && is_intact(std::slice::from_ref(&batch.bytes))
    }

    /// The batches behind a damaged one, if they lead to the limit. What lengths there are, lead.
    async fn row(&self, source: &mut Source, bad: &Batch, to: u64, limit: i64) -> Vec<Batch> {
        let (mut row, mut due) = (Vec::new(), None);
        let mut pos = self.pos + bad.bytes.len() as u64;
        while pos < to {
            let Some(batch) = batch_at(source, pos, to).await else {
                return Vec::new();
            };
            pos += batch.bytes.len() as u64;
            let first = batch.header.base_offset;
            if self.offset < first && self.counts(&batch, due.unwrap_or(first), limit) {
                due = Some(batch.header.last_offset + 1);
                row.push(batch);
            } else {
                (row, due) = (Vec::new(), None);
            }
        }
        // Where offsets may be missing, a row leads to the limit by its bytes alone.
        let leads = due == Some(limit) || (self.name.is_cleaned() && pos == to);
        if leads { row } else { Vec::new() }
    }

    async fn take(&mut self, batch: &Batch, into: Option<&Rewriter>) -> io::Result<()> {
        self.reach(batch.header.base_offset, into).await?;
        self.offset = batch.header.last_offset + 1;
        self.broken = false;
        match into {
            Some(into) => into.append(&batch.header, None, batch.bytes.clone()).await,
            None => Ok(()),
        }
    }

    /// The next batch begins at `offset`: what is missing before it is gone.
    async fn reach(&mut self, offset: i64, into: Option<&Rewriter>) -> io::Result<()> {
        let missing = self.name.is_cleaned() && !self.broken;
        if self.offset < offset && !missing {
            self.survey.losses.push((self.offset, offset - 1));
            if let Some(into) = into {
                into.fill(self.offset, offset).await?;
            }
        }
        self.offset = self.offset.max(offset);
        Ok(())
    }
}

/// What may be a batch.
struct Batch {
    header: StoredHeader,
    bytes: Buf,
}

/// What may be a batch at `pos` that ends by `to`.
async fn batch_at(source: &mut Source, pos: u64, to: u64) -> Option<Batch> {
    let header = source
        .bytes(pos, to.min(pos + BATCH_HEADER_BYTES as u64))
        .await;
    let header = StoredHeader::decode(&header)?;
    let end = pos + header.bytes as u64;
    if end > to {
        return None;
    }
    let bytes = Buf::copy_from_slice(&source.bytes(pos, end).await);
    Some(Batch { header, bytes })
}
