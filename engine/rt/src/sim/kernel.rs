//! The turn of the simulation: poll a ready task, or else let time pass to the next event.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context as TaskContext;

use crossbeam::queue::SegQueue;

use super::context::Context;
use super::events::{Event, EventKey, Events};
use super::faults::Faults;
use super::net::{EndId, Net};
use super::node::{CrashKind, CrashPoint, Life, Node};
use super::options::Options;
use super::panics::name_seed_in_panics;
use super::prng::Prng;
use super::scheduler::{MAIN_TASK, Remains, Scheduler, TaskId};
use super::world::Stats;
use crate::ring::Origin;
use crate::task::LocalFuture;

/// So many polls without time passing are no progress.
const POLLS_WITHOUT_TIME_MAX: u64 = 10_000_000;

/// Everything that happens in a world, on one thread.
pub(super) struct Kernel {
    pub(super) seed: u64,
    pub(super) options: Options,
    pub(super) prng: RefCell<Prng>,
    pub(super) events: RefCell<Events>,
    pub(super) scheduler: RefCell<Scheduler>,
    pub(super) nodes: RefCell<Vec<Rc<Node>>>,
    pub(super) net: RefCell<Net>,
    pub(super) stats: Cell<Stats>,
    pub(super) faults: RefCell<Faults>,
    /// Ends of connections whose sockets were dropped, wherever that was.
    pub(super) dropped_sockets: Arc<SegQueue<EndId>>,
    crash_points: RefCell<Vec<ArmedCrash>>,
    clock: Cell<u64>,
    hash: Cell<u64>,
    lives: Cell<u64>,
    polls_without_time: Cell<u64>,
}

struct ArmedCrash {
    node: Rc<Node>,
    counter: fn(&Node) -> u64,
    at: u64,
    kind: CrashKind,
}

/// What a scheduling decision or an event was, for the hash of a run.
#[derive(Clone, Copy)]
pub(super) enum Decision {
    Poll = 1,
    Event,
    Stall,
    DiskStart,
    DiskEnd,
    Segment,
    Crash,
    Fault,
}

impl Kernel {
    pub(super) fn new(seed: u64, options: Options) -> Rc<Self> {
        let faults = Faults::new(options.fault_mask.clone());
        let kernel = Rc::new(Self {
            seed,
            options,
            prng: RefCell::new(Prng::new(seed)),
            events: RefCell::default(),
            scheduler: RefCell::default(),
            nodes: RefCell::default(),
            net: RefCell::default(),
            stats: Cell::default(),
            faults: RefCell::new(faults),
            dropped_sockets: Arc::default(),
            crash_points: RefCell::default(),
            clock: Cell::new(1_000_000),
            hash: Cell::new(seed),
            lives: Cell::new(0),
            polls_without_time: Cell::new(0),
        });
        name_seed_in_panics(&kernel);
        kernel
    }

    /// Nanoseconds of virtual time.
    pub(super) fn now(&self) -> u64 {
        self.clock.get()
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash.get()
    }

    pub(super) fn fold(&self, decision: Decision, value: u64) {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let word = value.wrapping_mul(16).wrapping_add(decision as u64);
        self.hash
            .set((self.hash.get().rotate_left(5) ^ word).wrapping_mul(ODD));
    }

    pub(super) fn count(&self, add: impl FnOnce(&mut Stats)) {
        let mut stats = self.stats.get();
        add(&mut stats);
        self.stats.set(stats);
    }

    /// Has `call` run `nanos` from now.
    pub(super) fn after(&self, nanos: u64, call: impl FnOnce(&Rc<Self>) + 'static) -> EventKey {
        let at = self.now().saturating_add(nanos);
        self.events
            .borrow_mut()
            .add(at, Event::Call(Box::new(call)))
    }

    /// Does one thing, at `limit` of virtual time at the latest; says whether there was one.
    pub(super) fn step(self: &Rc<Self>, limit: u64) -> bool {
        self.close_dropped_sockets();
        let picked = {
            let mut scheduler = self.scheduler.borrow_mut();
            scheduler.listen(None);
            scheduler.pick(&mut self.prng.borrow_mut())
        };
        if let Some(task) = picked {
            self.poll(task);
        } else {
            let Some((key, event)) = self.events.borrow_mut().pop(limit) else {
                return false;
            };
            self.happen(key, event);
        }
        self.strike();
        self.strike_due();
        true
    }

    /// Lets time pass up to `limit` where nothing happens.
    pub(super) fn idle_until(&self, limit: u64) {
        self.clock.set(self.now().max(limit));
    }

    fn happen(self: &Rc<Self>, key: EventKey, event: Event) {
        let (at, number) = key;
        if at > self.now() {
            self.clock.set(at);
            self.polls_without_time.set(0);
        }
        self.fold(Decision::Event, at ^ number.rotate_left(40));
        match event {
            Event::Timer(waker) => waker.wake(),
            Event::Call(call) => call(self),
        }
    }

    fn poll(self: &Rc<Self>, id: TaskId) {
        let Some(turn) = self.scheduler.borrow_mut().take(id) else {
            return;
        };
        self.fold(Decision::Poll, (id.executor << 40) ^ id.task);
        self.count(|stats| stats.polls += 1);
        let context = Rc::clone(&turn.context);
        context.node.polls.set(context.node.polls.get() + 1);
        self.faults.borrow_mut().poll_ends(context.node.id);
        turn.bell.reset();
        let waker = turn.waker();
        let mut future = turn.future;
        let done = context.enter(|| {
            future
                .as_mut()
                .poll(&mut TaskContext::from_waker(&waker))
                .is_ready()
        });
        self.after_poll(&context, id, future, done);
        self.scheduler.borrow_mut().listen(Some(id));
        self.maybe_stall(id.executor);
        self.watch_for_livelock(&context);
    }

    fn after_poll(
        self: &Rc<Self>,
        context: &Rc<Context>,
        id: TaskId,
        future: LocalFuture,
        done: bool,
    ) {
        if !done {
            self.scheduler.borrow_mut().put_back(id, future);
        } else if id.task == MAIN_TASK {
            let left = self.scheduler.borrow().waiting_tasks(id.executor);
            context.life.left.borrow_mut().extend(left);
            let tasks = self.scheduler.borrow_mut().end(id.executor, future);
            context.enter(|| drop(tasks));
            self.finish_if_idle(context);
        } else {
            self.scheduler.borrow_mut().remove_task(id);
            context.enter(|| drop(future));
        }
    }

    fn maybe_stall(&self, executor: u64) {
        let mut prng = self.prng.borrow_mut();
        if !prng.chance(self.options.stall_probability) {
            return;
        }
        let nanos = prng.nanos(&self.options.stall);
        self.fold(Decision::Stall, nanos);
        self.scheduler.borrow_mut().stall(executor, &mut prng);
        self.after(nanos, move |kernel| {
            kernel.scheduler.borrow_mut().resume(executor);
        });
    }

    fn watch_for_livelock(&self, context: &Context) {
        let polls = self.polls_without_time.get() + 1;
        self.polls_without_time.set(polls);
        assert!(
            polls < POLLS_WITHOUT_TIME_MAX,
            "{} keeps running and no time passes",
            context.name()
        );
    }

    /// Starts an executor on `node`, as part of its current life.
    pub(super) fn add_executor(
        self: &Rc<Self>,
        node: &Rc<Node>,
        label: String,
        main: LocalFuture,
        origin: Origin,
    ) {
        let life = node.life();
        if life.is_over() {
            return;
        }
        life.executors.set(life.executors.get() + 1);
        let context = self.scheduler.borrow_mut().add(|number| {
            Rc::new(Context {
                kernel: Rc::clone(self),
                node: Rc::clone(node),
                life,
                number,
                label,
                in_flight: Cell::new(0),
            })
        });
        context.spawn(main, origin);
    }

    /// Starts a new life of `node`, booting the machine if the power was off.
    pub(super) fn begin_life(self: &Rc<Self>, node: &Node) {
        self.lives.set(self.lives.get() + 1);
        node.begin_life(Life::new(self.lives.get()));
        if !node.powered.replace(true) || node.monotonic_offset.get() == 0 {
            let boot = self.prng.borrow_mut().below(1 << 42);
            node.monotonic_offset.set(boot + 1);
        }
        if self.faults.borrow().want_older_files(node.id) {
            node.disk.remember();
        }
        self.begin_faults(node);
    }

    /// Removes an executor whose main future is done, once its last disk operation has ended.
    pub(super) fn finish_if_idle(&self, context: &Rc<Context>) {
        let number = context.number;
        if context.in_flight.get() > 0 || !self.scheduler.borrow().is_ending(number) {
            return;
        }
        let remains = self.scheduler.borrow_mut().finish(number);
        remains.into_iter().for_each(bury);
        let life = &context.life;
        life.executors.set(life.executors.get() - 1);
        if life.executors.get() == 0 {
            life.end();
            self.net
                .borrow_mut()
                .end_life(self, life.number, CrashKind::Kill);
        }
    }

    /// Ends the current life of `node`.
    pub(super) fn crash(self: &Rc<Self>, node: &Rc<Node>, kind: CrashKind) {
        self.fold(Decision::Crash, node.id.0 as u64);
        self.trace(|| format!("{}: {kind:?}", node.name));
        self.count(|stats| match kind {
            CrashKind::Kill => stats.kills += 1,
            CrashKind::PowerCut => stats.power_cuts += 1,
        });
        let life = node.life();
        life.end();
        let remains = self.remove_executors(|context| Rc::ptr_eq(&context.life, &life));
        // The sockets and the disk go first: what the tasks do while they are dropped goes nowhere.
        self.close_dropped_sockets();
        self.net.borrow_mut().end_life(self, life.number, kind);
        node.disk.crash(self, life.number, kind);
        if kind == CrashKind::PowerCut {
            node.powered.set(false);
        }
        remains.into_iter().for_each(bury);
    }

    fn remove_executors(&self, belongs: impl Fn(&Context) -> bool) -> Vec<Remains> {
        let mut scheduler = self.scheduler.borrow_mut();
        let numbers = scheduler.numbers(belongs);
        numbers
            .into_iter()
            .filter_map(|number| scheduler.finish(number))
            .collect()
    }

    pub(super) fn arm(self: &Rc<Self>, node: &Rc<Node>, point: CrashPoint, kind: CrashKind) {
        let (counter, count): (fn(&Node) -> u64, u64) = match point {
            CrashPoint::After(duration) => {
                let node = Rc::clone(node);
                let nanos = duration.as_nanos() as u64;
                self.after(nanos, move |kernel| kernel.crash(&node, kind));
                return;
            },
            CrashPoint::Polls(count) => (|node| node.polls.get(), count),
            CrashPoint::DiskStarts(count) => (|node| node.disk.starts(), count),
            CrashPoint::DiskEnds(count) => (|node| node.disk.ends(), count),
        };
        let at = counter(node) + count;
        let armed = ArmedCrash {
            node: Rc::clone(node),
            counter,
            at,
            kind,
        };
        self.crash_points.borrow_mut().push(armed);
    }

    /// Crashes the nodes that have reached their point.
    fn strike(self: &Rc<Self>) {
        if self.crash_points.borrow().is_empty() {
            return;
        }
        let is_due = |armed: &mut ArmedCrash| (armed.counter)(&armed.node) >= armed.at;
        let due: Vec<_> = self
            .crash_points
            .borrow_mut()
            .extract_if(.., is_due)
            .collect();
        for armed in due {
            self.crash(&armed.node, armed.kind);
        }
    }

    fn close_dropped_sockets(&self) {
        while let Some(end) = self.dropped_sockets.pop() {
            self.net.borrow_mut().close(self, end);
        }
    }

    /// Drops everything that refers back to this kernel.
    pub(super) fn end(self: &Rc<Self>) {
        for node in self.nodes.borrow().iter() {
            node.life().end();
        }
        self.remove_executors(|_| true).into_iter().for_each(bury);
        drop(self.events.borrow_mut().take());
        for node in self.nodes.borrow().iter() {
            node.disk.forget_operations();
        }
        drop(self.net.take());
        drop(self.crash_points.take());
    }

    pub(super) fn trace(&self, message: impl FnOnce() -> String) {
        if self.options.trace {
            let seconds = self.now() as f64 / 1e9;
            eprintln!("[{} {seconds:>12.6}] {}", self.seed, message());
        }
    }
}

/// Drops what an executor left behind, in its name.
fn bury(remains: Remains) {
    remains.context.enter(|| drop(remains.futures));
}
