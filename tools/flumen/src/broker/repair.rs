//! Repair of a stopped node: damaged segments are written anew, shard by shard, into another
//! generation, which one record of the metadata puts in force.

use std::collections::BTreeSet;
use std::path::Path;

use cluster_control::{Home, HomeOptions, Metadata, MetadataOptions};
use cluster_meta::command;
use cluster_meta::config::StaticConfig;
use engine_shard::{ShardPlace, TopicPartition, repair as repair_shard};
use tools_dump::Found;

use super::error::refused;
use super::{StartError, specs};

/// Mends what can be mended without a loss, and cuts out what is gone from the partitions in
/// `accepted`, by topic and number. Gives what was damaged before.
pub async fn repair(dir: &Path, accepted: &[(String, u32)]) -> Result<Vec<Found>, StartError> {
    let home = Home::open(dir, HomeOptions::default()).await?;
    let options = MetadataOptions {
        fixed: StaticConfig::default(),
        generation_bytes_min: u64::MAX,
    };
    let mut metadata = Metadata::open(&home, options).await?;
    let state = metadata.state().clone();
    let id = |(topic, partition): &(String, u32)| {
        let topic_id = state.topic_by_name(topic)?.topic_id;
        Some(TopicPartition {
            topic_id,
            partition: *partition,
        })
    };
    let accepted: BTreeSet<TopicPartition> = accepted.iter().filter_map(id).collect();
    let ownership = state.ownership();
    let shards = ownership.shards as usize;
    let specs = specs::by_shard(&state, &StaticConfig::default(), shards);
    let mut all = Vec::new();
    for (index, specs) in specs.into_iter().enumerate() {
        let place = ShardPlace {
            data_dir: dir.to_owned(),
            disk_id: u128::from_be_bytes(*home.superblock().origin_id.as_bytes()),
            generation: u64::from(ownership.generation),
            index,
        };
        let next = u64::from(ownership.generation) + 1;
        let found = repair_shard(&place, specs, next, &accepted).await;
        let found = found.map_err(|source| StartError::Shard {
            shard: index,
            source,
        })?;
        all.extend(found.into_iter().map(|damaged| {
            let topic = state.topic(damaged.id.topic_id);
            let topic = topic.map_or_else(String::new, |topic| topic.name.clone());
            Found { topic, damaged }
        }));
    }
    let committed = metadata
        .commit(vec![command::renew_ownership(&state)])
        .await;
    committed.map_err(refused("recording that segments were repaired"))?;
    Ok(all)
}
