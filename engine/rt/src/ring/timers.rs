//! Timers of one executor, in the order of their deadlines.
//!
//! The next deadline goes into the ring's wait as a timespec, so that a timer costs no submission.
//! A tree and not a heap: most timers guard something that happens in time and are taken back.

use std::collections::BTreeMap;
use std::task::Waker;

use crate::Instant;

/// Names one timer: timers with the same deadline fire in the order of their setting.
pub(super) type TimerKey = (Instant, u64);

pub(super) struct Timers {
    waiting: BTreeMap<TimerKey, Waker>,
    next_number: u64,
}

impl Timers {
    pub(super) const fn new() -> Self {
        Self {
            waiting: BTreeMap::new(),
            next_number: 0,
        }
    }

    pub(super) fn set(&mut self, deadline: Instant, waker: Waker) -> TimerKey {
        let key = (deadline, self.next_number);
        self.next_number += 1;
        self.waiting.insert(key, waker);
        key
    }

    /// Gives a timer that has not fired yet another waker.
    pub(super) fn update(&mut self, key: TimerKey, waker: &Waker) {
        if let Some(old) = self.waiting.get_mut(&key) {
            old.clone_from(waker);
        }
    }

    pub(super) fn remove(&mut self, key: TimerKey) {
        self.waiting.remove(&key);
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.waiting
            .first_key_value()
            .map(|(&(deadline, _), _)| deadline)
    }

    /// Takes out the earliest timer if it is due.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Waker> {
        let first = self.waiting.first_entry()?;
        if first.key().0 <= now {
            Some(first.remove())
        } else {
            None
        }
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }
}
