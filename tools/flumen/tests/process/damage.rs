//! Damage at rest, and copies: what is hurt is named and refused, everything else is served, and repair
//! brings a directory back.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Node, flip, flumen, lived_in, printed, refusal, run};

const MESSAGES: usize = 6_000;

/// A directory with two topics of a few segments each.
fn filled() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &["--shards", "2"]);
    for topic in ["hurt", "sound"] {
        let create = [
            "topic",
            "create",
            topic,
            "-p",
            "1",
            "-c",
            "segment.bytes=1048576",
        ];
        printed(&[&create[..], &["-b", &node.kafka]].concat(), b"");
        // Several batches: a segment is rolled between two of them.
        for half in 0..4 {
            let lines = (half * MESSAGES / 4..(half + 1) * MESSAGES / 4).map(line);
            let lines: String = lines.collect();
            printed(&["produce", topic, "-b", &node.kafka], lines.as_bytes());
        }
    }
    assert_eq!(node.stop("TERM").0, 0);
    dir
}

fn line(number: usize) -> String {
    format!("{number:08}{}\n", "x".repeat(500))
}

/// The numbers that a consumer gets from the start of a topic.
fn consumed(node: &Node, topic: &str) -> Vec<usize> {
    let args = [
        "consume",
        topic,
        "-o",
        ":end",
        "-f",
        "%v\\n",
        "-b",
        &node.kafka,
    ];
    let numbers = printed(&args, b"");
    numbers
        .lines()
        .map(|line| line[..8].parse().unwrap())
        .collect()
}

fn segments(dir: &Path, topic_of: impl Fn(usize) -> bool) -> Vec<PathBuf> {
    let topics = std::fs::read_dir(dir.join("topics")).unwrap();
    let mut all = Vec::new();
    for topic in topics {
        let mut files: Vec<PathBuf> = std::fs::read_dir(topic.unwrap().path())
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        files.sort();
        all.push(files);
    }
    all.retain(|files| topic_of(files.len()));
    all.concat()
}

/// The oldest segment of the topic `hurt`, as verify and repair name it.
fn oldest_of_hurt(dir: &Path) -> PathBuf {
    let state = printed(
        &[
            "dump",
            "meta",
            dir.join("meta/a.log").to_str().unwrap(),
            "--json",
        ],
        b"",
    );
    let all = segments(dir, |_| true);
    let id = |path: &Path| {
        path.parent()
            .unwrap()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    // The topic that was created first has the record with the name `hurt`.
    let line = state.lines().find(|line| line.contains("hurt")).unwrap();
    let mut of_hurt = all.into_iter().filter(|path| {
        let uuid = u128::from_str_radix(&id(path), 16).unwrap();
        let uuid = net_wire::Uuid::from_bytes(uuid.to_be_bytes());
        line.contains(&uuid.to_string())
    });
    of_hurt.next().expect("it has segments")
}

fn verify(dir: &Path) -> i32 {
    let output = run(&["verify", dir.to_str().unwrap()], b"");
    output.status.code().unwrap()
}

fn copied(from: &Path) -> (tempfile::TempDir, PathBuf) {
    let to = tempfile::tempdir().unwrap();
    let path = to.path().join("copy");
    let done = Command::new("cp").arg("-a").args([from, &path]).status();
    assert!(done.unwrap().success());
    (to, path)
}

#[test]
fn a_damaged_segment_is_repaired_and_the_rest_served() {
    let dir = filled();
    let path = dir.path().to_str().unwrap();
    assert_eq!(verify(dir.path()), 0);
    assert!(
        run(&["repair", path], b"").status.success(),
        "nothing to repair"
    );
    flip(&oldest_of_hurt(dir.path()), 50_000);
    assert_eq!(verify(dir.path()), 1);
    // The broker starts, serves the other topic, and refuses the range.
    let node = Node::start(dir.path(), &["--shards", "2"]);
    assert_eq!(consumed(&node, "sound"), (0..MESSAGES).collect::<Vec<_>>());
    let args = [
        "consume",
        "hurt",
        "-o",
        ":end",
        "-f",
        "%v\\n",
        "-b",
        &node.kafka,
    ];
    let refused = run(&args, b"");
    let errors = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && errors.contains("KAFKA_STORAGE_ERROR"),
        "{errors}"
    );
    printed(
        &["produce", "hurt", "-b", &node.kafka],
        line(MESSAGES).as_bytes(),
    );
    // A live directory is left alone.
    let (code, text) = refusal(&["repair", path, "--accept-loss", "hurt/0"]);
    assert!(code == 1 && text.contains("in use"), "{text}");
    assert_eq!(node.stop("TERM").0, 0);

    let shown = run(&["repair", path, "--json"], b"");
    assert_eq!(shown.status.code(), Some(1));
    let told = String::from_utf8_lossy(&shown.stdout).into_owned();
    let help = String::from_utf8_lossy(&shown.stderr).into_owned();
    assert!(help.contains("--accept-loss hurt/0"), "{help}");
    let number = |text: &str, name: &str| -> usize {
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        value[name].as_u64().unwrap() as usize
    };
    let loss = told.lines().find(|line| line.contains("\"loss\"")).unwrap();
    let (first, last) = (number(loss, "first_offset"), number(loss, "last_offset"));
    let (code, text) = refusal(&["repair", path, "--accept-loss", "sound/0"]);
    assert!(
        code == 2 && text.contains("nothing of it is gone"),
        "{text}"
    );
    printed(&["repair", path, "--accept-loss", "hurt/0"], b"");
    assert_eq!(verify(dir.path()), 0);

    let node = Node::start(dir.path(), &["--shards", "2"]);
    let kept: Vec<usize> = (0..=MESSAGES)
        .filter(|at| !(first..=last).contains(at))
        .collect();
    assert_eq!(consumed(&node, "hurt").len(), kept.len());
    assert!(consumed(&node, "hurt") == kept);
    assert!(consumed(&node, "sound") == (0..MESSAGES).collect::<Vec<_>>());
    let format = [
        "consume",
        "hurt",
        "-o",
        "-1",
        "-n",
        "1",
        "-f",
        "%o\\n",
        "-b",
        &node.kafka,
    ];
    printed(
        &["produce", "hurt", "-b", &node.kafka],
        line(MESSAGES + 1).as_bytes(),
    );
    assert_eq!(printed(&format, b""), format!("{}\n", MESSAGES + 1));
    assert_eq!(node.stop("TERM").0, 0);
}

#[test]
fn a_lost_segment_file_keeps_nobody_else_from_being_served() {
    let dir = filled();
    let path = dir.path().to_str().unwrap();
    std::fs::remove_file(oldest_of_hurt(dir.path())).unwrap();
    let node = Node::start(dir.path(), &["--shards", "2"]);
    assert_eq!(consumed(&node, "sound").len(), MESSAGES);
    assert_eq!(node.stop("TERM").0, 0);
    printed(&["repair", path, "--accept-loss", "hurt/0"], b"");
    let node = Node::start(dir.path(), &["--shards", "2"]);
    let left = consumed(&node, "hurt");
    assert!(!left.is_empty() && left == (MESSAGES - left.len()..MESSAGES).collect::<Vec<_>>());
    assert_eq!(node.stop("TERM").0, 0);
}

#[test]
fn one_copy_of_the_metadata_or_superblock_is_enough_and_none_is_refused() {
    for (files, code) in [
        (["meta/a.log", "meta/b.log"], "FL1010"),
        (["superblock.a", "superblock.b"], "FL1006"),
    ] {
        let dir = lived_in();
        flip(&dir.path().join(files[0]), 40);
        let node = Node::start(dir.path(), &["--shards", "2"]);
        assert_eq!(
            printed(&["consume", "t", "-o", ":end", "-b", &node.kafka], b""),
            "one\ntwo\nthree\n"
        );
        assert_eq!(node.stop("TERM").0, 0);
        // The start has put it right: the other one may go now.
        flip(&dir.path().join(files[1]), 40);
        let node = Node::start(dir.path(), &["--shards", "2"]);
        assert_eq!(node.stop("TERM").0, 0);
        for file in files {
            flip(&dir.path().join(file), 40);
        }
        let path = dir.path().to_str().unwrap();
        let (_, text) = refusal(&["start", "--data", path, "--kafka-addr", "127.0.0.1:0"]);
        assert!(text.contains(code), "{text}");
    }
}

#[test]
fn a_copied_directory_is_recognised() {
    let dir = lived_in();
    let (_keep, copy) = copied(dir.path());
    let path = copy.to_str().unwrap();
    let (_, text) = refusal(&["start", "--data", path, "--kafka-addr", "127.0.0.1:0"]);
    assert!(text.contains("FL1008"), "{text}");
    let node = Node::start(&copy, &["--shards", "2", "--accept-copy"]);
    assert_eq!(
        printed(&["consume", "t", "-o", ":end", "-b", &node.kafka], b""),
        "one\ntwo\nthree\n"
    );
    assert_eq!(node.stop("TERM").0, 0);
    let node = Node::start(&copy, &["--shards", "2"]);
    assert_eq!(node.stop("TERM").0, 0);
}

#[test]
fn a_backup_of_a_running_broker_has_everything_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let settings = [
        "flumen.journal.file.bytes=262144",
        "flumen.journal.files.max=4",
    ];
    let node = Node::start(
        dir.path(),
        &["--shards", "2", "--set", settings[0], "--set", settings[1]],
    );
    let create = [
        "topic",
        "create",
        "t",
        "-p",
        "1",
        "-c",
        "segment.bytes=1048576",
    ];
    printed(&[&create[..], &["-b", &node.kafka]].concat(), b"");
    let lines: String = (0..MESSAGES).map(line).collect();
    printed(&["produce", "t", "-b", &node.kafka], lines.as_bytes());
    // Somebody goes on while it is copied.
    let more = dir.path().with_extension("txt");
    std::fs::write(
        &more,
        (MESSAGES..5 * MESSAGES).map(line).collect::<String>(),
    )
    .unwrap();
    let mut busy = flumen(&["produce", "t", "-b", &node.kafka])
        .stdin(std::fs::File::open(&more).unwrap())
        .spawn()
        .unwrap();
    let copy = tempfile::tempdir().unwrap();
    let to = copy.path().join("backup");
    let (from, to) = (dir.path().to_str().unwrap(), to.to_str().unwrap());
    printed(&["backup", "--data", from, "--to", to], b"");
    assert!(busy.wait().unwrap().success());
    std::fs::remove_file(more).unwrap();
    assert_eq!(node.stop("TERM").0, 0);
    let (_, text) = refusal(&["backup", "--data", from, "--to", to]);
    assert!(text.contains("not empty"), "{text}");
    let node = Node::start(Path::new(to), &["--shards", "2", "--accept-copy"]);
    let found = consumed(&node, "t");
    assert!(found.len() >= MESSAGES, "{}", found.len());
    assert!(found == (0..found.len()).collect::<Vec<_>>());
    printed(
        &["produce", "t", "-b", &node.kafka],
        line(found.len()).as_bytes(),
    );
    assert_eq!(consumed(&node, "t").len(), found.len() + 1);
    assert_eq!(node.stop("TERM").0, 0);
}
