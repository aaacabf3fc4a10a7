//! The disk as a test sees it, from outside and without time passing.

use std::io;
use std::path::Path;
use std::rc::Rc;

use super::block::{BLOCK, block_from};
use super::file::FileNode;
use crate::buf::BLOCK_BYTES;
use crate::sim::node::Node;
use crate::sim::options::DiskOptions;

/// A node's disk under the hands of a test: what is on it, and ways to damage it.
#[derive(Debug)]
pub struct DiskView {
    node: Rc<Node>,
}

impl DiskView {
    pub(in crate::sim) fn new(node: Rc<Node>) -> Self {
        Self { node }
    }

    fn file(&self, path: &str) -> io::Result<Rc<FileNode>> {
        self.node
            .disk
            .state
            .borrow()
            .names
            .find_file(Path::new(path))
    }

    /// Paths of all files, sorted.
    pub fn files(&self) -> Vec<String> {
        let files = self.node.disk.state.borrow().names.files();
        files.into_iter().map(|(path, _)| path).collect()
    }

    /// A file's bytes, as a reader would see them.
    pub fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let file = self.file(path)?;
        let content = file.content.borrow();
        let bytes = content.read(0..content.len());
        Ok(bytes.ok_or(io::ErrorKind::Other)?.to_vec())
    }

    /// Overwrites bytes of a file and makes them durable, as a misdirected write would.
    pub fn overwrite(&self, path: &str, pos: u64, bytes: &[u8]) -> io::Result<()> {
        let file = self.file(path)?;
        for (at, &byte) in (pos..).zip(bytes) {
            file.content.borrow_mut().damage(at, |old| *old = byte);
        }
        Ok(())
    }

    /// Flips one bit of the byte at `pos`.
    pub fn flip_bit(&self, path: &str, pos: u64, bit: u32) -> io::Result<()> {
        self.file(path)?
            .content
            .borrow_mut()
            .damage(pos, |byte| *byte ^= 1 << (bit % 8));
        Ok(())
    }

    /// Copies one block over another, of this or another file: a misdirected or lost write.
    pub fn copy_block(&self, from: (&str, u64), to: (&str, u64)) -> io::Result<()> {
        let start = from.1 / BLOCK * BLOCK;
        let bytes = self
            .file(from.0)?
            .content
            .borrow()
            .read(start..start + BLOCK);
        let mut bytes = bytes.ok_or(io::ErrorKind::Other)?.to_vec();
        bytes.resize(BLOCK_BYTES, 0);
        let (file, index) = (self.file(to.0)?, to.1 / BLOCK);
        let block = block_from(&bytes);
        file.content.borrow_mut().write(index, block.clone());
        file.content.borrow_mut().harden(index, block);
        Ok(())
    }

    /// Makes the block at `pos` unreadable (`EIO`) until it is written again.
    pub fn spoil(&self, path: &str, pos: u64) -> io::Result<()> {
        self.file(path)?.content.borrow_mut().spoil(pos);
        Ok(())
    }

    /// Removes a file, durably and behind the node's back.
    pub fn remove(&self, path: &str) -> io::Result<()> {
        self.node.disk.state.borrow_mut().remove_behind(path)
    }

    /// Cuts a file to `len` bytes, durably and behind the node's back.
    pub fn truncate(&self, path: &str, len: u64) -> io::Result<()> {
        self.file(path)?.truncate_behind(len);
        Ok(())
    }

    /// Remembers every file as it is now, for [`DiskView::revert`]. So does every start of a process
    /// that a fault will revert files of.
    pub fn remember(&self) {
        self.node.disk.remember();
    }

    /// Makes a file what it was when it was remembered the time before the last: an older version
    /// of all of it comes back. `NotFound` if it was not there.
    pub fn revert(&self, path: &str) -> io::Result<()> {
        self.node.disk.state.borrow().revert(path)
    }

    /// Makes everything durable, as a calm hour does.
    pub fn settle(&self) {
        let state = &mut *self.node.disk.state.borrow_mut();
        state.names.sync_all();
        for (_, file) in state.names.files() {
            let mut content = file.content.borrow_mut();
            let everything = content.snapshot();
            content.commit(everything);
        }
    }

    /// Bytes in use.
    pub fn used(&self) -> u64 {
        self.node.disk.state.borrow().usage.get() * BLOCK
    }

    /// Changes what the disk is like from now on.
    pub fn configure(&self, change: impl FnOnce(&mut DiskOptions)) {
        change(&mut self.node.disk.state.borrow_mut().options);
    }
}
