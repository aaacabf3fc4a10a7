//! The network of a world: listeners by address, connections between nodes, cuts.
//!
//! Addresses are global: every node may bind any, no two the same. A connection is a stream of
//! bytes per direction, in segments of random size and delay, with a bounded window. A cut link
//! holds what is sent until it is healed, as retransmission would; a killed process's connections
//! are closed or reset; a machine without power answers nothing until it is back, and then with a
//! reset.

mod conn;
mod socket;
mod troubles;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::task::Waker;

use conn::{Arrival, Conn, Payload, Side};
pub(crate) use socket::{Listener, Socket, Stream};
use troubles::slowness;

use super::kernel::{Decision, Kernel};
use super::node::{CrashKind, NodeId};
use super::reply::Answer;

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EndId {
    conn: u64,
    side: Side,
}

/// Connections that nobody accepts, per listener; more are tried again.
const BACKLOG: usize = 128;
/// First and longest pause before something unanswered is sent again.
const RETRY_NANOS: std::ops::Range<u64> = 200_000_000..10_000_000_000;

#[derive(Default)]
pub(super) struct Net {
    conns: BTreeMap<u64, Conn>,
    listeners: BTreeMap<SocketAddr, Bound>,
    /// Who listened last at an address: it is silent when that node has no power.
    owners: BTreeMap<SocketAddr, NodeId>,
    /// Links that carry nothing, by direction.
    cuts: BTreeSet<(NodeId, NodeId)>,
    /// Links that are slower, and by how many nanoseconds.
    slow: BTreeMap<(NodeId, NodeId), u64>,
    /// Links, by direction, whose next bytes end in a reset.
    midway: BTreeSet<(NodeId, NodeId)>,
    conns_made: u64,
    ports_given: u16,
}

/// A listening socket.
struct Bound {
    node: NodeId,
    life: u64,
    pending: VecDeque<u64>,
    waiting: Vec<Waker>,
}

/// A connection request on its way.
struct Request {
    from: NodeId,
    life: u64,
    to: SocketAddr,
    tries: u32,
    give_up_at: u64,
    answer: Answer<io::Result<Socket>>,
}

/// Where a connection request ended up.
enum Knock {
    Accepted(u64),
    Refused,
    Silence,
}

impl Net {
    fn bind(&mut self, addr: SocketAddr, node: NodeId, life: u64) -> io::Result<SocketAddr> {
        let mut addr = addr;
        while addr.port() == 0 {
            let port = 32_768 + self.ports_given % 28_000;
            self.ports_given = self.ports_given.wrapping_add(1);
            if !self.listeners.keys().any(|bound| bound.port() == port) {
                addr.set_port(port);
            }
        }
        let clash = |bound: &SocketAddr| {
            bound.port() == addr.port()
                && (bound.ip() == addr.ip()
                    || bound.ip().is_unspecified()
                    || addr.ip().is_unspecified())
        };
        if self.listeners.keys().any(clash) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let bound = Bound {
            node,
            life,
            pending: VecDeque::new(),
            waiting: Vec::new(),
        };
        self.listeners.insert(addr, bound);
        self.owners.insert(addr, node);
        Ok(addr)
    }

    fn unbind(&mut self, kernel: &Kernel, addr: SocketAddr, life: u64) {
        if self
            .listeners
            .get(&addr)
            .is_none_or(|bound| bound.life != life)
        {
            return;
        }
        let bound = self.listeners.remove(&addr).into_iter();
        for conn in bound.flat_map(|bound| bound.pending) {
            self.close(
                kernel,
                EndId {
                    conn,
                    side: Side::Server,
                },
            );
        }
    }

    /// The listening address that a connection to `addr` reaches.
    fn listener_for<T>(bound: &BTreeMap<SocketAddr, T>, addr: SocketAddr) -> Option<SocketAddr> {
        let any: IpAddr = if addr.is_ipv4() {
            [0_u8; 4].into()
        } else {
            [0_u8; 16].into()
        };
        let candidates = [addr, SocketAddr::new(any, addr.port())];
        candidates
            .into_iter()
            .find(|candidate| bound.contains_key(candidate))
    }

    fn is_cut(&self, from: NodeId, to: NodeId) -> bool {
        self.cuts.contains(&(from, to))
    }

    /// A connection request arrives, or gets lost.
    fn knock(&mut self, kernel: &Rc<Kernel>, request: &Request) -> Knock {
        let owner = Self::listener_for(&self.owners, request.to).map(|addr| self.owners[&addr]);
        let silent = owner.is_some_and(|owner| {
            let cut = self.is_cut(request.from, owner) || self.is_cut(owner, request.from);
            cut || !kernel.nodes.borrow()[owner.0].powered.get()
        });
        if silent {
            return Knock::Silence;
        }
        let Some(listening) = Self::listener_for(&self.listeners, request.to) else {
            return Knock::Refused;
        };
        let conn = self.conns_made;
        let bound = self
            .listeners
            .get_mut(&listening)
            .expect("it was found just now");
        if bound.pending.len() >= BACKLOG {
            return Knock::Silence;
        }
        self.conns_made += 1;
        bound.pending.push_back(conn);
        bound.waiting.drain(..).for_each(Waker::wake);
        let (node, life) = (bound.node, bound.life);
        let client = local_addr(request.to, conn);
        let ends = [
            (request.from, request.life, client),
            (node, life, request.to),
        ];
        self.conns.insert(conn, Conn::new(ends));
        Knock::Accepted(conn)
    }

    /// What the application has closed: its end of a connection.
    pub(super) fn close(&mut self, kernel: &Kernel, id: EndId) {
        let Some(conn) = self.conns.get_mut(&id.conn) else {
            return;
        };
        if let Some(last) = conn.close(id.side) {
            self.send(kernel, id, last);
        }
        self.forget_if_over(id.conn);
    }

    /// The process that `life` was is gone.
    pub(super) fn end_life(&mut self, kernel: &Kernel, life: u64, kind: CrashKind) {
        let bound = self
            .listeners
            .iter()
            .filter(|(_, bound)| bound.life == life);
        for addr in bound.map(|(&addr, _)| addr).collect::<Vec<_>>() {
            let bound = self.listeners.remove(&addr);
            bound
                .into_iter()
                .flat_map(|bound| bound.waiting)
                .for_each(Waker::wake);
        }
        for (conn, side) in self.ends(|conn, side| conn.end(side).life == life) {
            match kind {
                CrashKind::Kill => self.close(kernel, EndId { conn, side }),
                CrashKind::PowerCut => self.vanish(kernel, EndId { conn, side }),
            }
        }
    }

    /// The machine at one end is gone without a word.
    fn vanish(&mut self, kernel: &Kernel, id: EndId) {
        let Some(conn) = self.conns.get_mut(&id.conn) else {
            return;
        };
        conn.vanish(id.side);
        self.forget_if_over(id.conn);
        let Some(range) = &kernel.options.net.keepalive else {
            return;
        };
        let nanos = kernel.prng.borrow_mut().nanos(range);
        kernel.after(nanos, move |kernel| {
            if let Some(conn) = kernel.net.borrow_mut().conns.get_mut(&id.conn) {
                conn.reset();
            }
        });
    }

    fn ends(&self, wanted: impl Fn(&Conn, Side) -> bool) -> Vec<(u64, Side)> {
        let all = self.conns.iter().flat_map(|(&number, conn)| {
            [Side::Client, Side::Server].map(|side| (number, conn, side))
        });
        let found = all.filter(|&(_, conn, side)| wanted(conn, side));
        found.map(|(number, _, side)| (number, side)).collect()
    }

    fn forget_if_over(&mut self, number: u64) {
        if self.conns.get(&number).is_some_and(Conn::is_over) {
            self.conns.remove(&number);
        }
    }

    /// Puts a payload on the wire behind what is there, whatever the window.
    fn send(&mut self, kernel: &Kernel, from: EndId, payload: Payload) {
        let Some(conn) = self.conns.get_mut(&from.conn) else {
            return;
        };
        let delay = kernel.prng.borrow_mut().nanos(&kernel.options.net.delay);
        let delay = delay + slowness(&self.slow, conn, from.side);
        conn.push(from.side, kernel.now() + delay, payload);
        self.schedule(kernel, from);
    }

    /// Sends as many of `bytes` as the window has room for.
    fn send_bytes(&mut self, kernel: &Kernel, from: EndId, bytes: &[u8]) -> io::Result<usize> {
        let net = &kernel.options.net;
        let Some(conn) = self.conns.get_mut(&from.conn) else {
            return Err(broken_pipe());
        };
        conn.check_writable(from.side)?;
        let room = net
            .window_bytes
            .saturating_sub(conn.unread_bytes(from.side));
        let mut rest = &bytes[..room.min(bytes.len())];
        let sent = rest.len();
        let slowness = slowness(&self.slow, conn, from.side);
        while !rest.is_empty() {
            let mut prng = kernel.prng.borrow_mut();
            let largest = net.segment_bytes.min(rest.len());
            let len = if prng.below(4) == 0 {
                1 + prng.index(largest)
            } else {
                largest
            };
            let (segment, behind) = rest.split_at(len);
            let at = kernel.now() + prng.nanos(&net.delay) + slowness;
            conn.push(from.side, at, Payload::Bytes(segment.to_vec()));
            rest = behind;
        }
        self.schedule(kernel, from);
        Ok(sent)
    }

    /// Has the first segment of a direction arrive, unless its arrival is planned already.
    fn schedule(&mut self, kernel: &Kernel, from: EndId) {
        let conn = self.conns.get_mut(&from.conn);
        let Some(at) = conn.and_then(|conn| conn.plan_arrival(from.side)) else {
            return;
        };
        let nanos = at.saturating_sub(kernel.now());
        kernel.after(nanos, move |kernel| {
            kernel.net.borrow_mut().arrive(kernel, from);
        });
    }

    /// The first segment of a direction is due.
    fn arrive(&mut self, kernel: &Kernel, from: EndId) {
        let Some(conn) = self.conns.get_mut(&from.conn) else {
            return;
        };
        conn.arrival_happens(from.side);
        let (sender, receiver) = (conn.end(from.side).node, conn.end(from.side.other()).node);
        kernel.fold(Decision::Segment, from.conn);
        if self.cuts.contains(&(sender, receiver)) {
            // Goes on when the link is healed.
            return;
        }
        if conn.has_bytes_due(from.side) && self.midway.remove(&(sender, receiver)) {
            conn.break_off(from.side);
            return;
        }
        let powered = kernel.nodes.borrow()[receiver.0].powered.get();
        match conn.receive(from.side, powered) {
            Arrival::Taken => {},
            Arrival::Refused => {
                let peer = EndId {
                    conn: from.conn,
                    side: from.side.other(),
                };
                self.send(kernel, peer, Payload::Reset);
            },
            Arrival::Silence => {
                let give_up = kernel.options.net.give_up.as_nanos() as u64;
                conn.retry(from.side, kernel.now(), RETRY_NANOS, give_up);
            },
        }
        self.schedule(kernel, from);
        self.forget_if_over(from.conn);
    }

    /// Connections that some process still holds an end of.
    pub(super) fn connections(&self) -> usize {
        self.conns.len()
    }
}

/// Carries a connection request to its listener, again and again if nobody answers.
fn request(kernel: &Rc<Kernel>, request: Request) {
    if request.answer.is_orphan() {
        return;
    }
    let knock = kernel.net.borrow_mut().knock(kernel, &request);
    let delay = kernel.prng.borrow_mut().nanos(&kernel.options.net.delay);
    match knock {
        Knock::Accepted(conn) => {
            let socket = Socket::new(kernel, conn, Side::Client);
            let delay = delay + kernel.net.borrow().round_trip_slowness(conn);
            kernel.after(delay, move |_| request.answer.send(Ok(socket)));
        },
        Knock::Refused => {
            let refused = io::ErrorKind::ConnectionRefused.into();
            kernel.after(delay, move |_| request.answer.send(Err(refused)));
        },
        Knock::Silence => try_again(kernel, request),
    }
}

fn try_again(kernel: &Rc<Kernel>, mut request: Request) {
    let pause = retry_pause(request.tries);
    request.tries += 1;
    if kernel.now() + pause < request.give_up_at {
        kernel.after(pause, move |kernel| self::request(kernel, request));
    } else {
        let rest = request.give_up_at.saturating_sub(kernel.now());
        let timed_out = io::ErrorKind::TimedOut.into();
        kernel.after(rest, move |_| request.answer.send(Err(timed_out)));
    }
}

/// The pause before try number `tries`, doubling.
fn retry_pause(tries: u32) -> u64 {
    (RETRY_NANOS.start << tries.min(16)).min(RETRY_NANOS.end)
}

/// The address of the client's end.
fn local_addr(server: SocketAddr, conn: u64) -> SocketAddr {
    let ip: IpAddr = match server {
        SocketAddr::V4(_) => [127, 0, 0, 1].into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, 61_000 + (conn % 4000) as u16)
}

fn broken_pipe() -> io::Error {
    io::ErrorKind::BrokenPipe.into()
}
