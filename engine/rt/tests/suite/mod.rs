//! The tests of the seam, as futures that any world can run.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use engine_rt::{Buf, BufMut, ExecutorSpec, Task, fs, random_u64, spawn_executor};

pub(crate) mod cancel;
pub(crate) mod executors;
pub(crate) mod files;
pub(crate) mod names;
pub(crate) mod sockets;
pub(crate) mod tasks;
pub(crate) mod time;

/// A new directory, removed at the end of the test.
struct Dir(PathBuf);

impl Dir {
    async fn new() -> Self {
        let name = format!("seam-{:016x}", random_u64());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).await.unwrap();
        Self(path)
    }

    fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    async fn file(&self, name: &str) -> fs::File {
        let options = fs::OpenOptions {
            create: true,
            ..fs::OpenOptions::default()
        };
        fs::File::open(&self.join(name), options).await.unwrap()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        // A simulated directory is not there.
        let _removed = std::fs::remove_dir_all(&self.0);
    }
}

fn spec(name: &str) -> ExecutorSpec {
    ExecutorSpec {
        name: name.into(),
        cpu: None,
    }
}

/// Runs `main` on another executor and gives back its output.
async fn on_another<T: Send + 'static, F: Future<Output = T> + 'static>(
    main: impl FnOnce() -> F + Send + 'static,
) -> T {
    let (sender, receiver) = engine_rt::oneshot();
    let other = spawn_executor(spec("other"), || {
        let main = main();
        async move { sender.send(main.await) }
    });
    other.unwrap().join().await;
    receiver
        .await
        .expect("the other executor has come to its end")
}

/// Bytes that are different at every position and for every seed.
fn pattern(seed: u64, len: usize) -> Buf {
    let mut buf = BufMut::with_capacity(len);
    for (index, word) in buf.chunks_mut(8).enumerate() {
        let value = (index as u64 ^ seed << 40).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        word.copy_from_slice(&value.to_le_bytes()[..word.len()]);
    }
    buf.freeze()
}

/// Polls a future once.
fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

async fn join_all<T>(tasks: Vec<Task<T>>) -> Vec<T> {
    let mut outputs = Vec::new();
    for task in tasks {
        outputs.push(task.await);
    }
    outputs
}
