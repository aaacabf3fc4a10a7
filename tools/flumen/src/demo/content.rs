//! What the records hold: a function of their place, so that the reader needs no memory of them.

use engine_rt::Buf;
use engine_rt::sim::{mix, splitmix};
use net_wire::batch::{BatchBuilder, BatchView};
use net_wire::codec::Codecs;

use crate::client::Producer;

/// Bytes of a value.
pub(super) const VALUE_BYTES: usize = 256;
/// Bytes of a record's key and value.
pub(super) const RECORD_BYTES: usize = VALUE_BYTES + 8;

/// The records of one run: those of another run differ in every value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content {
    pub(super) seed: u64,
    pub(super) timestamp: i64,
}

impl Content {
    /// The value of a partition's record; it does not compress.
    fn value(self, partition: i32, number: u64) -> [u8; VALUE_BYTES] {
        let mut value = [0; VALUE_BYTES];
        let mut state = mix(self.seed ^ mix(u64::from(partition.unsigned_abs()) << 40 ^ number));
        for word in value.chunks_exact_mut(8) {
            word.copy_from_slice(&splitmix(&mut state).to_le_bytes());
        }
        value
    }

    /// A batch of a partition's records `from..from + count`.
    pub(super) fn batch(
        self,
        producer: &Producer,
        (topic, partition): (&str, i32),
        from: u64,
        count: u64,
    ) -> Buf {
        let builder = BatchBuilder::new();
        let mut builder = producer.stamp(builder, topic, partition, count as i32);
        for number in from..from + count {
            let value = self.value(partition, number);
            builder.append(
                self.timestamp,
                Some(&number.to_be_bytes()),
                Some(&value),
                &[],
            );
        }
        let bytes = builder.build(&mut Codecs::new());
        Buf::copy_from_slice(&bytes.expect("a batch without compression always builds"))
    }

    /// Compares a batch with what was written, its first record being `number`; gives how many
    /// records it has.
    pub(super) fn compare(
        self,
        batch: &BatchView<'_>,
        partition: i32,
        number: u64,
    ) -> Result<u64, String> {
        let place = |number: u64| format!("record {number} of partition {partition}");
        if !batch.is_intact() {
            return Err(format!("{}: the checksum of its batch", place(number)));
        }
        let base = batch.header().base_timestamp;
        let mut next = number;
        for record in batch.records() {
            let record = record.map_err(|error| format!("{}: {error}", place(next)))?;
            if record.key != Some(&next.to_be_bytes()[..]) {
                return Err(format!("{}: its key", place(next)));
            }
            if record.value != Some(&self.value(partition, next)[..]) {
                return Err(format!("{}: its value", place(next)));
            }
            if base + record.timestamp_delta != self.timestamp {
                return Err(format!("{}: its timestamp", place(next)));
            }
            next += 1;
        }
        Ok(next - number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(content: Content, partition: i32, from: u64) -> Vec<u8> {
        let mut builder = BatchBuilder::new();
        for number in from..from + 3 {
            let value = content.value(partition, number);
            builder.append(
                content.timestamp,
                Some(&number.to_be_bytes()),
                Some(&value),
                &[],
            );
        }
        builder.build(&mut Codecs::new()).unwrap()
    }

    #[test]
    fn a_seed_gives_the_same_values_for_ever() {
        let content = Content {
            seed: 7,
            timestamp: 0,
        };
        let value = content.value(2, 10);
        assert_eq!(value[..8], 0xe211_0968_560c_7ecf_u64.to_le_bytes());
        assert_eq!(value[8..16], 0x602d_ad0f_dfcc_79b4_u64.to_le_bytes());
    }

    #[test]
    fn every_difference_is_found() {
        let content = Content {
            seed: 7,
            timestamp: 1_000,
        };
        let compare = |content: Content, bytes: &[u8], partition, number| {
            content.compare(&BatchView::split(bytes).unwrap().0, partition, number)
        };
        let bytes = batch(content, 2, 10);
        assert_eq!(compare(content, &bytes, 2, 10), Ok(3));
        assert!(compare(content, &bytes, 2, 11).unwrap_err().contains("key"));
        assert!(
            compare(content, &bytes, 3, 10)
                .unwrap_err()
                .contains("value")
        );
        let other = Content { seed: 8, ..content };
        assert!(compare(other, &bytes, 2, 10).unwrap_err().contains("value"));
        let later = Content {
            timestamp: 1_001,
            ..content
        };
        assert!(
            compare(later, &bytes, 2, 10)
                .unwrap_err()
                .contains("timestamp")
        );
        let mut bad = bytes;
        let last = bad.len() - 2;
        bad[last] ^= 1;
        assert!(
            compare(content, &bad, 2, 10)
                .unwrap_err()
                .contains("checksum")
        );
    }
}
