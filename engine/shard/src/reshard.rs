//! Another number of shards: every partition moves to the shard that the new table names (rule 11).
//!
//! All journals of the old generation are read, whatever the new count is; the new generation's
//! checkpoints take everything that no segment block holds. Until the caller has made the new table
//! durable, the old generation is what counts: a crash in between starts over.

use std::collections::BTreeMap;
use std::path::Path;

use engine_log::{RecoveredPartition, TopicPartition};
use engine_rt::fs;
use engine_rt::mutant::{self, Mutant};
use engine_wal::Position;

use crate::checkpoint::{Checkpoint, CheckpointOwner};
use crate::open::{find, generation_dir, io_error, make_dirs};
use crate::options::{OpenError, PartitionSpec, ShardOptions};

/// Moves every partition to the shards of another table: reads all journals and checkpoints of
/// `old.generation` (`old_shards` of them), writes those of `new_generation`, and flushes
/// everything. The old ones stay until [`remove_other_generations`]; the caller makes the new table
/// durable in between. `specs` are all partitions there are; others found on disk are dropped.
pub async fn reshard(
    old: &ShardOptions,
    old_shards: usize,
    new_generation: u64,
    new_shards: usize,
    specs: Vec<PartitionSpec>,
    owner_of: impl Fn(TopicPartition) -> usize,
) -> Result<(), OpenError> {
    let specs: BTreeMap<_, _> = specs.into_iter().map(|spec| (spec.id, spec)).collect();
    let (mut checkpoints, mut records) = (Vec::new(), Vec::new());
    for index in 0..new_shards {
        let options = ShardOptions {
            index,
            generation: new_generation,
            ..old.clone()
        };
        checkpoints.push((new_checkpoint(&options).await?, options.dir()));
    }
    for (checkpoint, dir) in &checkpoints {
        records.push(checkpoint.begin(true).await.map_err(io_error(dir))?);
    }
    let readable = if mutant::is_active(Mutant::ReplayOwnJournalsOnly) {
        new_shards
    } else {
        old_shards
    };
    for index in 0..old_shards.min(readable) {
        let options = ShardOptions {
            index,
            ..old.clone()
        };
        make_dirs(&options).await?;
        for (id, partition) in find(&options, &specs).await?.partitions {
            let RecoveredPartition { log, .. } = partition;
            let owner = owner_of(id) % new_shards;
            let changed = records[owner].changed(&log.encode_state()).await;
            changed.map_err(io_error(&checkpoints[owner].1))?;
        }
    }
    for (record, (_, dir)) in records.into_iter().zip(&checkpoints) {
        record
            .finish(Position::START)
            .await
            .map_err(io_error(dir))?;
        fs::sync_dir(dir).await.map_err(io_error(dir))?;
    }
    Ok(())
}

/// Writes a shard's first checkpoint of a generation, over whatever an earlier attempt left.
pub(crate) async fn write_generation(
    options: &ShardOptions,
    states: &[Vec<u8>],
) -> Result<(), OpenError> {
    let dir = options.dir();
    let checkpoint = new_checkpoint(options).await?;
    let mut record = checkpoint.begin(true).await.map_err(io_error(&dir))?;
    for state in states {
        record.changed(state).await.map_err(io_error(&dir))?;
    }
    let finished = record.finish(Position::START).await;
    finished.map_err(io_error(&dir))?;
    fs::sync_dir(&dir).await.map_err(io_error(&dir))
}

/// A shard's checkpoint of a generation that begins, in place of whatever an earlier attempt left.
async fn new_checkpoint(options: &ShardOptions) -> Result<Checkpoint, OpenError> {
    let dir = options.dir();
    make_dirs(options).await?;
    for name in fs::read_dir(&dir).await.map_err(io_error(&dir))? {
        fs::remove_file(&dir.join(name))
            .await
            .map_err(io_error(&dir))?;
    }
    let owner = CheckpointOwner {
        disk_id: options.disk_id,
        shard: options.index as u32,
    };
    let (checkpoint, _) = Checkpoint::load(&dir, owner)
        .await
        .map_err(io_error(&dir))?;
    Ok(checkpoint)
}

/// Removes the journals and checkpoints of every generation but `keep`.
pub async fn remove_other_generations(data_dir: &Path, keep: u64) -> std::io::Result<()> {
    let shards = data_dir.join("shards");
    if !fs::exists(&shards).await? {
        return Ok(());
    }
    for name in fs::read_dir(&shards).await? {
        if generation_dir(data_dir, keep).ends_with(&name) {
            continue;
        }
        let generation = shards.join(&name);
        for shard in fs::read_dir(&generation).await? {
            let dir = generation.join(shard);
            for file in fs::read_dir(&dir).await? {
                fs::remove_file(&dir.join(file)).await?;
            }
            fs::remove_dir(&dir).await?;
        }
        fs::remove_dir(&generation).await?;
    }
    fs::sync_dir(&shards).await
}
