//! What only a real machine can show: processes that are killed, CPUs, signals, limits. Each program
//! of tests that has this module says on what its executors run.
#![cfg(test)]
#![expect(clippy::print_stdout, reason = "children talk to their parent")]

use std::cell::Cell;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use engine_rt::fs::{self, Durability, OpenOptions};
use engine_rt::ring::{self, Runtime};
use engine_rt::{
    BLOCK_BYTES, Buf, BufMut, ExecutorSpec, Listener, Piece, Stream, mailbox, memory_used, now,
    sleep, spawn, spawn_executor, stats, timeout, yield_now,
};

use crate::RUNTIME;

const MIB: usize = 1 << 20;

fn spec(name: &str) -> ExecutorSpec {
    ExecutorSpec {
        name: name.into(),
        cpu: None,
    }
}

fn options() -> ring::Options {
    ring::Options {
        runtime: RUNTIME,
        ..ring::Options::default()
    }
}

fn run<F: Future + 'static>(main: impl FnOnce() -> F) -> F::Output {
    ring::run(spec("test"), options(), main).unwrap()
}

/// An empty directory of that name.
fn fresh_dir(name: &str) -> PathBuf {
    let name = format!("{name}-{RUNTIME:?}");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _old = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

async fn create(path: &Path) -> fs::File {
    let options = OpenOptions {
        create: true,
        ..OpenOptions::default()
    };
    fs::File::open(path, options).await.unwrap()
}

fn filled(byte: u8, len: usize) -> Buf {
    let mut buf = BufMut::with_capacity(len);
    buf.fill(byte);
    buf.freeze()
}

/// Starts this binary again, in `dir`, to run one of its ignored tests, under `limits` of the shell.
fn start_child(test: &str, dir: &Path, limits: &str) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(format!(
            "{limits} exec \"$0\" machine::{test} --exact --ignored --nocapture"
        ))
        .arg(std::env::current_exe().unwrap())
        .current_dir(dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

/// Reads the child's lines up to one that says `word`.
fn wait_for(output: &mut BufReader<ChildStdout>, word: &str) {
    let mut line = String::new();
    while !line.contains(word) {
        line.clear();
        assert_ne!(
            output.read_line(&mut line).unwrap(),
            0,
            "the child ended before {word}"
        );
    }
}

/// Rule 18 of the storage design: whoever gets the lock of a killed process meets no write of its
/// any more, also not one that was on its way to the disk.
#[test]
fn a_lock_outlives_the_last_write_of_a_killed_process() {
    let dir = fresh_dir("killed");
    let mut written = 0;
    for round in 0..8 {
        let (mut child, mut output) = start_child("writer_that_is_killed", &dir, "");
        wait_for(&mut output, "writing");
        std::thread::park_timeout(Duration::from_millis(3 * round));
        child.kill().unwrap();
        let path = dir.join("lock");
        let lock = run(|| async move {
            loop {
                match fs::lock(&path).await {
                    Ok(lock) => return lock,
                    Err(_) => yield_now().await,
                }
            }
        });
        let data = File::open(dir.join("data")).unwrap();
        let first = stamps(&data);
        std::thread::park_timeout(Duration::from_millis(30));
        assert_eq!(first, stamps(&data), "a late write in round {round}");
        written = written.max(first.into_iter().max().unwrap_or(0));
        drop(lock);
        child.wait().unwrap();
    }
    assert!(
        written > 0,
        "no child has written anything: the test shows nothing"
    );
}

/// The first bytes of every block, past the page cache's memory of them.
fn stamps(data: &File) -> Vec<u64> {
    let path = PathBuf::from(format!(
        "/proc/self/fd/{}",
        std::os::fd::AsRawFd::as_raw_fd(data)
    ));
    run(move || async move {
        let options = OpenOptions {
            read_only: true,
            ..OpenOptions::default()
        };
        let file = fs::File::open(&path, options).await.unwrap();
        let bytes = file.read_at(0, 16 * MIB).await.unwrap();
        bytes
            .chunks(BLOCK_BYTES)
            .map(|block| u64::from_le_bytes(block[..8].try_into().unwrap()))
            .collect()
    })
}

#[test]
#[ignore = "a child process of a_lock_outlives_the_last_write_of_a_killed_process"]
fn writer_that_is_killed() {
    run(|| async {
        let _lock = loop {
            match fs::lock(Path::new("lock")).await {
                Ok(lock) => break lock,
                Err(_) => sleep(Duration::from_millis(1)).await,
            }
        };
        let other = spawn_executor(spec("writer"), || async {
            let file = create(Path::new("data")).await;
            file.allocate(0, 16 * MIB as u64).await.unwrap();
            let writers = (0..16).map(|region| spawn(stamp_for_ever(file.clone(), region)));
            let writers: Vec<_> = writers.collect();
            for writer in writers {
                writer.await;
            }
        });
        other.unwrap().join().await;
    });
}

async fn stamp_for_ever(file: fs::File, region: u64) {
    for stamp in 1_u64.. {
        let mut buf = BufMut::with_capacity(MIB);
        buf.chunks_mut(8)
            .for_each(|word| word.copy_from_slice(&stamp.to_le_bytes()));
        file.write_at(region * MIB as u64, buf.freeze(), Durability::Volatile)
            .await
            .unwrap();
        if stamp == 1 {
            println!("writing");
        }
    }
}

/// The executor's end waits for the disk: memory comes back only when no write refers to it.
#[test]
fn an_executor_ends_after_its_io() {
    let path = fresh_dir("ending").join("data");
    let before = memory_used();
    let file = path.clone();
    run(|| async move {
        let file = create(&file).await;
        file.allocate(0, 64 * MIB as u64).await.unwrap();
        for region in 0..64 {
            let file = file.clone();
            let write = async move {
                file.write_at(region * MIB as u64, filled(7, MIB), Durability::Durable)
                    .await
            };
            spawn(write).detach();
        }
        yield_now().await;
        yield_now().await;
    });
    // Reused at once by this thread: a write still in flight would carry these bytes.
    drop((0..64).map(|_| filled(9, MIB)).collect::<Vec<_>>());
    assert!(
        memory_used() <= before + 64 * MIB,
        "the buffers of this test are free again"
    );
    let data = File::open(&path).unwrap();
    let mut bytes = vec![0; 64 * MIB];
    data.read_exact_at(&mut bytes, 0).unwrap();
    assert!(
        bytes.iter().all(|&byte| byte == 7),
        "every write that was begun has ended"
    );
}

#[test]
fn executors_are_pinned_within_the_mask() {
    fn allowed() -> String {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("Cpus_allowed_list"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    }
    let cpu = *ring::affinity().last().unwrap();
    let pinned = ExecutorSpec {
        name: "pinned".into(),
        cpu: Some(cpu),
    };
    let on = pinned.clone();
    run(move || async move {
        let (sender, receiver) = engine_rt::oneshot();
        let other = spawn_executor(on, || async move { sender.send(allowed()) });
        assert_eq!(receiver.await.unwrap(), cpu.to_string());
        other.unwrap().join().await;
        let outside = ExecutorSpec {
            name: "outside".into(),
            cpu: Some(1_000),
        };
        let refused = spawn_executor(outside, || async {}).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::InvalidInput);
    });
    // Helpers run wherever the process may, whoever started them.
    let list = ring::run(pinned, options(), || engine_rt::blocking(allowed));
    let all = ring::affinity().len();
    assert!(all == 1 || list.unwrap() != cpu.to_string());
}

#[test]
fn counters_count() {
    run(|| async {
        let (sender, mut receiver) = mailbox(1);
        let other = spawn_executor(spec("counted"), || async move {
            for number in 0..100 {
                sender.send(number).await.unwrap();
                yield_now().await;
            }
            sleep(Duration::from_hours(1)).await;
        });
        for _ in 0..100 {
            receiver.receive().await.unwrap();
        }
        drop(other);
        let all = stats();
        let counted = all.iter().find(|stats| stats.name == "counted").unwrap();
        assert!(counted.polls >= 100, "{counted:?}");
        assert!(
            counted.turns.iter().sum::<u64>() > 0 && counted.turn_time >= counted.turn_max,
            "{counted:?}"
        );
        assert!(counted.turn_max > Duration::ZERO && counted.busy <= counted.turn_time);
    });
}

#[test]
fn registered_memory_carries_data() {
    let dir = fresh_dir("registered");
    let options = ring::Options {
        registered_bytes: MIB,
        spin: Duration::from_micros(20),
        ..options()
    };
    let main = async move {
        let file = create(&dir.join("data")).await;
        let mut pos = 0;
        for (byte, len) in [(1, 64 * 1024), (2, 256 * 1024), (3, BLOCK_BYTES), (4, MIB)] {
            file.write_at(pos, filled(byte, len), Durability::Durable)
                .await
                .unwrap();
            let read = file.read_at(pos, len).await.unwrap();
            assert!(read.len() == len && read.iter().all(|&got| got == byte));
            pos += len as u64;
        }
        let all = stats();
        all.iter()
            .find(|stats| stats.name == "registered")
            .unwrap()
            .registered_bytes
    };
    let registered = ring::run(spec("registered"), options, || main).unwrap();
    // Nothing is promised on a machine with little memory to lock, and there is nothing to register
    // it with without a ring.
    let limit = ring::probe().locked_memory.soft;
    match RUNTIME {
        Runtime::Ring => assert!(
            registered > 0 || limit < 2 * MIB as u64,
            "{registered} of limit {limit}"
        ),
        Runtime::Epoll => assert_eq!(registered, 0),
    }
}

#[test]
fn signals_are_awaited() {
    run(|| async {
        let terminate = ring::on_terminate().unwrap();
        let pid = std::process::id().to_string();
        for (name, signal) in [
            ("-TERM", ring::Signal::Terminate),
            ("-INT", ring::Signal::Interrupt),
        ] {
            let soon = now() + Duration::from_millis(5);
            assert!(
                timeout(soon, terminate.next()).await.is_err(),
                "none has come"
            );
            assert!(
                Command::new("kill")
                    .args([name, &pid])
                    .status()
                    .unwrap()
                    .success()
            );
            assert_eq!(terminate.next().await, signal);
        }
    });
}

#[test]
fn a_full_descriptor_table_fails_one_accept_only() {
    let dir = fresh_dir("descriptors");
    let (mut child, mut output) = start_child("accepts_until_full", &dir, "ulimit -n 48;");
    wait_for(&mut output, "recovered");
    assert!(child.wait().unwrap().success());
}

#[test]
#[ignore = "a child process of a_full_descriptor_table_fails_one_accept_only"]
fn accepts_until_full() {
    run(|| async {
        let listener = Listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let addr = listener.local_addr();
        let mut ends = Vec::new();
        let refused = loop {
            match Stream::connect(addr).await {
                Ok(client) => ends.push(client),
                Err(error) => break error,
            }
            match listener.accept().await {
                Ok(socket) => ends.push(Stream::attach(socket).unwrap()),
                Err(error) => break error,
            }
        };
        assert_eq!(refused.raw_os_error(), Some(24), "EMFILE");
        ends[1].send(&[Piece::Mem(filled(1, 1))]).await.unwrap();
        assert_eq!(
            ends[0].recv(&mut [0; 1]).await.unwrap(),
            1,
            "others are undisturbed"
        );
        ends.truncate(ends.len() - 4);
        sleep(Duration::from_millis(1)).await;
        let late = Stream::connect(addr).await.unwrap();
        let accepted = loop {
            let accepted = Stream::attach(listener.accept().await.unwrap()).unwrap();
            if accepted.peer_addr() == late.local_addr() {
                break accepted;
            }
        };
        accepted.send(&[Piece::Mem(filled(2, 1))]).await.unwrap();
        assert_eq!(late.recv(&mut [0; 1]).await.unwrap(), 1);
        println!("recovered");
    });
}

/// A task that always finds bytes to receive gives up its turn all the same.
#[test]
fn a_busy_connection_leaves_room_for_others() {
    run(|| async {
        let listener = Listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let client = Stream::connect(listener.local_addr()).await.unwrap();
        let server = Stream::attach(listener.accept().await.unwrap()).unwrap();
        client
            .send(&[Piece::Mem(filled(1, 64 * 1024))])
            .await
            .unwrap();
        let others = Rc::new(Cell::new(0));
        let turns = Rc::clone(&others);
        let other = spawn(async move {
            loop {
                turns.set(turns.get() + 1);
                yield_now().await;
            }
        });
        yield_now().await;
        let before = others.get();
        for _ in 0..64 * 1024 / 16 {
            server.recv(&mut [0; 16]).await.unwrap();
        }
        assert!(
            others.get() > before + 10,
            "{} turns of others",
            others.get() - before
        );
        other.cancel();
    });
}

/// Connections come and go without leaving descriptors or polls behind, also when a poll has been
/// triggered just before.
#[test]
fn closed_connections_leave_nothing() {
    let dir = fresh_dir("connections");
    let (mut child, mut output) = start_child("connects_and_counts", &dir, "");
    wait_for(&mut output, "even");
    assert!(child.wait().unwrap().success());
}

#[test]
#[ignore = "a child process of closed_connections_leave_nothing"]
fn connects_and_counts() {
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    run(move || async move {
        let listener = Listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let before = open();
        for _ in 0..500 {
            let client = Stream::connect(listener.local_addr()).await.unwrap();
            let server = Stream::attach(listener.accept().await.unwrap()).unwrap();
            let soon = now() + Duration::from_micros(10);
            assert!(
                timeout(soon, server.recv(&mut [0; 8])).await.is_err(),
                "the poll is armed"
            );
            client.send(&[Piece::Mem(filled(1, 8))]).await.unwrap();
        }
        sleep(Duration::from_millis(20)).await;
        assert_eq!(open(), before);
        println!("even");
    });
}

/// A file system without direct I/O, of which `/proc` is the one that every machine has.
#[test]
fn files_without_direct_io_are_read() {
    run(|| async {
        let options = OpenOptions {
            read_only: true,
            ..OpenOptions::default()
        };
        let file = fs::File::open(Path::new("/proc/version"), options)
            .await
            .unwrap();
        assert!(!file.is_direct());
        let text = file.read_at(0, BLOCK_BYTES).await.unwrap();
        assert!(text.starts_with(b"Linux version"));
        let here = create(&fresh_dir("direct").join("data")).await;
        let storage = ring::probe_storage(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
        assert_eq!(here.is_direct(), storage.direct.is_some());
    });
}
