//! Options of what runs a broker.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Data directory; what is in it stays, and the topics demo and demo-latency grow: they keep
    /// their records for an hour [default: ./flumen-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Records to write and read back
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub(crate) records: u64,
    /// Address for Kafka clients
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    pub(crate) kafka_addr: String,
    /// Stop after the table: with 0, or not with 0 if anything differed
    #[arg(long)]
    pub(crate) exit: bool,
}

/// Logs as people or as machines read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line of text for each event
    Text,
    /// A JSON object for each event
    Json,
}

/// What a broker asks the kernel through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum RuntimeChoice {
    /// `io_uring`, or `epoll` where the kernel refuses that
    #[default]
    Auto,
    /// `io_uring` or nothing
    Ring,
    /// `epoll`, and threads for files
    Epoll,
}

/// What is not given here is taken from the environment, then from the file, then from the
/// defaults.
#[derive(Debug, Default, Args)]
#[command(after_help = START_HELP)]
pub(crate) struct StartArgs {
    /// Data directory [default: ./flumen-data]
    #[arg(long, value_name = "DIR", env = "FLUMEN_DATA", hide_env_values = true)]
    pub(crate) data: Option<PathBuf>,
    /// Address for Kafka clients; may be repeated, then each needs a name
    /// [default: PLAINTEXT=127.0.0.1:9092]
    #[arg(long, value_name = "[NAME=]HOST:PORT", value_delimiter = ',')]
    #[arg(env = "FLUMEN_KAFKA_ADDR", hide_env_values = true)]
    pub(crate) kafka_addr: Vec<String>,
    /// Address that clients of a listener are told; may be repeated [default: where it listens]
    #[arg(long, value_name = "[NAME=]HOST:PORT", value_delimiter = ',')]
    #[arg(env = "FLUMEN_ADVERTISED_ADDR", hide_env_values = true)]
    pub(crate) advertised_addr: Vec<String>,
    /// Address for /livez, /readyz, /metrics and the console [default: none]
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "FLUMEN_ADMIN_ADDR",
        hide_env_values = true
    )]
    pub(crate) admin_addr: Option<String>,
    /// Name by which browsers may ask for the console; may be repeated. Without one it is there on
    /// loopback only
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    #[arg(env = "FLUMEN_CONSOLE_HOST", hide_env_values = true)]
    pub(crate) console_host: Vec<String>,
    /// Shards, each pinned to a CPU [default: one for each CPU of the process's affinity mask]
    #[arg(long, value_name = "N", env = "FLUMEN_SHARDS", hide_env_values = true)]
    pub(crate) shards: Option<String>,
    /// Memory budget, such as 512MiB or 4GiB [default: a quarter of the machine's memory]
    #[arg(
        long,
        value_name = "SIZE",
        env = "FLUMEN_MEMORY",
        hide_env_values = true
    )]
    pub(crate) memory: Option<String>,
    /// What the kernel is asked through [default: auto]
    #[arg(
        long,
        value_enum,
        value_name = "WAY",
        env = "FLUMEN_RUNTIME",
        hide_env_values = true
    )]
    pub(crate) runtime: Option<RuntimeChoice>,
    /// Configuration file in TOML [default: none]
    #[arg(
        short = 'c',
        long,
        value_name = "FILE",
        env = "FLUMEN_CONFIG",
        hide_env_values = true
    )]
    pub(crate) config: Option<PathBuf>,
    /// A setting by Kafka's name of it, such as log.retention.ms=86400000; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Take a copied or moved data directory as one of its own
    #[arg(long)]
    pub(crate) accept_copy: bool,
    /// Format of the log, on standard error [default: text]
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        env = "FLUMEN_LOG",
        hide_env_values = true
    )]
    pub(crate) log: Option<LogFormat>,
    /// Least level of the log: error, warn, info, debug, or by target [default: info]
    #[arg(
        long,
        value_name = "LEVEL",
        env = "FLUMEN_LOG_LEVEL",
        hide_env_values = true
    )]
    pub(crate) log_level: Option<String>,
    /// Leave the banner out
    #[arg(long)]
    pub(crate) no_banner: bool,
    /// Ask every turn of a shard what it used: for measurements
    #[arg(long, hide = true)]
    pub(crate) audit_turns: bool,
}

const START_HELP: &str = "\
Keys of the file are the long options; settings stand below [settings]:
    data = \"/var/lib/flumen\"
    kafka-addr = [\"PLAINTEXT=10.0.0.5:9092\"]
    [settings]
    \"log.retention.ms\" = 604800000
The environment has settings too: FLUMEN_LOG_RETENTION_MS=604800000.
One of Flumen's own is fetch.read.path, how records are read that are not in memory any more: direct
(direct I/O), sendfile (direct I/O once, then from the page cache), auto (the same as direct so far,
which costs less where both were measured). Another is flumen.stall.ms: when something keeps a shard
from its other work for so long, the log names it [default: 10; 0 for never].";
