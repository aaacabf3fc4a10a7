//! Which leader epoch began at which offset (KIP-101, KIP-320).

use crate::bytes::{Fields, Take};

/// One epoch and the first offset written in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochStart {
    /// The leader epoch.
    pub epoch: i32,
    /// Its first offset.
    pub start_offset: i64,
}

/// The epochs of one partition: both fields rise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderEpochs {
    starts: Vec<EpochStart>,
}

impl LeaderEpochs {
    /// The newest epoch, if any.
    pub fn latest(&self) -> Option<EpochStart> {
        self.starts.last().copied()
    }

    /// Notes that `epoch` begins at `start_offset`; an epoch that is known already is left alone.
    pub fn begin(&mut self, epoch: i32, start_offset: i64) {
        if self.latest().is_some_and(|latest| latest.epoch >= epoch) {
            return;
        }
        // An epoch in which nothing was written is replaced by the one that starts at its place.
        self.starts
            .retain(|start| start.start_offset < start_offset);
        self.starts.push(EpochStart {
            epoch,
            start_offset,
        });
    }

    /// Where `epoch` ended, given the log's end: the largest known epoch at or below it and the
    /// first offset after it; `None` if nothing that old is known (`OffsetForLeaderEpoch`).
    pub fn end_offset_for(&self, epoch: i32, log_end: i64) -> Option<(i32, i64)> {
        let after = self.starts.partition_point(|start| start.epoch <= epoch);
        let found = self.starts.get(after.checked_sub(1)?)?;
        let end = self
            .starts
            .get(after)
            .map_or(log_end, |next| next.start_offset);
        Some((found.epoch, end))
    }

    /// The epoch that wrote `offset`.
    pub fn epoch_of(&self, offset: i64) -> Option<i32> {
        let after = self
            .starts
            .partition_point(|start| start.start_offset <= offset);
        Some(self.starts.get(after.checked_sub(1)?)?.epoch)
    }

    /// Forgets what lies below the log start; the epoch that covers it begins there now.
    pub fn trim_front(&mut self, log_start: i64) {
        let covering = self
            .starts
            .partition_point(|start| start.start_offset <= log_start);
        if let Some(covering) = covering.checked_sub(1) {
            self.starts.drain(..covering);
            self.starts[0].start_offset = log_start;
        }
    }

    /// Forgets epochs that begin at or after `end`.
    pub fn truncate(&mut self, end: i64) {
        self.starts.retain(|start| start.start_offset < end);
    }

    pub(crate) fn encode(&self, into: &mut Fields) {
        into.u32(self.starts.len() as u32);
        for start in &self.starts {
            into.i32(start.epoch).i64(start.start_offset);
        }
    }

    pub(crate) fn decode(from: &mut Take<'_>) -> Option<Self> {
        let count = from.count(12)?;
        let mut starts = Vec::with_capacity(count);
        for _ in 0..count {
            starts.push(EpochStart {
                epoch: from.i32()?,
                start_offset: from.i64()?,
            });
        }
        let rise =
            |a: &EpochStart, b: &EpochStart| a.epoch < b.epoch && a.start_offset < b.start_offset;
        starts.is_sorted_by(rise).then_some(Self { starts })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::arbitrary;

    fn epochs(starts: &[(i32, i64)]) -> LeaderEpochs {
        let mut epochs = LeaderEpochs::default();
        for (epoch, start) in starts {
            epochs.begin(*epoch, *start);
        }
        epochs
    }

    #[test]
    fn ends_where_the_next_one_begins() {
        let epochs = epochs(&[(0, 0), (2, 10), (5, 20)]);
        assert_eq!(epochs.end_offset_for(0, 30), Some((0, 10)));
        assert_eq!(epochs.end_offset_for(1, 30), Some((0, 10)));
        assert_eq!(epochs.end_offset_for(3, 30), Some((2, 20)));
        assert_eq!(epochs.end_offset_for(9, 30), Some((5, 30)));
        assert_eq!(epochs.end_offset_for(-1, 30), None);
    }

    #[test]
    fn empty_epoch_is_replaced() {
        let epochs = epochs(&[(0, 0), (1, 10), (2, 10)]);
        assert_eq!(epochs.end_offset_for(1, 30), Some((0, 10)));
        assert_eq!(epochs.epoch_of(10), Some(2));
    }

    #[test]
    fn trimming_keeps_the_epoch_that_covers_the_start() {
        let mut epochs = epochs(&[(0, 0), (2, 10), (5, 20)]);
        epochs.trim_front(15);
        assert_eq!(epochs.epoch_of(15), Some(2));
        assert_eq!(epochs.end_offset_for(0, 30), None);
        epochs.truncate(20);
        assert_eq!(epochs.latest().map(|latest| latest.epoch), Some(2));
    }

    proptest! {
        #[test]
        fn epochs_read_back(epochs in arbitrary::epochs(), behind: Vec<u8>) {
            let mut fields = Fields::default();
            epochs.encode(&mut fields);
            fields.raw(&behind);
            let mut from = Take(&fields.0);
            prop_assert_eq!(LeaderEpochs::decode(&mut from), Some(epochs));
            prop_assert_eq!(from.0, &behind[..]);
        }

        /// What is found by halving stands in order, and takes no more memory than its bytes.
        #[test]
        fn damaged_epochs_rise_or_are_refused(
            epochs in arbitrary::epochs(),
            damage in arbitrary::damage(),
        ) {
            let mut fields = Fields::default();
            epochs.encode(&mut fields);
            let bytes = damage.of(&fields.0, fields.0.len());
            if let Some(read) = LeaderEpochs::decode(&mut Take(&bytes)) {
                prop_assert!(read.starts.is_sorted_by_key(|start| start.epoch));
                prop_assert!(read.starts.is_sorted_by_key(|start| start.start_offset));
                prop_assert!(read.starts.capacity() <= bytes.len() / 12);
            }
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = LeaderEpochs::decode(&mut Take(&bytes));
        }
    }
}
