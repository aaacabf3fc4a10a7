//! What a scrape shows, gathered at one moment: plain numbers, bounded by the number of shards.

use std::time::Duration;

use engine_shard::ShardStats;

use crate::histogram::LatencyHistogram;

/// A stage in the life of a request (the architecture's section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From the whole frame being received to its batches being in order on their shard.
    Queue,
    /// From being in order to the group being given to the disk.
    Journal,
    /// From the group being given to the disk to its being flushed.
    Flush,
    /// From the answer being ready to its last byte being taken by the socket.
    Send,
}

impl Stage {
    /// Every stage, in the order of a request's life.
    pub const ALL: [Self; 4] = [Self::Queue, Self::Journal, Self::Flush, Self::Send];

    /// Its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Journal => "journal",
            Self::Flush => "flush",
            Self::Send => "send",
        }
    }
}

/// What one shard's connections counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConnectionCounters {
    /// Connections open now.
    pub open: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Requests decoded.
    pub requests: u64,
    /// Connections closed for what they sent.
    pub refused: u64,
    /// Bytes of frames received.
    pub received_bytes: u64,
    /// Bytes of answers sent.
    pub sent_bytes: u64,
}

/// What one shard's executor counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReactorCounters {
    /// Rounds of its loop.
    pub turns: u64,
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
    pub stages: [LatencyHistogram; 4],
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
