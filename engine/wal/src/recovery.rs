//! Reading a journal back after any end: follow the chain from the checkpoint, never take whatever
//! valid frames lie about, and tell a torn tail from corruption.
//!
//! A journal's files form a chain: the first frame of each names the generation and checksum of
//! the frame before it. Recovery starts at the file with the highest generation, walks back to the
//! checkpoint's file, and then reads forward. What lies beyond the point where the next file says
//! the log went on is void for ever (rule 5 of the storage design).

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::path::Path;

use engine_rt::fs::{self, File, OpenOptions, READS_BEFORE_LOSS};
use engine_rt::mutant::{self, Mutant};
use engine_rt::{BLOCK_BYTES, Buf};
use thiserror::Error;

use crate::files::{JournalFile, JournalOptions, number};
use crate::frame::{FRAME_BYTES_MAX, Frame, FrameError, FrameHeader, NUMBER_MAX};

/// A point in a journal: where a frame goes, and what it links to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Generation of the file; 0 before the first file.
    pub generation: u64,
    /// Byte position in the file.
    pub pos: u64,
    /// Sequence of the next frame.
    pub sequence: u64,
    /// Checksum of the frame before.
    pub prev_crc: u32,
}

impl Position {
    /// The beginning of a journal that has never been written to.
    pub const START: Self = Self {
        generation: 0,
        pos: 0,
        sequence: 1,
        prev_crc: 0,
    };

    /// Whether a journal may be at it: [`recover`] begins at nothing else.
    pub const fn is_possible(&self) -> bool {
        self.generation <= NUMBER_MAX
            && self.pos <= NUMBER_MAX
            && self.pos.is_multiple_of(BLOCK_BYTES as u64)
            && 1 <= self.sequence
            && self.sequence <= NUMBER_MAX
    }
}

/// What recovery found.
#[derive(Debug)]
pub struct Recovered {
    /// Where the log ended: the next life links to this.
    pub end: Position,
    /// Highest sequence that any frame certifies as flushed, with its extents.
    pub flushed_mark: u64,
    /// Highest generation ever used, void files included.
    pub generation_max: u64,
    /// Bytes after the end that were not acknowledged and are void.
    pub torn: bool,
    pub(crate) used: BTreeMap<u64, JournalFile>,
    pub(crate) free: Vec<JournalFile>,
}

impl Recovered {
    /// A journal that has never been written to.
    pub fn fresh() -> Self {
        Self {
            end: Position::START,
            flushed_mark: 0,
            generation_max: 0,
            torn: false,
            used: BTreeMap::new(),
            free: Vec::new(),
        }
    }

    /// Whether no new life can begin, because every file that may exist is in use.
    pub fn is_exhausted(&self, files_max: usize) -> bool {
        self.free.is_empty() && self.used.len() >= files_max
    }

    /// Gives back every file of a generation below `generation`: a checkpoint covers them.
    pub fn release_before(&mut self, generation: u64) {
        let kept = self.used.split_off(&generation);
        let released = std::mem::replace(&mut self.used, kept);
        self.free.extend(released.into_values());
    }

    /// Makes what recovery accepted durable, before anything is promised on it (rule 4): it may
    /// have been read from a device cache that a power cut still empties. The names too, also of
    /// free files: a life that was killed may have made them.
    pub async fn make_durable(&self, dir: &Path) -> io::Result<()> {
        fs::sync_dir(dir).await?;
        for file in self.used.values() {
            file.file.sync().await?;
        }
        Ok(())
    }
}

/// Why a journal cannot be read.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A frame that was flushed is not readable: records would be lost.
    #[error("{file}: frame {sequence} at byte {pos} was flushed and is damaged now ({cause})")]
    Corrupt {
        /// The file.
        file: String,
        /// Position of the damaged frame.
        pos: u64,
        /// Its sequence.
        sequence: u64,
        /// What is wrong with it.
        cause: FrameError,
    },
    /// The file in which the checkpoint begins is not there.
    #[error("{dir}: no journal file of generation {generation}, which the checkpoint names")]
    Missing {
        /// The journal's directory.
        dir: String,
        /// The generation.
        generation: u64,
    },
    /// A frame says that more was flushed than can be reached: a checkpoint or a file was lost.
    #[error(
        "{file}: frame {flushed} was flushed, but the journal cannot be followed beyond frame \
         {reached}: the checkpoint or a journal file is damaged or lost"
    )]
    Lost {
        /// The file that says so.
        file: String,
        /// The frame that was flushed.
        flushed: u64,
        /// The last frame that was reached.
        reached: u64,
    },
    /// Written by a newer program.
    #[error("{file}: {cause}")]
    Newer {
        /// The file.
        file: String,
        /// The version found.
        cause: FrameError,
    },
}

/// How far behind a bad frame other frames are looked for: more than can be in flight.
const SCAN_AHEAD_BYTES: u64 = 8 * FRAME_BYTES_MAX as u64;

struct Head {
    file: JournalFile,
    first: Option<Frame>,
}

/// Reads the journal from `from` to its end and shows every frame on the chain to `visit`, in
/// order. Writes nothing.
pub async fn recover(
    options: &JournalOptions,
    from: Position,
    mut visit: impl FnMut(&Frame),
) -> Result<Recovered, JournalError> {
    let heads = read_heads(options).await?;
    let generation_max = heads
        .iter()
        .filter_map(|head| Some(head.first.as_ref()?.generation))
        .max()
        .unwrap_or(0);
    let generation_max = generation_max.max(from.generation);
    let (mut by_generation, mut free) = (BTreeMap::new(), Vec::new());
    for head in heads {
        match head.first {
            Some(first) => {
                let generation = if mutant::is_active(Mutant::GenerationIgnored) {
                    number(&head.file.name).unwrap_or(first.generation)
                } else {
                    first.generation
                };
                by_generation.insert(generation, (head.file, first));
            },
            None => free.push(head.file),
        }
    }
    let chain = chain_of(&by_generation, from, options)?;
    let mut walk = Walk::new(options, from);
    let mut torn = false;
    for (index, generation) in chain.iter().enumerate() {
        let next = chain.get(index + 1).map(|next| &by_generation[next].1);
        let file = &by_generation[generation].0;
        if !walk.read_file(file, *generation, next, &mut visit).await? {
            torn = true;
            walk.check_not_flushed(&by_generation, &chain[index + 1..], file)?;
            break;
        }
    }
    if let Some(last) = chain.last().filter(|_| !torn) {
        torn = walk.check_tail(&by_generation[last].0).await?;
    }
    walk.check_reach(&by_generation)?;
    let newer = (Bound::Excluded(walk.end.generation), Bound::Unbounded);
    let newer = by_generation.range(newer).map(|(_, (file, _))| file);
    walk.check_beyond(free.iter().chain(newer)).await?;
    // A file that was being made when its life was killed is made again.
    free.retain(|file| file.len >= options.smallest_file_bytes());
    let mut used = BTreeMap::new();
    for (generation, (file, _)) in by_generation {
        // Void files are free again; those before the checkpoint hold nothing that is needed.
        if chain.contains(&generation) && generation <= walk.end.generation {
            used.insert(generation, file);
        } else {
            free.push(file);
        }
    }
    Ok(Recovered {
        end: walk.end,
        flushed_mark: walk.flushed_mark,
        generation_max,
        torn,
        used,
        free,
    })
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.display().to_string();
    move |source| JournalError::Io { path, source }
}

/// How operators are told of a file.
fn path_of(file: &JournalFile, options: &JournalOptions) -> String {
    options.dir.join(&file.name).display().to_string()
}

/// Opens every file and reads its first frame.
async fn read_heads(options: &JournalOptions) -> Result<Vec<Head>, JournalError> {
    let mut heads = Vec::new();
    for name in fs::read_dir(&options.dir)
        .await
        .map_err(io_error(&options.dir))?
    {
        if number(&name).is_none() {
            continue;
        }
        let path = options.dir.join(&name);
        let file = File::open(&path, OpenOptions::default())
            .await
            .map_err(io_error(&path))?;
        let len = file.len().await.map_err(io_error(&path))?;
        let file = JournalFile { name, file, len };
        let first = match first_frame(&file, options).await? {
            Err(cause @ FrameError::Version(_)) => {
                return Err(JournalError::Newer {
                    file: path_of(&file, options),
                    cause,
                });
            },
            other => other.ok(),
        };
        heads.push(Head { file, first });
    }
    Ok(heads)
}

/// The generations from the checkpoint's file to the newest one that leads back to it.
fn chain_of(
    files: &BTreeMap<u64, (JournalFile, Frame)>,
    from: Position,
    options: &JournalOptions,
) -> Result<Vec<u64>, JournalError> {
    if mutant::is_active(Mutant::IgnoreChain) {
        return Ok(files
            .keys()
            .copied()
            .filter(|g| *g >= from.generation.max(1))
            .collect());
    }
    for newest in files.keys().rev() {
        let mut chain = vec![*newest];
        let mut at = *newest;
        while at != from.generation {
            let Some((_, first)) = files.get(&at) else {
                break;
            };
            if first.prev_generation == from.generation && from.generation == 0 {
                at = 0;
                break;
            }
            if first.prev_generation >= at {
                break;
            }
            at = first.prev_generation;
            chain.push(at);
        }
        // A file may lead back to one that is lost or damaged at its beginning.
        if at == from.generation && (at == 0 || files.contains_key(&at)) {
            chain.reverse();
            return Ok(chain);
        }
    }
    if from.generation == 0 {
        return Ok(Vec::new());
    }
    let dir = options.dir.display().to_string();
    Err(JournalError::Missing {
        dir,
        generation: from.generation,
    })
}

/// Reads the first frame: an outer error if the system refuses, an inner one if it is no frame. A read
/// may give what was there before the file was used again: of several, the newest counts.
async fn first_frame(
    file: &JournalFile,
    options: &JournalOptions,
) -> Result<Result<Frame, FrameError>, JournalError> {
    let mut window = Window::new(file);
    window.reads_again = true;
    let mut newest: Result<Frame, _> = Err(FrameError::Missing);
    for _ in 0..READS_BEFORE_LOSS {
        let frame = window.frame_at(0, options).await?;
        let is_newer = match (&newest, &frame) {
            (Ok(newest), Ok(frame)) => newest.generation < frame.generation,
            (newest, _) => newest.is_err(),
        };
        if is_newer {
            newest = frame;
        }
    }
    Ok(newest)
}

/// Reads a file in large steps.
struct Window<'a> {
    file: &'a JournalFile,
    start: u64,
    bytes: Buf,
    /// Take nothing from memory, and read no more than is asked for.
    reads_again: bool,
}

impl<'a> Window<'a> {
    fn new(file: &'a JournalFile) -> Self {
        Self {
            file,
            start: 0,
            bytes: Buf::new(),
            reads_again: false,
        }
    }

    /// `len` bytes at `pos`, or fewer at the end of the file.
    async fn bytes_at(
        &mut self,
        pos: u64,
        len: usize,
        options: &JournalOptions,
    ) -> Result<Buf, JournalError> {
        let covered = pos >= self.start && pos + len as u64 <= self.start + self.bytes.len() as u64;
        if !covered || self.reads_again {
            let want = match len {
                _ if self.reads_again => len,
                0..=BLOCK_BYTES => FRAME_BYTES_MAX / 4,
                _ => FRAME_BYTES_MAX,
            };
            let left = self.file.len.saturating_sub(pos) as usize;
            let take = want.min(left).next_multiple_of(BLOCK_BYTES);
            self.bytes =
                match take {
                    0 => Buf::new(),
                    _ => self.file.file.read_at(pos, take).await.map_err(|source| {
                        JournalError::Io {
                            path: format!("{}, byte {pos}", path_of(self.file, options)),
                            source,
                        }
                    })?,
                };
            self.start = pos;
        }
        let from = (pos - self.start) as usize;
        let to = (from + len).min(self.bytes.len());
        Ok(self.bytes.slice(from.min(to)..to))
    }

    async fn frame_at(
        &mut self,
        pos: u64,
        options: &JournalOptions,
    ) -> Result<Result<Frame, FrameError>, JournalError> {
        let first = self.bytes_at(pos, BLOCK_BYTES, options).await?;
        let header = match FrameHeader::decode(&first, options.disk_id, options.journal_id) {
            Ok(header) => header,
            Err(error) => return Ok(Err(error)),
        };
        let bytes = self.bytes_at(pos, header.frame_bytes(), options).await?;
        Ok(Frame::decode(&header, &bytes))
    }
}

/// The forward walk along the chain.
struct Walk<'a> {
    options: &'a JournalOptions,
    end: Position,
    flushed_mark: u64,
    cause: FrameError,
}

impl<'a> Walk<'a> {
    fn new(options: &'a JournalOptions, from: Position) -> Self {
        Self {
            options,
            end: from,
            flushed_mark: 0,
            cause: FrameError::Missing,
        }
    }

    /// Reads one file to the point where `next` goes on, or to its last good frame. False if the
    /// point was not reached.
    async fn read_file(
        &mut self,
        file: &JournalFile,
        generation: u64,
        next: Option<&Frame>,
        visit: &mut impl FnMut(&Frame),
    ) -> Result<bool, JournalError> {
        let mut window = Window::new(file);
        if self.end.generation != generation {
            self.end.pos = 0;
        }
        let ignore_chain = mutant::is_active(Mutant::IgnoreChain);
        loop {
            if !ignore_chain && next.is_some_and(|next| self.reaches(generation, next)) {
                return Ok(true);
            }
            let frame = match self.next_frame(&mut window, generation).await? {
                Ok(frame) => frame,
                Err(_) if ignore_chain && self.end.pos < file.len => {
                    self.end.pos += BLOCK_BYTES as u64;
                    continue;
                },
                Err(cause) => return Ok(self.stop_at(cause, next)),
            };
            self.flushed_mark = self.flushed_mark.max(frame.flushed_mark);
            visit(&frame);
            let bytes = frame.frame_bytes();
            self.end = Position {
                generation,
                pos: self.end.pos + bytes,
                sequence: frame.sequence + 1,
                prev_crc: frame.crc,
            };
        }
    }

    /// The next frame of the chain. Where there is none the log ends, and what lies behind is void:
    /// that is not decided on one read.
    async fn next_frame(
        &self,
        window: &mut Window<'_>,
        generation: u64,
    ) -> Result<Result<Frame, FrameError>, JournalError> {
        let mut cause = FrameError::Missing;
        for read in 0..READS_BEFORE_LOSS {
            window.reads_again = read > 0;
            let frame = window.frame_at(self.end.pos, self.options).await?;
            window.reads_again = false;
            match frame {
                Ok(frame) if self.follows(&frame, generation) => return Ok(Ok(frame)),
                Ok(_) => cause = FrameError::Missing,
                Err(error) => cause = error,
            }
        }
        Ok(Err(cause))
    }

    fn stop_at(&mut self, cause: FrameError, next: Option<&Frame>) -> bool {
        self.cause = cause;
        next.is_none() || mutant::is_active(Mutant::IgnoreChain)
    }

    /// Whether the log went on in `next` from exactly here.
    fn reaches(&self, generation: u64, next: &Frame) -> bool {
        self.end.generation == generation
            && next.prev_generation == generation
            && next.sequence == self.end.sequence
            && next.prev_crc == self.end.prev_crc
    }

    /// Whether `frame` is the next one of the chain.
    fn follows(&self, frame: &Frame, generation: u64) -> bool {
        if mutant::is_active(Mutant::IgnoreChain) {
            return frame.generation == generation;
        }
        let generation_fits =
            frame.generation == generation || mutant::is_active(Mutant::GenerationIgnored);
        let linked =
            frame.prev_crc == self.end.prev_crc && frame.prev_generation == self.end.generation;
        generation_fits && frame.sequence == self.end.sequence && linked
    }

    /// The newest file stops being readable here: looks at what lies behind. True if frames of
    /// this life do, torn from the log; an error if one of them certifies the gap as flushed.
    async fn check_tail(&self, file: &JournalFile) -> Result<bool, JournalError> {
        let mut window = Window::new(file);
        let mut torn = false;
        for step in 1..=SCAN_AHEAD_BYTES / BLOCK_BYTES as u64 {
            let pos = self.end.pos + step * BLOCK_BYTES as u64;
            let Ok(frame) = window.frame_at(pos, self.options).await? else {
                continue;
            };
            if frame.generation != self.end.generation || frame.sequence < self.end.sequence {
                continue;
            }
            torn = true;
            if frame.flushed_mark >= self.end.sequence {
                return Err(self.corrupt(file));
            }
        }
        Ok(torn)
    }

    /// The log stops before a later file says it did. That is a torn tail if nothing behind the
    /// gap was certified as flushed, and corruption otherwise.
    fn check_not_flushed(
        &self,
        files: &BTreeMap<u64, (JournalFile, Frame)>,
        later: &[u64],
        file: &JournalFile,
    ) -> Result<(), JournalError> {
        let certified = later.iter().any(|generation| {
            let first = &files[generation].1;
            first.life_start || first.flushed_mark >= self.end.sequence
        });
        if !certified {
            return Ok(());
        }
        Err(self.corrupt(file))
    }

    /// Files off the chain are older than the checkpoint or void: what they certify as flushed
    /// was reached. Without a checkpoint they may be all that is left of a journal whose begin
    /// was written over.
    fn check_reach(&self, files: &BTreeMap<u64, (JournalFile, Frame)>) -> Result<(), JournalError> {
        if mutant::is_active(Mutant::IgnoreChain) {
            return Ok(());
        }
        let furthest = files.values().max_by_key(|(_, first)| first.flushed_mark);
        match furthest {
            Some((file, first)) if first.flushed_mark >= self.end.sequence => {
                Err(self.lost(file, first.flushed_mark))
            },
            _ => Ok(()),
        }
    }

    /// Looks into files that the chain does not lead to. A newer one was begun before the end was
    /// flushed. One without a first frame was never used, or is about to be used again. So nothing
    /// in them certifies more than was reached, unless that was damaged.
    async fn check_beyond(
        &self,
        files: impl Iterator<Item = &JournalFile>,
    ) -> Result<(), JournalError> {
        if mutant::is_active(Mutant::IgnoreChain) {
            return Ok(());
        }
        for file in files {
            let mut window = Window::new(file);
            for pos in (0..SCAN_AHEAD_BYTES.min(file.len)).step_by(BLOCK_BYTES) {
                let frame = window.frame_at(pos, self.options).await?;
                if let Ok(frame) = frame
                    && frame.flushed_mark >= self.end.sequence
                {
                    return Err(self.lost(file, frame.flushed_mark));
                }
            }
        }
        Ok(())
    }

    fn lost(&self, file: &JournalFile, flushed: u64) -> JournalError {
        JournalError::Lost {
            file: path_of(file, self.options),
            flushed,
            reached: self.end.sequence - 1,
        }
    }

    fn corrupt(&self, file: &JournalFile) -> JournalError {
        JournalError::Corrupt {
            file: path_of(file, self.options),
            pos: self.end.pos,
            sequence: self.end.sequence,
            cause: self.cause,
        }
    }
}
