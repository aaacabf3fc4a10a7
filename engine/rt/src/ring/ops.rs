//! Operations in flight. An operation owns its memory and its file until the kernel has reported
//! its completion, whether or not anybody still waits for it: a dropped future only orphans it.
//! What a ring works on stays here, what a file thread does is away as long as it does it.

#![expect(
    unsafe_code,
    reason = "submissions point to the memory that stands here"
)]

use std::future::Future;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use io_uring::{opcode, squeue, types};

use super::driver::Driver;
use super::file::Descriptor;
use super::reactor::Reactor;
use super::readiness::PollState;
use super::slab::{Key, Slab};
use super::uring::Completion;
use crate::buf::{Arena, Buf, BufMut};

/// What the kernel shall do, with everything it needs meanwhile.
pub(crate) enum Request {
    /// Fill `buf` from its byte `filled` on, at most `len` bytes, from the file at `pos`.
    Read {
        file: Arc<Descriptor>,
        buf: BufMut,
        filled: usize,
        len: usize,
        pos: u64,
    },
    /// Write all of `buf` at `pos`.
    Write {
        file: Arc<Descriptor>,
        buf: Buf,
        pos: u64,
        durable: bool,
    },
    /// Write all of `bufs` at `pos`, one behind the other.
    WriteBufs {
        file: Arc<Descriptor>,
        bufs: Vec<Buf>,
        pos: u64,
        durable: bool,
    },
    /// `fdatasync(2)`.
    Sync { file: Arc<Descriptor> },
}

/// Where the buffers of a write are, as a ring wants to know it.
#[derive(Default)]
pub(super) struct Slices(Vec<libc::iovec>);

impl Slices {
    fn set(&mut self, bufs: &[Buf]) {
        self.0.clear();
        self.0.extend(bufs.iter().map(|buf| libc::iovec {
            iov_base: buf.as_ptr().cast_mut().cast(),
            iov_len: buf.len(),
        }));
    }
}

impl Request {
    /// The submission. It points into the buffer's block, which does not move with the request.
    fn entry(&mut self, slices: &mut Slices, registered: Option<&Arc<Arena>>) -> squeue::Entry {
        match self {
            Self::Read {
                file,
                buf,
                filled,
                len,
                pos,
            } => {
                let fd = types::Fd(file.as_raw_fd());
                let fixed = buf.is_in(registered);
                let into = buf[*filled..*filled + *len].as_mut_ptr();
                if fixed {
                    opcode::ReadFixed::new(fd, into, *len as u32, 0)
                        .offset(*pos)
                        .build()
                } else {
                    opcode::Read::new(fd, into, *len as u32)
                        .offset(*pos)
                        .build()
                }
            },
            Self::Write {
                file,
                buf,
                pos,
                durable,
            } => {
                let fd = types::Fd(file.as_raw_fd());
                let (from, len) = (buf.as_ptr(), buf.len() as u32);
                let flags = if *durable { libc::RWF_DSYNC } else { 0 };
                if buf.is_in(registered) {
                    let write = opcode::WriteFixed::new(fd, from, len, 0);
                    write.offset(*pos).rw_flags(flags).build()
                } else {
                    opcode::Write::new(fd, from, len)
                        .offset(*pos)
                        .rw_flags(flags)
                        .build()
                }
            },
            Self::WriteBufs {
                file,
                bufs,
                pos,
                durable,
            } => {
                // The list of slices has a block of its own, which does not move with the table.
                slices.set(bufs);
                let fd = types::Fd(file.as_raw_fd());
                let flags = if *durable { libc::RWF_DSYNC } else { 0 };
                opcode::Writev::new(fd, slices.0.as_ptr(), slices.0.len() as u32)
                    .offset(*pos)
                    .rw_flags(flags)
                    .build()
            },
            Self::Sync { file } => opcode::Fsync::new(types::Fd(file.as_raw_fd()))
                .flags(types::FsyncFlags::DATASYNC)
                .build(),
        }
    }
}

/// What stands in a slot of the table of operations.
pub(super) enum Flight {
    /// One submission, one completion.
    Once {
        /// `None` while a file thread has it.
        request: Option<Request>,
        slices: Slices,
        result: Option<i32>,
        waker: Option<Waker>,
        orphan: bool,
    },
    /// A multishot poll. It holds the socket open.
    Poll {
        state: Rc<PollState>,
        socket: Rc<dyn AsRawFd>,
    },
}

/// The operations of one reactor.
pub(super) struct Ops {
    flights: Slab<Flight>,
    /// Reads, writes and syncs that the kernel has not completed.
    files: usize,
    /// Polls that the kernel has not ended.
    polls: usize,
}

impl Ops {
    pub(super) const fn new() -> Self {
        Self {
            flights: Slab::new(),
            files: 0,
            polls: 0,
        }
    }

    /// Hands `request` to the driver. Without one, after the executor's end, it counts as canceled.
    pub(super) fn submit(&mut self, driver: Option<&mut Driver>, request: Request) -> Key {
        let result = if driver.is_none() {
            Some(-libc::ECANCELED)
        } else {
            None
        };
        let key = self.flights.insert(|_| Flight::Once {
            request: Some(request),
            slices: Slices::default(),
            result,
            waker: None,
            orphan: false,
        });
        let Some(Flight::Once {
            request: place,
            slices,
            ..
        }) = self.flights.get_mut(key)
        else {
            unreachable!("put in just now")
        };
        let Some(driver) = driver else { return key };
        self.files += 1;
        match (driver, place) {
            (Driver::Ring(ring), Some(request)) => {
                let entry = request.entry(slices, ring.registered());
                // SAFETY: the request and the memory it owns stand in the table until `complete`
                // sees the completion; the reactor reaps all completions before it drops the table.
                unsafe { ring.push(entry.user_data(key.to_bits())) }
            },
            (Driver::Epoll(epoll), place) => {
                let request = place.take().expect("put in just now");
                epoll.start(key.to_bits(), request);
            },
            (Driver::Ring(_), None) => unreachable!("put in just now"),
        }
        key
    }

    /// Puts a request back that was away, before its completion is noted.
    pub(super) fn give_back(&mut self, key: Key, back: Request) {
        if let Some(Flight::Once { request, .. }) = self.flights.get_mut(key) {
            *request = Some(back);
        }
    }

    /// Arms a multishot poll of `socket`, or does nothing after the executor's end.
    pub(super) fn poll_socket(
        &mut self,
        driver: &mut Driver,
        state: Rc<PollState>,
        socket: Rc<dyn AsRawFd>,
    ) -> Key {
        let fd = socket.as_raw_fd();
        let key = self.flights.insert(|_| Flight::Poll { state, socket });
        self.polls += 1;
        driver.poll(fd, key.to_bits());
        key
    }

    /// Operations that the kernel has not finished with.
    pub(super) const fn in_flight(&self) -> usize {
        self.files + self.polls
    }

    /// Reads, writes and syncs among them.
    pub(super) const fn files(&self) -> usize {
        self.files
    }

    /// The polls that are still armed, each with its descriptor.
    pub(super) fn armed_polls(&mut self) -> Vec<(Key, RawFd)> {
        let keys = self.flights.keys().into_iter();
        let poll = |key| match self.flights.get_mut(key) {
            Some(Flight::Poll { socket, .. }) => Some((key, socket.as_raw_fd())),
            _ => None,
        };
        keys.filter_map(poll).collect()
    }

    /// Notes a completion. What it returns is dropped or woken by the caller, who then no longer
    /// borrows the table.
    pub(super) fn complete(&mut self, completion: Completion) -> Completed {
        let key = Key::from_bits(completion.user_data);
        match self.flights.get_mut(key) {
            Some(Flight::Once {
                result,
                waker,
                orphan: false,
                ..
            }) => {
                self.files -= 1;
                *result = Some(completion.result);
                Completed {
                    waker: waker.take(),
                    ..Completed::default()
                }
            },
            Some(Flight::Once { .. }) => {
                self.files -= 1;
                self.remove(key)
            },
            Some(Flight::Poll { state, .. }) => {
                let polled = Some((Rc::clone(state), completion));
                if completion.more {
                    return Completed {
                        polled,
                        ..Completed::default()
                    };
                }
                self.polls -= 1;
                Completed {
                    polled,
                    ..self.remove(key)
                }
            },
            None => Completed::default(),
        }
    }

    fn remove(&mut self, key: Key) -> Completed {
        Completed {
            gone: self.flights.remove(key),
            ..Completed::default()
        }
    }

    pub(super) fn poll(&mut self, key: Key, cx: &Context<'_>) -> Poll<(i32, Request)> {
        match self.flights.get_mut(key) {
            Some(Flight::Once {
                result: None,
                waker,
                ..
            }) => {
                match waker {
                    Some(waker) => waker.clone_from(cx.waker()),
                    None => *waker = Some(cx.waker().clone()),
                }
                Poll::Pending
            },
            Some(Flight::Once {
                result: Some(result),
                ..
            }) => {
                let result = *result;
                match self.remove(key).gone {
                    Some(Flight::Once {
                        request: Some(request),
                        ..
                    }) => Poll::Ready((result, request)),
                    _ => unreachable!("a request is there when its result is"),
                }
            },
            _ => panic!("an operation is polled after its completion"),
        }
    }

    /// Nobody waits for the operation any more.
    pub(super) fn abandon(&mut self, key: Key) -> Completed {
        match self.flights.get_mut(key) {
            Some(Flight::Once {
                result: None,
                waker,
                orphan,
                ..
            }) => {
                *orphan = true;
                Completed {
                    waker: waker.take(),
                    ..Completed::default()
                }
            },
            Some(Flight::Once { .. }) => self.remove(key),
            _ => Completed::default(),
        }
    }
}

/// What has to be done about a completion outside of the table.
#[derive(Default)]
pub(super) struct Completed {
    pub(super) waker: Option<Waker>,
    pub(super) polled: Option<(Rc<PollState>, Completion)>,
    pub(super) gone: Option<Flight>,
}

/// A read, write or sync, in flight from its making on.
pub(super) struct Op {
    reactor: Rc<Reactor>,
    key: Option<Key>,
}

impl Op {
    pub(super) fn start(reactor: &Rc<Reactor>, request: Request) -> Self {
        Self {
            reactor: Rc::clone(reactor),
            key: Some(reactor.submit(request)),
        }
    }
}

impl Future for Op {
    /// The bytes done, or the kernel's error, and the request with its memory.
    type Output = (io::Result<usize>, Request);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let key = self.key.expect("not polled after completion");
        let Poll::Ready((result, request)) = self.reactor.poll_op(key, cx) else {
            return Poll::Pending;
        };
        self.key = None;
        let done = usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result));
        Poll::Ready((done, request))
    }
}

impl Drop for Op {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.reactor.abandon_op(key);
        }
    }
}
