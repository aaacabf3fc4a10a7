//! SipHash-2-4 with 128 bits: a key's stand-in. The secret keeps clients from making two keys that
//! look the same, of which compaction would take one for the other.

/// The secret of one cleaning.
pub(crate) type Secret = [u64; 2];

struct State {
    v: [u64; 4],
}

impl State {
    fn round(&mut self) {
        let [a, b, c, d] = &mut self.v;
        *a = a.wrapping_add(*b);
        *b = b.rotate_left(13) ^ *a;
        *a = a.rotate_left(32);
        *c = c.wrapping_add(*d);
        *d = d.rotate_left(16) ^ *c;
        *a = a.wrapping_add(*d);
        *d = d.rotate_left(21) ^ *a;
        *c = c.wrapping_add(*b);
        *b = b.rotate_left(17) ^ *c;
        *c = c.rotate_left(32);
    }

    fn word(&mut self, word: u64) {
        self.v[3] ^= word;
        self.round();
        self.round();
        self.v[0] ^= word;
    }

    fn finish(&mut self) -> u64 {
        for _ in 0..4 {
            self.round();
        }
        self.v.iter().fold(0, |all, word| all ^ word)
    }
}

/// The hash of `bytes`.
pub(crate) fn hash(secret: Secret, bytes: &[u8]) -> [u64; 2] {
    let [k0, k1] = secret;
    let mut state = State {
        v: [
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d ^ 0xee,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ],
    };
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        state.word(u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    last[7] = bytes.len() as u8;
    state.word(u64::from_le_bytes(last));
    state.v[2] ^= 0xee;
    let first = state.finish();
    state.v[1] ^= 0xdd;
    [first, state.finish()]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of the authors: key and input are 00 01 02 and so on.
    #[test]
    fn it_is_siphash() {
        let secret = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        let of = |len: u8| {
            let input: Vec<u8> = (0..len).collect();
            hash(secret, &input).map(u64::to_le_bytes).concat()
        };
        let vectors: [(u8, u128); 2] = [
            (0, 0xa381_7f04_ba25_a8e6_6df6_7214_c755_0293),
            (1, 0xda87_c1d8_6b99_af44_3476_5911_9b22_fc45),
        ];
        for (len, expected) in vectors {
            assert_eq!(of(len), expected.to_be_bytes(), "{len}");
        }
    }
}
