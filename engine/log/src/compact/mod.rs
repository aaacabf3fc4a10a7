//! Compaction (`cleanup.policy=compact`), what of it is decided without I/O: of the records of a
//! key, the last one stays. Nothing drives it yet.
//!
//! A cleaning reads what was not cleaned before and remembers the last offset of each key, as many as
//! its memory holds ([`KeyMap`]); then it goes through the log from its begin and drops the records
//! that have a newer one of their key ([`Filter`]). Offsets keep their values.
//!
//! What stays besides the last record of each key, as in Kafka: tombstones until their delete
//! horizon (KIP-534), the last batch of each producer and of each segment, without records if need
//! be, and batches of transactions with their markers. A batch that cannot be read is left as it is.
//!
//! `keys.rs` remembers keys, `filter.rs` judges batches.

mod filter;
mod keys;
mod siphash;
#[cfg(test)]
mod tests;

pub use filter::{Filter, Judged, Left};
pub use keys::KeyMap;
