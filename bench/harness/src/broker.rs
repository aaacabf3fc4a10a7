//! The broker under measurement: on its core, in a directory of its own.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use engine_rt::{now, sleep};

use crate::Options;
use crate::child::{Child, free_addr};
use crate::metrics;

/// A broker that is not ready after so long has failed.
const PATIENCE: Duration = Duration::from_mins(2);

/// A running broker on a directory of its own.
#[derive(Debug)]
pub(crate) struct Broker {
    child: Child,
    data: PathBuf,
    pub(crate) addr: SocketAddr,
    /// Where its health and its metrics are.
    pub(crate) admin: SocketAddr,
}

/// How a broker is started.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) shards: usize,
    /// The cores that it may use.
    pub(crate) cpus: String,
    pub(crate) args: Vec<String>,
    /// Whether what stands in its directory stays.
    pub(crate) keep: bool,
    /// A command that becomes the broker, or starts it as its own process id: `prlimit`, `strace -D`.
    pub(crate) wrapper: Vec<String>,
}

impl Start {
    /// One shard on the server's core, with the arguments that all scenes have.
    pub(crate) fn new(options: &Options) -> Self {
        let args = options.broker_args.split_whitespace();
        Self {
            shards: 1,
            cpus: options.server_cpu.to_string(),
            args: args.map(str::to_owned).collect(),
            keep: false,
            wrapper: Vec::new(),
        }
    }

    /// More arguments, none of which it has.
    pub(crate) fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|&arg| arg.to_owned()));
        self
    }

    /// Another value for an argument, which may have one.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        if let Some(at) = self.args.iter().position(|arg| arg == name) {
            self.args.drain(at..(at + 2).min(self.args.len()));
        }
        self.args.extend([name.to_owned(), value.to_owned()]);
        self
    }

    /// The same on what an earlier life left, begun by a wrapper.
    pub(crate) fn again(&self, wrapper: &[&str]) -> Self {
        Self {
            keep: true,
            wrapper: wrapper.iter().map(|&word| word.to_owned()).collect(),
            ..self.clone()
        }
    }

    /// Starts it; it may not serve yet.
    pub(crate) fn run(&self, options: &Options) -> io::Result<Broker> {
        let program = options.broker.as_deref();
        let program = program.ok_or_else(|| io::Error::other("no broker to measure"))?;
        let data = options.data.join("broker");
        if data.exists() && !self.keep {
            fs::remove_dir_all(&data)?;
        }
        let (addr, admin) = (free_addr()?, free_addr()?);
        let args = self.all_args(&data, addr, admin);
        let log = File::create(options.data.join("broker.log"))?;
        let (out, err) = (Stdio::null(), Stdio::from(log));
        let (program, args) = match self.wrapper.split_first() {
            None => (program, args),
            Some((wrapper, more)) => {
                let own = more.iter().cloned().chain([program.display().to_string()]);
                (Path::new(wrapper), own.chain(args).collect())
            },
        };
        let child = Child::start(program, &args, &self.cpus, out, err)?;
        Ok(Broker {
            child,
            data,
            addr,
            admin,
        })
    }

    fn all_args(&self, data: &Path, addr: SocketAddr, admin: SocketAddr) -> Vec<String> {
        let fixed = [
            ("--data", data.display().to_string()),
            ("--shards", self.shards.to_string()),
            ("--kafka-addr", addr.to_string()),
            ("--admin-addr", admin.to_string()),
        ];
        let fixed = fixed
            .into_iter()
            .flat_map(|(name, value)| [name.to_owned(), value]);
        let args = ["start".to_owned()].into_iter().chain(fixed);
        args.chain(self.args.iter().cloned()).collect()
    }
}

impl Broker {
    pub(crate) fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Waits until it says that it accepts produce.
    pub(crate) async fn ready(&self, look: Duration) -> io::Result<()> {
        let deadline = now() + PATIENCE;
        while let Err(error) = metrics::get(self.admin, "/readyz").await {
            if now() > deadline {
                return Err(error);
            }
            sleep(look).await;
        }
        Ok(())
    }

    /// Bytes of all its journals.
    pub(crate) fn journal_bytes(&self) -> io::Result<u64> {
        journal_bytes(&self.data.join("shards"))
    }

    /// Stops it in order; what it wrote stays.
    pub(crate) async fn end(self) -> io::Result<()> {
        self.child.stop().await
    }

    /// Stops it in order and removes what it wrote.
    pub(crate) async fn stop(self) -> io::Result<()> {
        self.child.stop().await?;
        fs::remove_dir_all(&self.data)
    }

    /// Stops it as a crash does (SIGKILL); what it wrote stays.
    pub(crate) fn kill(self) {
        drop(self.child);
    }
}

fn journal_bytes(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            bytes += journal_bytes(&path)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "journal")
        {
            bytes += fs::metadata(&path)?.len();
        }
    }
    Ok(bytes)
}
