//! Whole brokers in a simulated world, with clients, crashes and a checker over what clients saw.
//!
//! A seed decides everything: the topology, what clients send and read, which task runs next, how
//! long each disk operation takes, when the process is killed or the power fails, and what the disk
//! has kept then. The code under test is that of production; only the world below it is simulated
//! ([`engine_rt::sim`]).
//!
//! What it is not: a unit test of any part, nor a measurement.
//!
//! First file to read: `checker/mod.rs` for what is promised, then `node/mod.rs` for how a seed
//! is played. To run it: `cargo run --release -p tools-sim -- --seeds 0..500`.

#![forbid(unsafe_code)]

pub mod checker;
pub mod content;
pub mod coverage;
#[cfg(feature = "mutants")]
pub mod mutants;
pub mod node;
pub mod rng;
pub mod run;
