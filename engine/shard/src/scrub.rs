//! The scrubber: reads what was flushed long ago and tells what the disk has lost, before a reader
//! or the only other copy's disk does.
//!
//! It takes its time: so many bytes a second, never more than a tenth of the disk's time, and none
//! while appends wait for the disk.

use std::ops::Bound;
use std::rc::Rc;
use std::time::Duration;

use engine_log::segment::layout::SegmentName;
use engine_log::{Damage, SegmentScrub, TopicPartition};
use engine_rt::{Instant, now, wall_clock_ms};

use crate::scrub_place::ScrubPlace;
use crate::shard::Shard;

/// A start has better things to do.
const START_PAUSE: Duration = Duration::from_mins(1);
/// How often a busy disk is looked at again.
const BUSY_PAUSE: Duration = Duration::from_millis(200);
/// A read is followed by a pause of so many times its own time.
const PAUSE_FACTOR: u32 = 9;
/// How often the place is written down. Losing it costs reading some segments twice.
const SAVE_INTERVAL: Duration = Duration::from_mins(1);

impl Shard {
    /// Reads all segments in turn, round after round, until the shard stops.
    pub(crate) async fn scrub(self: Rc<Self>) {
        let rate = self.options.scrub_bytes_per_second / self.options.shards as u64;
        let interval = self.options.scrub_interval_ms;
        if rate == 0 || self.wait_or_stop(START_PAUSE.min(ms(interval))).await {
            return;
        }
        let dir = self.options.dir();
        let mut place = ScrubPlace::load(&dir).await;
        let mut saved = now();
        loop {
            if let Some(segment) = self.next_to_scrub(place.last) {
                if self.scrub_segment(segment, rate).await.is_none() {
                    return;
                }
                place.last = Some(segment);
            } else {
                self.stats.borrow_mut().scrub_rounds += 1;
                place.last = None;
                place.save(&dir).await;
                let passed = wall_clock_ms().saturating_sub(place.round_began_ms).max(0);
                let left = interval.saturating_sub(passed as u64).max(1);
                if self.wait_or_stop(ms(left)).await {
                    return;
                }
                place.round_began_ms = wall_clock_ms();
            }
            if now().since(saved) >= SAVE_INTERVAL {
                place.save(&dir).await;
                saved = now();
            }
        }
    }

    /// The segment behind `last` in the order of partitions and offsets.
    fn next_to_scrub(&self, last: Option<(TopicPartition, i64)>) -> Option<(TopicPartition, i64)> {
        let slots = self.slots.borrow();
        let from = last.map_or(Bound::Unbounded, |(id, _)| Bound::Included(id));
        slots
            .range((from, Bound::Unbounded))
            .find_map(|(id, slot)| {
                let after = last.filter(|last| last.0 == *id).map(|last| last.1);
                Some((*id, slot.log.borrow().next_to_scrub(after)?))
            })
    }

    /// Reads a segment to the end of what is flushed; `None` if the shard is stopping.
    async fn scrub_segment(
        self: &Rc<Self>,
        (id, base): (TopicPartition, i64),
        rate: u64,
    ) -> Option<()> {
        let name = {
            let slot = self.slot(id).ok();
            slot.and_then(|slot| Some(slot.log.borrow().segment(base)?.name()))
        };
        let Some(name) = name else { return Some(()) };
        let mut segment = SegmentScrub::new(id, name);
        loop {
            while self.is_busy() {
                if self.wait_or_stop(BUSY_PAUSE).await {
                    return None;
                }
            }
            let began = now();
            let read = {
                let _under_way = self.begin_read().await;
                // Another one after a failure of the journal.
                let Ok(slot) = self.slot(id) else {
                    return Some(());
                };
                segment.step(&slot.log, &self.files).await
            };
            let Some(read) = read else { return Some(()) };
            self.stats.borrow_mut().scrubbed_bytes += read.bytes;
            for damage in &read.damage {
                self.found_damage(id, name, damage);
            }
            if self.wait_or_stop(pause(read.bytes, rate, began)).await {
                return None;
            }
        }
    }

    /// Whether the disk has more urgent things to do.
    pub(crate) fn is_busy(&self) -> bool {
        self.wants_relief() || self.wants_turn() || self.journal().is_failed()
    }

    fn found_damage(&self, id: TopicPartition, name: SegmentName, damage: &Damage) {
        self.stats.borrow_mut().scrub_damaged += 1;
        // What memory or the page cache still has must not hide it from readers for a while.
        self.files.forget_segment_reads(id, name);
        let Damage {
            file, what, pos, ..
        } = damage;
        tracing::error!(
            shard = self.index(),
            partition = %id,
            file,
            pos,
            first_offset = damage.first_offset,
            last_offset = damage.last_offset,
            "FL2008: the disk does not have what was written: {what}"
        );
    }
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// What keeps within the rate, and the disk nine tenths free.
fn pause(bytes: u64, rate: u64, began: Instant) -> Duration {
    let by_rate = Duration::from_micros(bytes.saturating_mul(1_000_000) / rate);
    by_rate.max(now().since(began) * PAUSE_FACTOR)
}
