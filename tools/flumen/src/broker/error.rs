//! Why a node does not start.

use std::io;
use std::net::SocketAddr;

use cluster_control::{HomeError, MetadataError};
use engine_shard::OpenError;
use thiserror::Error;

/// Why a node does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The data directory or its metadata.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// A listener's address cannot be had.
    #[error("listener {name}: cannot listen on {addr}: {source}")]
    Listen {
        /// The listener.
        name: String,
        /// Its address.
        addr: SocketAddr,
        /// The system's answer.
        source: io::Error,
    },
    /// A shard cannot recover.
    #[error("shard {shard}: {source}")]
    Shard {
        /// The shard.
        shard: usize,
        /// Why not.
        source: OpenError,
    },
    /// A shard's executor ended before it had started.
    #[error("shard {shard}: ended during its start")]
    ShardEnded {
        /// The shard.
        shard: usize,
    },
    /// The partitions cannot be moved to another number of shards.
    #[error("moving partitions from {from} to {to} shards: {source}")]
    Reshard {
        /// Shards before.
        from: u32,
        /// Shards wanted.
        to: u32,
        /// Why not.
        source: OpenError,
    },
    /// An executor cannot be had.
    #[error("shard {shard}: cannot start its executor: {source}")]
    Executor {
        /// The shard.
        shard: usize,
        /// The system's answer.
        source: io::Error,
    },
    /// The memory budget is below the smallest one.
    #[error("{memory_bytes} bytes of memory are too few for a node")]
    Memory {
        /// The budget.
        memory_bytes: u64,
    },
    /// The operating system refused something else.
    #[error("{what}: {source}")]
    Io {
        /// What was tried, with the file or directory.
        what: String,
        /// The system's answer.
        source: io::Error,
    },
}

impl From<HomeError> for StartError {
    fn from(error: HomeError) -> Self {
        Self::Metadata(error.into())
    }
}

/// Names what was tried when the system refused.
pub(super) fn refused(what: impl Into<String>) -> impl FnOnce(io::Error) -> StartError {
    let what = what.into();
    move |source| StartError::Io { what, source }
}
