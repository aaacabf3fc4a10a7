//! A partition's state as a checkpoint keeps it: what files cannot tell (rule 9), as of the high
//! watermark, with the durable bytes that no segment block holds.

use engine_rt::{Buf, BufMut};

use crate::bytes::{Fields, Take};
use crate::entry::SegmentPos;
use crate::epochs::LeaderEpochs;
use crate::ids::TopicPartition;
use crate::partition::{LogConfig, PartitionLog, push_sparing};
use crate::producer::ProducerStates;
use crate::segment::Segment;
use crate::segment::layout::POSITION_MAX;
use crate::tail::Prefix;

/// Bytes of an encoded segment without its unwritten bytes, and without what is known of its cleaning.
const SEGMENT_BYTES: usize = 69;
/// What a segment's flags say: it is sealed; cleaning 4 and offset 8 of what compaction did follow.
const SEALED: u8 = 1;
const CLEANED: u8 = 2;
/// No log gets so far, and what is added to an offset stays an offset.
const OFFSET_MAX: i64 = 1 << 62;

impl PartitionLog {
    /// The state as of the high watermark.
    pub fn encode_state(&self) -> Vec<u8> {
        let mut fields = Fields::default();
        self.id.encode(&mut fields);
        let log_start = self.log_start.max(self.announced_start);
        fields
            .i64(log_start)
            .i64(self.high_watermark)
            .i32(self.leader_epoch);
        let mut epochs = self.epochs.clone();
        epochs.truncate(self.high_watermark.max(log_start + 1));
        epochs.encode(&mut fields);
        self.producers.encode(self.high_watermark, &mut fields);
        let durable: Vec<&Segment> = self.segments.iter().filter(|s| s.durable > 0).collect();
        fields.u32(durable.len() as u32);
        for segment in durable {
            self.encode_segment(segment, &mut fields);
        }
        fields.0
    }

    fn encode_segment(&self, segment: &Segment, fields: &mut Fields) {
        let written = segment.kept_blocks();
        fields
            .i64(segment.base_offset)
            .i64(segment.durable_offset)
            .u64(segment.durable);
        fields.u64(written).u64(segment.allocated);
        fields
            .i64(segment.max_timestamp)
            .i64(segment.max_timestamp_offset);
        let flags = if segment.sealed { SEALED } else { 0 };
        fields.i64(segment.created_ms);
        if segment.name().is_cleaned() {
            fields.u8(flags | CLEANED);
            fields.u32(segment.cleaning).i64(segment.clean_to);
        } else {
            fields.u8(flags);
        }
        let mut unwritten = Vec::new();
        if !segment.sealed {
            unwritten.resize((segment.durable - written) as usize, 0);
            self.tail
                .copy_range(segment.base_offset, written, &mut unwritten);
        }
        fields.u32(unwritten.len() as u32).raw(&unwritten);
    }

    /// Reads a state back; `None` if its bytes are damaged.
    pub fn decode_state(bytes: &[u8], config: LogConfig) -> Option<Self> {
        let mut from = Take(bytes);
        let id = TopicPartition::decode(&mut from)?;
        let (log_start, high_watermark) = (from.i64()?, from.i64()?);
        let leader_epoch = from.i32()?;
        let mut log = Self::new(id, leader_epoch, config);
        log.log_start = log_start;
        log.high_watermark = high_watermark;
        log.next_offset = high_watermark;
        log.epochs = LeaderEpochs::decode(&mut from)?;
        log.producers = ProducerStates::decode(&mut from)?;
        for _ in 0..from.count(SEGMENT_BYTES)? {
            log.decode_segment(&mut from)?;
        }
        (from.0.is_empty() && log.is_possible()).then_some(log)
    }

    /// Whether offsets and positions are in order: what follows a start computes with them.
    fn is_possible(&self) -> bool {
        let offsets = [0, self.log_start, self.high_watermark, OFFSET_MAX];
        let segments = self.segments.iter();
        offsets.is_sorted()
            && segments.clone().all(|segment| self.may_have(segment))
            && segments.is_sorted_by(|a, b| a.base_offset < b.base_offset)
    }

    fn may_have(&self, segment: &Segment) -> bool {
        let prefix = self.tail.prefix(segment.base_offset);
        let unwritten = prefix.map_or(0, |prefix| prefix.bytes.len() as u64);
        let positions = [segment.written, segment.durable, POSITION_MAX];
        0 <= segment.base_offset
            && segment.base_offset < segment.durable_offset
            && segment.durable_offset <= self.high_watermark
            && 0 < segment.durable
            && positions.is_sorted()
            && segment.written == segment.kept_blocks()
            && segment.allocated <= 2 * POSITION_MAX
            && (segment.base_offset..=segment.durable_offset).contains(&segment.clean_to)
            && (segment.sealed || !segment.name().is_cleaned())
            && (segment.sealed || segment.written + unwritten == segment.durable)
    }

    fn decode_segment(&mut self, from: &mut Take<'_>) -> Option<()> {
        let mut segment = Segment::new(self.id, from.i64()?, 0);
        segment.durable_offset = from.i64()?;
        segment.durable = from.u64()?;
        segment.written = from.u64()?;
        segment.allocated = from.u64()?;
        segment.max_timestamp = from.i64()?;
        segment.max_timestamp_offset = from.i64()?;
        segment.created_ms = from.i64()?;
        let flags = from.u8()?;
        segment.sealed = flags & SEALED != 0;
        if flags & CLEANED != 0 {
            segment.cleaning = from.u32().filter(|cleaning| *cleaning > 0)?;
            segment.clean_to = from.i64()?;
        }
        segment.next_offset = segment.durable_offset;
        segment.len = segment.durable;
        segment.submitted = segment.written;
        segment.index = None;
        let count = from.count(1)?;
        let unwritten = from.raw(count)?;
        let at = SegmentPos {
            segment_base: segment.base_offset,
            pos: segment.written,
        };
        self.tail.set_prefix(Prefix {
            at,
            bytes: owned(unwritten),
        });
        push_sparing(&mut self.segments, segment);
        Some(())
    }
}

/// A buffer with a copy of `bytes`.
fn owned(bytes: &[u8]) -> Buf {
    let mut buf = BufMut::with_capacity(bytes.len());
    buf.copy_from_slice(bytes);
    buf.freeze()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;
    use crate::arbitrary::{damage, epochs, id};
    use crate::producer::tests::states;

    const ID: TopicPartition = TopicPartition {
        topic_id: net_wire::Uuid::from_bytes([1; 16]),
        partition: 0,
    };

    /// Records, blocks written, bytes behind them, bytes allocated, time, sealed by which cleaning.
    type SegmentParts = (u32, u64, u16, u64, i64, (bool, u32));

    fn segments() -> impl Strategy<Value = Vec<SegmentParts>> {
        let segment = (
            1..u32::MAX,
            0..1000_u64,
            1..5000_u16,
            0..=2 * POSITION_MAX,
            any::<i64>(),
            prop_oneof![
                any::<bool>().prop_map(|sealed| (sealed, 0)),
                (1..9_u32).prop_map(|cleaning| (true, cleaning)),
            ],
        );
        vec(segment, 0..5)
    }

    /// A log with segments one after the other, what is not in blocks in memory.
    fn log() -> impl Strategy<Value = PartitionLog> {
        let (epochs, producers) = (epochs(), states());
        (
            id(),
            any::<u32>(),
            segments(),
            epochs,
            producers,
            any::<Index>(),
        )
            .prop_map(|(id, first, parts, epochs, producers, start)| {
                let mut log = PartitionLog::new(id, 3, LogConfig::default());
                log.high_watermark = i64::from(first);
                for part in parts {
                    add_segment(&mut log, part);
                }
                log.next_offset = log.high_watermark;
                log.log_start = start.index(log.high_watermark as usize + 1) as i64;
                log.epochs = epochs;
                log.epochs
                    .truncate(log.high_watermark.max(log.log_start + 1));
                log.producers = producers;
                log.producers.truncate(log.high_watermark);
                log
            })
    }

    fn add_segment(log: &mut PartitionLog, parts: SegmentParts) {
        let (records, blocks, behind, allocated, time, (sealed, cleaning)) = parts;
        let mut segment = Segment::new(log.id, log.high_watermark, time);
        segment.written = blocks * 4096;
        segment.durable = segment.written + u64::from(behind);
        if sealed {
            segment.written = segment.durable;
        }
        segment.durable_offset += i64::from(records);
        segment.cleaning = cleaning;
        segment.clean_to += i64::from(cleaning.min(records));
        (segment.len, segment.submitted) = (segment.durable, segment.written);
        (segment.allocated, segment.sealed) = (allocated, sealed);
        (segment.max_timestamp, segment.max_timestamp_offset) = (time, -time.abs().max(0));
        segment.next_offset = segment.durable_offset;
        log.high_watermark = segment.durable_offset;
        let at = SegmentPos {
            segment_base: segment.base_offset,
            pos: segment.written,
        };
        let bytes = owned(&vec![
            behind as u8;
            (segment.durable - segment.written) as usize
        ]);
        log.tail.set_prefix(Prefix { at, bytes });
        push_sparing(&mut log.segments, segment);
    }

    fn decode(bytes: &[u8]) -> Option<PartitionLog> {
        PartitionLog::decode_state(bytes, LogConfig::default())
    }

    #[test]
    fn impossible_numbers_are_refused() {
        let log = || {
            let mut log = PartitionLog::new(ID, 3, LogConfig::default());
            add_segment(&mut log, (10, 2, 5, 0, 0, (true, 0)));
            add_segment(&mut log, (10, 0, 5, 0, 0, (false, 0)));
            log
        };
        let accepted = |change: &dyn Fn(&mut PartitionLog)| {
            let mut log = log();
            change(&mut log);
            decode(&log.encode_state()).is_some()
        };
        assert!(accepted(&|_| ()));
        assert!(!accepted(
            &|log| (log.log_start, log.announced_start) = (-1, -1)
        ));
        assert!(!accepted(&|log| log.log_start = 21));
        assert!(!accepted(&|log| log.high_watermark = 19));
        assert!(!accepted(&|log| log.high_watermark = i64::MAX - 1));
        assert!(!accepted(&|log| log.segments.swap(0, 1)));
        assert!(!accepted(&|log| log.segments[0].base_offset = -1));
        assert!(!accepted(&|log| log.segments[0].durable_offset = 0));
        assert!(accepted(&|log| log.segments[0].cleaning = 1));
        assert!(!accepted(&|log| log.segments[1].cleaning = 1));
        assert!(!accepted(&|log| {
            (log.segments[0].cleaning, log.segments[0].clean_to) = (1, 11);
        }));
        assert!(!accepted(&|log| log.segments[0].allocated = u64::MAX));
        assert!(!accepted(&|log| log.segments[0].durable = u64::MAX));
        let mut bytes = log().encode_state();
        let durable = 20 + 20 + 4 + 4 + 4 + 16;
        assert_eq!(bytes[durable..durable + 8], 8197_u64.to_le_bytes());
        bytes[durable..durable + 16].fill(0);
        assert!(decode(&bytes).is_none(), "a segment without a byte");
        bytes[durable] = 1;
        bytes[durable + 8] = 2;
        assert!(decode(&bytes).is_none(), "more in blocks than there is");
    }

    proptest! {
        #[test]
        fn states_read_back(log in log()) {
            let bytes = log.encode_state();
            let read = decode(&bytes).expect("what was written");
            prop_assert_eq!(read.encode_state(), bytes);
            prop_assert_eq!(read.id, log.id);
            prop_assert_eq!((read.log_start, read.high_watermark), (log.log_start, log.high_watermark));
            prop_assert_eq!((&read.epochs, &read.producers), (&log.epochs, &log.producers));
            let names = |log: &PartitionLog| -> Vec<_> {
                log.segments.iter().map(|segment| (segment.name(), segment.clean_to)).collect()
            };
            prop_assert_eq!(names(&read), names(&log));
            prop_assert_eq!((read.size_bytes(), read.tail_bytes()), (log.size_bytes(), log.tail_bytes()));
        }

        #[test]
        fn a_state_that_is_cut_short_is_refused(log in log(), at: Index) {
            let bytes = log.encode_state();
            prop_assert!(decode(&bytes[..at.index(bytes.len())]).is_none());
        }

        /// A state has no checksum of its own. What is read all the same can be worked with, and
        /// is no larger than its bytes.
        #[test]
        fn a_damaged_state_is_refused_or_can_be_worked_with(log in log(), damage in damage()) {
            let bytes = log.encode_state();
            let bytes = damage.of(&bytes, bytes.len());
            let Some(mut read) = decode(&bytes) else { return Ok(()) };
            prop_assert!(read.tail_bytes() <= bytes.len() as u64);
            prop_assert!(read.unwritten_bytes() <= read.size_bytes());
            let again = read.encode_state();
            prop_assert!(again.len() <= bytes.len());
            prop_assert!(decode(&again).is_some());
            drop(read.move_log_start(read.high_watermark));
        }

        #[test]
        fn no_bytes_panic(bytes in vec(prop_oneof![4 => Just(0), 1 => any::<u8>()], 0..400)) {
            let _ = decode(&bytes);
        }
    }
}
