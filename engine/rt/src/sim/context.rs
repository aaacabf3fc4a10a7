//! One executor of the simulation, as the tasks that run on it see the world.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use super::events::{Event, EventKey};
use super::kernel::Kernel;
use super::node::{Life, Node};
use super::reply::Reply;
use crate::executor::MainFn;
use crate::ring::Origin;
use crate::task::LocalFuture;
use crate::world::{self, World};
use crate::{ExecutorSpec, Instant};

/// Timers fire this much late at most, by chance: equal deadlines come in every order.
const TIMER_SLACK_NANOS: u64 = 20_000;
const WORK_TIME: std::ops::Range<Duration> = Duration::from_micros(5)..Duration::from_millis(2);

/// What the current executor knows: its world, its node, and which life of the node it is part of.
pub(crate) struct Context {
    pub(super) kernel: Rc<Kernel>,
    pub(super) node: Rc<Node>,
    pub(super) life: Rc<Life>,
    pub(super) number: u64,
    pub(super) label: String,
    /// Disk operations that have not ended, whether or not anybody still waits for them.
    pub(super) in_flight: Cell<usize>,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

impl Context {
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.node.name, self.label)
    }

    /// Runs `run` as part of this executor, also when it panics.
    pub(super) fn enter<R>(self: &Rc<Self>, run: impl FnOnce() -> R) -> R {
        let world = World::Sim(Rc::clone(self));
        let result = world::enter(world, || catch_unwind(AssertUnwindSafe(run)));
        result.unwrap_or_else(|panic| resume_unwind(panic))
    }

    pub(crate) fn spawn(&self, future: LocalFuture, origin: Origin) {
        let refused = self
            .kernel
            .scheduler
            .borrow_mut()
            .spawn(self.number, future, origin);
        // Dropped here, where the scheduler is not borrowed: the drop may spawn or wake.
        drop(refused);
    }

    pub(crate) fn spawn_executor(&self, spec: ExecutorSpec, main: MainFn, origin: Origin) {
        let body = MainBody {
            main: Some(main),
            body: None,
        };
        self.kernel
            .add_executor(&self.node, spec.name, Box::pin(body), origin);
    }

    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let (answer, reply) = Reply::new();
        let life = Rc::clone(&self.life);
        let nanos = self.kernel.prng.borrow_mut().nanos(&WORK_TIME);
        // As on a helper thread: dropping the future does not stop the work, the end of the
        // process does.
        self.kernel.after(nanos, move |_| {
            if !life.is_over() {
                answer.send(work());
            }
        });
        reply.await
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_nanos(self.kernel.now() + self.node.monotonic_offset.get())
    }

    pub(crate) fn wall_clock_ms(&self) -> i64 {
        self.node.wall_clock_ms(self.kernel.now())
    }

    pub(crate) fn random_u64(&self) -> u64 {
        self.kernel.prng.borrow_mut().next()
    }

    pub(crate) fn sleep_until(&self, deadline: Instant) -> Sleep {
        let at = deadline
            .as_nanos()
            .saturating_sub(self.node.monotonic_offset.get());
        Sleep {
            kernel: Rc::clone(&self.kernel),
            at,
            key: None,
        }
    }
}

/// The main future of an executor, made when it first runs. Unlike an async block it does not drop
/// what it awaits before it is dropped itself, which says that the executor has ended.
struct MainBody {
    main: Option<MainFn>,
    body: Option<LocalFuture>,
}

impl Future for MainBody {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<()> {
        if let Some(main) = self.main.take() {
            self.body = Some(main());
        }
        let body = self.body.as_mut().expect("the first poll has made it");
        body.as_mut().poll(cx)
    }
}

/// A timer of a task, taken back when it is dropped.
pub(crate) struct Sleep {
    kernel: Rc<Kernel>,
    at: u64,
    key: Option<EventKey>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<()> {
        if self.kernel.now() >= self.at {
            return Poll::Ready(());
        }
        let mut events = self.kernel.events.borrow_mut();
        if let Some(key) = self.key {
            events.rewake(key, cx.waker());
        } else {
            let slack = self.kernel.prng.borrow_mut().below(TIMER_SLACK_NANOS);
            let at = self.at.saturating_add(slack);
            let key = events.add(at, Event::Timer(cx.waker().clone()));
            drop(events);
            self.key = Some(key);
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.kernel.events.borrow_mut().remove(key);
        }
    }
}
