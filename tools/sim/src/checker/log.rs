//! What clients know of one log.

use std::collections::{BTreeMap, BTreeSet};

use super::{Checked, Known, LogRules, Promise, broken};
use crate::content::BatchId;

/// A batch at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub id: BatchId,
    pub records: i32,
    /// Leader epoch, once a fetch has shown it.
    pub epoch: Option<i32>,
    /// When the broker appended it, if it stamps that; once a fetch has shown it.
    pub stamped: Option<i64>,
    /// The newest epoch of those whose place it took: its own is newer.
    pub after: Option<i32>,
}

#[expect(
    clippy::struct_field_names,
    reason = "Kafka calls the position so, and a log has a start"
)]
#[derive(Debug)]
pub(super) struct Log {
    /// Batches by base offset: everything that any client ever saw.
    pub places: BTreeMap<i64, Place>,
    by_batch: BTreeMap<BatchId, i64>,
    pub high_watermark: i64,
    pub log_start: i64,
    /// Up to where somebody asked to delete.
    pub delete_bound: i64,
    pub rules: LogRules,
    /// How often the newest batches could have gone.
    pub cuts: u32,
    /// Batches that may be gone since: from some offset on all of them, or none.
    doubtful: BTreeMap<i64, Place>,
    /// End of what no cut takes any more: a recovery has found it.
    firm_end: i64,
    /// Batches in doubt that turned out to be gone.
    pub vanished: u64,
    /// How often the log start was seen to have moved by itself.
    pub expiries: u64,
}

impl Log {
    pub(super) const fn new(rules: LogRules) -> Self {
        Self {
            places: BTreeMap::new(),
            by_batch: BTreeMap::new(),
            high_watermark: 0,
            log_start: 0,
            delete_bound: 0,
            rules,
            cuts: 0,
            doubtful: BTreeMap::new(),
            firm_end: 0,
            vanished: 0,
            expiries: 0,
        }
    }

    /// The highest log start that can be explained.
    pub(super) const fn start_bound(&self) -> i64 {
        if self.rules.expires {
            i64::MAX
        } else {
            self.delete_bound
        }
    }

    pub(super) fn observe(&mut self, base: i64, mut place: Place) -> Checked {
        if !self.places.contains_key(&base) {
            self.settle(base, &mut place)?;
        }
        if let Some(seen) = self.places.get_mut(&base) {
            return seen.see_again(base, place);
        }
        self.check_free(base, &place)?;
        if let Some(other) = self.by_batch.get(&place.id) {
            let what = format!("{:?} stands at {other} and at {base}", place.id);
            return broken(Promise::Duplicate, what);
        }
        self.check_order(base, &place)?;
        self.check_epochs(base, &place)?;
        self.places.insert(base, place);
        self.by_batch.insert(place.id, base);
        Ok(())
    }

    /// The newest batches may be gone: all that no recovery has found, from some offset on.
    pub(super) fn doubt(&mut self) {
        self.cuts += 1;
        for (base, place) in self.places.split_off(&self.firm_end) {
            self.by_batch.remove(&place.id);
            self.doubtful.insert(base, place);
        }
        self.high_watermark = self.high_watermark.min(self.firm_end);
    }

    /// As [`Log::doubt`], where also a log start may be forgotten.
    pub(super) fn doubt_start(&mut self) {
        self.doubt();
        self.log_start = 0;
    }

    /// A batch was seen: one that was in doubt is not, and what stood before it neither; where
    /// another one stands, those in doubt are gone, and the epoch has risen.
    fn settle(&mut self, base: i64, place: &mut Place) -> Checked {
        if self.doubtful.get(&base).is_some_and(|d| d.id == place.id) {
            let later = self.doubtful.split_off(&(base + 1));
            let found = std::mem::replace(&mut self.doubtful, later);
            self.firm_end = base + i64::from(place.records);
            self.by_batch
                .extend(found.iter().map(|(base, place)| (place.id, *base)));
            self.places.extend(found);
            return Ok(());
        }
        let end = base + i64::from(place.records);
        let overlaps = |at: i64, other: &Place| at < end && at + i64::from(other.records) > base;
        let mut doubtful = self.doubtful.iter();
        let replaces = doubtful.any(|(at, other)| overlaps(*at, other));
        let epoch = place.epoch.unwrap_or(i32::MIN);
        let gone = |at: &i64, other: &mut Place| {
            let newer = other.epoch.is_some_and(|other| other < epoch);
            at + i64::from(other.records) > base && (replaces || newer)
        };
        let gone: Vec<_> = self.doubtful.extract_if(.., gone).collect();
        self.vanished += gone.len() as u64;
        let newest = gone.iter().filter_map(|(_, place)| place.epoch).max();
        place.after = newest.filter(|_| self.rules.weak || place.epoch.is_some());
        place.check_epoch(base)
    }

    /// The whole log was read: what is still in doubt is not there.
    pub(super) fn end_doubt(&mut self) {
        self.vanished += self.doubtful.len() as u64;
        self.doubtful.clear();
    }

    /// No cut takes what is known by now.
    pub(super) fn firm_up(&mut self) {
        if self.doubtful.is_empty() {
            let last = self.places.last_key_value();
            let end = last.map_or(0, |(base, place)| base + i64::from(place.records));
            self.firm_end = self.firm_end.max(end);
        }
    }

    /// No other batch was seen in the offsets of this one.
    fn check_free(&self, base: i64, place: &Place) -> Checked {
        let end = base + i64::from(place.records);
        let Some((other, taken)) = self.places.range(..end).next_back() else {
            return Ok(());
        };
        if other + i64::from(taken.records) <= base {
            return Ok(());
        }
        let what = format!(
            "{:?} at {base}..{end}, where {:?} stood at {other}",
            place.id, taken.id
        );
        broken(Promise::Changed, what)
    }

    fn check_order(&self, base: i64, place: &Place) -> Checked {
        let (first, last) = (
            BatchId {
                number: 0,
                ..place.id
            },
            BatchId {
                number: u32::MAX,
                ..place.id
            },
        );
        let before = self.by_batch.range(first..place.id).next_back();
        let after = self.by_batch.range(place.id..=last).next();
        let disordered = before
            .filter(|(_, at)| **at > base)
            .or_else(|| after.filter(|(_, at)| **at < base));
        match disordered {
            None => Ok(()),
            Some((other, at)) => broken(
                Promise::Order,
                format!("{:?} at {base}, but {other:?} at {at}", place.id),
            ),
        }
    }

    /// Leader epochs never fall along the log.
    fn check_epochs(&self, base: i64, place: &Place) -> Checked {
        let Some(epoch) = place.epoch else {
            return Ok(());
        };
        let before = self.places.range(..base).rev().find_map(|(_, p)| p.epoch);
        let after = self.places.range(base..).find_map(|(_, p)| p.epoch);
        if before.is_none_or(|b| b <= epoch) && after.is_none_or(|a| a >= epoch) {
            return Ok(());
        }
        let what = format!("epoch {epoch} at {base}, between {before:?} and {after:?}");
        broken(Promise::Order, what)
    }

    pub(super) fn positions(
        &mut self,
        known: Known,
        high_watermark: i64,
        log_start: i64,
    ) -> Checked {
        let log = known.log;
        if high_watermark < known.high_watermark {
            let what = format!(
                "log {log}: high watermark {high_watermark} after {}",
                known.high_watermark
            );
            return broken(Promise::Position, what);
        }
        if log_start > high_watermark {
            let what = format!("log {log}: log start {log_start} behind {high_watermark}");
            return broken(Promise::Position, what);
        }
        self.high_watermark = self.high_watermark.max(high_watermark);
        self.starts_at(known, log_start)
    }

    /// A log start came with an answer.
    pub(super) fn starts_at(&mut self, known: Known, log_start: i64) -> Checked {
        let log = known.log;
        if log_start < known.log_start {
            let what = format!("log {log}: log start {log_start} after {}", known.log_start);
            return broken(Promise::Position, what);
        }
        if log_start > self.start_bound() {
            let bound = self.delete_bound;
            let what = format!(
                "log {log}: log start {log_start}, but nobody asked to delete beyond {bound}"
            );
            return broken(Promise::Lost, what);
        }
        self.expiries += u64::from(log_start > self.log_start.max(self.delete_bound));
        self.log_start = self.log_start.max(log_start);
        Ok(())
    }

    /// Everything that was ever seen and not deleted is among `found`, which is all that there is
    /// from `start` on, but for what was `refused`.
    pub(super) fn check_audit(
        &self,
        found: &BTreeMap<i64, BatchId>,
        refused: &BTreeSet<i64>,
        start: i64,
    ) -> Checked {
        for (base, place) in &self.places {
            let deleted = base + i64::from(place.records) <= start;
            // A log start within a batch is where the audit begins.
            let is_refused = refused.contains(base.max(&start));
            if !deleted && !found.contains_key(base) && !is_refused {
                return broken(Promise::Lost, format!("{:?}, seen at {base}", place.id));
            }
        }
        Ok(())
    }

    /// Batches from `start` on, by producer and number, with their places.
    pub(super) fn by_producer(&self, start: i64) -> impl Iterator<Item = (BatchId, i64)> {
        let kept = self.by_batch.iter().filter(move |(_, at)| **at >= start);
        kept.map(|(id, at)| (*id, *at))
    }
}

impl Place {
    /// A batch of which no fetch has told yet.
    pub(super) const fn new(id: BatchId, records: i32) -> Self {
        Self {
            id,
            records,
            epoch: None,
            stamped: None,
            after: None,
        }
    }

    /// What took the place of a batch that a cut took is of a newer epoch.
    fn check_epoch(&self, base: i64) -> Checked {
        if self
            .after
            .zip(self.epoch)
            .is_none_or(|(gone, now)| gone < now)
        {
            return Ok(());
        }
        let what = format!("{:?} at {base} replaces a batch of its own epoch", self.id);
        broken(Promise::Changed, what)
    }

    /// The same batch, seen again at the same offset; a fetch adds the epoch.
    fn see_again(&mut self, base: i64, place: Self) -> Checked {
        if self.id != place.id {
            let what = format!("{:?} at {base}, where {:?} stood", place.id, self.id);
            return broken(Promise::Changed, what);
        }
        if let (Some(before), Some(now)) = (self.epoch, place.epoch)
            && before != now
        {
            let what = format!("the batch at {base} was of epoch {before} and is of {now}");
            return broken(Promise::Changed, what);
        }
        self.epoch = self.epoch.or(place.epoch);
        self.check_epoch(base)?;
        self.stamped = self.stamped.or(place.stamped);
        Ok(())
    }
}
