//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::loadgen::LoadgenArgs;

/// A commit-log broker that speaks the Kafka protocol.
///
/// Every acknowledged record is on the disk. Any Kafka client works.
#[derive(Debug, Parser)]
#[command(
    name = "flumen",
    version,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows what it does: a broker, a million records through it, a table of figures
    Demo(DemoArgs),
    /// Runs a broker until SIGTERM or SIGINT
    Start(Box<StartArgs>),
    /// Creates, lists, describes and deletes topics
    #[command(subcommand)]
    Topic(TopicCommand),
    /// Writes what it reads from standard input to a topic
    Produce(ProduceArgs),
    /// Reads a topic to standard output
    Consume(ConsumeArgs),
    /// Prints what stands in a file of a data directory
    #[command(subcommand)]
    Dump(DumpCommand),
    /// Checks a data directory that no broker is using
    Verify(VerifyArgs),
    /// Cuts what is gone out of a damaged data directory; shows it unless losses are accepted
    Repair(RepairArgs),
    /// Copies a data directory, also while a broker is using it
    Backup(BackupArgs),
    /// Loads a cluster as planned and measures it; plans and compares
    Loadgen(LoadgenArgs),
    /// Explains a numbered error
    Explain(ExplainArgs),
    /// Prints the version
    Version(VersionArgs),
}

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
    /// Address for /livez, /readyz and /metrics [default: none]
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "FLUMEN_ADMIN_ADDR",
        hide_env_values = true
    )]
    pub(crate) admin_addr: Option<String>,
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

#[derive(Debug, Args)]
pub(crate) struct BrokerArg {
    /// A broker of the cluster
    #[arg(
        short = 'b',
        long = "brokers",
        alias = "bootstrap-server",
        value_name = "HOST:PORT"
    )]
    #[arg(
        env = "FLUMEN_BROKERS",
        hide_env_values = true,
        default_value = "127.0.0.1:9092"
    )]
    pub(crate) addr: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TopicCommand {
    /// Creates topics
    Create {
        /// Names
        #[arg(required = true, value_name = "TOPIC")]
        names: Vec<String>,
        /// Partitions; -1 for the broker's default
        #[arg(short, long, value_name = "N", default_value_t = -1, allow_negative_numbers = true)]
        partitions: i32,
        /// Replicas of each; -1 for the broker's default
        #[arg(short, long, value_name = "N", default_value_t = -1, allow_negative_numbers = true)]
        #[arg(alias = "replication-factor")]
        replicas: i16,
        /// A configuration of the topics; may be repeated
        #[arg(short = 'c', long = "config", value_name = "KEY=VALUE")]
        configs: Vec<String>,
        #[command(flatten)]
        broker: BrokerArg,
    },
    /// Lists topics
    List {
        #[command(flatten)]
        broker: BrokerArg,
    },
    /// Describes a topic: partitions with leader, epoch and offsets
    Describe {
        /// Its name
        #[arg(value_name = "TOPIC")]
        name: String,
        #[command(flatten)]
        broker: BrokerArg,
    },
    /// Deletes topics
    Delete {
        /// Names
        #[arg(required = true, value_name = "TOPIC")]
        names: Vec<String>,
        #[command(flatten)]
        broker: BrokerArg,
    },
}

/// When the broker answers a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Acks {
    /// When it is on the disk of all replicas in sync
    All,
    /// When it is on the disk of the leader
    #[value(name = "1")]
    One,
    /// Not at all
    #[value(name = "0")]
    None,
}

/// A codec of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CodecArg {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Escapes of the input's format: %k key, %v value, %% a percent sign, \\n \
\\t \\r \\0 \\\\.\nWhat stands between them separates the fields, and the last one ends a record."
)]
pub(crate) struct ProduceArgs {
    /// The topic
    #[arg(value_name = "TOPIC")]
    pub(crate) topic: String,
    /// Key of every record [default: none]
    #[arg(short, long)]
    pub(crate) key: Option<String>,
    /// Header of every record; may be repeated
    #[arg(short = 'H', long = "header", value_name = "KEY:VALUE")]
    pub(crate) headers: Vec<String>,
    /// Partition of every record [default: by the key, or one after the other]
    #[arg(short, long, value_name = "N")]
    pub(crate) partition: Option<i32>,
    /// Compression
    #[arg(
        short = 'z',
        long,
        value_enum,
        value_name = "CODEC",
        default_value = "none"
    )]
    pub(crate) compression: CodecArg,
    /// How records stand in the input
    #[arg(short, long, default_value = "%v\\n")]
    pub(crate) format: String,
    /// When the broker answers; with `all` the producer is idempotent
    #[arg(long, value_enum, default_value = "all")]
    pub(crate) acks: Acks,
    /// Write an empty value as a tombstone
    #[arg(short = 'Z', long)]
    pub(crate) tombstone: bool,
    /// Say nothing about each batch
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) broker: BrokerArg,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Escapes of the output's format: %t topic, %p partition, %o offset, %d \
timestamp in ms,\n%k key, %v value, %h{...} for each header with %k and %v of it, %% a percent \
sign,\n\\n \\t \\r \\0 \\\\. The format json prints an object for each record."
)]
pub(crate) struct ConsumeArgs {
    /// The topic
    #[arg(value_name = "TOPIC")]
    pub(crate) topic: String,
    /// Where to begin: start, end, N, -N before the end, +N behind the start, @MS by timestamp;
    /// `:end` behind it stops where the topic ends now
    #[arg(
        short,
        long,
        value_name = "OFFSET",
        default_value = "start",
        allow_hyphen_values = true
    )]
    pub(crate) offset: String,
    /// Records to read [default: all there will ever be]
    #[arg(short, long, value_name = "N")]
    pub(crate) num: Option<u64>,
    /// How records are printed
    #[arg(short, long, default_value = "%v\\n")]
    pub(crate) format: String,
    /// Partitions [default: all]
    #[arg(short, long, value_name = "N", value_delimiter = ',')]
    pub(crate) partitions: Vec<i32>,
    #[command(flatten)]
    pub(crate) broker: BrokerArg,
}

#[derive(Debug, Args)]
pub(crate) struct DumpArgs {
    /// The file or directory
    pub(crate) path: PathBuf,
    /// A JSON object for each line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DumpCommand {
    /// A segment file: header, batches, index blocks, footer
    Segment(DumpArgs),
    /// A journal file, or all of a shard's directory: frames and their entries
    Journal(DumpArgs),
    /// A copy of the metadata log, or both in a directory
    Meta(DumpArgs),
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The data directory
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// A JSON object for each line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RepairArgs {
    /// The data directory, which no broker is using
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Go on without what is gone of this partition; may be repeated. Its other records and all
    /// offsets stay as they are
    #[arg(long, value_name = "TOPIC/PARTITION")]
    pub(crate) accept_loss: Vec<String>,
    /// Mend what can be mended without a loss, whatever else is damaged
    #[arg(long)]
    pub(crate) mend: bool,
    /// Only show it, whatever is accepted
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// A JSON object for each line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The data directory
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// A new directory for the copy
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
    /// A JSON object for each line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The number, such as FL1004; all of them if it is left out
    pub(crate) code: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct VersionArgs {
    /// With formats, limits and what the kernel offers
    #[arg(short, long)]
    pub(crate) verbose: bool,
}
