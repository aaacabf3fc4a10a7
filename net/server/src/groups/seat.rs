//! One coordinator at work, on the shard that owns its partition.
//!
//! Effects leave in their order: what is behind an append waits for the disk, and appends that
//! come up while one is under way leave together as the next. If an append fails, the coordinator
//! is thrown away, everybody who waits is sent away, and the partition is read again.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use cluster_group::record::Record;
use cluster_group::{Answer, Config, Coordinator, Effect, Now, Outbox, Request, Token};
use engine_rt::mutant::{Mutant, is_active};
use engine_rt::{Event, Instant, OneshotSender, now, oneshot, sleep, sleep_until, spawn, timeout};
use engine_shard::{ShardError, TopicPartition};
use net_wire::ErrorCode;
use tracing::{error, info};

use super::log;
use super::topics::ClusterTopics;
use crate::broker::Broker;
use crate::futures::{First, race};

/// How long a request waits for the partition to be read before the client is told to come again.
const LOAD_PATIENCE: Duration = Duration::from_millis(500);
/// Pause before a partition is read again after a failure; doubles up to the longest one.
const RELOAD_PAUSE_MIN: Duration = Duration::from_millis(50);
const RELOAD_PAUSE_MAX: Duration = Duration::from_secs(5);
/// Records that leave in one batch, unless one append alone has more.
const BATCH_RECORDS_MAX: usize = 10_000;
const NANOS_PER_MS: u64 = 1_000_000;

/// The place of a coordinator: it stays when the coordinator is exchanged.
#[derive(Debug)]
pub(super) struct Seat {
    id: TopicPartition,
    config: Config,
    /// `None` while the partition is read.
    coordinator: RefCell<Option<Coordinator>>,
    /// Which coordinator it is: tasks of a former one end.
    life: Cell<u64>,
    /// The partition is gone.
    is_over: Cell<bool>,
    loaded: Event,
    waiting: RefCell<BTreeMap<Token, OneshotSender<Answer>>>,
    next_token: Cell<u64>,
    /// Effects that have not come about.
    queue: RefCell<VecDeque<Effect>>,
    /// Whether a task is appending.
    is_writing: Cell<bool>,
    /// The deadline that the timer waits for, and the signal that there is an earlier one.
    sleeps_until: Cell<u64>,
    woken: Event,
    /// Topics that were deleted up to the last look for them.
    deletions_seen: Cell<u64>,
}

impl Seat {
    /// A seat whose coordinator is being made.
    pub(super) fn start(broker: &Rc<Broker>, id: TopicPartition, config: Config) -> Rc<Self> {
        let seat = Rc::new(Self {
            id,
            config,
            coordinator: RefCell::default(),
            life: Cell::new(0),
            is_over: Cell::new(false),
            loaded: Event::new(),
            waiting: RefCell::default(),
            next_token: Cell::new(0),
            queue: RefCell::default(),
            is_writing: Cell::new(false),
            sleeps_until: Cell::new(0),
            woken: Event::new(),
            deletions_seen: Cell::new(0),
        });
        spawn(Rc::clone(&seat).load(Rc::clone(broker), Duration::ZERO)).detach();
        seat
    }

    /// The partition is gone, and with it everything here.
    pub(super) fn end(&self) {
        self.is_over.set(true);
        self.clear();
        self.loaded.notify();
    }

    /// Without a coordinator: its tasks end, and everybody who waits for it is sent away.
    fn clear(&self) {
        self.coordinator.replace(None);
        self.life.set(self.life.get() + 1);
        self.queue.borrow_mut().clear();
        self.waiting.borrow_mut().clear();
        self.woken.notify();
    }

    /// Waits until the partition is read, or is known to be gone.
    pub(super) async fn is_loaded(&self) {
        let done = || self.coordinator.borrow().is_some() || self.is_over.get();
        self.loaded.wait_until(done).await;
    }

    /// Asks the coordinator.
    pub(super) async fn ask(self: &Rc<Self>, broker: &Rc<Broker>, request: Request) -> Answer {
        if timeout(now() + LOAD_PATIENCE, self.is_loaded())
            .await
            .is_err()
        {
            return Answer::Refused(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
        }
        let (answer, receiver) = oneshot();
        let token = Token(self.next_token.replace(self.next_token.get() + 1));
        self.waiting.borrow_mut().insert(token, answer);
        self.turn(broker, |coordinator, now, out| {
            broker.with_state(|state| {
                coordinator.on_request(now, token, request, &ClusterTopics(state), out);
            });
        });
        receiver
            .await
            .unwrap_or(Answer::Refused(ErrorCode::NOT_COORDINATOR))
    }

    /// Lets the coordinator do something, and what it wants done be done.
    fn turn(
        self: &Rc<Self>,
        broker: &Rc<Broker>,
        act: impl FnOnce(&mut Coordinator, Now, &mut Outbox),
    ) {
        let mut out = Outbox::default();
        let deadline = {
            let mut coordinator = self.coordinator.borrow_mut();
            let Some(coordinator) = coordinator.as_mut() else {
                // It failed since: nobody waits here.
                return self.waiting.borrow_mut().clear();
            };
            let now = time();
            self.forget_deleted_topics(broker, coordinator, now, &mut out);
            act(coordinator, now, &mut out);
            coordinator.next_deadline()
        };
        self.carry_out(broker, out.take());
        if deadline.is_some_and(|at| at < self.sleeps_until.get()) {
            self.woken.notify();
        }
    }

    /// Offsets go with their topic. Looking for them costs nothing while none is deleted.
    fn forget_deleted_topics(
        &self,
        broker: &Broker,
        coordinator: &mut Coordinator,
        now: Now,
        out: &mut Outbox,
    ) {
        broker.with_state(|state| {
            // Topics are numbered as they come.
            let deletions = u64::from(state.next_topic_number().0) - state.topics().len() as u64;
            if self.deletions_seen.replace(deletions) == deletions {
                return;
            }
            let exists = |name: &str, id: net_wire::Uuid| {
                let topic = state.topic_by_name(name);
                topic.is_some_and(|topic| id.is_zero() || topic.topic_id == id)
            };
            coordinator.retain_topics(now, exists, out);
        });
    }

    fn carry_out(self: &Rc<Self>, broker: &Rc<Broker>, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Answer(token, answer) if !self.is_behind_an_append() => {
                    self.deliver(token, answer);
                },
                Effect::Append(mut records) if is_active(Mutant::GenerationsVolatile) => {
                    records.retain(|record| !matches!(record, Record::GroupMetadata { .. }));
                    self.queue.borrow_mut().push_back(Effect::Append(records));
                },
                effect => self.queue.borrow_mut().push_back(effect),
            }
        }
        if !self.queue.borrow().is_empty() && !self.is_writing.replace(true) {
            spawn(Rc::clone(self).write(Rc::clone(broker))).detach();
        }
    }

    fn is_behind_an_append(&self) -> bool {
        let waits = self.is_writing.get() || !self.queue.borrow().is_empty();
        waits && !is_active(Mutant::AnswerBeforeAppend)
    }

    fn deliver(&self, token: Token, answer: Answer) {
        if let Some(waiting) = self.waiting.borrow_mut().remove(&token) {
            waiting.send(answer);
        }
    }

    /// Appends what is queued, until nothing is.
    async fn write(self: Rc<Self>, broker: Rc<Broker>) {
        loop {
            let (records, answers) = self.next_batch();
            if records.is_empty() && answers.is_empty() {
                return self.is_writing.set(false);
            }
            if !records.is_empty()
                && let Err(error) = log::append(broker.shards.local(), self.id, &records).await
                && !is_active(Mutant::AppendErrorIgnored)
            {
                return self.fail(&broker, &error);
            }
            for (token, answer) in answers {
                self.deliver(token, answer);
            }
        }
    }

    /// The appends at the head of the queue that leave together, and the answers behind them.
    fn next_batch(&self) -> (Vec<Record>, Vec<(Token, Answer)>) {
        let (mut records, mut answers) = (Vec::new(), Vec::new());
        let mut queue = self.queue.borrow_mut();
        while let Some(effect) = queue.pop_front() {
            match effect {
                Effect::Append(more) if records.is_empty() => records = more,
                Effect::Append(more) if records.len() + more.len() <= BATCH_RECORDS_MAX => {
                    records.extend(more);
                },
                Effect::Append(more) => {
                    queue.push_front(Effect::Append(more));
                    break;
                },
                Effect::Answer(token, answer) => answers.push((token, answer)),
            }
        }
        (records, answers)
    }

    /// The coordinator knows what the log does not: another one takes its seat.
    fn fail(self: &Rc<Self>, broker: &Rc<Broker>, error: &ShardError) {
        if broker.is_stopping() {
            return self.end();
        }
        error!(partition = %self.id, %error, "FL2102: group coordinator cannot append; its partition is read again");
        self.clear();
        self.is_writing.set(false);
        spawn(Rc::clone(self).load(Rc::clone(broker), RELOAD_PAUSE_MIN)).detach();
    }

    /// Reads the partition until it succeeds or the partition is gone.
    async fn load(self: Rc<Self>, broker: Rc<Broker>, mut pause: Duration) {
        loop {
            if !pause.is_zero() {
                // Less if the seat ends.
                race(sleep(pause), self.loaded.wait()).await;
            }
            if broker.is_stopping() {
                return self.end();
            }
            if self.is_over.get() {
                return;
            }
            let started = now();
            let read = log::load(broker.shards.local(), self.id, self.config.clone());
            // Whoever ends the seat does not wait for the disk.
            let First::Right(loaded) = race(self.loaded.wait(), read).await else {
                return;
            };
            match loaded {
                Ok(coordinator) => {
                    let groups = coordinator.group_count();
                    let took = now() - started;
                    if groups > 0 {
                        info!(partition = %self.id, groups, ?took, "group coordinator loaded");
                    }
                    return self.serve(&broker, coordinator);
                },
                Err(ShardError::UnknownPartition(_)) => return self.end(),
                Err(error) => {
                    error!(partition = %self.id, %error, "FL2103: group coordinator cannot read its partition");
                    pause = (pause * 2).clamp(RELOAD_PAUSE_MIN, RELOAD_PAUSE_MAX);
                },
            }
        }
    }

    fn serve(self: &Rc<Self>, broker: &Rc<Broker>, coordinator: Coordinator) {
        self.coordinator.replace(Some(coordinator));
        // Topics may have gone while nobody looked.
        self.deletions_seen.set(u64::MAX);
        self.turn(broker, Coordinator::loaded);
        spawn(Rc::clone(self).keep_time(Rc::clone(broker))).detach();
        self.loaded.notify();
    }

    fn next_deadline(&self) -> u64 {
        let coordinator = self.coordinator.borrow();
        let deadline = coordinator.as_ref().and_then(Coordinator::next_deadline);
        deadline.unwrap_or(u64::MAX)
    }

    /// Tells the coordinator of the time, when it wants to know it.
    async fn keep_time(self: Rc<Self>, broker: Rc<Broker>) {
        let life = self.life.get();
        loop {
            let woken = self.woken.wait();
            let deadline = self.next_deadline();
            if self.life.get() != life || broker.is_stopping() {
                return;
            }
            self.sleeps_until.set(deadline);
            let at = Instant::from_nanos(deadline.saturating_mul(NANOS_PER_MS));
            race(sleep_until(at), woken).await;
            if time().monotonic_ms >= deadline && !broker.is_stopping() {
                self.turn(&broker, Coordinator::on_deadline);
            }
        }
    }
}

fn time() -> Now {
    Now {
        monotonic_ms: now().as_nanos() / NANOS_PER_MS,
        wall_ms: engine_rt::wall_clock_ms(),
    }
}
