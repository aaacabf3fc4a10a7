//! The one source of chance of a simulation: xoshiro256** (Blackman and Vigna), seeded by
//! splitmix64. Small, fast, and the same on every machine.

use std::ops::Range;
use std::time::Duration;

#[derive(Clone, Debug)]
pub(super) struct Prng {
    state: [u64; 4],
}

impl Prng {
    pub(super) fn new(seed: u64) -> Self {
        let mut mixer = seed;
        Self {
            state: std::array::from_fn(|_| splitmix(&mut mixer)),
        }
    }

    pub(super) fn next(&mut self) -> u64 {
        let state = &mut self.state;
        let result = state[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = state[1] << 17;
        state[2] ^= state[0];
        state[3] ^= state[1];
        state[1] ^= state[2];
        state[0] ^= state[3];
        state[2] ^= shifted;
        state[3] = state[3].rotate_left(45);
        result
    }

    /// A number below `limit`; 0 if there is none. The bias of the multiplication is below 2^-32
    /// for every limit in use here.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }

    pub(super) fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// A number in `[0, 1)`.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        // Nothing is drawn where nothing is to be decided.
        probability > 0.0 && self.unit() < probability
    }

    pub(super) fn coin(&mut self) -> bool {
        self.next() >> 63 == 1
    }

    /// A duration in nanoseconds, evenly over the orders of magnitude of `range`: short ones are as
    /// likely as long ones.
    pub(super) fn nanos(&mut self, range: &Range<Duration>) -> u64 {
        let (low, high) = (range.start.as_nanos() as u64, range.end.as_nanos() as u64);
        let low = low.max(1);
        if high <= low {
            return low;
        }
        let octaves = (high / low).ilog2();
        let floor = low << self.below(u64::from(octaves) + 1);
        (floor + self.below(floor)).min(high)
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }
}

/// The next number of `SplitMix64` (Steele, Lea and Flood): enough for choosing what a test does, and
/// the same on every machine. Whoever draws for itself leaves the draws of the world as they are.
pub const fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mix(*state)
}

/// Spreads every bit of a word over the whole word; no two words become the same.
pub const fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_published_sequence() {
        // First outputs of splitmix64 from 1234567, as in Vigna's reference.
        let mut state = 1_234_567;
        assert_eq!(splitmix(&mut state), 6_457_827_717_110_365_317);
        assert_eq!(splitmix(&mut state), 3_203_168_211_198_807_973);
        let (mut one, mut two) = (Prng::new(7), Prng::new(7));
        assert!((0..100).all(|_| one.next() == two.next()));
        assert_ne!(Prng::new(7).next(), Prng::new(8).next());
    }

    #[test]
    fn numbers_stay_in_their_ranges_and_reach_them() {
        let mut prng = Prng::new(1);
        let mut seen = [0; 6];
        for _ in 0..6000 {
            seen[prng.index(6)] += 1;
        }
        assert!(seen.iter().all(|&count| count > 800), "{seen:?}");
        let range = Duration::from_micros(10)..Duration::from_millis(3);
        let drawn: Vec<_> = (0..1000).map(|_| prng.nanos(&range)).collect();
        assert!(
            drawn
                .iter()
                .all(|nanos| (10_000..=3_000_000).contains(nanos))
        );
        assert!(drawn.iter().any(|&nanos| nanos < 20_000));
        assert!(drawn.iter().any(|&nanos| nanos > 2_000_000));
        assert!(!prng.chance(0.0));
        assert!(prng.chance(1.0));
    }

    #[test]
    fn a_shuffle_keeps_every_item() {
        let mut items: Vec<_> = (0..50).collect();
        Prng::new(3).shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
