//! Hot functions alone: what one call costs a core.
//!
//! The benches stand in `benches/`, a file for each layer: `cargo bench -p bench-micro`, with a part
//! of a name behind it for some of them. Criterion counts elapsed time; cases that wait for a disk
//! give the CPU time of the executor's thread beside it. Here is what they share with the
//! measurement of the broker: batches, and the arithmetic of CPU time, which a busy neighbour
//! disturbs only through the caches.
//!
//! What it is not: a measurement of the broker.
//!
//! First file to read: `batches.rs`, then `benches/shard.rs`.

#![forbid(unsafe_code)]

pub mod batches;
pub mod cases;
pub mod measure;
pub mod worker;
