//! The shard's journal: the one place where an acknowledgement becomes true.
//!
//! Entries that arrive while the previous flush is in flight leave together as one frame: one
//! direct write, one flush, then every waiting acknowledgement. Files are zeroed ahead and
//! recycled, so that a flush is an overwrite of written extents and costs no journal commit of the
//! file system. Every frame certifies itself and names the one before, so that recovery can tell a
//! torn tail, which it cuts, from corruption, which it reports.
//!
//! What it is not: it does not know what entries mean (`engine-log` does), nor when a file may be
//! used again (the shard's checkpoint does).
//!
//! First file to read: `frame/mod.rs` for the bytes, then `journal.rs` for a group's life, then
//! `recovery.rs`.

#![forbid(unsafe_code)]

mod files;
mod frame;
mod gather;
mod group;
mod inspect;
mod journal;
mod pipeline;
mod recovery;
#[cfg(test)]
mod recovery_tests;

pub use files::{JournalFiles, JournalOptions};
pub use frame::{
    DiskId, EntryKind, FRAME_BYTES_MAX, Frame, FrameEntry, FrameError, FrameHeader, HEADER_BYTES,
};
pub use inspect::{Inspected, inspect};
pub use journal::{ExtentGuard, Journal, JournalObserver, JournalStats, Placed};
pub use recovery::{JournalError, Position, Recovered, recover};
