//! Kinds of operations, and the errors that end them.

use std::io;

use crate::sim::faults::Effect;

/// Kinds of disk operations, for faults and counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DiskOp {
    /// Opening a file, creating it if need be.
    Open,
    /// Reading a file, also to make its pages resident.
    Read,
    /// Writing a file, durable or not.
    Write,
    /// Flushing a file.
    Sync,
    /// Reserving space.
    Allocate,
    /// Changing or asking for a file's size.
    SetLen,
    /// Creating, removing, renaming and listing names, and taking locks.
    Names,
    /// Flushing a directory.
    SyncDir,
}

/// The error that an effect is for the caller; `None` if the caller hears of none.
pub(super) fn error_of(effect: Effect) -> Option<io::Error> {
    let errno = match effect {
        Effect::Io => libc::EIO,
        Effect::NoSpace => libc::ENOSPC,
        Effect::TooManyFiles => libc::EMFILE,
        _ => return None,
    };
    Some(io::Error::from_raw_os_error(errno))
}

pub(super) fn no_space() -> io::Error {
    io::Error::from_raw_os_error(libc::ENOSPC)
}

/// What the medium answers where it has failed.
pub(super) fn io_error() -> io::Error {
    io::Error::from_raw_os_error(libc::EIO)
}
