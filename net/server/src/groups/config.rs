//! What the operator has set for groups.

use cluster_group::consumer::assignor::Assignor;
use cluster_group::consumer::{ConsumerConfig, Timing};
use cluster_group::{Config, Migration};
use cluster_meta::config::{StaticConfig, elements};

/// What the operator has set.
pub(super) fn config_of(fixed: &StaticConfig) -> Config {
    let defaults = Config::default();
    let integer = |name, default| fixed.integer(name).unwrap_or(default);
    let size = |name, default: usize| usize::try_from(integer(name, default as i64)).unwrap_or(0);
    let bounded = |name, default: i32| integer(name, default.into()) as i32;
    let ms = |name, default: u64| u64::try_from(integer(name, default as i64)).unwrap_or(0);
    Config {
        session_timeout_min_ms: bounded(
            "group.min.session.timeout.ms",
            defaults.session_timeout_min_ms,
        ),
        session_timeout_max_ms: bounded(
            "group.max.session.timeout.ms",
            defaults.session_timeout_max_ms,
        ),
        group_size_max: size("group.max.size", defaults.group_size_max),
        initial_rebalance_delay_ms: ms(
            "group.initial.rebalance.delay.ms",
            defaults.initial_rebalance_delay_ms,
        ),
        // A record's text has this bound whatever is set.
        offset_metadata_bytes_max: size(
            "offset.metadata.max.bytes",
            defaults.offset_metadata_bytes_max,
        )
        .min(i16::MAX as usize),
        offsets_retention_ms: integer("offsets.retention.minutes", 10_080).saturating_mul(60_000),
        retention_check_ms: ms(
            "offsets.retention.check.interval.ms",
            defaults.retention_check_ms,
        ),
        consumer: consumer_config(fixed),
        migration: migration(fixed),
        ..defaults
    }
}

/// The same for groups of the consumer protocol.
fn consumer_config(fixed: &StaticConfig) -> ConsumerConfig {
    let integer = |name| fixed.integer(name).unwrap_or_default();
    ConsumerConfig {
        timing: Timing {
            session_timeout_ms: integer("group.consumer.session.timeout.ms").max(0) as u64,
            heartbeat_interval_ms: integer("group.consumer.heartbeat.interval.ms") as i32,
        },
        group_size_max: usize::try_from(integer("group.consumer.max.size")).unwrap_or(0),
        assignors: assignors(fixed),
        ..ConsumerConfig::default()
    }
}

/// Whether the consumer protocol is spoken.
pub(super) fn serves_consumers(fixed: &StaticConfig) -> bool {
    let protocols = fixed.value("group.coordinator.rebalance.protocols");
    elements(protocols.unwrap_or_default()).any(|one| one == "consumer")
}

/// The assignors that are set, by their names or as the classes that Kafka has for them.
fn assignors(fixed: &StaticConfig) -> Vec<Assignor> {
    let list = fixed.value("group.consumer.assignors").unwrap_or_default();
    let named = |text: &str| {
        let name = text
            .strip_prefix("org.apache.kafka.coordinator.group.assignor.")
            .and_then(|class| class.strip_suffix("Assignor"))
            .unwrap_or(text);
        Assignor::from_name(&name.to_ascii_lowercase())
    };
    let set: Vec<Assignor> = elements(list).filter_map(named).collect();
    if set.is_empty() {
        return Assignor::ALL.to_vec();
    }
    set
}

fn migration(fixed: &StaticConfig) -> Migration {
    let policy = fixed.value("group.consumer.migration.policy");
    let is = |name: &str| policy.is_some_and(|policy| policy.eq_ignore_ascii_case(name));
    Migration {
        upgrades: is("bidirectional") || is("upgrade"),
        downgrades: is("bidirectional") || is("downgrade"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_those_of_the_operator() {
        assert_eq!(config_of(&StaticConfig::default()), Config::default());
        let fixed = StaticConfig::from_settings([
            ("group.initial.rebalance.delay.ms", "0"),
            ("group.max.size", "7"),
            ("offsets.retention.minutes", "1"),
            ("offset.metadata.max.bytes", "100000"),
            ("group.consumer.max.size", "3"),
            ("group.consumer.session.timeout.ms", "50000"),
            ("group.consumer.assignors", "range"),
            ("group.consumer.migration.policy", "Upgrade"),
        ]);
        let config = config_of(&fixed.unwrap());
        assert_eq!(config.initial_rebalance_delay_ms, 0);
        assert_eq!(config.group_size_max, 7);
        assert_eq!(config.offsets_retention_ms, 60_000);
        assert_eq!(config.offset_metadata_bytes_max, 32_767);
        assert_eq!(config.consumer.group_size_max, 3);
        assert_eq!(config.consumer.timing.session_timeout_ms, 50_000);
        assert_eq!(config.consumer.assignors, [Assignor::Range]);
        assert!(config.migration.upgrades && !config.migration.downgrades);
    }
}
