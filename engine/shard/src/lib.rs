//! What a core owns: partitions, journal, memory, and the waits of its clients.
//!
//! What it is not: it speaks no protocol and knows no topic names.
//!
//! First file to read: `api.rs`, then `shard.rs`.

#![forbid(unsafe_code)]

mod api;
mod shard;

pub use api::{
    Appended, FetchPart, Fetched, Mail, OffsetQuery, PartitionPosition, ProduceBatch,
    ProduceTicket, ShardError, Shards, TimestampOffset, pieces,
};
pub use shard::{
    OpenError, PartitionSpec, Shard, ShardOptions, ShardStats, remove_other_generations, reshard,
};
