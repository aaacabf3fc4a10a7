//! Sockets, as the seam asks for them.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use crossbeam::queue::SegQueue;

use super::conn::Side;
use super::{EndId, Request, broken_pipe, request};
use crate::Piece;
use crate::sim::Context;
use crate::sim::kernel::Kernel;
use crate::sim::reply::Reply;

/// So many bytes of a file are looked at when there is room for them.
const FILE_CHUNK_BYTES: usize = 64 << 10;

/// The address of what is not there any more.
const NOWHERE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

/// A connection that is closed when this is dropped, wherever that is: it may change executors.
pub(crate) struct Socket {
    id: EndId,
    dropped: Arc<SegQueue<EndId>>,
}

impl Socket {
    pub(super) fn new(kernel: &Kernel, conn: u64, side: Side) -> Self {
        Self {
            id: EndId { conn, side },
            dropped: Arc::clone(&kernel.dropped_sockets),
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.dropped.push(self.id);
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// A listening socket of the current executor.
#[derive(Debug)]
pub(crate) struct Listener {
    context: Rc<Context>,
    addr: SocketAddr,
}

impl Listener {
    pub(crate) fn bind(context: &Rc<Context>, addr: SocketAddr) -> io::Result<Self> {
        let mut net = context.kernel.net.borrow_mut();
        let addr = net.bind(addr, context.node.id, context.life.number)?;
        Ok(Self {
            context: Rc::clone(context),
            addr,
        })
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) async fn accept(&self) -> io::Result<Socket> {
        let kernel = &self.context.kernel;
        let conn = poll_fn(|cx| {
            let mut net = kernel.net.borrow_mut();
            let Some(bound) = net.listeners.get_mut(&self.addr) else {
                return Poll::Ready(Err(broken_pipe()));
            };
            if let Some(conn) = bound.pending.pop_front() {
                return Poll::Ready(Ok(conn));
            }
            bound.waiting.push(cx.waker().clone());
            Poll::Pending
        });
        Ok(Socket::new(kernel, conn.await?, Side::Server))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let kernel = &self.context.kernel;
        kernel
            .net
            .borrow_mut()
            .unbind(kernel, self.addr, self.context.life.number);
    }
}

/// A connected stream of the current executor.
#[derive(Debug)]
pub(crate) struct Stream {
    context: Rc<Context>,
    socket: Socket,
    local: SocketAddr,
    peer: SocketAddr,
}

impl Stream {
    pub(crate) async fn connect(context: &Rc<Context>, addr: SocketAddr) -> io::Result<Self> {
        let kernel = &context.kernel;
        let (answer, reply) = Reply::new();
        let (from, life) = (context.node.id, context.life.number);
        let patience = kernel.options.net.give_up.as_nanos() as u64;
        let give_up_at = kernel.now().saturating_add(patience);
        let knock = Request {
            from,
            life,
            to: addr,
            tries: 0,
            give_up_at,
            answer,
        };
        let delay = kernel.prng.borrow_mut().nanos(&kernel.options.net.delay);
        kernel.after(delay, move |kernel| request(kernel, knock));
        Ok(Self::attach(context, reply.await?))
    }

    pub(crate) fn attach(context: &Rc<Context>, socket: Socket) -> Self {
        let net = context.kernel.net.borrow();
        let id = socket.id;
        let addr = |side| {
            let conn = net.conns.get(&id.conn);
            // A connection that is over has no addresses left; every call on it fails.
            conn.map_or(NOWHERE, |conn| conn.end(side).addr)
        };
        let (local, peer) = (addr(id.side), addr(id.side.other()));
        Self {
            context: Rc::clone(context),
            socket,
            local,
            peer,
        }
    }

    /// A try is always worth it here: it waits.
    #[expect(clippy::unused_async, reason = "the other world waits")]
    pub(crate) async fn readable(&self) {}

    pub(crate) async fn recv(&self, into: &mut [u8]) -> io::Result<usize> {
        let EndId { conn: number, side } = self.socket.id;
        let kernel = &self.context.kernel;
        poll_fn(|cx| {
            let mut net = kernel.net.borrow_mut();
            let Some(conn) = net.conns.get_mut(&number) else {
                return Poll::Ready(Ok(0));
            };
            if self.context.node.deaf.get() > 0 {
                conn.await_hearing(side, cx.waker());
                return Poll::Pending;
            }
            let some = few(kernel, conn.readable_bytes(side).min(into.len()));
            let into = if some == 0 {
                &mut *into
            } else {
                &mut into[..some]
            };
            conn.take(side, into, cx.waker())
                .map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    pub(crate) async fn send(&self, pieces: &[Piece]) -> io::Result<()> {
        for piece in pieces {
            match piece {
                Piece::Mem(bytes) => self.send_bytes(bytes).await?,
                Piece::File { file, pos, len } => {
                    let file = file
                        .sim()
                        .expect("a file belongs to the world that opened it");
                    for start in (0..*len).step_by(FILE_CHUNK_BYTES) {
                        let chunk = FILE_CHUNK_BYTES.min(len - start);
                        let bytes = file.bytes_to_send(pos + start as u64, chunk).await?;
                        self.send_bytes(&bytes).await?;
                    }
                },
            }
        }
        Ok(())
    }

    async fn send_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let kernel = &self.context.kernel;
        let id = self.socket.id;
        let mut sent = 0;
        poll_fn(|cx| {
            let mut net = kernel.net.borrow_mut();
            match net.send_bytes(kernel, id, &bytes[sent..]) {
                Ok(more) => sent += more,
                Err(error) => return Poll::Ready(Err(error)),
            }
            if sent == bytes.len() {
                return Poll::Ready(Ok(()));
            }
            if let Some(conn) = net.conns.get_mut(&id.conn) {
                conn.await_room(id.side, cx.waker());
            }
            Poll::Pending
        })
        .await
    }

    pub(crate) fn shutdown(&self) {
        let kernel = &self.context.kernel;
        kernel.net.borrow_mut().close(kernel, self.socket.id);
    }

    pub(crate) fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local
    }
}

/// Mostly all of what is there, sometimes less: streams have no boundaries.
fn few(kernel: &Kernel, available: usize) -> usize {
    let mut prng = kernel.prng.borrow_mut();
    if available > 1 && prng.below(8) == 0 {
        1 + prng.index(available)
    } else {
        available
    }
}
