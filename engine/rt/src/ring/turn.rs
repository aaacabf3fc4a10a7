//! The turns of an executor, and its end.
//!
//! A turn takes what other threads have woken, fires timers, polls a bounded number of tasks and
//! then visits the kernel once: everything submitted meanwhile goes in, everything completed comes
//! out. It sleeps there when no task is ready, until the next timer at the latest. The turn is over
//! when it may sleep; a visit in which it may not is part of the turn.

use std::cell::RefCell;
use std::hint;
use std::rc::Rc;
use std::task::Context;

use super::driver::Driver;
use super::reactor::{BUDGET, BYTES_PER_TURN, CURRENT, Reactor};
use super::registry;
use super::slab::Key;
use super::stalls::{Origin, Part, Watch};
use super::uring::{Completion, IGNORED, RESERVED, Wait};
use crate::Instant;
use crate::task::LocalFuture;
use crate::world::{self, World};

/// Polls between two visits to the kernel: what a completion may have to wait for.
const POLLS_PER_TURN: usize = 64;
/// `user_data` of the poll of the executor's own bell; failed messages to peers are counted from 0.
const BELL: u64 = RESERVED | 0x8000_0000;

impl Reactor {
    /// Runs the future that `main` makes, and every task it spawns, until it is done. Then all
    /// other tasks are dropped, all I/O is reaped and its side of the kernel is closed.
    pub(super) fn run(self: Rc<Self>, main: impl FnOnce() -> LocalFuture, origin: Origin) {
        let _member = registry::join(&self.remote);
        let before = CURRENT.with(|current| current.replace(Some(Rc::clone(&self))));
        assert!(before.is_none(), "one executor per thread");
        // Its drop ends everything in order, also when a task of a test panics.
        let running = Running(Rc::clone(&self));
        let done = world::enter(World::Ring(Rc::clone(&self)), || {
            self.arm_bell();
            let main = self.add_task(main(), origin);
            let done = self.turns(main);
            drop(running);
            done
        });
        // Whoever waits for this executor hears of its end by this drop.
        drop(done);
    }

    fn turns(&self, main: Key) -> LocalFuture {
        let mut watch = Watch::new(self.options);
        let mut now = self.now();
        loop {
            watch.begin(now);
            self.dispatch();
            watch.done(Part::Completions);
            self.take_foreign_wakes();
            watch.done(Part::Wakes);
            self.fire_timers(now);
            watch.done(Part::Timers);
            if let Some(main) = self.poll_ready(main, &mut watch) {
                return main;
            }
            self.keep_files();
            now = watch.read(Part::Tasks);
            let more = !self.ready.borrow().is_empty();
            if more || !self.options.spin.is_zero() || self.options.audit_turns {
                self.visit_kernel(Wait::No);
                now = watch.read(Part::Kernel);
            }
            watch.end(&self.remote);
            if !more && self.completions.borrow().is_empty() {
                self.visit_kernel(self.how_to_wait(now));
                now = self.now();
            }
        }
    }

    fn take_foreign_wakes(&self) {
        let mut ready = self.ready.borrow_mut();
        while let Some(key) = self.remote.doorbell().next() {
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

    /// Polls the tasks that are ready now, not those that become ready meanwhile. Gives back the
    /// future of `main` when that is done.
    fn poll_ready(&self, main: Key, watch: &mut Watch) -> Option<LocalFuture> {
        let count = self.ready.borrow().len().min(POLLS_PER_TURN);
        self.moved.set(0);
        for _ in 0..count {
            if self.moved.get() >= BYTES_PER_TURN {
                break;
            }
            let key = self.ready.borrow_mut().pop_front()?;
            let done = self.poll_task(key, watch);
            if done.is_some() && key == main {
                return done;
            }
        }
        None
    }

    /// Polls one task; gives back its future if that is done.
    fn poll_task(&self, key: Key, watch: &mut Watch) -> Option<LocalFuture> {
        // A task that is gone may still have been woken.
        let mut task = self.tasks.borrow_mut().get_mut(key)?.take()?;
        self.budget.set(BUDGET);
        task.handle.take();
        let polled = task
            .future
            .as_mut()
            .poll(&mut Context::from_waker(&task.waker));
        watch.polled(task.handle.origin());
        if polled.is_ready() {
            self.tasks.borrow_mut().remove(key);
            return Some(task.future);
        }
        *self.tasks.borrow_mut().get_mut(key)? = Some(task);
        None
    }

    /// Lets the driver hold the process's lock files open until its last I/O has ended, also when
    /// the process is killed. Files are let go only between I/O.
    fn keep_files(&self) {
        let version = registry::kept_version();
        if version == self.kept_version.get() {
            return;
        }
        let idle = self.ops.borrow().files() == 0;
        if let Some(driver) = self.driver.borrow_mut().as_mut() {
            driver.keep_files(idle);
        }
        if idle {
            self.kept_version.set(version);
        }
    }

    /// How to wait where no task is ready, as of `now`.
    fn how_to_wait(&self, mut now: Instant) -> Wait {
        if !self.options.spin.is_zero() {
            if self.spin(now) {
                return Wait::No;
            }
            now = self.now();
        }
        let deadline = self.timers.borrow().next_deadline();
        let wait = match deadline.map(|deadline| deadline.since(now)) {
            None => Wait::Completion,
            Some(left) if left.is_zero() => return Wait::No,
            Some(left) => Wait::AtMost(left),
        };
        if self.remote.doorbell().try_sleep() {
            wait
        } else {
            Wait::No
        }
    }

    /// Looks out for work for a while, where the operator prefers latency to an idle core. Whether
    /// some has come.
    fn spin(&self, now: Instant) -> bool {
        let end = now + self.options.spin;
        loop {
            let mut driver = self.driver.borrow_mut();
            let has_news = driver.as_mut().is_some_and(Driver::has_news);
            if has_news || self.remote.doorbell().has_mail() {
                return true;
            }
            if self.now() >= end {
                return false;
            }
            hint::spin_loop();
        }
    }

    fn visit_kernel(&self, wait: Wait) {
        if let Some(driver) = self.driver.borrow_mut().as_mut() {
            // Nothing of what may come here can be mended by trying on: the driver itself is broken.
            driver.enter(wait).expect("io_uring_enter, epoll_wait");
            driver.reap(
                &mut self.completions.borrow_mut(),
                &mut self.ops.borrow_mut(),
            );
        }
        self.remote.doorbell().wake_up();
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
        if let Some(driver) = self.driver.borrow_mut().as_mut() {
            driver.poll(self.remote.bell(), BELL);
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
    /// would go on, from memory that is somebody else's by then. A request with a file thread would
    /// outlive its executor.
    fn reap_all(&self) {
        // Polls of sockets that no task owned. What a disk has begun ends by itself.
        let polls = self.ops.borrow_mut().armed_polls();
        for (poll, fd) in polls {
            self.cancel_poll(poll, fd);
        }
        while self.ops.borrow().in_flight() > 0 {
            // Nobody is left to be woken.
            self.take_foreign_wakes();
            self.visit_kernel(self.how_to_wait(self.now()));
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
        let driver = self.0.driver.take();
        drop(driver);
        CURRENT.with(RefCell::take);
    }
}
