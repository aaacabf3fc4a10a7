//! One partition's log.
//!
//! First file to read: `partition.rs`.

#![forbid(unsafe_code)]

mod bytes;
mod entry;
mod epochs;
mod ids;
mod producer;
mod segment;

pub use epochs::{EpochStart, LeaderEpochs};
pub use ids::TopicPartition;
pub use producer::{ProducerError, ProducerStamp, ProducerStates, SequenceCheck};
