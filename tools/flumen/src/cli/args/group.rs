//! Options of `flumen group`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

use super::{BrokerArg, GroupArg, GroupsArg, OutputArg, WatchArg};

#[derive(Debug, Subcommand)]
pub(crate) enum GroupCommand {
    /// Lists groups
    List(GroupListArgs),
    /// Describes a group: its state, its members, what it has committed and how far behind it is
    Describe(GroupDescribeArgs),
    /// Moves what a group without members has committed
    Seek(GroupSeekArgs),
    /// Deletes groups without members, with all that they have committed
    Delete(GroupDeleteArgs),
    /// Deletes what a group has committed of topics that it does not read
    #[command(alias = "offset-delete")]
    DeleteOffsets(GroupDeleteOffsetsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct GroupListArgs {
    /// Only groups in this state, such as Stable or Empty; may be repeated
    #[arg(short, long = "state", value_name = "STATE", value_delimiter = ',')]
    #[arg(alias = "states")]
    pub(crate) states: Vec<String>,
    #[command(flatten)]
    pub(crate) output: OutputArg,
    #[command(flatten)]
    pub(crate) broker: BrokerArg,
}

#[derive(Debug, Args)]
pub(crate) struct GroupDescribeArgs {
    #[command(flatten)]
    pub(crate) group: GroupArg,
    /// Only how far behind it is
    #[arg(short, long, alias = "print-lag", alias = "offsets")]
    pub(crate) lag: bool,
    /// Only its members
    #[arg(short, long, conflicts_with = "lag", alias = "print-members")]
    pub(crate) members: bool,
    /// Only its state
    #[arg(short, long, conflicts_with_all = ["lag", "members"], alias = "print-summary")]
    pub(crate) state: bool,
    #[command(flatten)]
    pub(crate) watch: WatchArg,
    #[command(flatten)]
    pub(crate) output: OutputArg,
    #[command(flatten)]
    pub(crate) broker: BrokerArg,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("target").required(true).args([
    "to", "to_earliest", "to_latest", "to_datetime", "to_offset", "shift_by", "by_duration",
    "to_group", "to_file",
]))]
#[command(after_help = SEEK_HELP)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option")]
pub(crate) struct GroupSeekArgs {
    #[command(flatten)]
    pub(crate) group: GroupArg,
    /// Topics, with partitions if not all of them: orders:0,2; may be repeated [default: what the
    /// group has committed]
    #[arg(short, long = "topics", value_name = "TOPIC[:N,..]", alias = "topic")]
    pub(crate) topics: Vec<String>,
    /// To start, end, or the first record of a time
    #[arg(long, value_name = "WHERE")]
    pub(crate) to: Option<String>,
    #[arg(long, hide = true)]
    pub(crate) to_earliest: bool,
    #[arg(long, hide = true)]
    pub(crate) to_latest: bool,
    #[arg(long, hide = true, value_name = "TIME")]
    pub(crate) to_datetime: Option<String>,
    /// To this offset
    #[arg(long, value_name = "N")]
    pub(crate) to_offset: Option<i64>,
    /// By so many records, back if it is negative
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) shift_by: Option<i64>,
    /// To the first record that is not older than this
    #[arg(long, value_name = "PnDTnHnMnS")]
    pub(crate) by_duration: Option<String>,
    /// To where another group is
    #[arg(long, value_name = "GROUP")]
    pub(crate) to_group: Option<String>,
    /// To what stands in a file: a line of TOPIC PARTITION OFFSET for each
    #[arg(long, value_name = "FILE", alias = "from-file")]
    pub(crate) to_file: Option<PathBuf>,
    /// Show it and move nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[arg(long, hide = true)]
    pub(crate) reset_offsets: bool,
    #[arg(long, hide = true, conflicts_with = "dry_run")]
    pub(crate) execute: bool,
    #[command(flatten)]
    pub(crate) output: OutputArg,
    #[command(flatten)]
    pub(crate) broker: BrokerArg,
}

impl GroupSeekArgs {
    /// Whether nothing is moved: with the flag of Kafka's tool, unless it is told to, as there.
    pub(crate) const fn is_dry(&self) -> bool {
        self.dry_run || (self.reset_offsets && !self.execute)
    }
}

#[derive(Debug, Args)]
pub(crate) struct GroupDeleteArgs {
    #[command(flatten)]
    pub(crate) groups: GroupsArg,
    #[command(flatten)]
    pub(crate) broker: BrokerArg,
}

#[derive(Debug, Args)]
pub(crate) struct GroupDeleteOffsetsArgs {
    #[command(flatten)]
    pub(crate) group: GroupArg,
    /// A topic, with partitions if not all of them: orders:0,2; may be repeated
    #[arg(
        short,
        long = "topics",
        value_name = "TOPIC[:N,..]",
        alias = "topic",
        required = true
    )]
    pub(crate) topics: Vec<String>,
    #[command(flatten)]
    pub(crate) broker: BrokerArg,
}

const SEEK_HELP: &str = "\
Times, in UTC:
  @MS           milliseconds since 1970
  DIGITS        seconds (10 digits), milliseconds (13) or nanoseconds (19) since 1970, as in rpk
  2026-01-31T23:59:59.999, or the day alone, or without the fraction
An offset that a partition does not have becomes its first or its end.";
