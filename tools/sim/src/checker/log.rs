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
    /// It was in doubt, and sent again since: which of the two appends this is, its epoch will tell.
    pub was: Option<Was>,
}

/// An append whose batch was sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Was {
    epoch: i32,
    cut: u32,
}

/// A batch that a cut may have taken.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    place: Place,
    /// The last cut before which it was seen to stand: with it stood all others of that time.
    cut: u32,
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
    /// Batches that may be gone since: of one cut, from some offset on all of them, or none.
    doubtful: BTreeMap<i64, Doubt>,
    /// End of what no cut takes any more: a recovery has found it.
    firm_end: i64,
    /// End of what had been seen when this life began: its recovery makes it firm.
    seen_before: i64,
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
            seen_before: 0,
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

    /// A batch was seen, which was `resent` if its producer has sent it since the last cut.
    pub(super) fn observe(&mut self, base: i64, mut place: Place, resent: bool) -> Checked {
        if let Some(seen) = self.places.get_mut(&base) {
            seen.see_again(base, place)?;
            return self.settle_resent(base);
        }
        let doubt = self.doubtful.get(&base).copied();
        if let Some(doubt) = doubt.filter(|doubt| doubt.place.id == place.id) {
            let epochs = doubt.place.epoch.zip(place.epoch);
            if !resent || epochs.is_some_and(|(before, now)| before == now) {
                return self.see_found(base, place, doubt.cut);
            }
            if epochs.is_none() {
                // Found, or appended anew at the same offset: nobody can tell yet.
                self.doubtful.remove(&base);
                let cut = doubt.cut;
                place.was = doubt.place.epoch.map(|epoch| Was { epoch, cut });
                return self.add(base, place);
            }
        }
        self.take_doubtful(base, &mut place, None)?;
        self.add(base, place)
    }

    /// A batch is where nobody has seen another.
    fn add(&mut self, base: i64, place: Place) -> Checked {
        self.check_free(base, &place)?;
        self.check_single(base, &place)?;
        self.check_order(base, &place)?;
        self.check_epochs(base, &place)?;
        self.places.insert(base, place);
        self.by_batch.insert(place.id, base);
        Ok(())
    }

    /// The newest batches may be gone: all that no recovery has found, from some offset on.
    pub(super) fn doubt(&mut self) {
        self.cuts += 1;
        for (base, mut place) in self.places.split_off(&self.firm_end) {
            self.by_batch.remove(&place.id);
            place.was = None;
            let cut = self.cuts;
            self.doubtful.insert(base, Doubt { place, cut });
        }
        self.high_watermark = self.high_watermark.min(self.firm_end);
        self.seen_before = self.firm_end;
    }

    /// As [`Log::doubt`], where also a log start may be forgotten.
    pub(super) fn doubt_start(&mut self) {
        self.doubt();
        self.log_start = 0;
    }

    /// A batch that was in doubt is there.
    fn see_found(&mut self, base: i64, place: Place, cut: u32) -> Checked {
        self.find(base, cut)?;
        self.firm_end = self.firm_end.max(base + i64::from(place.records));
        let found = self.places.get_mut(&base);
        found.expect("it was in doubt").see_again(base, place)
    }

    /// What stands up to `base` since before `cut` is there: so are those that were seen between
    /// that cut and another. Those of an earlier one may have gone before them.
    fn find(&mut self, base: i64, cut: u32) -> Checked {
        let stands = |_: &i64, doubt: &mut Doubt| doubt.cut >= cut;
        let found: Vec<_> = self.doubtful.extract_if(..=base, stands).collect();
        for (at, Doubt { place, .. }) in found {
            self.check_single(at, &place)?;
            self.places.insert(at, place);
            self.by_batch.insert(place.id, at);
        }
        Ok(())
    }

    /// The epoch of a batch that was sent again is known: it is the append that was in doubt, with
    /// those that stood before it, or another one in its place.
    fn settle_resent(&mut self, base: i64) -> Checked {
        let mut place = self.places[&base];
        let Some((was, now)) = place.was.take().zip(place.epoch) else {
            return Ok(());
        };
        let checked = if was.epoch == now {
            self.firm_end = self.firm_end.max(base + i64::from(place.records));
            self.find(base, was.cut)
        } else {
            place.after = Some(was.epoch).max(place.after);
            self.take_doubtful(base, &mut place, Some(was.cut))
        };
        self.places.insert(base, place);
        checked
    }

    /// A batch that was not there before is: where others in doubt stood, they are gone with all
    /// that stood behind them then, and the epoch has risen; so are those of an older epoch behind
    /// it. `replaced` is the cut of one that is known to be gone.
    fn take_doubtful(&mut self, base: i64, place: &mut Place, replaced: Option<u32>) -> Checked {
        let end = base + i64::from(place.records);
        let end_of = |at: i64, doubt: &Doubt| at + i64::from(doubt.place.records);
        let overlaps = |at: i64, doubt: &Doubt| at < end && end_of(at, doubt) > base;
        let mut last_cut = replaced;
        for (at, doubt) in &self.doubtful {
            if overlaps(*at, doubt) {
                last_cut = last_cut.max(Some(doubt.cut));
            }
        }
        // One that was seen after that cut may stand behind this one.
        let replaces = |at: &i64, doubt: &mut Doubt| {
            end_of(*at, doubt) > base && last_cut.is_some_and(|cut| doubt.cut <= cut)
        };
        let gone: Vec<_> = self.doubtful.extract_if(.., replaces).collect();
        let newest = gone.iter().filter_map(|(_, doubt)| doubt.place.epoch).max();
        let newest = newest.filter(|_| self.rules.weak || place.epoch.is_some());
        place.after = newest.max(place.after);
        let epoch = place.epoch.unwrap_or(i32::MIN);
        let older = |at: &i64, doubt: &mut Doubt| {
            end_of(*at, doubt) > base && doubt.place.epoch.is_some_and(|other| other < epoch)
        };
        let older = self.doubtful.extract_if(.., older).count();
        self.vanished += (gone.len() + older) as u64;
        place.check_epoch(base)
    }

    /// The whole log was read: what is still in doubt is not there.
    pub(super) fn end_doubt(&mut self) {
        self.vanished += self.doubtful.len() as u64;
        self.doubtful.clear();
    }

    /// A life begins. What is flushed before it is acknowledged is on the disk; the rest will be
    /// when the life has recovered.
    pub(super) fn life_begins(&mut self) {
        let last = self.places.last_key_value();
        self.seen_before = last.map_or(0, |(base, place)| base + i64::from(place.records));
        if !self.rules.weak && self.doubtful.is_empty() {
            self.firm_up();
        }
    }

    /// No cut takes what was seen before this life.
    pub(super) fn firm_up(&mut self) {
        self.firm_end = self.firm_end.max(self.seen_before);
    }

    /// No other place has this batch.
    fn check_single(&self, base: i64, place: &Place) -> Checked {
        match self.by_batch.get(&place.id) {
            Some(other) if *other != base => {
                let what = format!("{:?} stands at {other} and at {base}", place.id);
                broken(Promise::Duplicate, what)
            },
            _ => Ok(()),
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
            was: None,
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
