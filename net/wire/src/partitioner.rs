//! Which partition a key belongs to, as Kafka's Java client decides it.

/// Seed of the hash in Kafka's client.
const SEED: u32 = 0x9747_b28c;
const MULTIPLIER: u32 = 0x5bd1_e995;
const SHIFT: u32 = 24;

/// `MurmurHash2` of 32 bits with Kafka's seed.
pub fn murmur2(key: &[u8]) -> u32 {
    let mut hash = SEED ^ key.len() as u32;
    let mut words = key.chunks_exact(4);
    for word in words.by_ref() {
        let word = word
            .iter()
            .rev()
            .fold(0, |word, &byte| (word << 8) | u32::from(byte));
        let mut mixed = word.wrapping_mul(MULTIPLIER);
        mixed ^= mixed >> SHIFT;
        hash = hash.wrapping_mul(MULTIPLIER) ^ mixed.wrapping_mul(MULTIPLIER);
    }
    let tail = words.remainder();
    if !tail.is_empty() {
        hash ^= tail
            .iter()
            .rev()
            .fold(0, |word, &byte| (word << 8) | u32::from(byte));
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}

/// The partition of a key among `partitions`, which must not be 0.
pub fn partition_of_key(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % partitions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_kafkas_client() {
        // Printed by `Utils.murmur2` of kafka-clients 4.1.1, as signed integers.
        let printed = [
            ("", 275_646_681),
            ("a", -1_563_381_124),
            ("21", -973_932_308),
            ("foo", 597_841_616),
            ("abcd", -1_323_649_548),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("größe", 588_164_084),
        ];
        for (key, hash) in printed {
            assert_eq!(murmur2(key.as_bytes()) as i32, hash, "{key:?}");
        }
        assert_eq!(murmur2(&[0xff, 0x80, 0x7f]) as i32, 968_261_134);
    }

    #[test]
    fn the_partition_is_never_negative() {
        // The hash of this key has its highest bit set.
        assert!((murmur2(b"21") as i32) < 0);
        assert!(partition_of_key(b"21", 7) < 7);
    }
}
