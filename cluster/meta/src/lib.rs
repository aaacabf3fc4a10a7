//! The metadata of a node: topics, partitions, configurations, client quotas, credentials,
//! producer-id blocks, ownership.
//!
//! It is a state machine and the bytes of its log: [`command`]s turn what clients ask for into
//! [`Record`]s, or refuse it in Kafka's words; [`State::apply`] turns records into the state, the
//! same on every replica and after every restart; [`log`] is how records stand in a file, in two
//! copies. This is the single-node form of what is replicated later: nothing here knows how a
//! record became durable.
//!
//! It is pure: no files, clock, randomness or threads. `cluster/control` owns the files and gives
//! identifiers and times in.
//!
//! First file to read: `state.rs`; then `record.rs` and `log/mod.rs`.
//!
//! ```
//! use cluster_meta::command::{NewTopic, create_cluster, create_topic};
//! use cluster_meta::config::StaticConfig;
//! use cluster_meta::log::{Tail, encode_frame, reconcile};
//! use cluster_meta::{NodeId, State, TopicId};
//!
//! let fixed = StaticConfig::from_settings([("num.partitions", "3")]).unwrap();
//! let mut state = State::default();
//! state.apply(&create_cluster("MkU3OEVBNTcwNTJENDM2Qk", NodeId(1)));
//! // A log begins with a snapshot, then each change is a frame in both copies.
//! let (mut log, tail) = encode_frame(Tail::START, &state.snapshot());
//! let new = NewTopic {
//!     name: "orders",
//!     topic_id: TopicId::from_bytes([7; 16]),
//!     num_partitions: -1,
//!     replication_factor: -1,
//!     assignments: &[],
//!     configs: &[("retention.ms", Some("60000"))],
//! };
//! let record = create_topic(&state, &fixed, &new).unwrap();
//! let (frame, tail) = encode_frame(tail, std::slice::from_ref(&record));
//! log.extend(frame);
//! state.apply(&record);
//!
//! // After a restart, with one copy lost.
//! let chosen = reconcile(&log, &[]).unwrap().unwrap();
//! let restarted = State::replay(&chosen.records).unwrap();
//! assert_eq!(restarted, state);
//! assert_eq!(chosen.tail, tail);
//! let topic = restarted.topic_by_name("orders").unwrap();
//! assert_eq!(restarted.effective(topic, &fixed).retention_ms, Some(60_000));
//! ```

#![forbid(unsafe_code)]

mod codec;
pub mod command;
pub mod config;
mod error;
mod ids;
pub mod log;
pub mod name;
mod quota;
mod record;
mod rules;
mod scram;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;

pub use codec::DecodeError;
pub use error::MetaError;
pub use ids::{NodeId, ShardIndex, TopicId, TopicNumber};
pub use net_wire::ErrorCode;
pub use quota::{ClientQuota, ClientQuotaKind, QuotaEntity, QuotaEntityType, QuotaValue, Quotas};
pub use record::{
    ConfigResource, OwnerOverride, Partition, PartitionRun, Record, decode_records, encode_records,
};
pub use rules::Contradiction;
pub use scram::{ScramCredential, ScramMechanism};
pub use state::{Cluster, Ownership, State, TOPIC_PARTITIONS_MAX, Tombstone, Topic};
