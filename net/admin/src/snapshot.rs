//! What a scrape shows, gathered at one moment: plain numbers, bounded by the number of shards.

use std::time::Duration;

use engine_shard::ShardStats;
use net_wire::{ApiKey, ErrorCode};

use crate::histogram::LatencyHistogram;

/// A stage in the life of a request (the architecture's section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From the last byte received to the handler's start.
    Queue,
    /// From a produce's append to its records on disk: the wait for the group, and the flush.
    Journal,
    /// From a group being given to the disk to its being flushed.
    Flush,
    /// From the answer being ready to its last byte being taken by the socket.
    Send,
    /// From the last byte received to the last byte sent.
    Total,
}

impl Stage {
    /// Every stage, in the order of a request's life.
    pub const ALL: [Self; 5] = [
        Self::Queue,
        Self::Journal,
        Self::Flush,
        Self::Send,
        Self::Total,
    ];

    /// Its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Journal => "journal",
            Self::Flush => "flush",
            Self::Send => "send",
            Self::Total => "total",
        }
    }
}

/// What one shard's connections counted.
#[derive(Clone, Debug, Default)]
pub struct ConnectionCounters {
    /// Connections open now.
    pub open: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections closed for what they sent.
    pub refused: u64,
    /// Connections closed because they were idle, slow or half-open.
    pub expired: u64,
    /// Connections that are not read from now, because of a quota.
    pub throttled: u64,
    /// Requests after which a quota throttled the client.
    pub requests_throttled: u64,
    /// For how long it did, all in all.
    pub throttle_time: Duration,
    /// Bytes of requests received.
    pub received_bytes: u64,
    /// Bytes of answers sent.
    pub sent_bytes: u64,
    /// Those of them that were sent from files.
    pub sent_file_bytes: u64,
    /// Bytes of requests in flight now.
    pub request_queued_bytes: u64,
    /// Bytes of answers in flight now.
    pub response_queued_bytes: u64,
    /// Fetch sessions open now.
    pub fetch_sessions: u64,
    /// Fetch sessions evicted for newer ones.
    pub fetch_sessions_evicted: u64,
    /// What clients told of their own metrics: the name, the sum of the numbers and how many they
    /// were. The names are bounded where they are kept.
    pub client_metrics: Vec<(String, f64, u64)>,
    /// Times that clients pushed their metrics.
    pub telemetry_pushes: u64,
    /// Numbers of theirs that were not kept.
    pub telemetry_dropped: u64,
    /// Requests by API; at most one for each API that is served.
    pub requests: Vec<(ApiKey, u64)>,
    /// Errors answered by code; at most one for each code of the protocol.
    pub errors: Vec<(ErrorCode, u64)>,
}

/// What one shard's executor counted.
#[derive(Clone, Debug, Default)]
pub struct ReactorCounters {
    /// Rounds of its loop, by classes of their length: the upper bound, and how many there were.
    /// The last class has none.
    pub turns: Vec<(Option<Duration>, u64)>,
    /// Time in them.
    pub turn_time: Duration,
    /// Polls of tasks.
    pub polls: u64,
    /// Completions that the kernel reported.
    pub completions: u64,
    /// Times that another executor had to be woken by the kernel.
    pub doorbells: u64,
    /// Time spent in tasks.
    pub busy: Duration,
    /// The longest round since the start.
    pub turn_max: Duration,
    /// The longest round of the last minute or half of it.
    pub turn_max_recent: Duration,
    /// Rounds that took too long.
    pub stalls: u64,
    /// What rounds used, where they are audited.
    pub audit: Option<TurnAudit>,
}

/// What the rounds of an executor used.
#[derive(Clone, Copy, Debug, Default)]
pub struct TurnAudit {
    /// The most of the CPU that one had.
    pub cpu_max: Duration,
    /// Times that one waited.
    pub voluntary_switches: u64,
    /// Pages that one waited for to be read.
    pub major_faults: u64,
}

/// Everything that one shard counted.
#[derive(Clone, Debug, Default)]
pub struct ShardCounters {
    /// The engine's counters.
    pub engine: ShardStats,
    /// Its connections.
    pub connections: ConnectionCounters,
    /// Its executor.
    pub reactor: ReactorCounters,
    /// Latency by stage, in the order of [`Stage::ALL`].
    pub stages: [LatencyHistogram; Stage::ALL.len()],
}

/// What is counted once for the node.
#[derive(Clone, Copy, Debug, Default)]
pub struct NodeCounters {
    /// Topics.
    pub topics: u64,
    /// Partitions of all topics.
    pub partitions: u64,
    /// Topics whose acknowledgements do not wait for a flush.
    pub weak_topics: u64,
    /// Starts after the node had not stopped.
    pub unclean_starts: u64,
    /// Bytes of buffers in use.
    pub memory_used_bytes: u64,
    /// The memory budget.
    pub memory_budget_bytes: u64,
    /// Size of the data directory's file system.
    pub disk_total_bytes: u64,
    /// What is free of it.
    pub disk_available_bytes: u64,
}

/// All counters of a node.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The program's version.
    pub version: String,
    /// The node's own.
    pub node: NodeCounters,
    /// Its shards, by index.
    pub shards: Vec<ShardCounters>,
}
