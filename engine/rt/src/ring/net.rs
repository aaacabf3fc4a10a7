//! Stream sockets.

use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::file::File;
use super::reactor::Reactor;
use super::readiness::Readiness;
use super::sys;
use crate::net::Piece;

/// Connections that the kernel completes before we accept them; it caps this at
/// `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
/// Slices in one `sendmsg(2)` (`IOV_MAX`).
const SLICES_MAX: usize = 1024;
/// Bytes in one slice: what of a longer piece fits a turn is told by whole slices.
const SLICE_BYTES_MAX: usize = 64 * 1024;

/// Bytes that wait in the kernel until a client takes those before them: enough that the next part of
/// an answer is there in time, little for each of many clients that take nothing.
const UNSENT_BYTES_MAX: i32 = 256 * 1024;

pub(crate) struct Listener {
    reactor: Rc<Reactor>,
    socket: Rc<TcpListener>,
    readiness: Readiness,
    local_addr: SocketAddr,
}

/// An accepted socket on its way to its executor.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    peer_addr: SocketAddr,
    local_addr: SocketAddr,
}

pub(crate) struct Stream {
    reactor: Rc<Reactor>,
    socket: Rc<TcpStream>,
    readiness: Readiness,
    peer_addr: SocketAddr,
    local_addr: SocketAddr,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener")
            .field("local_addr", &self.local_addr)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("peer_addr", &self.peer_addr)
            .finish_non_exhaustive()
    }
}

impl Listener {
    pub(crate) fn bind(reactor: &Rc<Reactor>, addr: SocketAddr) -> io::Result<Self> {
        // std sets SO_REUSEADDR: a restart does not wait for old connections to expire.
        let socket = Rc::new(TcpListener::bind(addr)?);
        socket.set_nonblocking(true)?;
        sys::set_backlog(&*socket, BACKLOG)?;
        let readiness = Readiness::new(reactor, Rc::<TcpListener>::clone(&socket));
        let local_addr = socket.local_addr()?;
        Ok(Self {
            reactor: Rc::clone(reactor),
            socket,
            readiness,
            local_addr,
        })
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    pub(crate) async fn accept(&self) -> io::Result<Socket> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    fn poll_accept(&self, cx: &Context<'_>) -> Poll<io::Result<Socket>> {
        loop {
            ready!(self.readiness.poll_read(cx));
            match self.socket.accept() {
                Ok((stream, peer_addr)) => {
                    self.reactor.spend(0);
                    return Poll::Ready(Socket::new(stream, peer_addr));
                },
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.readiness.clear_read(),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl Socket {
    fn new(stream: TcpStream, peer_addr: SocketAddr) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        sys::limit_unsent(&stream, UNSENT_BYTES_MAX)?;
        let local_addr = stream.local_addr()?;
        Ok(Self {
            stream,
            peer_addr,
            local_addr,
        })
    }
}

impl Stream {
    pub(crate) async fn connect(reactor: &Rc<Reactor>, addr: SocketAddr) -> io::Result<Self> {
        let socket = Rc::new(TcpStream::from(sys::connect(addr)?));
        let readiness = Readiness::new(reactor, Rc::<TcpStream>::clone(&socket));
        readiness.clear_write();
        poll_fn(|cx| readiness.poll_write(cx)).await;
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        socket.set_nodelay(true)?;
        let (peer_addr, local_addr) = (socket.peer_addr()?, socket.local_addr()?);
        Ok(Self {
            reactor: Rc::clone(reactor),
            socket,
            readiness,
            peer_addr,
            local_addr,
        })
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "other worlds may have to register the socket"
    )]
    pub(crate) fn attach(reactor: &Rc<Reactor>, accepted: Socket) -> io::Result<Self> {
        let Socket {
            stream,
            peer_addr,
            local_addr,
        } = accepted;
        let socket = Rc::new(stream);
        let readiness = Readiness::new(reactor, Rc::<TcpStream>::clone(&socket));
        Ok(Self {
            reactor: Rc::clone(reactor),
            socket,
            readiness,
            peer_addr,
            local_addr,
        })
    }

    pub(crate) async fn readable(&self) {
        poll_fn(|cx| self.readiness.poll_read(cx)).await;
    }

    pub(crate) async fn recv(&self, into: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_recv(cx, into)).await
    }

    fn poll_recv(&self, cx: &Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.readiness.poll_read(cx));
            match (&*self.socket).read(into) {
                Ok(received) => {
                    self.reactor.spend(received);
                    // The socket is empty now; what comes later is reported.
                    if received < into.len() {
                        self.readiness.clear_read();
                    }
                    return Poll::Ready(Ok(received));
                },
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.readiness.clear_read(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {},
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    pub(crate) async fn send(&self, pieces: &[Piece]) -> io::Result<()> {
        let mut rest = pieces;
        while let Some(first) = rest.first() {
            let run = match first {
                Piece::Mem(_) => {
                    let (slices, run) = slices(rest);
                    self.send_memory(slices, run < rest.len()).await?;
                    run
                },
                Piece::File { file, pos, len } => {
                    let file = file
                        .ring()
                        .expect("a file belongs to the world that opened it");
                    self.send_file(file, *pos, *len).await?;
                    1
                },
            };
            rest = &rest[run..];
        }
        Ok(())
    }

    async fn send_memory(&self, mut slices: Vec<IoSlice<'_>>, more: bool) -> io::Result<()> {
        let mut rest = &mut slices[..];
        // Takes empty slices off the front.
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            let sent = self
                .write(|stream| sys::send(stream, at_a_time(rest, self.reactor.room()), more))
                .await?;
            IoSlice::advance_slices(&mut rest, sent);
        }
        Ok(())
    }

    /// Sends a range of a file. Whether its pages are there is asked each time the socket has room,
    /// since a slow client takes its time: `sendfile(2)` of others would block the core.
    async fn send_file(&self, file: &File, mut pos: u64, len: usize) -> io::Result<()> {
        let end = pos + len as u64;
        let cached = file.buffered().await?;
        while pos < end {
            let mut chunk = 0;
            let sent = self
                .write(|stream| {
                    chunk = self.reactor.room().min((end - pos) as usize);
                    if file.is_resident(pos, chunk) {
                        sys::sendfile(stream, &*cached, pos, chunk)
                    } else {
                        Ok(0)
                    }
                })
                .await?;
            if sent == 0 {
                let bytes = file.read_range(pos, chunk).await?;
                self.send_memory(vec![IoSlice::new(&bytes)], false).await?;
                pos += chunk as u64;
            }
            pos += sent as u64;
        }
        Ok(())
    }

    /// Calls `write` until the socket has taken something.
    async fn write(
        &self,
        mut write: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        poll_fn(|cx| {
            loop {
                ready!(self.readiness.poll_write(cx));
                match write(&self.socket) {
                    Ok(sent) => {
                        self.reactor.spend(sent);
                        return Poll::Ready(Ok(sent));
                    },
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        self.readiness.clear_write();
                    },
                    Err(error) if error.kind() == ErrorKind::Interrupted => {},
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
        })
        .await
    }

    pub(crate) fn shutdown(&self) {
        // The one error is that there is no connection any more.
        let _gone = self.socket.shutdown(Shutdown::Both);
    }

    pub(crate) fn peer_addr(&self) -> SocketAddr {
        self.peer_addr
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }
}

/// The memory at the front of a list of pieces, in slices that can be sent at a time; and how many
/// pieces it is.
fn slices(pieces: &[Piece]) -> (Vec<IoSlice<'_>>, usize) {
    let (mut slices, mut count) = (Vec::new(), 0);
    for piece in pieces {
        match piece {
            Piece::Mem(buf) if slices.len() < SLICES_MAX => {
                slices.extend(buf.chunks(SLICE_BYTES_MAX).map(IoSlice::new));
                count += 1;
            },
            Piece::Mem(_) | Piece::File { .. } => break,
        }
    }
    (slices, count)
}

/// As many of the first slices as fit `room`, one at least.
fn at_a_time<'a, 'b>(slices: &'a [IoSlice<'b>], room: usize) -> &'a [IoSlice<'b>] {
    let mut bytes = 0;
    let fits = |slice: &&IoSlice<'_>| {
        bytes += slice.len();
        bytes <= room
    };
    let count = slices.iter().take_while(fits).count();
    &slices[..count.clamp(1, SLICES_MAX).min(slices.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buf::BufMut;

    #[test]
    fn memory_is_sent_as_the_turn_has_room() {
        const SLICE: usize = SLICE_BYTES_MAX;
        let piece = |bytes| Piece::Mem(BufMut::zeroed(bytes).freeze());
        let pieces = [piece(10), piece(2 * SLICE + 5), piece(0), piece(20)];
        let (slices, count) = slices(&pieces);
        let lens: Vec<usize> = slices.iter().map(|slice| slice.len()).collect();
        assert_eq!((count, &lens[..]), (4, &[10, SLICE, SLICE, 5, 20][..]));
        let lens = |from: usize, room| at_a_time(&slices[from..], room).len();
        assert_eq!([lens(0, SLICE), lens(1, SLICE), lens(3, SLICE)], [1, 1, 2]);
        assert_eq!([lens(1, 3 * SLICE), lens(1, 1)], [4, 1]);
    }

    #[test]
    fn no_more_slices_are_sent_than_the_kernel_takes() {
        let small = Piece::Mem(BufMut::zeroed(1).freeze());
        let pieces = vec![small; 3 * SLICES_MAX];
        let (slices, count) = slices(&pieces);
        assert_eq!((slices.len(), count), (SLICES_MAX, SLICES_MAX));
        assert_eq!(at_a_time(&slices, usize::MAX).len(), SLICES_MAX);
    }
}
