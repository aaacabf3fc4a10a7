//! One value from one executor to another.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use crate::shim::{Arc, ArrayQueue, AtomicBool, AtomicWaker};

#[derive(Debug)]
struct Shared<T> {
    slot: ArrayQueue<T>,
    closed: AtomicBool,
    receiver: AtomicWaker,
}

/// The sending half; dropping it unused tells the receiver so.
#[derive(Debug)]
pub struct OneshotSender<T> {
    shared: Arc<Shared<T>>,
}

/// The receiving half: a future of the value, or `None` if the sender was dropped.
#[derive(Debug)]
pub struct OneshotReceiver<T> {
    shared: Arc<Shared<T>>,
}

/// A pair of halves; either may move to another thread if `T` may.
pub fn oneshot<T>() -> (OneshotSender<T>, OneshotReceiver<T>) {
    let shared = Arc::new(Shared {
        slot: ArrayQueue::new(1),
        closed: AtomicBool::new(false),
        receiver: AtomicWaker::new(),
    });
    (
        OneshotSender {
            shared: Arc::clone(&shared),
        },
        OneshotReceiver { shared },
    )
}

impl<T> OneshotSender<T> {
    /// Hands over the value. A receiver that is gone drops it.
    pub fn send(self, value: T) {
        let full = self.shared.slot.push(value).is_err();
        assert!(!full, "a oneshot carries one value");
    }
}

impl<T> Drop for OneshotSender<T> {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        self.shared.receiver.wake();
    }
}

impl<T> OneshotReceiver<T> {
    /// The value if it is there already.
    pub fn try_take(&self) -> Option<T> {
        self.shared.slot.pop()
    }
}

impl<T> Future for OneshotReceiver<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.shared.receiver.register(cx.waker());
        // Closed is read before the slot: a value sent before the drop is always seen.
        let closed = self.shared.closed.load(Ordering::Acquire);
        match self.shared.slot.pop() {
            Some(value) => Poll::Ready(Some(value)),
            None if closed => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}
