//! The Kafka server of a node: connections, and one handler for each API that is served.
//!
//! It decodes requests with `net-wire`, reads the metadata of `cluster-meta`, appends to and reads
//! from the shards of `engine-shard`, and answers in Kafka's words. What it is not: it makes no
//! decision about metadata (a [`Propose`] closure does) and touches no disk; authentication is not
//! here yet.
//!
//! First file to read: `connection.rs`, then `handlers/produce.rs` and `handlers/fetch.rs`.
//!
//! # Starting it
//!
//! Every executor that owns a shard has a [`Broker`] of its own and takes connections in through a
//! [`Door`]; one executor (any) runs one [`accept`] for each listener, which gives each connection
//! to the shard with the fewest.
//!
//! ```no_run
//! # use std::{cell::RefCell, net::SocketAddr, rc::Rc};
//! # use cluster_meta::{State, config::StaticConfig};
//! # use engine_shard::Shards;
//! # use net_server::*;
//! # fn on_boot(fixed: &StaticConfig, shards: usize, memory_bytes: usize, addr: SocketAddr) -> std::io::Result<()> {
//! // Once, before the executors start. The config is cloned to each of them.
//! let config = BrokerConfig {
//!     limits: Limits::new(fixed, shards, memory_bytes / shards),
//!     fixed: fixed.clone(),
//!     listeners: vec![AdvertisedListener {
//!         name: "PLAINTEXT".to_owned(),
//!         host: "127.0.0.1".to_owned(),
//!         port: 9092,
//!     }],
//!     log_dir: "/var/lib/flumen".to_owned(),
//!     client_telemetry: false,
//! };
//! let (doors, arrivals): (Vec<Door>, Vec<Arrivals>) = (0..shards).map(|_| door()).unzip();
//! // One for each shard.
//! let peers: Vec<Peer> = peers(shards);
//!
//! // On one executor, for each listener; the index is that in `BrokerConfig::listeners`.
//! let listener = engine_rt::Listener::bind(addr)?;
//! let accepting = engine_rt::spawn(accept(listener, 0, doors, 1000));
//! # accepting.detach(); drop((arrivals, peers)); Ok(())
//! # }
//! # fn on_shard(config: BrokerConfig, shards: Shards, state: Rc<RefCell<State>>, propose: Propose, peer: Peer, arrivals: Arrivals) {
//!
//! // On every shard's executor, once its shard is recovered and its replica of the state applied.
//! let broker = Broker::new(config, shards, state, propose, peer);
//! engine_rt::spawn(serve(Rc::clone(&broker), arrivals)).detach();
//! // `broker.metrics()` gives the counters at any time.
//! # }
//! # async fn on_stop(broker: Rc<Broker>, accepting: engine_rt::Task<()>) {
//!
//! // To stop: cancel the accept tasks, then on every shard, within a time of the caller's choice:
//! accepting.cancel();
//! broker.stop().await;
//! # }
//! ```
//!
//! [`Propose`] takes a [`Change`], a function that is run where metadata is ordered, against the
//! newest [`State`](cluster_meta::State), and gives the records to write. It resolves when they are
//! durable and applied to every shard's replica.

#![forbid(unsafe_code)]

mod acceptor;
mod broker;
mod budget;
mod config;
mod connection;
mod error_map;
mod features;
mod fetch_session;
mod fetch_session_cache;
mod frame_reader;
mod futures;
mod groups;
mod handlers;
mod kept_answers;
mod metrics;
mod peers;
mod producer_ids;
mod propose;
mod quotas;
mod request;
mod responses;
mod scatter;
mod telemetry;
#[cfg(test)]
mod testing;

pub use acceptor::{Arrivals, Door, accept, door};
pub use broker::Broker;
pub use config::{AdvertisedListener, BrokerConfig, Limits};
pub use connection::serve;
pub use frame_reader::{FrameReader, ReadError, Source};
pub use metrics::{BUCKETS, Histogram, MetricsSnapshot, Stage};
pub use peers::{Peer, peers};
pub use propose::{Change, LocalFuture, Propose, ProposeError};
pub use telemetry::ClientMetric;
