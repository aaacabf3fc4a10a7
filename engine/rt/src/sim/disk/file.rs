//! Files as inodes, and the handles that keep them.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::block::BLOCK;
use super::cells_of;
use super::content::Content;
use super::kinds::{io_error, no_space};
use crate::buf::{BLOCK_BYTES, Buf, BufMut};
use crate::sim::context::Context;
use crate::sim::node::Life;
use crate::sim::prng::Prng;

/// Space of a disk in use, in cells.
pub(super) type Usage = Rc<Cell<u64>>;

/// A file, whatever names it has.
pub(crate) struct FileNode {
    pub(super) content: RefCell<Content>,
    pub(super) lock: RefCell<Option<LockHolder>>,
    usage: Usage,
    /// Names and handles: at none, the file's space returns.
    references: Cell<usize>,
}

/// Who has the exclusive lock on a file.
pub(super) struct LockHolder {
    pub(super) life: Rc<Life>,
    pub(super) dropped: bool,
}

impl FileNode {
    pub(super) fn new(content: Content, usage: &Usage) -> Rc<Self> {
        usage.set(usage.get() + content.allocated.total());
        Rc::new(Self {
            content: RefCell::new(content),
            lock: RefCell::new(None),
            usage: Rc::clone(usage),
            references: Cell::new(0),
        })
    }

    pub(super) fn acquire(&self) {
        self.references.set(self.references.get() + 1);
    }

    pub(super) fn release(&self) {
        self.references.set(self.references.get() - 1);
        if self.references.get() == 0 {
            let cells = self.content.borrow().allocated.total();
            self.usage.set(self.usage.get() - cells);
        }
    }

    /// Reserves the cells of a byte range, if `capacity` bytes have room for them.
    pub(super) fn reserve(&self, pos: u64, len: u64, capacity: u64) -> io::Result<()> {
        let cells = pos / BLOCK..(pos + len).div_ceil(BLOCK);
        let mut content = self.content.borrow_mut();
        let missing = cells.end - cells.start - content.allocated.overlap(&cells);
        let used = self.usage.get() + missing;
        if used * BLOCK > capacity {
            return Err(no_space());
        }
        self.usage.set(used);
        content.allocated.insert(&cells);
        Ok(())
    }

    /// Puts another content in the place of the file's, behind everybody's back.
    pub(super) fn replace(&self, content: Content) {
        let (before, after) = (
            self.content.borrow().allocated.total(),
            content.allocated.total(),
        );
        self.usage.set(self.usage.get() + after - before);
        *self.content.borrow_mut() = content;
    }

    /// Cuts or extends the file.
    pub(super) fn set_len(&self, len: u64) {
        let mut content = self.content.borrow_mut();
        let before = content.allocated.total();
        content.set_len(len);
        self.usage
            .set(self.usage.get() - (before - content.allocated.total()));
    }
}

/// A descriptor: keeps its file also when the last name is gone.
pub(crate) struct OpenFile {
    pub(crate) context: Rc<Context>,
    pub(crate) path: PathBuf,
    pub(crate) read_only: bool,
    pub(super) node: Rc<FileNode>,
}

impl OpenFile {
    pub(super) fn new(
        context: &Rc<Context>,
        path: &Path,
        read_only: bool,
        node: Rc<FileNode>,
    ) -> Rc<Self> {
        node.acquire();
        let open_files = &context.life.open_files;
        open_files.set(open_files.get() + 1);
        Rc::new(Self {
            context: Rc::clone(context),
            path: path.to_owned(),
            read_only,
            node,
        })
    }

    /// The bytes of a range as they are now, fewer at the end of the file.
    pub(in crate::sim) fn read_live(&self, pos: u64, len: usize) -> io::Result<Buf> {
        let bytes = self.node.content.borrow().read(pos..pos + len as u64);
        Ok(bytes.ok_or_else(io_error)?.freeze())
    }

    /// What was read of a range, one or more of its blocks being as they were before their last
    /// write.
    pub(super) fn make_stale(&self, pos: u64, bytes: &Buf, prng: &mut Prng) -> Buf {
        let mut stale = BufMut::with_capacity(bytes.len());
        stale.copy_from_slice(bytes);
        let content = self.node.content.borrow();
        let mut older = content.older_blocks(&cells_of(pos, pos + bytes.len() as u64));
        prng.shuffle(&mut older);
        older.truncate(1 + prng.index(older.len().max(1)));
        for (index, block) in older {
            let at = (index * BLOCK - pos) as usize;
            let len = BLOCK_BYTES.min(stale.len() - at);
            match block {
                Some(block) => stale[at..at + len].copy_from_slice(&block[..len]),
                None => stale[at..at + len].fill(0),
            }
        }
        stale.freeze()
    }

    /// Puts a range of the file, which was read just now, into the page cache if it is what was
    /// `expected`.
    pub(in crate::sim) fn make_resident(
        &self,
        pos: u64,
        bytes: &[u8],
        expected: &[u8],
    ) -> io::Result<()> {
        if bytes.len() < expected.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if bytes != expected {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let cells = cells_of(pos, pos + expected.len() as u64);
        self.node.content.borrow_mut().resident.insert(&cells);
        Ok(())
    }

    pub(in crate::sim) fn len(&self) -> u64 {
        self.node.content.borrow().len()
    }

    pub(in crate::sim) fn set_len(&self, len: u64) {
        self.node.set_len(len);
    }

    pub(in crate::sim) fn unlock(&self) {
        if let Some(holder) = self.node.lock.borrow_mut().as_mut()
            && Rc::ptr_eq(&holder.life, &self.context.life)
        {
            holder.dropped = true;
        }
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.node.release();
        let open_files = &self.context.life.open_files;
        open_files.set(open_files.get() - 1);
    }
}

impl fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
