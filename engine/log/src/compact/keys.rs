//! The last offset of each key, in memory that is bounded: a table of hashes, filled up to a share.

use engine_rt::mutant::{self, Mutant};

use super::siphash::{Secret, hash};

/// Memory of one place in the table.
const SLOT_BYTES: u64 = 24;
/// Fewest places.
const SLOTS_MIN: u64 = 1 << 10;
/// Parts of ten of the places that are filled at most: beyond, finding a free one takes long.
const FILLED_TENTHS: usize = 9;

/// The last offset of each key of a stretch of a log, and how far that stretch reaches.
///
/// ```
/// use engine_log::compact::KeyMap;
/// let mut keys = KeyMap::new(1 << 20, 100, [1, 2]);
/// assert!(keys.put(b"a", 7) && keys.put(b"a", 9));
/// assert!(keys.is_outdated(b"a", 7) && !keys.is_outdated(b"a", 9));
/// assert!(!keys.is_outdated(b"b", 3));
/// ```
#[derive(Debug)]
pub struct KeyMap {
    hashes: Vec<[u64; 2]>,
    /// Offset and one, 0 for a free place.
    offsets: Vec<i64>,
    filled: usize,
    secret: Secret,
}

impl KeyMap {
    /// An empty map of at most `bytes_max`, for at most `records`.
    pub fn new(bytes_max: u64, records: u64, secret: [u64; 2]) -> Self {
        let wanted = records.saturating_mul(10) / FILLED_TENTHS as u64 + 2;
        let slots = wanted.min((bytes_max / SLOT_BYTES).max(SLOTS_MIN)) as usize;
        Self {
            hashes: vec![[0; 2]; slots],
            offsets: vec![0; slots],
            filled: 0,
            secret,
        }
    }

    /// Keys in it.
    pub fn len(&self) -> usize {
        self.filled
    }

    /// Whether it has no key.
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Notes that a record at `offset` has this key. False, and nothing noted, if the key is new and
    /// there is no room.
    #[must_use = "what is not noted is not known"]
    pub fn put(&mut self, key: &[u8], offset: i64) -> bool {
        let (hash, at) = self.find(key);
        if self.offsets[at] == 0 {
            if self.filled >= self.offsets.len() * FILLED_TENTHS / 10 {
                return false;
            }
            self.filled += 1;
            self.hashes[at] = hash;
        }
        self.offsets[at] = self.offsets[at].max(offset + 1);
        true
    }

    /// Whether a record behind `offset` has this key.
    pub fn is_outdated(&self, key: &[u8], offset: i64) -> bool {
        let (_, at) = self.find(key);
        self.offsets[at] > offset + 1
    }

    /// The hash of a key, and its place or the free one where it belongs.
    fn find(&self, key: &[u8]) -> ([u64; 2], usize) {
        let mut hash = hash(self.secret, key);
        if mutant::is_active(Mutant::KeysConfused) {
            hash = [hash[0] & 0xFF, 0];
        }
        let mut at = (hash[0] % self.offsets.len() as u64) as usize;
        while self.offsets[at] != 0 && self.hashes[at] != hash {
            at = (at + 1) % self.offsets.len();
        }
        (hash, at)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// It knows what a plain map knows, until it says that it is full.
        #[test]
        fn it_is_a_map(keys in vec(0..400_u32, 0..600), room in 1..500_u64, secret: [u64; 2]) {
            let mut map = KeyMap::new(0, room, secret);
            let mut model = BTreeMap::new();
            let mut full = false;
            for (offset, key) in keys.iter().enumerate() {
                let offset = offset as i64;
                let put = map.put(&key.to_be_bytes(), offset);
                prop_assert!(put || !model.contains_key(key), "a known key needs no room");
                if put {
                    model.insert(*key, offset);
                }
                full |= !put;
            }
            prop_assert!(!full || model.len() as u64 >= room);
            prop_assert_eq!(map.len(), model.len());
            for key in 0..400_u32 {
                let last = model.get(&key).copied().unwrap_or(-1);
                for offset in [0, last - 1, last, last + 1, 700] {
                    let outdated = map.is_outdated(&key.to_be_bytes(), offset);
                    prop_assert_eq!(outdated, offset < last);
                }
            }
        }
    }

    #[test]
    fn memory_is_bounded_and_no_more_than_needed() {
        let slots = |map: &KeyMap| map.offsets.len() as u64;
        let most = KeyMap::new(1 << 20, u64::MAX, [0; 2]);
        assert_eq!(slots(&most), (1 << 20) / SLOT_BYTES);
        assert_eq!(slots(&KeyMap::new(1 << 20, 9, [0; 2])), 12);
        assert_eq!(slots(&KeyMap::new(0, u64::MAX, [0; 2])), SLOTS_MIN);
    }
}
