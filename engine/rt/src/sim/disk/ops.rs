//! Operations on their way: submitted, not ended, maybe without anybody who waits for them.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;

use super::State;
use super::block::{BLOCK, Block, block_from};
use super::content::Snapshot;
use super::file::{FileNode, OpenFile};
use super::kinds::{DiskOp, error_of};
use crate::buf::{BLOCK_BYTES, Buf, BufMut};
use crate::sim::context::Context;
use crate::sim::events::EventKey;
use crate::sim::faults::{Effect, Struck};
use crate::sim::prng::Prng;
use crate::sim::reply::{Answer, Reply};

pub(super) struct InFlight {
    pub(super) context: Rc<Context>,
    pub(super) op: DiskOp,
    pub(super) path: PathBuf,
    pub(super) bytes: Option<Range<u64>>,
    pub(super) work: Work,
    pub(super) struck: Option<Struck>,
    pub(super) event: EventKey,
}

/// What happens at the end of an operation, unless it fails as given.
type Call = Box<dyn FnOnce(&mut State, &mut Prng, Option<io::Error>)>;

pub(crate) enum Work {
    Write(WriteOp),
    Read(ReadOp),
    Sync(SyncOp),
    /// Everything else happens at once when it ends, or fails as given.
    Call(Call),
}

pub(crate) struct WriteOp {
    file: Rc<OpenFile>,
    pos: u64,
    buf: Buf,
    durable: bool,
    /// Cells that a reader has already seen written.
    seen: BTreeSet<u64>,
    /// Cells that will not be written: the process was killed, or a fault struck.
    skipped: BTreeSet<u64>,
    /// Where a fault makes it land instead.
    elsewhere: Option<(Rc<FileNode>, u64)>,
    answer: Answer<io::Result<()>>,
}

pub(crate) struct ReadOp {
    file: Rc<OpenFile>,
    pos: u64,
    len: usize,
    then: Box<dyn FnOnce(io::Result<Buf>)>,
}

pub(crate) struct SyncOp {
    file: Rc<OpenFile>,
    snapshot: Snapshot,
    answer: Answer<io::Result<()>>,
}

impl Work {
    /// The bytes of the file that it touches, if it touches some only.
    pub(super) fn bytes(&self) -> Option<Range<u64>> {
        match self {
            Self::Write(write) => Some(write.pos..write.end()),
            Self::Read(read) => Some(read.pos..read.pos + read.len as u64),
            Self::Sync(_) | Self::Call(_) => None,
        }
    }

    /// What an effect decides at the beginning; what there is to say of it.
    pub(super) fn be_struck(&mut self, state: &State, struck: &mut Struck) -> Option<String> {
        match self {
            Self::Write(write) => write.be_struck(state, struck),
            _ => None,
        }
    }
}

impl WriteOp {
    pub(crate) fn new(
        file: &Rc<OpenFile>,
        pos: u64,
        buf: Buf,
        durable: bool,
        answer: Answer<io::Result<()>>,
    ) -> Self {
        let (seen, skipped) = (BTreeSet::new(), BTreeSet::new());
        Self {
            file: Rc::clone(file),
            pos,
            buf,
            durable,
            seen,
            skipped,
            elsewhere: None,
            answer,
        }
    }

    fn cells(&self) -> Range<u64> {
        self.pos / BLOCK..(self.pos + self.buf.len() as u64) / BLOCK
    }

    fn block(&self, index: u64) -> Block {
        let start = (index * BLOCK - self.pos) as usize;
        block_from(&self.buf[start..start + BLOCK_BYTES])
    }

    fn end(&self) -> u64 {
        self.pos + self.buf.len() as u64
    }

    /// What a fault decides before the write begins; what there is to say of it.
    fn be_struck(&mut self, state: &State, struck: &mut Struck) -> Option<String> {
        match struck.effect {
            Effect::FlipBit => {
                let (wrong, which) = flip_bit(&self.buf, &mut struck.prng);
                self.buf = wrong;
                return Some(which);
            },
            Effect::Misdirect => {
                self.skipped = self.cells().collect();
                let (path, file, block) = state.draw_place(&mut struck.prng)?;
                self.elsewhere = Some((file, block));
                return Some(format!("it lands in {path} at {}", block * BLOCK));
            },
            Effect::Lose => self.skipped = self.cells().collect(),
            Effect::NotDurable => self.durable = false,
            _ => {},
        }
        None
    }

    /// The first part of a write that is done in two: what is done and ends now, and what is left.
    pub(super) fn split(self, prng: &mut Prng) -> (Option<Self>, Self) {
        let blocks = self.buf.len() / BLOCK_BYTES;
        if blocks < 2 {
            return (None, self);
        }
        let at = (1 + prng.index(blocks - 1)) * BLOCK_BYTES;
        let (nobody, _) = Reply::new();
        let first = Self {
            file: Rc::clone(&self.file),
            buf: self.buf.slice(..at),
            seen: self.seen.clone(),
            skipped: self.skipped.clone(),
            elsewhere: None,
            answer: nobody,
            ..self
        };
        let rest = Self {
            pos: self.pos + at as u64,
            buf: self.buf.slice(at..),
            ..self
        };
        (Some(first), rest)
    }

    /// Ends the write as the device and the file system do.
    pub(super) fn end_with(mut self, room: u64, prng: &mut Prng, effect: Option<Effect>) {
        let (pos, len) = (self.pos, self.buf.len() as u64);
        let failure = effect.and_then(error_of);
        let reserved = self.file.node.reserve(pos, len, room);
        let result = match (reserved, failure) {
            (Err(full), _) => Err(full),
            (Ok(()), Some(error)) => {
                self.skip_some(prng);
                self.durable = false;
                self.apply();
                Err(error)
            },
            (Ok(()), None) => {
                self.apply();
                self.land_elsewhere();
                Ok(())
            },
        };
        self.answer.send(result);
    }

    /// Writes the blocks to another place, as far as there is one.
    fn land_elsewhere(&self) {
        let Some((file, first)) = &self.elsewhere else {
            return;
        };
        let mut content = file.content.borrow_mut();
        let there = *first..content.len() / BLOCK;
        for (index, own) in there.zip(self.cells()) {
            let block = self.block(own);
            content.write(index, block.clone());
            if self.durable {
                content.harden(index, block);
            }
        }
    }

    fn apply(&self) {
        let mut content = self.file.node.content.borrow_mut();
        content.grow(self.end());
        if self.durable {
            content.harden_size(self.end());
        }
        for index in self.cells().filter(|index| !self.skipped.contains(index)) {
            let block = self.block(index);
            if !self.seen.contains(&index) {
                content.write(index, block.clone());
            }
            if self.durable {
                content.harden(index, block);
            }
        }
    }

    /// Some of the cells will not be written.
    pub(super) fn skip_some(&mut self, prng: &mut Prng) {
        self.skipped
            .extend((self.pos / BLOCK..self.end() / BLOCK).filter(|_| prng.coin()));
    }

    /// A reader looks at `cells` while they are being written: it sees any of them old or new, and
    /// so does everybody after it.
    pub(super) fn be_seen(&mut self, node: &FileNode, cells: &Range<u64>, prng: &mut Prng) {
        if !std::ptr::eq(Rc::as_ptr(&self.file.node), node) {
            return;
        }
        let own = self.cells();
        for index in own.start.max(cells.start)..own.end.min(cells.end) {
            let settled = self.seen.contains(&index) || self.skipped.contains(&index);
            if !settled && prng.coin() {
                node.content.borrow_mut().write(index, self.block(index));
                self.seen.insert(index);
            }
        }
    }

    /// The power fails in the middle of the write. What is written is as volatile as the rest.
    pub(super) fn be_cut(mut self, room: u64, prng: &mut Prng) {
        let (pos, len) = (self.pos, self.buf.len() as u64);
        let reserved = self.file.node.reserve(pos, len, room);
        self.durable = false;
        self.skip_some(prng);
        if reserved.is_ok() {
            self.apply();
        }
    }
}

impl SyncOp {
    pub(crate) fn new(file: &Rc<OpenFile>, answer: Answer<io::Result<()>>) -> Self {
        let snapshot = file.node.content.borrow_mut().snapshot();
        Self {
            file: Rc::clone(file),
            snapshot,
            answer,
        }
    }

    pub(super) fn end_with(self, prng: &mut Prng, effect: Option<Effect>) {
        let mut content = self.file.node.content.borrow_mut();
        let result = if let Some(error) = effect.and_then(error_of) {
            content.fail(self.snapshot, prng);
            Err(error)
        } else {
            if effect != Some(Effect::NotDurable) {
                content.commit(self.snapshot);
            }
            Ok(())
        };
        self.answer.send(result);
    }
}

impl ReadOp {
    pub(crate) fn new(
        file: &Rc<OpenFile>,
        pos: u64,
        len: usize,
        then: impl FnOnce(io::Result<Buf>) + 'static,
    ) -> Self {
        Self {
            file: Rc::clone(file),
            pos,
            len,
            then: Box::new(then),
        }
    }

    pub(super) fn end_with(self, state: &mut State, prng: &mut Prng, struck: Option<Struck>) {
        let Self {
            file,
            pos,
            len,
            then,
        } = self;
        let read = state.read(&file, pos, len, prng);
        then(match struck {
            None => read,
            Some(mut struck) => match (error_of(struck.effect), struck.effect) {
                (Some(error), _) => Err(error),
                (None, Effect::FlipBit) => read.map(|bytes| flip_bit(&bytes, &mut struck.prng).0),
                (None, Effect::Stale) => {
                    read.map(|bytes| file.make_stale(pos, &bytes, &mut struck.prng))
                },
                _ => read,
            },
        });
    }
}

/// The bytes with one bit wrong, and which.
fn flip_bit(bytes: &Buf, prng: &mut Prng) -> (Buf, String) {
    let mut wrong = BufMut::with_capacity(bytes.len());
    wrong.copy_from_slice(bytes);
    let (at, bit) = (prng.index(wrong.len()), prng.below(8));
    if let Some(byte) = wrong.get_mut(at) {
        *byte ^= 1 << bit;
    }
    (wrong.freeze(), format!("bit {bit} of byte {at}"))
}
