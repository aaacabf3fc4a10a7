//! A connection: requests leave in the order of the calls, answers are matched to them as they come.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use engine_rt::{
    Buf, BufMut, Event, OneshotReceiver, OneshotSender, Piece, Stream, oneshot, spawn,
};
use net_wire::frame::{
    FRAME_PREFIX_BYTES, RESPONSE_BYTES_MIN, decode_response, encode_request, frame_len,
};
use net_wire::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use net_wire::{ApiKey, Encoded, Message, WireError};

use super::error::ClientError;

/// Largest answer that is read. Above what a broker may send by default (`fetch.max.bytes`), since
/// the first batch comes whole.
const RESPONSE_BYTES_MAX: usize = 256 << 20;

/// A connection to one broker, of one executor. Dropping it closes it.
#[derive(Debug)]
pub struct Connection {
    shared: Rc<Shared>,
    client_id: String,
    versions: BTreeMap<i16, (i16, i16)>,
    next_correlation_id: Cell<i32>,
}

struct Waiting {
    correlation_id: i32,
    answer: OneshotSender<Result<Buf, ClientError>>,
}

/// What the connection and its two tasks have in common.
struct Shared {
    stream: Stream,
    outgoing: RefCell<Vec<Piece>>,
    waiting: RefCell<VecDeque<Waiting>>,
    ended: RefCell<Option<ClientError>>,
    work: Event,
    /// Bytes of requests since the start: put in line, and taken by the socket.
    enqueued: Cell<u64>,
    written: Cell<u64>,
    moved: Event,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let waiting = self.waiting.borrow().len();
        f.debug_struct("Shared")
            .field("stream", &self.stream)
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects and asks which versions the broker serves.
    pub async fn connect(addr: SocketAddr, client_id: &str) -> Result<Self, ClientError> {
        let shared = Rc::new(Shared {
            stream: Stream::connect(addr).await?,
            outgoing: RefCell::default(),
            waiting: RefCell::default(),
            ended: RefCell::default(),
            work: Event::new(),
            enqueued: Cell::new(0),
            written: Cell::new(0),
            moved: Event::new(),
        });
        spawn(Rc::clone(&shared).send_all()).detach();
        spawn(Rc::clone(&shared).receive_all()).detach();
        let mut connection = Self {
            shared,
            client_id: client_id.to_owned(),
            versions: BTreeMap::new(),
            next_correlation_id: Cell::new(1),
        };
        connection.versions = connection.ask_versions().await?;
        Ok(connection)
    }

    async fn ask_versions(&self) -> Result<BTreeMap<i16, (i16, i16)>, ClientError> {
        let request = ApiVersionsRequest {
            client_software_name: "flumen",
            client_software_version: env!("CARGO_PKG_VERSION"),
        };
        let version = ApiKey::ApiVersions.api().version_max;
        let frame = self.exchange(version, &request, Vec::new())?.await?;
        let (_, answer) = decode_response::<ApiVersionsResponse<'_>>(&frame, version)?;
        ClientError::check(answer.error_code, None)?;
        let range = |api: &net_wire::messages::api_versions::ApiVersion| {
            (api.api_key, (api.min_version, api.max_version))
        };
        Ok(answer.api_keys.iter().map(range).collect())
    }

    /// The newest version of an API that both ends know, `most` at most.
    pub fn version(&self, api: ApiKey, most: i16) -> Result<i16, ClientError> {
        let ours = api.api();
        let theirs = self.versions.get(&api.code());
        let (min, max) = *theirs.ok_or(ClientError::Unsupported(api))?;
        let version = max.min(ours.version_max).min(most);
        if version < min.max(ours.version_min) {
            return Err(ClientError::Unsupported(api));
        }
        Ok(version)
    }

    /// Sends a request in the newest version both ends know and gives the answer's frame, without
    /// its length, and the version to `read`.
    pub async fn call<'m, M: Message<'m>, T>(
        &self,
        request: &M,
        read: impl FnOnce(&[u8], i16) -> Result<T, WireError>,
    ) -> Result<T, ClientError> {
        self.call_up_to(i16::MAX, request, read).await
    }

    /// As [`Connection::call`], in version `most` at most.
    pub async fn call_up_to<'m, M: Message<'m>, T>(
        &self,
        most: i16,
        request: &M,
        read: impl FnOnce(&[u8], i16) -> Result<T, WireError>,
    ) -> Result<T, ClientError> {
        let version = self.version(M::API, most)?;
        let frame = self.exchange(version, request, Vec::new())?.await?;
        Ok(read(&frame, version)?)
    }

    /// Puts a request in line and returns the future of its answer's frame. `records` are what the
    /// message left out as cuts.
    pub(super) fn exchange<'m, M: Message<'m>>(
        &self,
        version: i16,
        request: &M,
        records: Vec<Buf>,
    ) -> Result<Answer, ClientError> {
        let (answer, answered) = oneshot();
        let correlation_id = self.enqueue(version, request, records)?;
        self.shared.waiting.borrow_mut().push_back(Waiting {
            correlation_id,
            answer,
        });
        Ok(Answer(answered))
    }

    /// Puts a request in line that gets no answer (`acks=0`).
    pub(super) fn tell<'m, M: Message<'m>>(
        &self,
        version: i16,
        request: &M,
        records: Vec<Buf>,
    ) -> Result<(), ClientError> {
        self.enqueue(version, request, records).map(drop)
    }

    fn enqueue<'m, M: Message<'m>>(
        &self,
        version: i16,
        request: &M,
        records: Vec<Buf>,
    ) -> Result<i32, ClientError> {
        if let Some(error) = self.shared.ended.borrow().clone() {
            return Err(error);
        }
        let correlation_id = self.next_correlation_id.get();
        self.next_correlation_id
            .set(correlation_id.wrapping_add(1) & i32::MAX);
        let encoded = encode_request(version, correlation_id, Some(&self.client_id), request)?;
        let pieces = interleave(&encoded, records);
        let bytes: usize = pieces.iter().map(Piece::len).sum();
        let enqueued = &self.shared.enqueued;
        enqueued.set(enqueued.get() + bytes as u64);
        self.shared.outgoing.borrow_mut().extend(pieces);
        self.shared.work.notify();
        Ok(correlation_id)
    }

    /// Waits until the socket has taken all requests that are in line now, or the connection has
    /// ended. What a broker does not read stays in line: so its share of a delay is told apart.
    pub async fn written(&self) {
        let (shared, until) = (&self.shared, self.shared.enqueued.get());
        let taken = || shared.has_ended() || shared.written.get() >= until;
        shared.moved.wait_until(taken).await;
    }

    /// Bytes of requests that wait to be sent.
    pub fn unsent(&self) -> usize {
        self.shared.outgoing.borrow().iter().map(Piece::len).sum()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shared.end(ClientError::Closed);
    }
}

/// The frame of an answer on its way.
#[derive(Debug)]
pub(super) struct Answer(OneshotReceiver<Result<Buf, ClientError>>);

impl Future for Answer {
    type Output = Result<Buf, ClientError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = Pin::new(&mut self.0).poll(cx);
        answer.map(|answer| answer.unwrap_or(Err(ClientError::Closed)))
    }
}

/// The encoded parts with the records between them, as the socket takes them.
fn interleave(encoded: &Encoded, records: Vec<Buf>) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(2 * records.len() + 1);
    let mut records = records.into_iter();
    for part in encoded.pieces() {
        pieces.push(Piece::Mem(Buf::copy_from_slice(part)));
        pieces.extend(records.next().map(Piece::Mem));
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

impl Shared {
    /// Ends the connection for the first reason that is given; every waiting call hears of it.
    fn end(&self, error: ClientError) {
        let reason = self.ended.borrow_mut().get_or_insert(error).clone();
        self.stream.shutdown();
        for waiting in self.waiting.take() {
            waiting.answer.send(Err(reason.clone()));
        }
        self.work.notify();
        self.moved.notify();
    }

    fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    async fn send_all(self: Rc<Self>) {
        loop {
            let ready = || self.has_ended() || !self.outgoing.borrow().is_empty();
            self.work.wait_until(ready).await;
            if self.has_ended() {
                return;
            }
            let pieces = self.outgoing.take();
            if let Err(error) = self.stream.send(&pieces).await {
                return self.end(error.into());
            }
            let bytes: usize = pieces.iter().map(Piece::len).sum();
            self.written.set(self.written.get() + bytes as u64);
            self.moved.notify();
        }
    }

    async fn receive_all(self: Rc<Self>) {
        while !self.has_ended() {
            match self.receive().await {
                Ok(frame) => self.deliver(frame),
                Err(error) => self.end(error),
            }
        }
    }

    async fn receive(&self) -> Result<Buf, ClientError> {
        let mut prefix = [0; FRAME_PREFIX_BYTES];
        self.fill(&mut prefix).await?;
        let len = frame_len(prefix, RESPONSE_BYTES_MIN, RESPONSE_BYTES_MAX)?;
        let mut frame = BufMut::with_capacity(len);
        self.fill(&mut frame).await?;
        Ok(frame.freeze())
    }

    async fn fill(&self, into: &mut [u8]) -> Result<(), ClientError> {
        let mut filled = 0;
        while filled < into.len() {
            match self.stream.recv(&mut into[filled..]).await? {
                0 => return Err(ClientError::Closed),
                received => filled += received,
            }
        }
        Ok(())
    }

    /// Gives an answer to the oldest call that waits: brokers answer in the order of the requests.
    fn deliver(&self, frame: Buf) {
        let found = frame
            .first_chunk()
            .map_or(-1, |bytes| i32::from_be_bytes(*bytes));
        let oldest = self.waiting.borrow_mut().pop_front();
        match oldest {
            Some(waiting) if waiting.correlation_id == found => waiting.answer.send(Ok(frame)),
            other => {
                let expected = other.map_or(-1, |waiting| waiting.correlation_id);
                self.end(ClientError::Correlation { found, expected });
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use engine_rt::{Listener, now, sim, sleep};
    use net_wire::frame::encode_response;
    use net_wire::messages::api_versions::ApiVersion;
    use net_wire::messages::metadata::{MetadataRequest, MetadataRequestTopic};

    use super::*;

    /// A broker that says what it serves, and reads nothing more for a second.
    async fn slow_broker(listener: Listener) {
        let socket = listener.accept().await.expect("a client");
        let stream = Stream::attach(socket).expect("its stream");
        let (mut request, mut filled) = (vec![0; 1 << 20], 0);
        while filled < 12 {
            let received = stream.recv(&mut request[filled..]).await;
            filled += received.expect("a request");
        }
        let correlation_id = i32::from_be_bytes(*request[8..].first_chunk().expect("a header"));
        let metadata = ApiVersion {
            api_key: ApiKey::Metadata.code(),
            min_version: 0,
            max_version: 12,
        };
        let answer = ApiVersionsResponse {
            api_keys: vec![metadata],
            ..Default::default()
        };
        let version = ApiKey::ApiVersions.api().version_max;
        let frame = encode_response(version, correlation_id, &answer).expect("an answer");
        let piece = Piece::Mem(Buf::copy_from_slice(&frame.bytes));
        stream.send(&[piece]).await.expect("sent");
        sleep(Duration::from_secs(1)).await;
        while stream.recv(&mut request).await.is_ok_and(|len| len > 0) {}
    }

    #[test]
    fn what_the_socket_does_not_take_is_not_written() {
        let waited = sim::run(1, || async {
            let addr = "127.0.0.1:9092".parse().expect("an address");
            let listener = Listener::bind(addr).expect("a listener");
            spawn(slow_broker(listener)).detach();
            let connection = Connection::connect(addr, "test").await.expect("connected");
            let name = "n".repeat(30_000);
            let topic = || MetadataRequestTopic {
                name: Some(&name),
                ..Default::default()
            };
            let mut waited = Vec::new();
            for topics in [1, 20] {
                let request = MetadataRequest {
                    topics: Some((0..topics).map(|_| topic()).collect()),
                    ..Default::default()
                };
                let started = now();
                let _answer = connection
                    .exchange(12, &request, Vec::new())
                    .expect("in line");
                connection.written().await;
                waited.push(now().since(started));
            }
            waited
        });
        assert!(waited[0] < Duration::from_millis(100), "{waited:?}");
        assert!(waited[1] > Duration::from_millis(800), "{waited:?}");
    }
}
