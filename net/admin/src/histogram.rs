//! Latencies in buckets of fixed bounds: a few words per stage and shard, summed by adding.

/// Buckets of a histogram; the last one has no upper bound.
pub const BUCKETS: usize = 32;

/// Upper bound of a bucket in microseconds: 1, 2, 4, … 2^30 (18 min); `None` for the last.
pub const fn bucket_bound_us(bucket: usize) -> Option<u64> {
    if bucket + 1 < BUCKETS {
        Some(1 << bucket)
    } else {
        None
    }
}

/// How often each latency occurred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LatencyHistogram {
    counts: [u64; BUCKETS],
    sum_us: u64,
}

impl LatencyHistogram {
    /// Takes counts that were kept elsewhere: by bucket, and the sum of all latencies.
    pub const fn from_parts(counts: [u64; BUCKETS], sum_us: u64) -> Self {
        Self { counts, sum_us }
    }

    /// Counts one latency.
    pub fn record_us(&mut self, us: u64) {
        self.counts[bucket_of(us)] += 1;
        self.sum_us = self.sum_us.saturating_add(us);
    }

    /// How often a latency fell into each bucket.
    pub const fn counts(&self) -> &[u64; BUCKETS] {
        &self.counts
    }

    /// How many latencies there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The sum of all latencies.
    pub const fn sum_us(&self) -> u64 {
        self.sum_us
    }
}

/// The bucket of a latency: the first whose bound is above it.
fn bucket_of(us: u64) -> usize {
    let bits = u64::BITS - us.leading_zeros();
    (bits as usize).min(BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_is_below_its_buckets_bound() {
        for us in [0, 1, 2, 3, 4, 5, 1000, 1023, 1024, (1 << 30) - 1] {
            let bucket = bucket_of(us);
            assert!(us < bucket_bound_us(bucket).unwrap(), "{us}");
            if let Some(below) = bucket.checked_sub(1) {
                assert!(us >= bucket_bound_us(below).unwrap(), "{us}");
            }
        }
        assert_eq!(bucket_of(1 << 30), BUCKETS - 1);
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn counts_and_sums_add_up() {
        let mut histogram = LatencyHistogram::default();
        for us in [3, 3, 700, u64::MAX] {
            histogram.record_us(us);
        }
        assert_eq!(histogram.count(), 4);
        assert_eq!(histogram.counts()[2], 2);
        assert_eq!(histogram.sum_us(), u64::MAX);
    }
}
