//! What clients do to a broker that they should not.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::harness::{Node, printed, wait};

/// `ApiVersions`, version 0, without a client id.
const API_VERSIONS: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff];

/// Whether a connection is served within a few seconds.
fn is_answered(stream: &mut TcpStream) -> bool {
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let mut length = [0; 4];
    if stream.write_all(&API_VERSIONS).is_err() || stream.read_exact(&mut length).is_err() {
        return false;
    }
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer).is_ok() && answer[..6] == [0, 0, 0, 1, 0, 0]
}

/// CPU time that a process has used, in hundredths of a second.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn lines_with(log: &str, text: &str) -> usize {
    log.lines().filter(|line| line.contains(text)).count()
}

#[test]
fn accepting_pauses_without_descriptors_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start_limited(dir.path(), 100, &["--shards", "2"]);
    let mut served = TcpStream::connect(&node.kafka).unwrap();
    assert!(is_answered(&mut served));
    let flood: Vec<TcpStream> = (0..200)
        .map(|_| TcpStream::connect(&node.kafka).unwrap())
        .collect();
    wait(Duration::from_millis(500));
    let before = cpu_ticks(node.child.id());
    wait(Duration::from_secs(2));
    let used = cpu_ticks(node.child.id()) - before;
    assert!(used < 60, "{used} hundredths of a second of two seconds");
    assert!(is_answered(&mut served), "who is in stays in service");
    // Journals and segments have descriptors left.
    let open = std::fs::read_dir(format!("/proc/{}/fd", node.child.id())).unwrap();
    let open = open.count();
    assert!(open < 95, "{open} descriptors of 100");
    drop(flood);
    let mut late = TcpStream::connect(&node.kafka).unwrap();
    assert!(is_answered(&mut late), "there is room again");
    printed(&["topic", "list", "-b", &node.kafka], b"");
    let (code, log) = node.stop("TERM");
    assert_eq!(code, 0, "{log}");
    assert_eq!(lines_with(&log, "accepting pauses"), 1, "{log}");
}

#[test]
fn what_is_not_kafka_costs_one_line_each() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &["--shards", "1"]);
    let mut bystander = TcpStream::connect(&node.kafka).unwrap();
    let mut half = TcpStream::connect(&node.kafka).unwrap();
    half.write_all(&API_VERSIONS[..9]).unwrap();
    let wrong: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\n\r\n",
        &[0x7f, 0xff, 0xff, 0xff, 0, 3],
        // Produce 2, and an API of nobody's.
        &[0, 0, 0, 10, 0, 0, 0, 2, 0, 0, 0, 1, 0xff, 0xff],
        &[0, 0, 0, 10, 3, 0xe7, 0, 0, 0, 0, 0, 1, 0xff, 0xff],
        // Metadata of 2^31 - 1 topics.
        &[
            0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff,
        ],
    ];
    for bytes in wrong {
        let mut stream = TcpStream::connect(&node.kafka).unwrap();
        stream.write_all(bytes).unwrap();
        let closed = stream.read(&mut [0; 1]);
        assert!(
            !closed.is_ok_and(|read| read > 0),
            "{bytes:?} got an answer"
        );
    }
    assert!(is_answered(&mut bystander));
    half.write_all(&API_VERSIONS[9..]).unwrap();
    let mut length = [0; 4];
    half.read_exact(&mut length).unwrap();
    let (code, log) = node.stop("TERM");
    assert_eq!(code, 0, "{log}");
    assert_eq!(lines_with(&log, "connection closed"), wrong.len(), "{log}");
    assert_eq!(lines_with(&log, " WARN "), wrong.len(), "{log}");
}
