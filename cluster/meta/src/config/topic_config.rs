//! What a topic runs with: every value typed, ready for the hot path.

use super::{Layers, TopicKey, elements, topic_key};

/// What happens to old segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// Keep the latest record of each key.
    pub compact: bool,
    /// Drop segments by age and size.
    pub delete: bool,
}

/// In which codec batches are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompressionType {
    /// As they were sent.
    Producer,
    /// Not compressed.
    Uncompressed,
    /// gzip at this level; -1 is the codec's own choice.
    Gzip(i32),
    /// Snappy.
    Snappy,
    /// LZ4 at this level.
    Lz4(i32),
    /// Zstandard at this level.
    Zstd(i32),
}

/// Whose clock stamps records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's.
    LogAppendTime,
}

/// The effective configuration of a topic. A time or size without limit is none.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicConfig {
    /// `cleanup.policy`
    pub cleanup_policy: CleanupPolicy,
    /// `compression.type` with the level of that codec
    pub compression_type: CompressionType,
    /// `delete.retention.ms`
    pub delete_retention_ms: u64,
    /// `file.delete.delay.ms`
    pub file_delete_delay_ms: u64,
    /// `flush.messages`: 1 flushes before every acknowledgement
    pub flush_messages: u64,
    /// `flush.ms`: bounds the delay of a flush where `flush_messages` is above 1
    pub flush_ms: u64,
    /// `index.interval.bytes`
    pub index_interval_bytes: u32,
    /// `max.compaction.lag.ms`
    pub max_compaction_lag_ms: u64,
    /// `max.message.bytes`
    pub max_message_bytes: u32,
    /// `message.timestamp.after.max.ms`
    pub message_timestamp_after_max_ms: u64,
    /// `message.timestamp.before.max.ms`
    pub message_timestamp_before_max_ms: u64,
    /// `message.timestamp.type`
    pub message_timestamp_type: TimestampType,
    /// `min.cleanable.dirty.ratio`
    pub min_cleanable_dirty_ratio: f64,
    /// `min.compaction.lag.ms`
    pub min_compaction_lag_ms: u64,
    /// `min.insync.replicas`
    pub min_insync_replicas: u32,
    /// `retention.bytes`
    pub retention_bytes: Option<u64>,
    /// `retention.ms`
    pub retention_ms: Option<u64>,
    /// `internal.segment.bytes`, else `segment.bytes`
    pub segment_bytes: u32,
    /// `segment.index.bytes`
    pub segment_index_bytes: u32,
    /// `segment.jitter.ms`
    pub segment_jitter_ms: u64,
    /// `segment.ms`
    pub segment_ms: u64,
    /// `unclean.leader.election.enable`
    pub unclean_leader_election_enable: bool,
}

impl TopicConfig {
    /// The values in force, from all layers.
    ///
    /// Costs some forty map lookups: made when a partition opens or a configuration changes, never
    /// per request.
    pub fn of(layers: &Layers<'_>) -> Self {
        let value = Values { layers };
        Self {
            cleanup_policy: value.cleanup_policy(),
            compression_type: value.compression_type(),
            delete_retention_ms: value.unsigned("delete.retention.ms"),
            file_delete_delay_ms: value.unsigned("file.delete.delay.ms"),
            flush_messages: value.unsigned("flush.messages"),
            flush_ms: value.unsigned("flush.ms"),
            index_interval_bytes: value.unsigned("index.interval.bytes") as u32,
            max_compaction_lag_ms: value.unsigned("max.compaction.lag.ms"),
            max_message_bytes: value.unsigned("max.message.bytes") as u32,
            message_timestamp_after_max_ms: value.unsigned("message.timestamp.after.max.ms"),
            message_timestamp_before_max_ms: value.unsigned("message.timestamp.before.max.ms"),
            message_timestamp_type: value.timestamp_type(),
            min_cleanable_dirty_ratio: value.ratio("min.cleanable.dirty.ratio"),
            min_compaction_lag_ms: value.unsigned("min.compaction.lag.ms"),
            min_insync_replicas: value.unsigned("min.insync.replicas") as u32,
            retention_bytes: value.limit("retention.bytes"),
            retention_ms: value.limit("retention.ms"),
            segment_bytes: value.segment_bytes(),
            segment_index_bytes: value.unsigned("segment.index.bytes") as u32,
            segment_jitter_ms: value.unsigned("segment.jitter.ms"),
            segment_ms: value.unsigned("segment.ms"),
            unclean_leader_election_enable: value.text("unclean.leader.election.enable") == "true",
        }
    }

    /// Whether records are acknowledged before they are flushed: a choice that is named in the
    /// start-up list and warned about, since tools copy Kafka's default of Long.MAX blindly.
    pub fn weak_durability(&self) -> bool {
        self.flush_messages > 1
    }
}

/// Typed reads of the layers. Values were checked when they were set, so they parse.
struct Values<'a> {
    layers: &'a Layers<'a>,
}

impl Values<'_> {
    fn find(&self, name: &str) -> Option<String> {
        let row: &TopicKey = topic_key(name).expect("a key of the table");
        self.layers.topic_value(row)
    }

    fn text(&self, name: &str) -> String {
        self.find(name).expect("the key has a default")
    }

    fn signed(&self, name: &str) -> i64 {
        self.text(name).parse().expect("checked when it was set")
    }

    fn unsigned(&self, name: &str) -> u64 {
        u64::try_from(self.signed(name)).expect("checked when it was set")
    }

    fn limit(&self, name: &str) -> Option<u64> {
        u64::try_from(self.signed(name)).ok()
    }

    fn ratio(&self, name: &str) -> f64 {
        self.text(name).parse().expect("checked when it was set")
    }

    fn cleanup_policy(&self) -> CleanupPolicy {
        let list = self.text("cleanup.policy");
        CleanupPolicy {
            compact: elements(&list).any(|policy| policy == "compact"),
            delete: elements(&list).any(|policy| policy == "delete"),
        }
    }

    fn compression_type(&self) -> CompressionType {
        let level = |name| self.signed(name) as i32;
        match self.text("compression.type").as_str() {
            "uncompressed" => CompressionType::Uncompressed,
            "gzip" => CompressionType::Gzip(level("compression.gzip.level")),
            "snappy" => CompressionType::Snappy,
            "lz4" => CompressionType::Lz4(level("compression.lz4.level")),
            "zstd" => CompressionType::Zstd(level("compression.zstd.level")),
            _ => CompressionType::Producer,
        }
    }

    fn timestamp_type(&self) -> TimestampType {
        match self.text("message.timestamp.type").as_str() {
            "LogAppendTime" => TimestampType::LogAppendTime,
            _ => TimestampType::CreateTime,
        }
    }

    fn segment_bytes(&self) -> u32 {
        let internal = self.find("internal.segment.bytes");
        internal
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| self.unsigned("segment.bytes") as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ConfigMap, StaticConfig};
    use super::*;

    fn effective(values: &[(&str, &str)]) -> TopicConfig {
        let topic: ConfigMap = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let nothing = StaticConfig::default();
        TopicConfig::of(&Layers {
            topic: Some(&topic),
            broker: None,
            cluster: None,
            fixed: &nothing,
        })
    }

    #[test]
    fn defaults_flush_before_every_acknowledgement() {
        let config = effective(&[]);
        assert_eq!(config.flush_messages, 1);
        assert!(!config.weak_durability());
        assert_eq!(config.retention_ms, Some(604_800_000));
        assert_eq!(config.retention_bytes, None);
        assert_eq!(config.segment_bytes, 1 << 30);
        assert_eq!(config.compression_type, CompressionType::Producer);
        assert_eq!(
            config.cleanup_policy,
            CleanupPolicy {
                compact: false,
                delete: true
            }
        );
    }

    #[test]
    fn flush_ms_alone_weakens_nothing() {
        assert!(!effective(&[("flush.ms", "1000")]).weak_durability());
        assert!(effective(&[("flush.messages", "9223372036854775807")]).weak_durability());
    }

    #[test]
    fn set_values_are_typed() {
        let config = effective(&[
            ("cleanup.policy", "compact,delete"),
            ("compression.type", "zstd"),
            ("compression.zstd.level", "-7"),
            ("internal.segment.bytes", "4096"),
            ("message.timestamp.type", "LogAppendTime"),
            ("retention.ms", "-1"),
        ]);
        assert_eq!(
            config.cleanup_policy,
            CleanupPolicy {
                compact: true,
                delete: true
            }
        );
        assert_eq!(config.compression_type, CompressionType::Zstd(-7));
        assert_eq!(config.segment_bytes, 4096);
        assert_eq!(config.message_timestamp_type, TimestampType::LogAppendTime);
        assert_eq!(config.retention_ms, None);
    }
}
