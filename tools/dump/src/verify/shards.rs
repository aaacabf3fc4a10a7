//! Checkpoints and journals of every shard, as a start reads them.

use std::collections::BTreeMap;
use std::path::Path;

use cluster_meta::State;
use engine_log::{LogConfig, PartitionLog, TopicPartition};
use engine_shard::{CheckpointCopy, Inspection, PartitionSpec, ShardPlace};

use super::{Verdict, partitions};
use crate::file::DumpError;
use crate::item::{Item, Sink};

/// Partitions whose journal and checkpoint could be read.
pub(super) type Logs = BTreeMap<TopicPartition, PartitionLog>;

/// Checks all shards of the ownership table, then every segment there is.
pub(super) async fn check(
    dir: &Path,
    origin: u128,
    state: Option<&State>,
    sink: Sink<'_>,
) -> Result<Verdict, DumpError> {
    let mut logs = Logs::new();
    if let Some(state) = state {
        for place in places(dir, origin, state) {
            let specs = specs_of(state, place.index);
            check_shard(&place, specs, &mut logs, sink).await;
        }
    }
    partitions::check(dir, origin, state, &logs, sink).await
}

/// All shards of the ownership table.
pub(crate) fn places(dir: &Path, origin: u128, state: &State) -> Vec<ShardPlace> {
    let ownership = state.ownership();
    let place = |index| ShardPlace {
        data_dir: dir.to_owned(),
        disk_id: origin,
        generation: u64::from(ownership.generation),
        index,
    };
    (0..ownership.shards as usize).map(place).collect()
}

/// The partitions of a shard.
pub(crate) fn specs_of(state: &State, index: usize) -> Vec<PartitionSpec> {
    let mut specs = Vec::new();
    for topic in state.topics() {
        for (partition, info) in topic.partitions.iter().enumerate() {
            if state.owner(topic.number, partition as i32).0 as usize == index {
                let id = TopicPartition {
                    topic_id: topic.topic_id,
                    partition: partition as u32,
                };
                let leader_epoch = state.leader_epoch(info);
                specs.push(PartitionSpec {
                    id,
                    leader_epoch,
                    config: LogConfig::default(),
                });
            }
        }
    }
    specs
}

async fn check_shard(
    place: &ShardPlace,
    specs: Vec<PartitionSpec>,
    logs: &mut Logs,
    sink: Sink<'_>,
) {
    let shard = Item::new("shard").with("shard", place.index);
    match engine_shard::checkpoint_copies(place).await {
        Ok(copies) => tell_checkpoints(&copies, sink),
        Err(error) => sink(shard.clone().faulty(error.to_string())),
    }
    let inspection = match engine_shard::inspect(place, specs).await {
        Ok(inspection) => inspection,
        Err(error) => return sink(shard.faulty(error.to_string())),
    };
    let Inspection {
        partitions,
        end,
        flushed_mark,
        torn,
    } = inspection;
    let mut item = shard
        .with("partitions", partitions.len())
        .with("generation", end.generation)
        .with("at", end.pos)
        .with("next_sequence", end.sequence)
        .with("flushed_mark", flushed_mark);
    if torn {
        item = item.with("note", "frames that were never acknowledged are behind");
    }
    sink(item);
    for (id, recovered) in partitions {
        if let Some(end) = recovered.truncated_to {
            let note = format!("an append that was never acknowledged is cut at offset {end}");
            sink(
                Item::new("partition")
                    .with("partition", id.to_string())
                    .with("note", note),
            );
        }
        logs.insert(id, recovered.log);
    }
}

/// A record behind a damaged one, with a higher sequence than both copies can show, was written
/// after it: what the damaged one said is lost.
fn tell_checkpoints(copies: &[CheckpointCopy], sink: Sink<'_>) {
    let newest = copies.iter().filter_map(|copy| copy.sequence).max();
    for copy in copies {
        let mut item = Item::new("checkpoint")
            .with("file", copy.path.display().to_string())
            .with("at", copy.end)
            .with("partitions", copy.partitions);
        if let Some(sequence) = copy.sequence {
            item = item.with("sequence", sequence);
        }
        let lost = copy.stranded_sequence.filter(|found| Some(*found) > newest);
        sink(item.judged(lost.map(|found| format!("damaged here; record {found} is behind"))));
    }
}
