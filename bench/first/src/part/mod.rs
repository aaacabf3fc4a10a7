//! The physical parts of the work, each a process of its own on the server's core and on the same
//! reactor as the broker.
//!
//! Those that serve say their port on the first line of standard output and run until they are
//! killed; the others print a figure a line, name and value apart by a tab.

mod alone;
mod disk;
mod echo;
mod null;
mod receive;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Subcommand;
use engine_rt::ring::{self, Options};
use engine_rt::{ExecutorSpec, Listener, Stream, spawn};

pub(crate) use self::receive::send as send_frames;

/// A part.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Part {
    /// Receives large frames into aligned buffers and drops them.
    Receive {
        /// Buffers that are filled by turns.
        #[arg(long)]
        buffers: usize,
    },
    /// Answers every frame with as many bytes as a produce gets.
    Echo,
    /// Decodes every produce and answers it, without checks and without a disk.
    Null,
    /// Checksums and checks of batches.
    Alone,
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
    ring::run(spec, Options::default(), || async {
        match part {
            Part::Receive { buffers } => serve(move |stream| receive::serve(stream, buffers)).await,
            Part::Echo => serve(echo::serve).await,
            Part::Null => serve(null::serve).await,
            Part::Alone => print(&alone::figures()?),
            Part::Disk { dir } => print(&disk::figures(&dir).await?),
        }
    })?
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
