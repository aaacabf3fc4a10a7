//! Records that wait in a client, and when they are ready for sending: what a client model is.
//! Nothing here waits or reads a clock.
//!
//! A record is a few numbers until its batch is made: a backlog of seconds costs little memory.

use std::collections::{BTreeSet, VecDeque};

use crate::scenario::Batching;

/// A record that was taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// When it was planned, in nanoseconds since the start; so for all times here.
    pub(crate) planned: u64,
    /// When it was taken up.
    pub(crate) picked: u64,
    /// Bytes of its value.
    pub(crate) size: u32,
    /// Its key.
    pub(crate) key: Option<u64>,
}

/// Bytes that a record has besides its value: lengths, deltas and a key.
const RECORD_OVERHEAD: usize = 24;

/// Records of one partition, on their way into a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The partition's lane.
    pub(crate) lane: usize,
    /// They make one batch.
    pub(crate) records: Vec<Waiting>,
    /// From when on it might have been sent.
    pub(crate) ready: u64,
}

/// Whether a broker's sender has something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    /// Yes.
    Now,
    /// From then on.
    At(u64),
    /// There is nothing.
    Never,
}

/// Records of one partition.
#[derive(Debug, Default)]
struct Lane {
    broker: usize,
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// Its entry in the broker's queue.
    queued: Option<u64>,
    /// Nothing of it is taken.
    is_held: bool,
}

/// All that waits in one client.
#[derive(Debug)]
pub(crate) struct Accumulator {
    lanes: Vec<Lane>,
    /// For each broker its lanes that are not empty, by the time from which on they are ready.
    queues: Vec<BTreeSet<(u64, usize)>>,
    batching: Batching,
    records: u64,
    flushing: bool,
}

impl Waiting {
    const fn bytes(&self) -> usize {
        self.size as usize + RECORD_OVERHEAD
    }
}

impl Accumulator {
    /// Lanes with the broker of each.
    pub(crate) fn new(brokers_of_lanes: &[usize], batching: Batching) -> Self {
        let brokers = brokers_of_lanes.iter().max().map_or(0, |last| last + 1);
        let lane = |&broker: &usize| Lane {
            broker,
            ..Lane::default()
        };
        Self {
            lanes: brokers_of_lanes.iter().map(lane).collect(),
            queues: vec![BTreeSet::new(); brokers],
            batching,
            records: 0,
            flushing: false,
        }
    }

    /// How many records wait.
    pub(crate) const fn records(&self) -> u64 {
        self.records
    }

    /// From here on nothing waits for more.
    pub(crate) const fn flush(&mut self) {
        self.flushing = true;
    }

    /// Adds a record to a lane; the broker whose sender may have to look again.
    pub(crate) fn push(&mut self, lane: usize, record: Waiting) -> Option<usize> {
        self.records += 1;
        let own = &mut self.lanes[lane];
        own.waiting.push_back(record);
        own.bytes += record.bytes();
        let broker = own.broker;
        let first = self.queues[broker].first().copied();
        self.queue(lane);
        (self.queues[broker].first().copied() != first).then_some(broker)
    }

    /// Nothing of a lane is taken from here on.
    pub(crate) fn hold(&mut self, lane: usize) {
        self.lanes[lane].is_held = true;
        self.queue(lane);
    }

    /// A lane is taken from again; gives its broker.
    pub(crate) fn release(&mut self, lane: usize) -> usize {
        self.lanes[lane].is_held = false;
        self.queue(lane);
        self.lanes[lane].broker
    }

    /// Puts a lane where it belongs in its broker's queue.
    fn queue(&mut self, lane: usize) {
        let ready_at = self.ready_at(lane);
        let own = &mut self.lanes[lane];
        if own.queued == ready_at {
            return;
        }
        let queue = &mut self.queues[own.broker];
        if let Some(before) = own.queued {
            queue.remove(&(before, lane));
        }
        if let Some(at) = ready_at {
            queue.insert((at, lane));
        }
        own.queued = ready_at;
    }

    /// Full lanes are ready, the one with the oldest record first; others when they have lingered.
    fn ready_at(&self, lane: usize) -> Option<u64> {
        let own = &self.lanes[lane];
        let oldest = own.waiting.front().filter(|_| !own.is_held)?;
        let is_full = own.bytes >= self.batching.batch_bytes;
        let linger = self.batching.linger.as_nanos() as u64;
        Some(oldest.picked + if is_full { 0 } else { linger })
    }

    /// Whether a broker's sender has something to do.
    pub(crate) fn ready(&self, broker: usize, now: u64) -> Ready {
        match self.queues[broker].first() {
            None => Ready::Never,
            Some((at, _)) if *at <= now || self.flushing => Ready::Now,
            Some((at, _)) => Ready::At(*at),
        }
    }

    /// Takes what makes the next request to a broker: a batch, or one of each partition that is
    /// ready, as far as it has room.
    pub(crate) fn take(&mut self, broker: usize, now: u64) -> Vec<Taken> {
        let queue = &self.queues[broker];
        let ready = queue
            .iter()
            .take_while(|(at, _)| *at <= now || self.flushing);
        let lanes: Vec<usize> = if self.batching.shares_requests {
            ready.map(|(_, lane)| *lane).collect()
        } else {
            ready.take(1).map(|(_, lane)| *lane).collect()
        };
        let (mut taken, mut bytes) = (Vec::new(), 0);
        for lane in lanes {
            let next = self.lanes[lane].bytes.min(self.batching.batch_bytes);
            if !taken.is_empty() && bytes + next > self.batching.request_bytes {
                break;
            }
            bytes += next;
            taken.extend(self.take_lane(lane, now));
        }
        taken
    }

    fn take_lane(&mut self, lane: usize, now: u64) -> Option<Taken> {
        let own = &mut self.lanes[lane];
        let oldest = own.waiting.front()?.picked;
        let is_full = own.bytes >= self.batching.batch_bytes;
        let (mut records, mut bytes) = (Vec::new(), 0);
        while let Some(next) = own.waiting.front()
            && (records.is_empty() || bytes + next.bytes() <= self.batching.batch_bytes)
        {
            bytes += next.bytes();
            records.extend(own.waiting.pop_front());
        }
        own.bytes -= bytes;
        self.records -= records.len() as u64;
        self.queue(lane);
        let lingered = oldest + self.batching.linger.as_nanos() as u64;
        let last = records.last().map_or(oldest, |last| last.picked);
        let ready = if is_full {
            last.min(lingered)
        } else {
            lingered
        };
        Some(Taken {
            lane,
            records,
            ready: ready.min(now),
        })
    }

    /// Gives up all that waits.
    pub(crate) fn give_up(&mut self) -> Vec<Waiting> {
        for queue in &mut self.queues {
            queue.clear();
        }
        let mut all = Vec::new();
        for lane in &mut self.lanes {
            all.extend(lane.waiting.drain(..));
            (lane.bytes, lane.queued) = (0, None);
        }
        self.records = 0;
        all
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::scenario::{Model, Scenario, Sticky};

    const MS: u64 = 1_000_000;

    fn batching(shares_requests: bool) -> Batching {
        Batching {
            linger: Duration::from_millis(5),
            batch_bytes: 1000,
            in_flight: 5,
            request_bytes: 2000,
            shares_requests,
            sticky: Sticky::Round,
            idempotent: false,
        }
    }

    const fn record(picked: u64) -> Waiting {
        Waiting {
            planned: picked,
            picked,
            size: 76,
            key: None,
        }
    }

    #[test]
    fn a_batch_lingers_for_more() {
        let mut waiting = Accumulator::new(&[0, 0], batching(true));
        assert_eq!(waiting.ready(0, 0), Ready::Never);
        assert_eq!(waiting.push(1, record(MS)), Some(0));
        assert_eq!(waiting.ready(0, MS), Ready::At(6 * MS));
        // Nobody is woken for more of the same.
        assert_eq!(waiting.push(1, record(2 * MS)), None);
        assert_eq!(waiting.push(0, record(2 * MS)), None);
        assert_eq!(waiting.ready(0, 6 * MS), Ready::Now);
        let taken = waiting.take(0, 6 * MS);
        assert_eq!(taken.len(), 1);
        assert_eq!(
            (taken[0].lane, taken[0].records.len(), taken[0].ready),
            (1, 2, 6 * MS)
        );
        assert_eq!(waiting.ready(0, 6 * MS), Ready::At(7 * MS));
        waiting.flush();
        assert_eq!(waiting.take(0, 6 * MS)[0].lane, 0);
        assert_eq!(waiting.records(), 0);
    }

    #[test]
    fn a_full_batch_is_ready_at_once() {
        let mut waiting = Accumulator::new(&[0], batching(true));
        for at in 0..9 {
            waiting.push(0, record(at));
        }
        assert_eq!(waiting.ready(0, 9), Ready::At(5 * MS));
        assert_eq!(waiting.push(0, record(9)), Some(0));
        waiting.push(0, record(10));
        assert_eq!(waiting.ready(0, 10), Ready::Now);
        let taken = waiting.take(0, 10);
        assert_eq!((taken[0].records.len(), taken[0].ready), (10, 9));
        assert_eq!(waiting.ready(0, 10), Ready::At(10 + 5 * MS));
    }

    #[test]
    fn models_share_requests_or_do_not() {
        for (shares, requests) in [(true, vec![2, 1]), (false, vec![1, 1, 1])] {
            let mut waiting = Accumulator::new(&[0, 0, 0], batching(shares));
            for lane in 0..3 {
                for at in 0..10 {
                    waiting.push(lane, record(at));
                }
            }
            let sizes: Vec<usize> = std::iter::from_fn(|| {
                let taken = waiting.take(0, 10).len();
                (taken > 0).then_some(taken)
            })
            .collect();
            assert_eq!(sizes, requests);
        }
    }

    #[test]
    fn brokers_have_queues_of_their_own() {
        let mut waiting = Accumulator::new(&[0, 1], batching(true));
        waiting.push(1, record(0));
        assert_eq!(waiting.ready(0, 9 * MS), Ready::Never);
        assert_eq!(waiting.take(1, 9 * MS)[0].lane, 1);
        waiting.push(0, record(0));
        assert_eq!(waiting.give_up().len(), 1);
        assert_eq!(
            (waiting.records(), waiting.ready(0, 9 * MS)),
            (0, Ready::Never)
        );
    }

    proptest! {
        #[test]
        fn every_record_leaves_once_and_in_order(
            pushes in prop::collection::vec((0..4_usize, 32..2000_u32, 0..3_u64), 1..300),
            model in 0..3_usize,
        ) {
            let mut scenario = Scenario::default();
            scenario.produce.model = [Model::Java, Model::Librdkafka, Model::Ideal][model];
            let mut waiting = Accumulator::new(&[0, 1, 0, 1], scenario.batching());
            let (mut now, mut out) = (0, vec![Vec::new(); 4]);
            let mut collect = |waiting: &mut Accumulator, now| {
                for broker in 0..2 {
                    while waiting.ready(broker, now) == Ready::Now {
                        for taken in waiting.take(broker, now) {
                            assert!(taken.ready <= now && !taken.records.is_empty());
                            out[taken.lane].extend(taken.records);
                        }
                    }
                }
            };
            let mut planned = vec![Vec::new(); 4];
            for (number, (lane, size, later)) in pushes.iter().enumerate() {
                now += later * MS;
                let record = Waiting { planned: number as u64, picked: now, size: *size, key: None };
                waiting.push(*lane, record);
                planned[*lane].push(record);
                collect(&mut waiting, now);
            }
            waiting.flush();
            collect(&mut waiting, now);
            prop_assert_eq!(waiting.records(), 0);
            prop_assert_eq!(out, planned);
        }
    }
}
