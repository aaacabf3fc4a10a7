//! The physical parts of the work, each a process of its own on the server's core and on the same
//! reactor as the broker.
//!
//! Those that serve say their port on the first line of standard output and run until they are
//! killed; the others print a figure a line, name and value apart by a tab.

mod alone;
mod beside;
mod disk;
mod echo;
mod memory;
mod null;
mod read;
mod receive;
mod send;
mod turns;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process;
use std::thread::yield_now;
use std::time::Duration;

use clap::Subcommand;
use engine_rt::ring::{self, Options};
use engine_rt::{ExecutorSpec, Listener, Stream, now, sleep, spawn};

use crate::cpu::{MachineSnapshot, ProcessSnapshot};

pub(crate) use self::receive::send as send_frames;
pub(crate) use self::send::receive as receive_pieces;
pub(crate) use self::turns::longest as longest_turn;

const LOOK: Duration = Duration::from_millis(300);

/// A part.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Part {
    /// Receives large frames into aligned buffers and drops them.
    Receive {
        /// Buffers that are filled by turns.
        #[arg(long)]
        buffers: usize,
    },
    /// Sends memory in pieces of this size to a client that asks for bytes.
    Send {
        /// Bytes.
        #[arg(long)]
        piece: usize,
    },
    /// Answers every frame with as many bytes as a produce gets.
    Echo,
    /// Answers every request with so many bytes from memory.
    Memory {
        /// Bytes of an answer.
        #[arg(long)]
        bytes: usize,
    },
    /// Answers every frame with as many bytes as a fetch of one small batch gets.
    EchoFetch,
    /// Decodes every produce and answers it, without checks and without a disk.
    Null,
    /// Checksums and checks of batches.
    Alone,
    /// Sequential direct reads, several ahead.
    Read {
        /// Where.
        #[arg(long)]
        dir: PathBuf,
    },
    /// Small durable writes at planned times, alone and beside a reader.
    Beside {
        /// Where.
        #[arg(long)]
        dir: PathBuf,
        /// Whose keys the figures have.
        #[arg(long, default_value = "beside")]
        scene: String,
        /// Writes a second.
        #[arg(long)]
        rate: u64,
        /// MB read a second.
        #[arg(long)]
        mbps: f64,
        /// MB written a second besides, in large blocks.
        #[arg(long, default_value_t = 0.0)]
        written_mbps: f64,
        /// Of each of both.
        #[arg(long)]
        seconds: u64,
    },
    /// Answers from memory, and tells what its longest turn cost.
    Turns,
    /// Direct writes with a flush each.
    Disk {
        /// Where.
        #[arg(long)]
        dir: PathBuf,
    },
}

/// Runs a part on the core that the process was started on.
pub(crate) fn run(part: Part) -> io::Result<()> {
    let spec = ExecutorSpec {
        name: "part".to_owned(),
        cpu: None,
    };
    let options = Options {
        audit_turns: matches!(part, Part::Turns),
        ..Options::default()
    };
    ring::run(spec, options, || async {
        match part {
            Part::Receive { buffers } => serve(move |stream| receive::serve(stream, buffers)).await,
            Part::Send { piece } => serve(move |stream| send::serve(stream, piece)).await,
            Part::Echo => serve(|stream| echo::serve(stream, echo::produce_answer())).await,
            Part::EchoFetch => serve(|stream| echo::serve(stream, echo::fetch_answer())).await,
            Part::Memory { bytes } => serve(move |stream| memory::serve(stream, bytes)).await,
            Part::Null => serve(null::serve).await,
            Part::Alone => print(&alone::figures()?),
            Part::Read { dir } => print(&read::figures(&dir).await?),
            Part::Beside {
                dir,
                scene,
                rate,
                mbps,
                written_mbps,
                seconds,
            } => {
                let rates = beside::Rates {
                    writes: rate,
                    read: mbps * 1e6,
                    written: written_mbps * 1e6,
                    seconds,
                };
                print(&beside::figures(&dir, &scene, rates).await?)
            },
            Part::Turns => serve(turns::serve).await,
            Part::Disk { dir } => print(&disk::figures(&dir).await?),
        }
    })?
}

/// What `load` costs when this process is the only one that works, with the kernel's threads that
/// work for it.
async fn charged<T>(load: impl Future<Output = io::Result<T>>) -> io::Result<(T, f64, Duration)> {
    let (idle, looked) = (MachineSnapshot::take()?, now());
    sleep(LOOK).await;
    let idle = MachineSnapshot::take()?.since(&idle).all;
    let idle = idle.as_secs_f64() / (now() - looked).as_secs_f64();
    let pid = process::id();
    let before = (MachineSnapshot::take()?, ProcessSnapshot::take(pid)?);
    let started = now();
    let output = load.await?;
    let elapsed = now() - started;
    // The account of a running thread is brought up to date when it yields.
    yield_now();
    let own = ProcessSnapshot::take(pid)?.since(&before.1).cpu;
    let machine = MachineSnapshot::take()?.since(&before.0).all;
    let machine = machine.as_secs_f64() - idle * elapsed.as_secs_f64();
    Ok((output, machine.max(own.as_secs_f64()), elapsed))
}

fn print(figures: &[(String, f64)]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for (name, value) in figures {
        writeln!(out, "{name}\t{value}")?;
    }
    Ok(())
}

/// Serves every connection by a task of its own, for ever. A connection that ends is the client's
/// affair.
async fn serve<F>(connection: impl Fn(Stream) -> F) -> io::Result<()>
where
    F: Future<Output = io::Result<()>> + 'static,
{
    let listener = Listener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    writeln!(io::stdout(), "{}", listener.local_addr().port())?;
    loop {
        let stream = Stream::attach(listener.accept().await?)?;
        spawn(connection(stream)).detach();
    }
}
