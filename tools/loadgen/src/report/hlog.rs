//! Histograms as an interval log, which every tool of the `HdrHistogram` family reads.

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use crate::delays::{Delay, Delays};

/// Values stand in milliseconds in the log's own column of maxima.
const NANOS_PER_MS: f64 = 1e6;
const SECOND: Duration = Duration::from_secs(1);

/// Writes `total` of each second, and all histograms of the whole run, each by its tag.
pub fn write_hlog(delays: &Delays, at_ms: i64, into: &mut impl Write) -> io::Result<()> {
    let mut serializer = V2DeflateSerializer::new();
    let started = SystemTime::UNIX_EPOCH + Duration::from_millis(at_ms.max(0) as u64);
    let mut log = IntervalLogWriterBuilder::new()
        .with_start_time(started)
        .with_base_time(started)
        .with_max_value_divisor(NANOS_PER_MS)
        .begin_log_with(into, &mut serializer)?;
    for (second, one) in delays.seconds() {
        let from = SECOND * *second;
        log.write_histogram(&one.total, from, SECOND, Tag::new("total-by-second"))
            .map_err(io::Error::other)?;
    }
    let seconds = delays
        .seconds()
        .keys()
        .next_back()
        .map_or(0, |last| last + 1);
    for delay in Delay::ALL {
        let histogram = delays.of(delay);
        if histogram.is_empty() {
            continue;
        }
        log.write_histogram(
            histogram,
            Duration::ZERO,
            SECOND * seconds,
            Tag::new(delay.name()),
        )
        .map_err(io::Error::other)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;

    #[test]
    fn the_log_is_read_again() {
        let done = super::super::result::tests::done();
        let mut text = Vec::new();
        write_hlog(&done.delays, 1_790_000_000_000, &mut text).unwrap();
        let mut tags = Vec::new();
        for entry in IntervalLogIterator::new(&text) {
            if let LogEntry::Interval(interval) = entry.unwrap() {
                tags.push(interval.tag().unwrap().as_str().to_owned());
            }
        }
        assert_eq!(
            tags.iter().filter(|tag| *tag == "total-by-second").count(),
            10
        );
        assert_eq!(tags[10..].len(), Delay::ALL.len());
        assert!(tags.contains(&"end_to_end".to_owned()));
    }
}
