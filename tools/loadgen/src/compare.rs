//! Results held against each other: a base and something new, each perhaps of several runs.
//!
//! Runs are compared when they did the same where it counts: the same environment, batches of the
//! same size. Others are refused, unless that is what is wanted.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::report::RunResult;

/// Batches that differ by more make two runs of different clients.
const BATCHES_MAX: f64 = 0.10;
/// Runs a side below which a difference says little.
pub const RUNS_MIN: usize = 5;

/// Why results are not compared.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum CompareError {
    /// There is nothing to compare.
    #[error("a side has no results")]
    Empty,
    /// A run that says nothing about its broker.
    #[error("run {0} is invalid")]
    Invalid(String),
    /// Different machines, kernels or versions of the generator.
    #[error("the environments differ: {0} and {1}")]
    Environment(String, String),
    /// Different clients, by what they did.
    #[error("batches differ: {0:.1} and {1:.1} records in the mean")]
    Batches(f64, f64),
}

/// A figure that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// `total` at p50.
    P50,
    /// `total` at p99.
    P99,
    /// `total` at p99.9.
    P999,
    /// `end_to_end` at p99.
    E2eP99,
    /// Acknowledged records a second.
    Achieved,
    /// The generator's own CPU.
    GeneratorCpu,
}

impl Figure {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::P50,
        Self::P99,
        Self::P999,
        Self::E2eP99,
        Self::Achieved,
        Self::GeneratorCpu,
    ];

    /// Its name in thresholds and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P99 => "p99",
            Self::P999 => "p99.9",
            Self::E2eP99 => "e2e_p99",
            Self::Achieved => "achieved",
            Self::GeneratorCpu => "generator_cpu",
        }
    }

    fn of(self, result: &RunResult) -> Option<f64> {
        let percentiles = |name: &str| result.delays.get(name);
        let nanos = match self {
            Self::P50 => percentiles("total")?.p50_ns,
            Self::P99 => percentiles("total")?.p99_ns,
            Self::P999 => percentiles("total")?.p999_ns,
            Self::E2eP99 => percentiles("end_to_end")?.p99_ns,
            Self::Achieved => return Some(result.achieved),
            Self::GeneratorCpu => return result.generator_cpu,
        };
        nanos.map(|nanos| nanos as f64)
    }
}

/// How much a figure may change: `p99 +5%` is broken by more, `achieved -3%` by less.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// The figure.
    pub figure: Figure,
    /// The change, as a part of the base; its sign says which way is bad.
    pub change: f64,
}

/// Thresholds, separated by commas.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thresholds(pub Vec<Threshold>);

impl FromStr for Thresholds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        parts.map(threshold).collect::<Result<_, _>>().map(Self)
    }
}

fn threshold(text: &str) -> Result<Threshold, String> {
    let wrong = || format!("`{text}`: such as `p99 +5%` is wanted");
    let (name, change) = text.split_once(' ').ok_or_else(wrong)?;
    let figure = Figure::ALL.into_iter().find(|figure| figure.name() == name);
    let percent = change.trim().strip_suffix('%').ok_or_else(wrong)?;
    let signed = percent.starts_with(['+', '-']);
    let percent: f64 = percent.parse().map_err(|_| wrong())?;
    match figure {
        Some(figure) if signed => Ok(Threshold {
            figure,
            change: percent / 100.0,
        }),
        _ => Err(wrong()),
    }
}

/// One line of a comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// What is compared.
    pub figure: Figure,
    /// Median, least and largest of the base.
    pub base: [f64; 3],
    /// Median, least and largest of the new one.
    pub new: [f64; 3],
    /// How the median changed, as a part of the base's.
    pub change: f64,
    /// Whether a threshold is broken.
    pub broken: bool,
}

/// A comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Figures that both sides have.
    pub lines: Vec<Line>,
    /// Whether both sides have enough runs to say something.
    pub has_enough_runs: bool,
}

impl Comparison {
    /// Whether no threshold is broken.
    pub fn keeps_thresholds(&self) -> bool {
        !self.lines.iter().any(|line| line.broken)
    }
}

/// Compares the runs of two sides; `force` does so whatever they are.
pub fn compare(
    base: &[RunResult],
    new: &[RunResult],
    thresholds: &Thresholds,
    force: bool,
) -> Result<Comparison, CompareError> {
    let (Some(first), Some(other)) = (base.first(), new.first()) else {
        return Err(CompareError::Empty);
    };
    if !force {
        comparable(first, base.iter().chain(new))?;
        let batches = [base, new].map(|side| median(side, |one| Some(one.records_per_batch)));
        let [Some(one), Some(two)] = batches.map(|batches| batches.map(|[median, ..]| median))
        else {
            return Err(CompareError::Batches(
                first.records_per_batch,
                other.records_per_batch,
            ));
        };
        if (one - two).abs() > BATCHES_MAX * one.max(two) {
            return Err(CompareError::Batches(one, two));
        }
    }
    let line = |figure: Figure| {
        let base = median(base, |one| figure.of(one))?;
        let new = median(new, |one| figure.of(one))?;
        let change = if base[0] > 0.0 {
            new[0] / base[0] - 1.0
        } else {
            0.0
        };
        let mut own = thresholds.0.iter().filter(|one| one.figure == figure);
        let broken = own.any(|one| {
            if one.change < 0.0 {
                change < one.change
            } else {
                change > one.change
            }
        });
        Some(Line {
            figure,
            base,
            new,
            change,
            broken,
        })
    };
    Ok(Comparison {
        lines: Figure::ALL.into_iter().filter_map(line).collect(),
        has_enough_runs: base.len().min(new.len()) >= RUNS_MIN,
    })
}

fn comparable<'a>(
    first: &RunResult,
    all: impl Iterator<Item = &'a RunResult>,
) -> Result<(), CompareError> {
    for one in all {
        if !one.valid {
            return Err(CompareError::Invalid(one.run.clone()));
        }
        if one.environment != first.environment {
            let shown = |one: &RunResult| format!("{:?}", one.environment);
            return Err(CompareError::Environment(shown(first), shown(one)));
        }
    }
    Ok(())
}

/// Median, least and largest of the runs that have a figure.
fn median(runs: &[RunResult], figure: impl Fn(&RunResult) -> Option<f64>) -> Option<[f64; 3]> {
    let mut values: Vec<f64> = runs.iter().filter_map(figure).collect();
    values.sort_by(f64::total_cmp);
    let (low, high) = (*values.first()?, *values.last()?);
    let middle = values.len() / 2;
    let median = if values.len().is_multiple_of(2) {
        f64::midpoint(values[middle - 1], values[middle])
    } else {
        values[middle]
    };
    Some([median, low, high])
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |[median, low, high]: [f64; 3]| match self.figure {
            Figure::Achieved => format!("{median:.0}/s ({low:.0}..{high:.0})"),
            Figure::GeneratorCpu => format!("{median:.2} ({low:.2}..{high:.2})"),
            _ => {
                let shown =
                    [median, low, high].map(|nanos| crate::units::nanos_shown(nanos as u64));
                format!("{} ({}..{})", shown[0], shown[1], shown[2])
            },
        };
        write!(
            f,
            "{:<14}{:<32}{:<32}{:>+7.1} %{}",
            self.figure.name(),
            shown(self.base),
            shown(self.new),
            self.change * 100.0,
            if self.broken { "  BEYOND" } else { "" }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    /// A run whose `total` p99 and rate are these.
    fn run(p99_ms: u64, achieved: f64) -> RunResult {
        let mut result = example();
        let total = result.delays.get_mut("total").unwrap();
        total.p99_ns = Some(p99_ms * 1_000_000);
        result.achieved = achieved;
        result
    }

    fn compared(base: &[u64], new: &[u64], thresholds: &str) -> Comparison {
        let runs = |side: &[u64]| -> Vec<RunResult> {
            side.iter()
                .map(|p99| run(*p99, 1e6 / *p99 as f64))
                .collect()
        };
        let thresholds = thresholds.parse().unwrap();
        compare(&runs(base), &runs(new), &thresholds, false).unwrap()
    }

    #[test]
    fn medians_are_held_against_thresholds() {
        let (base, new) = ([10, 11, 9, 50, 10], [12, 11, 13, 12, 12]);
        let found = compared(&base, &new, "p99 +25%, achieved -20%");
        assert!(found.keeps_thresholds() && found.has_enough_runs);
        let line = found
            .lines
            .iter()
            .find(|line| line.figure == Figure::P99)
            .unwrap();
        assert_eq!(
            (line.base, line.new),
            ([1e7, 9e6, 5e7], [1.2e7, 1.1e7, 1.3e7])
        );
        assert!((line.change - 0.2).abs() < 1e-9);
        assert!(!compared(&base, &new, "p99 +15%").keeps_thresholds());
        assert!(!compared(&base, &new, "achieved -10%").keeps_thresholds());
        assert!(compared(&new, &base, "p99 +0%, achieved -1%").keeps_thresholds());
        assert!(line.to_string().contains("+20.0 %"), "{line}");
        assert!(!compared(&[10], &[10], "").has_enough_runs);
    }

    #[test]
    fn what_is_not_alike_is_refused() {
        let (one, mut other) = (run(10, 1.0), run(10, 1.0));
        let side = std::slice::from_ref(&one);
        let none = Thresholds::default();
        assert_eq!(compare(side, &[], &none, false), Err(CompareError::Empty));
        other.records_per_batch *= 1.2;
        let refused = compare(side, &[other.clone()], &none, false);
        assert!(
            matches!(refused, Err(CompareError::Batches(..))),
            "{refused:?}"
        );
        assert!(compare(side, &[other.clone()], &none, true).is_ok());
        other.environment.kernel = "other".to_owned();
        let refused = compare(side, &[other.clone()], &none, false);
        assert!(
            matches!(refused, Err(CompareError::Environment(..))),
            "{refused:?}"
        );
        other.valid = false;
        let refused = compare(side, &[other], &none, false);
        assert!(
            matches!(refused, Err(CompareError::Invalid(_))),
            "{refused:?}"
        );
    }

    #[test]
    fn thresholds_have_a_figure_a_sign_and_a_percentage() {
        for wrong in ["p99", "p98 +5%", "p99 5%", "p99 +5", "p99 +x%"] {
            assert!(wrong.parse::<Thresholds>().is_err(), "{wrong}");
        }
        assert_eq!("".parse(), Ok(Thresholds::default()));
    }
}
