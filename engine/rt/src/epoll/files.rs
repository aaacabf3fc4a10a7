//! Reads, writes and flushes of files, on threads.
//!
//! Requests of all executors stand in one line. A thread that finds it empty sleeps on a number
//! which whoever adds to the line raises, so that no request is overlooked and an executor takes no
//! lock. A thread owns the request while it works on it and puts it back into the line of its home.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crossbeam::queue::SegQueue;

use super::sys;
use crate::ring::{Remote, Request, affinity, start_helper};

/// Threads for each CPU: what a shard has in flight at a time, the journal's writes before all,
/// seldom waits for a thread.
const THREADS_PER_CPU: usize = 4;
const THREADS_MIN: usize = 8;
const THREADS_MAX: usize = 32;

static LINE: Line = Line {
    jobs: SegQueue::new(),
    added: AtomicU32::new(0),
    sleeping: AtomicU32::new(0),
};
static STARTED: AtomicBool = AtomicBool::new(false);

/// The requests that no thread has taken yet.
struct Line {
    jobs: SegQueue<Job>,
    /// How many have been added, so that a thread sleeps only if none came since it looked.
    added: AtomicU32,
    sleeping: AtomicU32,
}

struct Job {
    key: u64,
    request: Request,
    home: Arc<Home>,
}

/// A request that a thread is done with.
pub(crate) struct Returned {
    pub(crate) key: u64,
    /// The bytes done, or a negated error number.
    pub(crate) result: i32,
    pub(crate) request: Request,
}

/// An executor as the file threads see it.
pub(super) struct Home {
    returned: SegQueue<Returned>,
    remote: Arc<Remote>,
}

impl Home {
    pub(super) fn new(remote: Arc<Remote>) -> Self {
        Self {
            returned: SegQueue::new(),
            remote,
        }
    }

    pub(super) fn has_returned(&self) -> bool {
        !self.returned.is_empty()
    }

    pub(super) fn next(&self) -> Option<Returned> {
        self.returned.pop()
    }
}

/// Starts the threads, unless they run already. They live as long as the process.
pub(super) fn start_threads() -> io::Result<()> {
    if STARTED.swap(true, Ordering::AcqRel) {
        return Ok(());
    }
    let wanted = affinity().len() * THREADS_PER_CPU;
    for number in 0..wanted.clamp(THREADS_MIN, THREADS_MAX) {
        let started = start_helper(format!("file-{number}"), || LINE.work());
        // Those that run serve the next one who tries.
        started.inspect_err(|_| STARTED.store(false, Ordering::Release))?;
    }
    Ok(())
}

/// Puts a request into the line.
pub(super) fn hand_over(key: u64, request: Request, home: Arc<Home>) {
    LINE.add(Job { key, request, home });
}

impl Line {
    fn add(&self, job: Job) {
        self.jobs.push(job);
        self.added.fetch_add(1, Ordering::SeqCst);
        if self.sleeping.load(Ordering::SeqCst) > 0 {
            sys::wake_one(&self.added);
        }
    }

    fn work(&self) {
        loop {
            let added = self.added.load(Ordering::SeqCst);
            while let Some(job) = self.jobs.pop() {
                job.work();
            }
            self.sleeping.fetch_add(1, Ordering::SeqCst);
            sys::sleep_while(&self.added, added);
            self.sleeping.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Job {
    fn work(self) {
        let Self {
            key,
            mut request,
            home,
        } = self;
        let result = match perform(&mut request) {
            Ok(done) => done as i32,
            Err(error) => -error.raw_os_error().unwrap_or(libc::EIO),
        };
        home.returned.push(Returned {
            key,
            result,
            request,
        });
        home.remote.knock();
    }
}

/// Does what a ring would have done. The bytes done.
fn perform(request: &mut Request) -> io::Result<usize> {
    match request {
        Request::Read {
            file,
            buf,
            filled,
            len,
            pos,
        } => file.file().read_at(&mut buf[*filled..*filled + *len], *pos),
        Request::Write {
            file,
            buf,
            pos,
            durable,
        } => write(file.file(), &[IoSlice::new(buf)], *pos, *durable),
        Request::WriteBufs {
            file,
            bufs,
            pos,
            durable,
        } => {
            let slices: Vec<_> = bufs.iter().map(|buf| IoSlice::new(buf)).collect();
            write(file.file(), &slices, *pos, *durable)
        },
        Request::Sync { file } => file.file().sync_data().map(|()| 0),
    }
}

/// Writes, and flushes the whole file where a sandbox knows no durable write.
fn write(file: &File, slices: &[IoSlice<'_>], pos: u64, durable: bool) -> io::Result<usize> {
    match sys::write_at(file, slices, pos, durable) {
        Err(error) if durable && is_unknown(&error) => {
            let done = sys::write_at(file, slices, pos, false)?;
            file.sync_data()?;
            Ok(done)
        },
        done => done,
    }
}

fn is_unknown(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EOPNOTSUPP | libc::ENOSYS | libc::EPERM)
    )
}
