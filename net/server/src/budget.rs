//! Bytes that a shard or a connection may hold at a time: backpressure instead of growth.
//!
//! A semaphore of the seam with two things more that the server needs: a reservation can shrink
//! once the true size is known, and it is visible whether anybody waits.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use engine_rt::Event;

#[derive(Debug)]
struct Shared {
    free: Cell<usize>,
    total: usize,
    /// Those that wait, oldest first: nobody overtakes.
    queue: RefCell<VecDeque<u64>>,
    next_number: Cell<u64>,
    changed: Event,
}

/// A number of bytes, taken and given back.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Rc<Shared>);

/// Bytes taken from a [`Budget`]; dropping gives them back.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Budget,
    bytes: usize,
}

/// Leaves the queue when a waiting future is dropped.
struct Place<'a> {
    shared: &'a Shared,
    number: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.shared
            .queue
            .borrow_mut()
            .retain(|number| *number != self.number);
        self.shared.changed.notify();
    }
}

impl Budget {
    /// A budget of `total` bytes.
    pub(crate) fn new(total: usize) -> Self {
        Self(Rc::new(Shared {
            free: Cell::new(total),
            total,
            queue: RefCell::new(VecDeque::new()),
            next_number: Cell::new(0),
            changed: Event::new(),
        }))
    }

    /// Takes `bytes`, waiting in line. More than the total is granted as the total, so that one
    /// oversized request passes alone instead of waiting for ever.
    pub(crate) async fn reserve(&self, bytes: usize) -> Reservation {
        let shared = &*self.0;
        let bytes = bytes.min(shared.total);
        if shared.queue.borrow().is_empty() && shared.free.get() >= bytes {
            return self.take(bytes);
        }
        let number = shared.next_number.get();
        shared.next_number.set(number + 1);
        shared.queue.borrow_mut().push_back(number);
        let place = Place { shared, number };
        shared
            .changed
            .wait_until(|| {
                shared.queue.borrow().front() == Some(&number) && shared.free.get() >= bytes
            })
            .await;
        let reservation = self.take(bytes);
        drop(place);
        reservation
    }

    fn take(&self, bytes: usize) -> Reservation {
        self.0.free.set(self.0.free.get() - bytes);
        Reservation {
            budget: self.clone(),
            bytes,
        }
    }

    /// Whether somebody waits for bytes.
    pub(crate) fn is_contended(&self) -> bool {
        !self.0.queue.borrow().is_empty()
    }

    /// Bytes in use now.
    pub(crate) fn used(&self) -> usize {
        self.0.total - self.0.free.get()
    }
}

impl Reservation {
    /// Gives back what is above `bytes`.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let back = self.bytes.saturating_sub(bytes);
        self.bytes -= back;
        self.budget.0.free.set(self.budget.0.free.get() + back);
        self.budget.0.changed.notify();
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn now<F: Future>(future: F) -> F::Output {
        match poll(pin!(future)) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("had to wait"),
        }
    }

    #[test]
    fn bytes_are_granted_in_order_and_given_back() {
        let budget = Budget::new(100);
        let first = now(budget.reserve(60));
        let mut large = pin!(budget.reserve(90));
        let mut small = pin!(budget.reserve(10));
        assert!(poll(large.as_mut()).is_pending());
        // There is room for the small one, but it came later.
        assert!(poll(small.as_mut()).is_pending());
        assert!(budget.is_contended());
        drop(first);
        let Poll::Ready(large) = poll(large.as_mut()) else {
            panic!("room for the first")
        };
        let Poll::Ready(small) = poll(small.as_mut()) else {
            panic!("room for the second")
        };
        assert_eq!(budget.used(), 100);
        drop((large, small));
        assert_eq!((budget.used(), budget.is_contended()), (0, false));
    }

    #[test]
    fn who_gives_up_leaves_the_line() {
        let budget = Budget::new(10);
        let all = now(budget.reserve(10));
        {
            let mut waiting = pin!(budget.reserve(10));
            assert!(poll(waiting.as_mut()).is_pending());
        }
        assert!(!budget.is_contended());
        drop(all);
        drop(now(budget.reserve(5)));
    }

    #[test]
    fn oversized_passes_alone_and_shrinks() {
        let budget = Budget::new(10);
        let mut huge = now(budget.reserve(1_000));
        assert_eq!(budget.used(), 10);
        huge.shrink_to(3);
        assert_eq!(budget.used(), 3);
        huge.shrink_to(7);
        assert_eq!(budget.used(), 3);
        drop(now(budget.reserve(7)));
    }
}
