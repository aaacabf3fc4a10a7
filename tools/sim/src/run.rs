//! Many seeds on many threads, one world for each thread at a time.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::coverage::Coverage;
use crate::shards::{Outcome, play};

/// Every so many seeds one is played twice: the same seed must give the same trace.
const PLAYED_TWICE_EVERY: u64 = 100;

/// What a run of seeds found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    coverage: Coverage,
    played: u64,
    failures: Vec<(u64, String)>,
    elapsed: Duration,
}

impl Report {
    /// Seeds that broke a promise, and which; lowest seed first.
    pub fn failures(&self) -> &[(u64, String)] {
        &self.failures
    }

    /// What did not happen often enough for the run to mean something.
    pub fn shortfalls(&self) -> Vec<String> {
        self.coverage.shortfalls()
    }

    fn take(&mut self, seed: u64, outcome: &Outcome) {
        self.coverage.merge(&outcome.coverage);
        self.played += 1;
        if let Some(violation) = &outcome.violation {
            self.failures.push((seed, violation.to_string()));
        }
    }

    fn merge(&mut self, other: Self) {
        self.coverage.merge(&other.coverage);
        self.played += other.played;
        self.failures.extend(other.failures);
        self.failures.sort();
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.coverage)?;
        let rate = self.played as f64 / self.elapsed.as_secs_f64().max(0.001);
        writeln!(f, "{} seeds, {rate:.1} a second", self.played)?;
        for shortfall in self.shortfalls() {
            writeln!(f, "too little happened: {shortfall}")?;
        }
        for (seed, violation) in &self.failures {
            writeln!(f, "seed {seed}: {violation}")?;
        }
        if let Some((seed, _)) = self.failures.first() {
            writeln!(
                f,
                "replay: cargo run --release -p tools-sim -- --seeds {seed} --verbose"
            )?;
        }
        let failed = self.failures.len() as u64;
        write!(f, "{} passed, {failed} failed", self.played - failed)
    }
}

/// Plays `seeds` on `jobs` threads.
pub fn run_seeds(seeds: Range<u64>, jobs: usize, trace: bool) -> Report {
    run_with(seeds, jobs, |seed| play_checked(seed, trace))
}

/// Plays `seeds` by `play` on `jobs` threads.
#[expect(
    clippy::disallowed_methods,
    reason = "the runner is outside of the simulated worlds: its time is real"
)]
fn run_with(seeds: Range<u64>, jobs: usize, play: impl Fn(u64) -> Outcome + Sync) -> Report {
    let started = std::time::Instant::now();
    let next = AtomicU64::new(seeds.start);
    let mut report = Report::default();
    let player = || {
        let mut report = Report::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return report;
            }
            report.take(seed, &play(seed));
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(player)).collect();
        for thread in threads {
            match thread.join() {
                Ok(found) => report.merge(found),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    report.elapsed = started.elapsed();
    report
}

/// Plays seeds with a rule broken until one finds it: the seed and what it saw, and how many were
/// played. A panic of an assertion finds it too.
#[cfg(feature = "mutants")]
pub fn run_mutant(
    mutant: engine_rt::mutant::Mutant,
    seeds: Range<u64>,
    jobs: usize,
) -> (Option<(u64, String)>, u64) {
    let first = seeds.start;
    let step = 16 * jobs as u64;
    let mut from = first;
    while from < seeds.end {
        let to = (from + step).min(seeds.end);
        let report = run_with(from..to, jobs, |seed| {
            engine_rt::mutant::set(Some(mutant));
            let played = std::panic::catch_unwind(|| play(seed, false));
            played.unwrap_or_else(|_| Outcome::panicked())
        });
        if let Some(failure) = report.failures.first() {
            return (Some(failure.clone()), failure.0 - first + 1);
        }
        from = to;
    }
    (None, seeds.end - first)
}

/// Plays a seed, some of them twice.
fn play_checked(seed: u64, trace: bool) -> Outcome {
    let outcome = play(seed, trace);
    if seed.is_multiple_of(PLAYED_TWICE_EVERY) && !trace {
        let again = play(seed, false);
        assert_eq!(
            outcome.trace_hash, again.trace_hash,
            "seed {seed} went another way when it was played again"
        );
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_seeds_keep_every_promise_on_two_threads() {
        let report = run_seeds(0..6, 2, false);
        assert_eq!(report.played, 6);
        assert!(report.failures().is_empty(), "{report}");
    }
}
