//! Options of `flumen topic`.

use clap::{Args, Subcommand};

use super::{BrokerArg, OutputArg, PartitionsArg, TopicArg, TopicsArg};

#[derive(Debug, Subcommand)]
pub(crate) enum TopicCommand {
    /// Creates topics
    Create(CreateArgs),
    /// Lists topics
    List {
        /// Also those that brokers keep for themselves
        #[arg(short, long)]
        internal: bool,
        #[command(flatten)]
        output: OutputArg,
        #[command(flatten)]
        broker: BrokerArg,
    },
    /// Describes a topic: partitions with leader, epoch and offsets; its configuration
    Describe(DescribeArgs),
    /// Changes the configuration of topics
    AlterConfig(AlterConfigArgs),
    /// Adds partitions to topics
    AddPartitions(AddPartitionsArgs),
    /// Gives up records below an offset
    #[command(alias = "trim-prefix")]
    Trim(TrimArgs),
    /// Says how much topics take on the disk
    Usage(UsageArgs),
    /// Deletes topics
    Delete(DeleteArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    pub(crate) topics: TopicsArg,
    /// Partitions; -1 for the broker's default
    #[arg(
        short,
        long,
        value_name = "N",
        default_value_t = -1,
        allow_negative_numbers = true
    )]
    pub(crate) partitions: i32,
    /// Replicas of each; -1 for the broker's default
    #[arg(
        short,
        long,
        value_name = "N",
        default_value_t = -1,
        allow_negative_numbers = true,
        alias = "replication-factor"
    )]
    pub(crate) replicas: i16,
    /// A configuration of the topics; may be repeated
    #[arg(
        short = 'c',
        long = "config",
        alias = "topic-config",
        value_name = "KEY=VALUE"
    )]
    pub(crate) configs: Vec<String>,
    /// A topic that is there already is no error
    #[arg(long)]
    pub(crate) if_not_exists: bool,
    #[command(flatten)]
    pub(crate) broker: BrokerArg,
}

#[derive(Debug, Args)]
pub(crate) struct DescribeArgs {
    #[command(flatten)]
    pub(crate) topic: TopicArg,
    /// Only the configuration
    #[arg(short = 'c', long, alias = "print-configs")]
    pub(crate) configs: bool,
    /// Partitions and configuration
    #[arg(short, long, conflicts_with = "configs", alias = "print-all")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) output: OutputArg,
    #[command(flatten)]
    pub(crate) broker: BrokerArg,
}

#[derive(Debug, Args)]
pub(crate) struct AlterConfigArgs {
    #[command(flatten)]
    pub(crate) topics: TopicsArg,
    /// A key and its new value; may be repeated
    #[arg(short, long, value_name = "KEY=VALUE", alias = "add-config")]
    #[arg(required_unless_present = "delete")]
    pub(crate) set: Vec<String>,
    /// A key that goes back to its default; may be repeated
    #[arg(short, long, value_name = "KEY", value_delimiter = ',')]
    #[arg(alias = "delete-config")]
    pub(crate) delete: Vec<String>,
    /// Check it and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) broker: BrokerArg,
}

#[derive(Debug, Args)]
pub(crate) struct AddPartitionsArgs {
    #[command(flatten)]
    pub(crate) topics: TopicsArg,
    /// How many more
    #[arg(short, long, value_name = "N", required_unless_present = "total")]
    #[arg(value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) num: Option<i32>,
    /// How many there are to be
    #[arg(
        long,
        value_name = "N",
        alias = "partitions",
        conflicts_with = "num",
        value_parser = clap::value_parser!(i32).range(1..)
    )]
    pub(crate) total: Option<i32>,
    #[command(flatten)]
    pub(crate) broker: BrokerArg,
}

#[derive(Debug, Args)]
pub(crate) struct TrimArgs {
    #[command(flatten)]
    pub(crate) topic: TopicArg,
    /// The first offset to keep: N, end, or @MS for the first record of that time
    #[arg(short, long, value_name = "OFFSET")]
    pub(crate) offset: String,
    #[command(flatten)]
    pub(crate) partitions: PartitionsArg,
    #[command(flatten)]
    pub(crate) broker: BrokerArg,
}

#[derive(Debug, Args)]
pub(crate) struct UsageArgs {
    /// Names [default: all]
    #[arg(value_name = "TOPIC")]
    pub(crate) topics: Vec<String>,
    /// By partition
    #[arg(short, long)]
    pub(crate) partitions: bool,
    #[command(flatten)]
    pub(crate) output: OutputArg,
    #[command(flatten)]
    pub(crate) broker: BrokerArg,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    pub(crate) topics: TopicsArg,
    /// A topic that is not there is no error
    #[arg(long)]
    pub(crate) if_exists: bool,
    #[command(flatten)]
    pub(crate) broker: BrokerArg,
}
