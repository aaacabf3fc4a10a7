//! Runs seeds on all cores: `tools-sim --seeds 0..500`.

#![forbid(unsafe_code)]

use std::ops::Range;
use std::process::ExitCode;

use clap::Parser;
use engine_rt::sim::FaultMask;
use tools_sim::node::Severity;
use tools_sim::run::{Report, Run, end_at_panic, run_seeds};
use tools_sim::shrink::shrink;

/// Plays seeds of the simulation and checks every promise.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Seeds to play: `A..B`, or one seed.
    #[arg(long, default_value = "0..500", value_parser = parse_seeds)]
    seeds: Range<u64>,
    /// Threads, each playing a seed of its own; as many as there are CPUs by default.
    #[arg(long, alias = "jobs")]
    threads: Option<usize>,
    /// How bad faults may be: crashes alone, those that pass too, or also damage.
    #[arg(long, value_enum, default_value_t = Faults::All)]
    faults: Faults,
    /// Act on the faults with these numbers alone.
    #[arg(long, value_delimiter = ',')]
    only: Option<Vec<u64>>,
    /// Reduce the faults of a seed that fails to those that matter.
    #[arg(long, value_name = "SEED")]
    shrink: Option<u64>,
    /// Play all seeds, also behind the first that fails.
    #[arg(long)]
    keep_going: bool,
    /// Print what happens, event by event.
    #[arg(long)]
    verbose: bool,
    /// Break a rule on purpose, by name or `all`, and look for the seed that finds it.
    #[cfg(feature = "mutants")]
    #[arg(long)]
    mutant: Option<String>,
}

/// How bad faults may be.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Faults {
    None,
    Passing,
    All,
}

impl Faults {
    const fn severity(self) -> Severity {
        match self {
            Self::None => Severity::Crashes,
            Self::Passing => Severity::Passing,
            Self::All => Severity::Damage,
        }
    }
}

fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| {
        text.parse::<u64>()
            .map_err(|error| format!("{text}: {error}"))
    };
    match text.split_once("..") {
        Some((from, to)) => Ok(number(from)?..number(to)?),
        None => number(text).map(|seed| seed..seed + 1),
    }
}

#[expect(clippy::print_stdout, reason = "a command says what it found")]
fn main() -> ExitCode {
    let args = Args::parse();
    if args.verbose {
        tracing_subscriber::fmt()
            .with_writer(std::io::stderr)
            .without_time()
            .with_max_level(tracing::Level::DEBUG)
            .init();
    }
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = if args.verbose {
        1
    } else {
        args.threads.unwrap_or(cpus)
    };
    let severity = args.faults.severity();
    #[cfg(feature = "mutants")]
    if let Some(name) = &args.mutant {
        return ExitCode::from(hunt(name, args.seeds, threads));
    }
    tools_sim::numbers::listen();
    end_at_panic(|failure| {
        println!("{failure}\n1 failed");
        1
    });
    if let Some(seed) = args.shrink {
        let shrunk = shrink(seed, severity);
        match &shrunk {
            Some(shrunk) => println!("{shrunk}"),
            None => println!("seed {seed} passes"),
        }
        return ExitCode::from(u8::from(shrunk.is_some()));
    }
    let only = args
        .only
        .map(|only| FaultMask::Only(only.into_iter().collect()));
    let run = Run {
        severity,
        mask: only.unwrap_or_default(),
        trace: args.verbose,
        keep_going: args.keep_going,
        ..Run::of(args.seeds, threads)
    };
    let report = run_seeds(&run);
    println!("{report}");
    ExitCode::from(u8::from(!passed(&report, &run.seeds)))
}

/// Hunts one mutant or all of them; the exit status.
#[cfg(feature = "mutants")]
#[expect(clippy::print_stdout, reason = "a command says what it found")]
fn hunt(name: &str, seeds: Range<u64>, jobs: usize) -> u8 {
    use tools_sim::mutants::{by_name, hunt_all, hunt_one};
    if let Some(mutant) = by_name(name) {
        return hunt_one(mutant, seeds, jobs);
    }
    match hunt_all(&seeds, jobs) {
        Ok(hunt) => {
            println!("{hunt}");
            u8::from(!hunt.is_complete())
        },
        Err(error) => {
            println!("the hunt cannot begin: {error}");
            1
        },
    }
}

/// Whether nothing was broken, and, for a run of some length, enough happened.
fn passed(report: &Report, seeds: &Range<u64>) -> bool {
    const SEEDS_THAT_COUNT: u64 = 500;
    let enough = seeds.end - seeds.start < SEEDS_THAT_COUNT || report.shortfalls().is_empty();
    report.failures().is_empty() && enough
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_range_or_one() {
        assert_eq!(parse_seeds("3..7"), Ok(3..7));
        assert_eq!(parse_seeds("9"), Ok(9..10));
        assert!(parse_seeds("a..7").is_err());
    }
}
