//! Commands, and a broker as a child process.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// Settings of a node whose groups are there at once.
pub(crate) const SMALL_GROUPS: [&str; 4] = [
    "--set",
    "group.initial.rebalance.delay.ms=0",
    "--set",
    "offsets.topic.num.partitions=2",
];

/// A free port of this machine, for a moment.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

pub(crate) fn flumen(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flumen"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FLUMEN_") {
            command.env_remove(name);
        }
    }
    command.args(args);
    command
}

/// The program with `io_uring` refused to it: this one, which becomes it (`sandbox.rs`).
pub(crate) fn refused() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let becomes = ["sandbox::becomes_the_program", "--exact", "--ignored"];
    command.args(becomes).args(["--nocapture", "--quiet", "--"]);
    command
}

/// What a command printed and how it ended.
pub(crate) fn run(args: &[&str], input: &[u8]) -> Output {
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
pub(crate) fn printed(args: &[&str], input: &[u8]) -> String {
    let output = run(args, input);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The error of a command that must fail, with its exit status.
pub(crate) fn refusal(args: &[&str]) -> (i32, String) {
    let output = run(args, b"");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().expect("no signal ended it"), text)
}

pub(crate) struct Node {
    pub(crate) child: Child,
    pub(crate) kafka: String,
    admin: u16,
}

impl Node {
    pub(crate) fn start(data: &Path, more: &[&str]) -> Self {
        Self::start_by(flumen(&[]), "127.0.0.1", data, more)
    }

    /// Starts with its admin pages on all addresses.
    pub(crate) fn start_public(data: &Path, more: &[&str]) -> Self {
        Self::start_by(flumen(&[]), "0.0.0.0", data, more)
    }

    /// Starts with at most so many descriptors.
    pub(crate) fn start_limited(data: &Path, open_files: u32, more: &[&str]) -> Self {
        let mut command = Command::new("sh");
        let script = format!("ulimit -n {open_files}; exec \"$0\" \"$@\"");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_flumen")]);
        Self::start_by(command, "127.0.0.1", data, more)
    }

    /// Starts with `io_uring` refused to it.
    pub(crate) fn start_refused(data: &Path, more: &[&str]) -> Self {
        Self::start_by(refused(), "127.0.0.1", data, more)
    }

    fn start_by(mut command: Command, admin_ip: &str, data: &Path, more: &[&str]) -> Self {
        let (kafka, admin) = (format!("127.0.0.1:{}", free_port()), free_port());
        let data = data.to_str().unwrap().to_owned();
        let admin_addr = format!("{admin_ip}:{admin}");
        let args = [
            "start",
            "--data",
            &data,
            "--kafka-addr",
            &kafka,
            "--admin-addr",
            &admin_addr,
        ];
        command
            .args(args)
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

    pub(crate) fn page(&self, path: &str) -> Option<String> {
        self.page_of(path, "x")
    }

    /// A page, asked for by this name of the broker.
    pub(crate) fn page_of(&self, path: &str, host: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.admin)).ok()?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        )
        .ok()?;
        let mut page = String::new();
        stream.read_to_string(&mut page).ok()?;
        Some(page)
    }

    /// Asks it to end; gives its exit status and its log.
    pub(crate) fn stop(mut self, signal: &str) -> (i32, String) {
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
pub(crate) fn wait(duration: Duration) {
    std::thread::sleep(duration);
}

/// A directory in which a broker has lived and stopped.
pub(crate) fn lived_in() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &["--shards", "2"]);
    printed(&["produce", "t", "-b", &node.kafka], b"one\ntwo\nthree\n");
    assert_eq!(node.stop("TERM").0, 0);
    dir
}

pub(crate) fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 0x20;
    std::fs::write(path, bytes).unwrap();
}
