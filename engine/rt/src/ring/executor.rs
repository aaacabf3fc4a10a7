//! Threads of executors: the first one and those it starts.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::OnceLock;
use std::thread::Builder;
use std::time::Duration;

use crossbeam::channel::bounded;

use super::reactor::Reactor;
use super::stalls::Origin;
use super::{helpers, sys};
use crate::executor::{ExecutorSpec, MainFn};
use crate::task::LocalFuture;

/// What executors ask the kernel through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Runtime {
    /// `io_uring(7)`.
    #[default]
    Ring,
    /// `epoll(7)`, with threads for files: where `io_uring` is refused.
    Epoll,
}

/// What all executors of a process have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What they ask the kernel through.
    pub runtime: Runtime,
    /// How long an idle executor looks out for work before it sleeps. Saves the wake-up, 20-50 us on
    /// virtual machines, and costs the core: zero unless the cores are the broker's own.
    pub spin: Duration,
    /// Memory per executor that is registered with its ring, so that the kernel does not look up
    /// the pages of every read and write. It counts against the limit of locked memory; where that
    /// is too low, the executor does without ([`ExecutorStats::registered_bytes`] says so).
    ///
    /// [`ExecutorStats::registered_bytes`]: super::ExecutorStats::registered_bytes
    pub registered_bytes: usize,
    /// A turn of this length or more is a stall, which is noted with the task that took the time
    /// ([`take_stalls`](super::take_stalls)). Zero notes none.
    pub stall: Duration,
    /// Whether every turn is asked what it used of the CPU, how often it waited and for how many
    /// pages ([`ExecutorStats::audit`]). For measurements: it costs a few system calls a turn, one
    /// of which hands in to the kernel apart from waiting, so that the turn has it, too.
    ///
    /// [`ExecutorStats::audit`]: super::ExecutorStats::audit
    pub audit_turns: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            runtime: Runtime::Ring,
            spin: Duration::ZERO,
            registered_bytes: 0,
            stall: Duration::from_millis(10),
            audit_turns: false,
        }
    }
}

/// Runs an executor on the calling thread until `main`'s future returns, and gives back its output.
/// It is the first one of its process or test; more are started by
/// [`spawn_executor`](crate::spawn_executor).
#[track_caller]
pub fn run<F>(
    spec: ExecutorSpec,
    options: Options,
    main: impl FnOnce() -> F,
) -> io::Result<F::Output>
where
    F: Future + 'static,
{
    affinity();
    if spec.cpu.is_some() {
        pin(&spec)?;
    }
    helpers::start_threads()?;
    let reactor = Rc::new(Reactor::new(spec.name, options)?);
    let output = Rc::new(Cell::new(None));
    let place = Rc::clone(&output);
    let start = || -> LocalFuture {
        let main = main();
        Box::pin(async move { place.set(Some(main.await)) })
    };
    reactor.run(start, Origin::of::<F>());
    Ok(output
        .take()
        .expect("an executor ends after its main future"))
}

/// Starts an executor on a thread of its own and returns when it has its side of the kernel. Without a CPU of its
/// own it may run on any of the process's, wherever the thread that starts it is pinned.
pub(super) fn start_thread(
    spec: ExecutorSpec,
    options: Options,
    main: MainFn,
    origin: Origin,
) -> io::Result<()> {
    affinity();
    let (report, started) = bounded(1);
    Builder::new().name(spec.name.clone()).spawn(move || {
        let reactor = pin(&spec).and_then(|()| Reactor::new(spec.name, options));
        match reactor {
            Ok(reactor) => {
                let _heard = report.send(Ok(()));
                Rc::new(reactor).run(main, origin);
            },
            Err(error) => {
                let _heard = report.send(Err(error));
            },
        }
    })?;
    started
        .recv()
        .map_err(|_| io::Error::other("the executor's thread died at its start"))?
}

/// The CPUs that the process was started with (`taskset`, cpusets), in ascending order.
pub fn affinity() -> &'static [usize] {
    static AFFINITY: OnceLock<Vec<usize>> = OnceLock::new();
    // Asked for before the first thread is pinned. A kernel that does not answer has no masks.
    AFFINITY.get_or_init(|| sys::thread_affinity().unwrap_or_else(|_| vec![0]))
}

fn pin(spec: &ExecutorSpec) -> io::Result<()> {
    let within = affinity();
    let Some(cpu) = spec.cpu else {
        return sys::set_thread_affinity(within);
    };
    if !within.contains(&cpu) {
        let message = format!("CPU {cpu} is not in the mask of this process: {within:?}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    sys::set_thread_affinity(&[cpu])
}
