//! Consumer groups by the command line: members share a topic and take over from each other, and
//! what was printed is committed.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Node, SMALL_GROUPS, flumen, printed, refusal, wait};

/// `flumen consume -g` at work.
struct Member(Child);

impl Member {
    fn start(node: &Node, group: &str) -> Self {
        let args = [
            "consume",
            "t",
            "-g",
            group,
            "-f",
            "%p:%v\\n",
            "-b",
            &node.kafka,
        ];
        let child = flumen(&args).stdout(Stdio::piped()).spawn();
        Self(child.unwrap())
    }

    /// Asks it to end; what it has printed.
    fn stop(self) -> Vec<String> {
        let pid = self.0.id().to_string();
        let sent = Command::new("kill").args(["-s", "TERM", &pid]).status();
        assert!(sent.unwrap().success());
        let output = self.0.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

fn described(node: &Node, group: &str) -> Value {
    let args = ["group", "describe", group, "-o", "json", "-b", &node.kafka];
    serde_json::from_str(&printed(&args, b"")).unwrap()
}

/// Waits until a group is as wanted.
fn until(node: &Node, group: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let mut found = Value::Null;
    for _ in 0..300 {
        // It may not be there yet.
        let args = ["group", "list", "-o", "json", "-b", &node.kafka];
        if printed(&args, b"").contains(&format!("\"{group}\"")) {
            found = described(node, group);
            if is_so(&found) {
                return found;
            }
        }
        wait(Duration::from_millis(100));
    }
    panic!("it does not come to it: {found}");
}

/// How many partitions each member has, ascending.
fn shares(group: &Value) -> Vec<u64> {
    let members = group["members"].as_array().map_or(&[][..], Vec::as_slice);
    let shares = members
        .iter()
        .map(|one| one["partitions"].as_u64().unwrap());
    let mut shares: Vec<u64> = shares.collect();
    shares.sort_unstable();
    shares
}

fn is_stable(group: &Value, wanted: &[u64]) -> bool {
    group["state"] == "Stable" && shares(group) == wanted
}

fn committed(group: &Value) -> i64 {
    let partitions = group["partitions"].as_array().unwrap();
    partitions
        .iter()
        .filter_map(|one| one["offset"].as_i64())
        .sum()
}

#[test]
fn members_share_a_topic_and_take_over_from_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &SMALL_GROUPS);
    let broker = node.kafka.clone();
    printed(&["topic", "create", "t", "-p", "4", "-b", &broker], b"");
    let write = |numbers: std::ops::Range<i32>| {
        let lines: Vec<String> = numbers.map(|n| format!("{}:{n}\n", n % 4)).collect();
        let args = ["produce", "t", "-f", "%p:%v\\n", "-q", "-b", &broker];
        printed(&args, lines.concat().as_bytes());
    };

    let first = Member::start(&node, "g");
    until(&node, "g", |group| is_stable(group, &[4]));
    let second = Member::start(&node, "g");
    let shared = until(&node, "g", |group| is_stable(group, &[2, 2]));
    assert_eq!(
        (&shared["assignor"], &shared["member_count"]),
        (&"range".into(), &2.into())
    );
    write(0..40);
    let read = until(&node, "g", |group| committed(group) == 40);
    assert_eq!(read["lag"], 0);
    let (code, text) = refusal(&["group", "seek", "g", "--to", "start", "-b", &broker]);
    assert!(code == 1 && text.contains("NON_EMPTY_GROUP"), "{text}");
    let (code, text) = refusal(&["group", "delete", "g", "-b", &broker]);
    assert!(code == 1 && text.contains("NON_EMPTY_GROUP"), "{text}");
    let (code, text) = refusal(&["group", "delete-offsets", "g", "-t", "t", "-b", &broker]);
    assert!(
        code == 1 && text.contains("GROUP_SUBSCRIBED_TO_TOPIC"),
        "{text}"
    );

    let mut lines = second.stop();
    assert_eq!(lines.len(), 20, "{lines:?}");
    until(&node, "g", |group| is_stable(group, &[4]));
    write(40..60);
    until(&node, "g", |group| committed(group) == 60);
    lines.extend(first.stop());
    let found = described(&node, "g");
    assert_eq!(
        (&found["state"], &found["member_count"]),
        (&"Empty".into(), &0.into())
    );
    lines.sort_unstable();
    let mut wanted: Vec<String> = (0..60).map(|n| format!("{}:{n}", n % 4)).collect();
    wanted.sort_unstable();
    assert_eq!(lines, wanted, "every record once");
    assert_eq!(node.stop("TERM").0, 0);
}

#[test]
fn what_is_watched_is_shown_again() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]);
    let args = ["cluster", "health", "-w", "-o", "ndjson", "-b", &node.kafka];
    let mut watch = flumen(&args).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    for line in lines.take(2) {
        let health: Value = serde_json::from_str(&line.unwrap()).unwrap();
        assert_eq!(health["healthy"], true);
    }
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert_eq!(node.stop("TERM").0, 0);
}
