//! A shard at rest, for tools that check a data directory: what a start would find, without a start.

use std::path::{Path, PathBuf};

use engine_log::{RecoveredPartition, TopicPartition};
use engine_rt::BLOCK_BYTES;
use engine_rt::fs::{self, File, OpenOptions};
use engine_wal::Position;

use crate::checkpoint::{Bodies, CheckpointOwner, NAMES, load_copy, read_record};
use crate::open::{Found, find, io_error};
use crate::options::{CompactionOptions, OpenError, PartitionSpec, ShardOptions};

/// Where a shard at rest is.
#[derive(Clone, Debug)]
pub struct ShardPlace {
    /// The data directory.
    pub data_dir: PathBuf,
    /// The identity that its journals and segments carry.
    pub disk_id: u128,
    /// Generation of the ownership table.
    pub generation: u64,
    /// Number of the shard.
    pub index: usize,
}

impl ShardPlace {
    /// What reading needs to know; the rest is for writing, which nothing here does.
    pub(crate) fn options(&self) -> ShardOptions {
        ShardOptions {
            index: self.index,
            data_dir: self.data_dir.clone(),
            disk_id: self.disk_id,
            generation: self.generation,
            journal_file_bytes: 0,
            journal_first_file_bytes: 0,
            journal_files_max: 2,
            tail_bytes_max: 0,
            open_files_max: 16,
            read_chunks_max: 1,
            read_path: engine_log::ReadPath::Direct,
            bypass_bytes: 0,
            retention_check_ms: 0,
            producer_expiration_ms: 0,
            shards: 1,
            space_reserve_bytes: 0,
            scrub_bytes_per_second: 0,
            scrub_interval_ms: 0,
            compaction: CompactionOptions::default(),
        }
    }
}

impl ShardPlace {
    /// The same shard in another generation of the ownership table.
    pub(crate) fn of_generation(&self, generation: u64) -> ShardOptions {
        ShardOptions {
            generation,
            ..self.options()
        }
    }
}

/// What a start of a shard would find.
#[derive(Debug)]
pub struct Inspection {
    /// Partitions as recovery leaves them.
    pub partitions: Vec<(TopicPartition, RecoveredPartition)>,
    /// Where the journal ends.
    pub end: Position,
    /// Highest frame that is certified as flushed.
    pub flushed_mark: u64,
    /// Whether bytes that were never acknowledged stand behind the end.
    pub torn: bool,
}

/// Reads a shard's checkpoint and journal and folds them, as a start does. Nothing is changed;
/// `specs` are the partitions that the metadata gives to this shard.
pub async fn inspect(
    place: &ShardPlace,
    specs: Vec<PartitionSpec>,
) -> Result<Inspection, OpenError> {
    let specs = specs.into_iter().map(|spec| (spec.id, spec)).collect();
    let Found {
        partitions,
        journal,
        ..
    } = find(&place.options(), &specs).await?;
    Ok(Inspection {
        partitions: partitions.into_iter().collect(),
        end: journal.end,
        flushed_mark: journal.flushed_mark,
        torn: journal.torn,
    })
}

/// One of the two copies of a checkpoint.
#[derive(Clone, Debug)]
pub struct CheckpointCopy {
    /// Its file.
    pub path: PathBuf,
    /// Bytes of its file.
    pub file_bytes: u64,
    /// Sequence of its last record that counts; `None` if there is none.
    pub sequence: Option<u64>,
    /// Where that record lets the journal begin.
    pub position: Option<Position>,
    /// Partitions it describes.
    pub partitions: usize,
    /// Where its records end.
    pub end: u64,
    /// The highest sequence of a whole record behind that end. Higher than that of both copies, it
    /// means that a record before it is damaged.
    pub stranded_sequence: Option<u64>,
}

/// The copies of a shard's checkpoint that there are.
pub async fn checkpoint_copies(place: &ShardPlace) -> Result<Vec<CheckpointCopy>, OpenError> {
    let options = place.options();
    let owner = CheckpointOwner {
        disk_id: options.disk_id,
        shard: options.index as u32,
    };
    let mut copies = Vec::new();
    for (copy, name) in NAMES.iter().enumerate() {
        let path = options.dir().join(name);
        if fs::exists(&path).await.map_err(io_error(&path))? {
            copies.push(examine(&path, copy, owner).await.map_err(io_error(&path))?);
        }
    }
    Ok(copies)
}

async fn examine(
    path: &Path,
    copy: usize,
    owner: CheckpointOwner,
) -> std::io::Result<CheckpointCopy> {
    let found = load_copy(path, copy, owner, Bodies::Kept).await?;
    let (place, contents) = found.map_or((None, None), |(p, c)| (Some(p), Some(c)));
    let read_only = OpenOptions {
        read_only: true,
        ..OpenOptions::default()
    };
    let file = File::open(path, read_only).await?;
    let file_bytes = file.len().await?;
    let end = place.map_or(0, |place| place.end);
    let mut stranded_sequence = None;
    for at in (end..file_bytes).step_by(BLOCK_BYTES) {
        let record = read_record(&file, at, file_bytes, owner, Bodies::Checked).await?;
        stranded_sequence = stranded_sequence.max(record.map(|(record, _)| record.sequence));
    }
    Ok(CheckpointCopy {
        path: path.to_path_buf(),
        file_bytes,
        sequence: place.map(|place| place.sequence),
        position: contents.as_ref().and_then(|contents| contents.position),
        partitions: contents.map_or(0, |contents| contents.states.len()),
        end,
        stranded_sequence,
    })
}
