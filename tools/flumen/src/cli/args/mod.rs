//! The command line.

mod broker;
mod cluster;
mod files;
mod group;
mod records;
mod start;
mod topic;

use clap::{Parser, Subcommand};

pub(crate) use broker::{
    BrokerArg, Format, GroupArg, GroupsArg, OutputArg, PartitionsArg, TopicArg, TopicsArg, WatchArg,
};
pub(crate) use cluster::ClusterCommand;
pub(crate) use files::{
    BackupArgs, CompletionsArgs, DumpArgs, DumpCommand, ExplainArgs, ManArgs, RepairArgs,
    VerifyArgs, VersionArgs,
};
pub(crate) use group::{
    GroupCommand, GroupDeleteArgs, GroupDeleteOffsetsArgs, GroupDescribeArgs, GroupListArgs,
    GroupSeekArgs,
};
pub(crate) use records::{Acks, CodecArg, ConsumeArgs, ProduceArgs};
pub(crate) use start::{DemoArgs, LogFormat, RuntimeChoice, StartArgs};
pub(crate) use topic::{
    AddPartitionsArgs, AlterConfigArgs, CreateArgs, DeleteArgs, DescribeArgs, TopicCommand,
    TrimArgs, UsageArgs,
};

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
    /// Creates, lists, describes, changes and deletes topics
    #[command(subcommand)]
    Topic(TopicCommand),
    /// Lists, describes, moves and deletes consumer groups
    #[command(subcommand)]
    Group(GroupCommand),
    /// Says who is in the cluster and how it is
    #[command(subcommand)]
    Cluster(ClusterCommand),
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
    /// Prints a script that completes this program's words in a shell
    Completions(CompletionsArgs),
    /// Prints the manual page, or writes all of them
    Man(ManArgs),
    /// Prints the version
    Version(VersionArgs),
}
