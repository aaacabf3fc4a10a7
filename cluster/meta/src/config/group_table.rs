//! The tables of group and client-metrics configurations (`GroupConfig`, `ClientMetricsConfigs`).
//!
//! Names, types, defaults and bounds are those that the classes of Kafka 4.1.1 print.

use super::key::Check::{Any, AtLeast, OffsetReset, OneOf};
use super::key::{ConfigKey, ConfigType};
use super::{ConfigMap, Layers, group_key, group_value};

/// A key of a group's configuration, and the broker keys that give its default and its bounds.
#[derive(Debug, Clone, Copy)]
pub struct GroupKey {
    /// The key itself.
    pub key: ConfigKey,
    /// The broker key whose value counts where the group has none.
    pub inherits: Option<&'static str>,
    /// The broker key with the smallest value that a group may have.
    pub least: Option<&'static str>,
    /// The broker key with the largest.
    pub most: Option<&'static str>,
}

const ISOLATION_LEVELS: &[&str] = &["read_committed", "read_uncommitted"];

macro_rules! group_keys {
    ($(
        $name:literal: $kind:ident = $default:literal, $check:expr,
        inherits $inherits:expr, least $least:expr, most $most:expr, $doc:literal;
    )*) => {
        /// Every key of a group, sorted by name.
        pub static GROUP_KEYS: &[GroupKey] = &[$(GroupKey {
            key: ConfigKey {
                name: $name,
                kind: ConfigType::$kind,
                default: Some($default),
                check: $check,
                doc: $doc,
            },
            inherits: $inherits,
            least: $least,
            most: $most,
        }),*];
    };
}

group_keys! {
    "consumer.heartbeat.interval.ms": Int = "5000", AtLeast(1),
        inherits Some("group.consumer.heartbeat.interval.ms"),
        least Some("group.consumer.min.heartbeat.interval.ms"),
        most Some("group.consumer.max.heartbeat.interval.ms"),
        "Heartbeat interval told to members of the consumer protocol.";
    "consumer.session.timeout.ms": Int = "45000", AtLeast(1),
        inherits Some("group.consumer.session.timeout.ms"),
        least Some("group.consumer.min.session.timeout.ms"),
        most Some("group.consumer.max.session.timeout.ms"),
        "Silence after which a member of the consumer protocol is removed.";
    "share.auto.offset.reset": String = "latest", OffsetReset,
        inherits None, least None, most None,
        "Where a share group begins in a partition: earliest, latest, or by_duration: with a \
         duration back from now. Flumen does not act on it.";
    "share.heartbeat.interval.ms": Int = "5000", AtLeast(1),
        inherits Some("group.share.heartbeat.interval.ms"),
        least Some("group.share.min.heartbeat.interval.ms"),
        most Some("group.share.max.heartbeat.interval.ms"),
        "Heartbeat interval told to members of a share group. Flumen does not act on it.";
    "share.isolation.level": String = "read_uncommitted", OneOf(ISOLATION_LEVELS),
        inherits None, least None, most None,
        "Whether a share group sees records of open and aborted transactions. Flumen does not act \
         on it.";
    "share.record.lock.duration.ms": Int = "30000", AtLeast(1000),
        inherits Some("group.share.record.lock.duration.ms"),
        least Some("group.share.min.record.lock.duration.ms"),
        most Some("group.share.max.record.lock.duration.ms"),
        "How long a share consumer holds a record. Flumen does not act on it.";
    "share.session.timeout.ms": Int = "45000", AtLeast(1),
        inherits Some("group.share.session.timeout.ms"),
        least Some("group.share.min.session.timeout.ms"),
        most Some("group.share.max.session.timeout.ms"),
        "Silence after which a member of a share group is removed. Flumen does not act on it.";
    "streams.heartbeat.interval.ms": Int = "5000", AtLeast(1),
        inherits Some("group.streams.heartbeat.interval.ms"),
        least Some("group.streams.min.heartbeat.interval.ms"),
        most Some("group.streams.max.heartbeat.interval.ms"),
        "Heartbeat interval told to members of a streams group. Flumen does not act on it.";
    "streams.num.standby.replicas": Int = "0", AtLeast(0),
        inherits Some("group.streams.num.standby.replicas"),
        least None,
        most Some("group.streams.max.standby.replicas"),
        "Standby replicas of each task of a streams group. Flumen does not act on it.";
    "streams.session.timeout.ms": Int = "45000", AtLeast(1),
        inherits Some("group.streams.session.timeout.ms"),
        least Some("group.streams.min.session.timeout.ms"),
        most Some("group.streams.max.session.timeout.ms"),
        "Silence after which a member of a streams group is removed. Flumen does not act on it.";
}

/// Bounds that the broker sets, and rules over more than one key.
pub(crate) fn check_group(configs: &ConfigMap, layers: &Layers<'_>) -> Result<(), String> {
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
    let value = |name: &str| {
        let row = group_key(name)?;
        number(group_value(row, Some(configs), layers).as_deref())
    };
    for row in GROUP_KEYS {
        let name = row.key.name;
        let bound = |broker: &str| number(layers.broker_value(broker));
        if let Some(least) = row.least
            && value(name) < bound(least)
        {
            return Err(format!("{name} must be greater than or equal to {least}"));
        }
        if let Some(most) = row.most
            && value(name) > bound(most)
        {
            return Err(format!("{name} must be less than or equal to {most}"));
        }
    }
    for kind in ["consumer", "share", "streams"] {
        let session = format!("{kind}.session.timeout.ms");
        let heartbeat = format!("{kind}.heartbeat.interval.ms");
        if value(&session) <= value(&heartbeat) {
            return Err(format!("{session} must be greater than {heartbeat}"));
        }
    }
    Ok(())
}

/// The key of a subscription to client metrics that says how often clients push.
pub const PUSH_INTERVAL: &str = "interval.ms";
/// The one that says which clients do.
pub const CLIENT_MATCH: &str = "match";
/// The one that says which metrics they push.
pub const CLIENT_METRICS: &str = "metrics";

/// Every key of a subscription to client metrics, sorted by name.
pub static CLIENT_METRICS_KEYS: &[ConfigKey] = &[
    ConfigKey {
        name: PUSH_INTERVAL,
        kind: ConfigType::Int,
        default: Some("300000"),
        check: Any,
        doc: "How often clients push their metrics, with flumen.client.telemetry.",
    },
    ConfigKey {
        name: CLIENT_MATCH,
        kind: ConfigType::List,
        default: Some(""),
        check: Any,
        doc: "Which clients push, by patterns that match the whole of what is known of them.",
    },
    ConfigKey {
        name: CLIENT_METRICS,
        kind: ConfigType::List,
        default: Some(""),
        check: Any,
        doc: "Which metrics they push, by the begin of their names; * stands for all.",
    },
];

#[cfg(test)]
mod tests {
    use super::super::broker_key;
    use super::*;

    #[test]
    fn tables_are_sorted_and_agree_with_the_broker() {
        assert!(GROUP_KEYS.is_sorted_by(|a, b| a.key.name < b.key.name));
        assert!(CLIENT_METRICS_KEYS.is_sorted_by(|a, b| a.name < b.name));
        let keys = GROUP_KEYS.iter().map(|row| &row.key);
        for key in keys.chain(CLIENT_METRICS_KEYS) {
            let default = key.default.expect("each has a default");
            assert_eq!(key.canonical(default).as_deref(), Ok(default));
            assert!(key.doc.ends_with('.'), "{}", key.name);
        }
        for row in GROUP_KEYS {
            let value = |name: &str| broker_key(name).expect("it is there").key.default;
            if let Some(inherits) = row.inherits {
                assert_eq!(value(inherits), row.key.default, "{inherits}");
                assert_eq!(inherits, format!("group.{}", row.key.name));
            }
            let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
            let default = number(row.key.default);
            let bound = |name: Option<&str>| number(value(name?));
            assert!(bound(row.least).is_none_or(|least| Some(least) <= default));
            assert!(bound(row.most).is_none_or(|most| Some(most) >= default));
        }
    }
}
