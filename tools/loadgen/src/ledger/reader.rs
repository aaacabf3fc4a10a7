//! The consumers' half of the books.

use std::collections::BTreeMap;

use super::{Intervals, Place, Verdict};
use crate::content::Stamp;

/// What consumers have read.
#[derive(Clone, Debug)]
pub struct Reader {
    run: u64,
    sequences: BTreeMap<(u32, Place), Sequences>,
    offsets: BTreeMap<Place, Intervals>,
    duplicated: u64,
    redelivered: u64,
    reordered: u64,
    corrupted: u64,
    strange: u64,
}

#[derive(Clone, Debug, Default)]
struct Sequences {
    read: Intervals,
    /// Behind the largest that was read.
    end: u64,
}

impl Reader {
    /// Nothing read of this run.
    pub const fn new(run: u64) -> Self {
        Self {
            run,
            sequences: BTreeMap::new(),
            offsets: BTreeMap::new(),
            duplicated: 0,
            redelivered: 0,
            reordered: 0,
            corrupted: 0,
            strange: 0,
        }
    }

    /// A record was read.
    pub fn read(&mut self, place: Place, offset: i64, stamp: &Stamp) {
        let at = offset as u64;
        if self.offsets.entry(place).or_default().insert(at, at + 1) == 0 {
            self.redelivered += 1;
            return;
        }
        if stamp.run != self.run {
            self.strange += 1;
            return;
        }
        let of_place = self.sequences.entry((stamp.stream, place)).or_default();
        let next = stamp.sequence.saturating_add(1);
        if of_place.read.insert(stamp.sequence, next) == 0 {
            self.duplicated += 1;
        } else if stamp.sequence < of_place.end {
            self.reordered += 1;
        }
        of_place.end = of_place.end.max(next);
    }

    /// A record was read whose value is not as it was made.
    pub const fn corrupted(&mut self) {
        self.corrupted += 1;
    }

    /// Adds another core's, which has read other partitions.
    pub fn merge(&mut self, other: Self) {
        for (key, sequences) in other.sequences {
            let own = self.sequences.entry(key).or_default();
            for (from, to) in sequences.read.iter() {
                own.read.insert(from, to);
            }
            own.end = own.end.max(sequences.end);
        }
        for (place, offsets) in other.offsets {
            let own = self.offsets.entry(place).or_default();
            for (from, to) in offsets.iter() {
                own.insert(from, to);
            }
        }
        self.duplicated += other.duplicated;
        self.redelivered += other.redelivered;
        self.reordered += other.reordered;
        self.corrupted += other.corrupted;
        self.strange += other.strange;
    }

    /// The counts, without what the producers' half decides.
    pub(super) fn counted(&self) -> Verdict {
        Verdict {
            read: self.all().map(|(_, read)| read.len()).sum(),
            duplicated: self.duplicated,
            redelivered: self.redelivered,
            reordered: self.reordered,
            corrupted: self.corrupted,
            strange: self.strange,
            ..Verdict::default()
        }
    }

    /// The sequences of a stream in a partition.
    pub(super) fn sequences(&self, key: (u32, Place)) -> Option<&Intervals> {
        self.sequences.get(&key).map(|sequences| &sequences.read)
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = (&(u32, Place), &Intervals)> {
        self.sequences
            .iter()
            .map(|(key, sequences)| (key, &sequences.read))
    }
}
