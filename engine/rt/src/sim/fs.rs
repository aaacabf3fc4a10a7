//! Files and names of the simulated disk, as the seam asks for them.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::Context;
use super::disk::{DiskOp, OpenFile, ReadOp, State, SyncOp, Work, WriteOp};
use super::prng::Prng;
use super::reply::Reply;
use crate::buf::{Buf, BufMut};
use crate::fs::{Durability, OpenOptions, Place, Space, cut_out, whole_blocks_around};

/// Has the disk of the current node do `work` when the operation ends, and waits for it.
async fn call<T: 'static>(
    context: &Rc<Context>,
    op: DiskOp,
    path: &Path,
    work: impl FnOnce(&mut State, &mut Prng) -> io::Result<T> + 'static,
) -> io::Result<T> {
    let (answer, reply) = Reply::new();
    let work = Work::Call(Box::new(move |state, prng, fault| {
        answer.send(match fault {
            Some(error) => Err(error),
            None => work(state, prng),
        });
    }));
    context.node.disk.submit(context, op, path, work);
    reply.await
}

/// An open file. Clones share the descriptor.
#[derive(Clone, Debug)]
pub(crate) struct File {
    open: Rc<OpenFile>,
}

impl File {
    pub(crate) async fn open(
        context: &Rc<Context>,
        path: &Path,
        options: OpenOptions,
    ) -> io::Result<Self> {
        let (opener, to_open) = (Rc::clone(context), path.to_owned());
        let open = call(context, DiskOp::Open, path, move |state, _| {
            state.open(&opener, &to_open, options)
        });
        Ok(Self { open: open.await? })
    }

    /// Does `work` on this file when an operation ends.
    async fn call<T: 'static>(
        &self,
        op: DiskOp,
        work: impl FnOnce(&mut State, &mut Prng, &OpenFile) -> io::Result<T> + 'static,
    ) -> io::Result<T> {
        let open = Rc::clone(&self.open);
        let context = &self.open.context;
        call(context, op, &self.open.path, move |state, prng| {
            work(state, prng, &open)
        })
        .await
    }

    fn check_writable(&self) -> io::Result<()> {
        if self.open.read_only {
            Err(io::Error::from_raw_os_error(libc::EBADF))
        } else {
            Ok(())
        }
    }

    pub(crate) async fn write_at(
        &self,
        pos: u64,
        buf: Buf,
        durability: Durability,
    ) -> io::Result<()> {
        self.check_writable()?;
        if buf.is_empty() {
            return Ok(());
        }
        let (answer, reply) = Reply::new();
        let durable = durability == Durability::Durable;
        let write = Work::Write(WriteOp::new(&self.open, pos, buf, durable, answer));
        self.submit(DiskOp::Write, write);
        reply.await
    }

    pub(crate) async fn write_bufs_at(
        &self,
        pos: u64,
        bufs: Vec<Buf>,
        durability: Durability,
    ) -> io::Result<()> {
        let mut joined = BufMut::with_capacity(bufs.iter().map(|buf| buf.len()).sum());
        let mut at = 0;
        for buf in &bufs {
            joined[at..at + buf.len()].copy_from_slice(buf);
            at += buf.len();
        }
        self.write_at(pos, joined.freeze(), durability).await
    }

    pub(crate) async fn sync(&self) -> io::Result<()> {
        let (answer, reply) = Reply::new();
        self.submit(DiskOp::Sync, Work::Sync(SyncOp::new(&self.open, answer)));
        reply.await
    }

    fn submit(&self, op: DiskOp, work: Work) {
        let context = &self.open.context;
        context.node.disk.submit(context, op, &self.open.path, work);
    }

    pub(crate) async fn read_at(&self, pos: u64, len: usize) -> io::Result<Buf> {
        let (answer, reply) = Reply::new();
        self.read_then(pos, len, move |read| answer.send(read));
        reply.await
    }

    fn read_then(&self, pos: u64, len: usize, then: impl FnOnce(io::Result<Buf>) + 'static) {
        let read = ReadOp::new(&self.open, pos, len, then);
        self.submit(DiskOp::Read, Work::Read(read));
    }

    pub(crate) async fn allocate(&self, pos: u64, len: u64) -> io::Result<()> {
        self.check_writable()?;
        self.call(DiskOp::Allocate, move |state, _, file| {
            state.allocate(file, pos, len)
        })
        .await
    }

    pub(crate) async fn set_len(&self, len: u64) -> io::Result<()> {
        self.check_writable()?;
        let set_len = self.call(DiskOp::SetLen, move |_, _, file| {
            file.set_len(len);
            Ok(())
        });
        set_len.await
    }

    pub(crate) async fn len(&self) -> io::Result<u64> {
        self.call(DiskOp::SetLen, |_, _, file| Ok(file.len())).await
    }

    pub(crate) async fn make_resident(&self, pos: u64, expected: Buf) -> io::Result<()> {
        let (answer, reply) = Reply::new();
        let file = Rc::clone(&self.open);
        self.read_then(pos, expected.len(), move |read| {
            answer.send(read.and_then(|bytes| file.make_resident(pos, &bytes, &expected)));
        });
        reply.await
    }

    pub(crate) fn is_resident(&self, pos: u64, len: usize) -> bool {
        self.open
            .context
            .node
            .disk
            .is_resident(&self.open, pos, len)
    }

    /// What a send of a range puts on the wire: the pages as they are now, or what is read if they
    /// are not there.
    pub(super) async fn bytes_to_send(&self, pos: u64, len: usize) -> io::Result<Buf> {
        let kernel = &self.open.context.kernel;
        if self.is_resident(pos, len) {
            kernel.count(|stats| stats.resident_sends += 1);
            return cut_out(&self.open.read_live(pos, len)?, 0, len);
        }
        kernel.count(|stats| stats.cold_sends += 1);
        let (start, end) = whole_blocks_around(pos, len);
        let bytes = self.read_at(start, (end - start) as usize).await?;
        cut_out(&bytes, (pos - start) as usize, len)
    }
}

/// The exclusive lock on a file, until the last operation of this life has ended.
#[derive(Debug)]
pub(crate) struct Lock {
    open: Rc<OpenFile>,
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.open.unlock();
    }
}

pub(crate) async fn create_dir_all(context: &Rc<Context>, path: &Path) -> io::Result<()> {
    let mut above: Vec<PathBuf> = path.ancestors().map(Path::to_owned).collect();
    above.pop();
    for dir in above
        .into_iter()
        .rev()
        .filter(|dir| dir.file_name().is_some())
    {
        let created = dir.clone();
        call(context, DiskOp::Names, &dir, move |state, _| {
            state.create_dir(&created)
        })
        .await?;
    }
    Ok(())
}

/// Defines functions that do one thing to the names of the disk.
macro_rules! name_calls {
    ($($function:ident($($path:ident),+) -> $result:ty as $op:ident;)*) => {$(
        pub(crate) async fn $function(
            context: &Rc<Context>,
            $($path: &Path),+
        ) -> io::Result<$result> {
            let paths = ($($path.to_owned(),)+);
            let label = first!($($path),+);
            let done = call(context, DiskOp::$op, label, move |state, _| {
                let ($($path,)+) = &paths;
                state.$function($($path),+)
            });
            done.await
        }
    )*};
}

macro_rules! first {
    ($first:ident $(, $rest:ident)*) => {
        $first
    };
}

name_calls! {
    read_dir(path) -> Vec<String> as Names;
    exists(path) -> bool as Names;
    remove_file(path) -> () as Names;
    remove_dir(path) -> () as Names;
    rename(from, to) -> () as Names;
    sync_dir(path) -> () as SyncDir;
    space(path) -> Space as Names;
    place(path) -> Place as Names;
}

pub(crate) async fn lock(context: &Rc<Context>, path: &Path) -> io::Result<Lock> {
    let options = OpenOptions {
        create: true,
        ..OpenOptions::default()
    };
    let file = File::open(context, path, options).await?;
    let open = file.open;
    let locked = call(context, DiskOp::Names, path, move |state, _| {
        state.lock(&open)?;
        Ok(Lock { open })
    });
    locked.await
}
