//! Reduces the faults of a seed that fails to those that matter (delta debugging): the seed is played
//! again and again with some of its faults masked out, as long as the same promise is broken.

use std::collections::BTreeSet;
use std::fmt;

use engine_rt::sim::{FaultMask, Strike};

use crate::checker::{Promise, Violation};
use crate::node::{Outcome, Setup, Severity, play};

/// What is left of a seed.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The seed.
    pub seed: u64,
    /// How bad its faults may be.
    pub severity: Severity,
    /// The promise that is broken with the faults that are left.
    pub violation: Violation,
    /// Their numbers.
    pub faults: BTreeSet<u64>,
    strikes: Vec<Strike>,
    plays: u64,
}

impl fmt::Display for Shrunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, plays, .. } = self;
        writeln!(f, "seed {seed}: {}", self.violation)?;
        for strike in self.strikes.iter().filter(|strike| strike.acted_on) {
            writeln!(f, "    {strike}")?;
        }
        let numbers: Vec<String> = self.faults.iter().map(ToString::to_string).collect();
        let only = if numbers.is_empty() {
            "0".to_owned()
        } else {
            numbers.join(",")
        };
        let count = numbers.len();
        writeln!(f, "{count} faults matter, after {plays} plays")?;
        let severity = self.severity.name();
        let command = "cargo run --release -p tools-sim --";
        write!(
            f,
            "replay: {command} --faults {severity} --seeds {seed} --only {only} --verbose"
        )
    }
}

/// Shrinks a seed; `None` if it does not fail.
pub fn shrink(seed: u64, severity: Severity) -> Option<Shrunk> {
    let setup = Setup {
        severity,
        ..Setup::of(seed)
    };
    shrink_with(&setup, play)
}

fn shrink_with(setup: &Setup, play: impl Fn(&Setup) -> Outcome) -> Option<Shrunk> {
    let first = play(setup);
    let promise = first.violation.as_ref()?.promise;
    let mut plays = 1;
    let mut left = struck(&first);
    let mut best = first;
    let mut fails = |faults: &BTreeSet<u64>| {
        plays += 1;
        let mask = FaultMask::Only(faults.clone());
        let outcome = play(&Setup {
            mask,
            ..setup.clone()
        });
        breaks(&outcome, promise).then_some(outcome)
    };
    let mut size = left.len();
    while size > 0 {
        let chunks: Vec<Vec<u64>> = left
            .iter()
            .copied()
            .collect::<Vec<_>>()
            .chunks(size)
            .map(<[u64]>::to_vec)
            .collect();
        let mut removed = false;
        for chunk in chunks {
            let mut fewer = left.clone();
            fewer.retain(|fault| !chunk.contains(fault));
            if let Some(outcome) = fails(&fewer) {
                (left, best, removed) = (fewer, outcome, true);
            }
        }
        size = if removed {
            size.min(left.len())
        } else {
            size / 2
        };
    }
    Some(Shrunk {
        seed: setup.seed,
        severity: setup.severity,
        violation: best.violation?,
        faults: left,
        strikes: best.strikes,
        plays,
    })
}

fn struck(outcome: &Outcome) -> BTreeSet<u64> {
    outcome.strikes.iter().map(|strike| strike.fault).collect()
}

fn breaks(outcome: &Outcome, promise: Promise) -> bool {
    let violation = outcome.violation.as_ref();
    violation.is_some_and(|violation| violation.promise == promise)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::coverage::Coverage;

    /// Fails when both of two faults of nine are acted on.
    fn two_of_nine(setup: &Setup) -> Outcome {
        let strikes = (1..=9).map(|fault| Strike {
            fault,
            at: Duration::ZERO,
            what: String::new(),
            acted_on: setup.mask.has(fault),
        });
        let fails = setup.mask.has(3) && setup.mask.has(8);
        Outcome {
            coverage: Coverage::default(),
            violation: fails.then(|| Violation {
                promise: Promise::Lost,
                what: "something".to_owned(),
            }),
            strikes: strikes.collect(),
            trace_hash: 0,
        }
    }

    #[test]
    fn only_faults_that_matter_are_left() {
        let shrunk = shrink_with(&Setup::of(7), two_of_nine).unwrap();
        assert_eq!(shrunk.faults, BTreeSet::from([3, 8]));
        assert!(shrunk.to_string().contains("--only 3,8"), "{shrunk}");
    }
}
