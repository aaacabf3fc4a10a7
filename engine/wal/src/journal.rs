//! Group commit: entries join the open group; a group leaves as one frame when the previous flush
//! is done (or when it is large and the pipeline has room); acknowledgements follow in order.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::rc::{Rc, Weak};
use std::time::Duration;

use engine_rt::fs::Durability;
use engine_rt::mutant::{self, Mutant};
use engine_rt::{BLOCK_BYTES, Buf, Event, Instant, now, spawn, timeout, yield_now};

use crate::files::{JournalFiles, JournalOptions};
use crate::frame::{DiskId, EntryKind, entry_bytes};
use crate::group::{Flush, SealedFrame};
use crate::pipeline::{CurrentFile, State};
use crate::recovery::{Position, Recovered};

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
    /// Frames completed.
    pub flushes: u64,
    /// Nanoseconds from a frame's submission to its completion, summed.
    pub flush_nanos: u64,
    /// Frames by that time: bucket `n` counts those below 2^n microseconds, the last all others.
    pub flush_buckets: [u64; 32],
}

impl JournalStats {
    fn count_flush(&mut self, nanos: u64) {
        self.flushes += 1;
        self.flush_nanos += nanos;
        let micros = nanos / 1000;
        let bucket = (u64::BITS - micros.leading_zeros()) as usize;
        self.flush_buckets[bucket.min(self.flush_buckets.len() - 1)] += 1;
    }
}

/// The journal of one shard on one disk.
pub struct Journal {
    state: RefCell<State>,
    files: Rc<JournalFiles>,
    disk_id: DiskId,
    id: u32,
    frame_bytes_max: usize,
    work: Event,
    progress: Event,
    /// When a frame ended last, or the first of those under way began.
    progressed: Cell<Instant>,
    /// Tasks of this journal that have not ended.
    tasks: Cell<usize>,
    observer: Weak<dyn JournalObserver>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal")
            .field("id", &self.id)
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
        let (disk_id, id) = (options.disk_id, options.journal_id);
        let (recovered_end, generation) = (recovered.end, recovered.generation_max);
        let frame_bytes_max = options.frame_bytes_max();
        let files = JournalFiles::new(options, recovered.used, recovered.free);
        let journal = Rc::new(Self {
            state: RefCell::new(State::after(&recovered_end, generation, frame_bytes_max)),
            files,
            disk_id,
            id,
            frame_bytes_max,
            work: Event::new(),
            progress: Event::new(),
            progressed: Cell::default(),
            tasks: Cell::new(0),
            observer,
        });
        journal.spawn(Self::drive);
        journal.spawn(Self::prepare_files);
        journal
    }

    fn spawn<F: Future<Output = ()> + 'static>(self: &Rc<Self>, task: impl FnOnce(Rc<Self>) -> F) {
        self.tasks.set(self.tasks.get() + 1);
        let (journal, task) = (Rc::clone(self), task(Rc::clone(self)));
        spawn(async move {
            task.await;
            journal.tasks.set(journal.tasks.get() - 1);
            journal.progress.notify();
        })
        .detach();
    }

    /// Waits until nothing is under way any more, after a stop or a failure: the files may be
    /// recovered.
    pub async fn ended(&self) {
        self.progress.wait_until(|| self.tasks.get() == 0).await;
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
            needed <= self.payload_bytes_max(),
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
    pub const fn payload_bytes_max(&self) -> usize {
        self.frame_bytes_max - BLOCK_BYTES
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

    /// Waits until everything before `position` is flushed, also what asked only to be written. Takes
    /// no room of the journal, which may wait for the caller to give some back.
    pub async fn flush_before(&self, position: Position) -> io::Result<()> {
        let last = position.sequence - 1;
        self.wait_durable(last).await?;
        if self.state.borrow().flushed >= last || mutant::is_active(Mutant::WeakCheckpointUnflushed)
        {
            return Ok(());
        }
        // Files before this one were flushed when it was begun.
        let flushed = self.files.sync(position.generation).await;
        flushed.inspect_err(|error| self.fail(error))
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

    /// For how long none of the frames under way has ended.
    pub fn waiting(&self) -> Duration {
        match self.state.borrow().in_flight {
            0 => Duration::ZERO,
            _ => now().since(self.progressed.get()),
        }
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
                self.mark_or_wait().await;
                continue;
            }
            if self.state.borrow().is_over() {
                return;
            }
            // Tasks that are ready now still join this group.
            yield_now().await;
            self.gather().await;
            if let Err(error) = self.submit_next().await {
                self.fail(&error);
                return;
            }
        }
    }

    /// Lets the open group wait for those who are about to come, if that pays.
    async fn gather(&self) {
        let Some((entries, wait)) = self.state.borrow_mut().begin_gathering() else {
            return;
        };
        let enough = || self.state.borrow().wants_no_company(entries);
        // Time is up for those who did not come.
        let _gathered = timeout(now() + wait, self.work.wait_until(enough)).await;
        self.state.borrow_mut().end_gathering();
    }

    /// The journal is idle: certifies what was flushed last, or waits until there is something to
    /// write or to certify.
    async fn mark_or_wait(&self) {
        if self.state.borrow().wants_mark() {
            self.append(EntryKind::MARK, 0, true, |_| ());
            return;
        }
        let something = || {
            let state = self.state.borrow();
            state.may_submit() || state.wants_mark()
        };
        self.work.wait_until(something).await;
    }

    async fn submit_next(self: &Rc<Self>) -> io::Result<()> {
        let group = self.state.borrow_mut().take_group();
        if !self.state.borrow().has_room(group.frame_bytes()) {
            self.roll().await?;
        }
        let frame = self.state.borrow_mut().seal(group, self.disk_id, self.id);
        self.spawn(|journal| journal.write(frame));
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
                if state.unsynced && !mutant::is_active(Mutant::RollWithoutSync) {
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
        tracing::info!(shard = self.id, generation, "journal turn-over started");
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
        if self.state.borrow().in_flight == 1 {
            self.progressed.set(started);
        }
        let early = mutant::is_active(Mutant::AckBeforeFlush)
            || (mutant::is_active(Mutant::WeakBeforeWrite) && frame.flush == Flush::None);
        if early {
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
        self.state.borrow_mut().in_flight -= 1;
        self.progressed.set(now());
        if early {
            // It was completed before it was counted out.
            self.work.notify();
            self.progress.notify();
        }
        match result {
            Err(_) if mutant::is_active(Mutant::JournalErrorIgnored) => self.completed(&frame, 0),
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
        let advanced = state.complete(frame, nanos);
        drop(state);
        if frame.pos == 0 {
            tracing::info!(shard = self.id, "journal turn-over finished");
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
