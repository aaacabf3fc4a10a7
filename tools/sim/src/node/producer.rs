//! A producer: up to five batches of a partition under way, and what got no answer is sent again by
//! the idempotent ones, in order and with the same sequence numbers, on the next connection.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::sim::trace;
use engine_rt::{Buf, Event as Signal, now, sleep, spawn, timeout, wall_clock_ms};
use flumen::client::{Produced, ToProduce};
use net_wire::ErrorCode;
use net_wire::codec::Codecs;

use super::game::{Game, Standing};
use super::link::{Link, PATIENCE, Session};
use super::plan::ProducerPlan;
use crate::checker::{Known, Promise};
use crate::content::{BatchId, Idempotence, Sent, Wanted, make};
use crate::coverage::Event;
use crate::rng::Rng;

/// What keys and headers add to the values of a batch, at most.
const OVERHEAD_BYTES: u64 = 1200;

/// A batch without an answer.
#[derive(Clone)]
struct Unanswered {
    sent: Sent,
    bytes: Buf,
}

/// What a producer has to do with one log.
#[derive(Default)]
struct Lane {
    next_number: u32,
    next_sequence: i32,
    unanswered: VecDeque<Unanswered>,
}

/// A client that sends.
pub(super) struct Producer {
    link: Link,
    plan: ProducerPlan,
    rng: RefCell<Rng>,
    codecs: RefCell<Codecs>,
    /// Its name in batches: a new one for each connection if it is not idempotent, since nothing is
    /// promised of the order over connections then.
    number: Cell<u32>,
    /// Its id and epoch, once it has them.
    identity: Cell<Option<(i64, i16)>>,
    lanes: RefCell<BTreeMap<u32, Lane>>,
    /// Requests without an answer on the present connection.
    in_flight: Cell<usize>,
    answered: Signal,
}

impl Producer {
    pub(super) fn new(game: &Rc<Game>, plan: &ProducerPlan, rng: Rng) -> Self {
        let number = game.next_producer();
        Self {
            link: Link::new(game, format!("producer-{number}")),
            number: Cell::new(number),
            plan: plan.clone(),
            rng: RefCell::new(rng),
            codecs: RefCell::new(Codecs::new()),
            identity: Cell::new(None),
            lanes: RefCell::default(),
            in_flight: Cell::new(0),
            answered: Signal::new(),
        }
    }

    fn game(&self) -> &Rc<Game> {
        &self.link.game
    }

    /// Sends its share of every life.
    pub(super) async fn run(self: Rc<Self>) {
        let game = self.game();
        let mut round = 0;
        loop {
            game.changed.wait_until(|| game.round.get() > round).await;
            round = game.round.get();
            let share = if game.quiet.get() {
                0
            } else {
                let Range { start, end } = self.plan.batches.clone();
                self.rng.borrow_mut().between(start, end)
            };
            self.send_share(round, share).await;
            if game.round.get() == round {
                game.producing.set(game.producing.get() - 1);
                game.changed.notify();
            }
        }
    }

    /// Sends new batches and waits until everything has its answer, over as many connections as it
    /// takes, or until the life is over.
    async fn send_share(self: &Rc<Self>, round: u64, mut share: u64) {
        let mut session: Option<Rc<Session>> = None;
        while self.game().round.get() == round {
            let Some(own) = session.take().filter(|own| !own.is_broken()) else {
                session = self.begin_session().await;
                continue;
            };
            session = Some(Rc::clone(&own));
            if share == 0 {
                if self.all_answered(&own).await && !own.is_broken() {
                    return;
                }
                continue;
            }
            if self.rng.borrow_mut().percent(4) {
                // As after a connection that broke: the answers are still to come.
                self.send_again(&own).await;
            }
            if self.send_new(&own).await {
                share -= 1;
            }
            self.pause().await;
        }
    }

    async fn pause(&self) {
        let pause = self.rng.borrow_mut().below(self.plan.pause_us + 1);
        if pause > 0 {
            sleep(Duration::from_micros(pause)).await;
        }
    }

    /// Connects if need be and sends once more what has no answer; `None` if that broke off.
    async fn begin_session(self: &Rc<Self>) -> Option<Rc<Session>> {
        // Answers of the last connection come no more, but its tasks have to notice.
        self.answered.wait_until(|| self.in_flight.get() == 0).await;
        let session = self.link.session().await;
        if !self.plan.idempotent {
            self.give_up();
        } else if self.identity.get().is_none() {
            let asked = session.connection.init_producer_id();
            match self.link.ask(&session, "a producer id", asked).await? {
                Ok(identity) => {
                    self.game().take_producer_id(identity.0);
                    self.identity.set(Some(identity));
                },
                Err(code) => {
                    self.link.refused(&session, "a producer id", code);
                    return None;
                },
            }
        }
        self.send_again(&session).await;
        Some(session)
    }

    /// What the last connection left without an answer stays so, if it cannot be sent again.
    fn give_up(&self) {
        self.number.set(self.game().next_producer());
        for lane in self.lanes.borrow_mut().values_mut() {
            lane.unanswered.clear();
        }
    }

    /// Sends what has no answer once more, in order.
    async fn send_again(self: &Rc<Self>, session: &Rc<Session>) {
        if !self.plan.idempotent {
            return;
        }
        let mut again = Vec::new();
        for (log, lane) in self.lanes.borrow_mut().iter_mut() {
            if self.game().place(*log).topic.standing.get() == Standing::Gone {
                lane.unanswered.clear();
            }
            again.extend(lane.unanswered.iter().cloned());
        }
        for batch in again {
            self.send(session, &[batch]);
        }
        // Lets answers in between.
        engine_rt::yield_now().await;
    }

    /// Waits for the answers on this connection; whether nothing is left without one.
    async fn all_answered(&self, session: &Session) -> bool {
        let all = self.answered.wait_until(|| self.in_flight.get() == 0);
        if timeout(now() + PATIENCE * 2, all).await.is_err() {
            session.give_up();
            let what = "appends are not answered".to_owned();
            self.game().fail(Promise::Liveness, what);
        }
        let lanes = self.lanes.borrow();
        !self.plan.idempotent || lanes.values().all(|lane| lane.unanswered.is_empty())
    }

    /// Sends a request with new batches; whether there was a partition to send to.
    async fn send_new(self: &Rc<Self>, session: &Rc<Session>) -> bool {
        let logs = self.logs();
        if logs.is_empty() {
            sleep(Duration::from_millis(1)).await;
            return false;
        }
        let log = *self.rng.borrow_mut().pick(&logs);
        let room = || session.is_broken() || self.has_room(log);
        self.answered.wait_until(room).await;
        if session.is_broken() {
            return false;
        }
        // Now and then a request has batches for every partition with room.
        let mut chosen = vec![log];
        if self.rng.borrow_mut().percent(20) {
            chosen = logs;
            chosen.retain(|log| self.has_room(*log));
        }
        let batches = chosen.into_iter().map(|log| self.make(log));
        let batches: Vec<_> = batches.collect();
        self.send(session, &batches);
        true
    }

    /// The partitions that it writes to.
    fn logs(&self) -> Vec<u32> {
        let live = self.game().live_logs();
        let mine = |log: &&u32| {
            let mut own =
                Rng::new(u64::from(**log) * 77 + u64::from(self.plan.in_flight_max as u32));
            own.percent(self.plan.spread_percent)
        };
        let own: Vec<u32> = live.iter().filter(mine).copied().collect();
        if own.is_empty() { live } else { own }
    }

    /// Whether another batch may be under way: counted from the oldest without an answer, as answers
    /// on one connection come in order.
    fn has_room(&self, log: u32) -> bool {
        if self.plan.acks == 0 {
            return true;
        }
        let mut lanes = self.lanes.borrow_mut();
        let lane = lanes.entry(log).or_default();
        let oldest = lane.unanswered.front().map(|batch| batch.sent.id.number);
        let under_way = oldest.map_or(0, |oldest| lane.next_number - oldest);
        under_way < self.plan.in_flight_max as u32
    }

    /// A new batch, which is without an answer from now on.
    fn make(&self, log: u32) -> Unanswered {
        let mut rng = self.rng.borrow_mut();
        let mut lanes = self.lanes.borrow_mut();
        let lane = lanes.entry(log).or_default();
        let bytes = self.draw_bytes(&mut rng, log);
        let records = rng.magnitude(1, 20.min(1 + bytes / 100)) as i32;
        let identity = self.identity.get().filter(|_| self.plan.idempotent);
        let wanted = Wanted {
            id: BatchId {
                producer: self.number.get(),
                number: lane.next_number,
                log,
            },
            records,
            value_bytes: (bytes / records as u64) as usize,
            idempotence: identity.map(|(producer_id, epoch)| Idempotence {
                producer_id,
                epoch,
                base_sequence: lane.next_sequence,
            }),
            first_timestamp: wall_clock_ms() - rng.below(50) as i64,
            timestamp_step: rng.below(3) as i64 - 1,
            codec: *rng.pick(self.plan.codecs),
            keys: self.game().keys_of(log),
        };
        lane.next_number += 1;
        lane.next_sequence += records;
        let (bytes, sent) = make(&wanted, &mut rng, &mut self.codecs.borrow_mut());
        let batch = Unanswered {
            sent,
            bytes: Buf::copy_from_slice(&bytes),
        };
        lane.unanswered.push_back(batch.clone());
        batch
    }

    fn draw_bytes(&self, rng: &mut Rng, log: u32) -> u64 {
        let bypass = self.game().plan.bypass_bytes;
        let most = self.game().place(log).topic.plan.get().batch_bytes_max - OVERHEAD_BYTES;
        let bytes = if rng.percent(self.plan.large_percent) {
            rng.between(bypass, bypass * 4)
        } else {
            rng.magnitude(self.plan.small.start, self.plan.small.end)
        };
        bytes.min(most)
    }

    fn send(self: &Rc<Self>, session: &Rc<Session>, batches: &[Unanswered]) {
        let game = self.game();
        for Unanswered { sent, .. } in batches {
            trace(|| format!("send {:?}, {} bytes", sent.id, sent.bytes));
        }
        let places: Vec<_> = batches
            .iter()
            .map(|batch| game.place(batch.sent.id.log))
            .collect();
        let to_produce = batches.iter().zip(&places).map(|(batch, place)| ToProduce {
            topic: &place.topic.name,
            partition: place.partition,
            records: batch.bytes.clone(),
        });
        let to_produce: Vec<_> = to_produce.collect();
        let waiting: Vec<(Sent, Known)> = {
            let mut checker = game.checker.borrow_mut();
            let known = |batch: &Unanswered| {
                checker.sending(batch.sent);
                (batch.sent, checker.known(batch.sent.id.log))
            };
            batches.iter().map(known).collect()
        };
        match session.connection.produce(self.plan.acks, &to_produce) {
            Ok(_) if self.plan.acks == 0 => {
                // Nobody will ever know, unless a fetch brings it.
                session.blind.set(true);
                game.count(Event::SentBlindly);
                for (sent, _) in waiting {
                    self.forget(sent.id);
                }
            },
            Ok(answer) => {
                self.in_flight.set(self.in_flight.get() + 1);
                let (own, session) = (Rc::clone(self), Rc::clone(session));
                let wait = async move {
                    let answer = own.link.ask(&session, "an append", answer).await;
                    own.answer(&session, &waiting, answer);
                    own.in_flight.set(own.in_flight.get() - 1);
                    own.answered.notify();
                };
                spawn(wait).detach();
            },
            Err(error) => {
                self.link.broke(session, "an append", &error);
                self.answered.notify();
            },
        }
    }

    fn answer(
        &self,
        session: &Session,
        waiting: &[(Sent, Known)],
        answer: Option<Result<Vec<Produced>, ErrorCode>>,
    ) {
        let produced = match answer {
            Some(Ok(produced)) => produced,
            Some(Err(code)) => return self.link.refused(session, "an append", code),
            None => return,
        };
        for (sent, known) in waiting {
            let place = self.game().place(sent.id.log);
            let mine = produced
                .iter()
                .find(|one| one.topic == place.topic.name && one.partition == place.partition);
            match mine {
                Some(one) => self.answer_one(session, sent, *known, one),
                None => self.game().fail(
                    Promise::Answer,
                    format!("an append of {:?} has no answer in the answer", sent.id),
                ),
            }
        }
    }

    fn answer_one(&self, session: &Session, sent: &Sent, known: Known, produced: &Produced) {
        let game = self.game();
        if produced.error.is_none() {
            let base_offset = produced.base_offset;
            trace(|| format!("acknowledged {:?} at {base_offset}", sent.id));
            let mut checker = game.checker.borrow_mut();
            checker.acknowledged(known, sent.id, base_offset, produced.log_start_offset);
            drop(checker);
            game.count(Event::Commit);
            self.forget(sent.id);
            game.note_way(sent);
            return;
        }
        let what = format!("an append of {:?}", sent.id);
        trace(|| format!("{what}: {:?} {:?}", produced.error, produced.message));
        let was_cut = game.checker.borrow().was_cut(sent.id.log);
        if was_cut && produced.error == ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER {
            // What went before was acknowledged, and is gone.
            game.note_code(produced.error);
            self.begin_anew(session);
            return;
        }
        self.link
            .refused_of(session, sent.id.log, &what, produced.error);
        let log = sent.id.log;
        let damaged = produced.error == ErrorCode::KAFKA_STORAGE_ERROR && game.is_harmed(log);
        // In the end, who waits for a partition that takes no appends any more gives up.
        if produced.error == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION || (damaged && game.quiet.get())
        {
            self.forget(sent.id);
        }
    }

    /// Goes on under another name and producer id.
    fn begin_anew(&self, session: &Session) {
        self.game().count(Event::ProducerBeganAnew);
        session.give_up();
        self.identity.set(None);
        self.number.set(self.game().next_producer());
        self.lanes.borrow_mut().clear();
    }

    fn forget(&self, id: BatchId) {
        if let Some(lane) = self.lanes.borrow_mut().get_mut(&id.log) {
            lane.unanswered.retain(|batch| batch.sent.id != id);
        }
    }
}
