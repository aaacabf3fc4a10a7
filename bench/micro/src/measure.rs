//! CPU time of a thread, and what is said about repeated measurements.

use std::fs;
use std::io;
use std::time::Duration;

/// CPU time of the calling thread so far (`/proc/thread-self/schedstat`, first number).
pub fn thread_cpu() -> io::Result<Duration> {
    // The account of a running thread is brought up to date when it yields.
    std::thread::yield_now();
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    first_number(&text).map(Duration::from_nanos)
}

fn first_number(text: &str) -> io::Result<u64> {
    let first = text.split_ascii_whitespace().next();
    first
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "schedstat without numbers"))
}

/// Nanoseconds of CPU that one call of `call` takes, over at least `at_least` of CPU time.
pub fn nanos_per_call(at_least: Duration, mut call: impl FnMut()) -> io::Result<f64> {
    let mut calls: u64 = 1;
    loop {
        let before = thread_cpu()?;
        for _ in 0..calls {
            call();
        }
        let used = thread_cpu()?.saturating_sub(before);
        if used >= at_least {
            return Ok(used.as_nanos() as f64 / calls as f64);
        }
        calls *= if used * 8 < at_least { 8 } else { 2 };
    }
}

/// The same thing measured several times.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series(Vec<f64>);

impl Series {
    /// Adds a measurement.
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// Measurements in the order of their taking.
    pub fn values(&self) -> &[f64] {
        &self.0
    }

    /// The value in the middle, or the mean of the two there; not a number without measurements.
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let Some(last) = sorted.len().checked_sub(1) else {
            return f64::NAN;
        };
        f64::midpoint(sorted[last / 2], sorted[last.div_ceil(2)])
    }

    /// The smallest value.
    pub fn min(&self) -> f64 {
        self.0.iter().copied().fold(f64::NAN, f64::min)
    }

    /// The largest value.
    pub fn max(&self) -> f64 {
        self.0.iter().copied().fold(f64::NAN, f64::max)
    }
}

impl FromIterator<f64> for Series {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_in_the_middle() {
        let of = |values: &[f64]| values.iter().copied().collect::<Series>();
        assert_eq!(of(&[3.0, 1.0, 2.0]).median().to_bits(), 2.0_f64.to_bits());
        assert_eq!(
            of(&[4.0, 1.0, 2.0, 3.0]).median().to_bits(),
            2.5_f64.to_bits()
        );
        let series = of(&[4.0, 1.0, 2.0]);
        assert!((series.min() - 1.0).abs() < 1e-9 && (series.max() - 4.0).abs() < 1e-9);
        assert!(Series::default().median().is_nan());
    }

    #[test]
    fn schedstat_is_read() {
        assert_eq!(first_number("123 45 6\n").unwrap(), 123);
        assert!(first_number("").is_err());
    }

    #[test]
    fn work_takes_time() {
        let long = vec![7_u8; 1 << 16];
        let sum = || {
            let sum: u64 = long
                .iter()
                .map(|&byte| u64::from(std::hint::black_box(byte)))
                .sum();
            std::hint::black_box(sum);
        };
        let nanos = nanos_per_call(Duration::from_millis(20), sum).unwrap();
        assert!(nanos > 1_000.0, "{nanos} ns for 65,536 bytes");
    }
}
