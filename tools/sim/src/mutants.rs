//! Deliberate bugs, each to be found by some seed: a mutant that survives is a hole in the workload
//! or in the checker.
//!
//! Each mutant is hunted by a process of its own, since a seed may find it by a panic, which aborts.

use std::fmt;
use std::io;
use std::ops::Range;
use std::process::Command;

use engine_rt::mutant::{Mutant, set};

use crate::node::{Severity, play};
use crate::numbers;
use crate::run::{Run, end_at_panic, run_with};

/// Exit status of a process that found its mutant.
pub const FOUND: u8 = 10;

/// What became of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    mutant: Mutant,
    /// The seed that found it and what it saw.
    found: Option<String>,
}

/// Which mutants were looked for, and what it took.
#[derive(Clone, Debug)]
pub struct Hunt {
    rows: Vec<Row>,
}

impl Hunt {
    /// Whether every mutant was found.
    pub fn is_complete(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|row| row.found.is_some())
    }
}

impl fmt::Display for Hunt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| mutant | found by |")?;
        writeln!(f, "|---|---|")?;
        for Row { mutant, found } in &self.rows {
            let found = found.as_deref().unwrap_or("**nothing**");
            writeln!(f, "| {mutant:?} | {found} |")?;
        }
        let found = self.rows.iter().filter(|row| row.found.is_some()).count();
        write!(f, "{found} passed, {} failed", self.rows.len() - found)
    }
}

/// The mutant of that name.
pub fn by_name(name: &str) -> Option<Mutant> {
    let mut all = Mutant::ALL.iter().copied();
    all.find(|mutant| format!("{mutant:?}") == name)
}

/// How bad faults must be allowed to be for a mutant to matter. No worse: what it does must not be
/// explained by one.
const fn severity_for(mutant: Mutant) -> Severity {
    match mutant {
        Mutant::JournalErrorIgnored
        | Mutant::ExtentErrorIgnored
        | Mutant::FailedCheckpointKept
        | Mutant::CacheSurvivesTruncation
        | Mutant::AppendErrorIgnored
        | Mutant::SpaceIgnored
        | Mutant::ClockJumpIgnored => Severity::Passing,
        Mutant::NoMark
        | Mutant::RangeUnchecked
        | Mutant::RangeUnseeded
        | Mutant::CheckpointNotMirrored
        | Mutant::MetadataOnce => Severity::Damage,
        _ => Severity::Crashes,
    }
}

/// Breaks a rule and plays seeds until one finds it; prints seed and finding, gives the exit status.
#[expect(clippy::print_stdout, reason = "the hunting process reads it")]
pub fn hunt_one(mutant: Mutant, seeds: Range<u64>, jobs: usize) -> u8 {
    numbers::listen();
    end_at_panic(|failure| {
        println!("seed {}: {}", failure.seed, failure.what);
        i32::from(FOUND)
    });
    let run = Run {
        severity: severity_for(mutant),
        ..Run::of(seeds, jobs)
    };
    let report = run_with(&run, |setup| {
        set(Some(mutant));
        play(setup)
    });
    let Some(failure) = report.failures().first() else {
        return 0;
    };
    println!("seed {}: {}", failure.seed, failure.what);
    FOUND
}

/// Hunts all mutants, each in a process of its own.
pub fn hunt_all(seeds: &Range<u64>, jobs: usize) -> io::Result<Hunt> {
    let mut rows = Vec::new();
    for mutant in Mutant::ALL.iter().copied() {
        let output = Command::new(std::env::current_exe()?)
            .args(["--mutant", &format!("{mutant:?}")])
            .args(["--seeds", &format!("{}..{}", seeds.start, seeds.end)])
            .args(["--threads", &jobs.to_string()])
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let found = output.status.code() == Some(i32::from(FOUND));
        let found = found.then(|| said.lines().last().unwrap_or_default().replace('|', "/"));
        rows.push(Row { mutant, found });
    }
    Ok(Hunt { rows })
}
