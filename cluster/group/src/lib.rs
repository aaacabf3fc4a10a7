//! The group coordinator: who is in a consumer group, who gets what, and what was committed.
//!
//! A [`Coordinator`] has the groups of one partition of `__consumer_offsets`. It takes requests and
//! the time, and pushes effects: records to append, and answers, each of which leaves once every
//! append before it is durable. So nobody ever sees a state that a crash could take back, and a
//! coordinator whose append fails is thrown away and read from the log again.
//!
//! It is pure: no log, no sockets, no clock, no randomness. `net/server` owns all of them. What
//! members tell each other (subscriptions, assignments) is opaque here, as it is in Kafka, except
//! for the topics of consumers, which protect committed offsets from expiry.
//!
//! A group speaks one of two protocols: the classic one, or that of KIP-848, in which the
//! coordinator assigns ([`consumer`]); `protocols.rs` is where they meet.
//!
//! First file to read: `coordinator.rs`; then `classic/mod.rs`, `consumer/mod.rs` and
//! `record/mod.rs`.
//!
//! ```
//! use cluster_group::{Answer, Config, Coordinator, Effect, Now, Outbox, Request, Token};
//! use cluster_group::{JoinGroup, Protocol, consumer::NoTopics};
//!
//! let mut coordinator = Coordinator::new(Config::default());
//! let mut out = Outbox::default();
//! let join = JoinGroup {
//!     group_id: "billing".to_owned(),
//!     session_timeout_ms: 45_000,
//!     rebalance_timeout_ms: 60_000,
//!     protocol_type: "consumer".to_owned(),
//!     protocols: vec![Protocol { name: "range".to_owned(), metadata: vec![] }],
//!     ..JoinGroup::default()
//! };
//! let request = Request::JoinGroup(join);
//! coordinator.on_request(Now::default(), Token(1), request, &NoTopics, &mut out);
//! // Nothing to say yet: others may want to join, too.
//! assert!(out.take().is_empty());
//! let later = Now { monotonic_ms: coordinator.next_deadline().unwrap(), wall_ms: 0 };
//! coordinator.on_deadline(later, &mut out);
//! let Some(Effect::Answer(Token(1), Answer::JoinGroup(joined))) = out.take().pop() else {
//!     panic!("the only member is answered")
//! };
//! assert_eq!((joined.generation_id, joined.leader), (1, joined.member_id));
//! ```

#![forbid(unsafe_code)]

mod answer;
mod classic;
mod committing;
mod config;
pub mod consumer;
mod coordinator;
mod effect;
mod expiry;
mod group;
mod offsets;
mod partition;
mod protocols;
pub mod record;
mod request;
mod state;
#[cfg(test)]
mod tests;

pub use answer::{
    Answer, DescribedGroup, DescribedMember, FetchedOffset, FetchedOffsets, JoinedGroup,
    JoinedMember, LeftMember, ListedGroup, PartitionResult, SyncedGroup,
};
pub use config::{Config, Migration};
pub use coordinator::Coordinator;
pub use effect::{Effect, Now, Outbox, Token};
pub use net_wire::{ErrorCode, Uuid};
pub use offsets::CommittedOffset;
pub use partition::partition_of;
pub use request::{
    ConsumerGroupHeartbeat, Heartbeat, JoinGroup, LeaveGroup, LeavingMember, ListGroups,
    OffsetCommit, OffsetDelete, OffsetFetch, PartitionCommit, Protocol, Request, SyncGroup,
    TopicCommit, TopicPartitions,
};
pub use state::GroupState;
