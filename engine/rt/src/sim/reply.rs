//! The answer to one operation: set by an event, awaited by a task.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

pub(super) struct Reply<T> {
    slot: Rc<Slot<T>>,
}

struct Slot<T> {
    value: Cell<Option<T>>,
    waiting: RefCell<Option<Waker>>,
}

/// The side of the event. A task that has dropped its side never hears of the value.
pub(super) struct Answer<T> {
    slot: Rc<Slot<T>>,
}

impl<T> Reply<T> {
    pub(super) fn new() -> (Answer<T>, Self) {
        let slot = Rc::new(Slot {
            value: Cell::new(None),
            waiting: RefCell::new(None),
        });
        (
            Answer {
                slot: Rc::clone(&slot),
            },
            Self { slot },
        )
    }
}

impl<T> Answer<T> {
    pub(super) fn send(self, value: T) {
        self.slot.value.set(Some(value));
        if let Some(waker) = self.slot.waiting.take() {
            waker.wake();
        }
    }

    /// Whether nobody waits any more.
    pub(super) fn is_orphan(&self) -> bool {
        Rc::strong_count(&self.slot) == 1
    }
}

impl<T> Future for Reply<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        if let Some(value) = self.slot.value.take() {
            return Poll::Ready(value);
        }
        *self.slot.waiting.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }
}
