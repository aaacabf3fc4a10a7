//! A rate over sliding windows, as Kafka's `Rate` over a `SampledStat` measures it.

use std::collections::VecDeque;
use std::time::Duration;

use cluster_meta::config::StaticConfig;
use engine_rt::Instant;

/// A rate is never measured over less.
const WINDOW_MIN: Duration = Duration::from_millis(1);
/// Longest throttle time that the protocol can tell.
const THROTTLE_MS_MAX: u64 = i32::MAX as u64;

/// How far back a rate looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Windows {
    /// `quota.window.num`.
    count: u32,
    /// `quota.window.size.seconds`.
    pub(crate) length: Duration,
}

impl Windows {
    /// Those that the operator has set.
    pub(crate) fn new(fixed: &StaticConfig) -> Self {
        let number = |name| {
            let number = fixed.integer(name).and_then(|it| u32::try_from(it).ok());
            number.unwrap_or(1).max(1)
        };
        Self {
            count: number("quota.window.num"),
            length: Duration::from_secs(number("quota.window.size.seconds").into()),
        }
    }

    /// Who has rested for so long may use this much at once without being throttled.
    pub(crate) fn burst(&self, limit: f64) -> f64 {
        limit * (self.length * (self.count - 1)).as_secs_f64()
    }

    fn age_max(&self) -> Duration {
        self.length * self.count
    }
}

/// What was used in the last windows.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    /// Oldest first.
    samples: VecDeque<Sample>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    began: Instant,
    last: Instant,
    amount: f64,
}

impl Rate {
    /// Counts what was used; a negative amount takes back what was counted now.
    pub(crate) fn record(&mut self, amount: f64, at: Instant, windows: &Windows) {
        self.samples
            .retain(|sample| at.since(sample.last) < windows.age_max());
        match self.samples.back_mut() {
            Some(sample) if at.since(sample.began) < windows.length => {
                sample.amount += amount;
                sample.last = at;
            },
            _ => self.samples.push_back(Sample {
                began: at,
                last: at,
                amount,
            }),
        }
    }

    /// All that counts at the moment.
    pub(crate) fn total(&self) -> f64 {
        self.samples.iter().map(|sample| sample.amount).sum()
    }

    /// How long to rest until the rate is at the limit again; zero if it is not above.
    pub(crate) fn throttle_time(&self, limit: f64, at: Instant, windows: &Windows) -> Duration {
        let window = self.window(at, windows).as_secs_f64();
        let excess = self.total() / window - limit;
        if excess <= 0.0 {
            return Duration::ZERO;
        }
        let ms = (excess / limit * window * 1_000.0).round();
        Duration::from_millis((ms as u64).min(THROTTLE_MS_MAX))
    }

    /// Whether nothing is left that counts.
    pub(crate) fn is_idle(&self, at: Instant, windows: &Windows) -> bool {
        let last = self.samples.back().map(|sample| sample.last);
        last.is_none_or(|last| at.since(last) >= windows.age_max())
    }

    /// The time over which the rate is measured. The first windows count as whole although they have
    /// not all been: else the first request alone would be a rate without bounds.
    fn window(&self, at: Instant, windows: &Windows) -> Duration {
        let began = self.samples.front().map_or(at, |sample| sample.began);
        let elapsed = at.since(began);
        let whole = elapsed.as_nanos() / windows.length.as_nanos();
        let whole = u32::try_from(whole).unwrap_or(u32::MAX);
        let missing = (windows.count - 1).saturating_sub(whole);
        (elapsed + windows.length * missing).max(WINDOW_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOWS: Windows = Windows {
        count: 11,
        length: Duration::from_secs(1),
    };

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    fn throttle_ms(rate: &Rate, limit: f64, ms: u64) -> u64 {
        rate.throttle_time(limit, at(ms), &WINDOWS).as_millis() as u64
    }

    #[test]
    fn windows_are_what_the_operator_set() {
        assert_eq!(Windows::new(&StaticConfig::default()), WINDOWS);
        let settings = [
            ("quota.window.num", "3"),
            ("quota.window.size.seconds", "2"),
        ];
        let windows = Windows::new(&StaticConfig::from_settings(settings).unwrap());
        assert_eq!(windows.age_max(), Duration::from_secs(6));
        assert_eq!(windows.burst(100.0) as u64, 400);
    }

    /// The numbers of Kafka's `ClientQuotaManagerTest.testQuotaViolation`: windows of the default,
    /// a limit of 500 in a second.
    #[test]
    fn throttle_times_are_those_of_kafka() {
        let mut rate = Rate::default();
        for second in 0..10 {
            rate.record(400.0, at(second * 1_000), &WINDOWS);
            assert_eq!(throttle_ms(&rate, 500.0, second * 1_000), 0);
        }
        // 4,000 and a spike of 2,300 over 10.5 s: 600 in a second, to be 500 after 2.1 s more.
        rate.record(2_300.0, at(10_500), &WINDOWS);
        assert_eq!(throttle_ms(&rate, 500.0, 10_500), 2_100);
        assert_eq!(throttle_ms(&rate, 500.0, 10_500 + 2_100), 0);
    }

    #[test]
    fn a_burst_is_what_fits_into_the_windows() {
        let mut rate = Rate::default();
        rate.record(5_000.0, at(7), &WINDOWS);
        assert_eq!(throttle_ms(&rate, 500.0, 7), 0);
        rate.record(1.0, at(7), &WINDOWS);
        assert_eq!(throttle_ms(&rate, 500.0, 7), 2);
        rate.record(-1.0, at(7), &WINDOWS);
        assert_eq!(throttle_ms(&rate, 500.0, 7), 0);
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let mut rate = Rate::default();
        assert!(rate.is_idle(at(0), &WINDOWS));
        rate.record(100.0, at(0), &WINDOWS);
        rate.record(100.0, at(900), &WINDOWS);
        assert!(!rate.is_idle(at(11_899), &WINDOWS));
        assert!(rate.is_idle(at(11_900), &WINDOWS));
        rate.record(7.0, at(11_900), &WINDOWS);
        assert_eq!((rate.total() as u64, rate.samples.len()), (7, 1));
    }

    #[test]
    fn no_limit_is_too_small_and_no_amount_too_large() {
        let mut rate = Rate::default();
        rate.record(f64::MAX, at(0), &WINDOWS);
        let throttle = rate.throttle_time(f64::MIN_POSITIVE, at(0), &WINDOWS);
        assert_eq!(throttle, Duration::from_millis(THROTTLE_MS_MAX));
    }
}
