//! The binary as a process: starts, answers, ends in order, and refuses what it should.
#![cfg(test)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// A free port of this machine, for a moment.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn flumen(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flumen"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FLUMEN_") {
            command.env_remove(name);
        }
    }
    command.args(args);
    command
}

/// What a command printed and how it ended.
fn run(args: &[&str], input: &[u8]) -> Output {
    let mut command = flumen(args);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

/// The printed lines of a command that must work.
fn printed(args: &[&str], input: &[u8]) -> String {
    let output = run(args, input);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The error of a command that must fail, with its exit status.
fn refusal(args: &[&str]) -> (i32, String) {
    let output = run(args, b"");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().expect("no signal ended it"), text)
}

struct Node {
    child: Child,
    kafka: String,
    admin: u16,
}

impl Node {
    fn start(data: &Path, more: &[&str]) -> Self {
        let (kafka, admin) = (format!("127.0.0.1:{}", free_port()), free_port());
        let data = data.to_str().unwrap().to_owned();
        let admin_addr = format!("127.0.0.1:{admin}");
        let args = [
            "start",
            "--data",
            &data,
            "--kafka-addr",
            &kafka,
            "--admin-addr",
            &admin_addr,
        ];
        let mut command = flumen(&args);
        command
            .args(["--memory", "64MiB", "--set", "flumen.space.reserve.bytes=0"])
            .args(more);
        let child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut node = Self {
            child,
            kafka,
            admin,
        };
        node.wait_until_ready();
        node
    }

    fn wait_until_ready(&mut self) {
        for _ in 0..600 {
            if self
                .page("/readyz")
                .is_some_and(|page| page.starts_with("HTTP/1.1 200 "))
            {
                return;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("it ended: {status}\n{}", self.log());
            }
            wait(Duration::from_millis(50));
        }
        panic!("it does not get ready");
    }

    fn page(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.admin)).ok()?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        .ok()?;
        let mut page = String::new();
        stream.read_to_string(&mut page).ok()?;
        Some(page)
    }

    /// Asks it to end; gives its exit status and its log.
    fn stop(mut self, signal: &str) -> (i32, String) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args(["-s", signal, &pid])
            .status()
            .unwrap();
        assert!(sent.success());
        for _ in 0..200 {
            if let Some(status) = self.child.try_wait().unwrap() {
                let log = self.log();
                return (status.code().unwrap_or(-1), log);
            }
            wait(Duration::from_millis(50));
        }
        panic!("it did not end within ten seconds");
    }

    fn log(&mut self) -> String {
        let mut log = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut log)
            .unwrap();
        log
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It has ended already if all went well.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's own thread")]
fn wait(duration: Duration) {
    std::thread::sleep(duration);
}

/// A directory in which a broker has lived and stopped.
fn lived_in() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &["--shards", "2"]);
    printed(&["produce", "t", "-b", &node.kafka], b"one\ntwo\nthree\n");
    assert_eq!(node.stop("TERM").0, 0);
    dir
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 0x20;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn what_is_produced_is_consumed_after_a_restart_with_other_shards() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &["--shards", "1"]);
    let broker = node.kafka.clone();
    printed(
        &[
            "topic",
            "create",
            "t",
            "-p",
            "3",
            "-c",
            "retention.ms=-1",
            "-b",
            &broker,
        ],
        b"",
    );
    let mut wanted = Vec::new();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let lines: Vec<String> = (0..200)
            .map(|n| format!("{codec}-{n}\tvalue {n}"))
            .collect();
        let input = lines.join("\n") + "\n";
        let args = [
            "produce",
            "t",
            "-f",
            "%k\\t%v\\n",
            "-z",
            codec,
            "-H",
            "a:b",
            "-b",
            &broker,
        ];
        printed(&args, input.as_bytes());
        wanted.extend(lines.into_iter().map(|line| line + "\ta=b"));
    }
    let (code, log) = node.stop("TERM");
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("stopped in order"), "{log}");
    let node = Node::start(dir.path(), &["--shards", "3"]);
    let format = "%k\\t%v\\t%h{%k=%v}\\n";
    let read = printed(
        &[
            "consume",
            "t",
            "-o",
            ":end",
            "-f",
            format,
            "-b",
            &node.kafka,
        ],
        b"",
    );
    let mut found: Vec<&str> = read.lines().collect();
    found.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
    let described = printed(&["topic", "describe", "t", "-b", &node.kafka], b"");
    let ends = described
        .lines()
        .skip(2)
        .filter_map(|line| line.split_whitespace().last());
    assert_eq!(
        ends.map(|end| end.parse::<i64>().unwrap()).sum::<i64>(),
        1000
    );
    assert_eq!(node.stop("INT").0, 0);
}

#[test]
fn health_and_metrics_follow_the_broker() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &["--shards", "2", "--log", "json"]);
    printed(&["produce", "t", "-b", &node.kafka], b"one\ntwo\n");
    assert!(node.page("/livez").unwrap().starts_with("HTTP/1.1 200 "));
    let metrics = node.page("/metrics").unwrap();
    let value = |name: &str| -> f64 {
        let lines = metrics.lines().filter(|line| line.starts_with(name));
        lines
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    };
    assert!(
        (value("flumen_records_appended_total{") - 2.0).abs() < 0.1,
        "{metrics}"
    );
    assert!(value("flumen_stage_latency_seconds_count{shard=\"0\",stage=\"flush\"}") >= 1.0);
    assert!(value("flumen_requests_total{") >= 2.0);
    assert!(value("flumen_topics ") >= 1.0);
    let (code, log) = node.stop("TERM");
    assert_eq!(code, 0);
    for line in log.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            event["level"].is_string() && event["message"].is_string(),
            "{line}"
        );
    }
}

#[test]
fn a_stop_does_not_wait_for_idle_or_half_open_connections() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]);
    let idle = TcpStream::connect(&node.kafka).unwrap();
    let mut half = TcpStream::connect(&node.kafka).unwrap();
    half.write_all(&[0, 0, 1, 0, 0, 18]).unwrap();
    let (code, log) = node.stop("TERM");
    assert_eq!(code, 0, "{log}");
    drop((idle, half));
}

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

#[test]
fn verify_ends_with_one_and_names_the_damage() {
    let dir = lived_in();
    let path = dir.path().to_str().unwrap();
    assert!(
        printed(&["verify", path], b"")
            .lines()
            .last()
            .unwrap()
            .ends_with("findings=0")
    );
    flip(&dir.path().join("superblock.b"), 50);
    let output = run(&["verify", path, "--json"], b"");
    assert_eq!(output.status.code(), Some(1));
    let lines = String::from_utf8(output.stdout).unwrap();
    let faults: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|item: &serde_json::Value| item["fault"].is_string())
        .collect();
    assert_eq!(faults.len(), 1, "{lines}");
    assert!(
        faults[0]["file"]
            .as_str()
            .unwrap()
            .ends_with("superblock.b")
    );
    assert!(String::from_utf8_lossy(&output.stderr).contains("error[FL4001]"));
}

#[test]
fn a_file_says_what_the_command_line_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("broker.toml");
    std::fs::write(&file, "shards = 1\n[settings]\nnum.partitions = 5\n").unwrap();
    let data = dir.path().join("data");
    let node = Node::start(&data, &["-c", file.to_str().unwrap(), "--shards", "2"]);
    printed(&["topic", "create", "t", "-b", &node.kafka], b"");
    let listed = printed(&["topic", "list", "-b", &node.kafka], b"");
    assert!(
        listed
            .lines()
            .any(|line| line.split_whitespace().eq(["t", "5", "1"])),
        "{listed}"
    );
    let (_, log) = node.stop("TERM");
    assert!(log.contains("shards: 2"), "the command line wins: {log}");
}

#[test]
fn clients_meet_kafkas_words_and_exit_statuses() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]);
    let (code, text) = refusal(&["topic", "describe", "nothing", "-b", &node.kafka]);
    assert!(
        code == 1 && text.contains("UNKNOWN_TOPIC_OR_PARTITION"),
        "{text}"
    );
    printed(&["topic", "create", "t", "-b", &node.kafka], b"");
    let (code, text) = refusal(&["topic", "create", "t", "-b", &node.kafka]);
    assert!(code == 1 && text.contains("TOPIC_ALREADY_EXISTS"), "{text}");
    printed(&["topic", "delete", "t", "-b", &node.kafka], b"");
    printed(&["produce", "u", "-b", &node.kafka, "-q"], b"a\nb\nc\nd");
    let consume = |offset: &str| {
        printed(
            &[
                "consume",
                "u",
                "-o",
                offset,
                "-f",
                "%o:%v ",
                "-b",
                &node.kafka,
            ],
            b"",
        )
    };
    assert_eq!(consume(":end"), "0:a 1:b 2:c 3:d ");
    assert_eq!(consume("-2:end"), "2:c 3:d ");
    assert_eq!(consume("+1:end"), "1:b 2:c 3:d ");
    assert_eq!(consume("3:end"), "3:d ");
    assert_eq!(consume("@0:end"), "0:a 1:b 2:c 3:d ");
    let (code, text) = refusal(&["consume", "u", "-o", "99", "-b", &node.kafka]);
    assert!(code == 1 && text.contains("OFFSET_OUT_OF_RANGE"), "{text}");
    let one = printed(&["consume", "u", "-n", "1", "-b", &node.kafka], b"");
    assert_eq!(one, "a\n");
    let broker = node.kafka.clone();
    assert_eq!(node.stop("TERM").0, 0);
    assert_eq!(refusal(&["topic", "list", "-b", &broker]).0, 3);
}
