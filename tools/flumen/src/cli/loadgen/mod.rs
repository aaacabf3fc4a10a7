//! `flumen loadgen`: planned load for any cluster, and what came of it.
//!
//! First file to read: `run.rs`.

mod args;
mod look;
mod progress;
mod run;
mod search;

use crate::cli::client::on_ring;
use crate::errors::{Exit, Failure};
pub(crate) use args::LoadgenArgs;
use args::LoadgenCommand;
use tools_loadgen::drive::RunError;
use tools_loadgen::report::RunResult;

/// Does what the command says.
pub(crate) fn run(args: LoadgenArgs) -> Result<(), Failure> {
    let Some(command) = args.command else {
        return on_ring(move || search::two_numbers(args.broker));
    };
    match command {
        LoadgenCommand::Run(args) => on_ring(move || run::once(args)),
        LoadgenCommand::Search(args) => on_ring(move || search::search(args)),
        LoadgenCommand::Plan(args) => look::plan(&args),
        LoadgenCommand::Compare(args) => look::compare(&args),
        LoadgenCommand::Report(args) => look::report(&args),
        LoadgenCommand::Import(args) => look::import(&args),
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Unreachable { addr, why } => {
                Self::new("FL3001", format!("no broker answers at {addr}"))
                    .because(why)
                    .exit(Exit::NotReady)
            },
            RunError::Topic { topic, source } => {
                Self::new("FL5001", format!("the run has no topic {topic}")).because(source)
            },
            RunError::Client { what, source } => {
                Self::new("FL5001", format!("the run needs {what}")).because(source)
            },
            RunError::Executor(why) => {
                Self::new("FL1017", "an executor of the generator").because(why)
            },
        }
    }
}

/// How a run ends the process: what makes it worthless first.
fn verdict(result: &RunResult) -> Result<(), Failure> {
    if let Some(doubt) = result.doubts.first() {
        return Err(Failure::new("FL5002", "the run says nothing about the broker").because(doubt));
    }
    if !result.is_clean() {
        let message = "records are not where they should be";
        return Err(Failure::new("FL5003", message));
    }
    if let Some(why) = &result.aborted {
        return Err(Failure::new("FL5004", "the run ended early").because(why));
    }
    if !result.keeps_promises() || result.counts.failed > 0 || result.counts.undelivered > 0 {
        let failure = Failure::new("FL5005", "what was promised was not kept");
        return Err(failure.exit(Exit::Promise));
    }
    Ok(())
}
