//! What a broker does, shown to somebody who has just built one: a million records written and read
//! back through the real protocol over a real socket, every one compared, then a table of figures,
//! and a broker to play with.
//!
//! It is not a benchmark: client and broker share the machine, and one connection writes. The
//! client runs on an executor of its own, so that its work is not counted as the broker's.
//!
//! First file to read: `run.rs`.

mod content;
mod cpu;
mod figures;
mod produce;
mod progress;
mod run;
mod verify;

pub use run::{DATA_DIR_DEFAULT, DemoError, DemoOptions, run};
