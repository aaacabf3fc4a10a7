//! The batches that are measured with: sizes as producers send them, contents made from a seed.

use std::iter;

use net_wire::batch::{BatchBuilder, BatchError};
use net_wire::codec::{Codec, Codecs};

/// Bytes of a record's value in every case.
pub const VALUE_BYTES: usize = 1024;
/// Records of a large batch: about 256 KiB.
pub const BATCH_RECORDS: usize = 256;

/// What record values consist of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Bytes that no codec makes smaller.
    Random,
    /// Lines of a service's log, which codecs make three to six times smaller.
    Lines,
}

/// Numbers that look random, the same for the same seed (xorshift64*).
#[derive(Debug)]
struct Numbers(u64);

impl Numbers {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

const WORDS: [&str; 16] = [
    "GET",
    "POST",
    "/api/v1/orders",
    "/api/v1/users",
    "timeout",
    "upstream",
    "retry",
    "accepted",
    "session",
    "checkout",
    "payment",
    "declined",
    "eu-central-1",
    "us-east-2",
    "cache",
    "miss",
];

fn value(content: Content, bytes: usize, numbers: &mut Numbers) -> Vec<u8> {
    let mut value = Vec::with_capacity(bytes + 64);
    while value.len() < bytes {
        match content {
            Content::Random => value.extend_from_slice(&numbers.next().to_le_bytes()),
            Content::Lines => value.extend_from_slice(line(numbers).as_bytes()),
        }
    }
    value.truncate(bytes);
    value
}

fn line(numbers: &mut Numbers) -> String {
    let word = |number: u64| WORDS[(number % 16) as usize];
    let (a, b) = (numbers.next(), numbers.next());
    format!(
        "level=info trace={:08x} msg=\"{} {} {}\" status={} took_us={}\n",
        a >> 32,
        word(a),
        word(a >> 8),
        word(b),
        200 + b % 4 * 100,
        b >> 44
    )
}

/// A batch of `records` records of 1 KiB, stamped with the time `now_ms`.
pub fn batch(
    records: usize,
    content: Content,
    codec: Codec,
    now_ms: i64,
    seed: u64,
) -> Result<Vec<u8>, BatchError> {
    let mut numbers = Numbers::new(seed);
    let value = || value(content, VALUE_BYTES, &mut numbers);
    build(iter::repeat_n(None, records), value, codec, now_ms)
}

/// A batch of `records` records of `value_bytes` random bytes, not compressed.
pub fn random_batch(
    records: usize,
    value_bytes: usize,
    now_ms: i64,
    seed: u64,
) -> Result<Vec<u8>, BatchError> {
    random(iter::repeat_n(None, records), value_bytes, now_ms, seed)
}

/// The same with a record for each of `keys`, in their order; a key is the eight bytes of its number.
pub fn keyed_batch(
    keys: &[u64],
    value_bytes: usize,
    now_ms: i64,
    seed: u64,
) -> Result<Vec<u8>, BatchError> {
    random(keys.iter().copied().map(Some), value_bytes, now_ms, seed)
}

fn random(
    keys: impl Iterator<Item = Option<u64>>,
    value_bytes: usize,
    now_ms: i64,
    seed: u64,
) -> Result<Vec<u8>, BatchError> {
    let mut numbers = Numbers::new(seed);
    let value = || value(Content::Random, value_bytes, &mut numbers);
    build(keys, value, Codec::None, now_ms)
}

/// So many numbers below a bound, which look random.
pub fn drawn(count: usize, below: u64, seed: u64) -> Vec<u64> {
    let mut numbers = Numbers::new(seed);
    (0..count).map(|_| numbers.next() % below).collect()
}

fn build(
    keys: impl Iterator<Item = Option<u64>>,
    mut value: impl FnMut() -> Vec<u8>,
    codec: Codec,
    now_ms: i64,
) -> Result<Vec<u8>, BatchError> {
    let mut builder = BatchBuilder::new().codec(codec);
    for key in keys {
        let key = key.map(u64::to_be_bytes);
        let key = key.as_ref().map(|key| &key[..]);
        builder.append(now_ms, key, Some(&value()), &[]);
    }
    builder.build(&mut Codecs::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use net_wire::batch::{BatchView, Limits, check_batch};

    #[test]
    fn batches_have_the_size_they_are_named_for() {
        let bytes = batch(BATCH_RECORDS, Content::Random, Codec::None, 1_000, 1).unwrap();
        assert!(
            (256 << 10..270 << 10).contains(&bytes.len()),
            "{} bytes",
            bytes.len()
        );
        let (view, rest) = BatchView::split(&bytes).unwrap();
        assert!(view.is_intact() && rest.is_empty());
        assert_eq!(view.header().record_count, 256);
    }

    #[test]
    fn lines_compress_and_random_bytes_do_not() {
        let limits = Limits::default();
        for codec in Codec::ALL.into_iter().skip(1) {
            let len = |content| {
                let bytes = batch(64, content, codec, 1_000, 1).unwrap();
                check_batch(&bytes, 11, &limits, 1_000, &mut Codecs::new()).unwrap();
                bytes.len()
            };
            let ratio = len(Content::Random) as f64 / len(Content::Lines) as f64;
            assert!((2.0..8.0).contains(&ratio), "{} {ratio}", codec.name());
        }
    }

    #[test]
    fn seeds_make_different_batches() {
        let of = |seed| batch(1, Content::Random, Codec::None, 0, seed).unwrap();
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn records_have_the_keys_that_were_drawn() {
        let keys = drawn(100, 7, 3);
        assert!(keys.iter().all(|key| *key < 7) && keys != drawn(100, 7, 4));
        let bytes = keyed_batch(&keys, 50, 1_000, 1).unwrap();
        let (view, _) = BatchView::split(&bytes).unwrap();
        let found = view.records();
        let found = found.map(|record| record.unwrap().key.unwrap().to_vec());
        let wanted = keys.iter().map(|key| key.to_be_bytes().to_vec());
        assert!(found.eq(wanted));
    }
}
