//! The books: what was sent, what was acknowledged, what was read, and what that means.
//!
//! Producers and consumers keep their halves apart, each on its own core, as sets of intervals; at
//! the end they are held against each other. What was acknowledged and not read is lost. What was
//! not acknowledged may be there or not. A sequence at two offsets is a duplicate in the log; the
//! same offset twice is a redelivery. A sequence behind a later one is reordered.

mod intervals;
mod reader;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use intervals::Intervals;
pub use reader::Reader;

/// A partition of one of the run's topics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Counts the topics of the run.
    pub topic: u16,
    /// The partition.
    pub partition: i32,
}

/// The producers' half.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    acknowledged: BTreeMap<(u32, Place), Intervals>,
    /// The first sequence that was never sent.
    ends: BTreeMap<(u32, Place), u64>,
}

/// What became of the records of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// Records that were sent.
    pub sent: u64,
    /// Of these, acknowledged ones.
    pub acknowledged: u64,
    /// Records read at least once.
    pub read: u64,
    /// Acknowledged, and not in what was read.
    pub lost: u64,
    /// Further offsets with a sequence that was read before.
    pub duplicated: u64,
    /// Offsets that were read again.
    pub redelivered: u64,
    /// Sequences behind a later one of their partition.
    pub reordered: u64,
    /// Values whose checksum is wrong.
    pub corrupted: u64,
    /// Never acknowledged, and there all the same, which is allowed.
    pub unacknowledged_read: u64,
    /// Records that nobody of this run has sent.
    pub strange: u64,
}

impl Writer {
    /// Sequences `first..first + count` were sent.
    pub fn sent(&mut self, stream: u32, place: Place, first: u64, count: u64) {
        let end = self.ends.entry((stream, place)).or_default();
        *end = (*end).max(first + count);
    }

    /// They were acknowledged.
    pub fn acknowledged(&mut self, stream: u32, place: Place, first: u64, count: u64) {
        let of_place = self.acknowledged.entry((stream, place)).or_default();
        of_place.insert(first, first + count);
    }

    /// Adds another core's.
    pub fn merge(&mut self, other: Self) {
        for (key, end) in other.ends {
            let own = self.ends.entry(key).or_default();
            *own = (*own).max(end);
        }
        for (key, intervals) in other.acknowledged {
            let own = self.acknowledged.entry(key).or_default();
            for (from, to) in intervals.iter() {
                own.insert(from, to);
            }
        }
    }

    /// Holds what was written against what was read.
    pub fn judge(&self, reader: &Reader) -> Verdict {
        let nothing = Intervals::default();
        let mut verdict = reader.counted();
        verdict.sent = self.ends.values().sum();
        for (key, acknowledged) in &self.acknowledged {
            let read = reader.sequences(*key).unwrap_or(&nothing);
            verdict.acknowledged += acknowledged.len();
            verdict.lost += acknowledged.len() - acknowledged.common(read);
        }
        for (key, read) in reader.all() {
            let acknowledged = self.acknowledged.get(key).unwrap_or(&nothing);
            let end = self.ends.get(key).copied().unwrap_or(0);
            let mut sent = Intervals::default();
            sent.insert(0, end);
            let known = read.common(&sent);
            verdict.strange += read.len() - known;
            verdict.unacknowledged_read += known - read.common(acknowledged);
        }
        verdict
    }
}

impl Verdict {
    /// Whether nothing is there that a log must not do.
    pub const fn is_clean(&self) -> bool {
        self.lost == 0
            && self.duplicated == 0
            && self.reordered == 0
            && self.corrupted == 0
            && self.strange == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Stamp;

    const RUN: u64 = 9;
    const PLACE: Place = Place {
        topic: 0,
        partition: 3,
    };

    /// Reads these sequences, at offsets one after the other.
    fn read(reader: &mut Reader, from: i64, sequences: &[u64]) {
        for (offset, &sequence) in (from..).zip(sequences) {
            let stamp = Stamp {
                run: RUN,
                stream: 1,
                sequence,
                planned: 0,
            };
            reader.read(PLACE, offset, &stamp);
        }
    }

    fn writer(sent: u64, acknowledged: &[(u64, u64)]) -> Writer {
        let mut writer = Writer::default();
        writer.sent(1, PLACE, 0, sent);
        for &(first, count) in acknowledged {
            writer.acknowledged(1, PLACE, first, count);
        }
        writer
    }

    #[test]
    fn what_was_acknowledged_and_not_read_is_lost() {
        let writer = writer(10, &[(0, 4), (6, 4)]);
        let mut reader = Reader::new(RUN);
        read(&mut reader, 0, &[0, 1, 3, 4, 6, 7, 8]);
        let verdict = writer.judge(&reader);
        let expected = Verdict {
            sent: 10,
            acknowledged: 8,
            read: 7,
            lost: 2,
            unacknowledged_read: 1,
            ..Verdict::default()
        };
        assert_eq!(verdict, expected);
        assert!(!verdict.is_clean());
    }

    #[test]
    fn duplicates_redeliveries_and_reordering_are_told_apart() {
        let writer = writer(6, &[(0, 6)]);
        let mut reader = Reader::new(RUN);
        // Offset 2 is read again; sequence 1 stands in the log twice; 4 is behind 5.
        read(&mut reader, 0, &[0, 1, 2]);
        read(&mut reader, 2, &[2, 1, 3, 5, 4]);
        let verdict = writer.judge(&reader);
        let expected = Verdict {
            sent: 6,
            acknowledged: 6,
            read: 6,
            duplicated: 1,
            redelivered: 1,
            reordered: 1,
            ..Verdict::default()
        };
        assert_eq!(verdict, expected);
    }

    #[test]
    fn strangers_and_damage_are_counted() {
        let writer = writer(1, &[(0, 1)]);
        let mut reader = Reader::new(RUN);
        read(&mut reader, 0, &[0, 7]);
        reader.corrupted();
        let other = Stamp {
            run: RUN + 1,
            stream: 1,
            sequence: 0,
            planned: 0,
        };
        reader.read(PLACE, 2, &other);
        let verdict = writer.judge(&reader);
        assert_eq!(
            (verdict.strange, verdict.corrupted, verdict.lost),
            (2, 1, 0)
        );
    }

    #[test]
    fn cores_are_merged() {
        let mut one = writer(4, &[(0, 2)]);
        one.merge(writer(8, &[(2, 6)]));
        let mut reader = Reader::new(RUN);
        let mut other = Reader::new(RUN);
        read(&mut reader, 0, &[0, 1, 2]);
        read(&mut other, 3, &[3, 4, 5, 6, 7]);
        reader.merge(other);
        let verdict = one.judge(&reader);
        assert_eq!(
            (verdict.sent, verdict.acknowledged, verdict.read),
            (8, 8, 8)
        );
        assert!(verdict.is_clean());
    }
}
