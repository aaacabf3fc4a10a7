//! What the modules that cross threads are made of. `tools/models` puts loom's forms in its place
//! and runs the same modules under every order of events.

pub(crate) use std::sync::Arc;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, fence};

pub(crate) use atomic_waker::AtomicWaker;
pub(crate) use crossbeam::queue::{ArrayQueue, SegQueue};
