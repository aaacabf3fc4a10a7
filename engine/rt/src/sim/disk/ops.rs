//! Operations on their way: submitted, not ended, maybe without anybody who waits for them.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;

use super::State;
use super::content::{BLOCK, Block, Snapshot, block_from};
use super::faults::DiskOp;
use super::file::{FileNode, OpenFile};
use crate::buf::{BLOCK_BYTES, Buf};
use crate::sim::context::Context;
use crate::sim::events::EventKey;
use crate::sim::prng::Prng;
use crate::sim::reply::Answer;

pub(super) struct InFlight {
    pub(super) context: Rc<Context>,
    pub(super) op: DiskOp,
    pub(super) path: PathBuf,
    pub(super) work: Work,
    pub(super) event: EventKey,
}

/// What happens at the end of an operation, unless it fails as given.
type Call = Box<dyn FnOnce(&mut State, &mut Prng, Option<io::Error>)>;

pub(crate) enum Work {
    Write(WriteOp),
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
    /// Cells that will not be written: the process was killed.
    skipped: BTreeSet<u64>,
    answer: Answer<io::Result<()>>,
}

pub(crate) struct SyncOp {
    file: Rc<OpenFile>,
    snapshot: Snapshot,
    answer: Answer<io::Result<()>>,
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

    /// Ends the write as the device and the file system do.
    pub(super) fn end_with(mut self, capacity: u64, prng: &mut Prng, fault: Option<io::Error>) {
        let reserved = self
            .file
            .node
            .reserve(self.pos, self.buf.len() as u64, capacity);
        let result = match (reserved, fault) {
            (Err(full), _) => Err(full),
            (Ok(()), Some(error)) => {
                self.skip_some(prng);
                self.durable = false;
                self.apply();
                Err(error)
            },
            (Ok(()), None) => {
                self.apply();
                Ok(())
            },
        };
        self.answer.send(result);
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
        self.skipped = self.cells().filter(|_| prng.coin()).collect();
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
    pub(super) fn be_cut(mut self, capacity: u64, prng: &mut Prng) {
        let reserved = self
            .file
            .node
            .reserve(self.pos, self.buf.len() as u64, capacity);
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

    pub(super) fn end_with(self, prng: &mut Prng, fault: Option<io::Error>) {
        let mut content = self.file.node.content.borrow_mut();
        let result = if let Some(error) = fault {
            content.fail(self.snapshot, prng);
            Err(error)
        } else {
            content.commit(self.snapshot);
            Ok(())
        };
        self.answer.send(result);
    }
}
