//! One executor: tasks, timers and a ring on one thread.
//!
//! A turn takes what other threads have woken, fires timers, polls a bounded number of tasks and
//! then visits the kernel once: everything submitted meanwhile goes in, everything completed comes
//! out. It sleeps there when no task is ready, until the next timer at the latest.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::executor::{self, Options};
use super::helpers;
use super::ops::{Ops, Request};
use super::readiness::PollState;
use super::registry;
use super::remote::{Remote, TaskWaker};
use super::slab::{Key, Slab};
use super::sys;
use super::timers::{TimerKey, Timers};
use super::uring::{Completion, IGNORED, RESERVED, Uring, Wait};
use crate::Instant;
use crate::executor::{ExecutorSpec, MainFn};
use crate::task::LocalFuture;

/// Polls between two visits to the kernel: what a completion may have to wait for.
const POLLS_PER_TURN: usize = 64;
/// What a task may do on sockets in one poll before it has to let others run: one unit for a call
/// and one for every 16 KiB.
const BUDGET: u32 = 128;
const BUDGET_UNIT_BYTES: usize = 16 * 1024;
/// `user_data` of the poll of the executor's own bell; failed messages to peers are counted from 0.
const BELL: u64 = RESERVED | 0x8000_0000;

/// A task between two polls. Its slot is empty while it is polled.
struct TaskState {
    future: LocalFuture,
    handle: Arc<TaskWaker>,
    waker: Waker,
}

/// One executor of the ring world.
pub(crate) struct Reactor {
    remote: Arc<Remote>,
    options: Options,
    /// `None` after the end.
    ring: RefCell<Option<Uring>>,
    ops: RefCell<Ops>,
    tasks: RefCell<Slab<Option<TaskState>>>,
    ready: RefCell<VecDeque<Key>>,
    timers: RefCell<Timers>,
    budget: Cell<u32>,
    random: RefCell<Vec<u64>>,
    /// Executors that were rung by ring message, by the number in the message's `user_data`.
    peers: RefCell<Vec<Arc<Remote>>>,
    kept_version: Cell<u64>,
    completions: RefCell<Vec<Completion>>,
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("name", &self.remote.name)
            .finish_non_exhaustive()
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Reactor>>> = const { RefCell::new(None) };
}

impl Reactor {
    /// A reactor for the calling thread, which must be the one to run it.
    pub(super) fn new(name: String, options: Options) -> io::Result<Self> {
        let ring = Uring::new()?;
        let remote = Remote::new(name, ring.fd())?;
        Ok(Self {
            remote: Arc::new(remote),
            options,
            ring: RefCell::new(Some(ring)),
            ops: RefCell::new(Ops::new()),
            tasks: RefCell::new(Slab::new()),
            ready: RefCell::new(VecDeque::new()),
            timers: RefCell::new(Timers::new()),
            budget: Cell::new(BUDGET),
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

    pub(crate) fn spawn(&self, future: LocalFuture) {
        self.add_task(future);
    }

    fn add_task(&self, future: LocalFuture) -> Key {
        let key = self.tasks.borrow_mut().insert(|key| {
            let handle = Arc::new(TaskWaker::queued(Arc::clone(&self.remote), key));
            Some(TaskState {
                future,
                waker: Waker::from(Arc::clone(&handle)),
                handle,
            })
        });
        self.ready.borrow_mut().push_back(key);
        key
    }

    pub(crate) fn spawn_executor(&self, spec: ExecutorSpec, main: MainFn) -> io::Result<()> {
        executor::start_thread(spec, self.options, main)
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

    /// Ready as long as the polled task has budget left; else it comes again after the others.
    pub(super) fn poll_budget(&self, cx: &Context<'_>) -> Poll<()> {
        if self.budget.get() > 0 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Charges the polled task for a call that moved `bytes`.
    pub(super) fn spend(&self, bytes: usize) {
        let units = 1 + (bytes / BUDGET_UNIT_BYTES) as u32;
        self.budget.set(self.budget.get().saturating_sub(units));
    }

    pub(super) fn submit(&self, request: Request) -> Key {
        self.ops
            .borrow_mut()
            .submit(self.ring.borrow_mut().as_mut(), request)
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
        let mut ring = self.ring.borrow_mut();
        let ring = ring.as_mut()?;
        Some(
            self.ops
                .borrow_mut()
                .poll_socket(ring, Rc::clone(state), Rc::clone(socket)),
        )
    }

    pub(super) fn remove_poll(&self, key: Key) {
        if let Some(ring) = self.ring.borrow_mut().as_mut() {
            ring.remove_poll(key.to_bits());
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

    /// Rings another executor's bell by a message from this ring, at the end of this turn.
    pub(super) fn ring_peer(&self, remote: &Arc<Remote>) {
        let mut ring = self.ring.borrow_mut();
        let Some(ring) = ring.as_mut() else {
            return remote.ring_bell();
        };
        let mut peers = self.peers.borrow_mut();
        let known = peers.iter().position(|peer| Arc::ptr_eq(peer, remote));
        let number = known.unwrap_or_else(|| {
            peers.push(Arc::clone(remote));
            peers.len() - 1
        });
        ring.message(remote.ring(), RESERVED | number as u64);
        self.remote.counters.doorbell();
    }

    /// Runs the future that `main` makes, and every task it spawns, until it is done. Then all
    /// other tasks are dropped, all I/O is reaped and the ring is closed.
    pub(super) fn run(self: Rc<Self>, main: impl FnOnce() -> LocalFuture) {
        let _member = registry::join(&self.remote);
        CURRENT.with(|current| *current.borrow_mut() = Some(Rc::clone(&self)));
        // Its drop ends everything in order, also when a task of a test panics.
        let running = Running(Rc::clone(&self));
        let done = crate::world::enter(crate::world::World::Ring(Rc::clone(&self)), || {
            self.arm_bell();
            let main = self.add_task(main());
            let done = self.turns(main);
            drop(running);
            done
        });
        // Whoever waits for this executor hears of its end by this drop.
        drop(done);
    }

    fn turns(&self, main: Key) -> LocalFuture {
        let mut turn_start = self.now();
        loop {
            self.take_foreign_wakes();
            self.fire_timers(turn_start);
            let (polls, done) = self.poll_ready(main);
            if let Some(main) = done {
                return main;
            }
            self.keep_files();
            let nanos = self.now().since(turn_start).as_nanos() as u64;
            self.remote.counters.turn(nanos, polls);
            self.visit_kernel(self.how_to_wait());
            turn_start = self.now();
            self.dispatch();
        }
    }

    fn take_foreign_wakes(&self) {
        let mut ready = self.ready.borrow_mut();
        while let Some(key) = self.remote.next_woken() {
            ready.push_back(key);
        }
    }

    fn fire_timers(&self, now: Instant) {
        loop {
            let due = self.timers.borrow_mut().pop_due(now);
            let Some(waker) = due else { return };
            waker.wake();
        }
    }

    /// Polls the tasks that are ready now, not those that become ready meanwhile.
    fn poll_ready(&self, main: Key) -> (u64, Option<LocalFuture>) {
        let count = self.ready.borrow().len().min(POLLS_PER_TURN);
        for polls in 1..=count {
            let next = self.ready.borrow_mut().pop_front();
            let Some(key) = next else {
                return (polls as u64, None);
            };
            let done = self.poll_task(key);
            if done.is_some() && key == main {
                return (polls as u64, done);
            }
        }
        (count as u64, None)
    }

    /// Polls one task; gives back its future if that is done.
    fn poll_task(&self, key: Key) -> Option<LocalFuture> {
        // A task that is gone may still have been woken.
        let mut task = self.tasks.borrow_mut().get_mut(key)?.take()?;
        self.budget.set(BUDGET);
        task.handle.take();
        if task
            .future
            .as_mut()
            .poll(&mut Context::from_waker(&task.waker))
            .is_ready()
        {
            self.tasks.borrow_mut().remove(key);
            return Some(task.future);
        }
        *self.tasks.borrow_mut().get_mut(key)? = Some(task);
        None
    }

    /// Lets the ring hold the process's lock files as registered files: it lives until its last
    /// I/O has ended, also when the process is killed. Files are let go only between I/O.
    fn keep_files(&self) {
        let version = registry::kept_version();
        if version == self.kept_version.get() {
            return;
        }
        let idle = self.ops.borrow().files() == 0;
        let mut ring = self.ring.borrow_mut();
        let Some(ring) = ring.as_mut() else { return };
        let none = if idle { -1 } else { -2 };
        // Refused at worst by a limit on registrations: the descriptor itself still holds the lock.
        let _kept = registry::with_kept(none, |fds| ring.keep_files(fds));
        if idle {
            self.kept_version.set(version);
        }
    }

    fn how_to_wait(&self) -> Wait {
        if !self.ready.borrow().is_empty() {
            return Wait::No;
        }
        let deadline = self.timers.borrow().next_deadline();
        let wait = match deadline.map(|deadline| deadline.since(self.now())) {
            None => Wait::Completion,
            Some(left) if left.is_zero() => return Wait::No,
            Some(left) => Wait::AtMost(left),
        };
        if self.remote.try_sleep() {
            wait
        } else {
            Wait::No
        }
    }

    fn visit_kernel(&self, wait: Wait) {
        if let Some(ring) = self.ring.borrow_mut().as_mut() {
            // Nothing of what may come here can be mended by trying on: the ring itself is broken.
            ring.enter(wait).expect("io_uring_enter");
            ring.reap(&mut self.completions.borrow_mut());
        }
        self.remote.wake_up();
    }

    /// Answers the completions that were fetched. Wakers and drops may do anything: nothing is
    /// borrowed when they run.
    fn dispatch(&self) {
        let mut completions = self.completions.take();
        self.remote.counters.completions(completions.len() as u64);
        for completion in completions.drain(..) {
            if completion.user_data >= RESERVED {
                self.answer_own(completion);
                continue;
            }
            let completed = self.ops.borrow_mut().complete(completion);
            if let Some((state, completion)) = completed.polled {
                state.note(completion);
            }
            if let Some(waker) = completed.waker {
                waker.wake();
            }
        }
        *self.completions.borrow_mut() = completions;
    }

    fn answer_own(&self, completion: Completion) {
        match completion.user_data {
            IGNORED => {},
            BELL if completion.more => {},
            BELL => self.arm_bell(),
            failed => {
                // The peer's ring is gone, or cannot take messages: its bell still works.
                let peers = self.peers.borrow();
                if let Some(peer) = peers.get((failed - RESERVED) as usize) {
                    peer.ring_bell();
                }
            },
        }
    }

    /// Polls the bell for ever. It is never read: every signal to it is a new edge.
    fn arm_bell(&self) {
        if let Some(ring) = self.ring.borrow_mut().as_mut() {
            ring.poll(self.remote.bell(), BELL);
        }
    }

    fn drop_tasks(&self) {
        loop {
            let keys = self.tasks.borrow().keys();
            if keys.is_empty() {
                break;
            }
            for key in keys {
                let task = self.tasks.borrow_mut().remove(key);
                drop(task);
            }
        }
        self.ready.borrow_mut().clear();
        self.timers.borrow_mut().clear();
    }

    /// Waits until the kernel has let go of all memory. Closing a ring does not: its disk writes
    /// would go on, from memory that is somebody else's by then.
    fn reap_all(&self) {
        if let Some(ring) = self.ring.borrow_mut().as_mut() {
            ring.cancel_all();
        }
        while self.ops.borrow().in_flight() > 0 {
            self.visit_kernel(Wait::Completion);
            self.dispatch();
        }
        // Messages to peers that were queued last.
        self.visit_kernel(Wait::No);
        self.dispatch();
    }
}

/// A reactor between its first turn and its end.
struct Running(Rc<Reactor>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.drop_tasks();
        self.0.reap_all();
        let ring = self.0.ring.take();
        drop(ring);
        CURRENT.with(RefCell::take);
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
