//! One executor: what tasks ask of it. How it runs them stands in `turn.rs`.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::driver::Driver;
use super::executor::{self, Options};
use super::helpers;
use super::ops::{Ops, Request};
use super::readiness::PollState;
use super::remote::{Remote, TaskWaker};
use super::slab::{Key, Slab};
use super::stalls::Origin;
use super::sys;
use super::timers::{TimerKey, Timers};
use super::uring::{Completion, RESERVED};
use crate::Instant;
use crate::executor::{ExecutorSpec, MainFn};
use crate::task::LocalFuture;

/// What a task may do on sockets in one poll before it has to let others run: one unit for a call
/// and one for every 16 KiB.
pub(super) const BUDGET: u32 = 128;
const BUDGET_UNIT_BYTES: usize = 16 * 1024;
/// Bytes that sockets move in a turn before the kernel is visited: about 30 us of copies, and on a
/// loopback as much again for the receiver's side.
pub(super) const BYTES_PER_TURN: usize = 128 * 1024;

/// A task between two polls. Its slot is empty while it is polled.
pub(super) struct TaskState {
    pub(super) future: LocalFuture,
    pub(super) handle: Arc<TaskWaker>,
    pub(super) waker: Waker,
}

/// One executor of the ring world.
pub(crate) struct Reactor {
    pub(super) remote: Arc<Remote>,
    pub(super) options: Options,
    /// `None` after the end.
    pub(super) driver: RefCell<Option<Driver>>,
    pub(super) ops: RefCell<Ops>,
    pub(super) tasks: RefCell<Slab<Option<TaskState>>>,
    pub(super) ready: RefCell<VecDeque<Key>>,
    pub(super) timers: RefCell<Timers>,
    pub(super) budget: Cell<u32>,
    /// Bytes that sockets have moved in this turn.
    pub(super) moved: Cell<usize>,
    pub(super) random: RefCell<Vec<u64>>,
    /// Executors that were rung by ring message, by the number in the message's `user_data`.
    pub(super) peers: RefCell<Vec<Arc<Remote>>>,
    pub(super) kept_version: Cell<u64>,
    pub(super) completions: RefCell<Vec<Completion>>,
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("name", &self.remote.name)
            .finish_non_exhaustive()
    }
}

thread_local! {
    pub(super) static CURRENT: RefCell<Option<Rc<Reactor>>> = const { RefCell::new(None) };
}

impl Reactor {
    /// A reactor for the calling thread, which must be the one to run it.
    pub(super) fn new(name: String, options: Options) -> io::Result<Self> {
        let (driver, remote) = Driver::new(name, options)?;
        Ok(Self {
            remote,
            options,
            driver: RefCell::new(Some(driver)),
            ops: RefCell::new(Ops::new()),
            tasks: RefCell::new(Slab::new()),
            ready: RefCell::new(VecDeque::new()),
            timers: RefCell::new(Timers::new()),
            budget: Cell::new(BUDGET),
            moved: Cell::new(0),
            random: RefCell::new(Vec::new()),
            peers: RefCell::new(Vec::new()),
            kept_version: Cell::new(0),
            completions: RefCell::new(Vec::new()),
        })
    }

    /// Calls `f` with the reactor that runs on this thread, if one does.
    pub(super) fn with_current<R>(f: impl FnOnce(&Self) -> R) -> Option<R> {
        // A waker may be called when the thread ends and its variables are gone.
        CURRENT
            .try_with(|current| current.borrow().as_deref().map(f))
            .ok()
            .flatten()
    }

    pub(crate) fn spawn(&self, future: LocalFuture, origin: Origin) {
        self.add_task(future, origin);
    }

    pub(super) fn add_task(&self, future: LocalFuture, origin: Origin) -> Key {
        let key = self.tasks.borrow_mut().insert(|key| {
            let remote = Arc::clone(&self.remote);
            let handle = Arc::new(TaskWaker::queued(remote, key, origin));
            Some(TaskState {
                future,
                waker: Waker::from(Arc::clone(&handle)),
                handle,
            })
        });
        self.ready.borrow_mut().push_back(key);
        key
    }

    pub(crate) fn spawn_executor(
        &self,
        spec: ExecutorSpec,
        main: MainFn,
        origin: Origin,
    ) -> io::Result<()> {
        executor::start_thread(spec, self.options, main, origin)
    }

    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        helpers::run(work).await
    }

    #[expect(
        clippy::unused_self,
        reason = "the clock is the kernel's, the question the world's"
    )]
    pub(crate) fn now(&self) -> Instant {
        Instant::from_nanos(sys::monotonic_nanos())
    }

    #[expect(clippy::unused_self, reason = "as for now")]
    pub(crate) fn wall_clock_ms(&self) -> i64 {
        sys::wall_clock_ms()
    }

    pub(crate) fn random_u64(&self) -> u64 {
        let mut random = self.random.borrow_mut();
        if random.is_empty() {
            let mut words = [0; 32];
            sys::random(&mut words);
            random.extend(words);
        }
        random.pop().expect("just filled")
    }

    pub(crate) async fn sleep_until(&self, deadline: Instant) {
        let mut timer = SetTimer {
            reactor: self,
            key: None,
        };
        poll_fn(|cx| timer.poll(deadline, cx)).await;
    }

    /// Ready as long as the polled task and the turn have budget left; else the task comes again
    /// after the others.
    pub(super) fn poll_budget(&self, cx: &Context<'_>) -> Poll<()> {
        if self.budget.get() > 0 && self.moved.get() < BYTES_PER_TURN {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Bytes that a socket may still move in this turn; one unit where it has had its share.
    pub(super) fn room(&self) -> usize {
        let left = BYTES_PER_TURN.saturating_sub(self.moved.get());
        left.max(BUDGET_UNIT_BYTES)
    }

    /// Charges the polled task for a call that moved `bytes`.
    pub(super) fn spend(&self, bytes: usize) {
        let units = 1 + (bytes / BUDGET_UNIT_BYTES) as u32;
        self.budget.set(self.budget.get().saturating_sub(units));
        self.moved.set(self.moved.get() + bytes);
    }

    pub(super) fn submit(&self, request: Request) -> Key {
        self.ops
            .borrow_mut()
            .submit(self.driver.borrow_mut().as_mut(), request)
    }

    pub(super) fn poll_op(&self, key: Key, cx: &Context<'_>) -> Poll<(i32, Request)> {
        self.ops.borrow_mut().poll(key, cx)
    }

    pub(super) fn abandon_op(&self, key: Key) {
        let abandoned = self.ops.borrow_mut().abandon(key);
        drop(abandoned);
    }

    pub(super) fn poll_socket(
        &self,
        state: &Rc<PollState>,
        socket: &Rc<dyn AsRawFd>,
    ) -> Option<Key> {
        let mut driver = self.driver.borrow_mut();
        let driver = driver.as_mut()?;
        Some(
            self.ops
                .borrow_mut()
                .poll_socket(driver, Rc::clone(state), Rc::clone(socket)),
        )
    }

    pub(super) fn cancel_poll(&self, key: Key, fd: RawFd) {
        if let Some(driver) = self.driver.borrow_mut().as_mut() {
            driver.cancel_poll(fd, key.to_bits());
        }
    }

    /// Queues `key` if it is a task of this very executor.
    pub(super) fn wake_local(&self, remote: &Arc<Remote>, key: Key) -> bool {
        let local = Arc::ptr_eq(remote, &self.remote);
        if local {
            self.ready.borrow_mut().push_back(key);
        }
        local
    }

    /// Wakes another executor: by a message from ring to ring, at the end of this turn, or by its
    /// bell.
    pub(super) fn ring_peer(&self, remote: &Arc<Remote>) {
        self.remote.counters.doorbell();
        let mut driver = self.driver.borrow_mut();
        let (Some(Driver::Ring(ring)), Some(its_ring)) = (driver.as_mut(), remote.ring()) else {
            return remote.ring_bell();
        };
        let mut peers = self.peers.borrow_mut();
        let known = peers.iter().position(|peer| Arc::ptr_eq(peer, remote));
        let number = known.unwrap_or_else(|| {
            peers.push(Arc::clone(remote));
            peers.len() - 1
        });
        ring.message(its_ring, RESERVED | number as u64);
    }
}

/// A timer that is taken back when its future is dropped.
struct SetTimer<'a> {
    reactor: &'a Reactor,
    key: Option<TimerKey>,
}

impl SetTimer<'_> {
    fn poll(&mut self, deadline: Instant, cx: &Context<'_>) -> Poll<()> {
        if self.reactor.now() >= deadline {
            return Poll::Ready(());
        }
        let mut timers = self.reactor.timers.borrow_mut();
        match self.key {
            Some(key) => timers.update(key, cx.waker()),
            None => self.key = Some(timers.set(deadline, cx.waker().clone())),
        }
        Poll::Pending
    }
}

impl Drop for SetTimer<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.reactor.timers.borrow_mut().remove(key);
        }
    }
}
