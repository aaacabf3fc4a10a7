//! A producer: up to five batches of a log under way, and what got no answer is sent again by the
//! idempotent ones, in order and with the same sequence numbers, in the next life if need be.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::sim::trace;
use engine_rt::{Buf, Event as Signal, sleep, spawn, wall_clock_ms};
use engine_shard::{Appended, ProduceBatch, ProduceTicket, ProducerStamp, ShardError};

use super::client::Client;
use super::game::id_of;
use super::plan::ProducerPlan;
use crate::checker::Known;
use crate::content::{BatchId, Idempotence, Sent, Wanted, make};
use crate::coverage::Event;
use crate::rng::Rng;

/// A batch without an answer.
#[derive(Clone)]
struct Unanswered {
    sent: Sent,
    bytes: Buf,
}

/// What a producer has to do with one log.
struct Lane {
    log: u32,
    next_number: u32,
    next_sequence: i32,
    unanswered: VecDeque<Unanswered>,
}

/// A client that sends.
pub(super) struct Producer {
    number: u32,
    plan: ProducerPlan,
    rng: RefCell<Rng>,
    lanes: RefCell<Vec<Lane>>,
    /// Requests of this life without an answer.
    in_flight: Cell<usize>,
    /// The life gives no answers any more.
    halted: Cell<bool>,
    answered: Signal,
}

impl Producer {
    pub(super) fn new(number: u32, plan: &ProducerPlan, rng: Rng) -> Self {
        let lane = |log: &u32| Lane {
            log: *log,
            next_number: 0,
            next_sequence: 0,
            unanswered: VecDeque::new(),
        };
        Self {
            number,
            lanes: RefCell::new(plan.logs.iter().map(lane).collect()),
            plan: plan.clone(),
            rng: RefCell::new(rng),
            in_flight: Cell::new(0),
            halted: Cell::new(false),
            answered: Signal::new(),
        }
    }

    /// Sends its share of a life, and waits for the answers.
    pub(super) async fn run(self: Rc<Self>, client: Rc<Client>) {
        self.in_flight.set(0);
        self.halted.set(false);
        self.give_up();
        self.send_again(&client).await;
        let share = {
            let range = self.plan.batches.clone();
            self.rng.borrow_mut().between(range.start, range.end)
        };
        for _ in 0..share {
            if self.halted.get() || client.game().is_over() {
                break;
            }
            if self.rng.borrow_mut().percent(4) {
                // As after a connection that broke: the answers are still to come.
                self.send_again(&client).await;
            }
            self.send_new(&client).await;
            self.pause().await;
        }
        let all = self.answered.wait_until(|| self.in_flight.get() == 0);
        client.patiently("an append", all).await;
        client.life.producer_done();
    }

    async fn pause(&self) {
        let pause = self.rng.borrow_mut().below(self.plan.pause_us + 1);
        if pause > 0 {
            sleep(Duration::from_micros(pause)).await;
        }
    }

    /// What the last life left without an answer stays so, if it cannot be sent again.
    fn give_up(&self) {
        if !self.plan.idempotent {
            for lane in self.lanes.borrow_mut().iter_mut() {
                lane.unanswered.clear();
            }
        }
    }

    /// Sends what has no answer once more, in order.
    async fn send_again(self: &Rc<Self>, client: &Rc<Client>) {
        let mut again = Vec::new();
        for lane in self.lanes.borrow_mut().iter_mut() {
            if self.plan.idempotent {
                again.extend(lane.unanswered.iter().cloned());
            }
        }
        for batch in again {
            self.send(client, vec![batch]).await;
        }
    }

    async fn send_new(self: &Rc<Self>, client: &Rc<Client>) {
        let lane = self.rng.borrow_mut().below(self.plan.logs.len() as u64) as usize;
        let room = || self.halted.get() || self.has_room(lane);
        let waited = self.answered.wait_until(room);
        if client.patiently("an append", waited).await.is_none() || self.halted.get() {
            return;
        }
        // Now and then a request has batches for every log with room.
        let mut lanes = vec![lane];
        if self.rng.borrow_mut().percent(20) {
            lanes = (0..self.plan.logs.len())
                .filter(|lane| self.has_room(*lane))
                .collect();
        }
        let batches = lanes.into_iter().map(|lane| self.make(client, lane));
        let batches = batches.collect();
        self.send(client, batches).await;
    }

    /// Whether another batch may be under way: counted from the oldest without an answer, as answers
    /// on one connection come in order.
    fn has_room(&self, lane: usize) -> bool {
        let lane = &self.lanes.borrow()[lane];
        let oldest = lane.unanswered.front().map(|batch| batch.sent.id.number);
        let under_way = oldest.map_or(0, |oldest| lane.next_number - oldest);
        under_way < self.plan.in_flight_max as u32
    }

    /// A new batch, which is without an answer from now on.
    fn make(&self, client: &Client, lane: usize) -> Unanswered {
        let mut rng = self.rng.borrow_mut();
        let lane = &mut self.lanes.borrow_mut()[lane];
        let bypass = client.game().plan.bypass_bytes as u64;
        let large = rng.percent(self.plan.large_percent);
        let bytes = if large {
            rng.between(bypass, bypass * 4)
        } else {
            rng.magnitude(self.plan.small.start, self.plan.small.end)
        };
        let records = rng.magnitude(1, 20.min(1 + bytes / 100)) as i32;
        let idempotence = self.plan.idempotent.then_some(Idempotence {
            producer_id: 1000 + i64::from(self.number),
            epoch: 0,
            base_sequence: lane.next_sequence,
        });
        let wanted = Wanted {
            id: BatchId {
                producer: self.number,
                number: lane.next_number,
                log: lane.log,
            },
            records,
            value_bytes: (bytes / records as u64) as usize,
            idempotence,
            first_timestamp: wall_clock_ms() - rng.below(50) as i64,
            timestamp_step: rng.below(3) as i64 - 1,
        };
        lane.next_number += 1;
        lane.next_sequence += records;
        let (bytes, sent) = make(&wanted, &mut rng);
        client.game().checker.borrow_mut().sending(sent);
        let batch = Unanswered {
            sent,
            bytes: Buf::copy_from_slice(&bytes),
        };
        lane.unanswered.push_back(batch.clone());
        batch
    }

    async fn send(self: &Rc<Self>, client: &Rc<Client>, batches: Vec<Unanswered>) {
        let sent: Vec<Sent> = batches.iter().map(|batch| batch.sent).collect();
        for sent in &sent {
            trace(|| format!("send {:?}, {} bytes", sent.id, sent.bytes));
        }
        self.in_flight.set(self.in_flight.get() + 1);
        let batches = batches.iter().map(to_produce).collect();
        let known = {
            let checker = client.game().checker.borrow();
            sent.iter().map(|sent| checker.known(sent.id.log)).collect()
        };
        let ticket = client.shards.produce(batches, |id| client.owner(id)).await;
        let (own, client) = (Rc::clone(self), Rc::clone(client));
        spawn(async move { own.wait(client, sent, known, ticket).await }).detach();
    }

    async fn wait(
        self: Rc<Self>,
        client: Rc<Client>,
        sent: Vec<Sent>,
        known: Vec<Known>,
        ticket: ProduceTicket,
    ) {
        let outcomes = ticket.durable().await;
        for ((sent, known), outcome) in sent.iter().zip(known).zip(outcomes) {
            self.answer(&client, sent, known, outcome);
        }
        client.note_stats();
        self.in_flight.set(self.in_flight.get() - 1);
        self.answered.notify();
    }

    fn answer(
        &self,
        client: &Client,
        sent: &Sent,
        known: Known,
        outcome: Result<Appended, ShardError>,
    ) {
        let game = client.game();
        match outcome {
            Ok(appended) => {
                trace(|| format!("acknowledged {:?} at {}", sent.id, appended.base_offset));
                let (base_offset, log_start) = (appended.base_offset, appended.log_start_offset);
                let mut checker = game.checker.borrow_mut();
                checker.acknowledged(known, sent.id, base_offset, log_start);
                game.coverage.borrow_mut().count(Event::Commit);
                self.forget(sent.id);
                game.note_way(sent);
            },
            Err(error) => {
                self.halted.set(true);
                client.refused("an append", &error);
            },
        }
    }

    fn forget(&self, id: BatchId) {
        for lane in self.lanes.borrow_mut().iter_mut() {
            lane.unanswered.retain(|batch| batch.sent.id != id);
        }
    }
}

fn to_produce(batch: &Unanswered) -> ProduceBatch {
    let sent = &batch.sent;
    let (max_timestamp, delta) = sent.max_timestamp();
    let stamp = sent.idempotence.map_or(
        ProducerStamp {
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
        },
        |own| ProducerStamp {
            producer_id: own.producer_id,
            producer_epoch: own.epoch,
            base_sequence: own.base_sequence,
        },
    );
    ProduceBatch {
        id: id_of(sent.id.log),
        bytes: batch.bytes.clone(),
        records: sent.records,
        max_timestamp,
        max_timestamp_delta: delta as u32,
        stamp,
    }
}
