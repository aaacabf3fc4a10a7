//! What compaction may take from a log, and what it must leave:
//!
//! - the last record of each key stays, but for a tombstone that has waited for long enough;
//! - what is left of a batch stands at its offsets, as it was sent;
//! - the last batch of each idempotent producer stays, without records if need be;
//! - a fetch of an offset that is gone brings the next batch that is there, and a lookup by time finds
//!   a record that was sent, no later than the first that must be there.
//!
//! Where the newest of a log could be gone, or was refused, nothing is held against what is missing:
//! what made it outdated may be gone itself.

use std::collections::{BTreeMap, BTreeSet};

use net_wire::batch::{BatchError, BatchHeader, BatchView, DECOMPRESSED_BYTES_MAX, RecordIter};
use net_wire::codec::Codecs;

use super::audit::time;
use super::{Audit, Checked, Checker, Place, Promise, Violation, broken};
use crate::content::{BatchId, Sent};
use crate::keyed::{is_tombstone, sender_of};

/// A record that was found in a batch of which others may be gone.
struct Left {
    sender: Option<(BatchId, i32)>,
    /// Its place in the batch.
    delta: i32,
    timestamp: i64,
    is_as_sent: bool,
}

impl Checker {
    pub(super) fn is_compacted(&self, log: u32) -> bool {
        self.log(log).rules.compacted.is_some()
    }

    /// Holds what is left of a batch against what was sent; `None` if nothing says whose it was.
    pub(super) fn check_remains(
        &self,
        log: u32,
        batch: &BatchView<'_>,
    ) -> Result<Option<Place>, Violation> {
        let header = batch.header();
        let wrong = |what: String| Violation {
            promise: Promise::Changed,
            what: format!("log {log}: what is left at {} {what}", header.base_offset),
        };
        let left = self.left_of(batch);
        let left = left.map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let id = match left.first() {
            Some(record) => record.sender.map(|(id, _)| id),
            None => match self.last_of(log, header) {
                None => return Ok(None),
                known => known,
            },
        };
        let sent = id.and_then(|id| self.sent.get(&id));
        let sent = sent.filter(|sent| sent.id.log == log);
        let sent = sent.ok_or_else(|| wrong("was never sent here".to_owned()))?;
        let stamps_time = self.log(log).rules.stamps_time;
        let newest = left.iter().map(|record| record.timestamp).max();
        let newest = newest.filter(|_| !stamps_time);
        if !is_header_of(sent, header, newest) {
            return Err(wrong(format!("is not of {:?}: {header:?}", sent.id)));
        }
        let mut before = -1;
        for record in &left {
            let due = Some((sent.id, record.delta));
            let at = sent.timestamp(record.delta);
            let in_order = before < record.delta && record.delta < sent.records;
            let in_time = stamps_time || record.timestamp == at;
            if record.sender != due || !in_order || !in_time || !record.is_as_sent {
                let what = format!("has another record than {:?} at {}", sent.id, record.delta);
                return Err(wrong(what));
            }
            before = record.delta;
        }
        Ok(Some(Place {
            epoch: Some(header.partition_leader_epoch),
            stamped: stamps_time.then_some(header.max_timestamp),
            ..Place::new(sent.id, sent.records)
        }))
    }

    fn left_of(&self, batch: &BatchView<'_>) -> Result<Vec<Left>, BatchError> {
        let header = batch.header();
        Codecs::new().with_decompressed(batch, DECOMPRESSED_BYTES_MAX, |records, _| {
            let left = RecordIter::new(header, records).map(|record| {
                let record = record?;
                let sender = sender_of(&record);
                let keyed = sender.and_then(|(id, _)| self.sent.get(&id)?.keyed);
                let is_as_sent = sender
                    .zip(keyed)
                    .is_some_and(|((id, number), keyed)| keyed.is(&record, id, number));
                Ok(Left {
                    sender,
                    delta: record.offset_delta,
                    timestamp: header.timestamp_of(&record),
                    is_as_sent,
                })
            });
            left.collect()
        })
    }

    /// Whose batch it was of which no record is left.
    fn last_of(&self, log: u32, header: &BatchHeader) -> Option<BatchId> {
        let known = self.log(log).places.get(&header.base_offset);
        let by_producer = |sent: &&Sent| {
            let own = sent
                .idempotence
                .map(|own| (own.producer_id, own.base_sequence));
            sent.id.log == log && own == Some((header.producer_id, header.base_sequence))
        };
        let found = known.map(|place| place.id);
        found.or_else(|| self.sent.values().find(by_producer).map(|sent| sent.id))
    }

    /// What a compacted log still has of what was known is enough.
    pub(super) fn check_compacted(&mut self, audit: &Audit) -> Checked {
        let log = self.log(audit.log());
        if log.cuts > 0 || audit.refused() > 0 {
            return Ok(());
        }
        let compacted = log.rules.compacted;
        let keeps_tombstones = compacted.is_some_and(|compacted| compacted.keeps_tombstones);
        for (offset, (id, record)) in self.newest(audit.log()) {
            if offset < audit.start() || audit.has_record(offset) {
                continue;
            }
            let is_tombstone = is_tombstone(id, record);
            let may_go = is_tombstone || self.may_be_outdated(audit.log(), offset, (id, record));
            if keeps_tombstones || !may_go {
                let what = format!("log {}: the last record of a key, {offset}", audit.log());
                return broken(Promise::Lost, format!("{what}, {record} of {id:?}"));
            }
        }
        let keeps_producers = compacted.is_some_and(|compacted| compacted.keeps_producers);
        for (base, id) in self.last_batches(audit.log()) {
            if keeps_producers && base >= audit.start() && !audit.has_batch(base) {
                let what = format!("log {}: the last batch of its producer", audit.log());
                return broken(Promise::Lost, format!("{what}, {id:?} at {base}"));
            }
        }
        let offsets = self.log(audit.log()).places.iter();
        let offsets = offsets.flat_map(|(base, place)| *base..base + i64::from(place.records));
        let known = offsets.filter(|offset| *offset >= audit.start());
        self.cleaned += known.filter(|offset| !audit.has_record(*offset)).count() as u64;
        Ok(())
    }

    /// Whether a tombstone that nobody has seen may have made a record outdated, and be gone since: one
    /// of its key in a batch without an answer, where something stood behind it that is not known.
    fn may_be_outdated(&self, log: u32, offset: i64, (id, record): (BatchId, i32)) -> bool {
        let places = &self.log(log).places;
        let key = self.sent[&id].keyed.map(|keyed| keyed.key(id, record));
        let buries = |sent: &Sent| {
            let key_of = |record| sent.keyed.map(|keyed| keyed.key(sent.id, record));
            (0..sent.records).any(|record| is_tombstone(sent.id, record) && key_of(record) == key)
        };
        let seen: BTreeSet<BatchId> = places.values().map(|place| place.id).collect();
        let sent = self.sent.values().filter(|sent| sent.id.log == log);
        let mut unseen = sent.filter(|sent| !seen.contains(&sent.id));
        self.has_gap_behind(log, offset) && unseen.any(buries)
    }

    /// Whether there are offsets behind one, and before the last that is known, of which nobody has
    /// seen what stood there.
    fn has_gap_behind(&self, log: u32, offset: i64) -> bool {
        let ends = |(base, place): (&i64, &Place)| base + i64::from(place.records);
        let places = &self.log(log).places;
        let behind = places.range(offset + 1..);
        let mut end = places.range(..=offset).next_back().map_or(offset, ends);
        for (base, place) in behind {
            if *base > end {
                return true;
            }
            end = ends((base, place));
        }
        false
    }

    /// The offset of the newest record of each key, with its batch and its place in that.
    fn newest(&self, log: u32) -> BTreeMap<i64, (BatchId, i32)> {
        let mut newest = BTreeMap::new();
        for (base, place) in &self.log(log).places {
            let Some(keyed) = self.sent[&place.id].keyed else {
                continue;
            };
            for record in 0..place.records {
                let at = (base + i64::from(record), (place.id, record));
                newest.insert(keyed.key(place.id, record), at);
            }
        }
        newest.into_values().collect()
    }

    /// The last batch of each idempotent producer, where its first offset is.
    fn last_batches(&self, log: u32) -> BTreeMap<i64, BatchId> {
        let mut last = BTreeMap::new();
        for (base, place) in &self.log(log).places {
            if let Some(own) = self.sent[&place.id].idempotence {
                last.insert(own.producer_id, (*base, place.id));
            }
        }
        last.into_values().collect()
    }

    /// Timestamps and offsets of records that no cleaning takes, in the order of their offsets.
    fn staying(&self, log: u32) -> impl Iterator<Item = (i64, i64)> {
        let model = self.log(log);
        let newest = self.newest(log).into_iter();
        newest.filter_map(move |(offset, (id, record))| {
            let base = offset - i64::from(record);
            let stays = offset >= model.log_start && !is_tombstone(id, record);
            let at = time(&self.sent[&id], &model.places[&base], record);
            stays.then_some((at, offset))
        })
    }

    /// Whether such a record was sent.
    fn is_record(&self, log: u32, (at, offset): (i64, i64)) -> bool {
        let mut before = self.log(log).places.range(..=offset);
        before.next_back().is_some_and(|(base, place)| {
            let record = (offset - base) as i32;
            record < place.records && time(&self.sent[&place.id], place, record) == at
        })
    }

    /// Holds a lookup by time against a log that is being compacted.
    pub(super) fn check_lookup(
        &self,
        log: u32,
        timestamp: i64,
        found: Option<(i64, i64)>,
    ) -> Checked {
        let due = self.staying(log).find(|(at, _)| *at >= timestamp);
        let fits = match (found, due) {
            (None, due) => due.is_none(),
            (Some(found), due) => {
                found.0 >= timestamp
                    && self.is_record(log, found)
                    && due.is_none_or(|due| found.1 <= due.1)
            },
        };
        if fits || self.was_cut(log) {
            return Ok(());
        }
        let what = format!("log {log}: time {timestamp} is at {due:?} or before, not at {found:?}");
        broken(Promise::Lookup, what)
    }

    /// Holds the record with the largest timestamp against a log that is being compacted.
    pub(super) fn check_largest(&self, log: u32, found: Option<(i64, i64)>) -> Checked {
        let least = self.staying(log).map(|(at, _)| at).max();
        let fits = match found {
            None => least.is_none(),
            Some(found) => self.is_record(log, found) && least.is_none_or(|least| found.0 >= least),
        };
        if fits || self.was_cut(log) {
            return Ok(());
        }
        let what = format!("log {log}: the largest time is {least:?} at least, not at {found:?}");
        broken(Promise::Lookup, what)
    }
}

/// Whether a header is that of a batch, whatever is left of it; `newest` is the largest timestamp of
/// what is left, where the producer's clock counts.
fn is_header_of(sent: &Sent, found: &BatchHeader, newest: Option<i64>) -> bool {
    let due = &sent.header;
    found.last_offset_delta == due.last_offset_delta
        && (found.producer_id, found.producer_epoch) == (due.producer_id, due.producer_epoch)
        && found.base_sequence == due.base_sequence
        && newest.is_none_or(|newest| newest == found.max_timestamp)
        && !found.attributes.is_control()
        && !found.attributes.is_transactional()
}

#[cfg(test)]
mod tests {
    use net_wire::batch::{Record, retain_records, without_records};
    use net_wire::codec::Codec;

    use super::super::{Compacted, Fetched, LogRules};
    use super::*;
    use crate::content::{Idempotence, Wanted, make};
    use crate::rng::Rng;

    /// A batch of two records of the only key, of an idempotent producer of its own. The second one
    /// has a value.
    fn batch(base: i64, first_timestamp: i64) -> (Vec<u8>, Sent) {
        let id = |producer| BatchId {
            producer,
            number: 0,
            log: 0,
        };
        let mut producers = (base as u32 * 100..).map(id);
        let id = producers.find(|id| !is_tombstone(*id, 1)).unwrap();
        let wanted = Wanted {
            id,
            records: 2,
            value_bytes: 50,
            idempotence: Some(Idempotence {
                producer_id: i64::from(id.producer),
                epoch: 0,
                base_sequence: 0,
            }),
            first_timestamp,
            timestamp_step: 1,
            codec: Codec::None,
            keys: Some(1),
        };
        let (mut bytes, sent) = make(&wanted, &mut Rng::new(1), &mut Codecs::new());
        bytes[..8].copy_from_slice(&base.to_be_bytes());
        (bytes, sent)
    }

    /// What is left of a batch.
    fn left(batch: &(Vec<u8>, Sent), records: &[i32]) -> Vec<u8> {
        let (batch, _) = BatchView::split(&batch.0).unwrap();
        if records.is_empty() {
            return without_records(batch.header()).unwrap();
        }
        let keep = |record: &Record<'_>| records.contains(&record.offset_delta);
        let records = batch.payload();
        retain_records(&batch, records, None, keep, &mut Codecs::new()).unwrap()
    }

    /// What a checker says of what is left of batches at 0 and 2.
    fn verdict(parts: &[Vec<u8>], then: impl FnOnce(&mut Checker)) -> Option<Promise> {
        let mut checker = Checker::default();
        checker.add_log(LogRules {
            compacted: Some(Compacted {
                keeps_tombstones: true,
                keeps_producers: true,
            }),
            ..LogRules::default()
        });
        for base in [0, 2] {
            let (_, sent) = batch(base, 100);
            checker.sending(sent);
            checker.acknowledged(checker.known(0), sent.id, base, 0);
        }
        let known = checker.known(0);
        let mut audit = checker.begin_audit(0, 0);
        let answer = Fetched {
            offset: 0,
            bytes: &parts.concat(),
            high_watermark: 4,
            log_start: 0,
            must_progress: true,
        };
        checker.audited(known, &answer, &mut audit);
        checker.end_audit(&audit);
        then(&mut checker);
        checker.violation().map(|violation| violation.promise)
    }

    #[test]
    fn what_has_a_newer_record_of_its_key_may_go() {
        let (first, second) = (batch(0, 100), batch(2, 100));
        for kept in [&[0, 1][..], &[0], &[1], &[]] {
            for last in [&[0, 1][..], &[1]] {
                let fine = verdict(&[left(&first, kept), left(&second, last)], |_| ());
                assert_eq!(fine, None, "{kept:?} {last:?}");
            }
        }
    }

    #[test]
    fn the_last_of_a_key_and_of_a_producer_are_missed() {
        let (first, second) = (batch(0, 100), batch(2, 100));
        for last in [&[0][..], &[]] {
            let lost = verdict(&[left(&first, &[0, 1]), left(&second, last)], |_| ());
            assert_eq!(lost, Some(Promise::Lost), "{last:?}");
        }
        let of_producer = verdict(&[left(&second, &[0, 1])], |_| ());
        assert_eq!(of_producer, Some(Promise::Lost));
    }

    #[test]
    fn what_is_left_is_as_it_was_sent() {
        let (first, second) = (batch(0, 100), batch(2, 101));
        let changed = verdict(&[left(&first, &[]), left(&second, &[1])], |_| ());
        assert_eq!(changed, Some(Promise::Changed));
    }

    #[test]
    fn lookups_find_what_stays_or_what_was_before_it() {
        let (first, second) = (batch(0, 100), batch(2, 100));
        let look = |found| {
            let parts = [left(&first, &[]), left(&second, &[1])];
            verdict(&parts, |checker| checker.looked_up(0, 101, found))
        };
        assert_eq!(look(Some((101, 3))), None);
        assert_eq!(look(Some((101, 1))), None);
        for wrong in [None, Some((100, 2)), Some((101, 2)), Some((102, 4))] {
            assert_eq!(look(wrong), Some(Promise::Lookup), "{wrong:?}");
        }
    }
}
