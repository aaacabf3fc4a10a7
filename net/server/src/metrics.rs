//! Counters of one shard: plain cells, bounded in size whatever the number of partitions.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use net_wire::{ApiKey, ErrorCode};

use crate::telemetry::ClientMetric;

/// Buckets of a [`Histogram`]; the last one has no upper bound.
pub const BUCKETS: usize = 32;

/// Durations by powers of two of microseconds: bucket `n` counts those below 2^n us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Durations per bucket.
    pub buckets: [u64; BUCKETS],
    /// Sum of all durations in microseconds.
    pub sum_us: u64,
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&mut self, duration: Duration) {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = (u64::BITS - us.leading_zeros()) as usize;
        self.buckets[bucket.min(BUCKETS - 1)] += 1;
        self.sum_us = self.sum_us.saturating_add(us);
    }

    /// How many durations were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Adds the counts of another shard.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
    }
}

/// Where the time of a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From the last byte received to the handler's start.
    Queue,
    /// From a produce's append to its records on disk.
    Journal,
    /// From a response ready to the last byte given to the socket.
    Send,
    /// All of it.
    Total,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 4] = [Self::Queue, Self::Journal, Self::Send, Self::Total];

    /// Its name in the metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Journal => "journal",
            Self::Send => "send",
            Self::Total => "total",
        }
    }
}

/// A copy of one shard's counters, for another thread.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricsSnapshot {
    /// Requests by API, in the order of [`ApiKey::ALL`].
    pub requests: Vec<(ApiKey, u64)>,
    /// Errors answered, by code, ascending; at most one entry for each code of the protocol.
    pub errors: Vec<(ErrorCode, u64)>,
    /// Latency by stage, in the order of [`Stage::ALL`].
    pub stages: [Histogram; Stage::ALL.len()],
    /// Bytes of requests.
    pub bytes_in: u64,
    /// Bytes of responses.
    pub bytes_out: u64,
    /// Those of them that left from files (`fetch.read.path=sendfile`).
    pub file_bytes_out: u64,
    /// Records appended.
    pub records_in: u64,
    /// Connections open now.
    pub connections: usize,
    /// Connections accepted.
    pub connections_accepted: u64,
    /// Connections closed because of what the client sent.
    pub connections_refused: u64,
    /// Connections closed because they were idle, slow or half-open.
    pub connections_expired: u64,
    /// Connections that are not read from now, because of a quota.
    pub connections_throttled: usize,
    /// Requests after which a quota throttled the client.
    pub requests_throttled: u64,
    /// For how long it did, in milliseconds, all in all.
    pub throttle_ms: u64,
    /// Fetch sessions open now.
    pub fetch_sessions: usize,
    /// Fetch sessions evicted for newer ones.
    pub fetch_sessions_evicted: u64,
    /// What clients told of their own metrics, by name: a bounded number of names.
    pub client_metrics: Vec<(String, ClientMetric)>,
    /// Times that clients pushed their metrics.
    pub telemetry_pushes: u64,
    /// Numbers of theirs that were not kept.
    pub telemetry_dropped: u64,
    /// Bytes of requests in flight now.
    pub request_bytes_queued: usize,
    /// Bytes of responses in flight now.
    pub response_bytes_queued: usize,
}

/// A counter of one executor.
#[derive(Debug, Default)]
pub(crate) struct Counter(Cell<u64>);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.set(self.0.get().wrapping_add(count));
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.get()
    }
}

/// Requests by API.
#[derive(Debug)]
struct Requests([Counter; ApiKey::ALL.len()]);

impl Default for Requests {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Counter::default()))
    }
}

/// The counters that the server of one shard keeps.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Requests,
    errors: RefCell<Vec<u64>>,
    stages: RefCell<[Histogram; Stage::ALL.len()]>,
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
    pub(crate) file_bytes_out: Counter,
    pub(crate) records_in: Counter,
    pub(crate) connections_accepted: Counter,
    pub(crate) connections_refused: Counter,
    pub(crate) connections_expired: Counter,
    pub(crate) connections_throttled: Cell<usize>,
    pub(crate) requests_throttled: Counter,
    pub(crate) throttle_ms: Counter,
}

impl Metrics {
    pub(crate) fn request(&self, api: ApiKey, bytes: usize) {
        if let Some(at) = ApiKey::ALL.iter().position(|&known| known == api) {
            self.requests.0[at].add(1);
        }
        self.bytes_in.add(bytes as u64);
    }

    pub(crate) fn stage(&self, stage: Stage, duration: Duration) {
        self.stages.borrow_mut()[stage as usize].record(duration);
    }

    /// Counts an error that a response tells; no error is not counted.
    pub(crate) fn error(&self, code: ErrorCode) {
        let Some(at) = ErrorCode::ALL
            .iter()
            .position(|&known| known == code && !code.is_none())
        else {
            return;
        };
        let mut errors = self.errors.borrow_mut();
        errors.resize(ErrorCode::ALL.len(), 0);
        errors[at] += 1;
    }

    /// The counters that stand here; the caller fills in the gauges.
    pub(crate) fn snapshot(&self) -> MetricsSnapshot {
        let requests = ApiKey::ALL.iter().zip(&self.requests.0);
        let errors = self.errors.borrow();
        let errors = ErrorCode::ALL
            .iter()
            .zip(errors.iter())
            .filter(|(_, count)| **count > 0);
        MetricsSnapshot {
            requests: requests
                .map(|(&api, counter)| (api, counter.get()))
                .collect(),
            errors: errors.map(|(&code, &count)| (code, count)).collect(),
            stages: self.stages.borrow().clone(),
            bytes_in: self.bytes_in.get(),
            bytes_out: self.bytes_out.get(),
            file_bytes_out: self.file_bytes_out.get(),
            records_in: self.records_in.get(),
            connections: 0,
            connections_accepted: self.connections_accepted.get(),
            connections_refused: self.connections_refused.get(),
            connections_expired: self.connections_expired.get(),
            connections_throttled: self.connections_throttled.get(),
            requests_throttled: self.requests_throttled.get(),
            throttle_ms: self.throttle_ms.get(),
            client_metrics: Vec::new(),
            telemetry_pushes: 0,
            telemetry_dropped: 0,
            fetch_sessions: 0,
            fetch_sessions_evicted: 0,
            request_bytes_queued: 0,
            response_bytes_queued: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_fall_into_powers_of_two() {
        let mut histogram = Histogram::default();
        for us in [0, 1, 2, 3, 4, 1_000] {
            histogram.record(Duration::from_micros(us));
        }
        histogram.record(Duration::from_secs(1 << 40));
        assert_eq!(histogram.buckets[..4], [1, 1, 2, 1]);
        assert_eq!(
            (histogram.buckets[10], histogram.buckets[BUCKETS - 1]),
            (1, 1)
        );
        assert_eq!(histogram.count(), 7);
        let mut sum = histogram.clone();
        sum.add(&histogram);
        assert_eq!(sum.count(), 14);
    }

    #[test]
    fn snapshots_hold_what_was_counted() {
        let metrics = Metrics::default();
        metrics.request(ApiKey::Fetch, 100);
        metrics.error(ErrorCode::NONE);
        metrics.error(ErrorCode::CORRUPT_MESSAGE);
        metrics.stage(Stage::Send, Duration::from_micros(7));
        let snapshot = metrics.snapshot();
        assert!(snapshot.requests.contains(&(ApiKey::Fetch, 1)));
        assert_eq!(snapshot.errors, [(ErrorCode::CORRUPT_MESSAGE, 1)]);
        assert_eq!(snapshot.bytes_in, 100);
        assert_eq!(snapshot.stages[Stage::Send as usize].count(), 1);
    }
}
