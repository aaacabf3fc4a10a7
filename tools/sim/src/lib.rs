//! Whole brokers in a simulated world, with clients, crashes and a checker over what clients saw.
//!
//! A seed decides everything: the topology, what clients send and read, which task runs next, how
//! long each disk operation takes, when the process is killed or the power fails, what the disk has
//! kept then, which faults of disk, network and clock there are (`node/faults.rs`), and whether there
//! are consumer groups (`node/groups`). The code under test is that of production; only the world
//! below it is simulated ([`engine_rt::sim`]).
//!
//! What it is not: a unit test of any part, nor a measurement.
//!
//! First file to read: `checker/mod.rs` for what is promised, then `node/mod.rs` for how a seed
//! is played. To run it: `cargo run --release -p tools-sim -- --seeds 0..2000`, with fewer faults by
//! `--faults passing` or, crashes alone, `none`; a seed that fails is reduced to the faults that
//! matter by `--shrink SEED`.

#![forbid(unsafe_code)]

pub mod checker;
pub mod content;
pub mod coverage;
pub mod keyed;
#[cfg(feature = "mutants")]
pub mod mutants;
pub mod node;
pub mod numbers;
pub mod rng;
pub mod run;
pub mod shrink;
