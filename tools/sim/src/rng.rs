//! The workload's own source of chance, apart from the world's: what clients do does not depend on
//! how often the scheduler drew.

use engine_rt::sim::splitmix;

/// `SplitMix64`: enough for choosing what to do, and the same on every machine.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator for a seed; equal seeds give equal numbers.
    pub const fn new(seed: u64) -> Self {
        Self(seed ^ 0x6a09_e667_f3bc_c909)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        splitmix(&mut self.0)
    }

    /// A generator that goes its own way from here.
    #[must_use]
    pub const fn fork(&mut self) -> Self {
        Self::new(self.next())
    }

    /// A number below `limit`; 0 if there is none.
    pub const fn below(&mut self, limit: u64) -> u64 {
        if limit == 0 { 0 } else { self.next() % limit }
    }

    /// A number from `low` to `high`, both included.
    pub const fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// A number from `low` to `high`, evenly over the orders of magnitude.
    pub const fn magnitude(&mut self, low: u64, high: u64) -> u64 {
        let steps = (high / low).ilog2();
        let floor = low << self.below(steps as u64 + 1);
        let number = floor + self.below(floor);
        if number > high { high } else { number }
    }

    /// True in `percent` of cases.
    pub const fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `items`, which are not empty.
    pub const fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_names_a_run_for_ever() {
        let mut rng = Rng::new(1);
        assert_eq!(
            [rng.next(), rng.next()],
            [0x1ac0_46dd_a8e8_6e2a, 0xbe2c_3b00_b1d3_48c8]
        );
    }
}
