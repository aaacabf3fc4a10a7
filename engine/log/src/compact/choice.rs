//! What of a log is cleaned, and when: decisions without I/O.

use crate::partition::{LogConfig, PartitionLog};
use crate::segment::Segment;
use crate::segment::layout::SegmentName;

/// Index entries keep four bytes of an offset; Kafka's keep one bit less.
const OFFSETS_MAX: i64 = i32::MAX as i64;

/// What a cleaning of a partition would find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cleanable {
    /// First offset that no cleaning has seen.
    pub dirty_from: i64,
    /// Offset where the first segment begins that may not be cleaned yet.
    pub until: i64,
    /// Bytes of segments before the dirty ones.
    pub clean_bytes: u64,
    /// Bytes of segments that no cleaning has seen as a whole.
    pub dirty_bytes: u64,
    /// Whether `max.compaction.lag.ms` asks for it.
    pub is_overdue: bool,
}

impl Cleanable {
    /// Whether it is worth it.
    pub fn is_due(&self, config: &LogConfig) -> bool {
        self.is_overdue || self.dirty_millionths() > u64::from(config.min_cleanable_millionths)
    }

    /// The dirty share of the log, in millionths.
    pub fn dirty_millionths(&self) -> u64 {
        let all = u128::from(self.clean_bytes + self.dirty_bytes).max(1);
        (u128::from(self.dirty_bytes) * 1_000_000 / all) as u64
    }
}

/// Neighbours that become one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The segments, oldest first.
    pub names: Vec<SegmentName>,
    /// Offset after the last one.
    pub next_offset: i64,
    /// Their bytes.
    pub bytes: u64,
}

impl PartitionLog {
    /// What could be cleaned at wall clock `now_ms`; `None` if nothing of it is dirty, or it is not
    /// compacted. The active segment is never cleaned, and nothing from the high watermark on.
    pub fn cleanable(&self, now_ms: i64) -> Option<Cleanable> {
        let dirty_from = self.dirty_from().filter(|_| self.config.compact)?;
        let mut found = Cleanable {
            dirty_from,
            until: dirty_from,
            clean_bytes: 0,
            dirty_bytes: 0,
            is_overdue: false,
        };
        let sealed = self.segments.len().saturating_sub(1);
        for segment in self.segments.iter().take(sealed) {
            let is_dirty = segment.next_offset > dirty_from;
            let is_young = is_dirty && self.is_young(segment, now_ms);
            if !segment.sealed || segment.next_offset > self.high_watermark || is_young {
                break;
            }
            found.until = segment.next_offset;
            if is_dirty {
                found.dirty_bytes += segment.len;
                found.is_overdue |= self.is_overdue(segment, now_ms);
            } else {
                found.clean_bytes += segment.len;
            }
        }
        (found.dirty_bytes > 0).then_some(found)
    }

    /// First offset that no cleaning has seen.
    fn dirty_from(&self) -> Option<i64> {
        let first = self
            .segments
            .iter()
            .find(|segment| segment.clean_to < segment.next_offset);
        Some(first?.clean_to.max(self.log_start))
    }

    fn is_young(&self, segment: &Segment, now_ms: i64) -> bool {
        let lag = self.config.min_compaction_lag_ms;
        lag > 0 && newest_ms(segment) > now_ms.saturating_sub(lag)
    }

    /// Whether records of the segment have waited long enough. What is known of the oldest one is
    /// when the segment was begun and that it is no newer than the newest.
    fn is_overdue(&self, segment: &Segment, now_ms: i64) -> bool {
        let oldest = segment.created_ms.min(newest_ms(segment));
        oldest < now_ms.saturating_sub(self.config.max_compaction_lag_ms)
    }

    /// The segments that begin below `known_to`, neighbours together as long as they make one
    /// segment.
    pub(crate) fn groups(&self, known_to: i64) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let segments = self.segments.iter();
        for segment in segments.take_while(|segment| segment.base_offset < known_to) {
            match groups.last_mut() {
                Some(group) if self.fits(group, segment) => {
                    group.names.push(segment.name());
                    group.next_offset = segment.next_offset;
                    group.bytes += segment.len;
                },
                _ => groups.push(Group {
                    names: vec![segment.name()],
                    next_offset: segment.next_offset,
                    bytes: segment.len,
                }),
            }
        }
        groups
    }

    fn fits(&self, group: &Group, segment: &Segment) -> bool {
        let base = group.names[0].base_offset;
        group.bytes + segment.len <= self.config.segment_bytes
            && segment.next_offset - base <= OFFSETS_MAX
    }

    /// The number of the next cleaning: larger than that of any segment that the log has. `None` if
    /// there were more than can be counted.
    pub fn next_cleaning(&self) -> Option<u32> {
        let highest = self.segments.iter().map(|segment| segment.cleaning).max();
        highest.unwrap_or(0).checked_add(1)
    }
}

/// The age of a segment, as retention sees it.
fn newest_ms(segment: &Segment) -> i64 {
    if segment.max_timestamp >= 0 {
        segment.max_timestamp
    } else {
        segment.created_ms
    }
}

#[cfg(test)]
mod tests {
    use net_wire::Uuid;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::ids::TopicPartition;

    const ID: TopicPartition = TopicPartition {
        topic_id: Uuid::ZERO,
        partition: 0,
    };

    /// Sealed segments of ten records each, and an active one: bytes, cleaning, clean of ten, time.
    fn log(parts: &[(u64, u32, i64, i64)], config: LogConfig) -> PartitionLog {
        let mut log = PartitionLog::new(ID, 0, config);
        for (at, (bytes, cleaning, clean, time)) in (0..).zip(parts) {
            let name = SegmentName {
                base_offset: at * 10,
                cleaning: *cleaning,
            };
            let mut segment = Segment::named(ID, name, *time);
            (segment.len, segment.max_timestamp) = (*bytes, *time);
            segment.next_offset = name.base_offset + 10;
            segment.clean_to = name.base_offset + clean;
            segment.sealed = true;
            log.segments.push_back(segment);
        }
        let end = parts.len() as i64 * 10;
        log.segments.push_back(Segment::new(ID, end, 0));
        (log.next_offset, log.high_watermark) = (end, end);
        log
    }

    #[test]
    fn what_follows_the_last_cleaning_is_dirty() {
        let config = LogConfig {
            compact: true,
            min_cleanable_millionths: 499_999,
            ..LogConfig::default()
        };
        let parts = [
            (100, 3, 10, 0),
            (60, 2, 10, 0),
            (90, 0, 0, 0),
            (70, 0, 0, 0),
        ];
        let mut log = log(&parts, config);
        let found = log.cleanable(0).unwrap();
        assert_eq!((found.dirty_from, found.until), (20, 40));
        assert_eq!((found.clean_bytes, found.dirty_bytes), (160, 160));
        assert!(found.is_due(&config));
        log.segments[1].clean_to = 17;
        assert_eq!(log.cleanable(0).unwrap().dirty_from, 17);
        log.segments[2].sealed = false;
        assert_eq!(log.cleanable(0).unwrap().until, 20);
        log.segments[1].clean_to = 20;
        assert_eq!(log.cleanable(0), None);
        log.segments[2].sealed = true;
        log.high_watermark = 39;
        assert_eq!(log.cleanable(0).unwrap().until, 30);
        (log.high_watermark, log.log_start) = (40, 25);
        assert_eq!(log.cleanable(0).unwrap().dirty_from, 25);
    }

    #[test]
    fn lags_hold_back_and_hurry() {
        let config = LogConfig {
            compact: true,
            min_compaction_lag_ms: 100,
            max_compaction_lag_ms: 500,
            min_cleanable_millionths: 1_000_000,
            ..LogConfig::default()
        };
        let log = log(&[(9, 1, 10, 990), (9, 0, 0, 600), (9, 0, 0, 950)], config);
        let found = log.cleanable(1_000).unwrap();
        assert_eq!((found.dirty_from, found.until), (10, 20));
        assert!(!found.is_due(&config));
        assert!(log.cleanable(1_101).unwrap().is_due(&config));
        assert_eq!(log.cleanable(1_050).unwrap().until, 30);
    }

    proptest! {
        /// Groups are neighbours in order, all of them, as large as they may be.
        #[test]
        fn groups_are_neighbours(sizes in vec(1..100_u64, 1..40), known in 0..400_i64) {
            let config = LogConfig { segment_bytes: 150, ..LogConfig::default() };
            let parts: Vec<_> = sizes.iter().map(|bytes| (*bytes, 0, 0, 0)).collect();
            let log = log(&parts, config);
            let known = known.min(sizes.len() as i64 * 10);
            let groups = log.groups(known);
            let taken: Vec<SegmentName> = groups.iter().flat_map(|group| group.names.clone()).collect();
            let all = log.segments().map(Segment::name);
            let wanted: Vec<SegmentName> = all.take_while(|name| name.base_offset < known).collect();
            prop_assert_eq!(taken, wanted);
            let size = |name: &SegmentName| sizes[name.base_offset as usize / 10];
            for group in &groups {
                prop_assert_eq!(group.bytes, group.names.iter().map(size).sum::<u64>());
                prop_assert!(group.bytes <= 150 || group.names.len() == 1);
                prop_assert_eq!(group.next_offset, group.names.last().unwrap().base_offset + 10);
            }
            for pair in groups.windows(2) {
                prop_assert!(pair[0].bytes + size(&pair[1].names[0]) > 150);
            }
        }
    }
}
