//! Sizes of values.

use serde::{Deserialize, Serialize};

use super::stamp::STAMP_BYTES;
use crate::rng::Rng;
use crate::units::Bytes;

/// How sizes are drawn. A value is never smaller than its stamp.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Size {
    /// All alike.
    Fixed(Bytes),
    /// Any between the two.
    Uniform {
        /// The smallest.
        min: Bytes,
        /// The largest.
        max: Bytes,
    },
    /// Most are small, few are large.
    Lognormal {
        /// Half of them are smaller.
        median: Bytes,
        /// One in a hundred is larger.
        p99: Bytes,
    },
}

impl Default for Size {
    fn default() -> Self {
        Self::Fixed(Bytes(1024))
    }
}

/// Standard deviations from the median to the 99th percentile.
const P99_DEVIATIONS: f64 = 2.326_347_874_040_841;
/// No value is larger: a batch of one record must go into a request.
const SIZE_MAX: u64 = 900_000;

/// Draws sizes in bytes.
#[derive(Debug)]
pub struct Sizes {
    size: Size,
    rng: Rng,
}

impl Size {
    /// What is wrong with it.
    pub fn fault(&self) -> Option<String> {
        let fits = |bytes: Bytes| (STAMP_BYTES as u64..=SIZE_MAX).contains(&bytes.0);
        let (small, large) = match *self {
            Self::Fixed(size) => (size, size),
            Self::Uniform { min, max } => (min, max),
            Self::Lognormal { median, p99 } => (median, p99),
        };
        if small.0 > large.0 {
            return Some("the smaller size is the larger one".to_owned());
        }
        let fault = format!("sizes are {STAMP_BYTES} to {SIZE_MAX} bytes: each value has a stamp");
        (!fits(small) || !fits(large)).then_some(fault)
    }

    /// Mean size in bytes.
    pub fn mean(&self) -> f64 {
        match *self {
            Self::Fixed(size) => size.0 as f64,
            Self::Uniform { min, max } => f64::midpoint(min.0 as f64, max.0 as f64),
            Self::Lognormal { median, p99 } => {
                let sigma = sigma(median, p99);
                median.0 as f64 * (sigma * sigma / 2.0).exp()
            },
        }
    }

    /// The sizes of one core.
    pub fn sizes(&self, core: usize, seed: u64) -> Sizes {
        Sizes {
            size: *self,
            rng: Rng::new(seed.wrapping_add(0x7369_7a65).wrapping_add(core as u64)),
        }
    }
}

fn sigma(median: Bytes, p99: Bytes) -> f64 {
    (p99.0 as f64 / median.0 as f64).ln() / P99_DEVIATIONS
}

impl Sizes {
    /// The next size.
    pub fn draw(&mut self) -> u32 {
        let size = match self.size {
            Size::Fixed(size) => size.0,
            Size::Uniform { min, max } => min.0 + self.rng.below(max.0 - min.0 + 1),
            Size::Lognormal { median, p99 } => {
                let exponent = sigma(median, p99) * self.rng.normal();
                (median.0 as f64 * exponent.exp()) as u64
            },
        };
        size.clamp(STAMP_BYTES as u64, SIZE_MAX) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(size: Size) -> Vec<u32> {
        let mut sizes = size.sizes(0, 1);
        let mut drawn: Vec<u32> = (0..50_000).map(|_| sizes.draw()).collect();
        drawn.sort_unstable();
        drawn
    }

    #[test]
    fn sizes_are_as_asked_for() {
        assert_eq!(drawn(Size::Fixed(Bytes(100)))[49_999], 100);
        let uniform = Size::Uniform {
            min: Bytes(100),
            max: Bytes(200),
        };
        let uniform_drawn = drawn(uniform);
        assert_eq!((uniform_drawn[0], uniform_drawn[49_999]), (100, 200));
        assert!((uniform.mean() - 150.0).abs() < 1e-9);
        let lognormal = Size::Lognormal {
            median: Bytes(900),
            p99: Bytes(8000),
        };
        let drawn = drawn(lognormal);
        assert!((870..930).contains(&drawn[25_000]), "{}", drawn[25_000]);
        assert!((7400..8600).contains(&drawn[49_500]), "{}", drawn[49_500]);
        let mean = drawn.iter().map(|&size| f64::from(size)).sum::<f64>() / 50_000.0;
        assert!((mean / lognormal.mean() - 1.0).abs() < 0.05, "{mean}");
    }

    #[test]
    fn sizes_without_room_for_a_stamp_are_faults() {
        assert!(Size::Fixed(Bytes(31)).fault().is_some());
        assert!(Size::Fixed(Bytes(32)).fault().is_none());
        let turned = Size::Uniform {
            min: Bytes(200),
            max: Bytes(100),
        };
        assert!(turned.fault().is_some());
    }
}
