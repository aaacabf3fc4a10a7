//! What executors count, readable from any thread at any time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::registry;

/// Counters with one writer.
#[derive(Debug, Default)]
pub(super) struct Counters {
    turns: AtomicU64,
    polls: AtomicU64,
    completions: AtomicU64,
    doorbells: AtomicU64,
    busy_nanos: AtomicU64,
    turn_nanos_max: AtomicU64,
    registered_bytes: AtomicU64,
}

/// A snapshot of one executor's counters since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecutorStats {
    /// The executor's name.
    pub name: String,
    /// Rounds of the executor's loop.
    pub turns: u64,
    /// Polls of tasks.
    pub polls: u64,
    /// Completions that the kernel reported.
    pub completions: u64,
    /// Times that another executor had to be woken by the kernel.
    pub doorbells: u64,
    /// Time spent in tasks, without what the kernel does for the ring.
    pub busy: Duration,
    /// The longest round: how late a completion or a timer may have been seen.
    pub turn_max: Duration,
    /// Memory that is registered with the ring: zero where none was asked for or the limit of
    /// locked memory refused it.
    pub registered_bytes: u64,
}

/// Adds without the cost of an atomic addition: there is one writer.
fn add(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Ordering::Relaxed) + more, Ordering::Relaxed);
}

impl Counters {
    pub(super) fn turn(&self, nanos: u64, polls: u64) {
        add(&self.turns, 1);
        add(&self.polls, polls);
        add(&self.busy_nanos, nanos);
        if nanos > self.turn_nanos_max.load(Ordering::Relaxed) {
            self.turn_nanos_max.store(nanos, Ordering::Relaxed);
        }
    }

    pub(super) fn completions(&self, more: u64) {
        add(&self.completions, more);
    }

    pub(super) fn doorbell(&self) {
        add(&self.doorbells, 1);
    }

    pub(super) fn registered(&self, bytes: u64) {
        self.registered_bytes.store(bytes, Ordering::Relaxed);
    }

    fn snapshot(&self, name: String) -> ExecutorStats {
        ExecutorStats {
            name,
            turns: self.turns.load(Ordering::Relaxed),
            polls: self.polls.load(Ordering::Relaxed),
            completions: self.completions.load(Ordering::Relaxed),
            doorbells: self.doorbells.load(Ordering::Relaxed),
            busy: Duration::from_nanos(self.busy_nanos.load(Ordering::Relaxed)),
            turn_max: Duration::from_nanos(self.turn_nanos_max.load(Ordering::Relaxed)),
            registered_bytes: self.registered_bytes.load(Ordering::Relaxed),
        }
    }
}

/// The counters of the executors that run now in this process, in the order of their start. The
/// simulation's executors are not among them.
pub fn stats() -> Vec<ExecutorStats> {
    let snapshot = |remote: &super::remote::Remote| remote.counters.snapshot(remote.name.clone());
    registry::executors()
        .iter()
        .map(|remote| snapshot(remote))
        .collect()
}
