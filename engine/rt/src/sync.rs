//! Waiting between tasks of one executor: no atomics, no locks.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Wakes every waiting task at once. What happened is read elsewhere: waiters check and wait again.
#[derive(Debug, Default)]
pub struct Event {
    generation: Cell<u64>,
    waiting: RefCell<Waiting>,
}

/// Tasks that wait. Nearly always it is one, which then takes no memory of its own.
#[derive(Debug, Default)]
struct Waiting {
    first: Option<Waker>,
    others: Vec<Waker>,
}

impl Waiting {
    fn add(&mut self, waker: &Waker) {
        let all = self.first.iter().chain(&self.others);
        if all.into_iter().any(|known| known.will_wake(waker)) {
            return;
        }
        if self.first.is_none() {
            self.first = Some(waker.clone());
        } else {
            self.others.push(waker.clone());
        }
    }

    fn wake(self) {
        for waker in self.first.into_iter().chain(self.others) {
            waker.wake();
        }
    }
}

impl Event {
    /// An event that nobody waits for.
    pub fn new() -> Self {
        Self::default()
    }

    /// Wakes all that wait now.
    pub fn notify(&self) {
        self.generation.set(self.generation.get().wrapping_add(1));
        self.waiting.take().wake();
    }

    /// Waits for the next [`Event::notify`] after this call (not after the first poll).
    pub fn wait(&self) -> impl Future<Output = ()> + '_ {
        let seen = self.generation.get();
        poll_fn(move |cx| {
            if self.generation.get() != seen {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().add(cx.waker());
            Poll::Pending
        })
    }

    /// Waits until `ready` holds, looking again at every notification.
    pub async fn wait_until(&self, mut ready: impl FnMut() -> bool) {
        loop {
            let next = self.wait();
            if ready() {
                return;
            }
            next.await;
        }
    }
}

#[derive(Debug)]
struct SemaphoreState {
    free: Cell<usize>,
    total: usize,
    /// Tickets of those that wait, oldest first: nobody overtakes.
    queue: RefCell<VecDeque<u64>>,
    next_ticket: Cell<u64>,
    changed: Event,
}

/// A fair counting semaphore of one executor, for bytes in flight.
#[derive(Clone, Debug)]
pub struct Semaphore {
    state: Rc<SemaphoreState>,
}

/// Units taken from a [`Semaphore`], given back on drop.
#[derive(Debug)]
pub struct Permit {
    state: Rc<SemaphoreState>,
    units: usize,
}

/// Leaves the queue when a waiting future is dropped.
struct Ticket<'a> {
    state: &'a SemaphoreState,
    number: u64,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.state
            .queue
            .borrow_mut()
            .retain(|number| *number != self.number);
        self.state.changed.notify();
    }
}

impl Semaphore {
    /// A semaphore of `total` units.
    pub fn new(total: usize) -> Self {
        Self {
            state: Rc::new(SemaphoreState {
                free: Cell::new(total),
                total,
                queue: RefCell::new(VecDeque::new()),
                next_ticket: Cell::new(0),
                changed: Event::new(),
            }),
        }
    }

    /// Takes `units`, waiting in line. More than the total is granted as the total, so that one
    /// oversized request passes alone instead of waiting for ever.
    pub async fn acquire(&self, units: usize) -> Permit {
        let state = &*self.state;
        let units = units.min(state.total);
        let number = state.next_ticket.get();
        state.next_ticket.set(number + 1);
        state.queue.borrow_mut().push_back(number);
        let ticket = Ticket { state, number };
        state
            .changed
            .wait_until(|| {
                state.queue.borrow().front() == Some(&number) && state.free.get() >= units
            })
            .await;
        state.free.set(state.free.get() - units);
        drop(ticket);
        Permit {
            state: Rc::clone(&self.state),
            units,
        }
    }

    /// Units free now.
    pub fn free(&self) -> usize {
        self.state.free.get()
    }
}

impl Permit {
    /// Units held.
    pub fn units(&self) -> usize {
        self.units
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.state.free.set(self.state.free.get() + self.units);
        self.state.changed.notify();
    }
}
