//! Batches that say who sent them: whatever is read back can be traced to the send, byte by byte.
//!
//! The key of every record names producer, number of the batch and place in it, so that no two
//! batches have the same payload: length and CRC-32C of the payload name the batch, also of a
//! compressed one. Payload and header together are everything that was sent; what a broker may stamp
//! is left out of the comparison, and nothing else.

use net_wire::batch::{BatchBuilder, BatchHeader, BatchView, TimestampType, crc32c};
use net_wire::codec::{Codec, Codecs};

use crate::keyed::Keyed;
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

/// Length and CRC-32C of a batch's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Print(usize, u32);

impl Print {
    /// That of a batch.
    pub fn of(batch: &BatchView<'_>) -> Self {
        Self(batch.payload().len(), crc32c(batch.payload()))
    }
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
    /// What its records are, byte by byte.
    pub print: Print,
    /// Its header.
    pub header: BatchHeader,
    /// Set if the producer is idempotent: then it may stand in the log once only, and in order.
    pub idempotence: Option<Idempotence>,
    /// Timestamp of the first record.
    pub first_timestamp: i64,
    /// What each next record adds to it.
    pub timestamp_step: i64,
    /// Set if its topic is compacted.
    pub keyed: Option<Keyed>,
}

impl Sent {
    /// Whether a header is the one that was sent, but for what a broker stamps: base offset and
    /// leader epoch, and, if it stamps the time, the time, its type and the checksum over both.
    pub fn is_header(&self, found: &BatchHeader, stamps_time: bool) -> bool {
        let mut due = self.header;
        due.base_offset = found.base_offset;
        due.partition_leader_epoch = found.partition_leader_epoch;
        if stamps_time {
            due.crc = found.crc;
            due.max_timestamp = found.max_timestamp;
            let stamped = TimestampType::LogAppendTime;
            due.attributes = due.attributes.with_timestamp_type(stamped);
        }
        due == *found
    }

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
    /// How it is compressed.
    pub codec: Codec,
    /// How many keys there are, if the topic is compacted.
    pub keys: Option<u64>,
}

const NAME_BYTES: usize = 16;

/// Makes a batch.
pub fn make(wanted: &Wanted, rng: &mut Rng, codecs: &mut Codecs) -> (Vec<u8>, Sent) {
    let mut builder = BatchBuilder::new().codec(wanted.codec);
    if let Some(own) = wanted.idempotence {
        builder = builder.producer(own.producer_id, own.epoch, own.base_sequence);
    }
    let keyed = wanted.keys.map(|keys| Keyed {
        keys,
        value_bytes: wanted.value_bytes,
    });
    let mut value = vec![0; wanted.value_bytes];
    for record in 0..wanted.records {
        let timestamp = wanted.first_timestamp + wanted.timestamp_step * i64::from(record);
        if let Some(keyed) = keyed {
            keyed.append(&mut builder, wanted.id, record, timestamp);
            continue;
        }
        // What shall be compressed can be: every other record is as plain as they come.
        if wanted.codec == Codec::None || record % 2 == 0 {
            fill(&mut value, rng.next());
        } else {
            value.fill(record as u8);
        }
        let key = encode_name(wanted.id, record);
        builder.append(timestamp, Some(&key), Some(&value), &[]);
    }
    let bytes = builder.build(codecs).expect("small records fit");
    let (view, _) = BatchView::split(&bytes).expect("a built batch is whole");
    let sent = Sent {
        id: wanted.id,
        records: wanted.records,
        bytes: bytes.len(),
        print: Print::of(&view),
        header: *view.header(),
        idempotence: wanted.idempotence,
        first_timestamp: wanted.first_timestamp,
        timestamp_step: wanted.timestamp_step,
        keyed,
    };
    (bytes, sent)
}

/// Bytes that differ from place to place, so that a block of another place is noticed.
pub(crate) fn fill(value: &mut [u8], seed: u64) {
    let mut word = seed | 1;
    for chunk in value.chunks_mut(8) {
        word = word.wrapping_mul(0x2545_f491_4f6c_dd1d).rotate_left(17);
        chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
    }
}

/// Names a record.
pub(crate) fn encode_name(id: BatchId, record: i32) -> [u8; NAME_BYTES] {
    let mut name = [0; NAME_BYTES];
    for (place, word) in name
        .chunks_mut(4)
        .zip([id.producer, id.number, id.log, record as u32])
    {
        place.copy_from_slice(&word.to_le_bytes());
    }
    name
}

/// The record that a name names.
pub(crate) fn decode_name(name: &[u8]) -> Option<(BatchId, i32)> {
    let (words, rest) = name.as_chunks::<4>();
    let [producer, number, log, record] = <[[u8; 4]; 4]>::try_from(words).ok()?;
    let id = BatchId {
        producer: u32::from_le_bytes(producer),
        number: u32::from_le_bytes(number),
        log: u32::from_le_bytes(log),
    };
    rest.is_empty().then_some((id, i32::from_le_bytes(record)))
}
