//! The signals that ask the process to end.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};
use std::task::{Context, Poll, ready};

use super::readiness::Readiness;
use super::sys;
use crate::world::{self, World};

/// The last signal that came.
static LAST: AtomicI32 = AtomicI32::new(0);
/// Counts signals; the handler may do little else than add to it (signal-safety(7)).
static BELL: OnceLock<OwnedFd> = OnceLock::new();

/// What asked the process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// `SIGINT`, from a terminal.
    Interrupt,
    /// `SIGTERM`, from a service manager.
    Terminate,
}

/// The process's requests to end, from [`on_terminate`] on.
pub struct Terminate {
    bell: Rc<OwnedFd>,
    readiness: Readiness,
}

impl std::fmt::Debug for Terminate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminate").finish_non_exhaustive()
    }
}

extern "C" fn note(signal: i32) {
    LAST.store(signal, Ordering::Relaxed);
    if let Some(bell) = BELL.get() {
        sys::eventfd_signal(bell.as_raw_fd());
    }
}

/// Catches `SIGINT` and `SIGTERM` from here on: they no longer end the process by themselves. For
/// one task of an executor of the ring world.
pub fn on_terminate() -> io::Result<Terminate> {
    let World::Ring(reactor) = world::current() else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    if BELL.get().is_none() {
        // If two come here at once, one counter is superfluous.
        let _first = BELL.set(sys::eventfd()?);
    }
    let bell = BELL.get().expect("set just now").try_clone()?;
    for signal in [libc::SIGINT, libc::SIGTERM] {
        sys::on_signal(signal, note)?;
    }
    let bell = Rc::new(bell);
    let readiness = Readiness::new(&reactor, Rc::<OwnedFd>::clone(&bell));
    Ok(Terminate { bell, readiness })
}

impl Terminate {
    /// The next signal. The first one asks for an orderly end; what a second one means is the
    /// caller's choice.
    pub async fn next(&self) -> Signal {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&self, cx: &Context<'_>) -> Poll<Signal> {
        loop {
            ready!(self.readiness.poll_read(cx));
            if sys::eventfd_take(self.bell.as_raw_fd()) > 0 {
                let interrupt = LAST.load(Ordering::Relaxed) == libc::SIGINT;
                return Poll::Ready(if interrupt {
                    Signal::Interrupt
                } else {
                    Signal::Terminate
                });
            }
            self.readiness.clear_read();
        }
    }
}
