//! What a core owns. (Outline: bodies follow.)

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use std::path::{Path, PathBuf};

use engine_log::{FoldError, LogConfig, TopicPartition};
use engine_rt::Instant;
use engine_wal::{JournalError, JournalStats};
use thiserror::Error;

use crate::api::{
    Appended, FetchPart, Fetched, OffsetQuery, PartitionPosition, ProduceBatch, ShardError,
    TimestampOffset,
};

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
    /// Open segment files at most.
    pub open_files_max: usize,
    /// Appends of at least this many bytes go to their segment directly.
    pub bypass_bytes: usize,
    /// `log.retention.check.interval.ms`.
    pub retention_check_ms: u64,
    /// `producer.id.expiration.ms`.
    pub producer_expiration_ms: i64,
    /// Free space, in bytes, below which produce is refused.
    pub space_reserve_bytes: u64,
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

/// Moves every partition to the shards of another table: reads all journals and checkpoints of
/// `old.generation` (`old_shards` of them), writes those of `new_generation`, and flushes everything.
/// The old ones stay until [`remove_generation`]; the caller makes the new table durable in between
/// (rule 11). `specs` are all partitions there are; others found on disk are dropped.
pub async fn reshard(
    _old: &ShardOptions,
    _old_shards: usize,
    _new_generation: u64,
    _new_shards: usize,
    _specs: Vec<PartitionSpec>,
    _owner_of: impl Fn(TopicPartition) -> usize,
) -> Result<(), OpenError> {
    unimplemented!()
}

/// Removes the journals and checkpoints of every generation but `keep`.
pub async fn remove_other_generations(_data_dir: &Path, _keep: u64) -> std::io::Result<()> {
    unimplemented!()
}

/// One core's partitions, its journal and its memory.
#[derive(Debug)]
pub struct Shard {
    index: usize,
}

impl Shard {
    /// Recovers this shard's journal and opens it for a new life. When this returns, everything
    /// recovered is durable and may be served. `specs` are the partitions that the metadata gives to
    /// this shard; what else the journal holds was deleted and is dropped.
    pub async fn open(
        _options: ShardOptions,
        _specs: Vec<PartitionSpec>,
    ) -> Result<Rc<Self>, OpenError> {
        unimplemented!()
    }

    /// Makes a new, empty partition. The metadata says so durably already (rule 17).
    pub fn create_partition(&self, _spec: PartitionSpec) {
        unimplemented!()
    }

    /// Forgets a partition and removes its files; waiting requests end with `UnknownPartition`.
    pub async fn delete_partition(self: &Rc<Self>, _id: TopicPartition) {
        unimplemented!()
    }

    /// Puts another configuration in force.
    pub fn set_config(&self, _id: TopicPartition, _config: LogConfig) {
        unimplemented!()
    }

    /// Stops taking appends, flushes, checkpoints and closes the journal.
    pub async fn stop(self: &Rc<Self>) -> std::io::Result<()> {
        unimplemented!()
    }

    /// Counters, for metrics.
    pub fn stats(&self) -> ShardStats {
        unimplemented!()
    }

    /// Number of this shard on its node.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Runs work of this shard's own connections.
    pub(crate) fn run(&self, work: Pin<Box<dyn Future<Output = ()>>>) {
        engine_rt::spawn(work).detach();
    }

    /// Appends batches in order and waits until each is durable or refused.
    pub async fn append(
        self: &Rc<Self>,
        _batches: Vec<ProduceBatch>,
    ) -> Vec<Result<Appended, ShardError>> {
        unimplemented!()
    }

    /// Reads partitions in order, `max_bytes` in all.
    pub async fn fetch(
        self: &Rc<Self>,
        _parts: Vec<FetchPart>,
        _max_bytes: usize,
    ) -> Vec<Result<Fetched, ShardError>> {
        unimplemented!()
    }

    /// Waits until a partition has something at its offset or has changed, or until `deadline`.
    pub async fn wait_for_data(
        self: &Rc<Self>,
        _parts: Vec<(TopicPartition, i64)>,
        _deadline: Instant,
    ) {
        unimplemented!()
    }

    /// Offsets, epoch and size of a partition.
    pub fn position(&self, _id: TopicPartition) -> Result<PartitionPosition, ShardError> {
        unimplemented!()
    }

    /// The offset that `query` asks for.
    pub async fn offset_for(
        self: &Rc<Self>,
        _id: TopicPartition,
        _query: OffsetQuery,
        _current_leader_epoch: i32,
    ) -> Result<TimestampOffset, ShardError> {
        unimplemented!()
    }

    /// Where `epoch` ended: the largest known epoch at or below it, and its end offset
    /// (`OffsetForLeaderEpoch`); `(-1, -1)` if nothing that old is known.
    pub fn epoch_end(
        &self,
        _id: TopicPartition,
        _current_leader_epoch: i32,
        _epoch: i32,
    ) -> Result<(i32, i64), ShardError> {
        unimplemented!()
    }

    /// Moves the log start up to `offset` (-1: the high watermark); durable on return. Gives the
    /// new log start (`DeleteRecords`).
    pub async fn delete_records(
        self: &Rc<Self>,
        _id: TopicPartition,
        _offset: i64,
    ) -> Result<i64, ShardError> {
        unimplemented!()
    }
}
