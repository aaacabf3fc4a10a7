//! The simulated world: executors of many nodes on one thread, from one seed.
//!
//! A [`World`] has nodes, each with a disk that survives its crashes, and a network between them.
//! Virtual time passes only when no task is ready. Which ready task runs next, how long every
//! operation takes, what a crash leaves behind: all of it is drawn from the seed, so that a failing
//! seed replays exactly. The code above the seam is the code of production.
//!
//! What it is not: a model of performance, or of memory shared between threads (a poll is atomic).
//!
//! First file to read: `kernel.rs` for the turn; then `disk/mod.rs` for what a power cut spares, and
//! `faults/mod.rs` for what else may go wrong.
//!
//! ```
//! use engine_rt::sim::{CrashKind, Options, World};
//!
//! let world = World::new(1, Options::default());
//! let node = world.node("broker");
//! world.start(node, || async { engine_rt::sleep(std::time::Duration::from_secs(1)).await });
//! world.crash(node, CrashKind::PowerCut);
//! assert!(!world.is_running(node));
//! ```

mod context;
mod disk;
mod events;
mod faults;
pub(crate) mod fs;
mod kernel;
mod net;
mod node;
mod options;
mod panics;
mod prng;
mod reply;
mod scheduler;
mod world;

#[cfg(test)]
mod tests;

use std::future::Future;

pub(crate) use context::Context;
pub use disk::{DiskOp, DiskView};
pub use faults::{
    Damage, DiskFault, Effect, Fault, FaultKind, FaultMask, Files, Operations, Span, Strike,
    Trigger, Way,
};
pub(crate) use fs::{File, Lock};
pub(crate) use net::{Listener, Socket, Stream};
pub use node::{CrashKind, CrashPoint, NodeId};
pub use options::{DiskOptions, NetOptions, Options};
pub use prng::{mix, splitmix};
pub use scheduler::LeftTask;
pub use world::{Stats, World};

/// Runs `main` to its end on one node of a world of its own.
///
/// # Panics
/// If a task panics, or if nothing happens any more before `main` has ended.
pub fn run<T, F>(seed: u64, main: impl FnOnce() -> F + 'static) -> T
where
    T: 'static,
    F: Future<Output = T> + 'static,
{
    let world = World::new(seed, Options::default());
    let node = world.node("node");
    world.block_on(node, main)
}

/// Prints a line with seed and virtual time if the world was asked to
/// ([`Options::trace`]). Costs nothing otherwise, and does nothing in other worlds.
pub fn trace(message: impl FnOnce() -> String) {
    if let crate::world::World::Sim(context) = crate::world::current() {
        context
            .kernel
            .trace(|| format!("{}: {}", context.name(), message()));
    }
}

/// What a process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Tasks that have not ended.
    pub tasks: usize,
    /// Descriptors of files.
    pub open_files: usize,
}

/// What the process of the running task holds; `None` in other worlds.
pub fn held() -> Option<Held> {
    let crate::world::World::Sim(context) = crate::world::current() else {
        return None;
    };
    let scheduler = context.kernel.scheduler.borrow();
    Some(Held {
        tasks: scheduler.live_tasks(|other| std::rc::Rc::ptr_eq(&other.life, &context.life)),
        open_files: context.life.open_files.get(),
    })
}
