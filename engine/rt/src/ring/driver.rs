//! What stands between an executor and the kernel: a ring, or `epoll` and file threads.
//!
//! A match on each request and each visit, no type parameter and no table of functions: the ring's
//! way through it is as long as it was alone.

use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;

use super::executor::{Options, Runtime};
use super::ops::Ops;
use super::registry;
use super::remote::Remote;
use super::slab::Key;
use super::uring::{Completion, Uring, Wait};
use crate::buf::Arena;
use crate::epoll::Epoll;

/// One executor's side of the kernel.
#[expect(clippy::large_enum_variant, reason = "there is one for each executor")]
pub(super) enum Driver {
    Ring(Uring),
    Epoll(Epoll),
}

impl Driver {
    /// The driver of an executor that runs on the calling thread, and that executor as other threads
    /// see it.
    pub(super) fn new(name: String, options: Options) -> io::Result<(Self, Arc<Remote>)> {
        let remote = |ring| Remote::new(name, ring, options.audit_turns).map(Arc::new);
        match options.runtime {
            Runtime::Ring => {
                let mut ring = Uring::new()?;
                let remote = remote(Some(ring.fd()))?;
                if options.registered_bytes > 0 {
                    register(&mut ring, &remote, options.registered_bytes);
                }
                Ok((Self::Ring(ring), remote))
            },
            Runtime::Epoll => {
                let remote = remote(None)?;
                let epoll = Epoll::new(Arc::clone(&remote))?;
                Ok((Self::Epoll(epoll), remote))
            },
        }
    }

    /// Whether a visit would bring something.
    pub(super) fn has_news(&mut self) -> bool {
        match self {
            Self::Ring(ring) => ring.has_news(),
            Self::Epoll(epoll) => epoll.has_news(),
        }
    }

    /// Reports every change of `fd` to readable or writable, until removed. Edge-triggered.
    pub(super) fn poll(&mut self, fd: RawFd, user_data: u64) {
        match self {
            Self::Ring(ring) => ring.poll(fd, user_data),
            Self::Epoll(epoll) => epoll.poll(fd, user_data),
        }
    }

    /// Ends a poll of `fd`; its last report comes then.
    pub(super) fn cancel_poll(&mut self, fd: RawFd, user_data: u64) {
        match self {
            Self::Ring(ring) => ring.cancel_poll(user_data),
            Self::Epoll(epoll) => epoll.cancel_poll(fd, user_data),
        }
    }

    /// Hands in what is queued, and waits.
    pub(super) fn enter(&mut self, wait: Wait) -> io::Result<()> {
        match self {
            Self::Ring(ring) => ring.enter(wait),
            Self::Epoll(epoll) => epoll.enter(wait),
        }
    }

    /// Moves all completions that have arrived to `into`, and requests that were away back to `ops`.
    pub(super) fn reap(&mut self, into: &mut Vec<Completion>, ops: &mut Ops) {
        match self {
            Self::Ring(ring) => ring.reap(into),
            Self::Epoll(epoll) => {
                epoll.reap(into);
                while let Some(returned) = epoll.returned() {
                    ops.give_back(Key::from_bits(returned.key), returned.request);
                    into.push(Completion {
                        user_data: returned.key,
                        result: returned.result,
                        more: false,
                    });
                }
            },
        }
    }

    /// Holds the process's lock files open until its last request is done. Those that are gone are
    /// let go of only when it is `idle`.
    pub(super) fn keep_files(&mut self, idle: bool) {
        match self {
            Self::Ring(ring) => {
                let none = if idle { -1 } else { -2 };
                // Refused at worst by a limit on registrations: the descriptor itself still holds
                // the lock.
                let _kept = registry::with_kept(none, |fds| ring.keep_files(fds));
            },
            Self::Epoll(epoll) => epoll.keep_files(registry::kept(), idle),
        }
    }
}

fn register(ring: &mut Uring, remote: &Remote, bytes: usize) {
    let arena = Arena::seed(bytes);
    let bytes = arena.len() as u64;
    // Refused, its blocks serve as any others.
    let registered = ring.register(arena).is_ok();
    remote
        .counters
        .registered(if registered { bytes } else { 0 });
}
