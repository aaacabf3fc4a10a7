//! What a hostile world sends and leaves behind, and what must hold all the same.
//!
//! [`target`] has one function for each kind of bytes that come from outside: `tools/fuzz` feeds
//! them with libFuzzer, and `tests/corpus.rs` with every input that was ever worth keeping. Bytes
//! have no say in how a target ends: it returns, and what it asserts holds. [`sequence`] plays
//! hostile clients against a whole broker.
//!
//! What it is not: it breaks nothing on purpose in the broker (`tools/sim` does, with its mutants)
//! and plays no honest workload beyond what a check needs.
//!
//! First file to read: `target/mod.rs`.

#![forbid(unsafe_code)]

pub mod honest;
mod input;
pub mod seeds;
pub mod sequence;
pub mod target;

pub use input::Input;
