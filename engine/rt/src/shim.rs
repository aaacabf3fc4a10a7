//! What the modules that cross threads are made of, in one place: a model puts other forms there and
//! runs the same modules.

pub(crate) use std::sync::Arc;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, fence};

pub(crate) use atomic_waker::AtomicWaker;
pub(crate) use crossbeam::queue::{ArrayQueue, SegQueue};
