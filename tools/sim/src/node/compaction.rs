//! Compacted topics: what a seed decides about them, in Kafka's names.

use super::plan::DAY_MS;
use crate::rng::Rng;

/// Percent of topics that are compacted.
const COMPACTED_PERCENT: u64 = 25;

/// How a topic is compacted.
#[derive(Clone, Copy, Debug)]
pub(super) struct CompactionPlan {
    /// How many keys there are.
    pub keys: u64,
    /// Whether retention takes segments as well.
    pub deletes: bool,
    /// `delete.retention.ms`.
    delete_retention_ms: i64,
    min_lag_ms: u64,
    dirty_ratio: &'static str,
}

impl CompactionPlan {
    /// Draws whether a topic is compacted, and how.
    pub(super) fn draw(rng: &mut Rng) -> Option<Self> {
        rng.percent(COMPACTED_PERCENT).then(|| Self {
            keys: *rng.pick(&[3, 40, 3000]),
            deletes: rng.percent(30),
            delete_retention_ms: *rng.pick(&[0, 300, DAY_MS]),
            min_lag_ms: *rng.pick(&[0, 0, 100]),
            dirty_ratio: *rng.pick(&["0.0", "0.0", "0.5"]),
        })
    }

    /// Whether no seed lasts for long enough that a tombstone may go.
    pub(super) const fn keeps_tombstones(&self) -> bool {
        self.delete_retention_ms >= DAY_MS
    }

    /// Kafka's names and values of it.
    pub(super) fn configs(&self) -> [(&'static str, String); 4] {
        let policy = if self.deletes {
            "compact,delete"
        } else {
            "compact"
        };
        [
            ("cleanup.policy", policy.to_owned()),
            ("delete.retention.ms", self.delete_retention_ms.to_string()),
            ("min.compaction.lag.ms", self.min_lag_ms.to_string()),
            ("min.cleanable.dirty.ratio", self.dirty_ratio.to_owned()),
        ]
    }
}
