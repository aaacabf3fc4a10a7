//! What one core writes down.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine_rt::Buf;
use serde::{Deserialize, Serialize};

use super::accumulator::Waiting;
use super::live::Live;
use crate::delays::{Delays, Moments};
use crate::ledger::{Place, Writer};

/// What was counted while producing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Records that were taken up.
    pub planned: u64,
    /// Acknowledged records.
    pub acknowledged: u64,
    /// Records whose request failed.
    pub failed: u64,
    /// Records that were not sent, or not answered, when time was up.
    pub undelivered: u64,
    /// Bytes of values of acknowledged records.
    pub value_bytes: u64,
    /// Bytes of sent batches, as they left.
    pub batch_bytes: u64,
    /// Batches that were sent.
    pub batches: u64,
    /// Requests that were sent.
    pub requests: u64,
    /// Sum of the requests that were in flight when each one was sent, itself included.
    pub in_flight_sum: u64,
    /// How long brokers told clients to wait (quotas), in milliseconds.
    pub throttled_ms: u64,
    /// Failures by their name.
    pub errors: BTreeMap<String, u64>,
    /// Batches that failed and were sent again, by why. What was acknowledged after all is in no
    /// other number of failures.
    #[serde(default)]
    pub retried: BTreeMap<String, u64>,
    /// Connections that broke and were made again.
    #[serde(default)]
    pub reconnects: u64,
}

/// The books of one core.
#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) delays: Delays,
    pub(crate) writer: Writer,
    pub(crate) counts: Counts,
    live: Arc<Live>,
}

/// A batch on its way.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) stream: u32,
    pub(crate) place: Place,
    /// The place's lane.
    pub(crate) lane: usize,
    /// Sequence of the first record.
    pub(crate) first: u64,
    pub(crate) records: Vec<Waiting>,
    /// The batch, as it leaves.
    pub(crate) batch: Buf,
    pub(crate) ready: u64,
}

impl Sent {
    /// When its first record was planned.
    pub(crate) fn planned(&self) -> u64 {
        self.records.first().map_or(0, |first| first.planned)
    }
}

impl Counts {
    /// Adds another core's.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.planned += other.planned;
        self.acknowledged += other.acknowledged;
        self.failed += other.failed;
        self.undelivered += other.undelivered;
        self.value_bytes += other.value_bytes;
        self.batch_bytes += other.batch_bytes;
        self.batches += other.batches;
        self.requests += other.requests;
        self.in_flight_sum += other.in_flight_sum;
        self.throttled_ms += other.throttled_ms;
        self.reconnects += other.reconnects;
        for (own, other) in [
            (&mut self.errors, &other.errors),
            (&mut self.retried, &other.retried),
        ] {
            for (name, count) in other {
                *own.entry(name.clone()).or_default() += count;
            }
        }
    }
}

impl Books {
    pub(crate) fn new(measured_from: u64, live: Arc<Live>) -> Self {
        Self {
            delays: Delays::new(measured_from),
            writer: Writer::default(),
            counts: Counts::default(),
            live,
        }
    }

    /// A record was taken up.
    pub(crate) fn picked(&mut self, planned: u64, picked: u64) {
        self.delays.picked(planned, picked);
        self.counts.planned += 1;
        self.live.planned(1);
    }

    /// A request was sent, of this size, beside so many others.
    pub(crate) fn request(&mut self, bytes: usize, in_flight: usize) {
        self.counts.requests += 1;
        self.counts.in_flight_sum += in_flight as u64;
        self.counts.batch_bytes += bytes as u64;
    }

    /// Batches are sent for the first time.
    pub(crate) fn sent(&mut self, batches: &[Sent]) {
        self.counts.batches += batches.len() as u64;
        for batch in batches {
            let count = batch.records.len() as u64;
            self.writer
                .sent(batch.stream, batch.place, batch.first, count);
        }
    }

    /// A batch was acknowledged.
    pub(crate) fn acknowledged(&mut self, batch: &Sent, written: u64, answered: u64) {
        for record in &batch.records {
            self.delays.acknowledged(&Moments {
                planned: record.planned,
                picked: record.picked,
                ready: batch.ready.max(record.picked),
                written,
                answered,
            });
            self.counts.value_bytes += u64::from(record.size);
        }
        let count = batch.records.len() as u64;
        self.writer
            .acknowledged(batch.stream, batch.place, batch.first, count);
        self.counts.acknowledged += count;
        self.live.acknowledged(count);
    }

    /// A batch has failed, and is sent again: the clocks of its records run on.
    pub(crate) fn retried(&mut self, why: &str) {
        *self.counts.retried.entry(why.to_owned()).or_default() += 1;
        self.live.retried();
    }

    /// A broken connection was made again.
    pub(crate) fn reconnected(&mut self) {
        self.counts.reconnects += 1;
        self.live.reconnected();
    }

    /// A batch has failed: its records enter at their age.
    pub(crate) fn failed(&mut self, batch: &Sent, now: u64, why: &str) {
        for record in &batch.records {
            self.delays.given_up(record.planned, now);
        }
        let count = batch.records.len() as u64;
        self.counts.failed += count;
        *self.counts.errors.entry(why.to_owned()).or_default() += count;
        self.live.failed(count);
    }

    /// Time is up for these records: they enter at their age.
    pub(crate) fn undelivered(&mut self, records: &[Waiting], now: u64) {
        for record in records {
            self.delays.given_up(record.planned, now);
        }
        self.counts.undelivered += records.len() as u64;
    }
}
