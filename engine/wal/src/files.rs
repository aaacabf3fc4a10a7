//! The journal's files: zeroed ahead of need, used in turn, recycled.
//!
//! A direct, durable overwrite of written extents costs one device flush and no commit of the file
//! system's own journal; appending or writing into unwritten extents costs both. So files are
//! filled with zeros before their first use and never change their size.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use engine_rt::fs::{self, Durability, File, OpenOptions};
use engine_rt::mutant::{self, Mutant};
use engine_rt::{BLOCK_BYTES, BufMut, Event};

use crate::frame::{DiskId, FRAME_BYTES_MAX};

/// How a journal is laid out.
#[derive(Clone, Debug)]
pub struct JournalOptions {
    /// Directory of this journal; it exists.
    pub dir: PathBuf,
    /// The data directory's identity, in every frame.
    pub disk_id: DiskId,
    /// The shard that owns the journal, in every frame.
    pub journal_id: u32,
    /// Size of a file in bytes, a multiple of 4 KiB and at least one largest frame.
    pub file_bytes: u64,
    /// Size of the first file ever made, small so that a first start does not wait for zeros.
    pub first_file_bytes: u64,
    /// Files that may exist at once; appends wait when all are in use.
    pub files_max: usize,
}

/// Smallest journal file.
const FILE_BYTES_MIN: u64 = 16 * BLOCK_BYTES as u64;

impl JournalOptions {
    /// Largest frame: two fit in a file.
    pub const fn frame_bytes_max(&self) -> usize {
        let half = (self.file_bytes / 2) as usize;
        let half = half - half % BLOCK_BYTES;
        if half < FRAME_BYTES_MAX {
            half
        } else {
            FRAME_BYTES_MAX
        }
    }

    /// Size of the first file: room for two frames at least.
    fn first_bytes(&self) -> u64 {
        self.first_file_bytes.max(2 * self.frame_bytes_max() as u64)
    }

    /// No file that is ready for use is smaller.
    pub(crate) fn smallest_file_bytes(&self) -> u64 {
        self.first_bytes().min(self.file_bytes)
    }
}

/// One journal file.
#[derive(Clone, Debug)]
pub(crate) struct JournalFile {
    pub name: String,
    pub file: File,
    pub len: u64,
}

/// All files of one journal, free and used.
#[derive(Debug)]
pub struct JournalFiles {
    options: JournalOptions,
    free: RefCell<VecDeque<JournalFile>>,
    used: RefCell<BTreeMap<u64, JournalFile>>,
    next_number: Cell<u64>,
    changed: Event,
    stopped: Cell<bool>,
}

/// Bytes of zeros written at a time when a file is made.
const ZERO_CHUNK_BYTES: usize = 1 << 20;

impl JournalFiles {
    pub(crate) fn new(
        options: JournalOptions,
        used: BTreeMap<u64, JournalFile>,
        free: Vec<JournalFile>,
    ) -> Rc<Self> {
        assert!(
            options.file_bytes >= FILE_BYTES_MIN,
            "journal files are too small"
        );
        assert!(
            options.files_max >= 2,
            "a journal needs two files to turn over"
        );
        let number_of = |file: &JournalFile| number(&file.name).unwrap_or(0);
        let highest = used.values().chain(&free).map(number_of).max().unwrap_or(0);
        Rc::new(Self {
            options,
            free: RefCell::new(free.into()),
            used: RefCell::new(used),
            next_number: Cell::new(highest + 1),
            changed: Event::new(),
            stopped: Cell::new(false),
        })
    }

    /// Takes a free file for `generation`, waiting until there is one; an error once the journal has
    /// failed.
    pub(crate) async fn take(&self, generation: u64) -> io::Result<JournalFile> {
        if self.total() == 0 {
            let first = self.create(self.options.first_bytes()).await?;
            self.free.borrow_mut().push_back(first);
        }
        self.changed
            .wait_until(|| !self.free.borrow().is_empty() || self.stopped.get())
            .await;
        let free = self.free.borrow_mut().pop_front();
        let file = free.ok_or_else(|| io::Error::other("the journal has ended"))?;
        self.used.borrow_mut().insert(generation, file.clone());
        self.changed.notify();
        Ok(file)
    }

    /// Gives back every file of a generation below `generation`: nothing in it is needed any more.
    pub fn release_before(&self, generation: u64) {
        let mut used = self.used.borrow_mut();
        let kept = used.split_off(&generation);
        let released = std::mem::replace(&mut *used, kept);
        drop(used);
        if !released.is_empty() {
            self.free.borrow_mut().extend(released.into_values());
            self.changed.notify();
        }
    }

    /// Flushes the file of a generation in use.
    pub(crate) async fn sync(&self, generation: u64) -> io::Result<()> {
        let file = self.used.borrow().get(&generation).cloned();
        match file {
            Some(file) => file.file.sync().await,
            None => Ok(()),
        }
    }

    /// Generations in use, oldest first.
    pub fn used_generations(&self) -> Vec<u64> {
        self.used.borrow().keys().copied().collect()
    }

    /// Share of the journal's room that is in use, 0 to 1: what a checkpoint is hurried by.
    pub fn used_share(&self) -> f64 {
        self.used.borrow().len() as f64 / self.options.files_max as f64
    }

    /// Keeps one zeroed file ready until [`JournalFiles::stop`].
    pub(crate) async fn prepare_ahead(self: Rc<Self>) -> io::Result<()> {
        loop {
            self.changed
                .wait_until(|| self.stopped.get() || self.wants_file())
                .await;
            if self.stopped.get() {
                return Ok(());
            }
            let file = self.create(self.options.file_bytes).await?;
            self.free.borrow_mut().push_back(file);
            self.changed.notify();
        }
    }

    pub(crate) fn stop(&self) {
        self.stopped.set(true);
        self.changed.notify();
    }

    fn wants_file(&self) -> bool {
        self.free.borrow().is_empty() && self.total() < self.options.files_max
    }

    fn total(&self) -> usize {
        self.free.borrow().len() + self.used.borrow().len()
    }

    /// Makes a file of `len` zeros whose bytes, size and name are durable.
    async fn create(&self, len: u64) -> io::Result<JournalFile> {
        let name = format!(
            "{:08}.journal",
            self.next_number.replace(self.next_number.get() + 1)
        );
        let path = self.options.dir.join(&name);
        let file = File::open(
            &path,
            OpenOptions {
                create: true,
                ..OpenOptions::default()
            },
        )
        .await?;
        let len = len.next_multiple_of(BLOCK_BYTES as u64);
        file.allocate(0, len).await?;
        let zeros = BufMut::zeroed(ZERO_CHUNK_BYTES).freeze();
        let mut pos = 0;
        while pos < len {
            let chunk = zeros.slice(0..ZERO_CHUNK_BYTES.min((len - pos) as usize));
            pos += chunk.len() as u64;
            file.write_at(pos - chunk.len() as u64, chunk, Durability::Volatile)
                .await?;
        }
        file.sync().await?;
        if !mutant::is_active(Mutant::JournalNameVolatile) {
            fs::sync_dir(&self.options.dir).await?;
        }
        Ok(JournalFile { name, file, len })
    }
}

/// The number in a journal file's name.
pub(crate) fn number(name: &str) -> Option<u64> {
    name.strip_suffix(".journal")?.parse().ok()
}
