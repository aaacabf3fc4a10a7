//! Tasks of one executor.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::ring::Origin;
use crate::world::{self, World};

/// A future as an executor keeps it.
pub(crate) type LocalFuture = Pin<Box<dyn Future<Output = ()>>>;

/// What a task and its handle share.
struct Shared<T> {
    output: Option<T>,
    joiner: Option<Waker>,
    task: Option<Waker>,
    canceled: bool,
}

/// A handle on a spawned task. Dropping it lets the task run on; awaiting it gives the output.
#[must_use = "a task runs on when its handle is dropped; call detach to say so"]
pub struct Task<T> {
    shared: Rc<RefCell<Shared<T>>>,
}

impl<T> std::fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task").finish_non_exhaustive()
    }
}

impl<T> Task<T> {
    /// Lets the task run on by itself.
    pub fn detach(self) {}

    /// Drops the task's future at its next turn. Awaiting a canceled task waits for ever.
    pub fn cancel(self) {
        let mut shared = self.shared.borrow_mut();
        shared.canceled = true;
        if let Some(waker) = shared.task.take() {
            waker.wake();
        }
    }
}

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut shared = self.shared.borrow_mut();
        if let Some(output) = shared.output.take() {
            return Poll::Ready(output);
        }
        shared.joiner = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Starts `future` on the current executor.
#[track_caller]
pub fn spawn<F>(future: F) -> Task<F::Output>
where
    F: Future<Output: 'static> + 'static,
{
    let shared = Rc::new(RefCell::new(Shared {
        output: None,
        joiner: None,
        task: None,
        canceled: false,
    }));
    let body: LocalFuture = Box::pin(run(Box::pin(future), Rc::clone(&shared)));
    match world::current() {
        World::Ring(reactor) => reactor.spawn(body, Origin::of::<F>()),
        World::Sim(context) => context.spawn(body, Origin::of::<F>()),
    }
    Task { shared }
}

/// Polls `future` to its end or until the handle cancels it, whichever is first. It comes in a box:
/// what an async function is given it has room for twice.
async fn run<T>(mut future: Pin<Box<impl Future<Output = T>>>, shared: Rc<RefCell<Shared<T>>>) {
    let output = poll_fn(|cx| {
        {
            let mut shared = shared.borrow_mut();
            if shared.canceled {
                return Poll::Ready(None);
            }
            if !shared
                .task
                .as_ref()
                .is_some_and(|task| task.will_wake(cx.waker()))
            {
                shared.task = Some(cx.waker().clone());
            }
        }
        future.as_mut().poll(cx).map(Some)
    })
    .await;
    drop(future);
    let joiner = {
        let mut shared = shared.borrow_mut();
        shared.task = None;
        shared.output = output;
        shared.joiner.take()
    };
    if let Some(joiner) = joiner {
        joiner.wake();
    }
}

/// Lets every other ready task of this executor run once.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
