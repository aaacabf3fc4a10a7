//! Chance from a seed, so that a run can be repeated.

use engine_rt::sim::splitmix;

/// `SplitMix64`: the same numbers for the same seed on every machine.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator for a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed ^ 0x9216_d5d9_8979_fb1b)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        splitmix(&mut self.0)
    }

    /// A number below `limit`, which is not 0: the high half of a product, without a division.
    pub const fn below(&mut self, limit: u64) -> u64 {
        ((self.next() as u128 * limit as u128) >> 64) as u64
    }

    /// A number above 0, 1 included.
    pub fn unit(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// A number of the exponential distribution with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -self.unit().ln()
    }

    /// A number of the standard normal distribution (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.unit().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(count: u32, mut draw: impl FnMut() -> f64) -> f64 {
        (0..count).map(|_| draw()).sum::<f64>() / f64::from(count)
    }

    #[test]
    fn a_seed_plans_the_same_records_for_ever() {
        let mut rng = Rng::new(1);
        assert_eq!(
            [rng.next(), rng.next()],
            [0xbccc_44fe_9561_742b, 0x9796_34c9_c2cc_8d8a]
        );
    }

    #[test]
    fn distributions_have_their_means() {
        let mut rng = Rng::new(1);
        assert!((mean(100_000, || rng.unit()) - 0.5).abs() < 0.01);
        assert!((mean(100_000, || rng.exponential()) - 1.0).abs() < 0.02);
        assert!(mean(100_000, || rng.normal()).abs() < 0.02);
        assert!((mean(100_000, || rng.normal().powi(2)) - 1.0).abs() < 0.03);
        assert!((mean(100_000, || rng.below(10) as f64) - 4.5).abs() < 0.05);
    }
}
