//! What a core owns: partitions, journal, memory, and the waits of its clients.
//!
//! What it is not: it speaks no protocol and knows no topic names.
//!
//! First file to read: `api.rs` for what connections ask, `append.rs` for the life of a produce,
//! `fetch.rs` for that of a fetch, `open.rs` for a start.

#![forbid(unsafe_code)]

mod api;
mod append;
mod checkpoint;
mod compaction;
mod extents;
mod fetch;
mod flush;
mod housekeeping;
mod inspect;
mod open;
mod options;
mod outbox;
mod relief;
mod reopen;
mod repair;
mod reshard;
mod scrub;
mod scrub_place;
mod shard;
mod slot;
mod space;
mod turn;

pub use api::{
    Appended, FetchPart, Fetched, Mail, OffsetQuery, PartitionPosition, ProduceBatch,
    ProduceTicket, ShardError, Shards, TimestampOffset,
};
pub use engine_log::{
    ActiveProducer, LogConfig, ProducerError, ProducerStamp, ReadPath, ResidentRange,
    TopicPartition,
};
pub use inspect::{CheckpointCopy, Inspection, ShardPlace, checkpoint_copies, inspect};
pub use options::{CompactionOptions, OpenError, PartitionSpec, ShardOptions, ShardStats};
pub use repair::{Damaged, damaged, repair};
pub use reshard::{remove_other_generations, reshard};
pub use shard::Shard;
