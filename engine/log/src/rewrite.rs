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
use crate::salvage::{Loss, Survey, survey, write_anew};
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
    let id = partition.borrow().id();
    scratch.remove(id, base).await?;
    let written = write_anew(partition, files, scratch, base).await?;
    // Where the whole directory is gone.
    fs::create_dir_all(&files.topic_dir(id)).await?;
    fs::rename(&scratch.path(id, base), &files.path(id, base)).await?;
    files.make_name_durable(id).await?;
    partition.borrow_mut().replace_segment(&written);
    Ok(before)
}

/// The new segment, in a log of its own.
#[derive(Debug)]
pub(crate) struct Rewriter {
    log: Rc<RefCell<PartitionLog>>,
    files: SegmentFiles,
    base: i64,
    /// Largest timestamp of the old one, with its offset, and its age.
    max_timestamp: (i64, i64),
    created_ms: i64,
}

impl Rewriter {
    pub(crate) fn new(of: &PartitionLog, files: SegmentFiles, base: i64) -> Self {
        let mut log = PartitionLog::new(of.id, of.leader_epoch, of.config);
        log.epochs = of.epochs.clone();
        log.producers = of.producers.clone();
        let old = of.segment(base).map(|segment| {
            let newest = (segment.max_timestamp, segment.max_timestamp_offset);
            (newest, segment.created_ms)
        });
        let (max_timestamp, created_ms) = old.unwrap_or(((-1, -1), 0));
        log.segments
            .push_back(Segment::new(of.id, base, created_ms));
        (log.next_offset, log.high_watermark) = (base, base);
        Self {
            log: Rc::new(RefCell::new(log)),
            files,
            base,
            max_timestamp,
            created_ms,
        }
    }

    /// Adds the next batch.
    pub(crate) async fn append(&self, header: &StoredHeader, bytes: Buf) -> io::Result<()> {
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
                max_timestamp: header.max_timestamp,
                max_timestamp_offset: header.base_offset,
            });
            log.next_offset = segment.next_offset;
            log.high_watermark = log.next_offset;
            log.tail.push(StoredBatch {
                base_offset: header.base_offset,
                last_offset: header.last_offset,
                leader_epoch: header.leader_epoch,
                max_timestamp: header.max_timestamp,
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
            self.append(&header, Buf::copy_from_slice(&bytes)).await?;
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

    /// Writes what is left and seals the segment.
    pub(crate) async fn finish(&self, losses: &[Loss]) -> io::Result<()> {
        self.flush().await?;
        let gone = |offset: i64| losses.iter().any(|(a, b)| (*a..=*b).contains(&offset));
        if !gone(self.max_timestamp.1)
            && let Some(segment) = self.log.borrow_mut().segment_mut(self.base)
        {
            (segment.max_timestamp, segment.max_timestamp_offset) = self.max_timestamp;
        }
        let staged = {
            let mut log = self.log.borrow_mut();
            log.stage_seal(self.files.disk_id(), self.base)
        };
        let staged = staged.ok_or_else(|| io::Error::other("nothing is left to seal"))?;
        write(&self.log, &self.files, from_ref(&staged)).await
    }
}

impl PartitionLog {
    /// Takes the new segment in the place of the old one.
    fn replace_segment(&mut self, new: &Rewriter) {
        let Some(mut segment) = new.log.borrow_mut().segments.pop_back() else {
            return;
        };
        segment.created_ms = new.created_ms;
        self.tail.drop_prefix(new.base);
        if let Some(old) = self.segment_mut(new.base) {
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
