//! A process that is refused `io_uring` says so, and is served all the same. One test, alone in its
//! process: what it is refused it is refused for good.
#![cfg(test)]

use std::path::Path;

use engine_rt::fs::{Durability, File, OpenOptions};
use engine_rt::ring::{self, Runtime};
use engine_rt::sandbox::{Refused, refuse};
use engine_rt::{BLOCK_BYTES, BufMut, ExecutorSpec, fs, mailbox, spawn_executor};

fn spec(name: &str) -> ExecutorSpec {
    ExecutorSpec {
        name: name.into(),
        cpu: None,
    }
}

#[test]
fn without_io_uring_epoll_serves() {
    // And without durable writes, which not every sandbox knows.
    refuse(&[Refused::IoUring, Refused::WriteFlags]).expect("a filter for calls");
    let probe = ring::probe();
    let refusal = probe.ring.clone().expect_err("it is refused");
    assert!(
        refusal.by_policy && !refusal.remedy.is_empty(),
        "{refusal:?}"
    );
    assert_eq!(probe.runtime(), Ok(Runtime::Epoll));
    let refused = ring::run(spec("ring"), ring::Options::default(), || async {});
    assert!(refused.is_err());
    let options = ring::Options {
        runtime: Runtime::Epoll,
        ..ring::Options::default()
    };
    ring::run(spec("epoll"), options, write_and_tell).expect("epoll is there");
}

/// A durable write on one executor, of which another one is told.
async fn write_and_tell() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("refused");
    let (sender, mut receiver) = mailbox(1);
    let to = path.clone();
    let other = spawn_executor(spec("other"), move || async move {
        let options = OpenOptions {
            create: true,
            ..OpenOptions::default()
        };
        let file = File::open(&to, options).await.unwrap();
        let mut buf = BufMut::with_capacity(2 * BLOCK_BYTES);
        buf.fill(7);
        let buf = buf.freeze();
        file.write_at(0, buf.clone(), Durability::Durable)
            .await
            .unwrap();
        file.write_bufs_at(2 * BLOCK_BYTES as u64, vec![buf], Durability::Durable)
            .await
            .unwrap();
        sender.send(file.len().await.unwrap()).await.unwrap();
    });
    let len = 4 * BLOCK_BYTES;
    assert_eq!(receiver.receive().await, Some(len as u64));
    other.unwrap().join().await;
    let file = File::open(&path, OpenOptions::default()).await.unwrap();
    let read = file.read_at(0, len).await.unwrap();
    assert!(read.len() == len && read.iter().all(|&byte| byte == 7));
    fs::remove_file(&path).await.unwrap();
}
