//! Many seeds on many threads, one world for each thread at a time.
//!
//! A panic is a failure like any other, but it ends the process: programs are built to abort. The
//! hook that [`end_at_panic`] installs still says which seed it was and how to play it again.

use std::cell::Cell;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use engine_rt::sim::FaultMask;

use crate::coverage::{Coverage, Event};
use crate::node::{Outcome, Setup, Severity, play};

/// Every so many seeds one is played twice: the same seed must give the same trace.
const PLAYED_TWICE_EVERY: u64 = 100;

thread_local! {
    static SEED: Cell<u64> = const { Cell::new(0) };
    static SEVERITY: Cell<Severity> = const { Cell::new(Severity::Damage) };
}

/// A seed that broke a promise, and which.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What was seen.
    pub what: String,
    /// The faults that struck before, and how bad they were allowed to be.
    pub faults: Vec<String>,
    /// How bad they were allowed to be.
    pub severity: Severity,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            what,
            faults,
            severity,
        } = self;
        writeln!(f, "seed {seed}: {what}")?;
        for fault in faults {
            writeln!(f, "    {fault}")?;
        }
        let faults = severity.name();
        let command = format!("cargo run --release -p tools-sim -- --faults {faults}");
        writeln!(f, "replay: {command} --seeds {seed} --verbose")?;
        write!(f, "shrink: {command} --shrink {seed}")
    }
}

/// What a run of seeds found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    coverage: Coverage,
    played: u64,
    failures: Vec<Failure>,
    elapsed: Duration,
    /// The seed that took longest, and how long.
    slowest: (Duration, u64),
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

    /// Faults, numbers and codes that were never reached.
    pub fn never_reached(&self) -> Vec<String> {
        self.coverage.never_reached()
    }

    fn take(&mut self, setup: &Setup, outcome: &Outcome) {
        self.coverage.merge(&outcome.coverage);
        self.played += 1;
        if let Some(violation) = &outcome.violation {
            let faults = outcome.strikes.iter();
            self.failures.push(Failure {
                seed: setup.seed,
                what: violation.to_string(),
                faults: faults.map(ToString::to_string).collect(),
                severity: setup.severity,
            });
        }
    }

    fn merge(&mut self, other: Self) {
        self.coverage.merge(&other.coverage);
        self.played += other.played;
        self.slowest = self.slowest.max(other.slowest);
        self.failures.extend(other.failures);
        self.failures.sort();
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.coverage)?;
        let rate = self.played as f64 / self.elapsed.as_secs_f64().max(0.001);
        let (time, slowest) = self.slowest;
        writeln!(
            f,
            "{} seeds, {rate:.1} a second; the slowest, {slowest}, took {:.1} s",
            self.played,
            time.as_secs_f64()
        )?;
        writeln!(f, "{}", self.coverage.density())?;
        let never = self.never_reached();
        if self.coverage.of(Event::Fault) > 0 && !never.is_empty() {
            writeln!(f, "never reached: {}", never.join(", "))?;
        }
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

/// What to play, and how.
#[derive(Clone, Debug)]
pub struct Run {
    /// The seeds.
    pub seeds: Range<u64>,
    /// Threads, each playing a seed of its own.
    pub threads: usize,
    /// How bad faults may be.
    pub severity: Severity,
    /// Which faults are acted on.
    pub mask: FaultMask,
    /// Print what happens, event by event.
    pub trace: bool,
    /// Play all seeds, also behind the first that fails.
    pub keep_going: bool,
}

impl Run {
    /// Everything that these seeds draw.
    pub fn of(seeds: Range<u64>, threads: usize) -> Self {
        Self {
            seeds,
            threads,
            severity: Severity::default(),
            mask: FaultMask::All,
            trace: false,
            keep_going: false,
        }
    }

    fn setup(&self, seed: u64) -> Setup {
        Setup {
            seed,
            severity: self.severity,
            mask: self.mask.clone(),
            trace: self.trace,
        }
    }
}

/// Plays seeds, until one fails.
pub fn run_seeds(run: &Run) -> Report {
    run_with(run, play_checked)
}

/// Plays seeds by `play`, until one fails.
#[expect(
    clippy::disallowed_methods,
    reason = "the runner is outside of the simulated worlds: its time is real"
)]
pub(crate) fn run_with(run: &Run, play: impl Fn(&Setup) -> Outcome + Sync) -> Report {
    let started = std::time::Instant::now();
    let Range { start, end } = run.seeds;
    let (next, shown) = (AtomicU64::new(start), AtomicU64::new(0));
    let mut report = Report::default();
    let player = || {
        let mut report = Report::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return report;
            }
            SEED.set(seed);
            SEVERITY.set(run.severity);
            let setup = run.setup(seed);
            let failures = report.failures.len();
            let began = std::time::Instant::now();
            report.take(&setup, &play(&setup));
            report.slowest = report.slowest.max((began.elapsed(), seed));
            report.failures.iter().skip(failures).for_each(show_failure);
            if !report.failures.is_empty() && !run.keep_going {
                next.store(end, Ordering::Relaxed);
            }
            show_progress(&shown, started.elapsed(), seed - start, end - start);
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..run.threads.max(1))
            .map(|_| scope.spawn(player))
            .collect();
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
        std::process::exit(report(Failure {
            seed: SEED.get(),
            what,
            faults: Vec::new(),
            severity: SEVERITY.get(),
        }));
    }));
}

/// At once: a long run may be ended before its report.
#[expect(clippy::print_stderr, reason = "who watches wants to know")]
fn show_failure(failure: &Failure) {
    eprintln!("{failure}");
}

/// A line every ten seconds, on a run that takes so long.
#[expect(clippy::print_stderr, reason = "a long run says how far it is")]
fn show_progress(shown: &AtomicU64, elapsed: Duration, played: u64, of: u64) {
    let tens = elapsed.as_secs() / 10;
    if tens > shown.fetch_max(tens, Ordering::Relaxed) {
        let rate = played as f64 / elapsed.as_secs_f64();
        eprintln!("{played} of {of} seeds, {rate:.1} a second");
    }
}

/// Plays a seed, some of them twice.
fn play_checked(setup: &Setup) -> Outcome {
    let outcome = play(setup);
    let seed = setup.seed;
    if seed.is_multiple_of(PLAYED_TWICE_EVERY) && !setup.trace {
        let again = play(setup);
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
        let report = run_seeds(&Run::of(0..6, 2));
        assert_eq!(report.played, 6);
        assert!(report.failures().is_empty(), "{report}");
    }

    #[test]
    fn a_run_ends_with_the_first_failure() {
        let fails = |setup: &Setup| Outcome {
            coverage: Coverage::default(),
            violation: (setup.seed == 3).then(|| Violation {
                promise: Promise::Lost,
                what: "something".to_owned(),
            }),
            strikes: Vec::new(),
            trace_hash: 0,
        };
        let report = run_with(&Run::of(0..100, 1), fails);
        assert_eq!((report.played, report.failures()[0].seed), (4, 3));
        assert!(
            report.to_string().ends_with("3 passed, 1 failed"),
            "{report}"
        );
    }
}
