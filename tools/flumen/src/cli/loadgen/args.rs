//! The words of `flumen loadgen`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::args::BrokerArg;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct LoadgenArgs {
    /// Without one, two numbers in a minute or two: the highest rate of the preset canonical at p99
    /// below 10 ms, and p99.9 at half of it
    #[command(subcommand)]
    pub(crate) command: Option<LoadgenCommand>,
    #[command(flatten)]
    pub(crate) broker: BrokerArg,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LoadgenCommand {
    /// Carries out one scenario and measures it
    Run(RunArgs),
    /// Searches for the highest rate that keeps a promise about latencies
    Search(SearchArgs),
    /// Says how many machines a load needs, each line with its formula
    Plan(PlanArgs),
    /// Holds results against each other: ends with 99 beyond a threshold
    Compare(CompareArgs),
    /// Prints a result again and makes its page anew
    Report(ReportArgs),
    /// Prints the scenario that files of OMB mean, the `OpenMessaging` Benchmark
    Import(ImportArgs),
}

/// What a run does.
#[derive(Debug, Args)]
pub(crate) struct ScenarioArgs {
    /// A scenario in TOML [default: the preset canonical]
    #[arg(value_name = "SCENARIO.toml")]
    pub(crate) file: Option<PathBuf>,
    /// A scenario that comes with the program: canonical, logs, events, iot, small-batch
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    pub(crate) preset: Option<String>,
    /// A key of the scenario, such as load.rate=20000/s; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Directory for result.json, histograms.hlog and report.html [default: ./loadgen-RUN]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Address for /metrics of the run, as long as it goes on [default: none]
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) metrics_addr: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) broker: BrokerArg,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) scenario: ScenarioArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    #[command(flatten)]
    pub(crate) scenario: ScenarioArgs,
    /// What must hold: p50, p99, p99.9 of the latency from the planned time, `e2e_p99` of reading
    #[arg(long, value_name = "PROMISES", default_value = "p99<10ms")]
    pub(crate) slo: String,
    /// Records a second to begin with
    #[arg(long, value_name = "RATE", default_value_t = 1000.0)]
    pub(crate) start: f64,
    /// Length of a step
    #[arg(long, value_name = "TIME", default_value = "20s")]
    pub(crate) step: String,
    /// Length of each of the three runs that confirm
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub(crate) confirm: String,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The load and the machines, in TOML; keys that are not in it have defaults
    #[arg(value_name = "PLAN.toml")]
    pub(crate) file: Option<PathBuf>,
    /// A key of the plan, such as ingress=1GB/s; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// A result.json, or several of one kind separated by commas
    #[arg(
        value_name = "BASE",
        value_delimiter = ',',
        num_args = 1,
        required = true
    )]
    pub(crate) base: Vec<PathBuf>,
    /// Others, of the same scenario
    #[arg(
        long = "with",
        value_name = "NEW",
        value_delimiter = ',',
        required = true
    )]
    pub(crate) new: Vec<PathBuf>,
    /// Changes that are too much, such as 'p99 +5%, achieved -3%'
    #[arg(long, value_name = "CHANGES", default_value = "")]
    pub(crate) threshold: String,
    /// Compare although environments or batches differ
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The result
    #[arg(value_name = "RESULT.json")]
    pub(crate) result: PathBuf,
    /// Where the page goes [default: report.html beside the result]
    #[arg(long, value_name = "FILE")]
    pub(crate) page: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The workload
    #[arg(value_name = "WORKLOAD.yaml")]
    pub(crate) workload: PathBuf,
    /// The driver for Kafka
    #[arg(long, value_name = "DRIVER.yaml")]
    pub(crate) driver: Option<PathBuf>,
}
