//! Files: data through the ring or the file threads, everything else that may block on a helper
//! thread.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use super::helpers;
use super::ops::{Op, Request};
use super::reactor::Reactor;
use super::sys;
use crate::buf::{BLOCK_BYTES, Buf, BufMut};
use crate::fs::{Durability, OpenOptions, cut_out, whole_blocks_around};

/// A submission's cost on the core grows with its length: 1 MiB takes 0.1-0.4 ms.
const SUBMIT_BYTES_MAX: usize = 1 << 20;
/// Larger writes go in chunks of this size, so that tasks run between their submissions.
const CHUNK_BYTES: usize = 256 * 1024;
/// Chunks of one write in flight.
const CHUNKS: usize = 4;

/// An open descriptor, closed on a helper thread: the last close of a removed file frees its
/// extents, which takes milliseconds for a large one.
pub(crate) struct Descriptor(Option<fs::File>);

impl Descriptor {
    pub(crate) fn file(&self) -> &fs::File {
        self.0.as_ref().expect("taken by drop only")
    }
}

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.file().as_raw_fd()
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        if let Some(file) = self.0.take() {
            helpers::start(move || drop(file));
        }
    }
}

struct Shared {
    reactor: Rc<Reactor>,
    descriptor: Arc<Descriptor>,
    direct: bool,
    /// The same file through the page cache, for sendfile.
    buffered: OnceCell<Arc<Descriptor>>,
}

/// A file of one executor. Clones share the descriptor.
#[derive(Clone)]
pub(crate) struct File {
    shared: Rc<Shared>,
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("File")
            .field("fd", &self.shared.descriptor.as_raw_fd())
            .field("direct", &self.shared.direct)
            .finish()
    }
}

impl File {
    pub(crate) async fn open(
        reactor: &Rc<Reactor>,
        path: &Path,
        options: OpenOptions,
    ) -> io::Result<Self> {
        let path = path.to_owned();
        let (file, direct) = helpers::run(move || open(&path, options)).await?;
        let shared = Shared {
            reactor: Rc::clone(reactor),
            descriptor: Arc::new(Descriptor(Some(file))),
            direct,
            buffered: OnceCell::new(),
        };
        Ok(Self {
            shared: Rc::new(shared),
        })
    }

    /// Whether the file system took `O_DIRECT`. If not, data goes through the page cache; durable
    /// writes are durable all the same.
    pub(crate) fn is_direct(&self) -> bool {
        self.shared.direct
    }

    pub(crate) async fn write_at(
        &self,
        pos: u64,
        buf: Buf,
        durability: Durability,
    ) -> io::Result<()> {
        let durable = durability == Durability::Durable;
        if buf.len()
            <= if durable {
                SUBMIT_BYTES_MAX
            } else {
                CHUNK_BYTES
            }
        {
            return self.finish_write(self.start_write(pos, buf, durable)).await;
        }
        self.write_chunks(pos, &buf).await?;
        // One flush for all chunks.
        if durable { self.sync().await } else { Ok(()) }
    }

    async fn write_chunks(&self, pos: u64, buf: &Buf) -> io::Result<()> {
        let mut flying = VecDeque::with_capacity(CHUNKS);
        for from in (0..buf.len()).step_by(CHUNK_BYTES) {
            let chunk = buf.slice(from..buf.len().min(from + CHUNK_BYTES));
            flying.push_back(self.start_write(pos + from as u64, chunk, false));
            if flying.len() == CHUNKS
                && let Some(oldest) = flying.pop_front()
            {
                self.finish_write(oldest).await?;
            }
        }
        for write in flying {
            self.finish_write(write).await?;
        }
        Ok(())
    }

    fn start_write(&self, pos: u64, buf: Buf, durable: bool) -> Op {
        let file = Arc::clone(&self.shared.descriptor);
        Op::start(
            &self.shared.reactor,
            Request::Write {
                file,
                buf,
                pos,
                durable,
            },
        )
    }

    /// Waits for a write, and writes what it left out.
    async fn finish_write(&self, mut write: Op) -> io::Result<()> {
        loop {
            let (done, request) = write.await;
            let Request::Write {
                file,
                buf,
                pos,
                durable,
            } = request
            else {
                unreachable!("a write comes back as a write")
            };
            let done = match done {
                Err(error) if is_passing(&error) => 0,
                Ok(0) if !buf.is_empty() => return Err(io::ErrorKind::WriteZero.into()),
                // What is written again are the bytes that stand there.
                done => whole_blocks(done?, buf.len()),
            };
            if done == buf.len() {
                return Ok(());
            }
            let (buf, pos) = (buf.slice(done..), pos + done as u64);
            write = Op::start(
                &self.shared.reactor,
                Request::Write {
                    file,
                    buf,
                    pos,
                    durable,
                },
            );
        }
    }

    pub(crate) async fn write_bufs_at(
        &self,
        pos: u64,
        bufs: Vec<Buf>,
        durability: Durability,
    ) -> io::Result<()> {
        let all: usize = bufs.iter().map(|buf| buf.len()).sum();
        let request = Request::WriteBufs {
            file: Arc::clone(&self.shared.descriptor),
            bufs,
            pos,
            durable: durability == Durability::Durable,
        };
        let (done, request) = Op::start(&self.shared.reactor, request).await;
        let Request::WriteBufs { bufs, .. } = request else {
            unreachable!("a write comes back as a write")
        };
        let done = match done {
            Err(error) if is_passing(&error) => 0,
            Ok(0) if all > 0 => return Err(io::ErrorKind::WriteZero.into()),
            done => whole_blocks(done?, all),
        };
        self.write_rest(pos, &bufs, done, durability).await
    }

    /// Writes what a short write left out, buffer by buffer.
    async fn write_rest(
        &self,
        mut pos: u64,
        bufs: &[Buf],
        mut done: usize,
        durability: Durability,
    ) -> io::Result<()> {
        for buf in bufs {
            let here = done.min(buf.len());
            if here < buf.len() {
                let rest = buf.slice(here..);
                self.write_at(pos + here as u64, rest, durability).await?;
            }
            done -= here;
            pos += buf.len() as u64;
        }
        Ok(())
    }

    pub(crate) async fn read_at(&self, pos: u64, len: usize) -> io::Result<Buf> {
        let mut buf = BufMut::with_capacity(len);
        let mut filled = 0;
        while filled < len {
            let request = Request::Read {
                file: Arc::clone(&self.shared.descriptor),
                buf,
                filled,
                len: (len - filled).min(SUBMIT_BYTES_MAX),
                pos: pos + filled as u64,
            };
            let (done, request) = Op::start(&self.shared.reactor, request).await;
            let Request::Read { buf: back, .. } = request else {
                unreachable!("a read comes back as a read")
            };
            buf = back;
            let done = match done {
                Err(error) if is_passing(&error) => continue,
                done => done?,
            };
            filled += done;
            // A read that ends within a block has met the end of the file.
            if done == 0 || !filled.is_multiple_of(BLOCK_BYTES) {
                break;
            }
        }
        buf.truncate(filled);
        Ok(buf.freeze())
    }

    /// Exactly these bytes, wherever they begin and end.
    pub(crate) async fn read_range(&self, pos: u64, len: usize) -> io::Result<Buf> {
        let (start, end) = whole_blocks_around(pos, len);
        let bytes = self.read_at(start, (end - start) as usize).await?;
        cut_out(&bytes, (pos - start) as usize, len)
    }

    pub(crate) async fn allocate(&self, pos: u64, len: u64) -> io::Result<()> {
        let file = Arc::clone(&self.shared.descriptor);
        helpers::run(move || sys::allocate(&*file, pos, len)).await
    }

    pub(crate) async fn set_len(&self, len: u64) -> io::Result<()> {
        let file = Arc::clone(&self.shared.descriptor);
        helpers::run(move || file.file().set_len(len)).await
    }

    pub(crate) async fn sync(&self) -> io::Result<()> {
        loop {
            let file = Arc::clone(&self.shared.descriptor);
            let (done, _) = Op::start(&self.shared.reactor, Request::Sync { file }).await;
            match done {
                Err(error) if is_passing(&error) => {},
                done => return done.map(drop),
            }
        }
    }

    pub(crate) async fn len(&self) -> io::Result<u64> {
        let file = Arc::clone(&self.shared.descriptor);
        helpers::run(move || Ok(file.file().metadata()?.len())).await
    }

    /// The descriptor through the page cache, opened at first need.
    pub(super) async fn buffered(&self) -> io::Result<Arc<Descriptor>> {
        if let Some(buffered) = self.shared.buffered.get() {
            return Ok(Arc::clone(buffered));
        }
        let file = Arc::clone(&self.shared.descriptor);
        let buffered = helpers::run(move || {
            // By descriptor, for the name may lead elsewhere by now (`proc_pid_fd(5)`).
            let opened = fs::File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
            Ok::<_, io::Error>(Arc::new(Descriptor(Some(opened))))
        });
        let buffered = buffered.await?;
        Ok(Arc::clone(self.shared.buffered.get_or_init(|| buffered)))
    }

    pub(crate) async fn make_resident(&self, pos: u64, expected: Buf) -> io::Result<()> {
        let file = self.buffered().await?;
        helpers::run(move || read_through(file.file(), pos, &expected)).await
    }

    pub(crate) fn is_resident(&self, pos: u64, len: usize) -> bool {
        let Some(file) = self.shared.buffered.get() else {
            return false;
        };
        let first = pos / BLOCK_BYTES as u64;
        let pages = (pos + len as u64).div_ceil(BLOCK_BYTES as u64) - first;
        let (from, bytes) = (first * BLOCK_BYTES as u64, pages * BLOCK_BYTES as u64);
        len == 0 || sys::cached_pages(&**file, from, bytes).is_ok_and(|cached| cached == pages)
    }
}

/// Errors that say: try again.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

/// How much of a short write counts: direct I/O goes on at a block's border.
const fn whole_blocks(done: usize, len: usize) -> usize {
    if done == len {
        done
    } else {
        done / BLOCK_BYTES * BLOCK_BYTES
    }
}

/// Opens with `O_DIRECT`, or without where the file system refuses it (`EINVAL`).
fn open(path: &Path, options: OpenOptions) -> io::Result<(fs::File, bool)> {
    let mut how = fs::OpenOptions::new();
    how.read(true).write(!options.read_only).mode(0o644);
    how.create(options.create).create_new(options.create_new);
    match how.clone().custom_flags(libc::O_DIRECT).open(path) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            // The refusal comes after the creation: the file that is new is there by now.
            how.create(options.create || options.create_new)
                .create_new(false);
            Ok((how.open(path)?, false))
        },
        opened => Ok((opened?, true)),
    }
}

/// Reads a range through the page cache, where its pages stay, and compares it.
fn read_through(file: &fs::File, mut pos: u64, expected: &[u8]) -> io::Result<()> {
    let mut scratch = BufMut::with_capacity(CHUNK_BYTES.min(expected.len()));
    let mut rest = expected;
    while !rest.is_empty() {
        let want = scratch.len().min(rest.len());
        match file.read_at(&mut scratch[..want], pos) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(done) if scratch[..done] != rest[..done] => {
                return Err(io::ErrorKind::InvalidData.into());
            },
            Ok(done) => {
                pos += done as u64;
                rest = &rest[done..];
            },
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {},
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
