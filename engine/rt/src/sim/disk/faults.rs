//! Errors of the medium and of a full file system.

use std::io;
use std::path::Path;

use crate::sim::options::DiskOptions;
use crate::sim::prng::Prng;

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

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// `EIO`: the medium failed.
    Io,
    /// `ENOSPC`: the file system is full.
    NoSpace,
    /// `EMFILE`: the process has too many open files.
    TooManyFiles,
}

/// A scripted fault: the operations of one kind on some paths fail for a while.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The operations.
    pub op: DiskOp,
    /// What their paths contain.
    pub path: String,
    /// So many of them succeed first.
    pub skip: u64,
    /// So many fail then.
    pub times: u64,
    /// How they fail.
    pub kind: FaultKind,
}

impl FaultKind {
    pub(super) fn error(self) -> io::Error {
        io::Error::from_raw_os_error(match self {
            Self::Io => libc::EIO,
            Self::NoSpace => libc::ENOSPC,
            Self::TooManyFiles => libc::EMFILE,
        })
    }
}

#[derive(Default)]
pub(super) struct Faults {
    scripted: Vec<Fault>,
}

impl Faults {
    pub(super) fn script(&mut self, fault: Fault) {
        self.scripted.push(fault);
    }

    /// Forgets what was scripted.
    pub(super) fn clear(&mut self) {
        self.scripted.clear();
    }

    /// How the operation that ends now fails, if it does.
    pub(super) fn draw(
        &mut self,
        op: DiskOp,
        path: &Path,
        options: &DiskOptions,
        prng: &mut Prng,
    ) -> Option<io::Error> {
        let scripted = self
            .scripted
            .iter_mut()
            .filter(|fault| fault.concerns(op, path));
        // Every script counts the operation, the first one that strikes decides.
        let struck = scripted.filter_map(Fault::strike).collect::<Vec<_>>();
        if let Some(kind) = struck.first() {
            return Some(kind.error());
        }
        let probability = match op {
            DiskOp::Read => options.read_error,
            DiskOp::Write => options.write_error,
            DiskOp::Sync | DiskOp::SyncDir => options.sync_error,
            _ => 0.0,
        };
        prng.chance(probability).then(|| FaultKind::Io.error())
    }
}

impl Fault {
    fn concerns(&self, op: DiskOp, path: &Path) -> bool {
        self.op == op && path.to_str().is_some_and(|path| path.contains(&self.path))
    }

    fn strike(&mut self) -> Option<FaultKind> {
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.times = self.times.checked_sub(1)?;
        Some(self.kind)
    }
}
