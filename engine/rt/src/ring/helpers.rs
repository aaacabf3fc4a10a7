//! A few threads for calls that may block: opening, allocating, renaming, reading cold pages.

use std::io;
use std::sync::OnceLock;
use std::thread::Builder;

use crossbeam::channel::{Sender, unbounded};

use super::{executor, sys};
use crate::oneshot;

type Work = Box<dyn FnOnce() + Send>;

static QUEUE: OnceLock<Sender<Work>> = OnceLock::new();

/// Starts the helper threads, unless they run already. They live as long as the process and run on
/// any of its CPUs, unlike the executor whose thread starts them.
pub(super) fn start_threads() -> io::Result<()> {
    if QUEUE.get().is_some() {
        return Ok(());
    }
    let (queue, work) = unbounded::<Work>();
    for number in 0..executor::affinity().len().clamp(2, 4) {
        let work = work.clone();
        start_helper(format!("helper-{number}"), move || {
            work.into_iter().for_each(|work| work());
        })?;
    }
    // If another thread was faster, this queue is dropped and its helpers end.
    let _first = QUEUE.set(queue);
    Ok(())
}

/// Starts a thread that may run on any of the process's CPUs.
pub(crate) fn start_helper(name: String, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = Builder::new().name(name).spawn(move || {
        // A helper that stays on its creator's CPU is slower, not wrong.
        let _unpinned = sys::set_thread_affinity(executor::affinity());
        body();
    });
    thread.map(drop)
}

/// Hands `work` over without waiting for it.
pub(super) fn start(work: impl FnOnce() + Send + 'static) {
    let queue = QUEUE
        .get()
        .expect("the first executor has started the helpers");
    queue
        .send(Box::new(work))
        .expect("helpers live as long as the process");
}

/// Has `work` done and waits for its result. If the future is dropped, it is done all the same.
pub(super) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = oneshot();
    start(move || sender.send(work()));
    receiver.await.expect("the helper's work panicked")
}
