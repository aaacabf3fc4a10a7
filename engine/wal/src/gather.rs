//! Whether a group waits a little for company.
//!
//! A client that waits for its answer before it sends again comes back right after a flush. A flush
//! that begins with the first of them makes all others wait for the next one: more flushes, and most
//! clients wait for two. So a group waits for as many entries as were under way when the last flush
//! ended, for a part of the time that a flush takes. Where they do not come, it waits more and more
//! rarely.

use std::time::Duration;

/// Longest wait, as a share of a flush and in all.
const SHARE: u64 = 2;
const WAIT_MAX: Duration = Duration::from_micros(250);
/// Most groups that do not wait, after waits in vain.
const SKIPPED_MAX: u32 = 63;
/// Weight of the last flush in the time that one is expected to take: one in so many.
const SMOOTHING: u64 = 8;

/// What the journal knows of its company.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    /// Entries that were under way when the last flush ended: answered by it or waiting.
    expected: u32,
    flush_nanos: u64,
    /// Groups that do not wait, now and after the next wait in vain.
    skipped: u32,
    back_off: u32,
}

impl Gather {
    /// A flush of `answered` entries took `nanos`; `open` ones wait for the next.
    pub(crate) fn flushed(&mut self, answered: u32, open: u32, nanos: u64) {
        self.expected = answered + open;
        self.flush_nanos = if self.flush_nanos == 0 {
            nanos
        } else {
            self.flush_nanos - self.flush_nanos / SMOOTHING + nanos / SMOOTHING
        };
    }

    /// How many entries a group that has `entries` waits for, and how long.
    pub(crate) fn begin(&mut self, entries: u32) -> Option<(u32, Duration)> {
        if entries >= self.expected {
            return None;
        }
        if self.skipped > 0 {
            self.skipped -= 1;
            return None;
        }
        let wait = Duration::from_nanos(self.flush_nanos / SHARE).min(WAIT_MAX);
        Some((self.expected, wait))
    }

    /// The wait ended with a group of `entries`.
    pub(crate) fn end(&mut self, entries: u32) {
        self.back_off = if entries * 2 >= self.expected {
            0
        } else {
            (self.back_off * 2 + 1).min(SKIPPED_MAX)
        };
        self.skipped = self.back_off;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLUSH: u64 = 100_000;

    #[test]
    fn a_lone_client_never_waits() {
        let mut gather = Gather::default();
        assert_eq!(gather.begin(1), None);
        gather.flushed(1, 0, FLUSH);
        assert_eq!(gather.begin(1), None);
    }

    #[test]
    fn a_group_waits_for_those_who_were_answered_and_those_who_wait() {
        let mut gather = Gather::default();
        gather.flushed(10, 6, FLUSH);
        let wait = Duration::from_micros(50);
        assert_eq!(gather.begin(1), Some((16, wait)));
        gather.end(16);
        assert_eq!(gather.begin(6), Some((16, wait)));
        assert_eq!(gather.begin(16), None);
        gather.flushed(16, 0, 1_000_000_000);
        assert_eq!(gather.begin(1), Some((16, WAIT_MAX)));
    }

    #[test]
    fn waits_in_vain_become_rare_and_one_that_pays_brings_them_back() {
        let mut gather = Gather::default();
        gather.flushed(16, 0, FLUSH);
        let mut groups_between = Vec::new();
        let mut groups = 0;
        while groups_between.len() < 8 {
            if gather.begin(1).is_some() {
                gather.end(1);
                groups_between.push(std::mem::take(&mut groups));
            } else {
                groups += 1;
            }
        }
        assert_eq!(groups_between, [0, 1, 3, 7, 15, 31, 63, 63]);
        while gather.begin(1).is_none() {}
        gather.end(12);
        assert!(gather.begin(1).is_some());
    }
}
