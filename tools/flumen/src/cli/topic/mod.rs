//! `flumen topic`.

mod change;
mod look;

use super::args::TopicCommand;
use super::client::{connect, on_ring};
use crate::errors::Failure;

/// Does what the command says.
pub(crate) fn run(command: TopicCommand) -> Result<(), Failure> {
    on_ring(move || async move {
        match command {
            TopicCommand::Create(args) => change::create(&args).await,
            TopicCommand::List {
                internal,
                output,
                broker,
            } => look::list(&connect(&broker).await?, internal, output.format).await,
            TopicCommand::Describe(args) => look::describe(&args).await,
            TopicCommand::AlterConfig(args) => change::alter_config(&args).await,
            TopicCommand::AddPartitions(args) => change::add_partitions(&args).await,
            TopicCommand::Trim(args) => change::trim(&args).await,
            TopicCommand::Usage(args) => look::usage(&args).await,
            TopicCommand::Delete(args) => change::delete(&args).await,
        }
    })
}
