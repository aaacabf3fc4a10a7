//! Which world the current thread's executor belongs to.

use std::cell::RefCell;
use std::rc::Rc;

use crate::{ring, sim};

/// The executor that polls the current task.
#[derive(Clone)]
pub(crate) enum World {
    /// A reactor of the ring world, one per thread.
    Ring(Rc<ring::Reactor>),
    /// One of many executors that the simulation polls on one thread.
    Sim(Rc<sim::Context>),
}

thread_local! {
    static CURRENT: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// The world of the running task.
///
/// # Panics
/// Outside an executor: a programmer's mistake.
pub(crate) fn current() -> World {
    CURRENT
        .with(|current| current.borrow().clone())
        .expect("called outside an executor")
}

/// Whether the running task, if there is one, is of the simulation.
pub(crate) fn is_simulated() -> bool {
    CURRENT.with(|current| matches!(*current.borrow(), Some(World::Sim(_))))
}

/// Makes `world` the current one while `run` runs, and restores what was there before.
pub(crate) fn enter<R>(world: World, run: impl FnOnce() -> R) -> R {
    let before = CURRENT.with(|current| current.borrow_mut().replace(world));
    let result = run();
    CURRENT.with(|current| *current.borrow_mut() = before);
    result
}

impl World {
    pub(crate) fn random_u64(&self) -> u64 {
        match self {
            Self::Ring(reactor) => reactor.random_u64(),
            Self::Sim(context) => context.random_u64(),
        }
    }
}
