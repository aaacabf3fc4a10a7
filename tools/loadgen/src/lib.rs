//! A load generator that speaks plain Kafka protocol and does not close the loop: records are
//! planned, and a record's clock runs from its planned time, whatever the broker does. Each record
//! carries its number and a checksum, so that what was lost, duplicated, reordered or damaged is
//! counted. A run in which the generator itself was late says that it is worth nothing.
//!
//! What it is not: a client library, nor a benchmark of one broker. There are no consumer groups, no transactions, no TLS and no SASL yet.
//!
//! First file to read: `drive/mod.rs`, then `arrival/mod.rs` and `delays.rs`.

#![forbid(unsafe_code)]

pub mod arrival;
pub mod compare;
pub mod content;
pub mod delays;
pub mod drive;
pub mod honesty;
pub mod ledger;
pub mod metrics;
pub mod omb;
pub mod plan;
pub mod report;
pub mod rng;
pub mod scenario;
pub mod search;
pub mod units;
