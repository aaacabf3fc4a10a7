//! What compaction may take, as the operator's settings say (`log.cleaner.*`); most of them may change
//! while the node runs.

use cluster_meta::config::Layers;
use engine_shard::CompactionOptions;

/// What the compaction of a node reads in a second if nobody says more or less; it writes no more than
/// that.
const BYTES_PER_SECOND: u64 = 32 << 20;

/// A shard's part of the node.
#[derive(Clone, Copy, Debug)]
pub(super) struct CleanerShare {
    /// Shards of the node: each has a cleaner of its own.
    pub(super) shards: u64,
    /// Memory for keys that the node's budget has.
    pub(super) key_bytes_max: u64,
}

impl CleanerShare {
    /// What one shard's compaction may take.
    pub(super) fn options(self, layers: &Layers<'_>) -> CompactionOptions {
        if !layers.fixed.flag("log.cleaner.enable") {
            return CompactionOptions::default();
        }
        let number = |name| layers.broker_value(name)?.parse::<f64>().ok();
        let rate = number("log.cleaner.io.max.bytes.per.second");
        let rate = rate.filter(|rate| *rate < f64::MAX);
        let rate = rate.map_or(BYTES_PER_SECOND, |rate| rate as u64);
        let keys = number("log.cleaner.dedupe.buffer.size").unwrap_or_default();
        let backoff = number("log.cleaner.backoff.ms").unwrap_or_default();
        CompactionOptions {
            bytes_per_second: (rate / self.shards).max(1),
            interval_ms: backoff as u64,
            keys_bytes: (keys as u64 / self.shards).min(self.key_bytes_max),
        }
    }
}

#[cfg(test)]
mod tests {
    use cluster_meta::config::{ConfigMap, StaticConfig};

    use super::*;

    const SHARE: CleanerShare = CleanerShare {
        shards: 2,
        key_bytes_max: 1 << 20,
    };

    fn options(fixed: &[(&str, &str)], changed: &[(&str, &str)]) -> CompactionOptions {
        let fixed = StaticConfig::from_settings(fixed.iter().copied()).unwrap();
        let pairs = changed.iter();
        let pairs = pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let changed: ConfigMap = pairs.collect();
        SHARE.options(&Layers {
            topic: None,
            broker: None,
            cluster: Some(&changed),
            fixed: &fixed,
        })
    }

    #[test]
    fn what_nobody_sets_is_bounded() {
        let expected = CompactionOptions {
            bytes_per_second: 16 << 20,
            interval_ms: 15_000,
            keys_bytes: 1 << 20,
        };
        assert_eq!(options(&[], &[]), expected);
    }

    #[test]
    fn what_is_changed_wins_and_is_shared_by_the_shards() {
        let fixed = [
            ("log.cleaner.io.max.bytes.per.second", "10000.5"),
            ("log.cleaner.dedupe.buffer.size", "4096"),
        ];
        let changed = [
            ("log.cleaner.io.max.bytes.per.second", "1"),
            ("log.cleaner.backoff.ms", "7"),
        ];
        let found = options(&fixed, &[]);
        assert_eq!((found.bytes_per_second, found.keys_bytes), (5000, 2048));
        let found = options(&fixed, &changed);
        assert_eq!((found.bytes_per_second, found.interval_ms), (1, 7));
        let off = options(&[("log.cleaner.enable", "false")], &changed);
        assert_eq!(off, CompactionOptions::default());
    }
}
