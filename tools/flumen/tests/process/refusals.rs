//! Starts that are refused, each by its number.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::harness::{Node, flip, free_port, lived_in, printed, refusal};

#[test]
fn an_address_or_directory_in_use_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]);
    let path = dir.path().to_str().unwrap();
    let other = format!("127.0.0.1:{}", free_port());
    let (code, text) = refusal(&["start", "--data", path, "--kafka-addr", &other]);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("error[FL1005]") && text.contains("in use by another process"),
        "{text}"
    );
    let elsewhere = tempfile::tempdir().unwrap();
    let data = elsewhere.path().to_str().unwrap();
    let (code, text) = refusal(&["start", "--data", data, "--kafka-addr", &node.kafka]);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("error[FL1004]") && text.contains("in use"),
        "{text}"
    );
    let (code, text) = refusal(&["verify", path]);
    assert!(code == 1 && text.contains("error[FL4002]"), "{text}");
    assert_eq!(node.stop("TERM").0, 0);
}

#[test]
fn damaged_directories_are_refused_by_number() {
    let dir = lived_in();
    let path = dir.path().to_str().unwrap();
    let addr = format!("127.0.0.1:{}", free_port());
    let start = |code: &str| {
        let (exit, text) = refusal(&["start", "--data", path, "--kafka-addr", &addr]);
        assert!(
            exit == 1 && text.contains(&format!("error[{code}]")),
            "{code}: {exit} {text}"
        );
        assert!(text.contains("\n  help:  "), "{text}");
    };
    let both = |names: [&str; 2], at: usize| {
        for name in names {
            flip(&dir.path().join(name), at);
        }
    };
    both(["superblock.a", "superblock.b"], 30);
    start("FL1006");
    both(["superblock.a", "superblock.b"], 30);
    both(["meta/a.log", "meta/b.log"], 40);
    start("FL1010");
    both(["meta/a.log", "meta/b.log"], 40);
    let (journal, at) = certified_frame(&dir.path().join("shards/00000001/1"));
    flip(&journal, at + 41);
    start("FL1011");
    flip(&journal, at + 41);
    assert!(
        printed(&["verify", path], b"").contains("findings=0"),
        "as it was before"
    );
}

/// The journal has gone round, so that it does not tell what the checkpoint did.
#[test]
fn a_lost_checkpoint_is_not_an_empty_shard() {
    let dir = tempfile::tempdir().unwrap();
    let small = [
        "--shards",
        "1",
        "--set",
        "flumen.journal.file.bytes=262144",
        "--set",
        "flumen.journal.files.max=2",
    ];
    let node = Node::start(dir.path(), &small);
    let lines = "a line like every other\n".repeat(100_000);
    printed(&["produce", "t", "-q", "-b", &node.kafka], lines.as_bytes());
    assert_eq!(node.stop("TERM").0, 0);
    let shard = dir.path().join("shards/00000001/0");
    for name in ["checkpoint.a", "checkpoint.b"] {
        let path = shard.join(name);
        if path.exists() {
            flip(&path, 30);
        }
    }
    let addr = format!("127.0.0.1:{}", free_port());
    let data = dir.path().to_str().unwrap();
    let (code, text) = refusal(&["start", "--data", data, "--kafka-addr", &addr]);
    assert!(code == 1 && text.contains("error[FL1011]"), "{text}");
    assert!(text.contains("checkpoint"), "{text}");
}

/// The last frame but one of a journal, which the last one certifies as flushed: file and position.
fn certified_frame(journal: &Path) -> (PathBuf, usize) {
    let lines = printed(
        &["dump", "journal", journal.to_str().unwrap(), "--json"],
        b"",
    );
    let (mut file, mut frames) = (PathBuf::new(), Vec::new());
    for line in lines.lines() {
        let item: serde_json::Value = serde_json::from_str(line).unwrap();
        match item["kind"].as_str().unwrap() {
            "journal" => file = item["file"].as_str().unwrap().into(),
            "frame" => frames.push((file.clone(), item["at"].as_u64().unwrap() as usize)),
            _ => {},
        }
    }
    frames.remove(frames.len() - 2)
}

#[test]
fn a_directory_of_a_newer_version_is_left_alone() {
    let dir = lived_in();
    for name in ["superblock.a", "superblock.b"] {
        let path = dir.path().join(name);
        let mut block = std::fs::read(&path).unwrap();
        block[8..12].copy_from_slice(&2_u32.to_le_bytes());
        let crc = net_wire::batch::crc32c(&block[..4092]);
        block[4092..].copy_from_slice(&crc.to_le_bytes());
        std::fs::write(&path, block).unwrap();
    }
    let addr = format!("127.0.0.1:{}", free_port());
    let path = dir.path().to_str().unwrap();
    let (code, text) = refusal(&["start", "--data", path, "--kafka-addr", &addr]);
    assert!(code == 1 && text.contains("error[FL1007]"), "{text}");
}

#[test]
fn a_copied_directory_is_refused_until_it_is_accepted() {
    let dir = lived_in();
    let copy = tempfile::tempdir().unwrap();
    let source = format!("{}/.", dir.path().display());
    let copied = Command::new("cp")
        .args(["-r", &source])
        .arg(copy.path())
        .status()
        .unwrap();
    assert!(copied.success());
    let path = copy.path().to_str().unwrap();
    let addr = format!("127.0.0.1:{}", free_port());
    let (code, text) = refusal(&["start", "--data", path, "--kafka-addr", &addr]);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("error[FL1008]") && text.contains("--accept-copy"),
        "{text}"
    );
    let node = Node::start(copy.path(), &["--accept-copy"]);
    let read = printed(&["consume", "t", "-o", ":end", "-b", &node.kafka], b"");
    assert_eq!(read, "one\ntwo\nthree\n");
    assert_eq!(node.stop("TERM").0, 0);
}
