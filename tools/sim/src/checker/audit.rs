//! The look through whole logs: what any client ever saw is there, and the index by time is right.

use std::collections::{BTreeMap, BTreeSet};

use net_wire::batch::{BatchError, BatchView, DECOMPRESSED_BYTES_MAX, RecordIter};
use net_wire::codec::Codecs;

use super::{Checked, Checker, Fetched, Known, Promise, broken};
use crate::content::{BatchId, Sent};

use super::log::Place;

/// A look through a whole log, to be held against everything seen before.
#[derive(Debug)]
pub struct Audit {
    log: u32,
    found: BTreeMap<i64, BatchId>,
    /// Where batches stood that were refused.
    refused: BTreeSet<i64>,
    pub(super) next: i64,
    start: i64,
    /// The records of a compacted log.
    records: BTreeSet<i64>,
}

impl Audit {
    /// The log.
    pub const fn log(&self) -> u32 {
        self.log
    }

    /// The offset to fetch next.
    pub const fn next(&self) -> i64 {
        self.next
    }

    /// Batches that were refused.
    pub fn refused(&self) -> usize {
        self.refused.len()
    }

    pub(super) const fn start(&self) -> i64 {
        self.start
    }

    pub(super) fn has_batch(&self, base: i64) -> bool {
        self.found.contains_key(&base)
    }

    pub(super) fn has_record(&self, offset: i64) -> bool {
        self.records.contains(&offset)
    }

    /// A batch was found, which was checked; of a compacted log, also which records it has.
    pub(super) fn find(&mut self, batch: &BatchView<'_>, id: BatchId, compacted: bool) {
        let header = batch.header();
        self.found.insert(header.base_offset, id);
        if !compacted {
            return;
        }
        let offsets = |records: &[u8], _: &mut Codecs| {
            let records = RecordIter::new(header, records);
            records
                .map(|record| Ok(header.offset_of(&record?)))
                .collect()
        };
        let offsets: Result<Vec<i64>, BatchError> =
            Codecs::new().with_decompressed(batch, DECOMPRESSED_BYTES_MAX, offsets);
        self.records.extend(offsets.unwrap_or_default());
    }
}

impl Checker {
    /// Begins to look through a whole log.
    pub fn begin_audit(&self, log: u32, log_start: i64) -> Audit {
        Audit {
            log,
            found: BTreeMap::new(),
            refused: BTreeSet::new(),
            next: log_start,
            start: log_start,
            records: BTreeSet::new(),
        }
    }

    /// Batches came for an audit.
    pub fn audited(&mut self, known: Known, answer: &Fetched<'_>, audit: &mut Audit) {
        self.positions(known, answer.high_watermark, answer.log_start);
        let checked = self.check_fetched(known, answer, Some(audit));
        self.note(checked);
    }

    /// What an audit wants next is refused: it goes on at the next batch that somebody has seen, or
    /// at `end`.
    pub fn skip_refused(&self, audit: &mut Audit, end: i64) {
        audit.refused.insert(audit.next);
        let later = self.log(audit.log).places.range(audit.next + 1..);
        let mut later = later.map(|(base, _)| *base);
        audit.next = later.next().unwrap_or(end);
    }

    /// Ends a look through a log: everything seen before was found again, or refused by name.
    pub fn end_audit(&mut self, audit: &Audit) {
        self.log_mut(audit.log).end_doubt();
        let log = self.log(audit.log);
        let checked = if log.rules.compacted.is_some() {
            self.check_compacted(audit)
        } else {
            log.check_audit(&audit.found, &audit.refused, audit.start)
        };
        let checked = checked.and_then(|()| self.check_gaps(audit));
        let checked = checked.and_then(|()| self.check_kept(audit));
        self.note(checked);
    }

    /// Retention by size left what it keeps.
    fn check_kept(&self, audit: &Audit) -> Checked {
        let log = self.log(audit.log);
        let keeps = log.rules.keeps_bytes;
        if audit.start <= log.delete_bound || log.cuts > 0 {
            return Ok(());
        }
        let kept = log.places.range(audit.start..).map(|(_, place)| place.id);
        let kept: u64 = kept.map(|id| self.sent[&id].bytes as u64).sum();
        if kept >= keeps {
            return Ok(());
        }
        let log = audit.log;
        let what = format!("log {log}: retention left {kept} bytes, {keeps} at least are kept");
        broken(Promise::Lost, what)
    }

    /// The batches of an idempotent producer stand there with dense numbers, but for those that were
    /// deleted in front.
    fn check_gaps(&self, audit: &Audit) -> Checked {
        if self.was_cut(audit.log) {
            return Ok(());
        }
        let mut last: Option<BatchId> = None;
        for (id, base) in self.log(audit.log).by_producer(audit.start) {
            let before = last
                .replace(id)
                .filter(|before| before.producer == id.producer);
            let first = if audit.start == 0 { 0 } else { id.number };
            let due = before.map_or(first, |before| before.number + 1);
            if self.sent[&id].idempotence.is_some() && id.number != due {
                let what = format!("{id:?} at {base}, but its number {due} is missing");
                return broken(Promise::Gap, what);
            }
        }
        Ok(())
    }

    /// The first record at or after `timestamp` was asked for in a log that stands still and was
    /// just audited; `found` is its timestamp and offset.
    pub fn looked_up(&mut self, log: u32, timestamp: i64, found: Option<(i64, i64)>) {
        if self.is_compacted(log) {
            let checked = self.check_lookup(log, timestamp, found);
            return self.note(checked);
        }
        let expected = self.first_at(log, timestamp);
        if found != expected {
            let what = format!("log {log}: time {timestamp} is at {expected:?}, not at {found:?}");
            self.fail(Promise::Lookup, what);
        }
    }

    /// The record with the largest timestamp was asked for in a log that stands still and was just
    /// audited from its first record on; `found` is its timestamp and offset.
    pub fn looked_up_largest(&mut self, log: u32, found: Option<(i64, i64)>) {
        if self.is_compacted(log) {
            let checked = self.check_largest(log, found);
            return self.note(checked);
        }
        let expected = self.largest(log);
        if self.log(log).log_start == 0 && found != expected {
            let what = format!("log {log}: the largest time is at {expected:?}, not at {found:?}");
            self.fail(Promise::Lookup, what);
        }
    }

    /// The first of the records with the largest timestamp.
    fn largest(&self, log: u32) -> Option<(i64, i64)> {
        let places = self.log(log).places.iter();
        let records = places.flat_map(|(base, place)| {
            let sent = &self.sent[&place.id];
            (0..sent.records).map(move |delta| (time(sent, place, delta), base + i64::from(delta)))
        });
        records.max_by_key(|(at, offset)| (*at, -offset))
    }

    /// Smallest and largest timestamp that was seen in a log.
    pub fn times(&self, log: u32) -> Option<(i64, i64)> {
        let places = self.log(log).places.values();
        let times = places.flat_map(|place| {
            let sent = &self.sent[&place.id];
            [time(sent, place, 0), time(sent, place, sent.records - 1)]
        });
        times.fold(None, |range: Option<(i64, i64)>, time| {
            let (low, high) = range.unwrap_or((time, time));
            Some((low.min(time), high.max(time)))
        })
    }

    fn first_at(&self, log: u32, timestamp: i64) -> Option<(i64, i64)> {
        let model = self.log(log);
        let mut places = model.places.iter();
        places.find_map(|(base, place)| {
            let sent = &self.sent[&place.id];
            (0..sent.records).find_map(|delta| {
                let (at, offset) = (time(sent, place, delta), base + i64::from(delta));
                (at >= timestamp && offset >= model.log_start).then_some((at, offset))
            })
        })
    }
}

/// When the record at `delta` is: by the broker's clock if that stamped it.
pub(super) fn time(sent: &Sent, place: &Place, delta: i32) -> i64 {
    place.stamped.unwrap_or_else(|| sent.timestamp(delta))
}
