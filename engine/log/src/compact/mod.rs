//! Compaction (`cleanup.policy=compact`): of the records of a key, the last one stays.
//!
//! A cleaning takes a partition's sealed segments from the oldest on. It reads those that were not
//! cleaned yet and remembers the last offset of each key, as many as its memory holds
//! ([`KeyMap`]); then it writes all of them anew, neighbours together as long as they make one
//! segment, without the records that have a newer one of their key. Offsets keep their values.
//!
//! A new segment has a name of its own ([`SegmentName`](crate::segment::layout::SegmentName)). It is
//! written and flushed as a whole before one journal entry puts it in the place of the old ones: a
//! start finds either these or those. The old files go when that entry is durable and nobody reads
//! them any more; what a crash leaves is told by its name and removed by the next life.
//!
//! What stays besides the last record of each key, as in Kafka: tombstones until their delete
//! horizon (KIP-534), the last batch of each producer and of each segment, without records if need
//! be, and batches of transactions with their markers. A batch that cannot be read is left as it is.
//!
//! `choice.rs` says what is cleaned, `keys.rs` remembers keys, `filter.rs` judges batches,
//! `source.rs` reads old segments, `cleaning.rs` puts it together, `replace.rs` is the exchange.

mod choice;
mod cleaning;
mod filter;
mod keys;
mod replace;
mod siphash;
mod source;
#[cfg(test)]
mod tests;

pub use choice::{Cleanable, Group};
pub use cleaning::{CleanError, Cleaning, Step};
pub use filter::{Filter, Judged, Left};
pub use keys::KeyMap;
