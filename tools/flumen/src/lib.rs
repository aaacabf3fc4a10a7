//! What the one binary is made of, for the binary itself and for the simulation.
//!
//! [`broker`] starts and stops a node in whatever world its executor belongs to; [`client`] is a
//! small Kafka client over the same seam; [`console`] asks by it what the web console shows; [`demo`]
//! shows broker and client to a newcomer.
//!
//! What it is not: the command line, its texts and exit codes stand beside `main.rs` and are no
//! part of this library.
//!
//! First file to read: `broker/start.rs`, the order of a start.

#![forbid(unsafe_code)]

pub mod broker;
pub mod console;
pub mod demo;

/// The small Kafka client, which has a crate of its own.
pub use net_client as client;
