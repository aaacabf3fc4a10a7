//! Repair of a shard at rest: damaged segments are written anew with what is left of them.
//!
//! As with another number of shards, a new generation of checkpoints takes what is found, and the
//! old one counts until the caller has made the new table durable. Segments are replaced before
//! that: after a crash in between, repair finds them once more.

use std::collections::BTreeSet;
use std::rc::Rc;

use engine_log::segment::Segment;
use engine_log::segment::layout::SegmentName;
use engine_log::{Loss, PartitionLog, Survey, TopicPartition, rewrite, shared, survey};
use engine_rt::fs;

use crate::inspect::ShardPlace;
use crate::open::{find, io_error};
use crate::options::{OpenError, PartitionSpec};
use crate::reshard::write_generation;

/// A damaged segment.
#[derive(Clone, Debug)]
pub struct Damaged {
    /// The partition.
    pub id: TopicPartition,
    /// The segment's file.
    pub file: String,
    /// What is damaged, with its position in the file.
    pub faults: Vec<(u64, &'static str)>,
    /// First and last offsets of what is gone. Without any, it can be mended without a loss.
    pub losses: Vec<Loss>,
}

/// Directory of segments that are being written anew.
const SCRATCH: &str = "repair";

/// What is damaged in the segments of a shard at rest. Changes nothing; `specs` are the partitions
/// that the metadata gives to it.
pub async fn damaged(
    place: &ShardPlace,
    specs: Vec<PartitionSpec>,
) -> Result<Vec<Damaged>, OpenError> {
    look(place, specs, None).await
}

/// Mends what can be mended without a loss, and cuts out what is gone from the `accepted` partitions,
/// into the checkpoint of `new_generation`. Gives what it found before.
pub async fn repair(
    place: &ShardPlace,
    specs: Vec<PartitionSpec>,
    new_generation: u64,
    accepted: &BTreeSet<TopicPartition>,
) -> Result<Vec<Damaged>, OpenError> {
    look(place, specs, Some((new_generation, accepted))).await
}

async fn look(
    place: &ShardPlace,
    specs: Vec<PartitionSpec>,
    change: Option<(u64, &BTreeSet<TopicPartition>)>,
) -> Result<Vec<Damaged>, OpenError> {
    let options = place.options();
    let specs = specs.into_iter().map(|spec| (spec.id, spec)).collect();
    let files = options.segment_files();
    let scratch = files.beside(&options.data_dir.join(SCRATCH));
    let (mut all, mut states) = (Vec::new(), Vec::new());
    for (id, found) in find(&options, &specs).await?.partitions {
        let log = shared(found.log);
        let names = names(&log.borrow());
        for name in names {
            let (path, base) = (files.path(id, name), name.base_offset);
            let seen: Survey = survey(&log, &files, base).await.map_err(io_error(&path))?;
            if seen.is_sound() {
                continue;
            }
            let Survey { losses, faults } = seen;
            let may = |accepted: &BTreeSet<_>| losses.is_empty() || accepted.contains(&id);
            if change.is_some_and(|(_, accepted)| may(accepted)) {
                let done = rewrite(&log, &files, &scratch, base).await;
                done.map_err(io_error(&path))?;
            }
            let file = path.display().to_string();
            all.push(Damaged {
                id,
                file,
                faults,
                losses,
            });
        }
        let log = Rc::try_unwrap(log)
            .expect("nobody else has it")
            .into_inner();
        states.push(log.encode_state());
    }
    if let Some((generation, _)) = change {
        let options = place.of_generation(generation);
        write_generation(&options, &states).await?;
        remove_scratch(&scratch)
            .await
            .map_err(io_error(scratch.root()))?;
    }
    Ok(all)
}

/// The segments that have a file.
fn names(log: &PartitionLog) -> Vec<SegmentName> {
    let segments = log.segments().filter(|segment| !segment.is_fileless());
    segments.map(Segment::name).collect()
}

async fn remove_scratch(scratch: &engine_log::SegmentFiles) -> std::io::Result<()> {
    if !fs::exists(scratch.root()).await? {
        return Ok(());
    }
    for topic in fs::read_dir(scratch.root()).await? {
        fs::remove_dir(&scratch.root().join(topic)).await?;
    }
    fs::remove_dir(scratch.root()).await
}
