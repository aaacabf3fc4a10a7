//! System calls of this world, each behind a safe function.
#![expect(unsafe_code, reason = "system calls")]

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use crate::ring::check;

/// A new set of watched descriptors.
pub(super) fn epoll() -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
    // SAFETY: a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Watches `fd` for changes to readable or writable.
pub(super) fn watch(epoll: &OwnedFd, fd: RawFd, user_data: u64) -> io::Result<()> {
    let events = libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET;
    let mut event = libc::epoll_event {
        events: events as u32,
        u64: user_data,
    };
    // SAFETY: `event` is valid for reading.
    let result =
        unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &raw mut event) };
    check(result).map(drop)
}

/// Watches `fd` no longer. A descriptor that is not watched is none of its business.
pub(super) fn forget(epoll: &OwnedFd, fd: RawFd) {
    // SAFETY: no event is needed to remove one (since Linux 2.6.9).
    unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_DEL, fd, ptr::null_mut()) };
}

/// Fetches events and says how many. Without any it waits for one, as long as `limit` if that is
/// there.
pub(super) fn wait(
    epoll: &OwnedFd,
    events: &mut [libc::epoll_event],
    limit: Option<Duration>,
) -> io::Result<usize> {
    let timeout = match limit {
        None => -1,
        Some(limit) => {
            if !limit.is_zero() {
                sleep_until_readable(epoll, limit)?;
            }
            0
        },
    };
    let (fd, max) = (epoll.as_raw_fd(), events.len() as i32);
    // SAFETY: `events` is valid for writing `max` of them.
    let count = check(unsafe { libc::epoll_wait(fd, events.as_mut_ptr(), max, timeout) })?;
    Ok(count as usize)
}

/// `epoll_wait(2)` counts in milliseconds, which is too coarse for timers, and the call that does
/// not is missing before Linux 5.11 and in many a sandbox.
fn sleep_until_readable(epoll: &OwnedFd, limit: Duration) -> io::Result<()> {
    let limit = libc::timespec {
        tv_sec: limit.as_secs() as libc::time_t,
        tv_nsec: limit.subsec_nanos().into(),
    };
    let mut poll = libc::pollfd {
        fd: epoll.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: `poll` is valid for writing, `limit` for reading; there is no mask.
    let result = unsafe { libc::ppoll(&raw mut poll, 1, &raw const limit, ptr::null()) };
    check(result).map(drop)
}

/// Sleeps until woken, unless `number` is another one than `expected` by now. May return without a
/// reason.
pub(super) fn sleep_while(number: &AtomicU32, expected: u32) {
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    let forever = ptr::null::<libc::timespec>();
    // SAFETY: the number lives through the call.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            number.as_ptr(),
            operation,
            expected,
            forever,
        )
    };
}

/// Wakes one of those who sleep on `number`.
pub(super) fn wake_one(number: &AtomicU32) {
    let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the number lives through the call.
    unsafe { libc::syscall(libc::SYS_futex, number.as_ptr(), operation, 1) };
}

/// Writes the slices, one behind the other; returns the bytes written (`pwritev2(2)`).
pub(super) fn write_at(
    file: &File,
    slices: &[IoSlice<'_>],
    pos: u64,
    durable: bool,
) -> io::Result<usize> {
    let flags = if durable { libc::RWF_DSYNC } else { 0 };
    let (fd, from, count) = (
        file.as_raw_fd(),
        slices.as_ptr().cast(),
        slices.len() as i32,
    );
    // SAFETY: IoSlice has the layout of iovec; the slices live through the call, which reads them.
    let written = unsafe { libc::pwritev2(fd, from, count, pos as libc::off_t, flags) };
    check(written).map(|written| written as usize)
}
