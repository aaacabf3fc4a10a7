//! Deliberate bugs, each to be found by some seed: a mutant that survives is a hole in the checker.

use std::fmt;
use std::ops::Range;

use engine_rt::mutant::Mutant;

use crate::run::run_mutant;

/// Which mutants were looked for, and what it took.
#[derive(Clone, Debug)]
pub struct Hunt {
    rows: Vec<(Mutant, Option<(u64, String)>, u64)>,
}

impl Hunt {
    /// Whether every mutant was found.
    pub fn is_complete(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|(_, found, _)| found.is_some())
    }
}

impl fmt::Display for Hunt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| mutant | seeds played | found by |")?;
        writeln!(f, "|---|---|---|")?;
        for (mutant, found, played) in &self.rows {
            match found {
                Some((seed, how)) => writeln!(f, "| {mutant:?} | {played} | seed {seed}: {how} |")?,
                None => writeln!(f, "| {mutant:?} | {played} | not found |")?,
            }
        }
        let found = self
            .rows
            .iter()
            .filter(|(_, found, _)| found.is_some())
            .count();
        write!(f, "{found} passed, {} failed", self.rows.len() - found)
    }
}

/// Looks for the mutant called `name`, or for all of them.
pub fn hunt(name: &str, seeds: Range<u64>, jobs: usize) -> Hunt {
    let wanted = |mutant: &&Mutant| name == "all" || format!("{mutant:?}") == name;
    let rows = Mutant::ALL
        .iter()
        .filter(wanted)
        .map(|mutant| {
            let (found, played) = run_mutant(*mutant, seeds.clone(), jobs);
            (*mutant, found, played)
        })
        .collect();
    Hunt { rows }
}
