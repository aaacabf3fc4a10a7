//! An executor as other threads see it: a queue of tasks to wake, and a doorbell.
//!
//! Waking a task of one's own thread takes no lock and no system call. Another thread's task goes
//! into that executor's inbox; its doorbell rings only if it sleeps. Whoever sleeps says so before
//! the last look into the inbox, whoever wakes puts in before looking whether to ring, with a full
//! fence between the two on both sides: one of them sees the other.

use std::fmt;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::task::Wake;

use crossbeam::queue::SegQueue;

use super::reactor::Reactor;
use super::slab::Key;
use super::stalls::{Notes, Origin};
use super::stats::Counters;
use super::sys;

pub(super) struct Remote {
    pub(super) name: String,
    pub(super) counters: Counters,
    pub(super) stalls: Notes,
    inbox: SegQueue<Key>,
    sleeping: AtomicBool,
    ring: RawFd,
    bell: OwnedFd,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Remote {
    pub(super) fn new(name: String, ring: RawFd, audit_turns: bool) -> std::io::Result<Self> {
        Ok(Self {
            name,
            counters: Counters::new(audit_turns),
            stalls: Notes::new(),
            inbox: SegQueue::new(),
            sleeping: AtomicBool::new(false),
            ring,
            bell: sys::eventfd()?,
        })
    }

    /// The ring's descriptor, for messages from other rings. It may be closed already: then the
    /// message fails, or rings a ring that looks into an empty inbox.
    pub(super) const fn ring(&self) -> RawFd {
        self.ring
    }

    /// The event counter that the executor polls.
    pub(super) fn bell(&self) -> RawFd {
        self.bell.as_raw_fd()
    }

    /// Rings from any thread.
    pub(super) fn ring_bell(&self) {
        sys::eventfd_signal(self.bell());
    }

    pub(super) fn has_mail(&self) -> bool {
        !self.inbox.is_empty()
    }

    pub(super) fn next_woken(&self) -> Option<Key> {
        self.inbox.pop()
    }

    /// Says that the executor is about to sleep. False if it must not, for there is mail.
    pub(super) fn try_sleep(&self) -> bool {
        self.sleeping.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if !self.has_mail() {
            return true;
        }
        self.wake_up();
        false
    }

    pub(super) fn wake_up(&self) {
        self.sleeping.store(false, Ordering::Relaxed);
    }

    /// Ends the sleep; whether the caller is the one who has to ring.
    fn take_sleep(&self) -> bool {
        self.sleeping.load(Ordering::Relaxed) && self.sleeping.swap(false, Ordering::AcqRel)
    }

    fn wake_task(self: &Arc<Self>, key: Key) {
        self.inbox.push(key);
        fence(Ordering::SeqCst);
        if !self.take_sleep() {
            return;
        }
        let rung = Reactor::with_current(|reactor| reactor.ring_peer(self)).is_some();
        if !rung {
            self.ring_bell();
        }
    }
}

/// What wakes one task, from any thread.
pub(super) struct TaskWaker {
    remote: Arc<Remote>,
    key: Key,
    /// Whether the task is in a queue already.
    queued: AtomicBool,
    origin: Origin,
}

impl TaskWaker {
    /// The waker of a task that is put into the queue right away.
    pub(super) const fn queued(remote: Arc<Remote>, key: Key, origin: Origin) -> Self {
        Self {
            remote,
            key,
            queued: AtomicBool::new(true),
            origin,
        }
    }

    /// Where the task comes from.
    pub(super) const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The task is about to be polled: from here on it may be queued again.
    pub(super) fn take(&self) {
        // Pairs with the swap in `wake`: what a waker did before a wake that found the task queued
        // is seen by the poll that follows.
        self.queued.swap(false, Ordering::AcqRel);
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let local = Reactor::with_current(|reactor| reactor.wake_local(&self.remote, self.key));
        if local != Some(true) {
            self.remote.wake_task(self.key);
        }
    }
}
