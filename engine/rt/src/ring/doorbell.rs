//! How a sleeping executor hears of a task that another thread woke.
//!
//! Whoever sleeps says so before the last look into the inbox, whoever wakes puts in before looking
//! whether to ring, with a full fence between the two on both sides: one of them sees the other.

use std::sync::atomic::Ordering;

use crate::shim::{AtomicBool, SegQueue, fence};

/// The inbox of an executor, and whether it sleeps.
pub(crate) struct Doorbell<K> {
    inbox: SegQueue<K>,
    sleeping: AtomicBool,
}

impl<K> Doorbell<K> {
    pub(crate) fn new() -> Self {
        Self {
            inbox: SegQueue::new(),
            sleeping: AtomicBool::new(false),
        }
    }

    pub(crate) fn has_mail(&self) -> bool {
        !self.inbox.is_empty()
    }

    pub(crate) fn next(&self) -> Option<K> {
        self.inbox.pop()
    }

    /// Says that the executor is about to sleep. False if it must not, for there is mail.
    pub(crate) fn try_sleep(&self) -> bool {
        self.sleeping.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if !self.has_mail() {
            return true;
        }
        self.wake_up();
        false
    }

    pub(crate) fn wake_up(&self) {
        self.sleeping.store(false, Ordering::Relaxed);
    }

    /// Puts in a key, from any thread. Whether the caller is the one who has to ring.
    pub(crate) fn post(&self, key: K) -> bool {
        self.inbox.push(key);
        self.knock()
    }

    /// After something was put where the executor looks when it has said that it sleeps. Whether
    /// the caller is the one who has to ring.
    pub(crate) fn knock(&self) -> bool {
        fence(Ordering::SeqCst);
        self.take_sleep()
    }

    /// Ends the sleep, for one of those who see it. Whoever comes too late writes nothing: "awake" is
    /// written by the sleeper, and by whoever rings for it.
    fn take_sleep(&self) -> bool {
        let (taken, late) = (Ordering::AcqRel, Ordering::Relaxed);
        let sleeping = &self.sleeping;
        sleeping.load(late) && sleeping.compare_exchange(true, false, taken, late).is_ok()
    }
}

/// Whether a task is in a queue already.
pub(crate) struct Queued(AtomicBool);

impl Queued {
    /// It is, from its making on.
    pub(crate) fn new() -> Self {
        Self(AtomicBool::new(true))
    }

    /// Before a wake: whether the caller is the one who has to queue it.
    pub(crate) fn mark(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }

    /// The task is about to be polled: from here on it may be queued again.
    pub(crate) fn take(&self) {
        // Pairs with the swap in `mark`: what a waker did before a wake that found the task queued
        // is seen by the poll that follows.
        self.0.swap(false, Ordering::AcqRel);
    }
}
