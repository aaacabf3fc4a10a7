//! What the operating system does when an operation other than a write or a flush ends.

use std::io;
use std::path::Path;
use std::rc::Rc;

use super::block::BLOCK;
use super::content::Content;
use super::file::{FileNode, LockHolder, OpenFile};
use super::kinds::no_space;
use super::names::Entry;
use super::ops::Work;
use super::{State, cells_of};
use crate::buf::Buf;
use crate::fs::{OpenOptions, Place, Space};
use crate::sim::context::Context;
use crate::sim::node::Life;
use crate::sim::prng::Prng;

impl State {
    pub(in crate::sim) fn open(
        &mut self,
        context: &Rc<Context>,
        path: &Path,
        options: OpenOptions,
    ) -> io::Result<Rc<OpenFile>> {
        let name = self.names.place_of(path)?;
        let node = match self.names.get(&name) {
            Some(_) if options.create_new => return Err(io::ErrorKind::AlreadyExists.into()),
            Some(Entry::Dir(_)) => return Err(io::ErrorKind::IsADirectory.into()),
            Some(Entry::File(node)) => Rc::clone(node),
            None if !options.create && !options.create_new => {
                return Err(io::ErrorKind::NotFound.into());
            },
            None => {
                self.check_room_for_name()?;
                let node = FileNode::new(Content::default(), &self.usage);
                self.names.create(name, Entry::File(Rc::clone(&node)));
                node
            },
        };
        Ok(OpenFile::new(context, path, options.read_only, node))
    }

    pub(in crate::sim) fn read(
        &mut self,
        file: &OpenFile,
        pos: u64,
        len: usize,
        prng: &mut Prng,
    ) -> io::Result<Buf> {
        let cells = cells_of(pos, pos + len as u64);
        for operation in self.in_flight.values_mut() {
            if let Work::Write(write) = &mut operation.work {
                write.be_seen(&file.node, &cells, prng);
            }
        }
        file.read_live(pos, len)
    }

    pub(in crate::sim) fn allocate(&self, file: &OpenFile, pos: u64, len: u64) -> io::Result<()> {
        file.node.reserve(pos, len, self.room())?;
        file.node.content.borrow_mut().grow(pos + len);
        Ok(())
    }

    /// A new name may need a block: a full file system has no room for one.
    fn check_room_for_name(&self) -> io::Result<()> {
        if self.usage.get() * BLOCK >= self.room() {
            return Err(no_space());
        }
        Ok(())
    }

    pub(in crate::sim) fn create_dir(&mut self, path: &Path) -> io::Result<()> {
        let name = self.names.place_of(path)?;
        match self.names.get(&name) {
            Some(Entry::Dir(_)) => Ok(()),
            Some(Entry::File(_)) => Err(io::ErrorKind::AlreadyExists.into()),
            None => {
                self.check_room_for_name()?;
                self.names.create(name, Entry::Dir(self.next_inode));
                self.next_inode += 1;
                Ok(())
            },
        }
    }

    pub(in crate::sim) fn read_dir(&self, path: &Path) -> io::Result<Vec<String>> {
        let dir = self.names.find_dir(path)?;
        Ok(self
            .names
            .list(dir)
            .map(|(name, _)| name.to_owned())
            .collect())
    }

    pub(in crate::sim) fn exists(&self, path: &Path) -> io::Result<bool> {
        match self.names.find(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(in crate::sim) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        self.names.remove_file(path)
    }

    pub(in crate::sim) fn remove_dir(&mut self, path: &Path) -> io::Result<()> {
        self.names.remove_dir(path)
    }

    pub(in crate::sim) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.names.rename(from, to)
    }

    pub(in crate::sim) fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        let dir = self.names.find_dir(path)?;
        self.names.sync(dir);
        Ok(())
    }

    pub(in crate::sim) fn space(&self, path: &Path) -> io::Result<Space> {
        self.names.find(path)?;
        let total = self.options.capacity;
        Ok(Space {
            total,
            available: self.room().saturating_sub(self.usage.get() * BLOCK),
        })
    }

    pub(in crate::sim) fn place(&self, path: &Path) -> io::Result<Place> {
        let inode = self.names.find_dir(path)?;
        Ok(Place {
            inode,
            file_system: self.file_system,
        })
    }

    /// Takes the lock on a file. A holder lets go when its `Lock` is dropped or its life is over,
    /// and its last operation has ended.
    pub(in crate::sim) fn lock(&self, file: &OpenFile) -> io::Result<()> {
        let mut lock = file.node.lock.borrow_mut();
        if lock.as_ref().is_some_and(|holder| self.is_held(holder)) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        *lock = Some(LockHolder {
            life: Rc::clone(&file.context.life),
            dropped: false,
        });
        Ok(())
    }

    fn is_held(&self, holder: &LockHolder) -> bool {
        let alive = !holder.dropped && !holder.life.is_over();
        alive || self.has_operations(&holder.life)
    }

    fn has_operations(&self, life: &Life) -> bool {
        self.in_flight
            .values()
            .any(|operation| operation.context.life.number == life.number)
    }
}
