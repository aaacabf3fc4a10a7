//! A client of the generator: what waits in it, and a task for each of its connections that sends
//! what is ready.
//!
//! A batch that fails is counted and not sent again, unless the scenario says for how long; then it
//! is counted apart, and its records' clocks run on.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use engine_rt::{Event, Instant, now, sleep, spawn, timeout};
use net_client::{ClientError, Producer};
use net_wire::ErrorCode;
use net_wire::batch::BatchError;

use super::RunError;
use super::accumulator::{Accumulator, Ready, Waiting};
use super::books::{Books, Sent};
use super::cluster::{Backoff, Layout};
use super::link::{Answered, Link};
use super::press::Press;
use super::retries::Retries;
use crate::scenario::{Batching, Scenario};

/// How long a batch that failed waits before it is sent again (Kafka's `retry.backoff.ms`).
pub(crate) const RETRY_BACKOFF: Duration = Duration::from_millis(100);
/// How long an answer may take before the connection counts as broken, where it is made again
/// (Kafka's `request.timeout.ms`).
const REQUEST_PATIENCE: Duration = Duration::from_secs(30);

/// What is told to a client at its start.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) scenario: Arc<Scenario>,
    pub(crate) layout: Arc<Layout>,
    pub(crate) run: u64,
    pub(crate) core: usize,
}

/// What the clients of a core share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) books: RefCell<Books>,
    /// Something was answered.
    pub(crate) progress: Event,
    /// Why the run must end.
    pub(crate) aborted: RefCell<Option<String>>,
}

/// A client.
#[derive(Debug)]
pub(crate) struct Client {
    setup: Setup,
    batching: Batching,
    shared: Rc<Shared>,
    links: Vec<Link>,
    waiting: RefCell<Accumulator>,
    retries: RefCell<Retries>,
    press: RefCell<Press>,
    is_idempotent: bool,
    outstanding: RefCell<BTreeMap<u64, Vec<Sent>>>,
    next_request: Cell<u64>,
    start: Cell<Instant>,
    closing: Cell<bool>,
    has_given_up: Cell<bool>,
}

/// What a sender does next.
enum Step {
    Send,
    SendAgain,
    Reconnect,
    WaitUntil(u64),
    Wait,
    End,
}

/// A request on its way.
#[derive(Clone, Copy)]
struct Flight {
    broker: usize,
    id: u64,
    /// The life of the connection that it went by.
    life: u64,
    written: u64,
}

/// Why a batch was not acknowledged.
#[derive(Clone, Copy)]
struct Fault {
    name: &'static str,
    is_retriable: bool,
}

impl Client {
    /// Connects to all brokers.
    pub(crate) async fn connect(
        setup: Setup,
        number: usize,
        shared: &Rc<Shared>,
    ) -> Result<Rc<Self>, RunError> {
        let mut links = Vec::with_capacity(setup.layout.brokers.len());
        for addr in &setup.layout.brokers {
            links.push(Link::connect(addr).await?);
        }
        let scenario = &setup.scenario;
        let batching = scenario.batching();
        let producer = match links.first() {
            Some(link) if batching.idempotent => {
                let producer = Producer::new(&link.connection()).await;
                Some(producer.map_err(RunError::of("a producer id"))?)
            },
            _ => None,
        };
        let stream = setup.core * scenario.produce.clients + number;
        let leaders = &setup.layout.leaders;
        Ok(Rc::new(Self {
            batching,
            shared: Rc::clone(shared),
            links,
            waiting: RefCell::new(Accumulator::new(leaders, batching)),
            retries: RefCell::new(Retries::new(leaders)),
            is_idempotent: producer.is_some(),
            press: RefCell::new(Press::new(&setup, stream as u32, producer)),
            outstanding: RefCell::default(),
            next_request: Cell::new(0),
            start: Cell::default(),
            closing: Cell::new(false),
            has_given_up: Cell::new(false),
            setup,
        }))
    }

    /// Begins to send; all times count from `start`.
    pub(crate) fn begin(self: &Rc<Self>, start: Instant) {
        self.start.set(start);
        self.press.borrow_mut().begin();
        for broker in 0..self.links.len() {
            spawn(Rc::clone(self).send_all(broker)).detach();
        }
    }

    /// Takes a record up.
    pub(crate) fn push(&self, lane: usize, record: Waiting) {
        let broker = self.waiting.borrow_mut().push(lane, record);
        if let Some(broker) = broker {
            self.links[broker].changed.notify();
        }
    }

    /// Records that wait.
    pub(crate) fn backlog(&self) -> u64 {
        self.waiting.borrow().records()
    }

    /// No more records come: what waits is sent as it is.
    pub(crate) fn close(&self) {
        self.closing.set(true);
        self.waiting.borrow_mut().flush();
        for link in &self.links {
            link.changed.notify();
        }
    }

    /// Whether everything was sent and answered.
    pub(crate) fn is_idle(&self) -> bool {
        self.backlog() == 0
            && self.outstanding.borrow().is_empty()
            && self.retries.borrow().is_empty()
    }

    /// Gives up what was not sent or answered: it enters the books at its age.
    pub(crate) fn give_up(&self) {
        self.has_given_up.set(true);
        let now = self.nanos();
        let mut books = self.shared.books.borrow_mut();
        books.undelivered(&self.waiting.borrow_mut().give_up(), now);
        let outstanding = self.outstanding.take().into_values().flatten();
        for batch in outstanding.chain(self.retries.borrow_mut().give_up()) {
            books.undelivered(&batch.records, now);
        }
    }

    fn nanos(&self) -> u64 {
        now().since(self.start.get()).as_nanos() as u64
    }

    /// How long a batch that failed is sent again.
    fn retry_for(&self) -> Duration {
        self.setup.scenario.load.retry_for.0
    }

    async fn send_all(self: Rc<Self>, broker: usize) {
        loop {
            let changed = self.links[broker].changed.wait();
            match self.next_step(broker) {
                Step::Send => self.send_new(broker).await,
                Step::SendAgain => self.send_again(broker).await,
                Step::Reconnect => self.reconnect(broker).await,
                Step::WaitUntil(at) => {
                    let deadline = self.start.get() + Duration::from_nanos(at);
                    let _whichever_is_first = timeout(deadline, changed).await;
                },
                Step::Wait => changed.await,
                Step::End => return,
            }
        }
    }

    fn next_step(&self, broker: usize) -> Step {
        let link = &self.links[broker];
        if self.has_given_up.get() || (self.closing.get() && self.is_idle()) {
            return Step::End;
        }
        if link.is_broken() {
            return Step::Reconnect;
        }
        if link.in_flight.get() >= self.batching.in_flight {
            return Step::Wait;
        }
        let now = self.nanos();
        let again = self.retries.borrow().ready(broker, now);
        match (again, self.waiting.borrow().ready(broker, now)) {
            (Ready::Now, _) => Step::SendAgain,
            (_, Ready::Now) => Step::Send,
            (Ready::At(one), Ready::At(other)) => Step::WaitUntil(one.min(other)),
            (Ready::At(at), Ready::Never) | (Ready::Never, Ready::At(at)) => Step::WaitUntil(at),
            (Ready::Never, Ready::Never) => Step::Wait,
        }
    }

    async fn send_new(self: &Rc<Self>, broker: usize) {
        let taken = self.waiting.borrow_mut().take(broker, self.nanos());
        let made: Result<Vec<Sent>, BatchError> = {
            let mut press = self.press.borrow_mut();
            taken.into_iter().map(|taken| press.make(taken)).collect()
        };
        match made {
            Ok(sent) => {
                self.shared.books.borrow_mut().sent(&sent);
                self.send(broker, sent).await;
            },
            Err(error) => self.abort(format!("a batch cannot be made: {error}")),
        }
    }

    async fn send_again(self: &Rc<Self>, broker: usize) {
        let most = if self.batching.shares_requests {
            usize::MAX
        } else {
            1
        };
        let now = self.nanos();
        let sent = self.retries.borrow_mut().take(broker, now, most);
        self.send(broker, sent).await;
    }

    /// Sends one request and returns when the socket has taken it.
    async fn send(self: &Rc<Self>, broker: usize, sent: Vec<Sent>) {
        let link = &self.links[broker];
        let (connection, life) = (link.connection(), link.life());
        let in_flight = link.in_flight.get() + 1;
        link.in_flight.set(in_flight);
        let acks = self.setup.scenario.produce.acks;
        let answer = link.hand_over(acks, &self.setup.layout, &sent);
        self.note_request(&sent, in_flight);
        let id = self.next_request.get();
        self.next_request.set(id + 1);
        self.outstanding.borrow_mut().insert(id, sent);
        let flight = |written| Flight {
            broker,
            id,
            life,
            written,
        };
        match answer {
            Ok(answer) => {
                connection.written().await;
                let (client, flight) = (Rc::clone(self), flight(self.nanos()));
                spawn(async move { client.wait_for(flight, answer).await }).detach();
            },
            Err(error) => self.settle(flight(self.nanos()), &Err(error)),
        }
    }

    fn note_request(&self, sent: &[Sent], in_flight: usize) {
        let mut retries = self.retries.borrow_mut();
        let mut bytes = 0;
        for batch in sent {
            retries.sent(batch.lane);
            bytes += batch.batch.len();
        }
        self.shared.books.borrow_mut().request(bytes, in_flight);
    }

    async fn wait_for(
        &self,
        flight: Flight,
        answer: impl Future<Output = Result<Option<Answered>, ClientError>>,
    ) {
        let answer = if self.retry_for().is_zero() {
            answer.await
        } else {
            let answer = timeout(now() + REQUEST_PATIENCE, answer).await;
            answer.unwrap_or(Err(ClientError::Closed))
        };
        self.settle(flight, &answer);
    }

    /// Makes a broken connection again, however long it takes.
    async fn reconnect(&self, broker: usize) {
        let link = &self.links[broker];
        let mut backoff = Backoff::default();
        while !self.has_given_up.get() {
            sleep(backoff.next()).await;
            self.expire();
            if link.renew().await {
                self.shared.books.borrow_mut().reconnected();
                return;
            }
        }
    }

    /// Gives up what was to be sent again and is too old for it.
    fn expire(&self) {
        let now = self.nanos();
        let oldest = now.saturating_sub(self.retry_for().as_nanos() as u64);
        let expired = self.retries.borrow_mut().take_older(oldest);
        for batch in expired {
            let mut books = self.shared.books.borrow_mut();
            books.failed(&batch, now, "not delivered in time");
            drop(books);
            self.release(batch.lane);
        }
        self.shared.progress.notify();
    }

    fn abort(&self, why: String) {
        self.shared.aborted.borrow_mut().get_or_insert(why);
        self.shared.progress.notify();
    }

    /// Writes down what became of a request.
    fn settle(&self, flight: Flight, answer: &Result<Option<Answered>, ClientError>) {
        let link = &self.links[flight.broker];
        link.in_flight.set(link.in_flight.get() - 1);
        if let Err(error) = answer {
            self.on_break(flight, error);
        }
        let sent = self.outstanding.borrow_mut().remove(&flight.id);
        // Given up already.
        let Some(sent) = sent else { return };
        if let Ok(Some(answer)) = answer {
            let throttled = answer.throttle_ms.max(0) as u64;
            self.shared.books.borrow_mut().counts.throttled_ms += throttled;
        }
        let batches = sent.len();
        for batch in sent {
            let fault = self.fault(&batch, batches, answer);
            self.write_down(batch, flight.written, fault);
        }
        let failures = self.shared.books.borrow().counts.failed;
        let bound = self.setup.scenario.load.abort_on_failures;
        if bound.is_some_and(|bound| failures >= bound) {
            self.abort(format!("{failures} records failed"));
        }
        link.changed.notify();
        self.shared.progress.notify();
    }

    /// A connection has ended: it is made again, or the run ends.
    fn on_break(&self, flight: Flight, error: &ClientError) {
        if error.is_retriable() && !self.retry_for().is_zero() {
            self.links[flight.broker].broke(flight.life);
        } else {
            self.abort(error.to_string());
        }
    }

    fn write_down(&self, batch: Sent, written: u64, fault: Option<Fault>) {
        let (now, lane) = (self.nanos(), batch.lane);
        self.retries.borrow_mut().settled(lane);
        let mut books = self.shared.books.borrow_mut();
        match fault {
            None => books.acknowledged(&batch, written, now),
            Some(fault) if fault.is_retriable && self.may_retry(&batch, now) => {
                books.retried(fault.name);
                self.waiting.borrow_mut().hold(lane);
                let not_before = now + RETRY_BACKOFF.as_nanos() as u64;
                self.retries.borrow_mut().put(batch, not_before);
            },
            Some(fault) => books.failed(&batch, now, fault.name),
        }
        drop(books);
        self.release(lane);
    }

    fn may_retry(&self, batch: &Sent, now: u64) -> bool {
        let until = batch.planned() + self.retry_for().as_nanos() as u64;
        now < until && !self.has_given_up.get()
    }

    /// Lets new batches of a lane go if nothing of it is sent again any more.
    fn release(&self, lane: usize) {
        if self.retries.borrow_mut().ends(lane) {
            let broker = self.waiting.borrow_mut().release(lane);
            self.links[broker].changed.notify();
        }
    }

    /// Why a batch of a request failed, if it did.
    fn fault(
        &self,
        batch: &Sent,
        batches: usize,
        answer: &Result<Option<Answered>, ClientError>,
    ) -> Option<Fault> {
        let answer = match answer {
            Ok(answer) => answer.as_ref()?,
            Err(error) => {
                return Some(Fault {
                    name: "connection",
                    is_retriable: error.is_retriable(),
                });
            },
        };
        if answer.batches != batches {
            return Some(Fault {
                name: "missing in the answer",
                is_retriable: false,
            });
        }
        let topic = self.setup.layout.topic(batch.lane);
        let failed = answer
            .failed
            .iter()
            .find(|(name, partition, _)| name == topic && *partition == batch.place.partition);
        let (_, _, code) = failed?;
        self.fault_of(batch.lane, *code)
    }

    fn fault_of(&self, lane: usize, code: ErrorCode) -> Option<Fault> {
        let sends_again = self.is_idempotent && self.retries.borrow().holds(lane);
        // The broker has it already: the answer to an earlier try was lost.
        if sends_again && code == ErrorCode::DUPLICATE_SEQUENCE_NUMBER {
            return None;
        }
        // It came behind one that failed, which is sent again before it.
        let is_behind = sends_again && code == ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER;
        Some(Fault {
            name: code.name(),
            is_retriable: code.is_retriable() || is_behind,
        })
    }
}
