//! An executor as other threads see it: a queue of tasks to wake, and a doorbell.
//!
//! Waking a task of one's own thread takes no lock and no system call. Another thread's task goes
//! into that executor's inbox; its doorbell rings only if it sleeps (`doorbell.rs`).

use std::fmt;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::task::Wake;

use super::doorbell::{Doorbell, Queued};
use super::reactor::Reactor;
use super::slab::Key;
use super::stalls::{Notes, Origin};
use super::stats::Counters;
use super::sys;

pub(crate) struct Remote {
    pub(super) name: String,
    pub(super) counters: Counters,
    pub(super) stalls: Notes,
    doorbell: Doorbell<Key>,
    ring: Option<RawFd>,
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
    pub(super) fn new(
        name: String,
        ring: Option<RawFd>,
        audit_turns: bool,
    ) -> std::io::Result<Self> {
        Ok(Self {
            name,
            counters: Counters::new(audit_turns),
            stalls: Notes::new(),
            doorbell: Doorbell::new(),
            ring,
            bell: sys::eventfd()?,
        })
    }

    /// The ring's descriptor, if it has one, for messages from other rings. It may be closed already: then the
    /// message fails, or rings a ring that looks into an empty inbox.
    pub(super) const fn ring(&self) -> Option<RawFd> {
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

    /// Wakes an executor that sleeps. What it shall find stands where it looks before it sleeps.
    pub(crate) fn knock(&self) {
        if self.doorbell.knock() {
            self.ring_bell();
        }
    }

    pub(super) const fn doorbell(&self) -> &Doorbell<Key> {
        &self.doorbell
    }

    fn wake_task(self: &Arc<Self>, key: Key) {
        if !self.doorbell.post(key) {
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
    queued: Queued,
    origin: Origin,
}

impl TaskWaker {
    /// The waker of a task that is put into the queue right away.
    pub(super) fn queued(remote: Arc<Remote>, key: Key, origin: Origin) -> Self {
        Self {
            remote,
            key,
            queued: Queued::new(),
            origin,
        }
    }

    /// Where the task comes from.
    pub(super) const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The task is about to be polled: from here on it may be queued again.
    pub(super) fn take(&self) {
        self.queued.take();
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.mark() {
            return;
        }
        let local = Reactor::with_current(|reactor| reactor.wake_local(&self.remote, self.key));
        if local != Some(true) {
            self.remote.wake_task(self.key);
        }
    }
}
