//! Readiness of a socket: one multishot poll for its whole life, edge-triggered.
//!
//! I/O is tried first. Only when the socket has nothing to give or no room is its poll armed (once)
//! and its next report awaited. No memory is ever lent to the kernel, so that a future may be
//! dropped at any time.

use std::cell::{Cell, RefCell};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::reactor::Reactor;
use super::slab::Key;
use super::uring::Completion;

const FAILED: i32 = (libc::POLLERR | libc::POLLHUP) as i32;
const READABLE: i32 = libc::POLLIN as i32 | libc::POLLRDHUP as i32 | FAILED;
const WRITABLE: i32 = libc::POLLOUT as i32 | FAILED;
const ENDED: i32 = libc::POLLRDHUP as i32 | FAILED;

/// One direction: whether trying is worth it, and who waits for that.
#[derive(Default)]
struct Direction {
    ready: Cell<bool>,
    waiting: RefCell<Option<Waker>>,
}

impl Direction {
    fn set_ready(&self) {
        self.ready.set(true);
        let waiting = self.waiting.take();
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

/// What the poll has reported.
pub(super) struct PollState {
    read: Direction,
    write: Direction,
    /// The peer has closed or the connection broke: reads never wait again.
    ended: Cell<bool>,
    armed: Cell<bool>,
}

impl PollState {
    pub(super) fn note(&self, completion: Completion) {
        // A poll that ended says nothing about what comes next: both sides try and arm it again.
        let over = !completion.more || completion.result < 0;
        self.armed.set(completion.more);
        if completion.result > 0 && completion.result & ENDED != 0 {
            self.ended.set(true);
        }
        if over || completion.result & READABLE != 0 {
            self.read.set_ready();
        }
        if over || completion.result & WRITABLE != 0 {
            self.write.set_ready();
        }
    }
}

/// A socket with its poll.
pub(super) struct Readiness {
    reactor: Rc<Reactor>,
    socket: Rc<dyn AsRawFd>,
    state: Rc<PollState>,
    key: Cell<Option<Key>>,
}

impl Readiness {
    pub(super) fn new(reactor: &Rc<Reactor>, socket: Rc<dyn AsRawFd>) -> Self {
        // A new socket has room, but seldom something to read yet: its poll says when.
        let write = Direction {
            ready: Cell::new(true),
            ..Direction::default()
        };
        let state = PollState {
            read: Direction::default(),
            write,
            ended: Cell::new(false),
            armed: Cell::new(false),
        };
        Self {
            reactor: Rc::clone(reactor),
            socket,
            state: Rc::new(state),
            key: Cell::new(None),
        }
    }

    /// Ready when reading is worth a try and the task has not had more than its share.
    pub(super) fn poll_read(&self, cx: &Context<'_>) -> Poll<()> {
        self.poll(&self.state.read, cx)
    }

    /// Ready when writing is worth a try and the task has not had more than its share.
    pub(super) fn poll_write(&self, cx: &Context<'_>) -> Poll<()> {
        self.poll(&self.state.write, cx)
    }

    fn poll(&self, direction: &Direction, cx: &Context<'_>) -> Poll<()> {
        if direction.ready.get() {
            return self.reactor.poll_budget(cx);
        }
        let mut waiting = direction.waiting.borrow_mut();
        match &mut *waiting {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *waiting = Some(cx.waker().clone()),
        }
        if !self.state.armed.replace(true) {
            self.key
                .set(self.reactor.poll_socket(&self.state, &self.socket));
        }
        Poll::Pending
    }

    /// The socket had nothing more to read. After its end there is always something: that end.
    pub(super) fn clear_read(&self) {
        self.state.read.ready.set(self.state.ended.get());
    }

    /// The socket has no room.
    pub(super) fn clear_write(&self) {
        self.state.write.ready.set(false);
    }
}

impl Drop for Readiness {
    fn drop(&mut self) {
        // The poll holds the socket open: no FIN leaves before it is gone.
        if self.state.armed.get()
            && let Some(key) = self.key.get()
        {
            self.reactor.cancel_poll(key, self.socket.as_raw_fd());
        }
    }
}
