//! Futures dropped at random on real rings and on epoll, and executors that end in the middle of it: what was
//! dropped touches no memory of others and no other part of a file. `DROPS_SEED` plays one seed.
#![cfg(test)]

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use engine_rt::fs::{Durability, File, OpenOptions};
use engine_rt::ring::{self, Runtime};
use engine_rt::{
    BLOCK_BYTES, Buf, BufMut, ExecutorSpec, Listener, Piece, Stream, fs, mailbox, sleep, spawn,
    spawn_executor, yield_now,
};

const SEEDS: u64 = 6;
const STEPS: u64 = 250;
const CELL_BLOCKS: usize = 4;
const CELL_BYTES: usize = CELL_BLOCKS * BLOCK_BYTES;
/// What no cell may ever have: it stands in memory that dropped operations gave back.
const TRAP: u8 = 0xEE;

/// Numbers from a seed: runs of a seed differ only by what the kernel does meanwhile.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % limit
    }
}

fn spec(name: String) -> ExecutorSpec {
    ExecutorSpec { name, cpu: None }
}

fn filled(byte: u8) -> Buf {
    let mut buf = BufMut::with_capacity(CELL_BYTES);
    buf.fill(byte);
    buf.freeze()
}

async fn open(path: &Path) -> File {
    let options = OpenOptions {
        create: true,
        ..OpenOptions::default()
    };
    File::open(path, options).await.unwrap()
}

/// The byte of a step: never zero, never the trap.
fn byte_of(step: u64) -> u8 {
    (step % 200) as u8 + 1
}

/// Polls a few times and drops, or waits to the end. Whether the end was seen.
async fn maybe_drop<F: Future>(future: F, random: &mut Random) -> Option<F::Output> {
    let mut future = pin!(future);
    let polls = random.below(6);
    for _ in 0..polls {
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        if let std::task::Poll::Ready(output) = polled {
            return Some(output);
        }
        yield_now().await;
    }
    if random.below(3) == 0 {
        return Some(future.await);
    }
    None
}

/// Buffers of the size that was just given back, full of what must show up nowhere.
fn set_traps() -> Vec<Buf> {
    (0..4).map(|_| filled(TRAP)).collect()
}

async fn touch_files(path: PathBuf, seed: u64) {
    let mut random = Random(seed);
    let file = Rc::new(open(&path).await);
    file.allocate(0, STEPS * CELL_BYTES as u64).await.unwrap();
    for step in 0..STEPS {
        let pos = step * CELL_BYTES as u64;
        let byte = byte_of(step);
        match random.below(6) {
            0 => drop(
                maybe_drop(
                    file.write_at(pos, filled(byte), Durability::Durable),
                    &mut random,
                )
                .await,
            ),
            1 => {
                let parts = (0..CELL_BLOCKS).map(|block| {
                    filled(byte).slice(block * BLOCK_BYTES..(block + 1) * BLOCK_BYTES)
                });
                let parts = parts.collect();
                drop(
                    maybe_drop(
                        file.write_bufs_at(pos, parts, Durability::Volatile),
                        &mut random,
                    )
                    .await,
                );
            },
            2 => {
                let before = random.below(step + 1);
                let read = file.read_at(before * CELL_BYTES as u64, CELL_BYTES);
                if let Some(read) = maybe_drop(read, &mut random).await {
                    check_cell(&read.unwrap(), before);
                }
            },
            3 => drop(maybe_drop(file.sync(), &mut random).await),
            // A task that is canceled at a time of its own, or lives until the executor ends.
            4 => {
                let (file, patience) = (Rc::clone(&file), random.below(200));
                let writing = spawn(async move {
                    let _done = file.write_at(pos, filled(byte), Durability::Durable).await;
                });
                if random.below(2) == 0 {
                    sleep(Duration::from_micros(patience)).await;
                    writing.cancel();
                }
            },
            _ => {
                let done = file.write_at(pos, filled(byte), Durability::Volatile).await;
                done.unwrap();
            },
        }
        let traps = set_traps();
        if random.below(4) == 0 {
            yield_now().await;
        }
        assert!(
            traps
                .iter()
                .all(|trap| trap.iter().all(|&byte| byte == TRAP)),
            "seed {seed}, step {step}"
        );
    }
    // What is in flight now meets the end of the executor.
}

fn check_cell(cell: &[u8], step: u64) {
    let own = byte_of(step);
    let stranger = cell.iter().find(|&&byte| byte != 0 && byte != own);
    assert_eq!(stranger, None, "cell {step}");
}

/// A line of numbers over a socket whose reader gives up again and again; then both ends vanish.
async fn touch_sockets(seed: u64) {
    let mut random = Random(!seed);
    let listener = Listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let addr = listener.local_addr();
    let sending = spawn(async move {
        let stream = Stream::connect(addr).await.unwrap();
        let bytes: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        for part in bytes.chunks(9_999) {
            let piece = Piece::Mem(Buf::copy_from_slice(part));
            // The reader may be gone before the end.
            if stream.send(&[piece]).await.is_err() {
                return;
            }
        }
    });
    let stream = Stream::attach(listener.accept().await.unwrap()).unwrap();
    let (mut got, wanted) = (Vec::new(), random.below(400_000) as usize);
    let mut into = vec![0; 7_000];
    while got.len() < wanted {
        if let Some(received) = maybe_drop(stream.recv(&mut into), &mut random).await {
            got.extend_from_slice(&into[..received.unwrap()]);
        }
    }
    for (number, word) in (0_u32..).zip(got.chunks_exact(4)) {
        assert_eq!(word, number.to_le_bytes(), "seed {seed}");
    }
    sending.cancel();
}

/// Numbers to another executor, by sends of which some are given up.
async fn touch_mailboxes(seed: u64) {
    let mut random = Random(seed ^ 0xABCD);
    let (sender, mut receiver) = mailbox::<u64>(2);
    let other = spawn_executor(spec(format!("{seed}-mail")), move || async move {
        let mut last = 0;
        while let Some(number) = receiver.receive().await {
            assert!(number > last, "in order, each once");
            last = number;
        }
    });
    let mut sent = 0;
    for number in 1..500 {
        if maybe_drop(sender.send(number), &mut random).await.is_some() {
            sent = number;
        }
    }
    drop(sender);
    other.unwrap().join().await;
    assert!(sent > 0, "no send came to its end: the test shows nothing");
}

fn play(runtime: Runtime, seed: u64) {
    let name = format!("drops-{runtime:?}-{seed}");
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name);
    let _old = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    let (mine, others) = (dir.join("mine"), dir.join("others"));
    let paths = [mine.clone(), others.clone()];
    let main = move || async move {
        let other = spawn_executor(spec(format!("{seed}-other")), move || {
            touch_files(others, !seed)
        });
        let sockets = spawn(touch_sockets(seed));
        touch_mailboxes(seed).await;
        touch_files(mine, seed).await;
        if seed.is_multiple_of(2) {
            sockets.await;
        }
        other.unwrap().join().await;
    };
    let options = ring::Options {
        runtime,
        ..ring::Options::default()
    };
    ring::run(spec(name), options, main).unwrap();
    // Every executor has ended: what stands there now stays.
    for path in paths {
        let bytes = std::fs::read(path).unwrap();
        for (step, cell) in (0..).zip(bytes.chunks(CELL_BYTES)) {
            check_cell(cell, step);
        }
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn operations_dropped_at_random_leave_memory_and_files_alone() {
    let one = std::env::var("DROPS_SEED").ok();
    let one = one.and_then(|seed| seed.parse().ok());
    for runtime in [Runtime::Ring, Runtime::Epoll] {
        match one {
            Some(seed) => play(runtime, seed),
            None => (1..=SEEDS).for_each(|seed| play(runtime, seed)),
        }
    }
}

/// An executor that looks out for work while it is idle: for completions, and for mail.
#[test]
fn a_spinning_executor_serves_and_ends() {
    for runtime in [Runtime::Ring, Runtime::Epoll] {
        spin(runtime);
    }
}

fn spin(runtime: Runtime) {
    let options = ring::Options {
        runtime,
        spin: Duration::from_micros(500),
        ..ring::Options::default()
    };
    let main = move || async move {
        let (sender, mut receiver) = mailbox::<u32>(4);
        let other = spawn_executor(spec("spinning-other".into()), move || async move {
            for number in 0..200 {
                sender.send(number).await.unwrap();
                sleep(Duration::from_micros(50)).await;
            }
        });
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("spinning-{runtime:?}"));
        let file = open(&path).await;
        let mut received = Vec::new();
        while let Some(number) = receiver.receive().await {
            received.push(number);
            file.write_at(0, filled(1), Durability::Volatile)
                .await
                .unwrap();
        }
        other.unwrap().join().await;
        fs::remove_file(&path).await.unwrap();
        received
    };
    let received = ring::run(spec("spinning".into()), options, main).unwrap();
    assert_eq!(received, (0..200).collect::<Vec<_>>());
}
