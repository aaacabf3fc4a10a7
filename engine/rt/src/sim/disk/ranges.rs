//! A set of numbers kept as ranges: allocated extents, resident pages.

use std::collections::BTreeMap;
use std::ops::Range;

/// Disjoint ranges that do not touch, by their start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges {
    ends: BTreeMap<u64, u64>,
    total: u64,
}

impl Ranges {
    /// How many numbers are in the set.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// How many numbers of `range` are in the set.
    pub(super) fn overlap(&self, range: &Range<u64>) -> u64 {
        self.overlapping(range)
            .map(|(start, end)| end.min(range.end) - start.max(range.start))
            .sum()
    }

    pub(super) fn contains(&self, range: &Range<u64>) -> bool {
        range.is_empty() || self.overlap(range) == range.end - range.start
    }

    pub(super) fn insert(&mut self, range: &Range<u64>) {
        if self.contains(range) {
            return;
        }
        let mut merged = range.clone();
        self.take_overlapping(
            &(range.start.saturating_sub(1)..range.end + 1),
            |start, end| {
                merged.start = merged.start.min(start);
                merged.end = merged.end.max(end);
            },
        );
        self.add(merged.start, merged.end);
    }

    pub(super) fn remove(&mut self, range: &Range<u64>) {
        if range.is_empty() {
            return;
        }
        let mut rest = Vec::new();
        self.take_overlapping(range, |start, end| {
            rest.push((start, range.start));
            rest.push((range.end, end));
        });
        for (start, end) in rest {
            self.add(start, end);
        }
    }

    fn add(&mut self, start: u64, end: u64) {
        if start < end {
            self.total += end - start;
            self.ends.insert(start, end);
        }
    }

    fn take_overlapping(&mut self, range: &Range<u64>, mut taken: impl FnMut(u64, u64)) {
        let found: Vec<_> = self.overlapping(range).collect();
        for (start, end) in found {
            self.ends.remove(&start);
            self.total -= end - start;
            taken(start, end);
        }
    }

    fn overlapping(&self, range: &Range<u64>) -> impl Iterator<Item = (u64, u64)> + '_ {
        let Range {
            start: from,
            end: to,
        } = *range;
        // The one that begins before the range may reach into it.
        let first = self
            .ends
            .range(..=from)
            .next_back()
            .map_or(from, |(&start, _)| start);
        let ends = self
            .ends
            .range(first..to.max(first))
            .map(|(&start, &end)| (start, end));
        ends.filter(move |&(_, end)| end > from)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::sim::prng::Prng;

    #[test]
    fn ranges_behave_as_a_set_of_numbers() {
        let mut prng = Prng::new(11);
        let (mut ranges, mut model) = (Ranges::default(), BTreeSet::new());
        for _ in 0..4000 {
            let start = prng.below(200);
            let range = start..start + prng.below(20);
            let expected = range
                .clone()
                .filter(|number| model.contains(number))
                .count() as u64;
            assert_eq!(ranges.overlap(&range), expected, "{range:?} in {ranges:?}");
            assert_eq!(ranges.contains(&range), expected == range.end - range.start);
            if prng.coin() {
                ranges.insert(&range);
                model.extend(range);
            } else {
                ranges.remove(&range);
                model.retain(|number| !range.contains(number));
            }
            assert_eq!(ranges.total(), model.len() as u64);
        }
    }

    #[test]
    fn touching_ranges_are_one() {
        let mut ranges = Ranges::default();
        ranges.insert(&(0..4));
        ranges.insert(&(8..12));
        ranges.insert(&(4..8));
        assert_eq!(ranges.ends.len(), 1);
    }
}
