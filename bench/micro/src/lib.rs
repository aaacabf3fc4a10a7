//! Hot functions alone: what one call costs a core, in CPU time.
//!
//! The numbers come from the scheduler's account of the thread, not from a clock, so that a busy
//! neighbour disturbs them only through the caches. Each case runs several times by turns with the
//! others; what is shown is the median with its range.
//!
//! What it is not: a measurement of the broker. `bench/first` does that, with the same batches and
//! the same arithmetic from here.
//!
//! First file to read: `cases.rs`.

#![forbid(unsafe_code)]

pub mod batches;
pub mod cases;
pub mod journal;
pub mod measure;
