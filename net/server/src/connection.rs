//! One client's connection: a task that reads requests and one that writes responses.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::time::Duration;

use engine_rt::{Event, Instant, Piece, Stream, now, sleep, sleep_until, spawn};
use net_wire::{ApiKey, WireError};
use thiserror::Error;
use tracing::{debug, error, warn};

use crate::acceptor::{Arrival, Arrivals, Counted};
use crate::broker::Broker;
use crate::budget::Budget;
use crate::frame_reader::{FrameReader, ReadError, Source};
use crate::futures::{First, race};
use crate::groups;
use crate::handlers;
use crate::metrics::Stage;
use crate::quotas::KnownQuotas;
use crate::request::{CloseReason, Outcome, Request, Response};
use crate::responses::{Pending, ResponseQueue, Work, until_started};

/// Responses that are ready leave together up to these numbers.
const SEND_RESPONSES_MAX: usize = 64;
const SEND_BYTES_MAX: usize = 256 << 10;
/// Bytes that have to move for a client not to count as slow.
const PROGRESS_BYTES: usize = 256 << 10;
/// Longest time between two looks for connections that are idle or in the way.
const REAP_INTERVAL_MAX: Duration = Duration::from_secs(1);

/// A flag that long polls and receives look at: the connection ends.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    set: Cell<bool>,
    changed: Event,
}

impl Ending {
    pub(crate) fn is_set(&self) -> bool {
        self.set.get()
    }

    fn set(&self) {
        self.set.set(true);
        self.changed.notify();
    }

    /// Waits until the connection ends.
    pub(crate) async fn wait(&self) {
        self.changed.wait_until(|| self.set.get()).await;
    }
}

/// What a handler knows of the connection that its request came by.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) broker: Rc<Broker>,
    /// Index of the listener.
    pub(crate) listener: usize,
    /// The client's address.
    pub(crate) peer: SocketAddr,
    pub(crate) ending: Ending,
    /// Until when nothing is read from the client, because of a quota.
    throttled_until: Cell<Instant>,
    /// The client's program and its version, where somebody wants to know.
    software: RefCell<Option<Box<[String; 2]>>>,
}

impl Context {
    /// Notes what the client says of its program: name and version.
    pub(crate) fn set_software(&self, software: [&str; 2]) {
        let software = software.map(str::to_owned);
        *self.software.borrow_mut() = Some(Box::new(software));
    }

    /// What it said; empty if nothing.
    pub(crate) fn software(&self) -> [String; 2] {
        let software = self.software.borrow();
        software.as_deref().cloned().unwrap_or_default()
    }

    /// Reads nothing from the client for so long.
    pub(crate) fn throttle(&self, time: Duration) {
        self.throttled_until.set(now() + time);
        let metrics = &self.broker.metrics;
        metrics.requests_throttled.add(1);
        metrics.throttle_ms.add(time.as_millis() as u64);
    }
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection {
    context: Rc<Context>,
    stream: Stream,
    queue: ResponseQueue,
    bytes: Budget,
    quotas: KnownQuotas,
    /// When a whole request last came or a response last left.
    active: Cell<Instant>,
    /// A request that is being received, holding bytes of the shard.
    receiving: Transfer,
    /// Responses that are being sent, holding bytes of the shard.
    sending: Transfer,
}

/// How well bytes move that hold a part of the shard's budget.
#[derive(Debug, Default)]
struct Transfer {
    /// Since when too little has moved.
    slow_since: Cell<Option<Instant>>,
    moved: Cell<usize>,
}

impl Transfer {
    fn begin(&self) {
        self.slow_since.set(Some(now()));
        self.moved.set(0);
    }

    fn end(&self) {
        self.slow_since.set(None);
    }

    fn moved(&self, bytes: usize) {
        self.moved.set(self.moved.get() + bytes);
        if self.slow_since.get().is_some() && self.moved.get() >= PROGRESS_BYTES {
            self.begin();
        }
    }
}

/// Why no further request is read.
#[derive(Debug, Error)]
enum ReadEnd {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Close(#[from] CloseReason),
}

impl Source for Connection {
    async fn readable(&self) {
        race(self.stream.readable(), self.context.ending.wait()).await;
    }

    async fn recv(&self, into: &mut [u8]) -> io::Result<usize> {
        match race(self.stream.recv(into), self.context.ending.wait()).await {
            First::Left(received) => {
                self.receiving.moved(*received.as_ref().unwrap_or(&0));
                received
            },
            First::Right(()) => Ok(0),
        }
    }
}

/// Serves the connections that arrive at this shard, until nobody accepts any more.
pub async fn serve(broker: Rc<Broker>, mut arrivals: Arrivals) {
    spawn(reap(Rc::clone(&broker))).detach();
    spawn(groups::load_all(Rc::clone(&broker))).detach();
    while let Some(arrival) = arrivals.next().await {
        if broker.is_stopping() {
            continue;
        }
        let Arrival {
            socket,
            listener,
            counted,
        } = arrival;
        match Stream::attach(socket) {
            Ok(stream) => {
                let connection = Connection::new(&broker, stream, listener);
                spawn(connection.serve(counted)).detach();
            },
            Err(error) => warn!(%error, "connection cannot be served"),
        }
    }
}

impl Connection {
    fn new(broker: &Rc<Broker>, stream: Stream, listener: usize) -> Rc<Self> {
        Rc::new(Self {
            bytes: Budget::new(broker.config.limits.connection_bytes_queued_max),
            context: Rc::new(Context {
                broker: Rc::clone(broker),
                listener,
                peer: stream.peer_addr(),
                ending: Ending::default(),
                throttled_until: Cell::default(),
                software: RefCell::default(),
            }),
            stream,
            quotas: KnownQuotas::default(),
            queue: ResponseQueue::default(),
            active: Cell::new(now()),
            receiving: Transfer::default(),
            sending: Transfer::default(),
        })
    }

    async fn serve(self: Rc<Self>, counted: Counted) {
        let broker = &self.context.broker;
        broker.metrics.connections_accepted.add(1);
        let number = broker.connections.add(&self);
        self.run().await;
        broker.connections.remove(number);
        drop(counted);
    }

    async fn run(self: &Rc<Self>) {
        let writer = {
            let connection = Rc::clone(self);
            spawn(async move { connection.write_responses().await })
        };
        let end = self.read_requests().await;
        // What is in flight is answered; a long poll answers with what it has.
        self.queue.close();
        let stopped = self.context.ending.is_set();
        self.context.ending.set();
        if let Err(end) = end
            && !stopped
        {
            self.report(&end);
        }
        writer.await;
    }

    fn report(&self, end: &ReadEnd) {
        let peer = self.context.peer;
        if let ReadEnd::Read(ReadError::Io(error)) = end {
            debug!(%peer, %error, "connection lost");
            return;
        }
        self.context.broker.metrics.connections_refused.add(1);
        warn!(%peer, reason = %end, "connection closed");
    }

    /// A response broke off: the client went away, or its records could not be read.
    fn report_unsent(&self, error: &io::Error, batch: &Batch) {
        let peer = self.context.peer;
        if batch.file_bytes == 0 || is_of_network(error) {
            debug!(%peer, %error, "connection lost");
        } else {
            error!(%peer, %error, "FL2003: connection closed, the records of its answer cannot be read");
        }
    }

    async fn read_requests(&self) -> Result<(), ReadEnd> {
        let broker = &self.context.broker;
        let limits = &broker.config.limits;
        let mut frames = FrameReader::new();
        loop {
            if !self.rest().await {
                return Ok(());
            }
            let Some(len) = frames.next_len(self, limits.request_bytes_max).await? else {
                return Ok(());
            };
            // Backpressure: what cannot be held is not read.
            let held = [
                self.bytes.reserve(len).await,
                broker.request_bytes.reserve(len).await,
            ];
            self.receiving.begin();
            let frame = frames.frame(self, len).await?;
            let received = now();
            self.receiving.end();
            self.active.set(received);
            let mut request = Request::decode(frame, received).map_err(CloseReason::Malformed)?;
            if request.api.api().is_switched && !broker.config.client_telemetry {
                let unknown = WireError::UnknownApi(request.api.code());
                return Err(CloseReason::Malformed(unknown).into());
            }
            broker.metrics.request(request.api, request.len());
            request.meter = self.quotas.meter(broker, request.client_id());
            let is_serial = request.api != ApiKey::Produce;
            if !self
                .queue
                .admit(is_serial, limits.connection_requests_queued_max)
                .await
            {
                return Ok(());
            }
            let work = self.start(request).await;
            self.queue.push(Pending {
                work,
                is_serial,
                received,
                _held: held,
            });
        }
    }

    /// A client with a quota has one request at a time under way, and after an answer that throttles
    /// it, it is not read from until that time is over. `false` if the connection ends first.
    async fn rest(&self) -> bool {
        if !self.quotas.is_any() {
            return true;
        }
        self.queue.wait_until_sent().await;
        let until = self.context.throttled_until.get();
        if until <= now() {
            return true;
        }
        let throttled = &self.context.broker.metrics.connections_throttled;
        throttled.set(throttled.get() + 1);
        let first = race(sleep_until(until), self.context.ending.wait()).await;
        throttled.set(throttled.get() - 1);
        matches!(first, First::Left(()))
    }

    /// Starts a produce, so that its records have their place before the next request is read. All
    /// others start when those before them are computed.
    async fn start(&self, request: Request) -> Work {
        let context = Rc::clone(&self.context);
        if request.api != ApiKey::Produce {
            return Work::Running(Box::pin(handlers::dispatch_in_turn(context, request)));
        }
        let started = Rc::new(Cell::new(false));
        let work = handlers::dispatch(context, request, &started);
        until_started(work, &started).await
    }

    async fn write_responses(&self) {
        while let Some((outcome, received)) = self.queue.next().await {
            let mut batch = Batch::default();
            batch.add(outcome, received);
            while batch.has_room() {
                let Some((outcome, received)) = self.queue.next_if_ready().await else {
                    break;
                };
                batch.add(outcome, received);
            }
            let sent = self.send(&batch).await;
            self.queue.sent(batch.received.len());
            if let Err(error) = sent {
                self.report_unsent(&error, &batch);
                break;
            }
            if let Some(reason) = batch.end {
                self.report(&ReadEnd::Close(reason));
                break;
            }
        }
        self.queue.break_off();
        self.context.ending.set();
        self.stream.shutdown();
    }

    async fn send(&self, batch: &Batch) -> io::Result<()> {
        let metrics = &self.context.broker.metrics;
        let ready = now();
        self.sending.begin();
        let sent = self.send_pieces(Response::pieces(&batch.responses)).await;
        self.sending.end();
        sent?;
        let done = now();
        self.active.set(done);
        metrics.bytes_out.add(batch.bytes as u64);
        metrics.file_bytes_out.add(batch.file_bytes as u64);
        for received in &batch.received {
            metrics.stage(Stage::Send, done - ready);
            metrics.stage(Stage::Total, done - *received);
        }
        Ok(())
    }

    /// Sends in portions, so that it shows whether the client takes them.
    async fn send_pieces(&self, mut pieces: Vec<Piece>) -> io::Result<()> {
        while !pieces.is_empty() {
            let rest = split_off_portion(&mut pieces);
            self.stream.send(&pieces).await?;
            self.sending.moved(PROGRESS_BYTES);
            pieces = rest;
        }
        Ok(())
    }

    /// Closes the connection now, whatever it is doing.
    fn expire(&self, reason: &str) {
        debug!(peer = %self.context.peer, reason, "connection closed");
        self.context.broker.metrics.connections_expired.add(1);
        self.context.ending.set();
        self.stream.shutdown();
    }
}

/// Responses that leave together.
#[derive(Debug, Default)]
struct Batch {
    responses: Vec<Response>,
    received: Vec<Instant>,
    bytes: usize,
    /// Those of them that leave from files.
    file_bytes: usize,
    end: Option<CloseReason>,
}

impl Batch {
    fn add(&mut self, outcome: Outcome, received: Instant) {
        self.received.push(received);
        match outcome {
            Ok(Some(response)) => {
                self.bytes += response.len();
                self.file_bytes += response.file_bytes();
                self.responses.push(response);
            },
            Ok(None) => {},
            Err(reason) => self.end = Some(reason),
        }
    }

    fn has_room(&self) -> bool {
        self.end.is_none()
            && self.received.len() < SEND_RESPONSES_MAX
            && self.bytes < SEND_BYTES_MAX
    }
}

/// Whether a send failed because of the client or the way to it.
fn is_of_network(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::BrokenPipe
            | Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::HostUnreachable
            | Kind::NetworkDown
            | Kind::NetworkUnreachable
            | Kind::NotConnected
            | Kind::TimedOut
    )
}

/// Leaves [`PROGRESS_BYTES`] or the last bit more in `pieces` and gives what follows. A piece is
/// never cut: records are no longer than a batch.
fn split_off_portion(pieces: &mut Vec<Piece>) -> Vec<Piece> {
    let mut bytes = 0;
    let portion = pieces.iter().take_while(|piece| {
        let before = bytes;
        bytes += piece.len();
        before < PROGRESS_BYTES
    });
    let count = portion.count();
    pieces.split_off(count)
}

/// The open connections of a shard. Their tasks own them: an executor that is dropped with
/// connections open leaves nothing behind.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    open: RefCell<BTreeMap<u64, Weak<Connection>>>,
    next_number: Cell<u64>,
    changed: Event,
}

impl Registry {
    fn add(&self, connection: &Rc<Connection>) -> u64 {
        let number = self.next_number.get();
        self.next_number.set(number + 1);
        let connection = Rc::downgrade(connection);
        self.open.borrow_mut().insert(number, connection);
        number
    }

    fn remove(&self, number: u64) {
        self.open.borrow_mut().remove(&number);
        self.changed.notify();
    }

    pub(crate) fn len(&self) -> usize {
        self.open.borrow().len()
    }

    /// Stops reading everywhere.
    pub(crate) fn end_all(&self) {
        for connection in self.all() {
            connection.context.ending.set();
        }
    }

    pub(crate) async fn wait_until_empty(&self) {
        self.changed
            .wait_until(|| self.open.borrow().is_empty())
            .await;
    }

    fn all(&self) -> Vec<Rc<Connection>> {
        let open = self.open.borrow();
        open.values().filter_map(Weak::upgrade).collect()
    }
}

/// Closes connections that were idle for too long, and those in the way of others.
async fn reap(broker: Rc<Broker>) {
    let limits = &broker.config.limits;
    let interval = (limits.connection_idle_max.min(limits.contended_patience) / 4)
        .clamp(Duration::from_millis(10), REAP_INTERVAL_MAX);
    loop {
        sleep(interval).await;
        let at = now();
        let open = broker.connections.all();
        for connection in &open {
            if at.since(connection.active.get()) > limits.connection_idle_max {
                connection.expire("idle or slow for longer than connections.max.idle.ms");
            }
        }
        if broker.request_bytes.is_contended() {
            expire_slowest(&open, limits.contended_patience, at, |one| {
                one.receiving.slow_since.get()
            });
        }
        if broker.response_bytes.is_contended() {
            expire_slowest(&open, limits.contended_patience, at, |one| {
                one.sending.slow_since.get()
            });
        }
    }
}

/// A client that holds bytes others wait for must use them: the one that holds them for longest
/// goes first, one at a time.
fn expire_slowest(
    open: &[Rc<Connection>],
    patience: Duration,
    at: Instant,
    since: impl Fn(&Connection) -> Option<Instant>,
) {
    let holding = open.iter().filter_map(|one| Some((since(one)?, one)));
    let slowest = holding.min_by_key(|(since, _)| *since);
    if let Some((since, connection)) = slowest
        && at.since(since) > patience
    {
        connection.expire("slow while others wait for its memory");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine_rt::Buf;

    #[test]
    fn large_responses_leave_in_portions() {
        let piece = |bytes| Piece::Mem(Buf::copy_from_slice(&vec![0; bytes]));
        let lens = |pieces: &[Piece]| pieces.iter().map(Piece::len).collect::<Vec<_>>();
        let mut pieces = vec![
            piece(10),
            piece(300_000),
            piece(20),
            piece(100_000),
            piece(1),
        ];
        let rest = split_off_portion(&mut pieces);
        assert_eq!(
            (lens(&pieces), lens(&rest)),
            (vec![10, 300_000], vec![20, 100_000, 1])
        );
        let mut pieces = rest;
        assert!(split_off_portion(&mut pieces).is_empty());
        assert_eq!(lens(&pieces), [20, 100_000, 1]);
    }
}
