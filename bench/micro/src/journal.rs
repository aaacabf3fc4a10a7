//! A group of entries through the journal: assembled, sealed, written and flushed.
//!
//! The one case that needs a disk. What is counted is the CPU of the executor's thread: putting the
//! entries in place, the frame's checksum and header, the submission and the completion.

use std::path::Path;
use std::rc::{Rc, Weak};
use std::{fs, io};

use engine_wal::{EntryKind, Journal, JournalObserver, JournalOptions, Recovered};

use crate::measure::thread_cpu;

const FILE_BYTES: u64 = 64 << 20;

/// Nobody waits for a frame by observing here: `sync` tells.
struct Deaf;

impl JournalObserver for Deaf {
    fn frames_durable(&self, _sequence: u64) {}

    fn journal_failed(&self, _error: &io::Error) {}
}

/// Nanoseconds of CPU for one group of `entries` entries of `payload_bytes` each, flushed.
pub async fn nanos_per_group(entries: usize, payload_bytes: usize, groups: u32) -> io::Result<f64> {
    let dir = tempfile::tempdir_in(std::env::current_dir()?)?;
    let journal = open(dir.path());
    let payload = vec![0x5a; payload_bytes];
    // The first file is zeroed before the first group.
    journal.sync().await?;
    let before = thread_cpu()?;
    for group in 0..groups {
        for _ in 0..entries {
            let kind = EntryKind(EntryKind::FIRST_USER);
            journal.append(kind, payload_bytes, true, |into| {
                into.copy_from_slice(&payload);
            });
        }
        journal.sync().await?;
        let before_turn = journal.files().used_generations().len() < 2;
        assert!(
            before_turn,
            "group {group}: the first file holds all groups"
        );
    }
    let used = thread_cpu()?.saturating_sub(before);
    journal.stop().await?;
    fs::remove_dir_all(dir.path())?;
    Ok(used.as_nanos() as f64 / f64::from(groups))
}

fn open(dir: &Path) -> Rc<Journal> {
    let options = JournalOptions {
        dir: dir.to_owned(),
        disk_id: 1,
        journal_id: 0,
        file_bytes: FILE_BYTES,
        first_file_bytes: FILE_BYTES,
        files_max: 2,
    };
    let nobody: Weak<dyn JournalObserver> = Weak::<Deaf>::new();
    Journal::open(options, Recovered::fresh(), nobody)
}
