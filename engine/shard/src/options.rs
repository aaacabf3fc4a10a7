//! What a shard is given at its start, what it counts, and why it may refuse to start.

use std::path::PathBuf;

use engine_log::{FoldError, LogConfig, ReadPath, RecoveryError, TopicPartition};
use engine_wal::{JournalError, JournalStats};
use thiserror::Error;

/// A partition that a shard shall have, as the metadata says.
#[derive(Clone, Copy, Debug)]
pub struct PartitionSpec {
    /// The partition.
    pub id: TopicPartition,
    /// Leader epoch in force.
    pub leader_epoch: i32,
    /// What of the topic's configuration the log acts on.
    pub config: LogConfig,
}

/// How a shard is laid out.
#[derive(Clone, Debug)]
pub struct ShardOptions {
    /// Number of the shard on its node.
    pub index: usize,
    /// The data directory; it exists.
    pub data_dir: PathBuf,
    /// The data directory's identity.
    pub disk_id: u128,
    /// Generation of the ownership table: journals and checkpoints of each have a directory.
    pub generation: u64,
    /// Size of a journal file in bytes.
    pub journal_file_bytes: u64,
    /// Size of the first journal file ever made.
    pub journal_first_file_bytes: u64,
    /// Journal files at most.
    pub journal_files_max: usize,
    /// Bytes of batches that memory may hold.
    pub tail_bytes_max: u64,
    /// Chunks of 1 MiB that readers of old data share, at most.
    pub read_chunks_max: usize,
    /// How old data is read (`fetch.read.path`).
    pub read_path: ReadPath,
    /// Open segment files at most.
    pub open_files_max: usize,
    /// Appends of at least this many bytes go to their segment directly.
    pub bypass_bytes: usize,
    /// `log.retention.check.interval.ms`.
    pub retention_check_ms: u64,
    /// `producer.id.expiration.ms`.
    pub producer_expiration_ms: i64,
    /// Shards of the node: they share its disk.
    pub shards: usize,
    /// Free space of the node, in bytes, that produce leaves for metadata, deletes and log starts;
    /// 0: space is not looked at.
    pub space_reserve_bytes: u64,
    /// Bytes that the node's scrubbers read in a second, at most; 0: nothing is scrubbed.
    pub scrub_bytes_per_second: u64,
    /// Milliseconds from the begin of one round of the scrubber to that of the next, at least.
    pub scrub_interval_ms: u64,
    /// What compaction may take at first.
    pub compaction: CompactionOptions,
}

/// What a shard's compaction may take. By default nothing is compacted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CompactionOptions {
    /// Bytes that it reads in a second, at most; 0: nothing is compacted.
    pub bytes_per_second: u64,
    /// `log.cleaner.backoff.ms`: pause before the next look where nothing was due.
    pub interval_ms: u64,
    /// Memory for the keys of one cleaning.
    pub keys_bytes: u64,
}

/// Counters of a shard since its start, for metrics; plain numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct ShardStats {
    /// Partitions owned.
    pub partitions: u64,
    /// Batches appended.
    pub batches: u64,
    /// Records appended.
    pub records: u64,
    /// Bytes appended.
    pub appended_bytes: u64,
    /// Bytes read for fetches.
    pub fetched_bytes: u64,
    /// Appends that went to their segment directly.
    pub bypassed: u64,
    /// Failures of the journal that it was recovered from.
    pub journals_recovered: u64,
    /// Retries recognised.
    pub duplicates: u64,
    /// Bytes written to segments.
    pub segment_bytes: u64,
    /// Segments begun, sealed and deleted.
    pub segments_rolled: u64,
    /// Segments that got their footer.
    pub segments_sealed: u64,
    /// Segments deleted.
    pub segments_deleted: u64,
    /// Bytes at rest that the scrubber read.
    pub scrubbed_bytes: u64,
    /// Rounds of the scrubber over all segments.
    pub scrub_rounds: u64,
    /// Damage that it found, found again in each round.
    pub scrub_damaged: u64,
    /// Cleanings of compacted partitions that came to their end.
    pub cleanings: u64,
    /// Cleanings that failed.
    pub cleanings_failed: u64,
    /// Compacted partitions that were due at the last look.
    pub cleaner_due: u64,
    /// Bytes that cleanings read.
    pub cleaner_read_bytes: u64,
    /// Bytes of batches by which they made logs smaller.
    pub cleaner_freed_bytes: u64,
    /// Checkpoints written.
    pub checkpoints: u64,
    /// Bytes of batches in memory.
    pub tail_bytes: u64,
    /// The journal's counters.
    pub journal: JournalStats,
}

/// Why a shard cannot start.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal's entries do not fit together.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// The checkpoint is damaged in both copies.
    #[error("{0}: both copies of the checkpoint are damaged")]
    Checkpoint(String),
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: String,
        /// The system's answer.
        source: std::io::Error,
    },
}

impl From<RecoveryError> for OpenError {
    fn from(error: RecoveryError) -> Self {
        match error {
            RecoveryError::Fold(error) => Self::Fold(error),
            RecoveryError::Io { id, source } => Self::Io {
                path: format!("a segment of {id}"),
                source,
            },
        }
    }
}
