//! Loom's forms of what the seam takes from its own `shim`.
//!
//! Queues promise what the real ones do and no more: contents are handed over with their memory,
//! and an answer of "full" or "empty" from a push or a pop is of one order that all agree on, as
//! crossbeam's fences make it. `is_empty` alone promises no order at all.

use std::collections::VecDeque;
use std::task::Waker;

pub(crate) use loom::sync::Arc;
use loom::sync::Mutex;
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicUsize, fence};

/// As `atomic_waker::AtomicWaker`.
pub(crate) struct AtomicWaker(loom::future::AtomicWaker);

impl AtomicWaker {
    pub(crate) fn new() -> Self {
        Self(loom::future::AtomicWaker::new())
    }

    pub(crate) fn register(&self, waker: &Waker) {
        self.0.register_by_ref(waker);
    }

    pub(crate) fn wake(&self) {
        self.0.wake();
    }
}

impl std::fmt::Debug for AtomicWaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AtomicWaker")
    }
}

/// As `crossbeam::queue::ArrayQueue`.
#[derive(Debug)]
pub(crate) struct ArrayQueue<T> {
    items: Mutex<VecDeque<T>>,
    capacity: usize,
}

impl<T> ArrayQueue<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            items: Mutex::new(VecDeque::new()),
            capacity,
        }
    }

    pub(crate) fn push(&self, item: T) -> Result<(), T> {
        let mut items = self.items.lock().unwrap();
        if items.len() == self.capacity {
            return Err(item);
        }
        items.push_back(item);
        Ok(())
    }

    pub(crate) fn pop(&self) -> Option<T> {
        self.items.lock().unwrap().pop_front()
    }

    pub(crate) fn len(&self) -> usize {
        self.items.lock().unwrap().len()
    }
}

/// As `crossbeam::queue::SegQueue`.
#[derive(Debug)]
pub(crate) struct SegQueue<T> {
    items: Mutex<VecDeque<T>>,
    len: AtomicUsize,
}

impl<T> SegQueue<T> {
    pub(crate) fn new() -> Self {
        Self {
            items: Mutex::new(VecDeque::new()),
            len: AtomicUsize::new(0),
        }
    }

    pub(crate) fn push(&self, item: T) {
        self.items.lock().unwrap().push_back(item);
        self.len.fetch_add(1, std::sync::atomic::Ordering::Release);
    }

    pub(crate) fn pop(&self) -> Option<T> {
        let item = self.items.lock().unwrap().pop_front()?;
        self.len.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
        Some(item)
    }

    /// In no order with anything: whoever relies on it has a fence of his own.
    pub(crate) fn is_empty(&self) -> bool {
        self.len.load(std::sync::atomic::Ordering::Relaxed) == 0
    }
}
