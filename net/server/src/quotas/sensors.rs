//! The rates of clients, kept by one shard for all.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use cluster_meta::ClientQuotaKind;
use engine_rt::Instant;

use super::rate::{Rate, Windows};

/// Rates that a shard keeps at most. Ids of clients are whatever the network sends.
const SENSORS_MAX: usize = 10_000;

/// Who is counted, and what: a hash of the names, which may be long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SensorId(u64);

impl SensorId {
    /// Where those are counted together who find no place of their own.
    const OTHERS: Self = Self(0);

    /// The same on every shard.
    pub(crate) fn new(kind: ClientQuotaKind, user: Option<&str>, client_id: Option<&str>) -> Self {
        let mut hasher = DefaultHasher::new();
        (kind, user, client_id).hash(&mut hasher);
        Self(hasher.finish())
    }

    /// The shard that keeps the rate.
    pub(crate) fn shard(self, shards: usize) -> usize {
        (self.0 % shards as u64) as usize
    }
}

/// What a client used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Charge {
    pub(crate) sensor: SensorId,
    pub(crate) amount: f64,
    /// What its quota allows in a second.
    pub(crate) limit: f64,
    /// Whether it has not been given yet, and is not counted if it is too much.
    pub(crate) is_refusable: bool,
}

/// What becomes of a client after a charge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// For how long it is throttled.
    pub(crate) throttle: Duration,
    /// Whether it does not get what it was to be charged for.
    pub(crate) is_refused: bool,
}

/// The rates that a shard keeps.
#[derive(Debug)]
pub(crate) struct Sensors {
    windows: Windows,
    rates: BTreeMap<SensorId, Rate>,
    /// When idle ones were looked for last.
    looked: Instant,
}

impl Sensors {
    pub(crate) fn new(windows: Windows) -> Self {
        Self {
            windows,
            rates: BTreeMap::new(),
            looked: Instant::default(),
        }
    }

    /// How far back they look.
    pub(crate) fn windows(&self) -> Windows {
        self.windows
    }

    /// Counts a charge and tells what follows from it.
    pub(crate) fn charge(&mut self, charge: &Charge, at: Instant) -> Verdict {
        let windows = self.windows;
        let rate = self.rate(charge.sensor, at);
        rate.record(charge.amount, at, &windows);
        let throttle = rate.throttle_time(charge.limit, at, &windows);
        // Who asks for more than the windows hold, and had nothing before, would never get it.
        let is_refused = charge.is_refusable && !throttle.is_zero() && rate.total() > charge.amount;
        if is_refused {
            rate.record(-charge.amount, at, &windows);
        }
        Verdict {
            throttle,
            is_refused,
        }
    }

    fn rate(&mut self, id: SensorId, at: Instant) -> &mut Rate {
        let is_new = !self.rates.contains_key(&id);
        if is_new && self.rates.len() >= SENSORS_MAX {
            self.forget_idle(at);
        }
        let has_place = !is_new || self.rates.len() < SENSORS_MAX;
        let id = if has_place { id } else { SensorId::OTHERS };
        self.rates.entry(id).or_default()
    }

    /// Forgets rates in which nothing is left. Not more often than windows pass, since it looks at
    /// all of them.
    fn forget_idle(&mut self, at: Instant) {
        let windows = self.windows;
        if at.since(self.looked) >= windows.length {
            self.looked = at;
            self.rates.retain(|_, rate| !rate.is_idle(at, &windows));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cluster_meta::config::StaticConfig;

    fn sensors() -> Sensors {
        Sensors::new(Windows::new(&StaticConfig::default()))
    }

    fn sensor(client_id: &str) -> SensorId {
        SensorId::new(ClientQuotaKind::Fetch, None, Some(client_id))
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    fn charge(client_id: &str, amount: f64, is_refusable: bool) -> Charge {
        Charge {
            sensor: sensor(client_id),
            amount,
            limit: 100.0,
            is_refusable,
        }
    }

    #[test]
    fn names_and_kinds_are_told_apart() {
        let kinds = [
            ClientQuotaKind::Produce,
            ClientQuotaKind::Fetch,
            ClientQuotaKind::Request,
        ];
        let names = [None, Some(""), Some("a"), Some("b")];
        let mut ids = Vec::new();
        for kind in kinds {
            for user in names {
                ids.extend(names.map(|client| SensorId::new(kind, user, client)));
            }
        }
        assert!(ids.iter().all(|id| id.shard(3) < 3));
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all);
    }

    #[test]
    fn what_is_refused_is_not_counted() {
        let mut sensors = sensors();
        let given = sensors.charge(&charge("a", 1_000.0, true), at(0));
        assert_eq!(given, Verdict::default());
        for _ in 0..3 {
            let refused = sensors.charge(&charge("a", 100.0, true), at(0));
            assert!(refused.is_refused);
            assert_eq!(refused.throttle, Duration::from_secs(1));
        }
        // What has been taken already counts, and others are not concerned.
        let taken = sensors.charge(&charge("a", 100.0, false), at(0));
        assert_eq!(taken.throttle, Duration::from_secs(1));
        assert!(!taken.is_refused);
        assert_eq!(sensors.charge(&charge("b", 1_000.0, true), at(0)), given);
    }

    #[test]
    fn more_than_all_windows_hold_passes_alone() {
        let mut sensors = sensors();
        let huge = charge("a", 5_000.0, true);
        let alone = sensors.charge(&huge, at(0));
        assert!(!alone.is_refused);
        assert_eq!(alone.throttle, Duration::from_secs(40));
        assert!(sensors.charge(&huge, at(5)).is_refused);
        assert!(!sensors.charge(&huge, at(40)).is_refused);
    }

    #[test]
    fn sensors_are_bounded_and_idle_ones_leave() {
        let mut sensors = sensors();
        for number in 0..SENSORS_MAX {
            sensors.charge(&charge(&number.to_string(), 900.0, false), at(1));
        }
        // Two who find no place share one.
        let verdict = sensors.charge(&charge("x", 900.0, false), at(2));
        assert!(verdict.throttle.is_zero());
        let verdict = sensors.charge(&charge("y", 900.0, false), at(2));
        assert!(!verdict.throttle.is_zero());
        assert_eq!(sensors.rates.len(), SENSORS_MAX + 1);
        // Everyone else has been idle for all windows.
        sensors.charge(&charge("z", 900.0, false), at(12));
        assert_eq!(sensors.rates.len(), 2);
    }
}
