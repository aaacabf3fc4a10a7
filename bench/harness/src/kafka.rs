//! Apache Kafka from the jars of its release, to be measured beside the broker: broker and controller
//! in one process on the server's core, each append flushed, its offsets' too.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use engine_rt::blocking;

use crate::Options;
use crate::child::{Child, free_addr};

/// Any id of a cluster.
const CLUSTER: &str = "MkU3OEVBNTcwNTJENDM2Qg";

/// A running node on a directory of its own.
#[derive(Debug)]
pub(crate) struct Kafka {
    child: Child,
    pub(crate) addr: SocketAddr,
}

impl Kafka {
    /// Starts it on a new directory, with more settings; it may not serve yet.
    pub(crate) async fn start(options: &Options, jars: &Path, more: &str) -> io::Result<Self> {
        let data = options.data.join("kafka");
        if data.exists() {
            fs::remove_dir_all(&data)?;
        }
        let (addr, controller) = (free_addr()?, free_addr()?);
        let settings = settings(&data, addr, controller) + more;
        fs::write(properties(options), settings)?;
        let mut format = Command::new("java");
        let tool = [
            "kafka.tools.StorageTool",
            "format",
            "--standalone",
            "-t",
            CLUSTER,
            "-c",
        ];
        format
            .args(java(options, jars, &tool))
            .stdout(Stdio::null());
        let status = blocking(move || format.status()).await?;
        if !status.success() {
            return Err(io::Error::other(format!(
                "format of Apache Kafka: {status}"
            )));
        }
        Self::run(options, jars, addr)
    }

    /// Stops it as a crash does (SIGKILL), and starts it again on what it left.
    pub(crate) fn again(self, options: &Options, jars: &Path) -> io::Result<Self> {
        let addr = self.addr;
        drop(self.child);
        Self::run(options, jars, addr)
    }

    fn run(options: &Options, jars: &Path, addr: SocketAddr) -> io::Result<Self> {
        let log = File::create(options.data.join("kafka.log"))?;
        let args = java(options, jars, &["kafka.Kafka"]);
        let cpu = options.server_cpu.to_string();
        let (out, err) = (Stdio::from(log.try_clone()?), Stdio::from(log));
        let child = Child::start(Path::new("java"), &args, &cpu, out, err)?;
        Ok(Self { child, addr })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Kills it and removes what it wrote.
    pub(crate) fn remove(self, options: &Options) -> io::Result<()> {
        drop(self.child);
        fs::remove_dir_all(options.data.join("kafka"))
    }
}

fn properties(options: &Options) -> PathBuf {
    options.data.join("kafka.properties")
}

/// The arguments of a virtual machine on one core that runs a class with the node's properties.
fn java(options: &Options, jars: &Path, class: &[&str]) -> Vec<String> {
    let machine = [
        "-Xms1g",
        "-Xmx2g",
        "-XX:+UseG1GC",
        "-XX:ActiveProcessorCount=1",
        "-cp",
    ];
    let words = machine.iter().map(|&word| word.to_owned());
    let words = words.chain([format!("{}/*", jars.display())]);
    let words = words.chain(class.iter().map(|&word| word.to_owned()));
    words
        .chain([properties(options).display().to_string()])
        .collect()
}

fn settings(data: &Path, addr: SocketAddr, controller: SocketAddr) -> String {
    let data = data.display();
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.bootstrap.servers={controller}\n\
         listeners=PLAINTEXT://{addr},CONTROLLER://{controller}\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
         log.dirs={data}\n\
         offsets.topic.replication.factor=1\n\
         log.flush.interval.messages=1\n"
    )
}
