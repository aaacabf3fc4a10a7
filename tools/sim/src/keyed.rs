//! Records of compacted topics: keys from a small set, and some have no value. Compaction takes
//! records out of batches, so each says who sent it, in a header; the rest follows from that.

use net_wire::batch::{BatchBuilder, Record, RecordHeader};

use crate::content::{BatchId, decode_name, encode_name, fill};
use crate::rng::Rng;

/// The header that has the name.
const NAME: &[u8] = b"name";
/// So many records have a value for each that has none.
const VALUES_PER_TOMBSTONE: u64 = 5;

/// What the records of a batch for a compacted topic are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyed {
    /// How many keys there are.
    pub keys: u64,
    /// Bytes of each value.
    pub value_bytes: usize,
}

impl Keyed {
    /// The key of a record.
    pub const fn key(self, id: BatchId, record: i32) -> u64 {
        draw(id, record) % self.keys
    }

    fn value(self, id: BatchId, record: i32) -> Option<Vec<u8>> {
        if is_tombstone(id, record) {
            return None;
        }
        let mut value = vec![0; self.value_bytes];
        fill(&mut value, draw(id, record));
        Some(value)
    }

    /// Adds a record to a batch.
    pub fn append(self, builder: &mut BatchBuilder, id: BatchId, record: i32, timestamp: i64) {
        let (key, name) = (self.key(id, record).to_be_bytes(), encode_name(id, record));
        let header = RecordHeader {
            key: NAME,
            value: Some(&name),
        };
        let value = self.value(id, record);
        builder.append(timestamp, Some(&key), value.as_deref(), &[header]);
    }

    /// Whether a record is as it was sent.
    pub fn is(self, found: &Record<'_>, id: BatchId, record: i32) -> bool {
        found.key == Some(self.key(id, record).to_be_bytes().as_slice())
            && found.value == self.value(id, record).as_deref()
            && found.headers.len() == 1
    }
}

/// Whether a record has no value.
pub const fn is_tombstone(id: BatchId, record: i32) -> bool {
    (draw(id, record) >> 40).is_multiple_of(VALUES_PER_TOMBSTONE + 1)
}

/// Who sent a record: the batch, and its place in it.
pub fn sender_of(record: &Record<'_>) -> Option<(BatchId, i32)> {
    let named = record.headers.iter().find(|header| header.key == NAME)?;
    decode_name(named.value?)
}

const fn draw(id: BatchId, record: i32) -> u64 {
    let batch = (id.producer as u64) << 40 | (id.number as u64) << 8 | id.log as u64;
    let mut rng = Rng::new(Rng::new(batch).next() ^ record as u64);
    rng.next()
}
