//! What the shards are told of topics: partitions by owner, and what of a configuration the log
//! acts on.

use cluster_meta::config::{StaticConfig, TopicConfig};
use cluster_meta::{State, Topic};
use engine_shard::{LogConfig, PartitionSpec, TopicPartition};

/// What of a topic's configuration the log acts on.
fn log_config(config: &TopicConfig) -> LogConfig {
    let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    LogConfig {
        segment_bytes: u64::from(config.segment_bytes),
        segment_ms: signed(config.segment_ms),
        retention_ms: config.retention_ms.map_or(-1, signed),
        retention_bytes: config.retention_bytes.map_or(-1, signed),
        delete: config.cleanup_policy.delete,
        compact: config.cleanup_policy.compact,
        delete_retention_ms: signed(config.delete_retention_ms),
        min_compaction_lag_ms: signed(config.min_compaction_lag_ms),
        max_compaction_lag_ms: signed(config.max_compaction_lag_ms),
        min_cleanable_millionths: (config.min_cleanable_dirty_ratio * 1e6) as u32,
        flush_before_ack: !config.weak_durability(),
        flush_ms: signed(config.flush_ms),
    }
}

/// The partitions of a topic from `first` on, each with the shard that owns it.
pub(super) fn of_topic(
    state: &State,
    fixed: &StaticConfig,
    topic: &Topic,
    first: usize,
) -> impl Iterator<Item = (usize, PartitionSpec)> {
    let config = log_config(&state.effective(topic, fixed));
    let partitions = topic.partitions.iter().enumerate().skip(first);
    partitions.map(move |(index, partition)| {
        let owner = state.owner(topic.number, index as i32);
        let spec = PartitionSpec {
            id: TopicPartition {
                topic_id: topic.topic_id,
                partition: index as u32,
            },
            leader_epoch: state.leader_epoch(partition),
            config,
        };
        (owner.0 as usize, spec)
    })
}

/// The partitions of all topics, by the shard that owns them.
pub(super) fn by_shard(
    state: &State,
    fixed: &StaticConfig,
    shards: usize,
) -> Vec<Vec<PartitionSpec>> {
    let mut by_shard = vec![Vec::new(); shards];
    for topic in state.topics() {
        for (shard, spec) in of_topic(state, fixed, topic, 0) {
            by_shard[shard].push(spec);
        }
    }
    by_shard
}
