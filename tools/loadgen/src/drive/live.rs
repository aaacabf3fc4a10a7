//! How far a run is, for whoever looks on: counters that any thread may read.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bits of a time in microseconds: days.
const MICROS_BITS: u32 = 40;
const MICROS: u64 = (1 << MICROS_BITS) - 1;

/// Counters of all cores together.
#[derive(Debug, Default)]
pub struct Live {
    planned: AtomicU64,
    acknowledged: AtomicU64,
    failed: AtomicU64,
    consumed: AtomicU64,
    retried: AtomicU64,
    reconnects: AtomicU64,
    /// A second that has passed, and below it `total` at p99 in it in microseconds: so the largest is
    /// that of the slowest core in the newest second.
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
    /// Batches that failed and were sent again.
    pub retried: u64,
    /// Broken connections of producers that were made again.
    pub reconnects: u64,
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

    /// A batch is sent again.
    pub(crate) fn retried(&self) {
        self.retried.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection was made again.
    pub(crate) fn reconnected(&self) {
        self.reconnects.fetch_add(1, Ordering::Relaxed);
    }

    /// A second has passed on a core, with that `total` at p99.
    pub(crate) fn second(&self, second: u32, p99: u64) {
        let micros = (p99 / 1_000).min(MICROS);
        let packed = u64::from(second) << MICROS_BITS | micros;
        self.p99.fetch_max(packed, Ordering::Relaxed);
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
            retried: self.retried.load(Ordering::Relaxed),
            reconnects: self.reconnects.load(Ordering::Relaxed),
            p99: (self.p99.load(Ordering::Relaxed) & MICROS) * 1_000,
            started: (started > 0).then_some(started),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_core_of_the_newest_second_counts() {
        let live = Live::default();
        for (second, p99) in [(0, 9_000_000), (1, 2_000_000), (1, 3_000_000), (1, 1_000)] {
            live.second(second, p99);
        }
        live.second(0, 8_000_000);
        assert_eq!(live.sample().p99, 3_000_000);
        live.second(2, u64::MAX);
        live.second(3, 0);
        assert_eq!(live.sample().p99, 0);
    }
}
