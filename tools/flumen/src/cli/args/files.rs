//! Options of what looks into a data directory, and of what looks things up.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clap_complete::Shell;

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
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write a page for each command into this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct VersionArgs {
    /// With formats, limits and what the kernel offers
    #[arg(short, long)]
    pub(crate) verbose: bool,
}
