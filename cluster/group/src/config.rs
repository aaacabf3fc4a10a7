//! Settings and bounds of a coordinator.

use crate::consumer::ConsumerConfig;

/// What an operator sets, and what clients may make a coordinator hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `group.min.session.timeout.ms`.
    pub session_timeout_min_ms: i32,
    /// `group.max.session.timeout.ms`.
    pub session_timeout_max_ms: i32,
    /// `group.max.size`: members of a group.
    pub group_size_max: usize,
    /// `group.initial.rebalance.delay.ms`: how long an empty group waits for more to join.
    pub initial_rebalance_delay_ms: u64,
    /// `offset.metadata.max.bytes`: text beside an offset.
    pub offset_metadata_bytes_max: usize,
    /// `offsets.retention.minutes`.
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`.
    pub retention_check_ms: u64,
    /// What a group's members say and are assigned, in bytes.
    pub group_bytes_max: usize,
    /// Groups of a coordinator.
    pub groups_max: usize,
    /// Committed offsets of a coordinator.
    pub offsets_max: usize,
    /// For groups of the consumer protocol.
    pub consumer: ConsumerConfig,
    /// `group.consumer.migration.policy`.
    pub migration: Migration,
}

/// Which way a group with members may change between the two protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// From the classic to the consumer protocol.
    pub upgrades: bool,
    /// Back, when the last member of the consumer protocol goes.
    pub downgrades: bool,
}

impl Default for Config {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            session_timeout_min_ms: 6_000,
            session_timeout_max_ms: 1_800_000,
            group_size_max: i32::MAX as usize,
            initial_rebalance_delay_ms: 3_000,
            offset_metadata_bytes_max: 4_096,
            offsets_retention_ms: 7 * 24 * 3_600_000,
            retention_check_ms: 600_000,
            group_bytes_max: 16 << 20,
            groups_max: 100_000,
            offsets_max: 1_000_000,
            consumer: ConsumerConfig::default(),
            migration: Migration {
                upgrades: true,
                downgrades: true,
            },
        }
    }
}
