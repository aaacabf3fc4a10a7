//! Many seeds on many threads, one world for each thread at a time.
//!
//! A panic is a failure like any other, but it ends the process: programs are built to abort. The
//! hook that [`end_at_panic`] installs still says which seed it was and how to play it again.

use std::cell::Cell;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::coverage::Coverage;
use crate::node::{Outcome, play};

/// Every so many seeds one is played twice: the same seed must give the same trace.
const PLAYED_TWICE_EVERY: u64 = 100;

thread_local! {
    static SEED: Cell<u64> = const { Cell::new(0) };
}

/// A seed that broke a promise, and which.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, what } = self;
        writeln!(f, "seed {seed}: {what}")?;
        write!(
            f,
            "replay: cargo run --release -p tools-sim -- --seeds {seed} --verbose"
        )
    }
}

/// What a run of seeds found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    coverage: Coverage,
    played: u64,
    failures: Vec<Failure>,
    elapsed: Duration,
}

impl Report {
    /// Seeds that broke a promise; lowest seed first.
    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }

    /// Seeds played to their end.
    pub const fn played(&self) -> u64 {
        self.played
    }

    /// What did not happen often enough for the run to mean something.
    pub fn shortfalls(&self) -> Vec<String> {
        self.coverage.shortfalls()
    }

    fn take(&mut self, seed: u64, outcome: &Outcome) {
        self.coverage.merge(&outcome.coverage);
        self.played += 1;
        if let Some(violation) = &outcome.violation {
            let what = violation.to_string();
            self.failures.push(Failure { seed, what });
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
        for failure in &self.failures {
            writeln!(f, "{failure}")?;
        }
        let failed = self.failures.len() as u64;
        write!(f, "{} passed, {failed} failed", self.played - failed)
    }
}

/// Plays `seeds` on `jobs` threads, until one fails.
pub fn run_seeds(seeds: Range<u64>, jobs: usize, trace: bool) -> Report {
    run_with(seeds, jobs, |seed| play_checked(seed, trace))
}

/// Plays `seeds` by `play` on `jobs` threads, until one fails.
#[expect(
    clippy::disallowed_methods,
    reason = "the runner is outside of the simulated worlds: its time is real"
)]
pub(crate) fn run_with(
    seeds: Range<u64>,
    jobs: usize,
    play: impl Fn(u64) -> Outcome + Sync,
) -> Report {
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
            SEED.set(seed);
            report.take(seed, &play(seed));
            if !report.failures.is_empty() {
                next.store(seeds.end, Ordering::Relaxed);
            }
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

/// Has `report` hear of the seed that panics, and the process end with what it returns.
#[expect(
    clippy::exit,
    reason = "a panic aborts: nothing of the world is left to end in order"
)]
pub fn end_at_panic(report: impl Fn(Failure) -> i32 + Send + Sync + 'static) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        before(info);
        let place = info
            .location()
            .map_or_else(String::new, ToString::to_string);
        let what = format!("panic at {place}: {}", info.payload_as_str().unwrap_or("?"));
        let seed = SEED.get();
        std::process::exit(report(Failure { seed, what }));
    }));
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
    use crate::checker::{Promise, Violation};

    #[test]
    fn a_few_seeds_keep_every_promise_on_two_threads() {
        let report = run_seeds(0..6, 2, false);
        assert_eq!(report.played, 6);
        assert!(report.failures().is_empty(), "{report}");
    }

    #[test]
    fn a_run_ends_with_the_first_failure() {
        let fails = |seed| Outcome {
            coverage: Coverage::default(),
            violation: (seed == 3).then(|| Violation {
                promise: Promise::Lost,
                what: "something".to_owned(),
            }),
            trace_hash: 0,
        };
        let report = run_with(0..100, 1, fails);
        assert_eq!((report.played, report.failures()[0].seed), (4, 3));
        assert!(
            report.to_string().ends_with("3 passed, 1 failed"),
            "{report}"
        );
    }
}
