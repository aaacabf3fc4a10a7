//! A client of the generator: what waits in it, and a task for each of its connections that sends
//! what is ready.
//!
//! A batch that fails is counted and not sent again: a retry would hide what the broker did.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use engine_rt::{Buf, Event, Instant, now, spawn, timeout, wall_clock_ms};
use net_client::{ClientError, Connection, Producer, ToProduce};
use net_wire::ErrorCode;
use net_wire::batch::{BatchBuilder, BatchError};
use net_wire::codec::{Codec, Codecs};
use net_wire::messages::produce::ProduceResponse;

use super::RunError;
use super::accumulator::{Accumulator, Ready, Taken, Waiting};
use super::books::{Books, Sent};
use super::cluster::{Layout, connect};
use crate::content::{Payload, Stamp, key_bytes};
use crate::ledger::Place;
use crate::scenario::{Acks, Batching, Scenario};

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
    stream: u32,
    setup: Setup,
    batching: Batching,
    shared: Rc<Shared>,
    links: Vec<Link>,
    waiting: RefCell<Accumulator>,
    press: RefCell<Press>,
    producer: Option<Producer>,
    outstanding: RefCell<BTreeMap<u64, Rc<[Sent]>>>,
    next_request: Cell<u64>,
    start: Cell<Instant>,
    wall_start_ms: Cell<i64>,
    closing: Cell<bool>,
}

/// The connection to a broker.
#[derive(Debug)]
struct Link {
    connection: Connection,
    in_flight: Cell<usize>,
    changed: Event,
}

/// What batches are made with.
#[derive(Debug)]
struct Press {
    payload: Payload,
    codec: Codec,
    codecs: Codecs,
    /// The next sequence of each lane.
    sequences: Vec<u64>,
}

/// What a sender does next.
enum Step {
    Send,
    WaitUntil(u64),
    Wait,
    End,
}

/// What an answer says.
#[derive(Debug)]
struct Answered {
    throttle_ms: i32,
    batches: usize,
    failed: Vec<(String, i32, ErrorCode)>,
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
            links.push(Link {
                connection: connect(addr).await?,
                in_flight: Cell::new(0),
                changed: Event::new(),
            });
        }
        let scenario = &setup.scenario;
        let batching = scenario.batching();
        let producer = match links.first() {
            Some(link) if batching.idempotent => {
                let producer = Producer::new(&link.connection).await;
                Some(producer.map_err(RunError::of("a producer id"))?)
            },
            _ => None,
        };
        let stream = setup.core * scenario.produce.clients + number;
        let ratio = scenario.records.compress_ratio;
        let press = Press {
            payload: Payload::new(ratio, stream, scenario.seed),
            codec: scenario.codec(),
            codecs: Codecs::new(),
            sequences: vec![0; setup.layout.leaders.len()],
        };
        Ok(Rc::new(Self {
            stream: stream as u32,
            batching,
            shared: Rc::clone(shared),
            links,
            waiting: RefCell::new(Accumulator::new(&setup.layout.leaders, batching)),
            press: RefCell::new(press),
            producer,
            outstanding: RefCell::default(),
            next_request: Cell::new(0),
            start: Cell::default(),
            wall_start_ms: Cell::new(0),
            closing: Cell::new(false),
            setup,
        }))
    }

    /// Begins to send; all times count from `start`.
    pub(crate) fn begin(self: &Rc<Self>, start: Instant) {
        self.start.set(start);
        self.wall_start_ms.set(wall_clock_ms());
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
        self.backlog() == 0 && self.outstanding.borrow().is_empty()
    }

    /// Gives up what was not sent or answered: it enters the books at its age.
    pub(crate) fn give_up(&self) {
        let now = self.nanos();
        let mut books = self.shared.books.borrow_mut();
        books.undelivered(&self.waiting.borrow_mut().give_up(), now);
        for batches in self.outstanding.take().into_values() {
            for batch in batches.iter() {
                books.undelivered(&batch.records, now);
            }
        }
    }

    fn nanos(&self) -> u64 {
        now().since(self.start.get()).as_nanos() as u64
    }

    async fn send_all(self: Rc<Self>, broker: usize) {
        loop {
            let changed = self.links[broker].changed.wait();
            match self.next_step(broker) {
                Step::Send => self.send(broker).await,
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
        if self.links[broker].in_flight.get() >= self.batching.in_flight {
            return Step::Wait;
        }
        match self.waiting.borrow().ready(broker, self.nanos()) {
            Ready::Now => Step::Send,
            Ready::At(at) => Step::WaitUntil(at),
            Ready::Never if self.closing.get() => Step::End,
            Ready::Never => Step::Wait,
        }
    }

    /// Sends one request and returns when the socket has taken it.
    async fn send(self: &Rc<Self>, broker: usize) {
        let link = &self.links[broker];
        let taken = self.waiting.borrow_mut().take(broker, self.nanos());
        let (sent, records) = match self.make(taken) {
            Ok(made) => made,
            Err(error) => return self.abort(format!("a batch cannot be made: {error}")),
        };
        let in_flight = link.in_flight.get() + 1;
        link.in_flight.set(in_flight);
        let bytes = records.iter().map(|records| records.len()).sum();
        self.shared.books.borrow_mut().sent(&sent, bytes, in_flight);
        let id = self.next_request.get();
        self.next_request.set(id + 1);
        let answer = self.hand_over(link, &sent, records);
        self.outstanding.borrow_mut().insert(id, sent.into());
        match answer {
            Ok(answer) => {
                link.connection.written().await;
                let (client, written) = (Rc::clone(self), self.nanos());
                let settle = async move {
                    let answer = answer.await;
                    client.settle(broker, id, written, answer);
                };
                spawn(settle).detach();
            },
            Err(error) => self.settle(broker, id, self.nanos(), Err(error)),
        }
    }

    /// Puts a request in line.
    fn hand_over(
        &self,
        link: &Link,
        sent: &[Sent],
        records: Vec<Buf>,
    ) -> Result<impl Future<Output = Result<Option<Answered>, ClientError>> + use<>, ClientError>
    {
        let acks = match self.setup.scenario.produce.acks {
            Acks::All => -1,
            Acks::Leader => 1,
            Acks::None => 0,
        };
        let batch = |(batch, records): (&Sent, Buf)| ToProduce {
            topic: &self.setup.layout.topics[usize::from(batch.place.topic)],
            partition: batch.place.partition,
            records,
        };
        let batches: Vec<ToProduce<'_>> = sent.iter().zip(records).map(batch).collect();
        link.connection.produce_and(acks, &batches, answered)
    }

    /// Makes batches of what was taken.
    fn make(&self, taken: Vec<Taken>) -> Result<(Vec<Sent>, Vec<Buf>), BatchError> {
        let mut press = self.press.borrow_mut();
        let (mut sent, mut records) = (Vec::new(), Vec::new());
        for taken in taken {
            let place = self.place(taken.lane);
            let first = press.sequences[taken.lane];
            let count = taken.records.len();
            press.sequences[taken.lane] += count as u64;
            let builder = self.builder(&press, place, count);
            records.push(self.batch(&mut press, builder, first, &taken.records)?);
            sent.push(Sent {
                stream: self.stream,
                place,
                first,
                records: taken.records,
                ready: taken.ready,
            });
        }
        Ok((sent, records))
    }

    fn place(&self, lane: usize) -> Place {
        let partitions = self.setup.layout.partitions;
        Place {
            topic: (lane / partitions) as u16,
            partition: (lane % partitions) as i32,
        }
    }

    fn builder(&self, press: &Press, place: Place, count: usize) -> BatchBuilder {
        let builder = BatchBuilder::new().codec(press.codec);
        let topic = &self.setup.layout.topics[usize::from(place.topic)];
        match &self.producer {
            Some(producer) => producer.stamp(builder, topic, place.partition, count as i32),
            None => builder,
        }
    }

    fn batch(
        &self,
        press: &mut Press,
        mut builder: BatchBuilder,
        first: u64,
        records: &[Waiting],
    ) -> Result<Buf, BatchError> {
        let wall_start_ms = self.wall_start_ms.get();
        for (sequence, record) in (first..).zip(records) {
            let stamp = Stamp {
                run: self.setup.run,
                stream: self.stream,
                sequence,
                planned: record.planned,
            };
            let value = press.payload.value(record.size as usize, &stamp);
            let timestamp = wall_start_ms + (record.planned / 1_000_000) as i64;
            let key = record.key.map(key_bytes);
            let key = key.as_ref().map(<[u8; 16]>::as_slice);
            builder.append(timestamp, key, Some(value), &[]);
        }
        let bytes = builder.build(&mut press.codecs)?;
        Ok(Buf::copy_from_slice(&bytes))
    }

    fn abort(&self, why: String) {
        self.shared.aborted.borrow_mut().get_or_insert(why);
        self.shared.progress.notify();
    }

    /// Writes down what became of a request.
    fn settle(
        &self,
        broker: usize,
        id: u64,
        written: u64,
        answer: Result<Option<Answered>, ClientError>,
    ) {
        let link = &self.links[broker];
        link.in_flight.set(link.in_flight.get() - 1);
        let sent = self.outstanding.borrow_mut().remove(&id);
        // Given up already.
        let Some(sent) = sent else { return };
        match answer {
            Ok(answer) => self.write_down(&sent, written, answer.as_ref()),
            Err(error) => {
                let now = self.nanos();
                let mut books = self.shared.books.borrow_mut();
                for batch in sent.iter() {
                    books.failed(batch, now, "connection");
                }
                drop(books);
                self.abort(error.to_string());
            },
        }
        link.changed.notify();
        self.shared.progress.notify();
    }

    fn write_down(&self, sent: &[Sent], written: u64, answer: Option<&Answered>) {
        let now = self.nanos();
        let mut books = self.shared.books.borrow_mut();
        let throttled = answer.map_or(0, |answer| answer.throttle_ms.max(0));
        books.counts.throttled_ms += throttled as u64;
        for batch in sent {
            match answer.and_then(|answer| self.fault(batch, sent.len(), answer)) {
                None => books.acknowledged(batch, written, now),
                Some(why) => books.failed(batch, now, why),
            }
        }
        let failures = books.counts.failed;
        drop(books);
        let bound = self.setup.scenario.load.abort_on_failures;
        if bound.is_some_and(|bound| failures >= bound) {
            self.abort(format!("{failures} records failed"));
        }
    }

    /// Why a batch of a request failed.
    fn fault(&self, batch: &Sent, batches: usize, answer: &Answered) -> Option<&'static str> {
        if answer.batches != batches {
            return Some("missing in the answer");
        }
        let topic = &self.setup.layout.topics[usize::from(batch.place.topic)];
        let failed = answer
            .failed
            .iter()
            .find(|(name, partition, _)| name == topic && *partition == batch.place.partition);
        failed.map(|(_, _, code)| code.name())
    }
}

/// What is of interest in an answer.
fn answered(answer: &ProduceResponse<'_>) -> Answered {
    let mut found = Answered {
        throttle_ms: answer.throttle_time_ms,
        batches: 0,
        failed: Vec::new(),
    };
    for topic in &answer.responses {
        for partition in &topic.partition_responses {
            found.batches += 1;
            if !partition.error_code.is_none() {
                let failed = (topic.name.to_owned(), partition.index, partition.error_code);
                found.failed.push(failed);
            }
        }
    }
    found
}
