//! What `DescribeConfigs` shows: rows with their source and synonyms (KIP-133, KIP-226, KIP-569).

use super::{
    BROKER_KEYS, BrokerKey, CLIENT_METRICS_KEYS, ConfigKey, ConfigMap, ConfigType, GROUP_KEYS,
    Layers, TOPIC_KEYS, TopicKey, UpdateMode, broker_key, broker_synonyms, group_value,
};

/// Where a value comes from, numbered as on the wire (`ConfigEntry.ConfigSource`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub enum ConfigSource {
    /// Set on the topic.
    Topic = 1,
    /// Set on this broker while it ran.
    DynamicBroker = 2,
    /// Set for all brokers while they ran.
    DynamicDefaultBroker = 3,
    /// Given at start.
    StaticBroker = 4,
    /// Set by nobody.
    Default = 5,
    /// Set on a logger while the broker runs.
    DynamicBrokerLogger = 6,
    /// Set on a subscription to client metrics.
    ClientMetrics = 7,
    /// Set on a group.
    Group = 8,
}

/// One layer's value for a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synonym {
    /// The key under which the layer has it.
    pub name: String,
    /// Its value; none for a secret.
    pub value: Option<String>,
    /// The layer.
    pub source: ConfigSource,
}

impl Synonym {
    /// A layer's value.
    pub fn new(name: &str, value: &str, source: ConfigSource) -> Self {
        Self {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            source,
        }
    }
}

/// One configuration of a resource as `DescribeConfigs` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigRow {
    /// The key.
    pub name: &'static str,
    /// The value in force; none where nothing is set, and for secrets.
    pub value: Option<String>,
    /// Whether it cannot be changed while the broker runs.
    pub read_only: bool,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether the value is a secret.
    pub sensitive: bool,
    /// Every layer's value, the strongest first.
    pub synonyms: Vec<Synonym>,
    /// Type of the value.
    pub kind: ConfigType,
    /// What the key does.
    pub documentation: &'static str,
}

/// The rows of a topic, sorted by name.
pub fn topic_rows(layers: &Layers<'_>) -> Vec<ConfigRow> {
    TOPIC_KEYS
        .iter()
        .filter(|row| !row.is_internal())
        .map(|row| topic_row(layers, row))
        .collect()
}

fn topic_row(layers: &Layers<'_>, row: &TopicKey) -> ConfigRow {
    let own = layers.topic.and_then(|map| map.get(row.key.name));
    let own = own.map(|value| Synonym::new(row.key.name, value, ConfigSource::Topic));
    let inherited = row
        .synonyms
        .first()
        .map(|asked| layers.synonyms(asked, row.synonyms));
    let synonyms: Vec<Synonym> = own
        .into_iter()
        .chain(inherited.unwrap_or_default())
        .collect();
    ConfigRow {
        name: row.key.name,
        value: layers.topic_value(row),
        read_only: false,
        source: synonyms
            .first()
            .map_or(ConfigSource::Default, |first| first.source),
        sensitive: false,
        synonyms,
        kind: row.key.kind,
        documentation: row.key.doc,
    }
}

/// The rows of a broker, sorted by name.
pub fn broker_rows(layers: &Layers<'_>) -> Vec<ConfigRow> {
    let rows = BROKER_KEYS.iter().map(|row| (row, broker_row(layers, row)));
    rows.filter(|(row, shown)| {
        row.update != UpdateMode::Unlisted || shown.source != ConfigSource::Default
    })
    .map(|(_, shown)| shown)
    .collect()
}

fn broker_row(layers: &Layers<'_>, row: &BrokerKey) -> ConfigRow {
    let name = row.key.name;
    let sensitive = row.key.kind == ConfigType::Password;
    let mut synonyms = layers.synonyms(name, &broker_synonyms(name));
    if sensitive {
        for synonym in &mut synonyms {
            synonym.value = None;
        }
    }
    ConfigRow {
        name,
        value: layers
            .broker_value(name)
            .filter(|_| !sensitive)
            .map(str::to_owned),
        read_only: row.is_read_only(),
        source: synonyms
            .first()
            .map_or(ConfigSource::Default, |first| first.source),
        sensitive,
        synonyms,
        kind: row.key.kind,
        documentation: row.key.doc,
    }
}

/// The rows of the cluster's dynamic defaults (broker resource with an empty name): only what is
/// set, as in Kafka.
pub fn cluster_default_rows(layers: &Layers<'_>) -> Vec<ConfigRow> {
    let set = layers.cluster.into_iter().flatten();
    set.filter_map(|(name, value)| {
        let row = broker_key(name)?;
        Some(ConfigRow {
            name: row.key.name,
            value: Some(value.clone()),
            read_only: row.is_read_only(),
            source: ConfigSource::DynamicDefaultBroker,
            sensitive: false,
            synonyms: vec![Synonym::new(
                name,
                value,
                ConfigSource::DynamicDefaultBroker,
            )],
            kind: row.key.kind,
            documentation: row.key.doc,
        })
    })
    .collect()
}

/// The rows of a group with these values of its own, sorted by name.
///
/// Kafka names no layer behind a group's own value, so neither does this.
pub fn group_rows(layers: &Layers<'_>, own: Option<&ConfigMap>) -> Vec<ConfigRow> {
    let rows = GROUP_KEYS.iter();
    rows.map(|row| {
        let value = group_value(row, own, layers);
        named_row(&row.key, value, own, ConfigSource::Group)
    })
    .collect()
}

/// The rows of a subscription to client metrics with these values, sorted by name.
pub fn client_metrics_rows(own: Option<&ConfigMap>) -> Vec<ConfigRow> {
    let rows = CLIENT_METRICS_KEYS.iter();
    rows.map(|key| {
        let set = own.and_then(|map| map.get(key.name)).map(String::as_str);
        let value = set.or(key.default).map(str::to_owned);
        named_row(key, value, own, ConfigSource::ClientMetrics)
    })
    .collect()
}

fn named_row(
    key: &ConfigKey,
    value: Option<String>,
    own: Option<&ConfigMap>,
    source: ConfigSource,
) -> ConfigRow {
    let set = own.and_then(|map| map.get(key.name));
    ConfigRow {
        name: key.name,
        value,
        read_only: false,
        source: set.map_or(ConfigSource::Default, |_| source),
        sensitive: false,
        synonyms: set
            .map(|value| Synonym::new(key.name, value, source))
            .into_iter()
            .collect(),
        kind: key.kind,
        documentation: key.doc,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ConfigMap, StaticConfig};
    use super::*;

    fn map(values: &[(&str, &str)]) -> ConfigMap {
        values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn row(rows: &[ConfigRow], name: &str) -> ConfigRow {
        rows.iter()
            .find(|row| row.name == name)
            .expect("the row is there")
            .clone()
    }

    /// The row as a broker of Kafka 4.1.1 printed it for the same layers.
    fn print(row: &ConfigRow) -> String {
        let synonym = |s: &Synonym| {
            format!(
                "{}={}@{:?}",
                s.name,
                s.value.as_deref().unwrap_or("null"),
                s.source
            )
        };
        let synonyms: Vec<String> = row.synonyms.iter().map(synonym).collect();
        format!(
            "{} {:?} [{}]",
            row.value.as_deref().unwrap_or("null"),
            row.source,
            synonyms.join(", ")
        )
    }

    const TOPIC: &[(&str, &str)] = &[
        (
            "retention.ms",
            "12345 Topic [retention.ms=12345@Topic, log.retention.ms=777777@DynamicBroker, \
             log.retention.hours=100@StaticBroker, log.retention.hours=168@Default]",
        ),
        (
            "segment.bytes",
            "1048576 Topic [segment.bytes=1048576@Topic, \
             log.segment.bytes=2097152@DynamicDefaultBroker, log.segment.bytes=1073741824@Default]",
        ),
        // Flumen's own default is 1; the layers are Kafka's.
        (
            "flush.messages",
            "1 Topic [flush.messages=1@Topic, log.flush.interval.messages=7@StaticBroker, \
             log.flush.interval.messages=1@Default]",
        ),
        ("segment.ms", "604800000 Default []"),
        ("flush.ms", "9223372036854775807 Default []"),
        ("segment.jitter.ms", "0 Default []"),
        ("remote.storage.enable", "false Default []"),
        (
            "max.message.bytes",
            "1048588 Default [message.max.bytes=1048588@Default]",
        ),
        (
            "file.delete.delay.ms",
            "60000 Default [log.segment.delete.delay.ms=60000@Default]",
        ),
        ("leader.replication.throttled.replicas", " Default []"),
    ];

    const BROKER: &[(&str, &str)] = &[
        (
            "log.retention.ms",
            "777777 DynamicBroker [log.retention.ms=777777@DynamicBroker, \
             log.retention.hours=100@StaticBroker, log.retention.hours=168@Default]",
        ),
        ("log.flush.interval.ms", "null Default []"),
        ("log.retention.minutes", "null Default []"),
        ("num.partitions", "1 Default [num.partitions=1@Default]"),
        ("advertised.listeners", "null Default []"),
    ];

    #[test]
    fn rows_are_those_of_kafka() {
        let topic = map(&[
            ("retention.ms", "12345"),
            ("segment.bytes", "1048576"),
            ("flush.messages", "1"),
        ]);
        let broker = map(&[("log.retention.ms", "777777")]);
        let cluster = map(&[("log.segment.bytes", "2097152")]);
        let fixed = StaticConfig::from_settings([
            ("log.retention.hours", "100"),
            ("log.flush.interval.messages", "7"),
        ])
        .unwrap();
        let layers = Layers {
            topic: Some(&topic),
            broker: Some(&broker),
            cluster: Some(&cluster),
            fixed: &fixed,
        };
        let of_topic = topic_rows(&layers);
        assert_eq!(of_topic.len(), 33);
        for (rows, expected) in [(of_topic, TOPIC), (broker_rows(&layers), BROKER)] {
            for (name, printed) in expected {
                assert_eq!(print(&row(&rows, name)), *printed, "{name}");
            }
        }
        let defaults = cluster_default_rows(&layers);
        assert_eq!(defaults.len(), 1);
        let printed =
            "2097152 DynamicDefaultBroker [log.segment.bytes=2097152@DynamicDefaultBroker]";
        assert_eq!(print(&defaults[0]), printed);
    }

    #[test]
    fn groups_inherit_from_the_broker() {
        let fixed =
            StaticConfig::from_settings([("group.consumer.session.timeout.ms", "50000")]).unwrap();
        let layers = Layers {
            topic: None,
            broker: None,
            cluster: None,
            fixed: &fixed,
        };
        let own = map(&[("consumer.heartbeat.interval.ms", "6000")]);
        let rows = group_rows(&layers, Some(&own));
        assert_eq!(rows.len(), 10);
        let printed = |name| print(&row(&rows, name));
        assert_eq!(
            printed("consumer.heartbeat.interval.ms"),
            "6000 Group [consumer.heartbeat.interval.ms=6000@Group]"
        );
        assert_eq!(printed("consumer.session.timeout.ms"), "50000 Default []");
        assert_eq!(printed("share.auto.offset.reset"), "latest Default []");
    }

    #[test]
    fn subscriptions_show_what_is_set_and_defaults() {
        let own = map(&[("interval.ms", "5000")]);
        let rows = client_metrics_rows(Some(&own));
        let printed: Vec<String> = rows.iter().map(print).collect();
        let interval = "5000 ClientMetrics [interval.ms=5000@ClientMetrics]";
        assert_eq!(printed, [interval, " Default []", " Default []"]);
    }

    #[test]
    fn what_is_not_in_the_broker_is_shown_where_it_is_set() {
        let nothing = StaticConfig::default();
        let name = "leader.replication.throttled.rate";
        let broker = map(&[(name, "5")]);
        let mut layers = Layers {
            topic: None,
            broker: None,
            cluster: None,
            fixed: &nothing,
        };
        let shown = |layers: &Layers<'_>| broker_rows(layers).iter().any(|row| row.name == name);
        assert!(!shown(&layers));
        layers.broker = Some(&broker);
        assert!(shown(&layers));
    }

    #[test]
    fn only_some_keys_change_while_running() {
        let nothing = StaticConfig::default();
        let layers = Layers {
            topic: None,
            broker: None,
            cluster: None,
            fixed: &nothing,
        };
        let rows = broker_rows(&layers);
        assert_eq!(rows.len(), 316);
        for name in ["log.retention.ms", "num.io.threads", "ssl.key.password"] {
            assert!(!row(&rows, name).read_only, "{name}");
        }
        for name in [
            "log.retention.hours",
            "num.partitions",
            "node.id",
            "auto.create.topics.enable",
        ] {
            assert!(row(&rows, name).read_only, "{name}");
        }
    }
}
