//! Configurations: the tables of keys, the layers that give a value, and what a topic runs with.
//!
//! First file to read: [`layers`], which says who wins. [`topic_config`] is what the hot path
//! reads, [`describe`] what `DescribeConfigs` shows.

mod broker_table;
pub mod describe;
mod duration;
mod group_table;
mod key;
pub mod layers;
mod static_config;
pub mod topic_config;
mod topic_table;

pub use broker_table::{BROKER_KEYS, BrokerKey, UpdateMode};
pub use describe::{ConfigRow, ConfigSource, Synonym};
pub(crate) use group_table::check_group;
pub use group_table::{
    CLIENT_MATCH, CLIENT_METRICS, CLIENT_METRICS_KEYS, GROUP_KEYS, GroupKey, PUSH_INTERVAL,
};
pub use key::{Check, ConfigKey, ConfigType, elements};
pub use layers::Layers;
pub use static_config::{StaticConfig, StaticConfigError};
pub use topic_config::{CleanupPolicy, CompressionType, TimestampType, TopicConfig};
pub use topic_table::{TOPIC_KEYS, TopicKey};

use std::collections::BTreeMap;

/// Values by key, each in the form of [`ConfigKey::canonical`].
pub type ConfigMap = BTreeMap<String, String>;

const CLEANUP_POLICIES: &[&str] = &["compact", "delete"];
const COMPRESSION_TYPES: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];
const TIMESTAMP_TYPES: &[&str] = &["CreateTime", "LogAppendTime"];
/// Kafka's word for "no limit".
const LONG_MAX: Option<&str> = Some("9223372036854775807");

/// Topic keys that Kafka 4 retired. Old clusters' tools still send them, so they are accepted and
/// forgotten, where Kafka refuses them.
pub const RETIRED_TOPIC_KEYS: &[&str] = &[
    "message.downconversion.enable",
    "message.format.version",
    "message.timestamp.difference.max.ms",
];

/// The topic key of this name.
pub fn topic_key(name: &str) -> Option<&'static TopicKey> {
    let at = TOPIC_KEYS
        .binary_search_by(|row| row.key.name.cmp(name))
        .ok()?;
    TOPIC_KEYS.get(at)
}

/// The broker key of this name.
pub fn broker_key(name: &str) -> Option<&'static BrokerKey> {
    let at = BROKER_KEYS
        .binary_search_by(|row| row.key.name.cmp(name))
        .ok()?;
    BROKER_KEYS.get(at)
}

/// The group key of this name.
pub fn group_key(name: &str) -> Option<&'static GroupKey> {
    GROUP_KEYS.iter().find(|row| row.key.name == name)
}

/// The key of this name of a subscription to client metrics.
pub fn client_metrics_key(name: &str) -> Option<&'static ConfigKey> {
    CLIENT_METRICS_KEYS.iter().find(|key| key.name == name)
}

/// The value in force for a key of a group that has these values of its own.
pub fn group_value(row: &GroupKey, own: Option<&ConfigMap>, layers: &Layers<'_>) -> Option<String> {
    let own = own
        .and_then(|map| map.get(row.key.name))
        .map(String::as_str);
    let inherited = || layers.broker_value(row.inherits?);
    own.or_else(inherited)
        .or(row.key.default)
        .map(str::to_owned)
}

/// The broker keys of which this one is a part, by precedence: a time may be set in milliseconds,
/// minutes or hours.
pub fn broker_synonyms(name: &str) -> Vec<&'static str> {
    let family = TOPIC_KEYS
        .iter()
        .find(|row| row.synonyms.len() > 1 && row.synonyms.contains(&name));
    match (family, broker_key(name)) {
        (Some(row), _) => row.synonyms.to_vec(),
        (None, Some(row)) => vec![row.key.name],
        (None, None) => Vec::new(),
    }
}

/// A broker key's value in its kept form, or why it is refused.
///
/// A value that topics inherit must also be one that the topic key takes: Kafka's table leaves
/// bounds out where another check of its start has them.
pub fn broker_canonical(row: &BrokerKey, raw: &str) -> Result<String, String> {
    let name = row.key.name;
    let value = row.key.canonical(raw)?;
    if let Some(topic) = TOPIC_KEYS
        .iter()
        .find(|topic| topic.synonyms.contains(&name))
    {
        let inherited = layers::in_topic_unit(name, &value);
        topic
            .key
            .canonical(&inherited)
            .map_err(|why| why.replacen(topic.key.name, name, 1))?;
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_their_defaults_are_valid() {
        assert!(TOPIC_KEYS.is_sorted_by(|a, b| a.key.name < b.key.name));
        assert!(BROKER_KEYS.is_sorted_by(|a, b| a.key.name < b.key.name));
        let keys = TOPIC_KEYS
            .iter()
            .map(|row| row.key)
            .chain(BROKER_KEYS.iter().map(|row| row.key));
        for key in keys {
            let Some(default) = key.default else { continue };
            assert_eq!(
                key.canonical(default).as_deref(),
                Ok(default),
                "{}",
                key.name
            );
            assert!(key.doc.ends_with('.'), "{}", key.name);
        }
    }

    #[test]
    fn synonyms_are_broker_keys_with_the_same_default() {
        let nothing = StaticConfig::default();
        let layers = Layers {
            topic: None,
            broker: None,
            cluster: None,
            fixed: &nothing,
        };
        for row in TOPIC_KEYS.iter().filter(|row| !row.synonyms.is_empty()) {
            for name in row.synonyms {
                let synonym = broker_key(name).expect("a synonym is a broker key");
                let by_unit = ["hours", "minutes"].iter().any(|unit| name.ends_with(unit));
                assert!(
                    by_unit
                        || synonym.key.check == row.key.check
                        || synonym.key.check == Check::Any,
                    "{name} and {} take different values",
                    row.key.name
                );
            }
            assert_eq!(
                layers.topic_value(row).as_deref(),
                row.key.default,
                "{}",
                row.key.name
            );
        }
    }

    #[test]
    fn inherited_values_keep_the_bounds_of_the_topic_key() {
        let refused = |name: &str, raw| broker_canonical(broker_key(name).unwrap(), raw).is_err();
        assert!(refused("log.flush.interval.ms", "-1"));
        assert!(refused("log.roll.ms", "0"));
        assert!(refused("log.retention.ms", "-2"));
        assert!(!refused("log.retention.hours", "-2"));
        assert!(!refused("log.retention.ms", "-1"));
    }

    #[test]
    fn retired_keys_are_not_in_the_table() {
        assert!(
            RETIRED_TOPIC_KEYS
                .iter()
                .all(|name| topic_key(name).is_none())
        );
    }
}
