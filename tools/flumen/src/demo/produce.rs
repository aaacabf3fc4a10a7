//! The writing half: batches of the size that Kafka's producer makes, five requests on their way.

use std::collections::VecDeque;
use std::future::Future;
use std::time::Duration;

use engine_rt::{Instant, now};
use hdrhistogram::Histogram;

use super::content::{Content, RECORD_BYTES};
use super::progress::Progress;
use super::run::DemoError;
use crate::client::{ClientError, Connection, IN_FLIGHT_MAX, Produced, Producer, ToProduce};

/// Bytes of a batch: `batch.size` of Kafka's producer.
const BATCH_BYTES: usize = 16 << 10;
/// Partitions that one request carries batches for.
const BATCHES_MAX: usize = 4;
/// Records written one at a time.
const SINGLES: u64 = 1_000;

/// What the writing took.
pub(super) struct Written {
    /// From a request's sending to its answer: its records are flushed.
    pub(super) latency: Histogram<u64>,
    pub(super) took: Duration,
}

/// A topic of the demonstration and where this run began in it.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) topic: String,
    /// End of each partition before this run.
    pub(super) starts: Vec<i64>,
    /// Records of each partition in this run.
    pub(super) counts: Vec<u64>,
}

/// A request on its way.
struct OnItsWay<F> {
    sent: Instant,
    records: u64,
    answer: F,
}

/// Latencies from 1 us to a minute, three digits.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("the bounds are in order")
}

/// Writes all records of the target.
pub(super) async fn write(
    connection: &Connection,
    target: &Target,
    content: Content,
    progress: &Progress,
) -> Result<Written, DemoError> {
    let producer = Producer::new(connection).await?;
    let began = now();
    let mut latency = histogram();
    let mut on_their_way = VecDeque::new();
    for request in Requests::new(target) {
        if on_their_way.len() == IN_FLIGHT_MAX {
            arrived(on_their_way.pop_front(), &mut latency, progress).await?;
        }
        let records = request.iter().map(|part| part.count).sum();
        let batches: Vec<ToProduce<'_>> = request
            .iter()
            .map(|part| ToProduce {
                topic: &target.topic,
                partition: part.partition,
                records: content.batch(
                    &producer,
                    (&target.topic, part.partition),
                    part.from,
                    part.count,
                ),
            })
            .collect();
        on_their_way.push_back(OnItsWay {
            sent: now(),
            records,
            answer: connection.produce(-1, &batches)?,
        });
    }
    while !on_their_way.is_empty() {
        arrived(on_their_way.pop_front(), &mut latency, progress).await?;
    }
    Ok(Written {
        latency,
        took: now().since(began),
    })
}

async fn arrived<F>(
    request: Option<OnItsWay<F>>,
    latency: &mut Histogram<u64>,
    progress: &Progress,
) -> Result<(), DemoError>
where
    F: Future<Output = Result<Vec<Produced>, ClientError>>,
{
    let Some(request) = request else {
        return Ok(());
    };
    for produced in request.answer.await? {
        ClientError::check(produced.error, produced.message.as_deref())?;
    }
    latency.saturating_record(now().since(request.sent).as_micros() as u64);
    progress.written(request.records);
    Ok(())
}

/// Writes records one at a time, each when the one before is flushed: what a flush costs alone.
pub(super) async fn write_singly(
    connection: &Connection,
    topic: &str,
    content: Content,
) -> Result<Histogram<u64>, DemoError> {
    let producer = Producer::new(connection).await?;
    let mut latency = histogram();
    for number in 0..SINGLES {
        let batch = ToProduce {
            topic,
            partition: 0,
            records: content.batch(&producer, (topic, 0), number, 1),
        };
        let sent = now();
        for produced in connection.produce(-1, &[batch])?.await? {
            ClientError::check(produced.error, produced.message.as_deref())?;
        }
        latency.saturating_record(now().since(sent).as_micros() as u64);
    }
    Ok(latency)
}

/// One batch of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    partition: i32,
    from: u64,
    count: u64,
}

/// Cuts the target's records into requests: the partitions by turns, a batch of each.
struct Requests<'a> {
    target: &'a Target,
    next: Vec<u64>,
    turn: usize,
}

impl<'a> Requests<'a> {
    fn new(target: &'a Target) -> Self {
        Self {
            target,
            next: vec![0; target.counts.len()],
            turn: 0,
        }
    }

    /// The next batch of the partition whose turn it is.
    fn part(&mut self) -> Option<Part> {
        let at = self.turn % self.next.len();
        self.turn += 1;
        let from = self.next[at];
        let count = (self.target.counts[at] - from).min((BATCH_BYTES / RECORD_BYTES) as u64);
        self.next[at] += count;
        (count > 0).then_some(Part {
            partition: at as i32,
            from,
            count,
        })
    }
}

impl Iterator for Requests<'_> {
    type Item = Vec<Part>;

    fn next(&mut self) -> Option<Vec<Part>> {
        let partitions = self.next.len();
        // A partition appears once in a request; one that is done gives its place to the next.
        let mut parts = Vec::with_capacity(BATCHES_MAX);
        for _ in 0..partitions {
            parts.extend(self.part());
            if parts.len() == BATCHES_MAX {
                break;
            }
        }
        (!parts.is_empty()).then_some(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_cover_every_record_once_and_in_order() {
        let target = Target {
            topic: "t".to_owned(),
            starts: vec![0; 6],
            counts: vec![1_000, 10, 0, 100, 999, 62],
        };
        let mut next = vec![0; 6];
        for request in Requests::new(&target) {
            assert!(request.len() <= BATCHES_MAX);
            for (at, part) in request.iter().enumerate() {
                assert!(
                    request[..at]
                        .iter()
                        .all(|other| other.partition != part.partition)
                );
                let next = &mut next[part.partition as usize];
                assert_eq!(part.from, *next);
                *next += part.count;
            }
        }
        assert_eq!(next, target.counts);
    }
}
