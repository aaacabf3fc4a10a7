//! Lives of a journal on a real disk: what was durable comes back in order, a torn tail is cut,
//! damage to what was flushed is reported and never cut.
#![cfg(test)]

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};

use engine_rt::{ExecutorSpec, ring};
use engine_wal::{
    EntryKind, Frame, Journal, JournalError, JournalObserver, JournalOptions, Position, Recovered,
    recover,
};

const KIND: EntryKind = EntryKind(40);

fn on_ring<T: Send + 'static, F: Future<Output = T> + 'static>(
    test: impl FnOnce() -> F + Send + 'static,
) -> T {
    let (sender, receiver) = std::sync::mpsc::channel();
    let spec = ExecutorSpec {
        name: "journal".into(),
        cpu: None,
    };
    let main = move || async move {
        let output = test().await;
        assert!(sender.send(output).is_ok(), "the test waits");
    };
    ring::run(spec, ring::Options::default(), main).expect("the kernel gives us a ring");
    receiver.recv().expect("the test ended")
}

#[derive(Debug, Default)]
struct Observed {
    durable: RefCell<Vec<u64>>,
}

impl JournalObserver for Observed {
    fn frames_durable(&self, sequence: u64) {
        self.durable.borrow_mut().push(sequence);
    }

    fn journal_failed(&self, error: &io::Error) {
        panic!("the disk works: {error}");
    }
}

fn options(dir: &Path) -> JournalOptions {
    JournalOptions {
        dir: dir.to_path_buf(),
        disk_id: 5,
        journal_id: 2,
        file_bytes: 2 << 20,
        first_file_bytes: 2 << 20,
        files_max: 4,
    }
}

/// What is read back: number and length of each entry.
async fn read_back(dir: &Path) -> Result<(Vec<(u64, usize)>, Recovered), JournalError> {
    let mut entries = Vec::new();
    let visit = |frame: &Frame| {
        for entry in frame.entries().filter(|entry| entry.kind == KIND) {
            let number = u64::from_le_bytes(entry.payload[..8].try_into().unwrap());
            entries.push((number, entry.payload.len()));
        }
    };
    let recovered = recover(&options(dir), Position::START, visit).await?;
    Ok((entries, recovered))
}

fn len_of(number: u64) -> usize {
    8 + (number * 7919 % 90_000) as usize
}

async fn write(journal: &Rc<Journal>, numbers: std::ops::Range<u64>) {
    let mut last = 0;
    for number in numbers {
        let placed = journal.append(KIND, len_of(number), true, |into| {
            into.fill(number as u8);
            into[..8].copy_from_slice(&number.to_le_bytes());
        });
        last = placed.frame;
        if number % 3 == 0 {
            journal.wait_durable(last).await.unwrap();
        }
    }
    journal.wait_durable(last).await.unwrap();
}

/// One life: recovers, checks what is there, appends, ends without a word.
async fn live(dir: PathBuf, expected: u64, more: u64) {
    let (entries, recovered) = read_back(&dir).await.unwrap();
    let wanted: Vec<_> = (0..expected).map(|n| (n, len_of(n))).collect();
    assert_eq!(entries, wanted);
    let observed = Rc::new(Observed::default());
    let strong: Rc<dyn JournalObserver> = Rc::<Observed>::clone(&observed);
    let observer: Weak<dyn JournalObserver> = Rc::downgrade(&strong);
    let journal = Journal::open(options(&dir), recovered, observer);
    journal.sync().await.unwrap();
    write(&journal, expected..expected + more).await;
    let durable = observed.durable.borrow();
    assert!(durable.is_sorted(), "frames become durable in order");
}

#[test]
fn lives_follow_each_other_over_several_files() {
    let dir = tempfile::tempdir().unwrap();
    for life in 0..4 {
        let path = dir.path().to_path_buf();
        on_ring(move || live(path, life * 30, 30));
    }
}

#[test]
fn released_files_are_used_again_and_their_old_frames_do_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_path_buf();
    let from = on_ring(move || async move {
        let observer: Weak<dyn JournalObserver> = Weak::<Observed>::new();
        let journal = Journal::open(options(&path), Recovered::fresh(), observer);
        for round in 0..20 {
            write(&journal, round * 30..(round + 1) * 30).await;
            journal
                .files()
                .release_before(journal.position().generation);
        }
        let from = journal.position();
        assert!(journal.stats().turns > 10, "{:?}", journal.stats());
        write(&journal, 600..610).await;
        from
    });
    let path = dir.path().to_path_buf();
    on_ring(move || async move {
        let mut numbers = Vec::new();
        recover(&options(&path), from, |frame: &Frame| {
            for entry in frame.entries().filter(|entry| entry.kind == KIND) {
                numbers.push(u64::from_le_bytes(entry.payload[..8].try_into().unwrap()));
            }
        })
        .await
        .unwrap();
        assert_eq!(numbers, (600..610).collect::<Vec<_>>());
        // Who has lost the checkpoint does not take the journal for an empty one.
        let error = read_back(&path).await.unwrap_err();
        assert!(matches!(error, JournalError::Lost { .. }), "{error}");
    });
}

#[test]
fn a_damaged_first_frame_is_not_a_journal_that_was_never_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_path_buf();
    on_ring(move || live(path, 0, 10));
    let (file, frames) = frames_of_newest_file(dir.path());
    flip(&file, frames[0] + 20);
    let path = dir.path().to_path_buf();
    on_ring(move || async move {
        let error = read_back(&path).await.unwrap_err();
        assert!(matches!(error, JournalError::Lost { .. }), "{error}");
    });
}

/// The file that was used last, and where its frames begin.
fn frames_of_newest_file(dir: &Path) -> (PathBuf, Vec<usize>) {
    let mut newest = (0, PathBuf::new(), Vec::new());
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let generation = u64::from_le_bytes(bytes[32..40].try_into().unwrap());
        let frames = (0..bytes.len())
            .step_by(4096)
            .filter(|at| bytes[*at..*at + 3] == *b"FLJ")
            .filter(|at| bytes[at + 32..at + 40] == bytes[32..40])
            .collect();
        if generation > newest.0 {
            newest = (generation, path, frames);
        }
    }
    (newest.1, newest.2)
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 0xFF;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_damaged_last_frame_is_a_torn_tail() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_path_buf();
    on_ring(move || live(path, 0, 10));
    let (file, frames) = frames_of_newest_file(dir.path());
    flip(&file, frames[frames.len() - 1] + 90);
    let path = dir.path().to_path_buf();
    on_ring(move || async move {
        let (entries, _) = read_back(&path).await.unwrap();
        // The last three entries left together.
        let numbers: Vec<_> = entries.iter().map(|entry| entry.0).collect();
        assert_eq!(numbers, (0..7).collect::<Vec<_>>());
    });
}

#[test]
fn a_damaged_flushed_frame_is_corruption() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_path_buf();
    on_ring(move || live(path, 0, 20));
    let (file, frames) = frames_of_newest_file(dir.path());
    flip(&file, frames[frames.len() / 2] + 90);
    let path = dir.path().to_path_buf();
    on_ring(move || async move {
        let error = read_back(&path).await.unwrap_err();
        assert!(matches!(error, JournalError::Corrupt { .. }), "{error}");
    });
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_path_buf();
    on_ring(move || live(path, 0, 3));
    let (file, _) = frames_of_newest_file(dir.path());
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[4] = 9;
    std::fs::write(&file, bytes).unwrap();
    let path = dir.path().to_path_buf();
    on_ring(move || async move {
        let error = read_back(&path).await.unwrap_err();
        assert!(matches!(error, JournalError::Newer { .. }), "{error}");
    });
}
