//! A segment that is written anew, batch by batch, beside the old one.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::slice::from_ref;

use engine_rt::{Buf, fs};

use crate::bytes::crc32c;
use crate::entry::{BATCH_HEADER_BYTES, SegmentPos};
use crate::files::SegmentFiles;
use crate::header::StoredHeader;
use crate::partition::PartitionLog;
use crate::salvage::{Survey, survey, write_anew};
use crate::segment::layout::CHUNK_BYTES;
use crate::segment::{DurableEnd, Segment};
use crate::tail::StoredBatch;
use crate::write::write;

/// Bytes held before some are written.
const HELD_BYTES: u64 = 4 << 20;
/// Most offsets that one batch can stand for.
const FILLED_MAX: i64 = i32::MAX as i64;
const CRC_AT: usize = 17;
const MAGIC_AT: usize = 16;
const MAGIC: u8 = 2;

/// Replaces a damaged segment by one that has what is left of it. The state of the log must be
/// written down before it is used again; a crash in between leaves a segment that wants this again.
pub async fn rewrite(
    partition: &Rc<RefCell<PartitionLog>>,
    files: &SegmentFiles,
    scratch: &SegmentFiles,
    base: i64,
) -> io::Result<Survey> {
    let before = survey(partition, files, base).await?;
    let (id, name) = {
        let log = partition.borrow();
        let segment = log.segment(base).ok_or(io::ErrorKind::NotFound)?;
        (log.id(), segment.name())
    };
    scratch.remove(id, name).await?;
    let written = write_anew(partition, files, scratch, base).await?;
    // Where the whole directory is gone.
    fs::create_dir_all(&files.topic_dir(id)).await?;
    fs::rename(&scratch.path(id, name), &files.path(id, name)).await?;
    files.make_name_durable(id).await?;
    partition.borrow_mut().replace_segment(written);
    Ok(before)
}

/// The new segment, in a log of its own.
#[derive(Debug)]
pub(crate) struct Rewriter {
    log: Rc<RefCell<PartitionLog>>,
    files: SegmentFiles,
    base: i64,
}

impl Rewriter {
    /// Writes `segment`, which is empty so far, of the log `of`.
    pub(crate) fn new(of: &PartitionLog, files: SegmentFiles, segment: Segment) -> Self {
        let mut log = PartitionLog::new(of.id, of.leader_epoch, of.config);
        log.epochs = of.epochs.clone();
        log.producers = of.producers.clone();
        let base = segment.base_offset;
        log.segments.push_back(segment);
        (log.next_offset, log.high_watermark) = (base, base);
        Self {
            log: Rc::new(RefCell::new(log)),
            files,
            base,
        }
    }

    /// Bytes of batches so far.
    pub(crate) fn len(&self) -> u64 {
        self.log.borrow().size_bytes()
    }

    /// Offset behind the last batch.
    pub(crate) fn next_offset(&self) -> i64 {
        self.log.borrow().next_offset
    }

    /// Adds the next batch. `newest` is the largest timestamp of its records with its offset, where
    /// the header does not tell.
    pub(crate) async fn append(
        &self,
        header: &StoredHeader,
        newest: Option<(i64, i64)>,
        bytes: Buf,
    ) -> io::Result<()> {
        let (max_timestamp, max_timestamp_offset) =
            newest.unwrap_or((header.max_timestamp, header.base_offset));
        let held = {
            let log = &mut *self.log.borrow_mut();
            let segment = log.segments.back_mut().expect("it has one");
            let at = SegmentPos {
                segment_base: self.base,
                pos: segment.len,
            };
            segment.len += bytes.len() as u64;
            segment.next_offset = header.last_offset + 1;
            segment.made_durable(&DurableEnd {
                pos: segment.len,
                next_offset: segment.next_offset,
                max_timestamp,
                max_timestamp_offset,
            });
            log.next_offset = segment.next_offset;
            log.high_watermark = log.next_offset;
            log.tail.push(StoredBatch {
                base_offset: header.base_offset,
                last_offset: header.last_offset,
                leader_epoch: header.leader_epoch,
                max_timestamp,
                max_timestamp_delta: 0,
                at,
                parts: [bytes, Buf::new()],
            });
            log.tail.bytes()
        };
        if held < HELD_BYTES {
            return Ok(());
        }
        self.flush().await
    }

    /// Lets empty batches stand for the offsets from `from` to below `to`.
    pub(crate) async fn fill(&self, from: i64, to: i64) -> io::Result<()> {
        let mut at = from;
        while at < to {
            let next = to.min(at + FILLED_MAX);
            let epoch = {
                let log = self.log.borrow();
                log.epochs.epoch_of(at).unwrap_or(log.leader_epoch)
            };
            let bytes = empty_batch(at, next - 1, epoch);
            let header = StoredHeader::decode(&bytes).expect("a whole header");
            self.append(&header, None, Buf::copy_from_slice(&bytes))
                .await?;
            at = next;
        }
        Ok(())
    }

    async fn flush(&self) -> io::Result<()> {
        let disk_id = self.files.disk_id();
        loop {
            let staged = {
                let mut log = self.log.borrow_mut();
                let durable = log.segment(self.base).map_or(0, |segment| segment.durable);
                log.stage(disk_id, self.base, durable, CHUNK_BYTES)
            };
            let Some(staged) = staged else { return Ok(()) };
            write(&self.log, &self.files, from_ref(&staged)).await?;
            self.log.borrow_mut().evict(CHUNK_BYTES);
        }
    }

    /// Writes what is left and seals the segment. `newest` is its largest timestamp with its offset,
    /// where batches do not tell.
    pub(crate) async fn finish(&self, newest: Option<(i64, i64)>) -> io::Result<()> {
        self.flush().await?;
        if let Some(newest) = newest
            && let Some(segment) = self.log.borrow_mut().segment_mut(self.base)
        {
            (segment.max_timestamp, segment.max_timestamp_offset) = newest;
        }
        let staged = {
            let mut log = self.log.borrow_mut();
            log.stage_seal(self.files.disk_id(), self.base)
        };
        let staged = staged.ok_or_else(|| io::Error::other("nothing is left to seal"))?;
        write(&self.log, &self.files, from_ref(&staged)).await
    }

    /// The segment, once it is finished.
    pub(crate) fn into_segment(self) -> Option<Segment> {
        self.log.borrow_mut().segments.pop_back()
    }
}

impl PartitionLog {
    /// Takes the new segment in the place of the old one.
    fn replace_segment(&mut self, new: Rewriter) {
        self.tail.drop_prefix(new.base);
        if let Some(segment) = new.into_segment()
            && let Some(old) = self.segment_mut(segment.base_offset)
        {
            *old = segment;
        }
    }
}

/// A batch without records that stands for offsets, as compaction leaves it.
fn empty_batch(first: i64, last: i64, leader_epoch: i32) -> [u8; BATCH_HEADER_BYTES] {
    let mut batch = [0; BATCH_HEADER_BYTES];
    batch[0..8].copy_from_slice(&first.to_be_bytes());
    batch[8..12].copy_from_slice(&(BATCH_HEADER_BYTES as i32 - 12).to_be_bytes());
    batch[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
    batch[MAGIC_AT] = MAGIC;
    batch[23..27].copy_from_slice(&((last - first) as i32).to_be_bytes());
    // Times and producer: none.
    batch[27..57].fill(0xff);
    let crc = crc32c(&batch[CRC_AT + 4..]);
    batch[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
    batch
}

#[cfg(test)]
mod tests {
    use net_wire::batch::{BatchHeader, BatchView};

    use super::*;

    #[test]
    fn an_empty_batch_is_a_batch() {
        let bytes = empty_batch(70, 99, 4);
        let (batch, rest) = BatchView::split(&bytes).unwrap();
        assert!(batch.is_intact() && rest.is_empty());
        assert_eq!(batch.records().count(), 0);
        let BatchHeader {
            base_offset,
            partition_leader_epoch,
            record_count,
            ..
        } = *batch.header();
        assert_eq!((base_offset, record_count), (70, 0));
        assert_eq!(partition_leader_epoch, 4);
        assert_eq!(batch.header().last_offset(), 99);
        let header = StoredHeader::decode(&bytes).unwrap();
        assert!(!header.stamp.is_idempotent() && header.max_timestamp == -1);
    }
}
