//! The engine held against the machine's limits: each row of the table beside the physical parts of
//! the same work, measured in the same run.
//!
//! `bench/limits` builds everything and calls `measure` here. Rounds go through all scenes, so that
//! whatever disturbs the machine disturbs them alike. The client is a lean one of its own: its
//! batches are made before the clock starts, so that what is measured is the broker.
//!
//! What it is not: a comparison of brokers, or a load generator for users. It writes the figures to
//! `bench/results`; a goal that was missed is shown as missed.
//!
//! First file to read: `scene/mod.rs`, then a scene for what its figures mean.

#![forbid(unsafe_code)]

mod bench;
mod broker;
mod child;
mod client;
mod cpu;
mod environment;
mod foreign;
mod kafka;
mod measure;
mod metrics;
mod part;
mod report;
mod resident;
mod results;
mod scene;
mod table;

use std::io;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::part::Part;
use crate::scene::Scene;

/// A quick run does one part in so many.
const QUICK: u64 = 4;

/// Measures a broker beside the physical parts of its work.
#[derive(Debug, Parser)]
struct Command {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Measures everything and writes the results.
    Measure(Box<Options>),
    /// Runs one physical part; started by `measure` on the server's core.
    #[command(hide = true, subcommand)]
    Part(Part),
}

/// How to measure.
#[derive(Clone, Debug, Args)]
struct Options {
    /// The broker's binary; without it only the physical parts are measured.
    #[arg(long)]
    broker: Option<PathBuf>,
    /// More arguments for the broker's start, separated by spaces. So little memory is all in use
    /// before the clock starts: what is measured is a broker that has run for a while, not the
    /// system's first hand-out of memory, which costs more than all the rest on some machines.
    #[arg(long, default_value = "--memory 512MiB", allow_hyphen_values = true)]
    broker_args: String,
    /// Rounds; medians need five.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Directory for data, emptied at the end; it says which disk is measured.
    #[arg(long)]
    data: PathBuf,
    /// Directory for the results; without it they are only printed.
    #[arg(long)]
    results: Option<PathBuf>,
    /// Name of the results' files.
    #[arg(long, default_value = "limits")]
    name: String,
    /// The date.
    #[arg(long, default_value = "undated")]
    date: String,
    /// The commit that was built.
    #[arg(long, default_value = "unknown")]
    commit: String,
    /// The core of the broker.
    #[arg(long, default_value_t = 0)]
    server_cpu: usize,
    /// The core of the client.
    #[arg(long, default_value_t = 1)]
    client_cpu: usize,
    /// MiB of records in a bulk case.
    #[arg(long, default_value_t = 3072)]
    bulk_mib: u64,
    /// Requests in the case of many small ones.
    #[arg(long, default_value_t = 400_000)]
    small_requests: u64,
    /// Requests in the case of one connection.
    #[arg(long, default_value_t = 20_000)]
    single_requests: u64,
    /// MiB of log in the scene `compaction`; with `--full`, ten times as many.
    #[arg(long, default_value_t = 1024)]
    compaction_mib: u64,
    /// Longest wait in seconds, before each case, for a machine on which nobody else works.
    #[arg(long, default_value_t = 20)]
    patience: u64,
    /// One short round: to see that everything runs, and roughly how it stands.
    #[arg(long)]
    quick: bool,
    /// Also an hour of steady load, once, and more to compact.
    #[arg(long)]
    full: bool,
    /// Seconds of that hour.
    #[arg(long, default_value_t = 3600)]
    hour_seconds: u64,
    /// Only these scenes: for a look with a profiler. Goals whose parts are not measured are missed.
    #[arg(long, value_delimiter = ',', value_name = "SCENE")]
    only: Vec<Scene>,
    /// Of the scene `bulk`, only these cases, by the prefix of their keys.
    #[arg(long, value_delimiter = ',', value_name = "CASE")]
    case: Vec<String>,
    /// Directory with `librdkafka` and `franz`, the clients of the scene `foreign`; `bench/limits`
    /// makes it.
    #[arg(long)]
    foreign: Option<PathBuf>,
    /// Directory with the jars of Apache Kafka, which the scene `groups` then measures, too.
    #[arg(long)]
    kafka: Option<PathBuf>,
    /// A file with a place for the table's short form, between its two marks.
    #[arg(long)]
    readme: Option<PathBuf>,
}

impl Options {
    #[cfg(test)]
    fn for_tests() -> Self {
        let command = Command::parse_from(["bench-limits", "measure", "--data", "d"]);
        match command.what {
            What::Measure(options) => *options,
            What::Part(part) => panic!("{part:?}"),
        }
    }

    fn scaled(mut self) -> Self {
        if self.quick {
            self.rounds = 1;
            self.bulk_mib /= QUICK;
            self.small_requests /= QUICK;
            self.single_requests /= QUICK;
            self.compaction_mib /= QUICK;
        }
        self
    }
}

fn main() -> io::Result<()> {
    match Command::parse().what {
        What::Measure(options) => measure::run((*options).scaled()),
        What::Part(part) => part::run(part),
    }
}
