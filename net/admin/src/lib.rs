//! What an operator and his tools ask a running broker: is it alive, is it ready, what does it count,
//! what is in it.
//!
//! HTTP on a thread of its own, with its own small executor: `/livez`, `/readyz`, `/metrics`, and
//! at `/` the console with its JSON below `/api/v1/`. A scrape asks the shards for their counters
//! and waits with a deadline; nothing here ever blocks a shard, and a shard that does not answer
//! cannot block this.
//!
//! What it is not: it knows no broker. Whoever starts it hands in [`Sources`]: a pulse per shard,
//! whether produce is accepted, and a function that gathers a [`Snapshot`]; for the console, a Kafka
//! client as a function ([`console::AskFn`]).
//!
//! First file to read: `snapshot.rs`, then `server.rs`, then `console/mod.rs`.

#![forbid(unsafe_code)]

mod bounded;
pub mod console;
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
