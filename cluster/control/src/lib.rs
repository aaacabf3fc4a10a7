//! The I/O of a node's own affairs: who the data directory belongs to, and the metadata log.
//!
//! [`Home`] is the data directory: locked, recognised by its superblock, with a mark of an orderly
//! stop. [`Metadata`] is the state machine of `cluster/meta` with its log in two copies: what it
//! commits is on the disk in both. [`Control`] is the one task that puts changes in order, makes
//! them durable and tells the shards, before anybody is answered.
//!
//! What it is not: it decides nothing about topics (that is `cluster/meta`) and does not know what
//! shards do with a record. Followers, gossip and leases get their I/O here when there are any.
//!
//! First file to read: `control.rs`.

#![forbid(unsafe_code)]

mod block;
mod control;
mod home;
mod log;
mod metadata;
mod stop_mark;
mod superblock;

pub use control::{ApplyMail, Change, Control, ControlError, ControlHandle, ControlMail};
pub use home::{Home, HomeError, HomeOptions, Opened};
pub use log::{LogOpenError, Repaired};
pub use metadata::{Metadata, MetadataError, MetadataOptions};
pub use superblock::{FORMAT_VERSION, Superblock};
