//! The files of the metadata log: two copies, the same frames at the same places.
//!
//! A frame is durable in both copies before the next is written and before anybody sees it (rule
//! 17). After an error no further frame is written in this life: what became of the one in flight
//! is found out by the next start, which takes it from whichever copy has it whole.

use std::io;
use std::path::{Path, PathBuf};

use cluster_meta::log::{Chosen, Copy, LogError, Tail, encode_frame, reconcile};
use cluster_meta::{Record, State};
use engine_rt::fs::{self, Durability, File, OpenOptions, READS_BEFORE_LOSS};
use engine_rt::mutant::{self, Mutant};
use engine_rt::{BLOCK_BYTES, Buf, spawn};
use thiserror::Error;

use crate::block;

/// Bytes read at a time when the log is opened.
const READ_BYTES: usize = 1 << 20;

/// Why the metadata log cannot be opened.
#[derive(Debug, Error)]
pub enum LogOpenError {
    /// Its copies are damaged, differ, or are of a newer version.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What was put right when the log was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Names of copies that were written again from the other one.
    pub copies: Vec<String>,
    /// Whether a frame that was being written at the last stop was cut off.
    pub torn: bool,
}

/// The two files, open for appending.
#[derive(Debug)]
pub(crate) struct Log {
    dir: PathBuf,
    files: [File; 2],
    tail: Tail,
    /// Where the snapshot at the start of the files ends.
    snapshot_end: u64,
    failed: Option<io::ErrorKind>,
}

/// A log that was found.
pub(crate) struct Existing {
    pub(crate) log: Log,
    pub(crate) records: Vec<Record>,
    pub(crate) repaired: Repaired,
}

fn paths(dir: &Path) -> [PathBuf; 2] {
    ["a.log", "b.log"].map(|name| dir.join(name))
}

impl Log {
    /// Begins a log, over whatever is in its place. `dir` exists.
    pub(crate) async fn create(dir: &Path, state: &State) -> io::Result<Self> {
        let (bytes, tail) = encode_frame(Tail::START, &state.snapshot());
        let bytes = Buf::copy_from_slice(&bytes);
        for path in paths(dir) {
            block::replace(&path, bytes.clone()).await?;
        }
        fs::sync_dir(dir).await?;
        Self::at(dir, tail, tail.offset).await
    }

    /// Opens the log in `dir`; none if neither copy was ever written.
    pub(crate) async fn open(dir: &Path) -> Result<Option<Existing>, LogOpenError> {
        let [path_a, path_b] = paths(dir);
        let Some((chosen, first)) = choose(&path_a, &path_b).await? else {
            return Ok(None);
        };
        let mut repaired = Repaired {
            copies: Vec::new(),
            torn: chosen.torn,
        };
        for copy in &chosen.repair {
            let path = if *copy == Copy::A { &path_a } else { &path_b };
            block::replace(path, Buf::copy_from_slice(&chosen.image)).await?;
            repaired.copies.push(path.display().to_string());
        }
        fs::sync_dir(dir).await?;
        let snapshot_end = first_frame_bytes(if chosen.image.is_empty() {
            &first
        } else {
            &chosen.image
        });
        let log = Self::at(dir, chosen.tail, snapshot_end).await?;
        log.cut().await?;
        Ok(Some(Existing {
            log,
            records: chosen.records,
            repaired,
        }))
    }

    async fn at(dir: &Path, tail: Tail, snapshot_end: u64) -> io::Result<Self> {
        let [a, b] = paths(dir);
        let options = OpenOptions::default();
        Ok(Self {
            dir: dir.to_owned(),
            files: [
                File::open(&a, options).await?,
                File::open(&b, options).await?,
            ],
            tail,
            snapshot_end,
            failed: None,
        })
    }

    /// Cuts off what an unfinished frame left behind the end, and makes durable what was found:
    /// it is acted on from here on (rule 4).
    async fn cut(&self) -> io::Result<()> {
        for file in &self.files {
            if file.len().await? > self.tail.offset {
                file.set_len(self.tail.offset).await?;
            }
            file.sync().await?;
        }
        Ok(())
    }

    /// The sequence of the next frame.
    pub(crate) fn sequence(&self) -> u64 {
        self.tail.sequence
    }

    /// Appends one frame; durable in both copies on return.
    pub(crate) async fn append(&mut self, records: &[Record]) -> io::Result<()> {
        self.check()?;
        let (bytes, next) = encode_frame(self.tail, records);
        let bytes = Buf::copy_from_slice(&bytes);
        let written = self.write_both(bytes).await;
        match &written {
            Ok(()) => self.tail = next,
            Err(error) => self.failed = Some(error.kind()),
        }
        written
    }

    pub(crate) fn check(&self) -> io::Result<()> {
        self.failed.map_or(Ok(()), |kind| Err(kind.into()))
    }

    async fn write_both(&self, bytes: Buf) -> io::Result<()> {
        let pos = self.tail.offset;
        let [a, b] = self.files.clone();
        if mutant::is_active(Mutant::MetadataOnce) {
            return a.write_at(pos, bytes, Durability::Durable).await;
        }
        let copy = bytes.clone();
        let second = spawn(async move { b.write_at(pos, copy, Durability::Durable).await });
        let first = a.write_at(pos, bytes, Durability::Durable).await;
        // Both have ended when this returns: no write of a failed frame is on its way still.
        let second = second.await;
        first.and(second)
    }

    /// Whether the changes since the last snapshot take so much room that it is time for another.
    pub(crate) fn has_grown(&self, bytes_min: u64) -> bool {
        let changes = self.tail.offset - self.snapshot_end;
        changes >= bytes_min.max(2 * self.snapshot_end)
    }

    /// Begins the next generation: the state as a snapshot, whole and flushed before it takes the
    /// old files' names. An error before that leaves the old generation in service.
    pub(crate) async fn begin_generation(&mut self, state: &State) -> io::Result<()> {
        self.check()?;
        let (bytes, tail) = encode_frame(self.tail.next_generation(), &state.snapshot());
        let bytes = Buf::copy_from_slice(&bytes);
        let mut renames = Vec::new();
        for path in paths(&self.dir) {
            renames.push((block::write_aside(&path, bytes.clone()).await?, path));
        }
        match self.switch(renames, tail).await {
            Ok(next) => *self = next,
            // The names may lead to either generation.
            Err(error) => {
                self.failed = Some(error.kind());
                return Err(error);
            },
        }
        Ok(())
    }

    async fn switch(&self, renames: Vec<(PathBuf, PathBuf)>, tail: Tail) -> io::Result<Self> {
        for (from, to) in renames {
            fs::rename(&from, &to).await?;
        }
        fs::sync_dir(&self.dir).await?;
        Self::at(&self.dir, tail, tail.offset).await
    }
}

/// Bytes that the frame at the start of these takes, by reading it alone.
fn first_frame_bytes(log: &[u8]) -> u64 {
    let found = cluster_meta::log::scan(log);
    let second = found.frames.get(1).map(|frame| frame.offset);
    second.unwrap_or(found.tail.offset)
}

/// One of the copies as it was read.
#[derive(Default)]
struct CopyRead {
    /// Zeros where it cannot be read.
    bytes: Vec<u8>,
    /// The last block that cannot be read, and why.
    unreadable: Option<(u64, io::Error)>,
}

/// What the two copies say together, and the bytes of the first; none if neither was ever written.
/// What is behind the end is cut and a copy that lacks something is written again: unless the copies
/// are the same and end with their files, that is not decided on one read.
async fn choose(a: &Path, b: &Path) -> Result<Option<(Chosen, Vec<u8>)>, LogOpenError> {
    let mut best: Result<Option<(Chosen, Vec<u8>)>, LogOpenError> = Ok(None);
    for read in 0..READS_BEFORE_LOSS {
        let (a, b) = (read_all(a).await?, read_all(b).await?);
        let ends = [a.bytes.len() as u64, b.bytes.len() as u64];
        let found = judge(a, b);
        let end_of = |found: &Result<Option<(Chosen, _)>, _>| match found {
            Ok(Some((chosen, _))) => Some((chosen.tail.generation, chosen.tail.sequence)),
            _ => None,
        };
        let settled = match &found {
            Ok(Some((chosen, _))) => {
                chosen.repair.is_empty() && ends.iter().all(|end| *end == chosen.tail.offset)
            },
            Ok(None) => ends == [0, 0],
            Err(_) => false,
        };
        if read == 0 || end_of(&best) < end_of(&found) {
            best = found;
        }
        if settled {
            break;
        }
    }
    best
}

/// A frame that only one copy has counts. One that neither can read may have been acknowledged.
fn judge(a: CopyRead, b: CopyRead) -> Result<Option<(Chosen, Vec<u8>)>, LogOpenError> {
    let chosen = reconcile(&a.bytes, &b.bytes)?;
    let end = chosen.as_ref().map_or(0, |chosen| chosen.tail.offset);
    match (a.unreadable, b.unreadable) {
        (Some((at, error)), Some((other, _))) if end <= at && end <= other => Err(error.into()),
        _ => Ok(chosen.map(|chosen| (chosen, a.bytes))),
    }
}

/// A whole file; nothing if there is none.
async fn read_all(path: &Path) -> io::Result<CopyRead> {
    if !fs::exists(path).await? {
        return Ok(CopyRead::default());
    }
    let options = OpenOptions {
        read_only: true,
        ..OpenOptions::default()
    };
    let file = File::open(path, options).await?;
    let len = file.len().await? as usize;
    let mut read = CopyRead {
        bytes: Vec::with_capacity(len),
        unreadable: None,
    };
    while read.bytes.len() < len {
        let pos = read.bytes.len() as u64;
        // Reads begin at whole blocks: each but the last one ends at one.
        let want = (len - read.bytes.len()).next_multiple_of(BLOCK_BYTES);
        let piece = match file.read_at(pos, want.min(READ_BYTES)).await {
            Ok(piece) => piece.to_vec(),
            Err(_) => read_blocks(&file, pos, want.min(READ_BYTES), &mut read.unreadable).await,
        };
        if piece.is_empty() {
            break;
        }
        read.bytes.extend_from_slice(&piece);
    }
    read.bytes.truncate(len);
    Ok(read)
}

/// Reads block by block, with zeros for those that cannot be read.
async fn read_blocks(
    file: &File,
    pos: u64,
    len: usize,
    unreadable: &mut Option<(u64, io::Error)>,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len);
    for at in (pos..pos + len as u64).step_by(BLOCK_BYTES) {
        match file.read_at(at, BLOCK_BYTES).await {
            Ok(block) => bytes.extend_from_slice(&block),
            Err(error) => {
                bytes.resize(bytes.len() + BLOCK_BYTES, 0);
                *unreadable = Some((at, error));
            },
        }
    }
    bytes
}
