//! The broker under measurement: a fresh one for each round.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::Options;
use crate::child::{Child, free_addr};

/// A running broker on a directory of its own.
#[derive(Debug)]
pub(crate) struct Broker {
    child: Child,
    data: PathBuf,
    pub(crate) addr: SocketAddr,
}

impl Broker {
    /// Starts one with an empty directory; it may not serve yet.
    pub(crate) fn start(program: &Path, options: &Options) -> io::Result<Self> {
        let data = options.data.join("broker");
        if data.exists() {
            fs::remove_dir_all(&data)?;
        }
        let addr = free_addr()?;
        let fixed = [
            "start",
            "--data",
            &data.to_string_lossy(),
            "--shards",
            "1",
            "--kafka-addr",
        ];
        let mut args: Vec<String> = fixed.map(str::to_owned).into();
        args.push(addr.to_string());
        args.extend(options.broker_args.split_whitespace().map(str::to_owned));
        let log = File::create(options.data.join("broker.log"))?;
        let (out, err) = (Stdio::null(), Stdio::from(log));
        let child = Child::start(program, &args, options.server_cpu, out, err)?;
        Ok(Self { child, data, addr })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Stops it in order and removes what it wrote.
    pub(crate) async fn stop(self) -> io::Result<()> {
        self.child.stop().await?;
        fs::remove_dir_all(&self.data)
    }
}
