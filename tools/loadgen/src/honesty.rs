//! Whether a run says something about the broker, or about the generator.

use serde::{Deserialize, Serialize};

use crate::delays::{Delay, Delays};
use crate::units::nanos_shown;

/// Percentiles that are stated, and held against the generator's own lateness.
pub const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];
/// The generator may have caused so much of a stated latency.
const SHARE_MAX: f64 = 0.1;
/// Lateness below a millisecond is how exactly a machine can sleep.
const LATENESS_FREE: u64 = 1_000_000;
/// Above this share of its cores, a generator is at its own limit.
const CPU_MAX: f64 = 0.8;
/// Samples above a percentile without which it is not stated.
const SAMPLES_ABOVE: f64 = 100.0;

/// Why a run is invalid.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Doubt {
    /// The generator took records up too late.
    Late {
        /// Where.
        quantile: f64,
        /// Its lateness there, in nanoseconds.
        lateness_ns: u64,
        /// What would have been bearable.
        bearable_ns: u64,
    },
    /// The generator had no CPU left.
    Saturated {
        /// Share of its cores that the busiest one used.
        cpu: f64,
    },
    /// Arrivals were planned that the generator never took up.
    NotTaken {
        /// How many.
        records: u64,
    },
}

impl std::fmt::Display for Doubt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Late {
                quantile,
                lateness_ns,
                bearable_ns,
            } => write!(
                f,
                "the generator itself was late: {} at p{}, {} are bearable",
                nanos_shown(*lateness_ns),
                quantile * 100.0,
                nanos_shown(*bearable_ns)
            ),
            Self::Saturated { cpu } => {
                write!(f, "the generator used {:.0} % of a core", cpu * 100.0)
            },
            Self::NotTaken { records } => {
                write!(f, "the generator did not come to {records} planned records")
            },
        }
    }
}

/// What is known of the generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence {
    /// The latency that was asked for at p99, in nanoseconds.
    pub slo_p99: Option<u64>,
    /// Share of a core that the busiest core of the generator used, where that is known.
    pub cpu: Option<f64>,
    /// Planned records that were not taken up.
    pub not_taken: u64,
}

/// Judges the generator.
pub fn doubts(delays: &Delays, evidence: &Evidence) -> Vec<Doubt> {
    let (lateness, total) = (delays.of(Delay::Lateness), delays.of(Delay::Total));
    let stated = QUANTILES
        .iter()
        .filter(|quantile| is_stated(lateness.len(), **quantile));
    let late = stated.filter_map(|&quantile| {
        let measured = total.value_at_quantile(quantile);
        let against =
            evidence.slo_p99.map_or(
                measured,
                |slo| if quantile <= 0.99 { slo } else { measured },
            );
        let bearable = LATENESS_FREE.max((against as f64 * SHARE_MAX) as u64);
        let own = lateness.value_at_quantile(quantile);
        (own > bearable).then_some(Doubt::Late {
            quantile,
            lateness_ns: own,
            bearable_ns: bearable,
        })
    });
    let mut doubts: Vec<Doubt> = late.collect();
    let cpu = evidence.cpu.filter(|cpu| *cpu > CPU_MAX);
    doubts.extend(cpu.map(|cpu| Doubt::Saturated { cpu }));
    if evidence.not_taken > 0 {
        doubts.push(Doubt::NotTaken {
            records: evidence.not_taken,
        });
    }
    doubts
}

/// Whether there are enough samples above a percentile to state it.
pub fn is_stated(samples: u64, quantile: f64) -> bool {
    samples as f64 * (1.0 - quantile) >= SAMPLES_ABOVE - 1e-6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delays::Moments;

    const MS: u64 = 1_000_000;

    /// A minute of 10,000 a second that take 2 ms; `late` says how late each is taken up.
    fn delays(late: impl Fn(u64) -> u64) -> Delays {
        let mut delays = Delays::new(0);
        for at in 0..600_000 {
            let planned = at * MS / 10;
            let picked = planned + late(at);
            delays.picked(planned, picked);
            delays.acknowledged(&Moments {
                planned,
                picked,
                ready: picked,
                written: picked,
                answered: picked + 2 * MS,
            });
        }
        delays
    }

    #[test]
    fn a_stop_of_half_a_second_is_noticed() {
        let calm = delays(|at| at % 7 * 10_000);
        assert_eq!(doubts(&calm, &Evidence::default()), []);
        // From 30 s on nothing is taken up for 500 ms.
        let stopped =
            delays(|at| (305_000_u64.saturating_sub(at) * MS / 10) * u64::from(at >= 300_000));
        let found = doubts(&stopped, &Evidence::default());
        assert!(matches!(found[..], [Doubt::Late { .. }]), "{found:?}");
        assert!(found[0].to_string().contains("at p99.9"), "{found:?}");
    }

    #[test]
    fn a_slow_broker_is_not_the_generators_fault() {
        let mut slow = Delays::new(0);
        for at in 0..100_000 {
            slow.picked(at, at + 2 * MS);
            slow.given_up(at, at + 100 * MS);
        }
        assert_eq!(doubts(&slow, &Evidence::default()), []);
        let strict = Evidence {
            slo_p99: Some(15 * MS),
            ..Evidence::default()
        };
        assert_eq!(doubts(&slow, &strict).len(), 3);
    }

    #[test]
    fn a_busy_generator_is_noticed() {
        let calm = delays(|_| 0);
        let busy = |cpu| Evidence {
            cpu: Some(cpu),
            ..Evidence::default()
        };
        assert_eq!(doubts(&calm, &busy(0.79)), []);
        assert_eq!(doubts(&calm, &busy(0.9)), [Doubt::Saturated { cpu: 0.9 }]);
    }

    #[test]
    fn percentiles_want_a_hundred_samples_above() {
        assert!(is_stated(10_000, 0.99) && !is_stated(9_999, 0.99));
        assert!(is_stated(100_000, 0.999) && !is_stated(99_000, 0.999));
    }
}
