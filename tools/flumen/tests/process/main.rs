//! The binary as a process: starts, answers, ends in order, and refuses what it should.
#![cfg(test)]

mod console;
mod damage;
mod golden;
mod group;
mod harness;
mod misuse;
mod refusals;
mod sandbox;
mod shell;

use std::io::Write;
use std::net::TcpStream;

use harness::{Node, flip, lived_in, printed, refusal, run};

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
    let audited = ["--shards", "2", "--log", "json", "--audit-turns"];
    let node = Node::start(dir.path(), &audited);
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
    // The command is an idempotent producer.
    let ids = |shard| format!("flumen_requests_total{{shard=\"{shard}\",api=\"InitProducerId\"}}");
    assert!(
        (value(&ids(0)) + value(&ids(1)) - 1.0).abs() < 0.1,
        "{metrics}"
    );
    assert!(value("flumen_topics ") >= 1.0);
    assert!(value("flumen_reactor_turn_seconds_count{shard=\"1\"}") >= 1.0);
    assert!(value("flumen_reactor_turn_max_recent_seconds{shard=\"0\"}") > 0.0);
    assert!(value("flumen_reactor_audit_turn_cpu_max_seconds{") > 0.0);
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
fn what_a_topic_has_of_its_own_is_told_from_defaults() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]);
    let create = [
        "topic",
        "create",
        "t",
        "-c",
        "retention.ms=5",
        "-b",
        &node.kafka,
    ];
    printed(&create, b"");
    let describe = |options: &[&str]| {
        let command = ["topic", "describe", "t", "-b", &node.kafka];
        printed(&[&command, options].concat(), b"")
    };
    let rows = describe(&["-c", "-o", "ndjson"]);
    let rows: Vec<serde_json::Value> = rows
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let own: Vec<_> = rows.iter().filter(|row| row["from"] == "topic").collect();
    assert_eq!(
        (own.len(), &own[0]["key"], &own[0]["value"]),
        (1, &"retention.ms".into(), &"5".into())
    );
    assert!(rows.len() > 20 && rows.iter().all(|row| row["topic"] == "t"));
    let all = describe(&["-a"]);
    assert!(
        all.contains("\nPARTITION ") && all.contains("\nretention.ms "),
        "{all}"
    );
    assert_eq!(node.stop("TERM").0, 0);
}

/// Weak durability is asked for, shown in the log and at every start, and counted.
#[test]
fn a_weak_topic_is_named_where_people_look() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &[]);
    let create = |name: &str, config: &str| {
        let args = ["topic", "create", name, "-c", config, "-b", &node.kafka];
        printed(&args, b"");
    };
    create("strong", "flush.messages=1");
    create("weak", "flush.messages=10000");
    let written = printed(&["produce", "weak", "-b", &node.kafka], b"one\n");
    assert!(written.contains("offsets 0..0"), "{written}");
    let (code, log) = node.stop("TERM");
    assert_eq!(code, 0);
    let told: Vec<_> = log
        .lines()
        .filter(|line| line.contains("flush_messages"))
        .collect();
    assert_eq!(told.len(), 1, "{log}");
    assert!(
        told[0].contains(" WARN ") && told[0].contains("weak"),
        "{told:?}"
    );
    assert!(told[0].contains("10000") && !told[0].contains("strong"));
    let node = Node::start(dir.path(), &[]);
    let metrics = node.page("/metrics").unwrap();
    assert!(metrics.contains("\nflumen_weak_topics 1\n"), "{metrics}");
    let (_, log) = node.stop("TERM");
    let listed = log.lines().find(|line| line.contains("weak durability"));
    let listed = listed.expect("the start-up list names it");
    assert!(
        listed.contains(" WARN ") && listed.ends_with("of weak"),
        "{listed}"
    );
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
