//! Where a record's time goes: histograms of each part, from its planned arrival on.
//!
//! `lateness` is the generator's own fault, `batching` the client's choice (linger), `blocked` the
//! broker's: too much in flight or a socket that takes nothing; `service` is from the written
//! request to its answer: all that a closed loop would have seen. `total` is their sum. End to end
//! is from the planned arrival to a complete answer of a fetch, `decoded` until the record was
//! taken out of it.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The largest value that is told apart: ten minutes. Beyond, values are counted.
const NANOS_MAX: u64 = 600_000_000_000;
/// The smallest: a microsecond.
const NANOS_MIN: u64 = 1_000;
const SECOND: u64 = 1_000_000_000;

/// A part of a record's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Delay {
    /// Planned to picked up.
    Lateness,
    /// Picked up to ready for sending.
    Batching,
    /// Ready to written.
    Blocked,
    /// Written to acknowledged.
    Service,
    /// Planned to acknowledged.
    Total,
    /// Planned to received by a consumer.
    EndToEnd,
    /// Planned to decoded by a consumer.
    Decoded,
}

impl Delay {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Lateness,
        Self::Batching,
        Self::Blocked,
        Self::Service,
        Self::Total,
        Self::EndToEnd,
        Self::Decoded,
    ];

    /// Its name in tables and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lateness => "lateness",
            Self::Batching => "batching",
            Self::Blocked => "blocked",
            Self::Service => "service",
            Self::Total => "total",
            Self::EndToEnd => "end_to_end",
            Self::Decoded => "decoded",
        }
    }
}

/// Moments of a record, in nanoseconds since the start of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moments {
    /// When it should have come.
    pub planned: u64,
    /// When the generator took it up.
    pub picked: u64,
    /// When its batch was ready for sending.
    pub ready: u64,
    /// When the socket had taken its request.
    pub written: u64,
    /// When its answer was there.
    pub answered: u64,
}

/// What happened to records that were planned in one second.
#[derive(Clone, Debug)]
pub struct Second {
    /// Planned arrivals.
    pub planned: u64,
    /// Of these, acknowledged.
    pub acknowledged: u64,
    /// `total` of those.
    pub total: Histogram<u64>,
}

/// All histograms of a core, a consumer or a run.
#[derive(Clone, Debug)]
pub struct Delays {
    by_delay: [Histogram<u64>; 7],
    /// By the second in which they were planned.
    seconds: BTreeMap<u32, Second>,
    /// Records planned earlier warm up: they count in seconds only.
    measured_from: u64,
    /// Values above ten minutes, which stand in the histograms as ten minutes.
    beyond: u64,
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(NANOS_MIN, NANOS_MAX, 3).expect("the bounds are in order")
}

impl Default for Second {
    fn default() -> Self {
        let mut total = Histogram::new_with_bounds(NANOS_MIN, SECOND / 100, 2)
            .expect("the bounds are in order");
        total.auto(true);
        Self {
            planned: 0,
            acknowledged: 0,
            total,
        }
    }
}

impl Second {
    fn record(&mut self, nanos: u64) {
        // Saturating would not let it grow.
        let recorded = self.total.record(nanos.min(NANOS_MAX));
        recorded.expect("it grows as it must");
    }
}

impl Delays {
    /// Empty ones; records planned before `measured_from` nanoseconds only warm up.
    pub fn new(measured_from: u64) -> Self {
        Self {
            by_delay: std::array::from_fn(|_| histogram()),
            seconds: BTreeMap::new(),
            measured_from,
            beyond: 0,
        }
    }

    /// The histogram of a part.
    pub fn of(&self, delay: Delay) -> &Histogram<u64> {
        &self.by_delay[delay as usize]
    }

    /// By the second of the planned arrival.
    pub const fn seconds(&self) -> &BTreeMap<u32, Second> {
        &self.seconds
    }

    /// Values above what the histograms tell apart.
    pub const fn beyond(&self) -> u64 {
        self.beyond
    }

    fn second(&mut self, planned: u64) -> &mut Second {
        let second = u32::try_from(planned / SECOND).unwrap_or(u32::MAX);
        self.seconds.entry(second).or_default()
    }

    fn record(&mut self, delay: Delay, nanos: u64) {
        if nanos > NANOS_MAX {
            self.beyond += 1;
        }
        self.by_delay[delay as usize].saturating_record(nanos);
    }

    const fn is_measured(&self, planned: u64) -> bool {
        planned >= self.measured_from
    }

    /// The generator took up a record.
    pub fn picked(&mut self, planned: u64, picked: u64) {
        self.second(planned).planned += 1;
        if self.is_measured(planned) {
            self.record(Delay::Lateness, picked.saturating_sub(planned));
        }
    }

    /// A record was acknowledged.
    pub fn acknowledged(&mut self, at: &Moments) {
        let total = at.answered.saturating_sub(at.planned);
        let second = self.second(at.planned);
        second.acknowledged += 1;
        second.record(total);
        if !self.is_measured(at.planned) {
            return;
        }
        self.record(Delay::Batching, at.ready.saturating_sub(at.picked));
        self.record(Delay::Blocked, at.written.saturating_sub(at.ready));
        self.record(Delay::Service, at.answered.saturating_sub(at.written));
        self.record(Delay::Total, total);
    }

    /// A record has no acknowledgement, and will have none: it enters at its age.
    pub fn given_up(&mut self, planned: u64, now: u64) {
        let age = now.saturating_sub(planned);
        self.second(planned).record(age);
        if self.is_measured(planned) {
            self.record(Delay::Total, age);
        }
    }

    /// A consumer has received a record, and taken it out of the answer.
    pub fn consumed(&mut self, planned: u64, received: u64, decoded: u64) {
        if self.is_measured(planned) {
            self.record(Delay::EndToEnd, received.saturating_sub(planned));
            self.record(Delay::Decoded, decoded.saturating_sub(planned));
        }
    }

    /// Adds another core's: nothing is lost by it.
    pub fn merge(&mut self, other: &Self) {
        for (own, other) in self.by_delay.iter_mut().zip(&other.by_delay) {
            own.add(other).expect("the bounds are the same");
        }
        for (second, other) in &other.seconds {
            let own = self.seconds.entry(*second).or_default();
            own.planned += other.planned;
            own.acknowledged += other.acknowledged;
            own.total.add(&other.total).expect("it grows as it must");
        }
        self.beyond += other.beyond;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn moments(planned: u64) -> Moments {
        Moments {
            planned,
            picked: planned + MS,
            ready: planned + 6 * MS,
            written: planned + 8 * MS,
            answered: planned + 11 * MS,
        }
    }

    fn p50(delays: &Delays, delay: Delay) -> u64 {
        (delays.of(delay).value_at_quantile(0.5) + MS / 2) / MS
    }

    #[test]
    fn the_parts_make_up_the_total() {
        let mut delays = Delays::new(0);
        for at in 0..100 {
            let moments = moments(at * 30 * MS);
            delays.picked(moments.planned, moments.picked);
            delays.acknowledged(&moments);
        }
        let parts = [
            Delay::Lateness,
            Delay::Batching,
            Delay::Blocked,
            Delay::Service,
            Delay::Total,
        ];
        assert_eq!(parts.map(|delay| p50(&delays, delay)), [1, 5, 2, 3, 11]);
        assert_eq!(delays.seconds().len(), 3);
        assert_eq!(delays.seconds()[&0].acknowledged, 34);
    }

    #[test]
    fn warming_up_is_not_measured_and_what_is_given_up_is() {
        let mut delays = Delays::new(SECOND);
        delays.picked(0, 0);
        delays.acknowledged(&moments(0));
        delays.picked(SECOND, SECOND);
        delays.given_up(SECOND, 700 * SECOND);
        assert_eq!(delays.of(Delay::Lateness).len(), 1);
        assert_eq!(delays.of(Delay::Total).len(), 1);
        assert_eq!(delays.beyond(), 1);
        // A histogram of one second grows to what it must hold.
        assert!(delays.seconds()[&1].total.max() > 599 * SECOND);
        let seconds: u64 = delays.seconds().values().map(|one| one.planned).sum();
        assert_eq!(seconds, 2);
    }

    #[test]
    fn merging_loses_nothing() {
        let (mut all, mut one, mut other) = (Delays::new(0), Delays::new(0), Delays::new(0));
        for at in 0..1000_u64 {
            let mut moments = moments(at * 7 * MS);
            moments.answered += at * MS;
            all.acknowledged(&moments);
            let half = if at.is_multiple_of(2) {
                &mut one
            } else {
                &mut other
            };
            half.acknowledged(&moments);
        }
        one.merge(&other);
        for delay in Delay::ALL {
            assert_eq!(one.of(delay), all.of(delay));
        }
        for (second, whole) in all.seconds() {
            assert_eq!(one.seconds()[second].total, whole.total);
        }
    }
}
