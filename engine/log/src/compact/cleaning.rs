//! One cleaning of a partition, step by step: the caller sets the pace, and puts each segment that
//! is written in its place before it asks for the next.
//!
//! What needs the processor happens on a helper: checks, decompression, keys, compression.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use engine_rt::{Buf, blocking, yield_now};
use net_wire::batch::{BatchView, Batches};
use net_wire::codec::Codecs;
use thiserror::Error;

use super::choice::{Cleanable, Group};
use super::filter::{Filter, Left};
use super::keys::KeyMap;
use super::source::{Carry, ChunkRead, Source, pinned};
use crate::files::SegmentFiles;
use crate::header::StoredHeader;
use crate::ids::TopicPartition;
use crate::partition::PartitionLog;
use crate::rewrite::Rewriter;
use crate::segment::Segment;
use crate::segment::layout::{POSITION_MAX, SegmentName};

/// Batches that are laid into the new segment without a pause.
const BATCHES_AT_ONCE: usize = 256;

/// Why a cleaning ends early.
#[derive(Debug, Error)]
pub enum CleanError {
    /// A segment is not there any more: retention, a deletion, or a recovery of the journal.
    #[error("a segment is gone")]
    Gone,
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The bytes are not what was written: they are left as they are.
    #[error("{what} of segment {} is damaged at byte {pos}", segment.base_offset)]
    Damaged {
        /// The segment.
        segment: SegmentName,
        /// What is damaged.
        what: &'static str,
        /// Where, in the file.
        pos: u64,
    },
}

impl CleanError {
    /// Whether the disk does not have what was written.
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }
}

/// What a step did.
#[derive(Debug)]
pub enum Step {
    /// It read so many bytes.
    Read(u64),
    /// A new segment, sealed and flushed, wants to be put in the place of those that it covers.
    Written(Box<Segment>),
    /// Everything is done.
    Done,
}

/// What goes to the helper and comes back.
#[derive(Debug)]
struct Work {
    keys: KeyMap,
    filter: Filter,
    codecs: Codecs,
    carry: Carry,
}

/// A batch that is left, in the bytes of all that are left of a chunk.
struct Kept {
    len: usize,
    newest: (i64, i64),
}

/// A group that is being written.
#[derive(Debug)]
struct Writing {
    group: Group,
    /// Those that are not read yet.
    names: VecDeque<SegmentName>,
    source: Option<Source>,
    into: Rewriter,
}

/// A cleaning.
#[derive(Debug)]
pub struct Cleaning {
    id: TopicPartition,
    number: u32,
    work: Option<Work>,
    /// Segments whose keys are not known yet, and the one that is read.
    learning: Option<(VecDeque<SegmentName>, Option<Source>)>,
    /// Groups that are not written yet, and the one that is.
    groups: VecDeque<Group>,
    writing: Option<Box<Writing>>,
    /// The file that is being written.
    unfinished: Option<SegmentName>,
}

impl Cleaning {
    /// Begins a cleaning with at most `keys_bytes` of memory for keys. Its `number` is at least
    /// [`PartitionLog::next_cleaning`].
    pub fn new(
        log: &PartitionLog,
        what: &Cleanable,
        number: u32,
        now_ms: i64,
        keys_bytes: u64,
        secret: [u64; 2],
    ) -> Self {
        let records = (what.until - what.dirty_from).max(0) as u64;
        let filter = Filter {
            dirty_from: what.dirty_from,
            known_to: what.until,
            now_ms,
            delete_retention_ms: log.config.delete_retention_ms,
            last_batches: log.producers.last_batches(log.high_watermark),
            has_opaque: false,
        };
        let dirty = log.segments.iter().filter(|segment| {
            segment.next_offset > what.dirty_from && segment.base_offset < what.until
        });
        let dirty = dirty.map(Segment::name).collect();
        Self {
            id: log.id,
            number,
            work: Some(Work {
                keys: KeyMap::new(keys_bytes, records, secret),
                filter,
                codecs: Codecs::new(),
                carry: Carry::default(),
            }),
            learning: Some((dirty, None)),
            groups: VecDeque::new(),
            writing: None,
            unfinished: None,
        }
    }

    /// Goes on by about a chunk.
    pub async fn step(
        &mut self,
        partition: &Rc<RefCell<PartitionLog>>,
        files: &SegmentFiles,
    ) -> Result<Step, CleanError> {
        if self.learning.is_some() {
            return self.learn(partition, files).await;
        }
        let writing = match self.writing.take() {
            Some(writing) => writing,
            None => match self.groups.pop_front() {
                Some(group) => self.begin_group(group, partition, files).await?,
                None => return Ok(Step::Done),
            },
        };
        self.write(writing, partition, files).await
    }

    /// Gives back memory, and removes what was being written.
    pub async fn end(self, files: &SegmentFiles) -> io::Result<()> {
        let Self {
            work, unfinished, ..
        } = self;
        // The memory of many keys takes its time to go.
        blocking(move || drop(work)).await;
        match unfinished {
            Some(name) => files.remove(self.id, name).await,
            None => Ok(()),
        }
    }

    async fn learn(
        &mut self,
        partition: &Rc<RefCell<PartitionLog>>,
        files: &SegmentFiles,
    ) -> Result<Step, CleanError> {
        let Some((names, source)) = &mut self.learning else {
            return Ok(Step::Done);
        };
        let Some(read) = next_chunk(names, source, partition, files).await? else {
            self.begin_writing(partition);
            return Ok(Step::Read(0));
        };
        let bytes = read.len();
        let full = self
            .on_helper(read, |work, read| {
                let batches = read.batches(&mut work.carry)?;
                work.learn(&batches)
            })
            .await?;
        if full {
            self.begin_writing(partition);
        }
        Ok(Step::Read(bytes))
    }

    fn begin_writing(&mut self, partition: &Rc<RefCell<PartitionLog>>) {
        let known_to = self.work.as_ref().map_or(0, |work| work.filter.known_to);
        let groups = partition.borrow().groups(known_to);
        self.groups = groups.into();
        self.learning = None;
    }

    async fn write(
        &mut self,
        mut writing: Box<Writing>,
        partition: &Rc<RefCell<PartitionLog>>,
        files: &SegmentFiles,
    ) -> Result<Step, CleanError> {
        let Writing { names, source, .. } = &mut *writing;
        let Some(read) = next_chunk(names, source, partition, files).await? else {
            return self.finish_group(*writing).await;
        };
        let bytes = read.len();
        let last = writing.group.next_offset - 1;
        let (kept, batches) = self
            .on_helper(read, move |work, read| {
                let batches = read.batches(&mut work.carry)?;
                work.filter(&batches, last)
            })
            .await?;
        lay(&writing.into, &kept, &batches).await?;
        self.writing = Some(writing);
        Ok(Step::Read(bytes))
    }

    async fn begin_group(
        &mut self,
        group: Group,
        partition: &Rc<RefCell<PartitionLog>>,
        files: &SegmentFiles,
    ) -> Result<Box<Writing>, CleanError> {
        let name = SegmentName {
            base_offset: group.names[0].base_offset,
            cleaning: self.number,
        };
        // A file that a crash left under this name would go on behind the new one's end.
        files.remove(self.id, name).await?;
        self.unfinished = Some(name);
        let into = {
            let log = partition.borrow();
            let newest = group
                .names
                .last()
                .and_then(|last| log.segment(last.base_offset));
            let created_ms = newest.ok_or(CleanError::Gone)?.created_ms;
            let mut segment = Segment::named(self.id, name, created_ms);
            let known_to = self.work.as_ref().map_or(0, |work| work.filter.known_to);
            segment.clean_to = known_to.clamp(name.base_offset, group.next_offset);
            Rewriter::new(&log, files.beside(files.root()), segment)
        };
        Ok(Box::new(Writing {
            names: group.names.iter().copied().collect(),
            group,
            source: None,
            into,
        }))
    }

    async fn finish_group(&mut self, writing: Writing) -> Result<Step, CleanError> {
        let Writing { group, into, .. } = writing;
        if into.next_offset() != group.next_offset {
            return Err(CleanError::Damaged {
                segment: group.names[group.names.len() - 1],
                what: "the last batch",
                pos: 0,
            });
        }
        into.finish(None).await?;
        let segment = into.into_segment().ok_or(CleanError::Gone)?;
        self.unfinished = None;
        Ok(Step::Written(Box::new(segment)))
    }

    /// The chunk comes back: its memory is the shard's, which reads the next one into it.
    async fn on_helper<T: Send + 'static>(
        &mut self,
        read: ChunkRead,
        run: impl FnOnce(&mut Work, &ChunkRead) -> Result<T, CleanError> + Send + 'static,
    ) -> Result<T, CleanError> {
        let mut work = self.work.take().ok_or(CleanError::Gone)?;
        let (work, read, done) = blocking(move || {
            let done = run(&mut work, &read);
            (work, read, done)
        })
        .await;
        drop(read);
        self.work = Some(work);
        done
    }
}

/// The next chunk of the segments, in their order; `None` behind the last one.
async fn next_chunk(
    names: &mut VecDeque<SegmentName>,
    source: &mut Option<Source>,
    partition: &Rc<RefCell<PartitionLog>>,
    files: &SegmentFiles,
) -> Result<Option<ChunkRead>, CleanError> {
    loop {
        if let Some(open) = source
            && let Some(read) = open.next().await?
        {
            return Ok(Some(read));
        }
        let Some(name) = names.pop_front() else {
            return Ok(None);
        };
        let pinned = pinned(&partition.borrow(), name).ok_or(CleanError::Gone)?;
        *source = Some(Source::open(pinned, files).await?);
    }
}

/// Adds what is left of a chunk to the new segment.
async fn lay(into: &Rewriter, kept: &[Kept], batches: &Buf) -> Result<(), CleanError> {
    let mut at = 0;
    for (number, batch) in kept.iter().enumerate() {
        if number % BATCHES_AT_ONCE == BATCHES_AT_ONCE - 1 {
            yield_now().await;
        }
        let bytes = batches.slice(at..at + batch.len);
        at += batch.len;
        let header = StoredHeader::decode(&bytes).ok_or(CleanError::Gone)?;
        if into.len() + batch.len as u64 > POSITION_MAX {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge).into());
        }
        into.append(&header, Some(batch.newest), bytes).await?;
    }
    Ok(())
}

impl Work {
    /// Notes the keys of batches; whether there was no room for all of them.
    fn learn(&mut self, batches: &[u8]) -> Result<bool, CleanError> {
        for batch in Batches::new(batches) {
            let batch = batch.map_err(|_| self.carry.no_batch())?;
            let full = self.filter.learn(&mut self.keys, &batch, &mut self.codecs);
            if let Some(known_to) = full {
                self.filter.known_to = known_to;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What is left of batches. The one that ends at offset `last` is the last of its segment.
    fn filter(&mut self, batches: &[u8], last: i64) -> Result<(Vec<Kept>, Buf), CleanError> {
        let (mut kept, mut bytes) = (Vec::new(), Vec::with_capacity(batches.len()));
        for batch in Batches::new(batches) {
            let batch = batch.map_err(|_| self.carry.no_batch())?;
            let (len, newest) = self.filter_one(&batch, last, &mut bytes);
            if len > 0 {
                kept.push(Kept { len, newest });
            }
        }
        Ok((kept, Buf::copy_from_slice(&bytes)))
    }

    fn filter_one(
        &mut self,
        batch: &BatchView<'_>,
        last: i64,
        into: &mut Vec<u8>,
    ) -> (usize, (i64, i64)) {
        let is_last = batch.header().last_offset() == last;
        let Self {
            keys,
            filter,
            codecs,
            ..
        } = self;
        let (left, newest) = filter.judge(keys, batch, is_last, codecs);
        let left = match &left {
            Left::Whole => batch.bytes(),
            Left::Part(bytes) => bytes,
            Left::Nothing => &[],
        };
        into.extend_from_slice(left);
        (left.len(), newest)
    }
}
