//! The search for the highest rate that keeps a promise: a state machine that says which rate to
//! try next.
//!
//! It is not a plain bisection. Under linger, latency falls when batches fill, so that a rate may
//! fail below one that passes. So it looks around coarsely first, upwards by half each time until
//! the broker does not deliver, or fails behind a pass; what it reports is the passing interval. It
//! bisects that interval's upper edge, and confirms a rate a little below it by longer runs.

use serde::{Deserialize, Serialize};

/// From one coarse step to the next.
const FACTOR: f64 = 1.5;
/// The edge is known well enough.
const PRECISION: f64 = 1.03;
/// What is confirmed, as a part of the best that passed; and again, when that fails.
const MARGIN: f64 = 0.95;
/// Runs that confirm.
const CONFIRMATIONS: usize = 3;
/// Coarse steps either way, and rates that are given up before the search is.
const STEPS_MAX: usize = 40;

/// How one step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The promise was kept.
    Passed,
    /// A latency was too high, or there were errors, while all that was offered was delivered.
    Failed,
    /// Not all that was offered was delivered: more will not be either.
    Undelivered,
}

/// A step that was tried.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct Step {
    /// Records a second that were offered.
    pub rate: f64,
    /// How it went.
    pub outcome: Outcome,
    /// `total` at p99, in nanoseconds.
    pub p99_ns: u64,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// A step at this rate.
    Try(f64),
    /// A longer run at this rate.
    Confirm(f64),
    /// Nothing: the search is over.
    Done,
}

/// The highest rate, and what stands around it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// The rate that was confirmed.
    pub confirmed: f64,
    /// The lowest rate of the passing interval.
    pub passes_from: f64,
    /// The highest rate that passed.
    pub passes_to: f64,
    /// The lowest rate above that did not; none if the search did not come so far.
    pub fails_from: Option<f64>,
}

/// A search under way.
#[derive(Clone, Debug)]
pub struct Search {
    start: f64,
    steps: Vec<Step>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    /// Upwards from the start.
    Up(f64),
    /// Nothing has passed so far: downwards from the start.
    Down(f64),
    /// The best pass, and the lowest failure above it.
    Bisect { low: f64, high: f64 },
    /// How often a rate has been confirmed.
    Confirm { rate: f64, times: usize },
    /// The rate that holds, if there is one.
    Over(Option<f64>),
}

impl Search {
    /// A search that begins at `start` records a second.
    pub const fn new(start: f64) -> Self {
        Self {
            start,
            steps: Vec::new(),
            phase: Phase::Up(start),
        }
    }

    /// What to do next.
    pub fn what_next(&self) -> Next {
        match self.phase {
            Phase::Up(rate) | Phase::Down(rate) => Next::Try(rate),
            Phase::Bisect { low, high } => Next::Try((low * high).sqrt()),
            Phase::Confirm { rate, .. } => Next::Confirm(rate),
            Phase::Over(_) => Next::Done,
        }
    }

    /// Every step so far, in order: the knee curve.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The step that [`Search::what_next`] named has this outcome, and `total` at p99 was that.
    pub fn on_outcome(&mut self, outcome: Outcome, p99_ns: u64) {
        let (Next::Try(rate) | Next::Confirm(rate)) = self.what_next() else {
            return;
        };
        self.steps.push(Step {
            rate,
            outcome,
            p99_ns,
        });
        let passed = outcome == Outcome::Passed;
        self.phase = match self.phase {
            Phase::Up(rate) => self.after_up(rate, outcome),
            Phase::Down(rate) => self.after_down(rate, passed),
            Phase::Bisect { high, .. } if passed => bisect(rate, high),
            Phase::Bisect { low, .. } => bisect(low, rate),
            Phase::Confirm { rate, times } => self.after_confirmation(rate, times, passed),
            Phase::Over(found) => Phase::Over(found),
        };
    }

    fn after_up(&self, rate: f64, outcome: Outcome) -> Phase {
        let best = self.best();
        let goes_on = match outcome {
            Outcome::Passed => true,
            // It may pass above, where batches fill.
            Outcome::Failed => best.is_none(),
            Outcome::Undelivered => false,
        };
        match best {
            _ if goes_on && self.steps.len() < STEPS_MAX => Phase::Up(rate * FACTOR),
            Some(low) if low < rate => bisect(low, rate),
            // As high as anybody wants to look.
            Some(low) => Phase::Confirm {
                rate: low * MARGIN,
                times: 0,
            },
            None => Phase::Down(self.start / FACTOR),
        }
    }

    fn after_down(&self, rate: f64, passed: bool) -> Phase {
        if passed {
            bisect(rate, rate * FACTOR)
        } else if self.steps.len() < 2 * STEPS_MAX && rate > 1.0 {
            Phase::Down(rate / FACTOR)
        } else {
            Phase::Over(None)
        }
    }

    fn after_confirmation(&self, rate: f64, times: usize, passed: bool) -> Phase {
        if passed && times + 1 == CONFIRMATIONS {
            Phase::Over(Some(rate))
        } else if passed {
            Phase::Confirm {
                rate,
                times: times + 1,
            }
        } else if self.steps.len() < 2 * STEPS_MAX {
            Phase::Confirm {
                rate: rate * MARGIN,
                times: 0,
            }
        } else {
            Phase::Over(None)
        }
    }

    /// The rates of steps that passed, or of the others.
    fn rates(&self, passed: bool) -> impl Iterator<Item = f64> {
        let steps = self.steps.iter();
        let wanted = steps.filter(move |step| (step.outcome == Outcome::Passed) == passed);
        wanted.map(|step| step.rate)
    }

    /// The highest rate that passed.
    fn best(&self) -> Option<f64> {
        self.rates(true).max_by(f64::total_cmp)
    }

    /// What was found, once the search is over.
    pub fn found(&self) -> Option<Found> {
        let Phase::Over(Some(confirmed)) = self.phase else {
            return None;
        };
        let passes_to = self.best()?;
        let below = self.rates(false).filter(|rate| *rate < confirmed);
        let last_failure = below.max_by(f64::total_cmp).unwrap_or(0.0);
        let interval = self.rates(true).filter(|rate| *rate > last_failure);
        let above = self.rates(false).filter(|rate| *rate > passes_to);
        Some(Found {
            confirmed,
            passes_from: interval.min_by(f64::total_cmp)?,
            passes_to,
            fails_from: above.min_by(f64::total_cmp),
        })
    }
}

/// Goes on between a pass and a failure, or confirms when they are near each other.
fn bisect(low: f64, high: f64) -> Phase {
    if high / low <= PRECISION {
        Phase::Confirm {
            rate: low * MARGIN,
            times: 0,
        }
    } else {
        Phase::Bisect { low, high }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Searches on a broker that passes between `low` and `high`, and delivers up to `most`.
    fn search(start: f64, low: f64, high: f64, most: f64) -> Search {
        let mut search = Search::new(start);
        loop {
            let (Next::Try(rate) | Next::Confirm(rate)) = search.what_next() else {
                return search;
            };
            let outcome = if rate > most {
                Outcome::Undelivered
            } else if rate < low || rate > high {
                Outcome::Failed
            } else {
                Outcome::Passed
            };
            search.on_outcome(outcome, 0);
            assert!(search.steps().len() < 200, "it does not end");
        }
    }

    #[test]
    fn the_edge_is_found_and_confirmed() {
        let search = search(1000.0, 0.0, 50_000.0, 80_000.0);
        let found = search.found().unwrap();
        assert!(
            found.passes_to <= 50_000.0 && found.passes_to > 48_000.0,
            "{found:?}"
        );
        let fails_from = found.fails_from.unwrap();
        assert!(fails_from > 50_000.0 && fails_from / found.passes_to <= PRECISION);
        assert!((found.confirmed / found.passes_to - MARGIN).abs() < 1e-9);
        let confirmations = search.steps().iter().rev();
        let confirmations =
            confirmations.take_while(|step| (step.rate - found.confirmed).abs() < 1e-9);
        assert_eq!(confirmations.count(), CONFIRMATIONS);
        assert!(search.steps().len() < 25, "{}", search.steps().len());
    }

    #[test]
    fn low_rates_may_fail_below_the_interval() {
        // Linger is all of the latency below 5,000 a second.
        let found = search(1000.0, 5_000.0, 50_000.0, 80_000.0).found().unwrap();
        assert!((5_000.0..8_000.0).contains(&found.passes_from), "{found:?}");
        assert!(found.passes_to > 48_000.0, "{found:?}");
    }

    #[test]
    fn a_start_that_is_too_high_goes_down() {
        let found = search(1e6, 0.0, 700.0, 900.0).found().unwrap();
        assert!(
            found.passes_to <= 700.0 && found.passes_to > 670.0,
            "{found:?}"
        );
    }

    #[test]
    fn nothing_passes_and_it_ends() {
        let search = search(1000.0, 2.0, 1.0, 10_000.0);
        assert_eq!((search.found(), search.what_next()), (None, Next::Done));
    }

    #[test]
    fn a_confirmation_that_fails_lowers_the_rate() {
        let mut search = Search::new(100.0);
        let mut confirmations = 0;
        while let next @ (Next::Try(rate) | Next::Confirm(rate)) = search.what_next() {
            confirmations += usize::from(matches!(next, Next::Confirm(_)));
            let passes = rate <= 1000.0 && confirmations != 2;
            let outcome = if passes {
                Outcome::Passed
            } else {
                Outcome::Failed
            };
            search.on_outcome(outcome, 0);
        }
        let found = search.found().unwrap();
        assert!(found.confirmed < 0.91 * found.passes_to, "{found:?}");
        assert_eq!(confirmations, 2 + CONFIRMATIONS);
    }

    proptest! {
        #[test]
        fn it_always_ends_within_the_interval(
            start in 1.0..1e6_f64, low in 1.0..1e5_f64, width in 2.0..100.0_f64, more in 1.0..3.0_f64,
        ) {
            let high = low * width;
            let search = search(start, low, high, high * more);
            if let Some(found) = search.found() {
                prop_assert!(found.passes_from >= low && found.passes_to <= high);
                prop_assert!(found.passes_to / found.passes_from >= 1.0);
            }
        }
    }
}
