//! What the command line says, word for word: each file holds commands, what they print, and how
//! they end. `UPDATE_GOLDEN=1` writes what is printed now.
//!
//! `golden/*.txt` needs no broker. Each file of `golden/live/` has a fresh one, which its commands
//! find by the environment; `printf TEXT |` before a command is its input. What differs from run
//! to run is printed as a word in capitals.

use std::fmt::Write;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::harness::{Node, flumen, printed};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// `\n` and `\t` of a line's input.
fn unescaped(text: &str) -> String {
    text.replace("\\n", "\n").replace("\\t", "\t")
}

/// Runs a line that begins with `$ ` and gives what it printed, errors last, and its exit status.
fn run(line: &str, broker: Option<&str>) -> String {
    let mut line = line.trim_start_matches("$ ");
    let mut input = String::new();
    if let Some((text, command)) = line.split_once(" | ") {
        input = unescaped(text.strip_prefix("printf ").expect("an input"));
        line = command;
    }
    let mut words = line.split_whitespace().peekable();
    let mut command = flumen(&[]);
    command.envs(broker.map(|broker| ("FLUMEN_BROKERS", broker)));
    while let Some((name, value)) = words.peek().and_then(|word| word.split_once('=')) {
        command.env(name, value);
        words.next();
    }
    assert_eq!(words.next(), Some("flumen"), "{line}");
    command
        .args(words)
        .current_dir(directory())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    // A command that reads nothing may have ended.
    let _taken = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().expect("no signal ended it");
    format!(
        "{}{}[exit {code}]\n",
        text(&output.stdout),
        text(&output.stderr)
    )
}

/// Words that differ from run to run.
struct Changing(Vec<(String, &'static str)>);

impl Changing {
    /// Asks a broker for its own.
    fn of(node: &Node) -> Self {
        let info = run("$ flumen cluster info -o json", Some(&node.kafka));
        let info: serde_json::Value =
            serde_json::from_str(info.lines().next().expect("a line")).expect("JSON");
        let port = node.kafka.rsplit(':').next().expect("a port").to_owned();
        let cluster = info["cluster"].as_str().expect("an id").to_owned();
        Self(vec![(cluster, "CLUSTER-ID"), (port, "PORT")])
    }

    fn replaced(&self, text: String) -> String {
        let text = self
            .0
            .iter()
            .fold(text, |text, (word, name)| text.replace(word, name));
        let lines = text.split_inclusive('\n').map(without_topic_id);
        without_ages(&lines.collect::<String>())
    }
}

/// Puts a word in the place of topics' ids: 22 signs of base 64 behind `id ` or `"id":"`.
fn without_topic_id(line: &str) -> String {
    let is_sign = |char: char| char.is_ascii_alphanumeric() || char == '-' || char == '_';
    for mark in [", id ", "\"id\":\""] {
        let Some((before, rest)) = line.split_once(mark) else {
            continue;
        };
        let end = rest.find(|char| !is_sign(char)).unwrap_or(rest.len());
        if end == 22 {
            let rest = without_topic_id(&rest[end..]);
            return format!("{before}{mark}TOPIC-ID{rest}");
        }
    }
    line.to_owned()
}

/// Ages of records of 1970 in seconds, for as long as this is a test.
const AGES: std::ops::Range<u64> = 1_700_000_000..4_000_000_000;

/// Puts a word in the place of the age of records of 1970.
fn without_ages(text: &str) -> String {
    let (mut replaced, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(|char: char| char.is_ascii_digit()) {
        let (before, digits) = rest.split_at(at);
        let end = digits.find(|char: char| !char.is_ascii_digit());
        let (digits, behind) = digits.split_at(end.unwrap_or(digits.len()));
        replaced.push_str(before);
        let is_age = digits.parse().is_ok_and(|number| AGES.contains(&number));
        replaced.push_str(if is_age { "SECONDSAGO" } else { digits });
        rest = behind;
    }
    replaced + rest
}

fn check(path: &Path, node: Option<&Node>) -> Result<(), String> {
    let wanted = std::fs::read_to_string(path).expect("a golden file");
    let changing = node.map(Changing::of);
    let mut found = String::new();
    for line in wanted.lines().filter(|line| line.starts_with("$ ")) {
        if !found.is_empty() {
            found.push('\n');
        }
        let printed = run(line, node.map(|node| node.kafka.as_str()));
        let printed = match &changing {
            Some(changing) => changing.replaced(printed),
            None => printed,
        };
        write!(found, "{line}\n{printed}").expect("a string takes everything");
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &found).expect("the golden file again");
        return Ok(());
    }
    let differs = wanted
        .lines()
        .zip(found.lines())
        .find(|(wanted, found)| wanted != found);
    match differs {
        None if wanted == found => Ok(()),
        None => Err(format!(
            "{}: more or less is printed:\n{found}",
            path.display()
        )),
        Some((wanted, found)) => Err(format!(
            "{}:\n  wanted {wanted}\n  found  {found}",
            path.display()
        )),
    }
}

fn texts(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "txt"));
    paths.sort();
    paths
}

#[test]
fn the_command_line_says_what_is_written_down() {
    let paths = texts(&directory());
    assert!(paths.len() >= 4, "{paths:?}");
    let wrong: Vec<String> = paths
        .iter()
        .filter_map(|path| check(path, None).err())
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn commands_say_of_a_broker_what_is_written_down() {
    let paths = texts(&directory().join("live"));
    assert!(paths.len() >= 4, "{paths:?}");
    let live = |path: &PathBuf| {
        let dir = tempfile::tempdir().unwrap();
        let settings = [
            "node.id=7",
            "group.initial.rebalance.delay.ms=0",
            "offsets.topic.num.partitions=4",
        ];
        let settings = settings.iter().flat_map(|setting| ["--set", *setting]);
        let node = Node::start(dir.path(), &settings.collect::<Vec<_>>());
        let told = check(path, Some(&node));
        assert_eq!(node.stop("TERM").0, 0);
        told.err()
    };
    let wrong: Vec<String> = paths.iter().filter_map(live).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Words of a command line up to its options, with the sign that manual pages have between them.
fn verbs(line: &str) -> Vec<String> {
    let words = line.split_whitespace().skip_while(|word| *word != "flumen");
    let mut joined = Vec::new();
    for word in words {
        let before = joined
            .last()
            .map_or_else(String::new, |one| format!("{one}-"));
        joined.push(before + word);
    }
    joined
}

#[test]
fn every_command_is_written_down() {
    let dir = tempfile::tempdir().unwrap();
    let into = dir.path().to_str().unwrap();
    printed(&["man", "--dir", into], b"");
    let pages = std::fs::read_dir(dir.path()).unwrap();
    let pages = pages.map(|page| page.unwrap().file_name().into_string().unwrap());
    let mut missing: Vec<String> = pages.map(|page| page.replace(".1", "")).collect();
    assert!(missing.len() > 25, "{missing:?}");
    for path in [texts(&directory()), texts(&directory().join("live"))].concat() {
        let text = std::fs::read_to_string(path).unwrap();
        let lines = text.lines().filter(|line| line.starts_with("$ "));
        let written: Vec<String> = lines.flat_map(verbs).collect();
        missing.retain(|page| !written.contains(page));
    }
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn ages_of_old_records_are_found() {
    let text = "0  1763780123  7468726565\n{\"lag_seconds\":1763780123}";
    let expected = "0  SECONDSAGO  7468726565\n{\"lag_seconds\":SECONDSAGO}";
    assert_eq!(without_ages(text), expected);
}

#[test]
fn ids_of_topics_are_found() {
    let id = "AbCdEfGhIjKlMnOpQrStUv";
    let line = format!("topic t, id {id}\n");
    assert_eq!(without_topic_id(&line), "topic t, id TOPIC-ID\n");
    let line = format!("{{\"id\":\"{id}\",\"topic\":\"t\"}}");
    assert_eq!(
        without_topic_id(&line),
        "{\"id\":\"TOPIC-ID\",\"topic\":\"t\"}"
    );
    assert_eq!(without_topic_id("offset, id 17\n"), "offset, id 17\n");
}
