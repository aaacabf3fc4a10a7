//! Executors: the shards and the control thread of a node.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::oneshot::{OneshotReceiver, OneshotSender, oneshot};
use crate::ring::Origin;
use crate::task::LocalFuture;
use crate::world::{self, World};

/// What a new executor is called and where it runs.
#[derive(Clone, Debug)]
pub struct ExecutorSpec {
    /// Thread name, at most 15 bytes are shown by the kernel.
    pub name: String,
    /// The CPU to pin to; `None` leaves the thread to the scheduler.
    pub cpu: Option<usize>,
}

/// A running executor.
#[derive(Debug)]
pub struct Executor {
    done: OneshotReceiver<()>,
}

impl Executor {
    /// Waits until the executor's main future has returned and its thread has let go of its ring.
    pub async fn join(self) {
        // The sender is dropped at the end, whichever it was.
        let _ended = self.done.await;
    }
}

/// A closure that makes the main future of an executor, on that executor.
pub(crate) type MainFn = Box<dyn FnOnce() -> LocalFuture + Send>;

/// Starts an executor in the current world: a pinned thread with a ring of its own, or one more
/// group of tasks of the simulation's current node. It ends when `main`'s future returns; tasks
/// still alive are dropped then.
#[track_caller]
pub fn spawn_executor<F>(
    spec: ExecutorSpec,
    main: impl FnOnce() -> F + Send + 'static,
) -> std::io::Result<Executor>
where
    F: Future<Output = ()> + 'static,
{
    let (ended, done) = oneshot();
    let main: MainFn = Box::new(move || {
        Box::pin(Main {
            body: Box::pin(main()),
            _ended: ended,
        })
    });
    match world::current() {
        World::Ring(reactor) => reactor.spawn_executor(spec, main, Origin::of::<F>())?,
        World::Sim(context) => context.spawn_executor(spec, main, Origin::of::<F>()),
    }
    Ok(Executor { done })
}

/// An executor's main future. The word that it ended is said when the executor drops it: after its
/// tasks are dropped and its I/O has ended.
struct Main<F> {
    body: Pin<Box<F>>,
    _ended: OneshotSender<()>,
}

impl<F: Future<Output = ()>> Future for Main<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.body.as_mut().poll(cx)
    }
}

/// Runs `work` where it may block or burn CPU for long: a small pool of helper threads in the ring
/// world, at once in the simulation.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match world::current() {
        World::Ring(reactor) => reactor.blocking(work).await,
        World::Sim(context) => context.blocking(work).await,
    }
}
