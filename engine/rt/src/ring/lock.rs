//! The lock that outlives the last I/O of its process.
//!
//! A `flock(2)` belongs to the open file and ends when the last reference to that is gone. Every
//! ring of the process holds one, as a registered file, and a ring lives until its last request
//! has ended, also when the process was killed with writes on their way to the disk. The descriptor
//! alone does not do: with the disk slowed down to 4 MiB/s, a killed process was gone and its lock
//! free after 20 ms, while 16 MiB of its writes went on landing for 4 s.
//!
//! The kernel closes a ring in the background: the lock of a process that has ended in order, too,
//! may be held for some milliseconds more. Whoever starts next tries for a while.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use super::registry::{self, KeptFile};

/// A lock that this process holds until the value is dropped and no executor has I/O in flight.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: KeptFile,
}

impl Lock {
    /// Takes the lock on `path`; `WouldBlock` if it is held already, by whomever.
    pub(super) fn take(path: &Path) -> io::Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::ErrorKind::WouldBlock.into(),
            TryLockError::Error(error) => error,
        })?;
        Ok(Self {
            _file: registry::keep(file)?,
        })
    }
}
