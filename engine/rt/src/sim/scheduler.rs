//! Which task runs next.
//!
//! An executor polls its ready tasks in rounds: those woken since the last round began, shuffled,
//! then those that woke themselves while they ran (`yield_now` lets all others run first). Which
//! executor polls its next task is drawn anew for every poll, so that every interleaving of shards
//! occurs with some seed.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::{self, Write as _};
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use crossbeam::queue::SegQueue;

use super::context::Context;
use super::prng::Prng;
use crate::ring::Origin;
use crate::task::LocalFuture;

/// Names a task of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TaskId {
    pub(super) executor: u64,
    pub(super) task: u64,
}

/// The first task of an executor ends it.
pub(super) const MAIN_TASK: u64 = 0;

/// Tasks woken and not yet looked at. A waker may be rung from any thread; only the world listens.
pub(super) type Ringing = Arc<SegQueue<TaskId>>;

/// The waker of a task.
pub(super) struct Bell {
    id: TaskId,
    rung: AtomicBool,
    ringing: Ringing,
}

impl Bell {
    /// The next ring counts again.
    pub(super) fn reset(&self) {
        self.rung.store(false, Ordering::Release);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.ringing.push(self.id);
        }
    }
}

struct Task {
    /// `None` while it is being polled.
    future: Option<LocalFuture>,
    bell: Arc<Bell>,
    origin: Origin,
}

/// A task that waits for something that its executor did not wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftTask {
    /// The executor.
    pub executor: String,
    /// The type of the task's future: the function or the block that it is.
    pub task: &'static str,
    /// Where the task was spawned.
    pub spawned_at: &'static Location<'static>,
}

impl fmt::Display for LeftTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            executor,
            task,
            spawned_at,
        } = self;
        write!(f, "{executor}: {task}, spawned at {spawned_at}")
    }
}

struct Executor {
    context: Rc<Context>,
    tasks: BTreeMap<u64, Task>,
    next_task: u64,
    round: VecDeque<u64>,
    woken: Vec<u64>,
    yielded: Vec<u64>,
    listed: bool,
    stalled: bool,
    /// The main future after its end, until the executor's I/O has ended too.
    ending: Option<LocalFuture>,
    accepts_tasks: bool,
}

/// What [`Scheduler::take`] hands out for one poll.
pub(super) struct Turn {
    pub(super) context: Rc<Context>,
    pub(super) future: LocalFuture,
    pub(super) bell: Arc<Bell>,
}

/// An executor that is gone, with what has yet to be dropped in its name.
pub(super) struct Remains {
    pub(super) context: Rc<Context>,
    pub(super) futures: Vec<LocalFuture>,
}

#[derive(Default)]
pub(super) struct Scheduler {
    executors: BTreeMap<u64, Executor>,
    next_executor: u64,
    runnable: Vec<u64>,
    ringing: Ringing,
}

impl Scheduler {
    /// Adds an executor; its context is made with the number that it gets.
    pub(super) fn add(&mut self, context: impl FnOnce(u64) -> Rc<Context>) -> Rc<Context> {
        let number = self.next_executor;
        self.next_executor += 1;
        let context = context(number);
        let executor = Executor {
            context: Rc::clone(&context),
            tasks: BTreeMap::new(),
            next_task: MAIN_TASK,
            round: VecDeque::new(),
            woken: Vec::new(),
            yielded: Vec::new(),
            listed: false,
            stalled: false,
            ending: None,
            accepts_tasks: true,
        };
        self.executors.insert(number, executor);
        context
    }

    /// Adds a task, ready to run, or gives the future back if its executor is at its end.
    pub(super) fn spawn(
        &mut self,
        executor: u64,
        future: LocalFuture,
        origin: Origin,
    ) -> Option<LocalFuture> {
        let Some(owner) = self
            .executors
            .get_mut(&executor)
            .filter(|owner| owner.accepts_tasks)
        else {
            return Some(future);
        };
        let id = TaskId {
            executor,
            task: owner.next_task,
        };
        owner.next_task += 1;
        let bell = Arc::new(Bell {
            id,
            rung: AtomicBool::new(false),
            ringing: Arc::clone(&self.ringing),
        });
        bell.wake_by_ref();
        owner.tasks.insert(
            id.task,
            Task {
                future: Some(future),
                bell,
                origin,
            },
        );
        None
    }

    /// Looks at what was woken. `polled` is the task that ran meanwhile.
    pub(super) fn listen(&mut self, polled: Option<TaskId>) {
        while let Some(id) = self.ringing.pop() {
            let Some(executor) = self.executors.get_mut(&id.executor) else {
                continue;
            };
            if polled == Some(id) {
                executor.yielded.push(id.task);
            } else {
                executor.woken.push(id.task);
            }
            if !executor.listed && !executor.stalled {
                executor.listed = true;
                self.runnable.push(id.executor);
            }
        }
    }

    /// The task to poll now, if any is ready.
    pub(super) fn pick(&mut self, prng: &mut Prng) -> Option<TaskId> {
        loop {
            let place = match self.runnable.len() {
                0 => return None,
                1 => 0,
                len => prng.index(len),
            };
            let number = self.runnable[place];
            let next = self.executors.get_mut(&number).and_then(|executor| {
                let next = if executor.stalled {
                    None
                } else {
                    executor.next(prng)
                };
                executor.listed = next.is_some();
                next
            });
            match next {
                Some(task) => {
                    return Some(TaskId {
                        executor: number,
                        task,
                    });
                },
                None => _ = self.runnable.swap_remove(place),
            }
        }
    }

    pub(super) fn take(&mut self, id: TaskId) -> Option<Turn> {
        let executor = self.executors.get_mut(&id.executor)?;
        let task = executor.tasks.get_mut(&id.task)?;
        let future = task.future.take()?;
        Some(Turn {
            context: Rc::clone(&executor.context),
            future,
            bell: Arc::clone(&task.bell),
        })
    }

    /// Puts a task back that is not done.
    pub(super) fn put_back(&mut self, id: TaskId, future: LocalFuture) {
        let executor = self
            .executors
            .get_mut(&id.executor)
            .expect("it polled this task just now");
        let task = executor
            .tasks
            .get_mut(&id.task)
            .expect("only its end removes a task");
        task.future = Some(future);
    }

    pub(super) fn remove_task(&mut self, id: TaskId) {
        if let Some(executor) = self.executors.get_mut(&id.executor) {
            executor.tasks.remove(&id.task);
        }
    }

    /// The tasks of an executor that are not about to run, but for its main one.
    pub(super) fn waiting_tasks(&self, number: u64) -> Vec<LeftTask> {
        let Some(executor) = self.executors.get(&number) else {
            return Vec::new();
        };
        let tasks = executor.tasks.iter().filter(|(task, own)| {
            let is_ready = own.bell.rung.load(Ordering::Acquire);
            **task != MAIN_TASK && !is_ready
        });
        let left = tasks.map(|(_, own)| {
            let (task, spawned_at) = own.origin.parts();
            LeftTask {
                executor: executor.context.name(),
                task,
                spawned_at,
            }
        });
        left.collect()
    }

    /// Ends an executor whose main future is done: takes its tasks, and keeps the main future until
    /// [`Scheduler::finish`].
    pub(super) fn end(&mut self, number: u64, main: LocalFuture) -> Vec<LocalFuture> {
        let executor = self
            .executors
            .get_mut(&number)
            .expect("its main task ran just now");
        executor.accepts_tasks = false;
        executor.ending = Some(main);
        executor.take_tasks()
    }

    pub(super) fn is_ending(&self, number: u64) -> bool {
        self.executors
            .get(&number)
            .is_some_and(|executor| executor.ending.is_some())
    }

    /// Removes an executor.
    pub(super) fn finish(&mut self, number: u64) -> Option<Remains> {
        let mut executor = self.executors.remove(&number)?;
        let mut futures = executor.take_tasks();
        futures.extend(executor.ending);
        Some(Remains {
            context: executor.context,
            futures,
        })
    }

    /// Numbers of the executors that `belongs` picks out.
    pub(super) fn numbers(&self, belongs: impl Fn(&Context) -> bool) -> Vec<u64> {
        let picked = self
            .executors
            .iter()
            .filter(|(_, executor)| belongs(&executor.context));
        picked.map(|(&number, _)| number).collect()
    }

    /// Holds an executor up. What is ready now runs before what is woken meanwhile.
    pub(super) fn stall(&mut self, number: u64, prng: &mut Prng) {
        if let Some(executor) = self.executors.get_mut(&number) {
            executor.stalled = true;
            executor.extend_round(prng);
        }
    }

    /// Lets an executor go on.
    pub(super) fn resume(&mut self, number: u64) {
        let Some(executor) = self.executors.get_mut(&number) else {
            return;
        };
        executor.stalled = false;
        if !std::mem::replace(&mut executor.listed, true) {
            self.runnable.push(number);
        }
    }

    pub(super) fn live_tasks(&self, belongs: impl Fn(&Context) -> bool) -> usize {
        let picked = self
            .executors
            .values()
            .filter(|executor| belongs(&executor.context));
        picked.map(|executor| executor.tasks.len()).sum()
    }

    /// Who waits, for the report of a deadlock.
    pub(super) fn waiting(&self) -> String {
        let mut report = String::new();
        for executor in self.executors.values() {
            let tasks: Vec<_> = executor.tasks.keys().collect();
            let _infallible = write!(report, "\n  {}: tasks {tasks:?}", executor.context.name());
        }
        report
    }
}

impl Executor {
    fn next(&mut self, prng: &mut Prng) -> Option<u64> {
        if self.round.is_empty() {
            self.extend_round(prng);
        }
        self.round.pop_front()
    }

    fn extend_round(&mut self, prng: &mut Prng) {
        prng.shuffle(&mut self.woken);
        self.round.extend(self.woken.drain(..));
        self.round.extend(self.yielded.drain(..));
    }

    fn take_tasks(&mut self) -> Vec<LocalFuture> {
        std::mem::take(&mut self.tasks)
            .into_values()
            .filter_map(|task| task.future)
            .collect()
    }
}

impl Turn {
    pub(super) fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.bell))
    }
}
