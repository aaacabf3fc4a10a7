//! Which segments may go (`retention.ms`, `retention.bytes`): a decision without I/O.

use engine_rt::mutant::{self, Mutant};

use crate::partition::PartitionLog;

impl PartitionLog {
    /// The log start that retention asks for at wall clock `now_ms`; `None` if nothing may go.
    /// Whole segments only. The active segment goes too when all of it has expired: the caller rolls
    /// it by moving the log start to the high watermark.
    pub fn retention_start(&self, now_ms: i64) -> Option<i64> {
        if !self.config.delete {
            return None;
        }
        let mut size = self.size_bytes();
        let mut start = self.log_start;
        for segment in &self.segments {
            if segment.durable_offset != segment.next_offset {
                break;
            }
            // A segment without timestamps ages from its creation, as in Kafka.
            let newest = if segment.max_timestamp >= 0 {
                segment.max_timestamp
            } else {
                segment.created_ms
            };
            let expired = self.config.retention_ms >= 0
                && now_ms.saturating_sub(newest) > self.config.retention_ms;
            let active = segment.next_offset == self.next_offset;
            let oversized = self.config.retention_bytes >= 0
                && !active
                && (size - segment.len >= self.config.retention_bytes as u64
                    || mutant::is_active(Mutant::RetentionOneTooMany));
            if !expired && !oversized {
                break;
            }
            size -= segment.len;
            start = segment.next_offset;
        }
        (start > self.log_start).then_some(start)
    }

    /// Ends the active segment if it has batches, so that the next one goes to a new one.
    pub fn needs_roll(&self, now_ms: i64) -> bool {
        self.segments.back().is_some_and(|active| {
            active.len > 0 && now_ms.saturating_sub(active.created_ms) >= self.config.roll_ms()
        })
    }
}
