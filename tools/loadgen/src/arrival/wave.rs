//! What bends a rate without changing how many arrivals come in the long run.

use std::f64::consts::TAU;

/// A periodic change of the rate around its mean. It runs time faster and slower: at `t`, the plan
/// is as far as it would be at `bend(t)` without it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Wave {
    /// None.
    #[default]
    None,
    /// All arrivals come in a part of each period.
    Bursts {
        /// Seconds with arrivals.
        on: f64,
        /// Seconds without.
        off: f64,
    },
    /// Up and down, smoothly.
    Sine {
        /// Seconds of a period.
        period: f64,
        /// From 0 to 1: by how much of the mean.
        depth: f64,
    },
}

/// More halvings than a number has digits.
const HALVINGS: usize = 64;

impl Wave {
    fn bend(self, t: f64) -> f64 {
        match self {
            Self::None => t,
            Self::Bursts { on, off } => {
                let period = on + off;
                let whole = (t / period).floor() * period;
                whole + (t - whole).min(on) * period / on
            },
            Self::Sine { period, depth } => {
                t + depth * period / TAU * (1.0 - (TAU * t / period).cos())
            },
        }
    }

    /// The time at which the plan is as far as it would be at `bent` without the wave.
    pub(super) fn unbend(self, bent: f64) -> f64 {
        match self {
            Self::None => bent,
            Self::Bursts { on, off } => {
                let period = on + off;
                let whole = (bent / period).floor() * period;
                whole + (bent - whole) * on / period
            },
            // A sine is never further ahead than this, and never behind.
            Self::Sine { period, depth } => {
                self.bisected(bent, (bent - depth * period * 2.0 / TAU).max(0.0))
            },
        }
    }

    fn bisected(self, bent: f64, mut low: f64) -> f64 {
        let mut high = bent;
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if self.bend(middle) < bent {
                low = middle;
            } else {
                high = middle;
            }
            if high - low < 1e-10 {
                break;
            }
        }
        high
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_bent_there_and_back() {
        let bursts = Wave::Bursts { on: 0.5, off: 1.5 };
        let sine = Wave::Sine {
            period: 3.0,
            depth: 0.9,
        };
        for wave in [Wave::None, bursts, sine] {
            let mut last = 0.0;
            for step in 0..1000 {
                let bent = f64::from(step) * 0.0137;
                let t = wave.unbend(bent);
                assert!(t >= last, "{wave:?} at {bent}");
                assert!((wave.bend(t) - bent).abs() < 1e-6, "{wave:?} at {bent}");
                last = t;
            }
        }
    }
}
