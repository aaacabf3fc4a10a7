//! A broker whose kernel refuses `io_uring`, as container runtimes do: it says so and serves.

use std::os::unix::process::CommandExt;

use engine_rt::sandbox::{Refused, refuse};

use super::harness::{Node, flumen, printed, refused};

/// Becomes the program, with what stands behind `--`.
#[test]
#[ignore = "a child process of a_broker_without_io_uring_loses_nothing_when_it_is_killed"]
fn becomes_the_program() {
    refuse(&[Refused::IoUring]).unwrap();
    let args: Vec<String> = std::env::args().skip_while(|arg| arg != "--").collect();
    let args: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
    let failed = flumen(&args).exec();
    panic!("{failed}");
}

fn read(broker: &str) -> String {
    printed(&["consume", "t", "-o", ":end", "-b", broker], b"")
}

#[test]
fn a_broker_without_io_uring_loses_nothing_when_it_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut wanted = String::new();
    for life in 0..3 {
        let node = Node::start_refused(dir.path(), &["--shards", "2"]);
        assert_eq!(read_if_any(&node.kafka, life), wanted);
        let lines: Vec<String> = (0..500).map(|n| format!("{life}-{n}\n")).collect();
        let lines = lines.concat();
        printed(&["produce", "t", "-b", &node.kafka], lines.as_bytes());
        wanted.push_str(&lines);
        assert_eq!(read(&node.kafka), wanted);
        let (code, log) = node.stop("KILL");
        assert_eq!(code, -1, "{log}");
        let told = "without io_uring, refused by ";
        let line = log.lines().find(|line| line.contains(told)).expect(&log);
        assert!(line.contains("epoll serves") && line.contains("remedy: "));
    }
    // The same directory on a ring, in order, and back again.
    for (ring, word) in [(true, "io_uring"), (false, "epoll serves")] {
        let node = if ring {
            Node::start(dir.path(), &["--shards", "2", "--runtime", "ring"])
        } else {
            Node::start(dir.path(), &["--shards", "1", "--runtime", "epoll"])
        };
        assert_eq!(read(&node.kafka), wanted);
        let (code, log) = node.stop("TERM");
        assert!(code == 0 && log.contains(word), "{log}");
    }
    let path = dir.path().to_str().unwrap();
    let verified = printed(&["verify", path], b"");
    assert!(verified.ends_with("findings=0\n"), "{verified}");
}

/// Nobody has made the topic in the first life.
fn read_if_any(broker: &str, life: u32) -> String {
    if life == 0 {
        String::new()
    } else {
        read(broker)
    }
}

#[test]
fn clients_do_without_io_uring_too() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]);
    printed(&["produce", "t", "-b", &node.kafka], b"one\ntwo\n");
    let mut consume = refused();
    consume.args(["consume", "t", "-o", ":end", "-b", &node.kafka]);
    let output = consume.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(text.ends_with("one\ntwo\n"), "{text}{errors}");
    assert_eq!(node.stop("TERM").0, 0);
}

#[test]
fn a_ring_that_is_demanded_and_refused_is_an_error_with_its_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let mut start = refused();
    start.args(["start", "--runtime", "ring", "--data"]);
    let output = start.arg(dir.path()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("error[FL1013]"), "{errors}");
    assert!(errors.contains("--runtime epoll"), "{errors}");
}
