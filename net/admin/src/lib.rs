//! What an operator's tools ask a running broker: is it alive, is it ready, what does it count.
//!
//! HTTP on a thread of its own, with its own small executor: `/livez`, `/readyz`, `/metrics`. A
//! scrape asks the shards for their counters and waits with a deadline; nothing here ever blocks a
//! shard, and a shard that does not answer cannot block this.
//!
//! What it is not: it knows no broker. Whoever starts it hands in [`Sources`]: a pulse per shard,
//! whether produce is accepted, and a function that gathers a [`Snapshot`].
//!
//! First file to read: `snapshot.rs`, then `server.rs`.

#![forbid(unsafe_code)]

mod bounded;
mod health;
mod histogram;
mod metrics;
mod server;
mod snapshot;
mod table;

pub use health::{Pulses, Readiness, ReadyState};
pub use histogram::{BUCKETS, LatencyHistogram, bucket_bound_us};
pub use metrics::render;
pub use server::{AdminServer, SnapshotFn, SnapshotFuture, Sources, start};
pub use snapshot::{
    ConnectionCounters, NodeCounters, ReactorCounters, ShardCounters, Snapshot, Stage, TurnAudit,
};
