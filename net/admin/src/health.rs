//! Whether the shards turn, and whether produce is accepted: words in shared memory, which a shard
//! writes without waiting and the admin thread reads without asking.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

/// A counter per shard that its executor moves at least every second.
#[derive(Clone, Debug)]
pub struct Pulses(Arc<[AtomicU64]>);

impl Pulses {
    /// Pulses of `shards` shards, none of which has beaten.
    pub fn new(shards: usize) -> Self {
        Self((0..shards).map(|_| AtomicU64::new(0)).collect())
    }

    /// A shard says that its executor turns. To be called by a task of that shard, once a second.
    pub fn beat(&self, shard: usize) {
        self.0[shard].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn counts(&self) -> Vec<u64> {
        self.0
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .collect()
    }
}

/// Where the broker is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ReadyState {
    /// Recovering; connections are not accepted.
    Starting = 0,
    /// Produce is accepted.
    Ready = 1,
    /// Answering what is in flight.
    Stopping = 2,
}

/// Where the broker is in its life, for all threads.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicU8>);

impl Readiness {
    /// Says where the broker is now.
    pub fn set(&self, state: ReadyState) {
        self.0.store(state as u8, Ordering::Release);
    }

    /// Where the broker is now.
    pub fn get(&self) -> ReadyState {
        match self.0.load(Ordering::Acquire) {
            0 => ReadyState::Starting,
            1 => ReadyState::Ready,
            _ => ReadyState::Stopping,
        }
    }
}

/// When each shard's pulse was last seen to move. Times are given in, so that a test owns them.
#[derive(Debug)]
pub(crate) struct Liveness {
    last: Vec<(u64, Duration)>,
}

/// A shard that has not turned for this long is not alive.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(5);

impl Liveness {
    pub(crate) fn new(counts: &[u64], now: Duration) -> Self {
        Self {
            last: counts.iter().map(|count| (*count, now)).collect(),
        }
    }

    /// Takes note of the pulses at `now`, a time since some fixed moment.
    pub(crate) fn observe(&mut self, counts: &[u64], now: Duration) {
        for (last, count) in self.last.iter_mut().zip(counts) {
            if last.0 != *count {
                *last = (*count, now);
            }
        }
    }

    /// Shards that have been silent for too long, with for how long.
    pub(crate) fn silent(&self, now: Duration) -> Vec<(usize, Duration)> {
        let silence =
            |(shard, (_, seen)): (usize, &(u64, Duration))| (shard, now.saturating_sub(*seen));
        let shards = self.last.iter().enumerate().map(silence);
        shards
            .filter(|(_, silence)| *silence > SILENCE_MAX)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_shard_is_silent_only_after_five_seconds() {
        let pulses = Pulses::new(2);
        let mut liveness = Liveness::new(&pulses.counts(), s(10));
        assert_eq!(liveness.silent(s(15)), []);
        pulses.beat(1);
        liveness.observe(&pulses.counts(), s(15));
        assert_eq!(liveness.silent(s(16)), [(0, s(6))]);
        pulses.beat(0);
        liveness.observe(&pulses.counts(), s(16));
        assert_eq!(liveness.silent(s(20)), []);
        assert_eq!(liveness.silent(s(22)), [(0, s(6)), (1, s(7))]);
    }

    #[test]
    fn readiness_is_shared() {
        let readiness = Readiness::default();
        assert_eq!(readiness.get(), ReadyState::Starting);
        for state in [
            ReadyState::Ready,
            ReadyState::Stopping,
            ReadyState::Starting,
        ] {
            readiness.clone().set(state);
            assert_eq!(readiness.get(), state);
        }
    }
}
