//! One connection: two ends, and what is on the way from each to the other.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::ops::Range;
use std::task::Waker;

use super::{broken_pipe, retry_pause};
use crate::sim::node::NodeId;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What a segment carries.
pub(super) enum Payload {
    Bytes(Vec<u8>),
    /// Nothing more will be sent.
    Fin,
    /// The connection is void.
    Reset,
}

/// What becomes of a segment that is due.
pub(super) enum Arrival {
    Taken,
    /// Nobody is there any more: the machine answers with a reset.
    Refused,
    /// Nothing answers: the sender tries again.
    Silence,
}

struct Segment {
    at: u64,
    payload: Payload,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The application has closed or shut down this end.
    Closed,
    /// The machine lost its power: it knows nothing of this connection.
    Vanished,
}

/// One end of a connection.
pub(super) struct End {
    pub(super) node: NodeId,
    pub(super) life: u64,
    pub(super) addr: SocketAddr,
    /// Arrived and not read.
    received: VecDeque<u8>,
    fin_received: bool,
    /// The connection failed: what every further call answers.
    error: Option<io::ErrorKind>,
    state: State,
    readers: Vec<Waker>,
    writers: Vec<Waker>,
    /// On the way to the other end.
    flight: VecDeque<Segment>,
    flight_bytes: usize,
    arrival_planned: bool,
    tries: u32,
    silent_since: Option<u64>,
}

impl End {
    fn new((node, life, addr): (NodeId, u64, SocketAddr)) -> Self {
        Self {
            node,
            life,
            addr,
            received: VecDeque::new(),
            fin_received: false,
            error: None,
            state: State::Open,
            readers: Vec::new(),
            writers: Vec::new(),
            flight: VecDeque::new(),
            flight_bytes: 0,
            arrival_planned: false,
            tries: 0,
            silent_since: None,
        }
    }

    fn fail(&mut self, error: io::ErrorKind) {
        self.error.get_or_insert(error);
        self.drop_flight();
        self.wake();
    }

    fn drop_flight(&mut self) {
        self.flight.clear();
        self.flight_bytes = 0;
    }

    fn wake(&mut self) {
        self.readers
            .drain(..)
            .chain(self.writers.drain(..))
            .for_each(Waker::wake);
    }
}

pub(super) struct Conn {
    ends: [End; 2],
    /// It carries nothing any more, and no end has heard of it.
    dead: bool,
}

impl Conn {
    /// A connection between two ends: node, life and address of client and server.
    pub(super) fn new(ends: [(NodeId, u64, SocketAddr); 2]) -> Self {
        Self {
            ends: ends.map(End::new),
            dead: false,
        }
    }

    pub(super) fn end(&self, side: Side) -> &End {
        &self.ends[side as usize]
    }

    fn end_mut(&mut self, side: Side) -> &mut End {
        &mut self.ends[side as usize]
    }

    /// Takes what has arrived; `None` means that nothing has, and that the waker will be woken.
    pub(super) fn take(
        &mut self,
        side: Side,
        into: &mut [u8],
        waker: &Waker,
    ) -> Option<io::Result<usize>> {
        let end = self.end_mut(side);
        if end.state != State::Open || into.is_empty() {
            return Some(Ok(0));
        }
        if end.received.is_empty() {
            return match end.error {
                Some(error) => Some(Err(error.into())),
                None if end.fin_received => Some(Ok(0)),
                None => {
                    end.readers.push(waker.clone());
                    None
                },
            };
        }
        let taken = end.received.read(into);
        // The window has room again.
        self.end_mut(side.other())
            .writers
            .drain(..)
            .for_each(Waker::wake);
        Some(taken)
    }

    /// Bytes that are there to be read.
    pub(super) fn readable_bytes(&self, side: Side) -> usize {
        self.end(side).received.len()
    }

    pub(super) fn check_writable(&self, side: Side) -> io::Result<()> {
        let end = self.end(side);
        match end.error {
            _ if end.state != State::Open => Err(broken_pipe()),
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }

    pub(super) fn await_room(&mut self, side: Side, waker: &Waker) {
        self.end_mut(side).writers.push(waker.clone());
    }

    /// Bytes sent from `side` that the other end has not read.
    pub(super) fn unread_bytes(&self, side: Side) -> usize {
        self.end(side).flight_bytes + self.end(side.other()).received.len()
    }

    /// Puts a segment on the wire, behind those that are there.
    pub(super) fn push(&mut self, side: Side, at: u64, payload: Payload) {
        let end = self.end_mut(side);
        if let Payload::Bytes(bytes) = &payload {
            end.flight_bytes += bytes.len();
        }
        let at = end.flight.back().map_or(at, |last| at.max(last.at));
        end.flight.push_back(Segment { at, payload });
    }

    /// When the first segment from `side` arrives, if that is not planned yet.
    pub(super) fn plan_arrival(&mut self, side: Side) -> Option<u64> {
        let end = self.end_mut(side);
        let at = end.flight.front()?.at;
        (!std::mem::replace(&mut end.arrival_planned, true)).then_some(at)
    }

    /// The planned arrival is now.
    pub(super) fn arrival_happens(&mut self, side: Side) {
        self.end_mut(side).arrival_planned = false;
    }

    /// Lets the first segment arrive later.
    pub(super) fn postpone(&mut self, side: Side, at: u64) {
        if let Some(first) = self.end_mut(side).flight.front_mut() {
            first.at = first.at.max(at);
        }
    }

    /// Hands the first segment from `side` to the other end.
    pub(super) fn receive(&mut self, side: Side, powered: bool) -> Arrival {
        let other = side.other();
        let vanished = self.end(other).state == State::Vanished;
        if self.dead || (vanished && !powered) {
            return Arrival::Silence;
        }
        let sender = self.end_mut(side);
        sender.tries = 0;
        sender.silent_since = None;
        let Some(segment) = sender.flight.pop_front() else {
            return Arrival::Taken;
        };
        if let Payload::Bytes(bytes) = &segment.payload {
            sender.flight_bytes -= bytes.len();
        }
        let end = self.end_mut(other);
        if end.state != State::Open {
            let answered = matches!(segment.payload, Payload::Bytes(_)) || vanished;
            let refused = answered && !matches!(segment.payload, Payload::Reset);
            return if refused {
                Arrival::Refused
            } else {
                Arrival::Taken
            };
        }
        match segment.payload {
            Payload::Bytes(bytes) => end.received.extend(bytes),
            Payload::Fin => end.fin_received = true,
            Payload::Reset => {
                end.fail(io::ErrorKind::ConnectionReset);
                return Arrival::Taken;
            },
        }
        end.readers.drain(..).for_each(Waker::wake);
        Arrival::Taken
    }

    /// Nothing answered the first segment from `side`: it is sent again later, until `give_up`.
    pub(super) fn retry(&mut self, side: Side, now: u64, pauses: Range<u64>, give_up: u64) {
        let end = self.end_mut(side);
        let since = *end.silent_since.get_or_insert(now);
        if now - since >= give_up {
            return end.fail(io::ErrorKind::TimedOut);
        }
        let at = now + retry_pause(end.tries).min(pauses.end);
        end.tries += 1;
        if let Some(first) = end.flight.front_mut() {
            first.at = at;
        }
    }

    /// The application closes or shuts down its end: what to tell the other one, if anything.
    /// Unread bytes make it a reset (RFC 2525, section 2.17).
    pub(super) fn close(&mut self, side: Side) -> Option<Payload> {
        let end = self.end_mut(side);
        if end.state != State::Open {
            return None;
        }
        end.state = State::Closed;
        let unread = !end.received.is_empty();
        end.received.clear();
        end.wake();
        if end.error.is_some() {
            return None;
        }
        if unread {
            end.drop_flight();
            return Some(Payload::Reset);
        }
        Some(Payload::Fin)
    }

    /// The machine of `side` lost its power.
    pub(super) fn vanish(&mut self, side: Side) {
        let end = self.end_mut(side);
        end.state = State::Vanished;
        end.received.clear();
        end.drop_flight();
    }

    /// Whether the segment from `side` that is due carries bytes.
    pub(super) fn has_bytes_due(&self, side: Side) -> bool {
        let due = self.end(side).flight.front();
        due.is_some_and(|segment| matches!(segment.payload, Payload::Bytes(_)))
    }

    /// Hands over the first half of the segment that is due, and resets the connection.
    pub(super) fn break_off(&mut self, side: Side) {
        if let Some(Segment {
            payload: Payload::Bytes(bytes),
            ..
        }) = self.end_mut(side).flight.pop_front()
            && self.end(side.other()).state == State::Open
        {
            let half = &bytes[..bytes.len() / 2];
            self.end_mut(side.other()).received.extend(half);
        }
        self.reset();
    }

    /// Carries nothing from now on.
    pub(super) fn deaden(&mut self) {
        self.dead = true;
    }

    /// Wakes the readers on a node.
    pub(super) fn wake_readers(&mut self, node: NodeId) {
        let ends = self.ends.iter_mut().filter(|end| end.node == node);
        ends.flat_map(|end| end.readers.drain(..))
            .for_each(Waker::wake);
    }

    /// Waits for the end of a time in which nothing is read.
    pub(super) fn await_hearing(&mut self, side: Side, waker: &Waker) {
        self.end_mut(side).readers.push(waker.clone());
    }

    /// Both ends see a reset.
    pub(super) fn reset(&mut self) {
        for end in &mut self.ends {
            end.fail(io::ErrorKind::ConnectionReset);
        }
    }

    /// Whether nobody will ever hear of it again.
    pub(super) fn is_over(&self) -> bool {
        self.ends
            .iter()
            .all(|end| end.state != State::Open && end.flight.is_empty())
    }
}
