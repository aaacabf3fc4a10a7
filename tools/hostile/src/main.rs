//! Commands of the hostile world: `seeds` writes the first inputs of the corpora.
//!
//! What it is not: the fuzzers themselves, which `tools/fuzz/run` builds and runs.
//! See `lib.rs` for the rest.

#![forbid(unsafe_code)]

mod crowd;

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser;
use tools_hostile::sequence::{Played, play};
use tools_hostile::{seeds, target};

/// What the command line says.
#[derive(Debug, Parser)]
#[command(about)]
enum Command {
    /// Writes the seeds of every target below a directory.
    Seeds {
        /// The directory of the corpora.
        directory: PathBuf,
    },
    /// Plays hostile sequences against brokers in the simulation, and counts what came of them.
    Sequences {
        /// For how long.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// The first seed.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Ten thousand clients that do harm by doing little, and what an honest one feels of it.
    Crowd(crowd::Args),
}

fn main() -> std::io::Result<()> {
    match Command::parse() {
        Command::Seeds { directory } => write_seeds(&directory),
        Command::Sequences { seconds, seed } => play_for(Duration::from_secs(seconds), seed),
        Command::Crowd(args) => crowd::run(&args),
    }
}

/// A seed that breaks something ends the process with its message.
fn play_for(time: Duration, first: u64) -> std::io::Result<()> {
    let began = now();
    let (mut sum, mut seed) = (Played::default(), first);
    while began.elapsed() < time {
        sum = sum.and(play(seed, 1 + (seed % 12) as usize));
        seed += 1;
    }
    let seeds = seed - first;
    writeln!(
        std::io::stdout(),
        "{seeds} seeds from {first} on: {sum:?}, nothing broken"
    )
}

/// The clock of the machine: this is about the simulation, not in it.
#[expect(clippy::disallowed_methods, reason = "outside of the simulation")]
fn now() -> Instant {
    Instant::now()
}

fn write_seeds(directory: &std::path::Path) -> std::io::Result<()> {
    for target in target::TARGETS {
        let corpus = directory.join(target.name);
        std::fs::create_dir_all(&corpus)?;
        for (name, bytes) in seeds::of(target.name) {
            std::fs::write(corpus.join(format!("seed-{name}")), bytes)?;
        }
    }
    Ok(())
}
