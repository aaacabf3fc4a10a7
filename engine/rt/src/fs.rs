//! Files with direct I/O, and the names that lead to them.
//!
//! Durability is per file and per name (`fsync(2)`, `open(2)` on `O_DSYNC`): a durable write covers
//! its own bytes, [`File::sync`] one file, [`sync_dir`] the names in one directory.

use std::io;
use std::path::Path;

use crate::buf::{BLOCK_BYTES, Buf};
use crate::world::{self, World};
use crate::{ring, sim};

/// Whether a write returns when its bytes have reached the device's stable storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The bytes may be lost in a power cut until the file is synced.
    Volatile,
    /// The bytes of this write survive a power cut (`RWF_DSYNC`).
    Durable,
}

/// How a file is opened. All files are opened for reading and, unless `read_only`, writing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// Create the file if it does not exist.
    pub create: bool,
    /// Fail if the file exists already.
    pub create_new: bool,
    /// Open for reading only.
    pub read_only: bool,
}

/// How often a recovery reads what makes no sense before it acts on that. One read may be wrong, by
/// a bit or because it gives what was there before, and the next one right.
pub const READS_BEFORE_LOSS: usize = 5;

/// Most buffers of one write.
pub const BUFS_MAX: usize = 64;

/// An open file of the current executor, with `O_DIRECT` where the file system has it. Clones share
/// the descriptor.
#[derive(Clone, Debug)]
pub struct File(FileKind);

#[derive(Clone, Debug)]
enum FileKind {
    Ring(ring::File),
    Sim(sim::File),
}

/// An exclusive lock on a file, held until the last I/O of this process has ended.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held for its drop")] LockKind);

#[derive(Debug)]
#[expect(dead_code, reason = "held for their drop")]
enum LockKind {
    Ring(ring::Lock),
    Sim(sim::Lock),
}

/// Space of a file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Size of the file system.
    pub total: u64,
    /// Free for this process.
    pub available: u64,
}

/// What identifies a directory's place: another inode or file system means a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Inode number.
    pub inode: u64,
    /// File system identity (`f_fsid`).
    pub file_system: u64,
}

macro_rules! file_dispatch {
    ($self:ident, $file:ident => $call:expr) => {
        match &$self.0 {
            FileKind::Ring($file) => $call,
            FileKind::Sim($file) => $call,
        }
    };
}

impl File {
    /// Opens `path`.
    pub async fn open(path: &Path, options: OpenOptions) -> io::Result<Self> {
        Ok(Self(match world::current() {
            World::Ring(reactor) => {
                FileKind::Ring(ring::File::open(&reactor, path, options).await?)
            },
            World::Sim(context) => FileKind::Sim(sim::File::open(&context, path, options).await?),
        }))
    }

    /// Whether the file is open for direct I/O. A file system without it (`EINVAL` at open) gets its
    /// data through the page cache; durable writes are durable all the same.
    pub fn is_direct(&self) -> bool {
        match &self.0 {
            FileKind::Ring(file) => file.is_direct(),
            FileKind::Sim(_) => true,
        }
    }

    /// The ring world's file, for its sockets.
    pub(crate) fn ring(&self) -> Option<&ring::File> {
        match &self.0 {
            FileKind::Ring(file) => Some(file),
            FileKind::Sim(_) => None,
        }
    }

    /// The simulation's file, for its sockets.
    pub(crate) fn sim(&self) -> Option<&sim::File> {
        match &self.0 {
            FileKind::Ring(_) => None,
            FileKind::Sim(file) => Some(file),
        }
    }

    /// Writes all of `buf` at `pos`. Position, length and memory are multiples of
    /// [`BLOCK_BYTES`]. An error says nothing about which blocks were written.
    pub async fn write_at(&self, pos: u64, buf: Buf, durability: Durability) -> io::Result<()> {
        assert!(
            pos.is_multiple_of(BLOCK_BYTES as u64),
            "unaligned position {pos}"
        );
        assert!(
            buf.is_block_aligned(),
            "unaligned buffer of {} bytes",
            buf.len()
        );
        file_dispatch!(self, file => file.write_at(pos, buf, durability).await)
    }

    /// Writes all of `bufs`, one behind the other, from `pos` on, as one write with one flush: what
    /// [`File::write_at`] says holds for each. At least one, and at most [`BUFS_MAX`].
    pub async fn write_bufs_at(
        &self,
        pos: u64,
        bufs: Vec<Buf>,
        durability: Durability,
    ) -> io::Result<()> {
        assert!(
            (1..=BUFS_MAX).contains(&bufs.len()),
            "{} buffers",
            bufs.len()
        );
        assert!(
            pos.is_multiple_of(BLOCK_BYTES as u64) && bufs.iter().all(Buf::is_block_aligned),
            "unaligned position {pos} or buffer"
        );
        file_dispatch!(self, file => file.write_bufs_at(pos, bufs, durability).await)
    }

    /// Reads up to `len` bytes at `pos`, fewer only at the end of the file. Position and length are
    /// multiples of [`BLOCK_BYTES`].
    pub async fn read_at(&self, pos: u64, len: usize) -> io::Result<Buf> {
        assert!(
            pos.is_multiple_of(BLOCK_BYTES as u64),
            "unaligned position {pos}"
        );
        assert!(len.is_multiple_of(BLOCK_BYTES), "unaligned length {len}");
        file_dispatch!(self, file => file.read_at(pos, len).await)
    }

    /// Reserves `len` bytes at `pos` and lets the file's size cover them (`fallocate(2)`): they
    /// read as zeros until written.
    pub async fn allocate(&self, pos: u64, len: u64) -> io::Result<()> {
        file_dispatch!(self, file => file.allocate(pos, len).await)
    }

    /// Cuts or extends the file (`ftruncate(2)`).
    pub async fn set_len(&self, len: u64) -> io::Result<()> {
        file_dispatch!(self, file => file.set_len(len).await)
    }

    /// Makes every completed write to this file durable (`fdatasync(2)`).
    pub async fn sync(&self) -> io::Result<()> {
        file_dispatch!(self, file => file.sync().await)
    }

    /// The file's size in bytes.
    pub async fn len(&self) -> io::Result<u64> {
        file_dispatch!(self, file => file.len().await)
    }

    /// Brings a range into the page cache by a blocking read on a helper thread, so that a
    /// [`Piece::File`](crate::Piece::File) of it can leave from there. Fails (`InvalidData`) if the
    /// pages hold anything but the `expected` bytes.
    pub async fn make_resident(&self, pos: u64, expected: Buf) -> io::Result<()> {
        file_dispatch!(self, file => file.make_resident(pos, expected).await)
    }

    /// Whether the whole range is in the page cache now (`cachestat(2)`). Only meaningful after
    /// [`File::make_resident`] of it returned: pages still under I/O count as cached.
    pub fn is_resident(&self, pos: u64, len: usize) -> bool {
        file_dispatch!(self, file => file.is_resident(pos, len))
    }
}

/// Begin and end of the whole blocks around a range.
pub(crate) const fn whole_blocks_around(pos: u64, len: usize) -> (u64, u64) {
    let block = BLOCK_BYTES as u64;
    (
        pos - pos % block,
        (pos + len as u64).next_multiple_of(block),
    )
}

/// `len` bytes from `at` of what was read; the file may have ended before.
pub(crate) fn cut_out(bytes: &Buf, at: usize, len: usize) -> io::Result<Buf> {
    if bytes.len() < at + len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes.slice(at..at + len))
}

macro_rules! world_dispatch {
    ($function:ident($($argument:expr),*)) => {
        match world::current() {
            World::Ring(reactor) => ring::fs::$function(&reactor, $($argument),*).await,
            World::Sim(context) => sim::fs::$function(&context, $($argument),*).await,
        }
    };
}

/// Creates `path` and what is missing above it. Names are durable after [`sync_dir`] of each parent.
pub async fn create_dir_all(path: &Path) -> io::Result<()> {
    world_dispatch!(create_dir_all(path))
}

/// The names in a directory, sorted.
pub async fn read_dir(path: &Path) -> io::Result<Vec<String>> {
    world_dispatch!(read_dir(path))
}

/// Whether `path` exists.
pub async fn exists(path: &Path) -> io::Result<bool> {
    world_dispatch!(exists(path))
}

/// Removes a file's name; its space returns when the last descriptor closes.
pub async fn remove_file(path: &Path) -> io::Result<()> {
    world_dispatch!(remove_file(path))
}

/// Removes an empty directory.
pub async fn remove_dir(path: &Path) -> io::Result<()> {
    world_dispatch!(remove_dir(path))
}

/// Renames a file, replacing what is at `to`.
pub async fn rename(from: &Path, to: &Path) -> io::Result<()> {
    world_dispatch!(rename(from, to))
}

/// Makes the names in a directory durable (`fsync(2)` on it).
pub async fn sync_dir(path: &Path) -> io::Result<()> {
    world_dispatch!(sync_dir(path))
}

/// Space of the file system that holds `path`.
pub async fn space(path: &Path) -> io::Result<Space> {
    world_dispatch!(space(path))
}

/// Where a directory is, to recognise a copied one.
pub async fn place(path: &Path) -> io::Result<Place> {
    world_dispatch!(place(path))
}

/// Takes the exclusive lock on `path`, creating the file; `WouldBlock` if another process has it.
pub async fn lock(path: &Path) -> io::Result<Lock> {
    match world::current() {
        World::Ring(reactor) => Ok(Lock(LockKind::Ring(ring::fs::lock(&reactor, path).await?))),
        World::Sim(context) => Ok(Lock(LockKind::Sim(sim::fs::lock(&context, path).await?))),
    }
}
