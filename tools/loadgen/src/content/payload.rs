//! What stands behind the stamp: bytes that codecs make smaller by a given ratio.

use super::stamp::{STAMP_BYTES, Stamp};
use crate::rng::Rng;

/// Bytes of the pool that payloads are cut from.
const POOL_BYTES: usize = 2 << 20;
/// Bytes of a stretch that is random in its front and repeats one byte behind.
const STRETCH_BYTES: usize = 256;

/// Makes values.
#[derive(Debug)]
pub struct Payload {
    pool: Vec<u8>,
    rng: Rng,
    value: Vec<u8>,
}

impl Payload {
    /// Values that a codec makes about `ratio` times smaller; 1 is not at all.
    pub fn new(ratio: f64, core: usize, seed: u64) -> Self {
        let mut rng = Rng::new(seed.wrapping_add(0x6279_7465).wrapping_add(core as u64));
        let random = ((STRETCH_BYTES as f64 / ratio.max(1.0)) as usize).clamp(1, STRETCH_BYTES);
        let mut pool = vec![0; POOL_BYTES];
        for stretch in pool.chunks_mut(STRETCH_BYTES) {
            for word in stretch[..random].chunks_mut(8) {
                let bytes = rng.next().to_le_bytes();
                word.copy_from_slice(&bytes[..word.len()]);
            }
        }
        Self {
            pool,
            rng,
            value: Vec::new(),
        }
    }

    /// A value of that size, stamped.
    pub fn value(&mut self, size: usize, stamp: &Stamp) -> &[u8] {
        let size = size.clamp(STAMP_BYTES, POOL_BYTES);
        let at = self.rng.below((POOL_BYTES - size + 1) as u64) as usize;
        self.value.clear();
        self.value.extend_from_slice(&self.pool[at..at + size]);
        stamp.write(&mut self.value);
        &self.value
    }
}

#[cfg(test)]
mod tests {
    use net_wire::codec::{Codec, Codecs};

    use super::*;

    fn ratio(ratio: f64, codec: Codec) -> f64 {
        let mut payload = Payload::new(ratio, 0, 1);
        let stamp = Stamp {
            run: 1,
            stream: 0,
            sequence: 0,
            planned: 0,
        };
        let mut values = Vec::new();
        for _ in 0..64 {
            values.extend_from_slice(payload.value(4096, &stamp));
        }
        let mut compressed = Vec::new();
        let codecs = &mut Codecs::new();
        codecs
            .compress(codec, None, &values, &mut compressed)
            .unwrap();
        values.len() as f64 / compressed.len() as f64
    }

    #[test]
    fn payloads_are_compressible_as_asked() {
        for codec in [Codec::Lz4, Codec::Zstd] {
            assert!((0.95..1.1).contains(&ratio(1.0, codec)), "{codec:?}");
            let four = ratio(4.0, codec);
            assert!((3.0..4.5).contains(&four), "{codec:?}: {four}");
        }
    }
}
