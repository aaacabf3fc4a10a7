//! How far a run is, for whoever looks on: counters that any thread may read.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of all cores together.
#[derive(Debug, Default)]
pub struct Live {
    planned: AtomicU64,
    acknowledged: AtomicU64,
    failed: AtomicU64,
    consumed: AtomicU64,
    /// `total` at p99 in the last second that has passed, of the slowest core; nanoseconds.
    p99: AtomicU64,
    /// Nanoseconds of the executors' clock at the start; 0 before it.
    started: AtomicU64,
}

/// What the counters say at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Records that were taken up.
    pub planned: u64,
    /// Of these, acknowledged.
    pub acknowledged: u64,
    /// Failed.
    pub failed: u64,
    /// Records that consumers have read.
    pub consumed: u64,
    /// `total` at p99 in the last second, in nanoseconds.
    pub p99: u64,
    /// When the first record was planned, by the executors' clock; `None` before.
    pub started: Option<u64>,
}

impl Live {
    /// Records were taken up.
    pub(crate) fn planned(&self, records: u64) {
        self.planned.fetch_add(records, Ordering::Relaxed);
    }

    /// Records were acknowledged.
    pub(crate) fn acknowledged(&self, records: u64) {
        self.acknowledged.fetch_add(records, Ordering::Relaxed);
    }

    /// Records failed.
    pub(crate) fn failed(&self, records: u64) {
        self.failed.fetch_add(records, Ordering::Relaxed);
    }

    /// Records were read.
    pub(crate) fn consumed(&self, records: u64) {
        self.consumed.fetch_add(records, Ordering::Relaxed);
    }

    /// A second has passed on a core.
    pub(crate) fn second(&self, p99: u64) {
        self.p99.store(p99, Ordering::Relaxed);
    }

    /// The run begins.
    pub(crate) fn start(&self, nanos: u64) {
        self.started.store(nanos, Ordering::Relaxed);
    }

    /// What they say now.
    pub fn sample(&self) -> Sample {
        let started = self.started.load(Ordering::Relaxed);
        Sample {
            planned: self.planned.load(Ordering::Relaxed),
            acknowledged: self.acknowledged.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            consumed: self.consumed.load(Ordering::Relaxed),
            p99: self.p99.load(Ordering::Relaxed),
            started: (started > 0).then_some(started),
        }
    }
}
