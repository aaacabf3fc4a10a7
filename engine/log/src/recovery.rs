//! Folding the journal's entries into a partition, as of its checkpoint: everything is gathered
//! first, truncations take effect, and only what survives is verified and applied (rule 10).

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use engine_rt::fs::{File, READS_BEFORE_LOSS};
use engine_rt::mutant::{self, Mutant};
use engine_rt::{Buf, BufMut};

use crate::bytes::crc32c;
use crate::entry::{Entry, Extent, SegmentPos};
use crate::files::SegmentFiles;
use crate::header::StoredHeader;
use crate::ids::TopicPartition;
use crate::partition::{LogConfig, PartitionLog, push_sparing};
use crate::segment::layout::{BLOCK, POSITION_MAX, SegmentName};
use crate::segment::{DurableEnd, Segment};
use crate::tail::{Prefix, StoredBatch};

/// A partition that is being recovered.
#[derive(Debug)]
pub struct Recovering {
    log: PartitionLog,
    entries: Vec<(u64, Entry)>,
}

/// A partition as recovery left it.
#[derive(Debug)]
pub struct RecoveredPartition {
    /// The log; nothing in it is pending.
    pub log: PartitionLog,
    /// Set if an extent above the flushed mark was not on the disk: the log ends here now, and a
    /// truncate entry must be flushed before anything is written.
    pub truncated_to: Option<i64>,
}

/// The journal's entries do not fit together: a defect of the program or of the disk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{id}: journal goes on at offset {found}, but the log ends at {expected}")]
pub struct FoldError {
    /// The partition.
    pub id: TopicPartition,
    /// Offset of the entry.
    pub found: i64,
    /// End of the log so far.
    pub expected: i64,
}

/// Why a partition cannot be recovered.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The journal's entries do not fit together.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// The system refused something that says nothing about what is on the disk.
    #[error("{id}: {source}")]
    Io {
        /// The partition.
        id: TopicPartition,
        /// The system's answer.
        source: io::Error,
    },
}

impl Recovering {
    /// A partition without a checkpoint.
    pub fn empty(id: TopicPartition, config: LogConfig) -> Self {
        Self {
            log: PartitionLog::new(id, 0, config),
            entries: Vec::new(),
        }
    }

    /// A partition as its checkpoint has it; `None` if the checkpoint's bytes are damaged.
    pub fn from_state(bytes: &[u8], config: LogConfig) -> Option<Self> {
        Some(Self {
            log: PartitionLog::decode_state(bytes, config)?,
            entries: Vec::new(),
        })
    }

    /// The partition.
    pub fn id(&self) -> TopicPartition {
        self.log.id
    }

    /// Puts the topic's configuration in force.
    pub fn set_config(&mut self, config: LogConfig) {
        self.log.config = config;
    }

    /// Adds the next entry of the journal, from frame `frame`.
    pub fn add(&mut self, frame: u64, entry: Entry) {
        if let Entry::Truncate(end) = entry
            && !mutant::is_active(Mutant::TruncateForgotten)
        {
            self.entries
                .retain(|(_, entry)| first_offset(entry).is_none_or(|first| first < end));
        } else {
            self.entries.push((frame, entry));
        }
    }

    /// Verifies extents above the flushed mark and applies what survives.
    pub async fn finish(
        mut self,
        files: &SegmentFiles,
        flushed_mark: u64,
        now_ms: i64,
    ) -> Result<RecoveredPartition, RecoveryError> {
        let id = self.log.id;
        let verified = self.verify(files, flushed_mark).await;
        let truncated_to = verified.map_err(|source| RecoveryError::Io { id, source })?;
        for (_, entry) in std::mem::take(&mut self.entries) {
            self.log.replay(entry, now_ms)?;
        }
        // Their files are found by the sweep that follows a start.
        drop(self.log.drop_below_start());
        Ok(RecoveredPartition {
            log: self.log,
            truncated_to,
        })
    }

    /// Cuts the entries at the first extent above the mark that is not on the disk. What was read
    /// is made durable (rule 4).
    async fn verify(&mut self, files: &SegmentFiles, flushed_mark: u64) -> io::Result<Option<i64>> {
        let id = self.log.id;
        let mut cut = None;
        // What is deleted is not missed, and what compaction has replaced was durable before: their
        // files may be gone.
        let settled = self
            .entries
            .iter()
            .fold(self.log.log_start, |end, (_, entry)| match entry {
                Entry::LogStart(offset) => end.max(*offset),
                Entry::Cleaned(segment) => end.max(segment.next_offset),
                _ => end,
            });
        for (at, (frame, entry)) in self.entries.iter().enumerate() {
            let Entry::Extent {
                at: place,
                extent,
                header,
                ..
            } = entry
            else {
                continue;
            };
            let known = StoredHeader::decode(header)
                .is_some_and(|header| header.last_offset < self.log.next_offset.max(settled));
            let trusted = *frame <= flushed_mark || mutant::is_active(Mutant::ExtentUnverified);
            if known || trusted || is_on_disk(files, id, *place, *extent).await? {
                continue;
            }
            cut = Some((
                at,
                StoredHeader::decode(header).map(|header| header.base_offset),
            ));
            break;
        }
        let Some((at, Some(end))) = cut else {
            return Ok(None);
        };
        let mut seen = 0;
        self.entries.retain(|(_, entry)| {
            seen += 1;
            seen <= at || first_offset(entry).is_none_or(|first| first < end)
        });
        Ok(Some(end))
    }
}

/// First offset of an entry with a batch.
fn first_offset(entry: &Entry) -> Option<i64> {
    let header = match entry {
        Entry::Batch { bytes, .. } => bytes,
        Entry::Extent { header, .. } => header,
        _ => return None,
    };
    StoredHeader::decode(header).map(|header| header.base_offset)
}

/// Whether an extent is on the disk, durable from now on. A disk that does not answer is no reason to
/// cut what may have been acknowledged: what it cannot read is kept, and refused to readers; with
/// anything else the start is tried again.
async fn is_on_disk(
    files: &SegmentFiles,
    id: TopicPartition,
    place: SegmentPos,
    extent: Extent,
) -> io::Result<bool> {
    let file = match files
        .open(id, SegmentName::appended(place.segment_base))
        .await
    {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    // Memory is taken for what the file has, whatever the journal says.
    let end = extent.file_pos.checked_add(extent.file_bytes);
    let len = file.len().await?;
    if end.is_none_or(|end| end > len) {
        return Ok(false);
    }
    if !is_kept(&file, extent).await {
        return Ok(false);
    }
    if !mutant::is_active(Mutant::RecoveredExtentVolatile) {
        file.sync().await?;
        files.make_name_durable(id).await?;
    }
    Ok(true)
}

/// Whether a file has the bytes of an extent, or does not say. What is not there is cut: that is not
/// decided on one read. Nor is it kept on one that failed: what the crash cut off would be damage for
/// ever.
async fn is_kept(file: &File, extent: Extent) -> bool {
    let (mut others, mut failures) = (0, 0);
    while others < READS_BEFORE_LOSS && failures < READS_BEFORE_LOSS {
        let read = file.read_at(extent.file_pos, extent.file_bytes as usize);
        match read.await {
            Ok(bytes)
                if bytes.len() as u64 == extent.file_bytes && crc32c(&bytes) == extent.crc =>
            {
                return true;
            },
            Ok(_) => others += 1,
            Err(_) => failures += 1,
        }
    }
    others < READS_BEFORE_LOSS
}

impl PartitionLog {
    /// Applies one surviving entry.
    fn replay(&mut self, entry: Entry, now_ms: i64) -> Result<(), FoldError> {
        match entry {
            Entry::Batch {
                at,
                max_timestamp_delta,
                bytes,
            } => self.replay_batch(at, max_timestamp_delta, bytes, now_ms),
            Entry::Extent {
                at,
                batch_bytes,
                max_timestamp_delta,
                header,
                remainder,
                ..
            } => self.replay_extent(
                at,
                batch_bytes,
                max_timestamp_delta,
                &header,
                remainder,
                now_ms,
            ),
            // Segments below it go at the end: an entry that follows may still belong to one.
            Entry::LogStart(offset) => {
                self.log_start = self.log_start.max(offset.min(self.high_watermark));
                Ok(())
            },
            Entry::EpochStart { epoch, offset } => {
                if offset >= self.next_offset {
                    self.leader_epoch = self.leader_epoch.max(epoch);
                    self.epochs.begin(epoch, offset);
                }
                Ok(())
            },
            Entry::Cleaned(segment) => self.replay_cleaned(&segment),
            Entry::Truncate(_) | Entry::Ownership { .. } | Entry::Promise(_) => Ok(()),
        }
    }

    fn replay_batch(
        &mut self,
        at: SegmentPos,
        max_timestamp_delta: u32,
        bytes: Buf,
        now_ms: i64,
    ) -> Result<(), FoldError> {
        let len = bytes.len() as u64;
        let at = self.place_of(at, len);
        let Some(header) = self.replay_header(&bytes, at, len, max_timestamp_delta, now_ms)? else {
            return Ok(());
        };
        self.tail.push(StoredBatch {
            base_offset: header.base_offset,
            last_offset: header.last_offset,
            leader_epoch: header.leader_epoch,
            max_timestamp: header.max_timestamp,
            max_timestamp_delta,
            at,
            parts: [bytes, Buf::new()],
        });
        Ok(())
    }

    /// Where a batch stands: as its entry says, whatever the configuration is by now (rule 16).
    fn place_of(&self, journaled: SegmentPos, bytes: u64) -> SegmentPos {
        match self.segments.back() {
            Some(last)
                if mutant::is_active(Mutant::RollsRecomputed)
                    && last.len + bytes <= self.config.segment_bytes =>
            {
                SegmentPos {
                    segment_base: last.base_offset,
                    pos: last.len,
                }
            },
            _ => journaled,
        }
    }

    /// An extent's whole blocks are in the file, and all before them: only the remainder is memory.
    fn replay_extent(
        &mut self,
        at: SegmentPos,
        batch_bytes: u32,
        max_timestamp_delta: u32,
        header: &Buf,
        remainder: Buf,
        now_ms: i64,
    ) -> Result<(), FoldError> {
        let len = u64::from(batch_bytes);
        if self
            .replay_header(header, at, len, max_timestamp_delta, now_ms)?
            .is_none()
        {
            return Ok(());
        }
        let end = at.pos + len;
        let rewrites = mutant::is_active(Mutant::RewriteSegmentBlock);
        let written = if rewrites { end } else { end - end % BLOCK };
        if remainder.len() as u64 != end - written {
            return Err(self.misfit());
        }
        let segment = self
            .segment_mut(at.segment_base)
            .expect("the header made it");
        segment.submitted = written;
        segment.written = written;
        segment.allocated = segment.allocated.max(crate::segment::layout::file_pos(end));
        segment.index = None;
        self.keep_as_prefixes(at.segment_base);
        let at = SegmentPos {
            segment_base: at.segment_base,
            pos: written,
        };
        self.tail.set_prefix(Prefix {
            at,
            bytes: remainder,
        });
        Ok(())
    }

    /// Empties the tail, which the extent interrupts, but for the unwritten bytes of other segments.
    fn keep_as_prefixes(&mut self, extent_segment: i64) {
        self.prefixes_of(|base| base != extent_segment);
        self.tail.clear();
    }

    /// Keeps the unwritten bytes of these segments apart from their batches.
    pub(crate) fn prefixes_of(&mut self, these: impl Fn(i64) -> bool) {
        for segment in &mut self.segments {
            let unwritten = segment.durable - segment.written;
            if !these(segment.base_offset) || segment.sealed || unwritten == 0 {
                continue;
            }
            let mut bytes = BufMut::with_capacity(unwritten as usize);
            self.tail
                .copy_range(segment.base_offset, segment.written, &mut bytes);
            let at = SegmentPos {
                segment_base: segment.base_offset,
                pos: segment.written,
            };
            let bytes = bytes.freeze();
            self.tail.set_prefix(Prefix { at, bytes });
            segment.index = None;
        }
    }

    /// Gives a batch of the journal its place again; `None` if the checkpoint has it already.
    fn replay_header(
        &mut self,
        header: &[u8],
        at: SegmentPos,
        bytes: u64,
        max_timestamp_delta: u32,
        now_ms: i64,
    ) -> Result<Option<StoredHeader>, FoldError> {
        let id = self.id;
        let header = StoredHeader::decode(header).ok_or_else(|| self.misfit())?;
        if header.last_offset < self.next_offset {
            return Ok(None);
        }
        if header.base_offset != self.next_offset {
            let (found, expected) = (header.base_offset, self.next_offset);
            return Err(FoldError {
                id,
                found,
                expected,
            });
        }
        let end = self.end_of(at, bytes, header.base_offset);
        let end = end.ok_or_else(|| self.misfit())?;
        if at.pos == 0 {
            let segment = Segment::new(id, at.segment_base, now_ms);
            push_sparing(&mut self.segments, segment);
        }
        let segment = self.segments.back_mut().expect("it has a place in one");
        segment.len = end;
        segment.next_offset = header.last_offset + 1;
        segment.made_durable(&DurableEnd {
            pos: segment.len,
            next_offset: header.last_offset + 1,
            max_timestamp: header.max_timestamp,
            max_timestamp_offset: header.base_offset + i64::from(max_timestamp_delta),
        });
        self.next_offset = header.last_offset + 1;
        self.high_watermark = self.next_offset;
        self.producers
            .record(header.stamp, header.base_offset, header.last_offset, now_ms);
        self.leader_epoch = self.leader_epoch.max(header.leader_epoch);
        self.epochs.begin(header.leader_epoch, header.base_offset);
        Ok(Some(header))
    }

    /// Where a batch of `bytes` bytes at `at` ends; `None` if that is no place behind the last one.
    fn end_of(&self, at: SegmentPos, bytes: u64, base_offset: i64) -> Option<u64> {
        let last = self.segments.back();
        let follows = if at.pos == 0 {
            let newer = last.is_none_or(|last| last.base_offset < at.segment_base);
            newer && 0 <= at.segment_base && at.segment_base <= base_offset
        } else {
            last.is_some_and(|last| (last.base_offset, last.len) == (at.segment_base, at.pos))
        };
        let end = at.pos.checked_add(bytes)?;
        (follows && end <= POSITION_MAX).then_some(end)
    }

    /// What an entry says does not fit what came before it.
    pub(crate) fn misfit(&self) -> FoldError {
        FoldError {
            id: self.id,
            found: -1,
            expected: self.next_offset,
        }
    }
}

/// Shares a recovered log between tasks.
pub fn shared(log: PartitionLog) -> Rc<RefCell<PartitionLog>> {
    Rc::new(RefCell::new(log))
}
