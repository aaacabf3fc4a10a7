//! Sets of numbers as intervals: what comes in order takes the room of one.

use std::collections::BTreeMap;

/// A set of numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intervals {
    /// Ends by starts; they neither touch nor overlap.
    ends: BTreeMap<u64, u64>,
    len: u64,
}

impl Intervals {
    /// How many numbers are in it.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The intervals, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.ends.iter().map(|(&from, &to)| (from, to))
    }

    /// Whether a number is in it.
    pub fn contains(&self, number: u64) -> bool {
        let before = self.ends.range(..=number).next_back();
        before.is_some_and(|(_, &to)| number < to)
    }

    /// Adds `from..to`; how many of them are new.
    pub fn insert(&mut self, from: u64, to: u64) -> u64 {
        if from >= to {
            return 0;
        }
        // Nearly always the last interval grows.
        if let Some(mut last) = self.ends.last_entry()
            && *last.get() == from
        {
            *last.get_mut() = to;
            self.len += to - from;
            return to - from;
        }
        let (mut start, mut end, mut covered) = (from, to, 0);
        while let Some((&near_from, &near_to)) = self.ends.range(..=end).next_back()
            && near_to >= start
        {
            covered += near_to.min(to).saturating_sub(near_from.max(from));
            start = start.min(near_from);
            end = end.max(near_to);
            self.ends.remove(&near_from);
        }
        self.ends.insert(start, end);
        let new = to - from - covered;
        self.len += new;
        new
    }

    /// How many numbers both have.
    pub fn common(&self, other: &Self) -> u64 {
        let (mut ours, mut theirs) = (self.iter().peekable(), other.iter().peekable());
        let mut common = 0;
        while let (Some(&(from, to)), Some(&(other_from, other_to))) = (ours.peek(), theirs.peek())
        {
            common += to.min(other_to).saturating_sub(from.max(other_from));
            if to <= other_to {
                ours.next();
            } else {
                theirs.next();
            }
        }
        common
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn made(parts: &[(u64, u64)]) -> (Intervals, BTreeSet<u64>) {
        let (mut intervals, mut set) = (Intervals::default(), BTreeSet::new());
        for &(from, len) in parts {
            let before = set.len();
            set.extend(from..from + len);
            let new = intervals.insert(from, from + len);
            assert_eq!(new, (set.len() - before) as u64);
        }
        (intervals, set)
    }

    proptest! {
        #[test]
        fn intervals_are_a_set(
            one in prop::collection::vec((0..60_u64, 0..9_u64), 0..20),
            other in prop::collection::vec((0..60_u64, 0..9_u64), 0..20),
        ) {
            let ((one, one_set), (other, other_set)) = (made(&one), made(&other));
            prop_assert_eq!(one.len(), one_set.len() as u64);
            for number in 0..70 {
                prop_assert_eq!(one.contains(number), one_set.contains(&number));
            }
            let common = one_set.intersection(&other_set).count() as u64;
            prop_assert_eq!(one.common(&other), common);
            let ends: Vec<(u64, u64)> = one.iter().collect();
            prop_assert!(ends.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }
    }
}
