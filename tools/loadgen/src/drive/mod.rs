//! A run: producers on cores of their own, consumers on another, one control above them.
//!
//! `run.rs` is the order of a run. `generator.rs` takes records up at their planned times, whatever
//! the broker does; `accumulator.rs` decides what a client would send when; `sender.rs` sends it, one
//! task for each connection, and `retries.rs` knows what is sent again; `consumer.rs` reads it back. It runs on the engine's executors, in
//! production and in virtual time.

mod accumulator;
mod books;
mod cluster;
mod consumer;
mod generator;
mod link;
mod live;
mod partitioner;
mod press;
mod retries;
mod run;
mod sender;

use thiserror::Error;

use net_client::ClientError;

pub use books::Counts;
pub use live::{Live, Sample};
pub use run::{Done, Options, run};

/// Why a run could not be made, or was not finished.
#[derive(Clone, Debug, Error)]
pub enum RunError {
    /// No broker answers.
    #[error("no broker answers at {addr}: {why}")]
    Unreachable {
        /// Where.
        addr: String,
        /// The last that was tried.
        why: String,
    },
    /// The topics cannot be made.
    #[error("topic {topic}: {source}")]
    Topic {
        /// Which.
        topic: String,
        /// What the broker says.
        source: ClientError,
    },
    /// The broker refused something else, or the connection broke.
    #[error("{what}: {source}")]
    Client {
        /// What was tried.
        what: &'static str,
        /// What came of it.
        source: ClientError,
    },
    /// An executor could not be started.
    #[error("an executor of the generator: {0}")]
    Executor(String),
}

impl RunError {
    /// Something that was tried, failed.
    pub(crate) fn of(what: &'static str) -> impl FnOnce(ClientError) -> Self {
        move |source| Self::Client { what, source }
    }
}
