//! The metadata of a node: topics, partitions, configurations, producer-id blocks, ownership.
//!
//! It is a state machine and the bytes of its log: [`command`]s turn what clients ask for into
//! [`Record`]s, or refuse it in Kafka's words; [`State::apply`] turns records into the state, the
//! same on every replica and after every restart; [`log`] is how records stand in a file, in two
//! copies. This is the single-node form of what is replicated later: nothing here knows how a
//! record became durable.
//!
//! It is pure: no files, clock, randomness or threads. `cluster/control` owns the files and gives
//! identifiers and times in.
//!
//! First file to read: `state.rs`; then `record.rs` and `log/mod.rs`.

#![forbid(unsafe_code)]

mod codec;
pub mod command;
pub mod config;
mod error;
mod ids;
pub mod log;
pub mod name;
mod record;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;

pub use codec::DecodeError;
pub use error::MetaError;
pub use ids::{NodeId, ShardIndex, TopicId, TopicNumber};
pub use net_wire::ErrorCode;
pub use record::{
    ConfigResource, OwnerOverride, Partition, PartitionRun, Record, decode_records, encode_records,
};
pub use state::{Cluster, Ownership, State, TOPIC_PARTITIONS_MAX, Tombstone, Topic};
