//! What the executors of one process know of each other: who runs, and which files every ring has
//! to hold open.
#![expect(
    clippy::disallowed_types,
    reason = "taken at start, stop and locking, never per turn"
)]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::remote::Remote;
use super::uring::KEPT_FILES;

static EXECUTORS: Mutex<Vec<Arc<Remote>>> = Mutex::new(Vec::new());
static KEPT: Mutex<Kept> = Mutex::new(Kept {
    places: [const { None }; KEPT_FILES],
    next: 0,
});
/// Changes of [`KEPT`] so far. Executors compare it in every turn.
static KEPT_VERSION: AtomicU64 = AtomicU64::new(0);

struct Kept {
    places: [Option<Arc<File>>; KEPT_FILES],
    next: usize,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Membership in the list of running executors.
pub(super) struct Member(Arc<Remote>);

pub(super) fn join(remote: &Arc<Remote>) -> Member {
    held(&EXECUTORS).push(Arc::clone(remote));
    Member(Arc::clone(remote))
}

impl Drop for Member {
    fn drop(&mut self) {
        held(&EXECUTORS).retain(|remote| !Arc::ptr_eq(remote, &self.0));
    }
}

pub(super) fn executors() -> Vec<Arc<Remote>> {
    held(&EXECUTORS).clone()
}

/// A file that every executor of the process holds open, present ones and later ones.
#[derive(Debug)]
pub(super) struct KeptFile {
    place: usize,
}

pub(super) fn keep(file: File) -> io::Result<KeptFile> {
    let mut kept = held(&KEPT);
    let places = (0..KEPT_FILES).map(|step| (kept.next + step) % KEPT_FILES);
    let Some(place) = places
        .into_iter()
        .find(|&place| kept.places[place].is_none())
    else {
        return Err(io::Error::other("too many locks in one process"));
    };
    kept.next = place + 1;
    kept.places[place] = Some(Arc::new(file));
    KEPT_VERSION.fetch_add(1, Ordering::Release);
    Ok(KeptFile { place })
}

impl Drop for KeptFile {
    fn drop(&mut self) {
        let file = held(&KEPT).places[self.place].take();
        KEPT_VERSION.fetch_add(1, Ordering::Release);
        // Sleeping executors let go, too.
        for executor in executors() {
            executor.ring_bell();
        }
        drop(file);
    }
}

pub(super) fn kept_version() -> u64 {
    KEPT_VERSION.load(Ordering::Acquire)
}

/// The files to keep.
pub(super) fn kept() -> Vec<Arc<File>> {
    held(&KEPT).places.iter().flatten().cloned().collect()
}

/// Calls `register` with the files to keep; `none` stands in the empty places.
pub(super) fn with_kept<R>(none: RawFd, register: impl FnOnce(&[RawFd; KEPT_FILES]) -> R) -> R {
    let kept = held(&KEPT);
    let fd = |place: usize| kept.places[place].as_ref().map_or(none, AsRawFd::as_raw_fd);
    register(&std::array::from_fn(fd))
}
