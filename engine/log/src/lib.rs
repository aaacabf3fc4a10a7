//! One partition's log: offsets, producers, epochs, segments, memory tail, and what recovery makes
//! of a journal's entries.
//!
//! Decisions are made at once in [`PartitionLog`]; bytes are carried by [`read`], [`write()`] and
//! [`load`], which wait on the runtime seam.
//!
//! What it is not: it does not flush (the shard's journal does), wait for clients, or know topics
//! by name.
//!
//! First file to read: `partition.rs`, then `stage.rs` and `read.rs`; `recovery.rs` for what a start
//! does.

#![forbid(unsafe_code)]

#[cfg(test)]
mod arbitrary;
mod bytes;
mod chunks;
pub mod compact;
pub mod entry;
mod epochs;
mod files;
mod header;
mod ids;
mod load;
mod pace;
mod partition;
mod producer;
mod read;
mod recovery;
#[cfg(test)]
mod replay_tests;
mod resident;
mod retention;
mod rewrite;
mod salvage;
mod scrub;
pub mod segment;
mod stage;
#[cfg(test)]
mod start_tests;
mod state;
mod tail;
mod timestamp;
mod write;

pub use epochs::{EpochStart, LeaderEpochs};
pub use files::SegmentFiles;
pub use header::{StoredHeader, stamp};
pub use ids::TopicPartition;
pub use load::load;
pub use pace::Flushes;
pub use partition::{Assigned, Candidate, LogConfig, PartitionLog};
pub use producer::{ActiveProducer, ProducerError, ProducerStamp, ProducerStates, SequenceCheck};
pub use read::{ReadAt, ReadError, Stored, read, read_memory};
pub use recovery::{FoldError, RecoveredPartition, Recovering, RecoveryError, shared};
pub use resident::{ReadPath, ResidentRange};
pub use rewrite::rewrite;
pub use salvage::{Loss, Survey, survey};
pub use scrub::{Damage, Scrubbed, SegmentScrub};
pub use stage::SegmentWrite;
pub use tail::StoredBatch;
pub use timestamp::{TimestampOffset, find_timestamp, max_timestamp};
pub use write::write;
