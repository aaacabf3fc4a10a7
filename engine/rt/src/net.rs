//! Stream sockets. Receiving goes straight to the caller's memory, sending takes a list of pieces.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use crate::buf::Buf;
use crate::fs::File;
use crate::world::{self, World};
use crate::{ring, sim};

/// One piece of what is sent: memory, or a range of a file.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Bytes in memory.
    Mem(Buf),
    /// `len` bytes of `file` from `pos`, whose pages were made resident ([`File::make_resident`]):
    /// they leave without passing through user space. Pages that the kernel let go of since are
    /// read by direct I/O instead.
    File {
        /// The file.
        file: File,
        /// Byte position of the first byte.
        pos: u64,
        /// Number of bytes.
        len: usize,
    },
}

impl Piece {
    /// Bytes in this piece.
    pub fn len(&self) -> usize {
        match self {
            Self::Mem(buf) => buf.len(),
            Self::File { len, .. } => *len,
        }
    }

    /// Whether the piece has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The addresses of `HOST:PORT`. A name is looked up by the system on a helper thread; the simulation
/// has no names.
pub async fn resolve(addr: &str) -> io::Result<Vec<SocketAddr>> {
    if let Ok(addr) = addr.parse() {
        return Ok(vec![addr]);
    }
    match world::current() {
        World::Ring(reactor) => {
            let name = addr.to_owned();
            let look_up = move || name.to_socket_addrs().map(Vec::from_iter);
            reactor.blocking(look_up).await
        },
        World::Sim(_) => Err(io::Error::new(
            io::ErrorKind::NotFound,
            "the simulation has no names",
        )),
    }
}

/// A listening socket.
#[derive(Debug)]
pub struct Listener(ListenerKind);

#[derive(Debug)]
enum ListenerKind {
    Ring(ring::Listener),
    Sim(sim::Listener),
}

/// An accepted socket that no executor has taken yet: it may move to another one.
#[derive(Debug)]
pub struct Socket(SocketKind);

#[derive(Debug)]
enum SocketKind {
    Ring(ring::Socket),
    Sim(sim::Socket),
}

/// A connected stream of the current executor. Dropping it closes the connection.
#[derive(Debug)]
pub struct Stream(StreamKind);

#[derive(Debug)]
enum StreamKind {
    Ring(ring::Stream),
    Sim(sim::Stream),
}

impl Listener {
    /// Listens on `addr`; port 0 takes any free one.
    pub fn bind(addr: SocketAddr) -> io::Result<Self> {
        Ok(Self(match world::current() {
            World::Ring(reactor) => ListenerKind::Ring(ring::Listener::bind(&reactor, addr)?),
            World::Sim(context) => ListenerKind::Sim(sim::Listener::bind(&context, addr)?),
        }))
    }

    /// The address in use.
    pub fn local_addr(&self) -> SocketAddr {
        match &self.0 {
            ListenerKind::Ring(listener) => listener.local_addr(),
            ListenerKind::Sim(listener) => listener.local_addr(),
        }
    }

    /// The next connection. Errors such as `EMFILE` concern this call only: wait and accept again.
    pub async fn accept(&self) -> io::Result<Socket> {
        Ok(Socket(match &self.0 {
            ListenerKind::Ring(listener) => SocketKind::Ring(listener.accept().await?),
            ListenerKind::Sim(listener) => SocketKind::Sim(listener.accept().await?),
        }))
    }
}

impl Stream {
    /// Connects to `addr`.
    pub async fn connect(addr: SocketAddr) -> io::Result<Self> {
        Ok(Self(match world::current() {
            World::Ring(reactor) => StreamKind::Ring(ring::Stream::connect(&reactor, addr).await?),
            World::Sim(context) => StreamKind::Sim(sim::Stream::connect(&context, addr).await?),
        }))
    }

    /// Takes an accepted socket to the current executor.
    pub fn attach(socket: Socket) -> io::Result<Self> {
        Ok(Self(match (socket.0, world::current()) {
            (SocketKind::Ring(socket), World::Ring(reactor)) => {
                StreamKind::Ring(ring::Stream::attach(&reactor, socket)?)
            },
            (SocketKind::Sim(socket), World::Sim(context)) => {
                StreamKind::Sim(sim::Stream::attach(&context, socket))
            },
            _ => panic!("a socket belongs to the world that accepted it"),
        }))
    }

    /// Waits until a receive is worth a try. It may still have to wait: who keeps memory ready for it
    /// only from here on keeps none for a peer that says nothing.
    pub async fn readable(&self) {
        match &self.0 {
            StreamKind::Ring(stream) => stream.readable().await,
            StreamKind::Sim(stream) => stream.readable().await,
        }
    }

    /// Receives at most `into.len()` bytes, at least one; 0 means that the peer has closed. Safe to
    /// cancel: bytes are taken from the socket only when the future completes.
    pub async fn recv(&self, into: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            StreamKind::Ring(stream) => stream.recv(into).await,
            StreamKind::Sim(stream) => stream.recv(into).await,
        }
    }

    /// Sends all pieces in order. After an error or a dropped future the stream is of no use.
    pub async fn send(&self, pieces: &[Piece]) -> io::Result<()> {
        match &self.0 {
            StreamKind::Ring(stream) => stream.send(pieces).await,
            StreamKind::Sim(stream) => stream.send(pieces).await,
        }
    }

    /// Shuts down both directions: every waiting receive and send ends.
    pub fn shutdown(&self) {
        match &self.0 {
            StreamKind::Ring(stream) => stream.shutdown(),
            StreamKind::Sim(stream) => stream.shutdown(),
        }
    }

    /// The other end.
    pub fn peer_addr(&self) -> SocketAddr {
        match &self.0 {
            StreamKind::Ring(stream) => stream.peer_addr(),
            StreamKind::Sim(stream) => stream.peer_addr(),
        }
    }

    /// This end: which listener a client came in by.
    pub fn local_addr(&self) -> SocketAddr {
        match &self.0 {
            StreamKind::Ring(stream) => stream.local_addr(),
            StreamKind::Sim(stream) => stream.local_addr(),
        }
    }
}
