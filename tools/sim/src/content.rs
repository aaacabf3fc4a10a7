//! Batches that say who sent them: whatever is read back can be traced to the send, byte by byte.
//!
//! The key of every record names producer, number of the batch and place in it. The batch's own
//! CRC-32C covers everything but base offset, length and leader epoch, so that comparing length and
//! CRC with those of the send compares the content.

use net_wire::batch::{BatchBuilder, BatchView};
use net_wire::codec::Codecs;

use crate::rng::Rng;

/// Names a batch: who sent it, and the how manieth it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BatchId {
    /// The client.
    pub producer: u32,
    /// Counts the batches of a client in one log.
    pub number: u32,
    /// The log it was sent to, see [`crate::checker::Checker::add_log`].
    pub log: u32,
}

/// Fields of an idempotent producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idempotence {
    /// Producer id.
    pub producer_id: i64,
    /// Its epoch.
    pub epoch: i16,
    /// Sequence of the first record.
    pub base_sequence: i32,
}

/// A batch as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its name.
    pub id: BatchId,
    /// Records in it.
    pub records: i32,
    /// Bytes of it.
    pub bytes: usize,
    /// Its CRC.
    pub crc: u32,
    /// Set if the producer is idempotent: then it may stand in the log once only, and in order.
    pub idempotence: Option<Idempotence>,
    /// Timestamp of the first record.
    pub first_timestamp: i64,
    /// What each next record adds to it.
    pub timestamp_step: i64,
}

impl Sent {
    /// Timestamp of the record at `delta`.
    pub const fn timestamp(&self, delta: i32) -> i64 {
        self.first_timestamp + self.timestamp_step * delta as i64
    }

    /// The largest timestamp and the first record that has it.
    pub const fn max_timestamp(&self) -> (i64, i32) {
        let delta = if self.timestamp_step > 0 {
            self.records - 1
        } else {
            0
        };
        (self.timestamp(delta), delta)
    }
}

/// What a new batch shall be like.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Its name.
    pub id: BatchId,
    /// Records in it.
    pub records: i32,
    /// Bytes of each value.
    pub value_bytes: usize,
    /// Fields of an idempotent producer.
    pub idempotence: Option<Idempotence>,
    /// Timestamp of the first record.
    pub first_timestamp: i64,
    /// What each next record adds to it.
    pub timestamp_step: i64,
}

const KEY_BYTES: usize = 16;

/// Makes a batch.
pub fn make(wanted: &Wanted, rng: &mut Rng) -> (Vec<u8>, Sent) {
    let mut builder = BatchBuilder::new();
    if let Some(own) = wanted.idempotence {
        builder = builder.producer(own.producer_id, own.epoch, own.base_sequence);
    }
    let mut value = vec![0; wanted.value_bytes];
    for record in 0..wanted.records {
        fill(&mut value, rng.next());
        let timestamp = wanted.first_timestamp + wanted.timestamp_step * i64::from(record);
        let key = encode_key(wanted.id, record);
        builder.append(timestamp, Some(&key), Some(&value), &[]);
    }
    let bytes = builder
        .build(&mut Codecs::new())
        .expect("small records without compression fit");
    let (view, _) = BatchView::split(&bytes).expect("a built batch is whole");
    let sent = Sent {
        id: wanted.id,
        records: wanted.records,
        bytes: bytes.len(),
        crc: view.header().crc,
        idempotence: wanted.idempotence,
        first_timestamp: wanted.first_timestamp,
        timestamp_step: wanted.timestamp_step,
    };
    (bytes, sent)
}

/// Bytes that differ from place to place, so that a block of another place is noticed.
fn fill(value: &mut [u8], seed: u64) {
    let mut word = seed | 1;
    for chunk in value.chunks_mut(8) {
        word = word.wrapping_mul(0x2545_f491_4f6c_dd1d).rotate_left(17);
        chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
    }
}

fn encode_key(id: BatchId, record: i32) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    for (place, word) in key
        .chunks_mut(4)
        .zip([id.producer, id.number, id.log, record as u32])
    {
        place.copy_from_slice(&word.to_le_bytes());
    }
    key
}

/// Who sent a batch, by its first record; `None` if it is none of ours.
pub fn identify(batch: &BatchView<'_>) -> Option<BatchId> {
    let key: [u8; KEY_BYTES] = batch.records().next()?.ok()?.key?.try_into().ok()?;
    let word = |at: usize| Some(u32::from_le_bytes(key.get(at..at + 4)?.try_into().ok()?));
    Some(BatchId {
        producer: word(0)?,
        number: word(4)?,
        log: word(8)?,
    })
}
