//! Batches that failed and wait to be sent again.
//!
//! A lane that has any sends them one after the other, in the order of their sequences, and nothing
//! else until all are acknowledged: so a broker that knows the numbers of an idempotent producer
//! takes each batch once, in its place. Nothing here waits or reads a clock.

use std::collections::BTreeMap;

use super::accumulator::Ready;
use super::books::Sent;

/// What one client sends again.
#[derive(Debug)]
pub(crate) struct Retries {
    brokers_of_lanes: Vec<usize>,
    /// Batches on their way, by lane.
    in_flight: Vec<usize>,
    /// Lanes that something of failed.
    lanes: BTreeMap<usize, Lane>,
}

#[derive(Debug, Default)]
struct Lane {
    /// By their first sequence.
    batches: BTreeMap<u64, Sent>,
    /// They are not sent earlier.
    not_before: u64,
}

impl Retries {
    /// None, of lanes with the broker of each.
    pub(crate) fn new(brokers_of_lanes: &[usize]) -> Self {
        Self {
            brokers_of_lanes: brokers_of_lanes.to_vec(),
            in_flight: vec![0; brokers_of_lanes.len()],
            lanes: BTreeMap::new(),
        }
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// A batch of a lane is on its way.
    pub(crate) fn sent(&mut self, lane: usize) {
        self.in_flight[lane] += 1;
    }

    /// It is not any more, whatever became of it.
    pub(crate) fn settled(&mut self, lane: usize) {
        self.in_flight[lane] -= 1;
    }

    /// Whether something of a lane failed and is not acknowledged yet.
    pub(crate) fn holds(&self, lane: usize) -> bool {
        self.lanes.contains_key(&lane)
    }

    /// A batch failed.
    pub(crate) fn put(&mut self, batch: Sent, not_before: u64) {
        let lane = self.lanes.entry(batch.lane).or_default();
        lane.not_before = not_before;
        lane.batches.insert(batch.first, batch);
    }

    /// Lanes of a broker whose next batch may leave once it is time to.
    fn waiting(&self, broker: usize) -> impl Iterator<Item = (usize, u64)> {
        let of_broker = self
            .lanes
            .iter()
            .filter(move |(lane, _)| self.brokers_of_lanes[**lane] == broker);
        let idle = of_broker.filter(move |(lane, _)| self.in_flight[**lane] == 0);
        let waiting = idle.filter(|(_, own)| !own.batches.is_empty());
        waiting.map(|(lane, own)| (*lane, own.not_before))
    }

    /// Whether a broker's sender has something to send again.
    pub(crate) fn ready(&self, broker: usize, now: u64) -> Ready {
        match self.waiting(broker).map(|(_, at)| at).min() {
            None => Ready::Never,
            Some(at) if at <= now => Ready::Now,
            Some(at) => Ready::At(at),
        }
    }

    /// Takes what is sent to a broker next: the first batch of as many lanes as a request has.
    pub(crate) fn take(&mut self, broker: usize, now: u64, lanes_max: usize) -> Vec<Sent> {
        let due = self.waiting(broker).filter(|(_, at)| *at <= now);
        let due: Vec<usize> = due.map(|(lane, _)| lane).take(lanes_max).collect();
        let mut taken = Vec::new();
        for lane in due {
            let first = self.lanes.get_mut(&lane).map(|own| own.batches.pop_first());
            taken.extend(first.flatten().map(|(_, batch)| batch));
        }
        taken
    }

    /// Takes what was planned so early that it is not sent again.
    pub(crate) fn take_older(&mut self, planned: u64) -> Vec<Sent> {
        let mut older = Vec::new();
        for own in self.lanes.values_mut() {
            let is_older = |_: &u64, batch: &mut Sent| batch.planned() < planned;
            older.extend(own.batches.extract_if(.., is_older).map(|(_, batch)| batch));
        }
        older
    }

    /// Forgets a lane if all of it is acknowledged or given up; whether it was one.
    pub(crate) fn ends(&mut self, lane: usize) -> bool {
        let is_over = |own: &Lane| own.batches.is_empty() && self.in_flight[lane] == 0;
        let ends = self.lanes.get(&lane).is_some_and(is_over);
        if ends {
            self.lanes.remove(&lane);
        }
        ends
    }

    /// Gives up all that waits.
    pub(crate) fn give_up(&mut self) -> Vec<Sent> {
        let lanes = std::mem::take(&mut self.lanes).into_values();
        lanes.flat_map(|own| own.batches.into_values()).collect()
    }
}

#[cfg(test)]
mod tests {
    use engine_rt::Buf;

    use super::*;
    use crate::ledger::Place;

    fn batch(lane: usize, first: u64) -> Sent {
        Sent {
            stream: 0,
            place: Place::default(),
            lane,
            first,
            records: Vec::new(),
            batch: Buf::new(),
            ready: 0,
        }
    }

    fn firsts(taken: &[Sent]) -> Vec<(usize, u64)> {
        taken
            .iter()
            .map(|batch| (batch.lane, batch.first))
            .collect()
    }

    #[test]
    fn a_lane_waits_for_all_its_batches_and_sends_one_at_a_time() {
        let mut retries = Retries::new(&[0, 0, 1]);
        for _ in 0..3 {
            retries.sent(0);
        }
        // The second and the third fail, in whatever order that is noticed.
        retries.settled(0);
        retries.put(batch(0, 20), 100);
        assert_eq!(retries.ready(0, 200), Ready::Never);
        retries.settled(0);
        retries.put(batch(0, 10), 100);
        retries.settled(0);
        assert!(!retries.ends(0) && retries.holds(0) && !retries.holds(1));
        assert_eq!(retries.ready(0, 50), Ready::At(100));
        assert_eq!(retries.ready(1, 200), Ready::Never);
        assert!(retries.take(0, 50, 9).is_empty());
        for first in [10, 20] {
            assert_eq!(firsts(&retries.take(0, 100, 9)), [(0, first)]);
            retries.sent(0);
            assert_eq!(retries.ready(0, 200), Ready::Never);
            assert!(!retries.ends(0));
            retries.settled(0);
        }
        assert!(retries.ends(0) && retries.is_empty());
    }

    #[test]
    fn a_request_has_a_batch_of_each_lane_as_far_as_it_may() {
        let mut retries = Retries::new(&[0, 0, 1]);
        for lane in 0..3 {
            retries.put(batch(lane, 7), 0);
        }
        assert_eq!(firsts(&retries.take(0, 0, 1)), [(0, 7)]);
        assert_eq!(firsts(&retries.take(0, 0, 9)), [(1, 7)]);
        assert_eq!(firsts(&retries.give_up()), [(2, 7)]);
        assert!(retries.is_empty());
    }
}
