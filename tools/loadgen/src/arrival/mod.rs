//! When records are planned: open loops, which know nothing of answers.
//!
//! Arrivals are laid out over a cumulated rate: `rates.rs` says at which second so many arrivals
//! should have come, `wave.rs` bends time for sine and bursts, and the process says how arrivals
//! are spaced on that scale: evenly, or as a Poisson process. A generator of several cores gives
//! each core its own arrivals of the one plan. No arrival is ever left out.

mod rates;
mod wave;

use std::sync::Arc;
use std::time::Duration;

pub use rates::{Rates, Step};
pub use wave::Wave;

use crate::rng::Rng;

/// How arrivals are spaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Process {
    /// All at the same distance.
    #[default]
    Constant,
    /// At random: the next one comes whenever it likes, as from many independent users.
    Poisson,
}

/// A plan for all cores.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// By rates.
    Rates {
        /// Rates over time.
        rates: Rates,
        /// What bends them.
        wave: Wave,
        /// The spacing.
        process: Process,
    },
    /// As recorded: nanoseconds since the start, ascending.
    Replay(Arc<[u64]>),
}

/// Which core of how many, and the seed of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Counted from 0.
    pub core: usize,
    /// How many there are.
    pub cores: usize,
    /// Of the whole run.
    pub seed: u64,
}

/// The planned times of one core, in nanoseconds since the start; ascending.
#[derive(Debug)]
pub struct Arrivals(Source);

#[derive(Debug)]
enum Source {
    Rates {
        rates: Rates,
        wave: Wave,
        spacing: Spacing,
    },
    Replay {
        times: Arc<[u64]>,
        next: usize,
        step: usize,
    },
}

/// Where the next arrival lies on the scale of cumulated arrivals.
#[derive(Debug)]
enum Spacing {
    Even { next: u64, step: u64 },
    Random { at: f64, step: f64, rng: Rng },
}

impl Plan {
    /// The arrivals of one core.
    pub fn arrivals(&self, share: Share) -> Arrivals {
        Arrivals(match self {
            Self::Replay(times) => Source::Replay {
                times: Arc::clone(times),
                next: share.core,
                step: share.cores,
            },
            Self::Rates {
                rates,
                wave,
                process,
            } => Source::Rates {
                rates: rates.clone(),
                wave: *wave,
                spacing: Spacing::new(*process, share),
            },
        })
    }

    /// How long it lasts.
    pub fn duration(&self) -> Duration {
        match self {
            Self::Rates { rates, .. } => Duration::from_secs_f64(rates.seconds()),
            Self::Replay(times) => Duration::from_nanos(times.last().map_or(0, |last| last + 1)),
        }
    }
}

impl Spacing {
    fn new(process: Process, share: Share) -> Self {
        match process {
            Process::Constant => Self::Even {
                next: share.core as u64,
                step: share.cores as u64,
            },
            // So many independent processes of a part of the rate make one of all of it.
            Process::Poisson => Self::Random {
                at: 0.0,
                step: share.cores as f64,
                rng: Rng::new(share.seed.wrapping_add(share.core as u64)),
            },
        }
    }

    fn next(&mut self) -> f64 {
        match self {
            Self::Even { next, step } => {
                let at = *next;
                *next += *step;
                at as f64
            },
            Self::Random { at, step, rng } => {
                *at += *step * rng.exponential();
                *at
            },
        }
    }
}

impl Iterator for Arrivals {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        match &mut self.0 {
            Source::Replay { times, next, step } => {
                let time = times.get(*next).copied();
                *next += *step;
                time
            },
            Source::Rates {
                rates,
                wave,
                spacing,
            } => {
                let seconds = wave.unbend(rates.when(spacing.next())?);
                (seconds < rates.seconds()).then_some((seconds * 1e9) as u64)
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn plan(process: Process, wave: Wave, steps: &[(f64, f64, f64)]) -> Plan {
        let step = |&(seconds, from, to): &(f64, f64, f64)| Step { seconds, from, to };
        Plan::Rates {
            rates: Rates::new(steps.iter().map(step)),
            wave,
            process,
        }
    }

    fn all(plan: &Plan, cores: usize) -> Vec<u64> {
        let share = |core| Share {
            core,
            cores,
            seed: 7,
        };
        let mut times: Vec<u64> = (0..cores)
            .flat_map(|core| plan.arrivals(share(core)))
            .collect();
        times.sort_unstable();
        times
    }

    fn between(times: &[u64], from: u64, to: u64) -> usize {
        times
            .iter()
            .filter(|time| (from..to).contains(*time))
            .count()
    }

    #[test]
    fn constant_arrivals_keep_their_distance_whatever_the_cores() {
        let plan = plan(Process::Constant, Wave::None, &[(2.0, 1000.0, 1000.0)]);
        let one = all(&plan, 1);
        assert_eq!(one.len(), 2000);
        assert_eq!(one[..3], [0, 1_000_000, 2_000_000]);
        assert_eq!(all(&plan, 3), one);
        assert_eq!(plan.duration(), Duration::from_secs(2));
    }

    #[test]
    fn a_ramp_grows_steadily() {
        let plan = plan(Process::Constant, Wave::None, &[(10.0, 0.0, 1000.0)]);
        let times = all(&plan, 2);
        assert_eq!(times.len(), 5000);
        // A quarter of all comes in the first half.
        assert_eq!(between(&times, 0, 5 * SECOND), 1250);
    }

    #[test]
    fn poisson_arrivals_have_the_rate_and_its_scatter() {
        let plan = plan(Process::Poisson, Wave::None, &[(100.0, 1000.0, 1000.0)]);
        for cores in [1, 4] {
            let times = all(&plan, cores);
            assert!((99_000..101_000).contains(&times.len()), "{}", times.len());
            let gaps = times
                .windows(2)
                .map(|pair| (pair[1] - pair[0]) as f64 / 1e6);
            let variance = gaps.map(|gap| (gap - 1.0).powi(2)).sum::<f64>() / times.len() as f64;
            assert!((0.9..1.1).contains(&variance), "{variance}");
        }
        let share = Share {
            core: 0,
            cores: 1,
            seed: 7,
        };
        assert_eq!(all(&plan, 1), plan.arrivals(share).collect::<Vec<_>>());
    }

    #[test]
    fn bursts_and_sines_move_arrivals_and_keep_their_number() {
        let bursts = Wave::Bursts { on: 1.0, off: 3.0 };
        let times = all(&plan(Process::Constant, bursts, &[(8.0, 100.0, 100.0)]), 1);
        assert_eq!(times.len(), 800);
        assert_eq!(between(&times, 0, SECOND), 400);
        assert_eq!(between(&times, SECOND, 4 * SECOND), 0);
        let sine = Wave::Sine {
            period: 4.0,
            depth: 1.0,
        };
        let times = all(&plan(Process::Constant, sine, &[(8.0, 1000.0, 1000.0)]), 1);
        assert!((7999..=8000).contains(&times.len()), "{}", times.len());
        let (high, low) = (
            between(&times, 0, 2 * SECOND),
            between(&times, 2 * SECOND, 4 * SECOND),
        );
        // 1000 x (2 + 4/pi) and 1000 x (2 - 4/pi).
        assert!(
            high.abs_diff(3273) < 3 && low.abs_diff(727) < 3,
            "{high} {low}"
        );
    }

    #[test]
    fn a_replay_is_dealt_out() {
        let plan = Plan::Replay([1, 5, 9, 9, 12].into());
        assert_eq!(all(&plan, 2), [1, 5, 9, 9, 12]);
        assert_eq!(plan.duration(), Duration::from_nanos(13));
    }

    proptest! {
        #[test]
        fn no_arrival_is_left_out(
            rates in prop::collection::vec((0.1..5.0_f64, 1.0..500.0_f64, 1.0..500.0_f64), 1..5),
            cores in 1..5_usize,
        ) {
            let plan = plan(Process::Constant, Wave::None, &rates);
            let expected: f64 = rates.iter().map(|(seconds, from, to)| seconds * (from + to) / 2.0).sum();
            let times = all(&plan, cores);
            prop_assert!((times.len() as f64 - expected).abs() <= 1.0);
            for core in 0..cores {
                let own: Vec<u64> = plan.arrivals(Share { core, cores, seed: 1 }).collect();
                prop_assert!(own.is_sorted());
            }
        }
    }
}
