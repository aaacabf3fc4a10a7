//! A partition's state as a checkpoint keeps it: what files cannot tell (rule 9), as of the high
//! watermark, with the durable bytes that no segment block holds.

use engine_rt::{Buf, BufMut};

use crate::bytes::{Fields, Take};
use crate::entry::SegmentPos;
use crate::epochs::LeaderEpochs;
use crate::ids::TopicPartition;
use crate::partition::{LogConfig, PartitionLog};
use crate::producer::ProducerStates;
use crate::segment::Segment;
use crate::tail::Prefix;

/// Bytes of an encoded segment without its unwritten bytes.
const SEGMENT_BYTES: usize = 69;

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
        fields.i64(segment.created_ms).u8(u8::from(segment.sealed));
        let mut unwritten = vec![0; (segment.durable - written) as usize];
        if segment.sealed {
            unwritten.clear();
        } else {
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
        from.0.is_empty().then_some(log)
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
        segment.sealed = from.u8()? != 0;
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
        self.segments.push_back(segment);
        Some(())
    }
}

/// A buffer with a copy of `bytes`.
fn owned(bytes: &[u8]) -> Buf {
    let mut buf = BufMut::with_capacity(bytes.len());
    buf.copy_from_slice(bytes);
    buf.freeze()
}
