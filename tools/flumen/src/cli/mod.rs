//! The command line: what it says, and how its words become the library's.
//!
//! First file to read: `args/mod.rs`, then `start.rs`.

mod args;
mod backup;
mod banner;
mod client;
mod cluster;
mod config;
mod consume;
mod demo;
mod format;
mod group;
mod listeners;
mod loadgen;
mod log;
mod look;
mod machine;
mod output;
mod produce;
mod repair;
mod runtime;
mod shell;
mod size;
mod stalls;
mod start;
mod suggest;
mod table;
mod time;
mod topic;
mod version;
mod watch;

use clap::Parser;

use crate::errors::Failure;
use args::{Cli, Command};

/// Does what the command line says.
pub(crate) fn run() -> Result<(), Failure> {
    // A wrong command line ends the process here: with 2, and with 0 after a help text.
    match Cli::parse().command {
        Command::Demo(args) => demo::run(args),
        Command::Start(args) => start::run(*args),
        Command::Topic(command) => topic::run(command),
        Command::Group(command) => group::run(command),
        Command::Produce(args) => produce::run(args),
        Command::Consume(args) => consume::run(args),
        Command::Dump(command) => look::dump(command),
        Command::Verify(args) => look::verify(args),
        Command::Repair(args) => repair::run(args),
        Command::Backup(args) => backup::run(args),
        Command::Loadgen(args) => loadgen::run(args),
        Command::Cluster(command) => cluster::run(command),
        Command::Completions(args) => shell::completions(&args),
        Command::Man(args) => shell::man(&args),
        Command::Explain(args) => look::explain(&args),
        Command::Version(args) => version::run(&args),
    }
}
