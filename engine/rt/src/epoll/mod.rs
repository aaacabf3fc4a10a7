//! What serves the executors of [`ring`](crate::ring) where `io_uring` is refused: `epoll(7)` for
//! sockets and bells, a few threads for files.
//!
//! Tasks, timers, sockets, names and locks are those of the ring world; only what stands between an
//! executor and the kernel is another (`ring/driver.rs`). It keeps the ring's promises: reports come
//! once in a turn, and a request belongs to whoever works on it until its result is fetched, so
//! that a dropped future frees no memory that a thread still uses. Here it is the thread that owns
//! it: the request moves there and comes back with its result.
//!
//! What it does without: registered memory, and messages between rings; an executor that sleeps is
//! woken by its bell, an `eventfd(2)`.
//!
//! First file to read: this one, then `files.rs`.

mod files;
mod sys;

use std::fs::File;
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use files::Returned;

use crate::ring::{Completion, Remote, Request, Wait};

/// Reports that are fetched at a time; what there is beyond comes with the next turn.
const EVENTS: usize = 512;

/// One executor's side of the kernel.
pub(crate) struct Epoll {
    events: OwnedFd,
    fetched: Box<[libc::epoll_event]>,
    /// Reports that the executor has not taken.
    reports: Vec<Completion>,
    home: Arc<files::Home>,
    /// Locks of the process that are held as long as requests are in flight.
    kept: Vec<Arc<File>>,
}

impl Epoll {
    /// Starts the file threads if it is the first of its process.
    pub(crate) fn new(remote: Arc<Remote>) -> io::Result<Self> {
        files::start_threads()?;
        Ok(Self {
            events: sys::epoll()?,
            fetched: vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS].into(),
            reports: Vec::new(),
            home: Arc::new(files::Home::new(remote)),
            kept: Vec::new(),
        })
    }

    /// Hands a request to the file threads. Its result comes by [`Epoll::returned`].
    pub(crate) fn start(&self, key: u64, request: Request) {
        files::hand_over(key, request, Arc::clone(&self.home));
    }

    /// Reports every change of `fd` to readable or writable, until removed. Edge-triggered.
    pub(crate) fn poll(&mut self, fd: RawFd, user_data: u64) {
        if let Err(error) = sys::watch(&self.events, fd, user_data) {
            self.report_end(user_data, error.raw_os_error().unwrap_or(libc::EIO));
        }
    }

    /// Ends a poll; its last report comes then.
    pub(crate) fn cancel_poll(&mut self, fd: RawFd, user_data: u64) {
        sys::forget(&self.events, fd);
        self.report_end(user_data, libc::ECANCELED);
    }

    fn report_end(&mut self, user_data: u64, error: i32) {
        self.reports.push(Completion {
            user_data,
            result: -error,
            more: false,
        });
    }

    /// Whether there is something to take. Asks the kernel.
    pub(crate) fn has_news(&mut self) -> bool {
        // What fails here fails at the next visit, too.
        let _fetched = self.fetch(Some(Duration::ZERO));
        self.has_reports()
    }

    /// What a file thread returns after this look rings the bell of an executor that has said that
    /// it sleeps.
    fn has_reports(&self) -> bool {
        !self.reports.is_empty() || self.home.has_returned()
    }

    /// Fetches reports, and waits for them if there are none.
    pub(crate) fn enter(&mut self, wait: Wait) -> io::Result<()> {
        let limit = match wait {
            Wait::Completion if !self.has_reports() => None,
            Wait::AtMost(limit) if !self.has_reports() => Some(limit),
            _ => Some(Duration::ZERO),
        };
        self.fetch(limit)
    }

    fn fetch(&mut self, limit: Option<Duration>) -> io::Result<()> {
        let count = match sys::wait(&self.events, &mut self.fetched, limit) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            count => count?,
        };
        let fetched = self.fetched[..count].iter();
        self.reports.extend(fetched.map(|event| Completion {
            user_data: event.u64,
            // The bits are those of poll(2), but for the one that asks for edges.
            result: event.events as i32,
            more: true,
        }));
        Ok(())
    }

    /// Moves the reports of sockets and bells to `into`.
    pub(crate) fn reap(&mut self, into: &mut Vec<Completion>) {
        into.append(&mut self.reports);
    }

    /// The next request that a file thread is done with.
    pub(crate) fn returned(&self) -> Option<Returned> {
        self.home.next()
    }

    /// Holds the process's locks open as a ring does: new ones from now on, old ones until no
    /// request is in flight.
    pub(crate) fn keep_files(&mut self, files: Vec<Arc<File>>, idle: bool) {
        if idle {
            self.kept.clear();
        }
        for file in files {
            if !self.kept.iter().any(|kept| Arc::ptr_eq(kept, &file)) {
                self.kept.push(file);
            }
        }
    }
}
