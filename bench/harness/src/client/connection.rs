//! One connection with a bound on unanswered requests.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;

use engine_rt::{Buf, BufMut, Event, Instant, Piece, Stream, now, spawn};
use hdrhistogram::Histogram;
use net_wire::Message;
use net_wire::frame::{FRAME_PREFIX_BYTES, RESPONSE_BYTES_MIN, encode_request, frame_len};

use super::frame::Frame;
use super::latencies;

/// No answer is longer.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Bytes of answers that are received at a time; the window grows for a longer answer.
const WINDOW_BYTES: usize = 128 << 10;

/// A connection of one executor.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(super) stream: Stream,
    answers: RefCell<Option<Answers>>,
}

/// What one connection did in a load.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) bytes: u64,
    pub(super) latencies: Histogram<u64>,
}

impl Default for Done {
    fn default() -> Self {
        Self {
            bytes: 0,
            latencies: latencies(),
        }
    }
}

impl Connection {
    pub(crate) async fn connect(addr: SocketAddr) -> io::Result<Self> {
        let stream = Stream::connect(addr).await?;
        Ok(Self {
            stream,
            answers: RefCell::new(Some(Answers::new())),
        })
    }

    /// Sends `requests`, taking the frames by turns.
    pub(super) async fn load(
        self: Rc<Self>,
        frames: &Rc<[Frame]>,
        in_flight: usize,
        requests: u64,
    ) -> io::Result<Done> {
        if in_flight == 1 {
            self.one_by_one(frames, requests).await
        } else {
            self.pipelined(frames, in_flight, requests).await
        }
    }

    async fn one_by_one(&self, frames: &[Frame], requests: u64) -> io::Result<Done> {
        let mut done = Done::default();
        let mut answers = self.take_answers()?;
        for frame in frames.iter().cycle().take(requests as usize) {
            let started = now();
            self.stream.send(&frame.pieces).await?;
            answers.expect(&self.stream, frame).await?;
            done.count(frame, started);
        }
        self.answers.replace(Some(answers));
        Ok(done)
    }

    /// One task sends, this one receives: a full socket does not keep answers waiting.
    async fn pipelined(
        self: Rc<Self>,
        frames: &Rc<[Frame]>,
        in_flight: usize,
        requests: u64,
    ) -> io::Result<Done> {
        let sent = Rc::new(Sent::default());
        let sender = {
            let (connection, frames) = (Rc::clone(&self), Rc::clone(frames));
            let sent = Rc::clone(&sent);
            spawn(async move {
                connection
                    .send_all(&frames, in_flight, requests, &sent)
                    .await
            })
        };
        let expected = frames.iter().cycle().take(requests as usize);
        let done = self.answered(expected, || sent.answered()).await?;
        sender.await?;
        Ok(done)
    }

    async fn send_all(
        &self,
        frames: &[Frame],
        in_flight: usize,
        requests: u64,
        sent: &Sent,
    ) -> io::Result<()> {
        for frame in frames.iter().cycle().take(requests as usize) {
            sent.changed
                .wait_until(|| sent.started.borrow().len() < in_flight)
                .await;
            sent.started.borrow_mut().push_back(now());
            self.stream.send(&frame.pieces).await?;
        }
        Ok(())
    }

    fn take_answers(&self) -> io::Result<Answers> {
        let answers = self.answers.take();
        answers.ok_or_else(|| io::Error::other("the connection has failed before"))
    }

    /// Sends a request in one piece and gives the frame of its answer.
    pub(crate) async fn call(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        let piece = Piece::Mem(Buf::copy_from_slice(request));
        self.stream.send(&[piece]).await?;
        let mut answers = self.take_answers()?;
        let frame = answers.next(&self.stream).await?.to_vec();
        self.answers.replace(Some(answers));
        Ok(frame)
    }

    /// Encodes a request, sends it and gives the frame of its answer.
    pub(super) async fn request<'m, M: Message<'m>>(
        &self,
        version: i16,
        body: &M,
    ) -> io::Result<Vec<u8>> {
        let frame = encode_request(version, 1, Some("bench"), body);
        self.call(&frame.map_err(io::Error::other)?.bytes).await
    }

    /// Sends a produce and waits for its acknowledgement.
    pub(crate) async fn produce(&self, frame: &Frame) -> io::Result<()> {
        self.stream.send(&frame.pieces).await?;
        self.answered([frame].into_iter(), now).await.map(drop)
    }

    /// Sends a request whose answer nobody receives.
    pub(crate) async fn send(&self, request: &Buf) -> io::Result<()> {
        self.stream.send(&[Piece::Mem(request.clone())]).await
    }

    /// Sends a request and gives the length of its answer, which nobody looks at.
    pub(crate) async fn ask(&self, request: &Buf) -> io::Result<usize> {
        self.stream.send(&[Piece::Mem(request.clone())]).await?;
        let mut answers = self.take_answers()?;
        let len = answers.next(&self.stream).await?.len();
        self.answers.replace(Some(answers));
        Ok(len)
    }

    /// Receives the answers to `frames` in order; `started` says when the next one's time began.
    pub(super) async fn answered<'a>(
        &self,
        frames: impl Iterator<Item = &'a Frame>,
        mut started: impl FnMut() -> Instant,
    ) -> io::Result<Done> {
        let mut done = Done::default();
        let mut answers = self.take_answers()?;
        for frame in frames {
            answers.expect(&self.stream, frame).await?;
            done.count(frame, started());
        }
        self.answers.replace(Some(answers));
        Ok(done)
    }
}

/// Requests that wait for their answers, by the time they were sent.
#[derive(Debug, Default)]
struct Sent {
    started: RefCell<VecDeque<Instant>>,
    changed: Event,
}

impl Sent {
    fn answered(&self) -> Instant {
        let started = self.started.borrow_mut().pop_front();
        self.changed.notify();
        started.expect("an answer follows its request")
    }
}

impl Done {
    fn count(&mut self, frame: &Frame, started: Instant) {
        self.bytes += frame.bytes;
        let nanos = now().since(started).as_nanos();
        self.latencies
            .saturating_record(u64::try_from(nanos).unwrap_or(u64::MAX));
    }
}

/// Cuts answers out of the stream.
#[derive(Debug)]
struct Answers {
    window: BufMut,
    from: Cell<usize>,
    filled: usize,
}

impl Answers {
    fn new() -> Self {
        Self {
            window: BufMut::with_capacity(WINDOW_BYTES),
            from: Cell::new(0),
            filled: 0,
        }
    }

    /// The next frame, without its length.
    async fn next(&mut self, stream: &Stream) -> io::Result<&[u8]> {
        let prefix = self.fill(stream, FRAME_PREFIX_BYTES).await?;
        let prefix = self.window[prefix..]
            .first_chunk()
            .copied()
            .unwrap_or_default();
        let len =
            frame_len(prefix, RESPONSE_BYTES_MIN, ANSWER_BYTES_MAX).map_err(io::Error::other)?;
        let start = self.fill(stream, FRAME_PREFIX_BYTES + len).await?;
        let end = start + FRAME_PREFIX_BYTES + len;
        self.from.set(end);
        Ok(&self.window[start + FRAME_PREFIX_BYTES..end])
    }

    /// Receives until `needed` bytes are there, and says where they begin.
    async fn fill(&mut self, stream: &Stream, needed: usize) -> io::Result<usize> {
        if self.from.get() == self.filled {
            self.from.set(0);
            self.filled = 0;
        } else if self.from.get() + needed > self.window.len() {
            self.make_room(needed);
        }
        while self.filled - self.from.get() < needed {
            let received = stream.recv(&mut self.window[self.filled..]).await?;
            if received == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            self.filled += received;
        }
        Ok(self.from.get())
    }

    /// Moves what is there to the front of a window that has room for `needed` bytes.
    fn make_room(&mut self, needed: usize) {
        let kept = self.from.replace(0)..self.filled;
        self.filled = kept.len();
        if needed <= self.window.len() {
            self.window.copy_within(kept, 0);
            return;
        }
        let mut larger = BufMut::with_capacity(needed.next_power_of_two());
        larger[..kept.len()].copy_from_slice(&self.window[kept]);
        self.window = larger;
    }

    /// Takes the answer to a request, which must be without an error.
    async fn expect(&mut self, stream: &Stream, frame: &Frame) -> io::Result<()> {
        let id = (frame.check)(self.next(stream).await?)?;
        let wanted = frame.correlation_id;
        if id == wanted {
            Ok(())
        } else {
            Err(io::Error::other(format!("answer {id} instead of {wanted}")))
        }
    }
}
