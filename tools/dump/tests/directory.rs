//! Dumps and verification of directories that the broker's own parts made, whole and damaged.
#![cfg(test)]

mod support;

use std::path::Path;

use support::{Ending, directory, faults, files, flip, on_ring, verify};
use tools_dump::{Item, journal, meta, segment};

fn dump_segment(path: &Path) -> Vec<Item> {
    let path = path.to_path_buf();
    on_ring(move || async move {
        let mut items = Vec::new();
        segment::dump(&path, &mut |item| items.push(item))
            .await
            .unwrap();
        items
    })
}

fn dump_journal(path: &Path) -> Vec<Item> {
    let path = path.to_path_buf();
    on_ring(move || async move {
        let mut items = Vec::new();
        journal::dump(&path, &mut |item| items.push(item))
            .await
            .unwrap();
        items
    })
}

fn of_kind<'a>(items: &'a [Item], kind: &str) -> Vec<&'a Item> {
    items.iter().filter(|item| item.kind() == kind).collect()
}

/// A sealed segment: one with a footer.
fn sealed_segment(dir: &Path) -> std::path::PathBuf {
    let is_sealed = |path: &std::path::PathBuf| !of_kind(&dump_segment(path), "footer").is_empty();
    files(dir, ".segment")
        .into_iter()
        .find(is_sealed)
        .expect("segments were rolled")
}

/// Every file below a directory with its bytes.
fn contents(dir: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let all = files(dir, "").into_iter();
    all.map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect()
}

#[test]
fn a_sound_directory_has_no_findings() {
    for ending in [Ending::Stopped, Ending::Killed] {
        let dir = directory(ending);
        let before = contents(dir.path());
        let (items, verdict) = verify(dir.path()).unwrap();
        assert_eq!(faults(&items), Vec::<String>::new());
        assert!(verdict.is_sound());
        assert!(
            verdict.segments >= 20 && verdict.batches >= 150,
            "{verdict:?}"
        );
        assert!(before == contents(dir.path()), "looking changed something");
    }
}

#[test]
fn a_sealed_segment_is_told_from_end_to_end() {
    let dir = directory(Ending::Stopped);
    let items = dump_segment(&sealed_segment(dir.path()));
    assert_eq!(faults(&items), Vec::<String>::new());
    let kinds: Vec<&str> = items.iter().map(Item::kind).collect();
    assert_eq!(kinds.first(), Some(&"segment"));
    assert_eq!(kinds.last(), Some(&"footer"));
    let batches = of_kind(&items, "batch");
    let footer = items.last().unwrap();
    let last = batches
        .last()
        .unwrap()
        .field("last_offset")
        .unwrap()
        .as_i64()
        .unwrap();
    assert_eq!(
        footer.field("next_offset").unwrap().as_i64(),
        Some(last + 1)
    );
    let bytes: u64 = batches
        .iter()
        .map(|b| b.field("bytes").unwrap().as_u64().unwrap())
        .sum();
    assert_eq!(footer.field("bytes").unwrap().as_u64(), Some(bytes));
}

#[test]
fn an_open_segment_ends_in_the_journal() {
    let dir = directory(Ending::Killed);
    let open = files(dir.path(), ".segment").pop().unwrap();
    let items = dump_segment(&open);
    assert_eq!(faults(&items), Vec::<String>::new());
    assert_eq!(items.last().unwrap().kind(), "end");
}

/// Every byte that says something is under a checksum.
#[test]
fn every_flipped_bit_of_a_sealed_segment_is_found() {
    let dir = directory(Ending::Stopped);
    let path = sealed_segment(dir.path());
    let whole = std::fs::read(&path).unwrap();
    let said: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    let step = said.len() / 60;
    for at in said.iter().step_by(step).chain(said.last()) {
        flip(&path, *at);
        let (items, verdict) = verify(dir.path()).unwrap();
        assert!(!verdict.is_sound(), "byte {at}");
        let found = faults(&items);
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(
            found.iter().all(|line| line.contains(name)),
            "byte {at}: {found:?}"
        );
        std::fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn a_dump_goes_on_behind_the_damage() {
    let dir = directory(Ending::Stopped);
    let path = sealed_segment(dir.path());
    let sound = dump_segment(&path);
    let second = of_kind(&sound, "batch")[1]
        .field("at")
        .unwrap()
        .as_u64()
        .unwrap() as usize;
    // Its length: nothing behind it can be found by walking.
    flip(&path, second + 8);
    let damaged = dump_segment(&path);
    assert!(!faults(&damaged).is_empty());
    let batches = |items| of_kind(items, "batch").len();
    assert!(
        batches(&damaged) > batches(&sound) / 2,
        "{} of {}",
        batches(&damaged),
        batches(&sound)
    );
    assert_eq!(damaged.last(), sound.last(), "the footer is reached");
}

#[test]
fn a_missing_segment_is_named() {
    let dir = directory(Ending::Stopped);
    let path = sealed_segment(dir.path());
    std::fs::remove_file(&path).unwrap();
    let (items, _) = verify(dir.path()).unwrap();
    let found = faults(&items);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains(path.file_name().unwrap().to_str().unwrap()),
        "{found:?}"
    );
    assert!(found[0].ends_with("BAD: the file is missing"), "{found:?}");
}

#[test]
fn a_segment_in_another_ones_place_is_found() {
    let dir = directory(Ending::Stopped);
    let path = sealed_segment(dir.path());
    let other = files(dir.path(), ".segment")
        .into_iter()
        .rfind(|other| *other != path)
        .unwrap();
    std::fs::copy(&path, &other).unwrap();
    let (items, _) = verify(dir.path()).unwrap();
    let found = faults(&items);
    assert!(
        found
            .iter()
            .any(|line| line.contains("names another place")),
        "{found:?}"
    );
}

#[test]
fn a_journal_is_told_with_what_its_entries_say() {
    let dir = directory(Ending::Killed);
    let journal = dir.path().join("shards/00000001/0");
    let items = dump_journal(&journal);
    assert_eq!(faults(&items), Vec::<String>::new());
    let frames = of_kind(&items, "frame");
    assert!(frames.len() > 20, "{}", frames.len());
    assert_eq!(frames[0].field("life_start"), Some(&true.into()));
    let is = |what: &'static str| move |item: &&&Item| item.field("is") == Some(&what.into());
    let entries = of_kind(&items, "entry");
    assert!(entries.iter().filter(is("batch")).count() > 10);
    let extent = entries
        .iter()
        .find(is("extent"))
        .expect("large appends leave references");
    assert_eq!(extent.field("partition"), Some(&0.into()));
    assert!(extent.field("extent_bytes").unwrap().as_u64().unwrap() >= 256 << 10);
}

#[test]
fn a_flushed_frame_that_is_damaged_is_corruption_and_a_torn_last_one_is_not() {
    let dir = directory(Ending::Stopped);
    let journal = dir.path().join("shards/00000001/1");
    let items = dump_journal(&journal);
    let mut file = String::new();
    let mut frames = Vec::new();
    for item in items {
        match item.kind() {
            "journal" => file = item.field("file").unwrap().as_str().unwrap().to_owned(),
            "frame" => frames.push((file.clone(), item.field("at").unwrap().as_u64().unwrap())),
            _ => {},
        }
    }
    let [.., (certified, at), (last, last_at)] = &frames[..] else {
        panic!("{frames:?}")
    };
    flip(Path::new(last), *last_at as usize + 12);
    assert!(
        verify(dir.path()).unwrap().1.is_sound(),
        "nothing certifies the last frame"
    );
    flip(Path::new(last), *last_at as usize + 12);
    flip(Path::new(certified), *at as usize + 41);
    let (items, _) = verify(dir.path()).unwrap();
    let found = faults(&items);
    assert!(
        found
            .iter()
            .any(|line| line.contains("was flushed and is damaged now")),
        "{found:?}"
    );
}

#[test]
fn copies_of_superblock_and_metadata_are_judged_one_by_one() {
    let dir = directory(Ending::Stopped);
    for (name, at) in [
        ("superblock.a", 20),
        ("superblock.b", 30),
        ("meta/a.log", 50),
    ] {
        let path = dir.path().join(name);
        flip(&path, at);
        let (items, verdict) = verify(dir.path()).unwrap();
        let found = faults(&items);
        assert!(
            found.iter().any(|line| line.contains(name)),
            "{name}: {found:?}"
        );
        assert!(verdict.segments > 0, "the other copy leads on");
        flip(&path, at);
    }
    std::fs::remove_file(dir.path().join("meta/b.log")).unwrap();
    let (items, verdict) = verify(dir.path()).unwrap();
    assert!(faults(&items)[0].contains("this copy is missing"));
    assert!(verdict.segments > 0);
}

#[test]
fn the_metadata_log_is_told_record_by_record() {
    let dir = directory(Ending::Stopped);
    let path = dir.path().join("meta");
    let items = on_ring(move || async move {
        let mut items = Vec::new();
        meta::dump(&path, &mut |item| items.push(item))
            .await
            .unwrap();
        items
    });
    assert_eq!(of_kind(&items, "metadata").len(), 2);
    let records: Vec<String> = of_kind(&items, "record")
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(
        records
            .iter()
            .any(|line| line.contains("TopicCreated") && line.contains("\"t\""))
    );
    assert_eq!(faults(&items), Vec::<String>::new());
}

#[test]
fn strangers_among_the_topics_are_told() {
    let dir = directory(Ending::Stopped);
    let topics = dir.path().join("topics");
    std::fs::create_dir(topics.join(format!("{:032x}", 99))).unwrap();
    std::fs::write(topics.join("notes.txt"), "x").unwrap();
    let (items, verdict) = verify(dir.path()).unwrap();
    let found = faults(&items);
    assert_eq!(verdict.findings, 2, "{found:?}");
    assert!(
        found[0].contains("the metadata knows no such topic"),
        "{found:?}"
    );
}

#[test]
fn a_directory_in_use_and_a_stranger_are_errors() {
    let dir = directory(Ending::Stopped);
    let path = dir.path().to_path_buf();
    on_ring(move || async move {
        let _held = loop {
            // The lock of the directory's maker lasts until its last I/O has ended.
            if let Ok(lock) = engine_rt::fs::lock(&path.join("lock")).await {
                break lock;
            }
            engine_rt::sleep(std::time::Duration::from_millis(20)).await;
        };
        let error = tools_dump::verify(&path, &mut |_| ()).await.unwrap_err();
        assert!(
            error.to_string().contains("in use by another process"),
            "{error}"
        );
    });
    let stranger = tempfile::tempdir().unwrap();
    assert!(
        verify(stranger.path())
            .unwrap_err()
            .to_string()
            .contains("not a data directory")
    );
    assert!(verify(Path::new("/nonexistent")).is_err());
}
