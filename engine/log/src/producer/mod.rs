//! Idempotent producers (KIP-98): the last five batches of each, so that a retry is recognised.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use engine_rt::mutant::{self, Mutant};
use thiserror::Error;

use crate::bytes::{Fields, Take};

/// Batches remembered for each producer: as many as a client may have in flight.
pub(crate) const BATCHES_REMEMBERED: usize = 5;

/// What a batch says about its producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerStamp {
    /// Producer id, -1 without idempotence.
    pub producer_id: i64,
    /// Epoch of the producer id.
    pub producer_epoch: i16,
    /// Sequence of the first record.
    pub base_sequence: i32,
}

impl ProducerStamp {
    /// That of a batch without idempotence.
    pub const NONE: Self = Self {
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
    };

    /// Whether the batch takes part in deduplication.
    pub const fn is_idempotent(&self) -> bool {
        self.producer_id >= 0
    }
}

/// A batch that a producer wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct WrittenBatch {
    base_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
    last_offset: i64,
}

/// What one producer did to one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ProducerState {
    epoch: i16,
    batches: VecDeque<WrittenBatch>,
    last_append_ms: i64,
    /// First offset of the open transaction; transactions are not served yet.
    transaction_first_offset: Option<i64>,
}

/// What a partition knows of one producer, for `DescribeProducers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveProducer {
    /// Producer id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// Sequence of its last record, -1 if none is known.
    pub last_sequence: i32,
    /// When its last batch was appended.
    pub last_append_ms: i64,
    /// First offset of its open transaction.
    pub transaction_first_offset: Option<i64>,
}

/// All producers of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProducerStates {
    producers: BTreeMap<i64, ProducerState>,
}

/// The verdict on a batch that may be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SequenceCheck {
    /// Not seen before.
    New,
    /// A retry of a batch that stands at these offsets.
    Duplicate {
        /// First offset of the original.
        base_offset: i64,
        /// Last offset of the original.
        last_offset: i64,
    },
}

/// Why a batch is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProducerError {
    /// `OUT_OF_ORDER_SEQUENCE_NUMBER`.
    #[error("sequence {found} of producer {producer_id} does not follow {last}")]
    OutOfOrderSequence {
        /// The producer.
        producer_id: i64,
        /// The batch's first sequence.
        found: i32,
        /// The last one written.
        last: i32,
    },
    /// `INVALID_PRODUCER_EPOCH`.
    #[error("epoch {found} of producer {producer_id} is older than {current}")]
    InvalidEpoch {
        /// The producer.
        producer_id: i64,
        /// The batch's epoch.
        found: i16,
        /// The epoch in force.
        current: i16,
    },
}

/// The sequence `count` after `sequence`: after 2^31-1 comes 0.
pub(crate) const fn sequence_after(sequence: i32, count: i32) -> i32 {
    let sum = sequence as i64 + count as i64;
    (sum % (i32::MAX as i64 + 1)) as i32
}

impl ProducerStates {
    /// Judges a batch of `records` records. A producer without state may start at any sequence.
    pub fn check(
        &self,
        stamp: ProducerStamp,
        records: i32,
    ) -> Result<SequenceCheck, ProducerError> {
        let Some(state) = self.producers.get(&stamp.producer_id) else {
            return Ok(SequenceCheck::New);
        };
        if stamp.producer_epoch < state.epoch {
            return Err(ProducerError::InvalidEpoch {
                producer_id: stamp.producer_id,
                found: stamp.producer_epoch,
                current: state.epoch,
            });
        }
        let Some(last) = state.batches.back() else {
            return Ok(SequenceCheck::New);
        };
        let expected = if stamp.producer_epoch > state.epoch {
            0
        } else {
            if let Some(original) = state.find(stamp.base_sequence, records) {
                return Ok(original);
            }
            sequence_after(last.last_sequence, 1)
        };
        if stamp.base_sequence == expected {
            return Ok(SequenceCheck::New);
        }
        Err(ProducerError::OutOfOrderSequence {
            producer_id: stamp.producer_id,
            found: stamp.base_sequence,
            last: last.last_sequence,
        })
    }

    /// Notes a batch that was given offsets.
    pub fn record(
        &mut self,
        stamp: ProducerStamp,
        base_offset: i64,
        last_offset: i64,
        now_ms: i64,
    ) {
        if !stamp.is_idempotent() {
            return;
        }
        let state = self
            .producers
            .entry(stamp.producer_id)
            .or_insert_with(|| ProducerState {
                epoch: stamp.producer_epoch,
                batches: VecDeque::new(),
                last_append_ms: now_ms,
                transaction_first_offset: None,
            });
        if stamp.producer_epoch > state.epoch {
            state.epoch = stamp.producer_epoch;
            state.batches.clear();
        }
        if state.batches.len() == BATCHES_REMEMBERED {
            state.batches.pop_front();
        }
        let records = (last_offset - base_offset) as i32;
        state.batches.push_back(WrittenBatch {
            base_sequence: stamp.base_sequence,
            last_sequence: sequence_after(stamp.base_sequence, records),
            base_offset,
            last_offset,
        });
        state.last_append_ms = now_ms;
    }

    /// Forgets producers that have been silent since before `before_ms`.
    pub fn expire(&mut self, before_ms: i64) {
        self.producers
            .retain(|_, state| state.last_append_ms >= before_ms);
    }

    /// Forgets everything at or above `end`: those batches are gone.
    pub fn truncate(&mut self, end: i64) {
        self.producers.retain(|_, state| {
            state.batches.retain(|batch| batch.last_offset < end);
            !state.batches.is_empty()
        });
    }

    /// The last batch below `end` of each producer: its id and the batch's last offset.
    pub fn last_batches(&self, end: i64) -> BTreeSet<(i64, i64)> {
        let last = |state: &ProducerState| {
            let mut below = state.batches.iter().rev();
            below
                .find(|batch| batch.last_offset < end)
                .map(|batch| batch.last_offset)
        };
        let producers = self.producers.iter();
        producers
            .filter_map(|(id, state)| Some((*id, last(state)?)))
            .collect()
    }

    /// What is known of each producer, by id.
    pub fn active(&self) -> impl Iterator<Item = ActiveProducer> + '_ {
        self.producers
            .iter()
            .map(|(producer_id, state)| ActiveProducer {
                producer_id: *producer_id,
                producer_epoch: state.epoch,
                last_sequence: state.batches.back().map_or(-1, |last| last.last_sequence),
                last_append_ms: state.last_append_ms,
                transaction_first_offset: state.transaction_first_offset,
            })
    }

    /// Number of producers known.
    pub fn len(&self) -> usize {
        self.producers.len()
    }

    /// Whether no producer is known.
    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    /// Writes what is known of batches below `end`; the rest is not durable yet.
    pub(crate) fn encode(&self, end: i64, into: &mut Fields) {
        let mut durable = self.clone();
        if !mutant::is_active(Mutant::ProducersBeyondHighWatermark) {
            durable.truncate(end);
        }
        if mutant::is_active(Mutant::ProducersForgotten) {
            durable.producers.clear();
        }
        into.u32(durable.producers.len() as u32);
        for (producer_id, state) in &durable.producers {
            into.i64(*producer_id)
                .u16(state.epoch as u16)
                .i64(state.last_append_ms);
            into.i64(state.transaction_first_offset.unwrap_or(-1));
            into.u8(state.batches.len() as u8);
            for batch in &state.batches {
                into.i32(batch.base_sequence).i32(batch.last_sequence);
                into.i64(batch.base_offset).i64(batch.last_offset);
            }
        }
    }

    pub(crate) fn decode(from: &mut Take<'_>) -> Option<Self> {
        let mut producers = BTreeMap::new();
        for _ in 0..from.count(27)? {
            let producer_id = from.i64()?;
            let epoch = from.u16()? as i16;
            let last_append_ms = from.i64()?;
            let first = from.i64()?;
            let count = usize::from(from.u8()?);
            if count > BATCHES_REMEMBERED {
                return None;
            }
            let mut batches = VecDeque::with_capacity(count);
            for _ in 0..count {
                batches.push_back(WrittenBatch {
                    base_sequence: from.i32()?,
                    last_sequence: from.i32()?,
                    base_offset: from.i64()?,
                    last_offset: from.i64()?,
                });
            }
            let transaction_first_offset = (first >= 0).then_some(first);
            let state = ProducerState {
                epoch,
                batches,
                last_append_ms,
                transaction_first_offset,
            };
            producers.insert(producer_id, state);
        }
        Some(Self { producers })
    }
}

impl ProducerState {
    fn find(&self, base_sequence: i32, records: i32) -> Option<SequenceCheck> {
        let last_sequence = sequence_after(base_sequence, records - 1);
        let original = self.batches.iter().find(|batch| {
            batch.base_sequence == base_sequence && batch.last_sequence == last_sequence
        })?;
        if mutant::is_active(Mutant::LastBatchOnly) && self.batches.back() != Some(original) {
            return None;
        }
        let (base_offset, last_offset) = (original.base_offset, original.last_offset);
        Some(SequenceCheck::Duplicate {
            base_offset,
            last_offset,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
