//! Group commit: entries join the open group; a group leaves as one frame when the previous flush
//! is done (or when it is large and the pipeline has room); acknowledgements follow in order.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::rc::{Rc, Weak};
use std::time::Duration;

use engine_rt::fs::Durability;
use engine_rt::mutant::{self, Mutant};
use engine_rt::{BLOCK_BYTES, Buf, BufMut, Event, now, spawn, timeout, yield_now};

use crate::files::{JournalFile, JournalFiles, JournalOptions};
use crate::frame::{
    DiskId, EntryKind, FRAME_BYTES_MAX, FrameHeader, HEADER_BYTES, encode_entry, entry_bytes,
};
use crate::recovery::{Position, Recovered};

/// Frames in flight at most.
const DEPTH: usize = 4;
/// A group of this size does not wait for the flush before it.
const PIPELINE_BYTES: usize = 64 << 10;
/// Bytes of frames kept together in one pooled buffer.
const ARENA_BYTES: usize = FRAME_BYTES_MAX;
/// Idle time after which a mark certifies the last frame (rule 6 of the storage design).
const MARK_AFTER: Duration = Duration::from_millis(10);

/// Hears of the journal's progress, synchronously and in order.
pub trait JournalObserver {
    /// Every frame up to and including `sequence` is as durable as its entries asked for.
    fn frames_durable(&self, sequence: u64);
    /// The journal has failed and takes nothing more; what was not durable never will be.
    fn journal_failed(&self, error: &io::Error);
}

/// Where an entry went.
#[derive(Debug)]
pub struct Placed {
    /// The frame that it leaves with.
    pub frame: u64,
    /// Its payload, as it will stand on the disk.
    pub payload: Buf,
}

/// Counters of a journal, since its start.
#[derive(Clone, Copy, Debug, Default)]
pub struct JournalStats {
    /// Frames written.
    pub frames: u64,
    /// Bytes written, headers and padding included.
    pub bytes: u64,
    /// Entries written.
    pub entries: u64,
    /// Times the journal went on to another file.
    pub turns: u64,
    /// Nanoseconds from a frame's submission to its completion, summed.
    pub flush_nanos: u64,
    /// Frames by that time: bucket `n` counts those below 2^n microseconds, the last all others.
    pub flush_buckets: [u64; 32],
}

impl JournalStats {
    fn count_flush(&mut self, nanos: u64) {
        self.flush_nanos += nanos;
        let micros = nanos / 1000;
        let bucket = (u64::BITS - micros.leading_zeros()) as usize;
        self.flush_buckets[bucket.min(self.flush_buckets.len() - 1)] += 1;
    }
}

struct OpenGroup {
    header: BufMut,
    body: Buf,
    body_bytes: usize,
    entries: u32,
    durable: bool,
}

struct CurrentFile {
    file: JournalFile,
    generation: u64,
    pos: u64,
}

struct State {
    current: Option<CurrentFile>,
    next_generation: u64,
    /// End of the log as written so far: what the next frame links to.
    end: Position,
    arena: BufMut,
    open: Option<OpenGroup>,
    sealed: VecDeque<OpenGroup>,
    in_flight: usize,
    /// Frames completed out of order.
    completed: BTreeSet<u64>,
    /// Every frame up to here is written and, if it asked for it, flushed.
    durable: u64,
    /// Every frame up to here is flushed.
    flushed: u64,
    /// Frames whose extents are still being flushed.
    extents: BTreeMap<u64, usize>,
    mark_written: u64,
    /// Whether volatile frames wait for a sync.
    unsynced: bool,
    failed: Option<io::ErrorKind>,
    stopping: bool,
    life_start: bool,
    stats: JournalStats,
}

/// The journal of one shard on one disk.
pub struct Journal {
    state: RefCell<State>,
    files: Rc<JournalFiles>,
    disk_id: DiskId,
    journal_id: u32,
    work: Event,
    progress: Event,
    observer: Weak<dyn JournalObserver>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal")
            .field("journal_id", &self.journal_id)
            .finish_non_exhaustive()
    }
}

/// Holds back the flushed mark of a frame until the extent that it refers to is flushed.
#[derive(Debug)]
pub struct ExtentGuard {
    journal: Rc<Journal>,
    frame: u64,
    flushed: bool,
}

impl ExtentGuard {
    /// The extent is on stable storage.
    pub fn flushed(mut self) {
        self.flushed = true;
    }
}

impl Drop for ExtentGuard {
    fn drop(&mut self) {
        // An extent that failed holds the mark for the rest of this life: recovery verifies it.
        if self.flushed {
            self.journal.extent_flushed(self.frame);
        }
    }
}

impl Journal {
    /// Opens the journal for a new life that goes on where `recovered` ended. Nothing is written
    /// before the first entry; the first frame names the end of the previous life.
    pub fn open(
        options: JournalOptions,
        recovered: Recovered,
        observer: Weak<dyn JournalObserver>,
    ) -> Rc<Self> {
        let (disk_id, journal_id) = (options.disk_id, options.journal_id);
        let last = recovered.end.sequence.saturating_sub(1);
        let files = JournalFiles::new(options, recovered.used, recovered.free);
        let journal = Rc::new(Self {
            state: RefCell::new(State {
                current: None,
                next_generation: recovered.generation_max + 1,
                end: recovered.end,
                arena: BufMut::with_capacity(ARENA_BYTES),
                open: None,
                sealed: VecDeque::new(),
                in_flight: 0,
                completed: BTreeSet::new(),
                durable: last,
                flushed: last,
                extents: BTreeMap::new(),
                mark_written: last,
                unsynced: false,
                failed: None,
                stopping: false,
                life_start: true,
                stats: JournalStats::default(),
            }),
            files,
            disk_id,
            journal_id,
            work: Event::new(),
            progress: Event::new(),
            observer,
        });
        spawn(Rc::clone(&journal).drive()).detach();
        spawn(Rc::clone(&journal).prepare_files()).detach();
        journal
    }

    /// Adds an entry of `payload_bytes`, written by `fill`, to the open group. `durable` entries
    /// are flushed before the observer hears of their frame; others are only written.
    pub fn append(
        &self,
        kind: EntryKind,
        payload_bytes: usize,
        durable: bool,
        fill: impl FnOnce(&mut [u8]),
    ) -> Placed {
        let needed = entry_bytes(payload_bytes);
        assert!(
            needed <= Self::payload_bytes_max(),
            "entry of {payload_bytes} bytes"
        );
        let mut state = self.state.borrow_mut();
        state.make_room(needed);
        let frame = state.open_sequence();
        let payload = state.place(kind, payload_bytes, durable, fill);
        drop(state);
        self.work.notify();
        Placed { frame, payload }
    }

    /// The largest payload that one entry may have.
    pub const fn payload_bytes_max() -> usize {
        FRAME_BYTES_MAX - BLOCK_BYTES
    }

    /// Announces that the open frame, as returned by `append`, refers to an extent that is being
    /// written: the flushed mark waits for it.
    pub fn hold_extent(self: &Rc<Self>, frame: u64) -> ExtentGuard {
        *self.state.borrow_mut().extents.entry(frame).or_insert(0) += 1;
        ExtentGuard {
            journal: Rc::clone(self),
            frame,
            flushed: false,
        }
    }

    /// Flushes everything appended so far and waits for it.
    pub async fn sync(&self) -> io::Result<()> {
        let frame = self.append(EntryKind::MARK, 0, true, |_| ()).frame;
        self.wait_durable(frame).await
    }

    /// Waits until `frame` is durable.
    pub async fn wait_durable(&self, frame: u64) -> io::Result<()> {
        let over = || {
            let state = self.state.borrow();
            state.durable >= frame || state.failed.is_some()
        };
        self.progress.wait_until(over).await;
        let state = self.state.borrow();
        match state.failed {
            Some(kind) if state.durable < frame => Err(kind.into()),
            _ => Ok(()),
        }
    }

    /// Whether a write or flush has failed.
    pub fn is_failed(&self) -> bool {
        self.state.borrow().failed.is_some()
    }

    /// Where the next frame goes: a checkpoint that covers everything before may name this.
    pub fn position(&self) -> Position {
        self.state.borrow().end
    }

    /// Generation of the file in use.
    pub fn generation(&self) -> u64 {
        self.state.borrow().next_generation - 1
    }

    /// The journal's files.
    pub fn files(&self) -> &JournalFiles {
        &self.files
    }

    /// Counters since the start.
    pub fn stats(&self) -> JournalStats {
        self.state.borrow().stats
    }

    /// Writes a last mark and stops.
    pub async fn stop(&self) -> io::Result<()> {
        let synced = self.sync().await;
        let marked = self.sync().await;
        self.state.borrow_mut().stopping = true;
        self.work.notify();
        self.files.stop();
        synced.and(marked)
    }

    async fn prepare_files(self: Rc<Self>) {
        if let Err(error) = Rc::clone(&self.files).prepare_ahead().await {
            self.fail(&error);
        }
    }

    /// Seals and submits groups until the journal stops or fails.
    async fn drive(self: Rc<Self>) {
        loop {
            let idle_until = now() + MARK_AFTER;
            let ready = self.work.wait_until(|| self.state.borrow().may_submit());
            if timeout(idle_until, ready).await.is_err() {
                self.mark_if_due();
                self.work
                    .wait_until(|| self.state.borrow().may_submit())
                    .await;
            }
            if self.state.borrow().is_over() {
                return;
            }
            // Tasks that are ready now still join this group.
            yield_now().await;
            if let Err(error) = self.submit_next().await {
                self.fail(&error);
                return;
            }
        }
    }

    /// Appends a mark if frames were flushed that no frame on disk certifies yet.
    fn mark_if_due(&self) {
        let state = self.state.borrow();
        let due = state.in_flight == 0 && state.flushed_mark() > state.mark_written;
        drop(state);
        if due {
            self.append(EntryKind::MARK, 0, true, |_| ());
        }
    }

    async fn submit_next(self: &Rc<Self>) -> io::Result<()> {
        let group = self.state.borrow_mut().take_group();
        if !self.state.borrow().has_room(group.frame_bytes()) {
            self.roll().await?;
        }
        let frame = self
            .state
            .borrow_mut()
            .seal(group, self.disk_id, self.journal_id);
        spawn(Rc::clone(self).write(frame)).detach();
        Ok(())
    }

    /// Goes on to the next file.
    async fn roll(&self) -> io::Result<()> {
        let (generation, unsynced) = {
            let mut state = self.state.borrow_mut();
            let generation = state.next_generation;
            state.next_generation += 1;
            (
                generation,
                if state.unsynced {
                    state.current.take()
                } else {
                    None
                },
            )
        };
        if let Some(current) = unsynced {
            self.progress
                .wait_until(|| self.state.borrow().in_flight == 0)
                .await;
            current.file.file.sync().await?;
        }
        tracing::info!(
            shard = self.journal_id,
            generation,
            "journal turn-over started"
        );
        let file = self.files.take(generation).await?;
        let mut state = self.state.borrow_mut();
        state.stats.turns += 1;
        state.current = Some(CurrentFile {
            file,
            generation,
            pos: 0,
        });
        Ok(())
    }

    async fn write(self: Rc<Self>, frame: SealedFrame) {
        let started = now();
        if mutant::is_active(Mutant::AckBeforeFlush) {
            self.completed(&frame, 0);
        }
        let SealedFrame {
            file,
            pos,
            bytes,
            flush,
            ..
        } = &frame;
        let result = match flush {
            Flush::Own => {
                file.file
                    .write_at(*pos, bytes.clone(), Durability::Durable)
                    .await
            },
            Flush::None => {
                file.file
                    .write_at(*pos, bytes.clone(), Durability::Volatile)
                    .await
            },
            Flush::All => {
                match file
                    .file
                    .write_at(*pos, bytes.clone(), Durability::Volatile)
                    .await
                {
                    Ok(()) => file.file.sync().await,
                    Err(error) => Err(error),
                }
            },
        };
        match result {
            Ok(()) => self.completed(&frame, now().since(started).as_nanos() as u64),
            Err(error) => self.fail(&error),
        }
    }

    fn completed(&self, frame: &SealedFrame, nanos: u64) {
        let mut state = self.state.borrow_mut();
        if state.failed.is_some() || state.durable >= frame.sequence {
            return;
        }
        state.stats.count_flush(nanos);
        state.in_flight -= 1;
        let advanced = state.complete(frame);
        drop(state);
        if frame.pos == 0 {
            tracing::info!(shard = self.journal_id, "journal turn-over finished");
        }
        if let Some(sequence) = advanced {
            if let Some(observer) = self.observer.upgrade() {
                observer.frames_durable(sequence);
            }
            self.progress.notify();
        }
        self.work.notify();
    }

    fn extent_flushed(&self, frame: u64) {
        let mut state = self.state.borrow_mut();
        if let Some(count) = state.extents.get_mut(&frame) {
            *count -= 1;
            if *count == 0 {
                state.extents.remove(&frame);
            }
        }
        drop(state);
        self.work.notify();
    }

    fn fail(&self, error: &io::Error) {
        let first = self
            .state
            .borrow_mut()
            .failed
            .replace(error.kind())
            .is_none();
        self.files.stop();
        if first && let Some(observer) = self.observer.upgrade() {
            observer.journal_failed(error);
        }
        self.progress.notify();
        self.work.notify();
    }
}

/// How a frame becomes durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flush {
    /// Not at all: every entry is weak.
    None,
    /// A durable write of its own bytes.
    Own,
    /// With everything written before it that was not flushed.
    All,
}

/// A frame on its way to the disk: its bytes never change again (rule 20).
struct SealedFrame {
    file: JournalFile,
    pos: u64,
    bytes: Buf,
    sequence: u64,
    flush: Flush,
}

impl State {
    fn is_over(&self) -> bool {
        self.failed.is_some() || (self.stopping && self.open.is_none() && self.sealed.is_empty())
    }

    /// Whether the driver has something to do now.
    fn may_submit(&self) -> bool {
        if self.is_over() {
            return true;
        }
        let Some(group) = self.sealed.front().or(self.open.as_ref()) else {
            return false;
        };
        let large = group.body_bytes >= PIPELINE_BYTES || !self.sealed.is_empty();
        // What was only written is flushed with the file, which covers completed writes alone.
        let pipelined = large && self.in_flight < DEPTH && !self.unsynced;
        self.in_flight == 0 || pipelined
    }

    /// The sequence that the open group will have.
    fn open_sequence(&self) -> u64 {
        self.end.sequence + self.sealed.len() as u64
    }

    /// Closes the open group if `needed` bytes do not fit in it.
    fn make_room(&mut self, needed: usize) {
        let fits = |group: &OpenGroup| {
            HEADER_BYTES + group.body_bytes + needed <= FRAME_BYTES_MAX
                && needed + BLOCK_BYTES <= self.arena.len()
        };
        if let Some(group) = self.open.take_if(|group| !fits(group)) {
            let group = self.close(group);
            self.sealed.push_back(group);
        }
        if self.open.is_none() {
            if self.arena.len() < HEADER_BYTES + needed + BLOCK_BYTES {
                self.arena = BufMut::with_capacity(ARENA_BYTES);
            }
            let header = self.arena.split_to(HEADER_BYTES);
            self.open = Some(OpenGroup {
                header,
                body: Buf::new(),
                body_bytes: 0,
                entries: 0,
                durable: false,
            });
        }
    }

    fn place(
        &mut self,
        kind: EntryKind,
        payload_bytes: usize,
        durable: bool,
        fill: impl FnOnce(&mut [u8]),
    ) -> Buf {
        let mut entry = self.arena.split_to(entry_bytes(payload_bytes));
        let range = encode_entry(&mut entry, kind, payload_bytes);
        fill(&mut entry[range.clone()]);
        let entry = entry.freeze();
        let payload = entry.slice(range);
        let group = self.open.as_mut().expect("room was made");
        group.extend(&entry);
        group.body_bytes = group.body.len();
        group.entries += 1;
        group.durable |= durable;
        payload
    }

    /// Ends a group: the arena goes on at the next block.
    fn close(&mut self, mut group: OpenGroup) -> OpenGroup {
        let used = HEADER_BYTES + group.body_bytes;
        let padding = group.frame_bytes() as usize - used;
        if padding > 0 {
            let mut zeros = self.arena.split_to(padding);
            zeros.fill(0);
            group.extend(&zeros.freeze());
        }
        group
    }

    fn take_group(&mut self) -> OpenGroup {
        if let Some(group) = self.sealed.pop_front() {
            return group;
        }
        let group = self.open.take().expect("the driver saw a group");
        self.close(group)
    }

    fn has_room(&self, frame_bytes: u64) -> bool {
        self.current
            .as_ref()
            .is_some_and(|file| file.pos + frame_bytes <= file.file.len)
    }

    /// Links the group to the frame before and fixes its bytes.
    fn seal(&mut self, group: OpenGroup, disk_id: DiskId, journal_id: u32) -> SealedFrame {
        let flushed_mark = self.flushed_mark();
        let frame_bytes = group.frame_bytes();
        let current = self.current.as_mut().expect("rolled to a file with room");
        let sequence = self.end.sequence;
        let header = FrameHeader {
            disk_id,
            journal_id,
            entries: group.entries,
            generation: current.generation,
            sequence,
            flushed_mark,
            prev_generation: self.end.generation,
            prev_crc: self.end.prev_crc,
            body_bytes: group.body_bytes as u32,
            life_start: self.life_start,
            crc: 0,
        };
        let durable = group.durable;
        let (bytes, crc) = group.encode(&header);
        let pos = current.pos;
        current.pos += frame_bytes;
        let (generation, file) = (current.generation, current.file.clone());
        self.end = Position {
            generation,
            pos: pos + frame_bytes,
            sequence: sequence + 1,
            prev_crc: crc,
        };
        self.life_start = false;
        self.mark_written = flushed_mark;
        self.in_flight += 1;
        self.stats.frames += 1;
        self.stats.bytes += frame_bytes;
        self.stats.entries += u64::from(header.entries);
        let flush = self.flush_of(durable);
        SealedFrame {
            file,
            pos,
            bytes,
            sequence,
            flush,
        }
    }

    fn flush_of(&mut self, durable: bool) -> Flush {
        match (durable, self.unsynced) {
            (false, _) => {
                self.unsynced = true;
                Flush::None
            },
            (true, true) => Flush::All,
            (true, false) => Flush::Own,
        }
    }

    /// Every frame up to this one is flushed with its extents.
    fn flushed_mark(&self) -> u64 {
        let held = self
            .extents
            .keys()
            .next()
            .map_or(u64::MAX, |frame| frame - 1);
        self.flushed.min(held)
    }

    /// Takes note of a written frame; the new durable end if it moved.
    fn complete(&mut self, frame: &SealedFrame) -> Option<u64> {
        self.completed.insert(frame.sequence);
        if frame.flush == Flush::All {
            self.unsynced = false;
        }
        let before = self.durable;
        while self.completed.remove(&(self.durable + 1)) {
            self.durable += 1;
        }
        if !self.unsynced {
            self.flushed = self.durable;
        }
        (self.durable > before).then_some(self.durable)
    }
}

impl OpenGroup {
    fn frame_bytes(&self) -> u64 {
        (HEADER_BYTES + self.body_bytes).next_multiple_of(BLOCK_BYTES) as u64
    }

    /// Adds bytes that follow the last ones in the arena.
    fn extend(&mut self, bytes: &Buf) {
        if self.body.is_empty() {
            self.body = bytes.clone();
            return;
        }
        assert!(
            self.body.try_join(bytes),
            "a group's bytes follow each other"
        );
    }

    /// The frame's bytes and checksum.
    fn encode(mut self, header: &FrameHeader) -> (Buf, u32) {
        let crc = header.encode(&mut self.header, &self.body[..self.body_bytes]);
        let mut bytes = self.header.freeze();
        assert!(
            bytes.try_join(&self.body),
            "a group's body follows its header"
        );
        (bytes, crc)
    }
}
