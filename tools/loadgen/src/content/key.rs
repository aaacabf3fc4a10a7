//! Keys of records.

use serde::{Deserialize, Serialize};

use crate::rng::Rng;

/// How keys are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Key {
    /// No keys: the client chooses partitions.
    #[default]
    None,
    /// A new one for each record.
    Sequential,
    /// Any of `n`, all alike.
    Uniform {
        /// How many there are.
        n: u64,
    },
    /// The `k`-th of `n` is drawn in proportion to `1 / k^s`.
    Zipf {
        /// How many there are.
        n: u64,
        /// The exponent.
        s: f64,
    },
    /// A few get most.
    Hot {
        /// How many there are.
        n: u64,
        /// The share of them that is hot, from 0 to 1.
        keys: f64,
        /// The share of records that goes to them, from 0 to 1.
        records: f64,
    },
}

/// Draws keys, as numbers.
#[derive(Debug)]
pub struct Keys {
    kind: Kind,
    rng: Rng,
}

#[derive(Debug)]
enum Kind {
    None,
    Sequential { next: u64, step: u64 },
    Uniform { n: u64 },
    Zipf(Zipf),
    Hot { hot: u64, n: u64, records: f64 },
}

impl Key {
    /// What is wrong with it.
    pub fn fault(&self) -> Option<&'static str> {
        let is_share = |share: f64| (0.0..=1.0).contains(&share);
        match *self {
            Self::Uniform { n: 0 } | Self::Zipf { n: 0, .. } | Self::Hot { n: 0, .. } => {
                Some("n is the number of keys, 1 at least")
            },
            Self::Zipf { s, .. } if !(s > 0.0 && s < 10.0) => Some("s is above 0 and below 10"),
            Self::Hot { keys, records, .. } if !is_share(keys) || !is_share(records) => {
                Some("keys and records are shares, from 0 to 1")
            },
            _ => None,
        }
    }

    /// The keys of one core of several.
    pub fn keys(&self, core: usize, cores: usize, seed: u64) -> Keys {
        let kind = match *self {
            Self::None => Kind::None,
            Self::Sequential => Kind::Sequential {
                next: core as u64,
                step: cores as u64,
            },
            Self::Uniform { n } => Kind::Uniform { n },
            Self::Zipf { n, s } => Kind::Zipf(Zipf::new(n, s)),
            Self::Hot { n, keys, records } => Kind::Hot {
                hot: ((n as f64 * keys) as u64).clamp(1, n),
                n,
                records,
            },
        };
        let rng = Rng::new(seed.wrapping_add(0x6b65_7973).wrapping_add(core as u64));
        Keys { kind, rng }
    }
}

impl Keys {
    /// The next key, if records have one.
    pub fn draw(&mut self) -> Option<u64> {
        let rng = &mut self.rng;
        Some(match &mut self.kind {
            Kind::None => return None,
            Kind::Sequential { next, step } => {
                let key = *next;
                *next += *step;
                key
            },
            Kind::Uniform { n } => rng.below(*n),
            Kind::Zipf(zipf) => zipf.draw(rng),
            Kind::Hot { hot, n, records } => {
                if hot == n || rng.unit() <= *records {
                    rng.below(*hot)
                } else {
                    *hot + rng.below(*n - *hot)
                }
            },
        })
    }
}

/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 16;

/// A key as it stands in a record: sixteen hexadecimal digits.
pub(crate) fn key_bytes(key: u64) -> [u8; KEY_BYTES] {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    std::array::from_fn(|at| DIGITS[(key >> (60 - 4 * at)) as usize & 15])
}

/// Zipf's distribution by rejection and inversion (Hörmann and Derflinger, 1996): no table, so that
/// there may be any number of keys.
#[derive(Debug)]
struct Zipf {
    n: f64,
    s: f64,
    high: f64,
    low: f64,
    always: f64,
}

impl Zipf {
    fn new(n: u64, s: f64) -> Self {
        let mut zipf = Self {
            n: n as f64,
            s,
            high: 0.0,
            low: 0.0,
            always: 0.0,
        };
        zipf.high = zipf.integral(zipf.n + 0.5);
        zipf.low = zipf.integral(1.5) - 1.0;
        zipf.always = 2.0 - zipf.inverse(zipf.integral(2.5) - 2.0_f64.powf(-s));
        zipf
    }

    /// The integral of `x^-s`, up to a constant.
    fn integral(&self, x: f64) -> f64 {
        let log = x.ln();
        log * exp_minus_one_over((1.0 - self.s) * log)
    }

    fn inverse(&self, area: f64) -> f64 {
        let t = (area * (1.0 - self.s)).max(-1.0);
        (area * log_plus_one_over(t)).exp()
    }

    fn draw(&self, rng: &mut Rng) -> u64 {
        loop {
            let area = self.high + rng.unit() * (self.low - self.high);
            let x = self.inverse(area);
            let k = x.round().clamp(1.0, self.n);
            if k - x <= self.always || area >= self.integral(k + 0.5) - k.powf(-self.s) {
                return k as u64 - 1;
            }
        }
    }
}

/// `(e^x - 1) / x`, 1 at 0.
fn exp_minus_one_over(x: f64) -> f64 {
    if x.abs() > 1e-8 {
        x.exp_m1() / x
    } else {
        1.0 + x / 2.0
    }
}

/// `ln(1 + x) / x`, 1 at 0.
fn log_plus_one_over(x: f64) -> f64 {
    if x.abs() > 1e-8 {
        x.ln_1p() / x
    } else {
        1.0 - x / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(key: Key, n: usize, draws: usize) -> Vec<usize> {
        let mut keys = key.keys(0, 1, 3);
        let mut counts = vec![0; n];
        for _ in 0..draws {
            counts[keys.draw().unwrap() as usize] += 1;
        }
        counts
    }

    #[test]
    fn zipf_draws_in_proportion() {
        for s in [0.5, 0.99, 1.0, 1.5] {
            let counts = counts(Key::Zipf { n: 100, s }, 100, 200_000);
            let weights: Vec<f64> = (1..=100).map(|k| f64::from(k).powf(-s)).collect();
            let all: f64 = weights.iter().sum();
            for k in [0, 1, 9, 99] {
                let expected = 200_000.0 * weights[k] / all;
                let found = counts[k] as f64;
                let scatter = 5.0 * expected.sqrt();
                assert!(
                    (found - expected).abs() < scatter,
                    "s {s} k {k}: {found} {expected}"
                );
            }
        }
    }

    #[test]
    fn hot_keys_get_their_share() {
        let key = Key::Hot {
            n: 1000,
            keys: 0.01,
            records: 0.9,
        };
        let counts = counts(key, 1000, 100_000);
        let hot: usize = counts[..10].iter().sum();
        assert!((89_000..91_000).contains(&hot), "{hot}");
        let cold: usize = counts[10..].iter().sum();
        assert_eq!(hot + cold, 100_000);
    }

    #[test]
    fn cores_share_sequential_keys_and_no_key_is_none() {
        let mut first = Key::Sequential.keys(0, 2, 1);
        let mut second = Key::Sequential.keys(1, 2, 1);
        let drawn = [first.draw(), second.draw(), first.draw(), second.draw()];
        assert_eq!(drawn, [Some(0), Some(1), Some(2), Some(3)]);
        assert_eq!(Key::None.keys(0, 1, 1).draw(), None);
        assert_eq!(&key_bytes(0x1f), b"000000000000001f");
    }

    #[test]
    fn shares_beyond_one_are_faults() {
        assert!(Key::Uniform { n: 0 }.fault().is_some());
        let hot = |keys| Key::Hot {
            n: 1,
            keys,
            records: 0.5,
        };
        assert!(hot(0.5).fault().is_none() && hot(1.5).fault().is_some());
        assert!(hot(f64::NAN).fault().is_some());
    }
}
