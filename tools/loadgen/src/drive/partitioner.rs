//! Which partition a record goes to.

use net_wire::partitioner::partition_of_key;

use super::accumulator::Waiting;
use crate::content::key_bytes;
use crate::rng::Rng;
use crate::scenario::Sticky;

/// Chooses lanes, which are the partitions of all topics, one topic behind the other.
#[derive(Debug)]
pub(crate) struct Partitioner {
    topics: usize,
    partitions: usize,
    sticky: Sticky,
    /// The topic of the next record: they go round.
    topic: usize,
    /// For each topic, where records without a key go, and since when or how many bytes.
    stuck: Vec<(usize, u64)>,
    rng: Rng,
}

impl Partitioner {
    pub(crate) fn new(topics: usize, partitions: usize, sticky: Sticky, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let stuck = (0..topics)
            .map(|_| (rng.below(partitions as u64) as usize, 0))
            .collect();
        Self {
            topics,
            partitions,
            sticky,
            topic: 0,
            stuck,
            rng,
        }
    }

    /// The lane of a record.
    pub(crate) fn lane(&mut self, record: &Waiting) -> usize {
        let topic = self.topic;
        self.topic = (topic + 1) % self.topics;
        let partition = match record.key {
            Some(key) => partition_of_key(&key_bytes(key), self.partitions as u32) as usize,
            None => self.unkeyed(topic, record),
        };
        topic * self.partitions + partition
    }

    fn unkeyed(&mut self, topic: usize, record: &Waiting) -> usize {
        let (partition, since) = self.stuck[topic];
        let (goes_on, since) = match self.sticky {
            Sticky::Round => (false, 0),
            Sticky::Bytes(bytes) => {
                let sent = since + u64::from(record.size);
                if since < bytes as u64 {
                    (true, sent)
                } else {
                    (false, record.size.into())
                }
            },
            Sticky::Time(time) => {
                let goes_on = u128::from(record.picked.saturating_sub(since)) < time.as_nanos();
                (goes_on, if goes_on { since } else { record.picked })
            },
        };
        let partition = match self.sticky {
            _ if goes_on => partition,
            Sticky::Round => (partition + 1) % self.partitions,
            Sticky::Bytes(_) | Sticky::Time(_) => self.rng.below(self.partitions as u64) as usize,
        };
        self.stuck[topic] = (partition, since);
        partition
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn lanes(sticky: Sticky, key: Option<u64>) -> Vec<usize> {
        let mut partitioner = Partitioner::new(1, 8, sticky, 3);
        let record = |at: u64| Waiting {
            planned: 0,
            picked: at * 1_000_000,
            size: 100,
            key,
        };
        (0..800).map(|at| partitioner.lane(&record(at))).collect()
    }

    fn changes(lanes: &[usize]) -> usize {
        lanes.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }

    #[test]
    fn a_key_stays_where_it_is() {
        assert_eq!(changes(&lanes(Sticky::Round, Some(5))), 0);
    }

    #[test]
    fn records_without_a_key_stick_or_go_round() {
        let round = lanes(Sticky::Round, None);
        assert_eq!(changes(&round), 799);
        // Ten records fill 1,000 bytes; the next partition may be the same.
        let bytes = lanes(Sticky::Bytes(1000), None);
        assert!((50..80).contains(&changes(&bytes)), "{}", changes(&bytes));
        assert!(bytes.chunks(10).all(|chunk| changes(chunk) == 0));
        let time = lanes(Sticky::Time(Duration::from_millis(20)), None);
        assert!((25..41).contains(&changes(&time)), "{}", changes(&time));
    }

    #[test]
    fn topics_take_turns() {
        let mut partitioner = Partitioner::new(3, 4, Sticky::Round, 1);
        let record = Waiting {
            planned: 0,
            picked: 0,
            size: 100,
            key: None,
        };
        let topics = [(); 6].map(|()| partitioner.lane(&record) / 4);
        assert_eq!(topics, [0, 1, 2, 0, 1, 2]);
    }
}
