//! Looking into a data directory: what stands in a segment, a journal, a metadata log, and whether
//! a whole directory is sound.
//!
//! Everything is told as [`Item`]s: one thing that was found, where it stands, and what is wrong
//! with it. [`segment::dump`], [`journal::dump`] and [`meta::dump`] tell everything they see;
//! [`verify`] reads what a start would read and more, and tells what is damaged.
//!
//! What it is not: it repairs nothing and writes nothing. It reads through the runtime seam, so the
//! same code looks at real directories and at those of the simulation.
//!
//! First file to read: `item.rs`, then `segment/scan.rs`.

#![forbid(unsafe_code)]

mod damage;
mod file;
mod item;
pub mod journal;
pub mod meta;
pub mod segment;
mod verify;

pub use damage::{Damage, Found, damage, tell};
pub use file::DumpError;
pub use item::{Item, Sink};
pub use verify::{Verdict, verify};
