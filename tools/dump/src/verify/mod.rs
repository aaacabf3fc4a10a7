//! Whether a data directory is sound: everything a start reads, and everything a start leaves for
//! later: every segment's header, index blocks, batches and footer.
//!
//! Nothing is written but the lock, which keeps a broker out while the directory is read.

pub(crate) mod home;
pub(crate) mod metadata;
mod partitions;
pub(crate) mod shards;

use std::io::{Error, ErrorKind};
use std::path::Path;
use std::time::Duration;

use engine_rt::{fs, now, sleep};

use crate::file::{DumpError, at};
use crate::item::{Item, Sink};

/// How long a directory may be in use: the lock of a process that has ended lasts until its last
/// I/O has (rule 18).
const LOCK_PATIENCE: Duration = Duration::from_secs(3);
const LOCK_INTERVAL: Duration = Duration::from_millis(20);

/// What was looked at, and how much of it is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Segment files read.
    pub segments: u64,
    /// Batches read.
    pub batches: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Things that are wrong; each was told as an item with a fault.
    pub findings: u64,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub const fn is_sound(&self) -> bool {
        self.findings == 0
    }
}

/// Checks the data directory `dir`, which no broker may be using. Tells what it looked at, and as
/// items with a fault what is wrong, each with its file and position. An error means that it could
/// not be looked at.
pub async fn verify(dir: &Path, sink: Sink<'_>) -> Result<Verdict, DumpError> {
    let mut verdict = Verdict::default();
    let mut count = |item: Item| {
        verdict.findings += u64::from(item.fault().is_some());
        sink(item);
    };
    let _lock = lock(dir).await?;
    let mut seen = Verdict::default();
    if let Some(origin) = home::check(dir, &mut count).await? {
        let state = metadata::check(dir, &mut count).await?;
        seen = shards::check(dir, origin, state.as_ref(), &mut count).await?;
    }
    Ok(Verdict {
        findings: verdict.findings,
        ..seen
    })
}

/// Keeps a broker out. A directory that is none is an error.
pub(crate) async fn lock(dir: &Path) -> Result<fs::Lock, DumpError> {
    let names = fs::read_dir(dir).await.map_err(at(dir))?;
    let is_home = |name: &String| name.starts_with("superblock.") || name == "shards";
    if !names.iter().any(is_home) {
        let not_ours = Error::new(ErrorKind::NotFound, "not a data directory");
        return Err(at(dir)(not_ours));
    }
    let path = dir.join("lock");
    let deadline = now() + LOCK_PATIENCE;
    loop {
        match fs::lock(&path).await {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if now() >= deadline {
                    return Err(at(dir)(Error::new(
                        error.kind(),
                        "in use by another process",
                    )));
                }
                sleep(LOCK_INTERVAL).await;
            },
            locked => return locked.map_err(at(&path)),
        }
    }
}
