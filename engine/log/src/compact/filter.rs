//! What is left of a batch: a decision on bytes, made where it may take its time.

use std::collections::BTreeSet;

use engine_rt::mutant::{self, Mutant};
use net_wire::batch::{
    BatchError, BatchHeader, BatchView, DECOMPRESSED_BYTES_MAX, Record, RecordIter, retain_records,
    without_records,
};
use net_wire::codec::Codecs;

use super::keys::KeyMap;

/// What is left of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// All of it, as it is.
    Whole,
    /// Some of its records, or its header alone.
    Part(Vec<u8>),
    /// Nothing.
    Nothing,
}

/// A judgement, with the largest timestamp of the records that are left and its first offset.
pub type Judged = (Left, (i64, i64));

/// Without a record.
const NO_RECORD: (i64, i64) = (-1, -1);

/// What a cleaning goes by.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Records from here on were not cleaned before.
    pub dirty_from: i64,
    /// The keys of records below are known.
    pub known_to: i64,
    /// Wall clock.
    pub now_ms: i64,
    /// How long tombstones stay from now on.
    pub delete_retention_ms: i64,
    /// The last batch of each producer: its id and the batch's last offset.
    pub last_batches: BTreeSet<(i64, i64)>,
    /// A batch was left as it is without a look at its records. What it has may be older than a
    /// tombstone that is met later: that one must stay.
    pub has_opaque: bool,
}

impl Filter {
    /// Notes the keys of a batch; if there is no room for all of them, up to which offset they are
    /// known.
    pub fn learn(
        &mut self,
        keys: &mut KeyMap,
        batch: &BatchView<'_>,
        codecs: &mut Codecs,
    ) -> Option<i64> {
        let header = batch.header();
        if is_opaque(header) || header.last_offset() < self.dirty_from {
            return None;
        }
        let learned = codecs.with_decompressed(batch, DECOMPRESSED_BYTES_MAX, |records, _| {
            // A batch that ends in the middle is left as it is: nothing of it counts.
            RecordIter::new(header, records).try_for_each(|record| record.map(drop))?;
            for record in RecordIter::new(header, records) {
                let record = record?;
                let offset = header.offset_of(&record);
                let Some(key) = record.key.filter(|_| offset >= self.dirty_from) else {
                    continue;
                };
                if !keys.put(key, offset) {
                    return Ok(Some(offset));
                }
            }
            Ok(None)
        });
        learned.unwrap_or_default()
    }

    /// What is left of a batch. At least its header is, if it is the last one of its segment.
    pub fn judge(
        &mut self,
        keys: &KeyMap,
        batch: &BatchView<'_>,
        is_last: bool,
        codecs: &mut Codecs,
    ) -> Judged {
        let header = *batch.header();
        let as_it_is = (Left::Whole, (header.max_timestamp, header.base_offset));
        if is_opaque(&header) {
            self.has_opaque |= !header.attributes.is_control();
            return as_it_is;
        }
        let judged = codecs.with_decompressed(batch, DECOMPRESSED_BYTES_MAX, |records, codecs| {
            self.judge_records(keys, batch, records, codecs)
        });
        match judged {
            Ok((Left::Nothing, _)) if is_last || self.is_last_of_producer(&header) => {
                without(&header).unwrap_or(as_it_is)
            },
            Ok(judged) => judged,
            Err(_) => {
                self.has_opaque = true;
                as_it_is
            },
        }
    }

    fn judge_records(
        &self,
        keys: &KeyMap,
        batch: &BatchView<'_>,
        records: &[u8],
        codecs: &mut Codecs,
    ) -> Result<Judged, BatchError> {
        let header = batch.header();
        let (mut verdicts, mut tombstones, mut newest) = (Vec::new(), false, NO_RECORD);
        for record in RecordIter::new(header, records) {
            let record = record?;
            let offset = header.offset_of(&record);
            let keeps = self.keeps(keys, header, &record);
            verdicts.push(keeps);
            if !keeps {
                continue;
            }
            tombstones |= record.value.is_none() && offset < self.known_to;
            let timestamp = header.timestamp_of(&record);
            if timestamp > newest.0 {
                newest = (timestamp, offset);
            }
        }
        let kept = verdicts.iter().filter(|keeps| **keeps).count();
        // Tombstones wait from the first cleaning that meets them.
        let horizon = self.now_ms.saturating_add(self.delete_retention_ms);
        let sets_horizon = tombstones && !header.attributes.has_delete_horizon();
        let left = if kept == 0 {
            Left::Nothing
        } else if kept == verdicts.len() && !sets_horizon {
            Left::Whole
        } else {
            let mut verdicts = verdicts.into_iter();
            let horizon = sets_horizon.then_some(horizon);
            let keep = |_: &Record<'_>| verdicts.next().unwrap_or(false);
            let retained = retain_records(batch, records, horizon, keep, codecs)?;
            Left::Part(retained)
        };
        Ok((left, newest))
    }

    fn keeps(&self, keys: &KeyMap, header: &BatchHeader, record: &Record<'_>) -> bool {
        let offset = header.offset_of(record);
        if offset >= self.known_to {
            return true;
        }
        // What has no key cannot be told apart, and goes, as in Kafka.
        let Some(key) = record.key else { return false };
        let waits = |horizon| self.now_ms < horizon;
        let may_stay = record.value.is_some()
            || self.has_opaque
            || (header.delete_horizon_ms().is_none_or(waits)
                && !mutant::is_active(Mutant::TombstoneAtOnce));
        may_stay && !keys.is_outdated(key, offset)
    }

    fn is_last_of_producer(&self, header: &BatchHeader) -> bool {
        let last = (header.producer_id, header.last_offset());
        self.last_batches.contains(&last) && !mutant::is_active(Mutant::LastBatchDropped)
    }
}

/// Whether a batch is left as it is: whether its records count is not known before its transaction
/// ends, or it is the mark of such an end.
const fn is_opaque(header: &BatchHeader) -> bool {
    header.attributes.is_control() || header.attributes.is_transactional()
}

/// A batch without its records; the batch itself if it has none.
fn without(header: &BatchHeader) -> Option<Judged> {
    if header.record_count == 0 {
        return Some((Left::Whole, NO_RECORD));
    }
    let bytes = without_records(header).ok()?;
    Some((Left::Part(bytes), NO_RECORD))
}
