//! The order of the demonstration.

use std::future::{Future, poll_fn};
use std::io::Write;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;

use engine_rt::ring::on_terminate;
use engine_rt::{
    ExecutorSpec, OneshotReceiver, blocking, oneshot, random_u64, spawn, spawn_executor,
    wall_clock_ms,
};
use net_wire::ErrorCode;
use thiserror::Error;

use super::content::Content;
use super::cpu::{CLIENT_THREAD, broker_cpu};
use super::figures::{Disk, Figures};
use super::produce::{Target, write, write_singly};
use super::progress::Progress;
use super::verify::verify;
use crate::broker::{AdminHandle, BrokerConfig, Mark, RunningBroker, StartError, StopError, start};
use crate::client::{ClientError, Connection, NewTopic};

/// The data directory, unless another is asked for.
pub const DATA_DIR_DEFAULT: &str = "./flumen-data";

const TOPIC: &str = "demo";
/// The topic of the latencies: single records stand in the way of comparing.
const TOPIC_SINGLE: &str = "demo-latency";
/// Partitions of the topic for each shard.
const PARTITIONS_PER_SHARD: usize = 4;
/// What earlier runs wrote goes after an hour.
const CONFIGS: [(&str, &str); 2] = [("retention.ms", "3600000"), ("segment.bytes", "67108864")];

/// What is shown.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// The node, with one listener at least. What is in its directory stays.
    pub broker: BrokerConfig,
    /// Records to write and read.
    pub records: u64,
    /// Stop after the table instead of serving on.
    pub exit: bool,
}

/// Why the demonstration failed.
#[derive(Debug, Error)]
pub enum DemoError {
    /// The node did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The node did not stop in order.
    #[error(transparent)]
    Stop(#[from] StopError),
    /// The client met an error.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// What was read is not what was written.
    #[error("what was read is not what was written: {0}")]
    Differs(String),
    /// The operating system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },
}

fn refused(what: &'static str) -> impl FnOnce(std::io::Error) -> DemoError {
    move |source| DemoError::Io { what, source }
}

/// Shows what a broker does, on the control executor of the ring world. Returns when it was asked
/// to end, with `exit` after the table.
pub async fn run(options: DemoOptions) -> Result<(), DemoError> {
    let terminate = on_terminate().map_err(refused("signals cannot be caught"))?;
    let (records, exit) = (options.records, options.exit);
    let running = start(options.broker).await?;
    let addr = running.kafka_addrs()[0];
    greet(&running, records);
    // A signal ends it at any time, in order.
    let shown = unless(show(&running, addr, records), terminate.next()).await;
    if let Some(Ok(figures)) = &shown {
        say(&format!("\n{}\n", figures.table()));
        if !exit {
            say(&invitation(addr));
            terminate.next().await;
        }
    }
    running.stop().await?;
    shown.map_or(Ok(()), |shown| shown.map(drop))
}

/// Writes, reads and measures, on an executor of its own.
async fn show(
    running: &RunningBroker,
    addr: SocketAddr,
    records: u64,
) -> Result<Figures, DemoError> {
    let progress = Progress::default();
    let shown = spawn(progress.clone().show(records));
    let client = Client {
        addr,
        records,
        partitions: PARTITIONS_PER_SHARD * running.shard_count(),
        admin: running.admin().clone(),
        progress: progress.clone(),
    };
    let figures = client.on_own_executor()?;
    let figures = figures
        .await
        .unwrap_or_else(|| Err(ClientError::Closed.into()));
    shown.cancel();
    progress.done(records);
    figures
}

/// What the client's executor is given.
struct Client {
    addr: SocketAddr,
    records: u64,
    partitions: usize,
    admin: AdminHandle,
    progress: Progress,
}

impl Client {
    fn on_own_executor(self) -> Result<OneshotReceiver<Result<Figures, DemoError>>, DemoError> {
        let (result, figures) = oneshot();
        let spec = ExecutorSpec {
            name: CLIENT_THREAD.to_owned(),
            cpu: None,
        };
        let started = spawn_executor(spec, move || async move {
            result.send(Box::pin(self.work()).await);
        });
        started.map_err(refused("the client's executor"))?;
        Ok(figures)
    }

    async fn work(self) -> Result<Figures, DemoError> {
        let connection = Connection::connect(self.addr, CLIENT_THREAD).await?;
        let target = self.target(&connection).await?;
        let content = Content {
            seed: random_u64(),
            timestamp: wall_clock_ms(),
        };
        ensure(&connection, TOPIC_SINGLE, 1).await?;
        let (disk, cpu) = (self.disk().await, blocking(broker_cpu).await);
        let written = write(&connection, &target, content, &self.progress).await?;
        let cpu_written = blocking(broker_cpu).await;
        let read_in = verify(&connection, &target, content, &self.progress).await?;
        let cpu_read = blocking(broker_cpu).await;
        let disk = self.disk().await.since(disk);
        Ok(Figures {
            records: self.records,
            partitions: target.counts.len(),
            written_in: written.took,
            read_in,
            busy: written.latency,
            alone: write_singly(&connection, TOPIC_SINGLE, content).await?,
            cpu: [
                cpu_written.saturating_sub(cpu),
                cpu_read.saturating_sub(cpu_written),
            ],
            disk,
        })
    }

    async fn disk(&self) -> Disk {
        let snapshot = self.admin.snapshot().await;
        snapshot.as_ref().map(Disk::of).unwrap_or_default()
    }

    /// The topic with the ends of its partitions: this run begins there.
    async fn target(&self, connection: &Connection) -> Result<Target, DemoError> {
        ensure(connection, TOPIC, self.partitions as i32).await?;
        let partitions = connection.topic(TOPIC).await?.partitions.len();
        let mut starts = Vec::with_capacity(partitions);
        for partition in 0..partitions {
            starts.push(connection.list_offset(TOPIC, partition as i32, -1).await?);
        }
        Ok(Target {
            topic: TOPIC.to_owned(),
            starts,
            counts: shares(self.records, partitions as u64),
        })
    }
}

/// Records of each partition: as many as of any other, or one more.
fn shares(records: u64, partitions: u64) -> Vec<u64> {
    let share = |at| records / partitions + u64::from(at < records % partitions);
    (0..partitions).map(share).collect()
}

/// Creates a topic unless it is there.
async fn ensure(connection: &Connection, name: &str, partitions: i32) -> Result<(), ClientError> {
    let new = NewTopic {
        name,
        partitions,
        replication_factor: -1,
        configs: &CONFIGS,
    };
    match connection.create_topic(&new).await {
        Err(ClientError::Refused { code, .. }) if code == ErrorCode::TOPIC_ALREADY_EXISTS => Ok(()),
        other => other,
    }
}

fn greet(running: &RunningBroker, records: u64) {
    for line in &running.report().lines {
        if line.mark != Mark::Good {
            say(&format!("{line}\n"));
        }
    }
    let dir = running.data_dir().display();
    say(&format!(
        "Flumen {} in {dir}: {records} records through the Kafka protocol, acknowledged when they \
         are on the disk.\n",
        env!("CARGO_PKG_VERSION")
    ));
}

fn invitation(addr: SocketAddr) -> String {
    format!(
        "Serving Kafka clients on {addr} until Ctrl-C. For example:\n\n  \
           kcat -b {addr} -L\n  \
           echo hello | kcat -b {addr} -t greetings -P\n  \
           kcat -b {addr} -t greetings -C -e\n  \
           kcat -b {addr} -t {TOPIC} -C -c 5 -f 'partition %p offset %o key %K bytes\\n'\n\n"
    )
}

fn say(text: &str) {
    let mut stdout = std::io::stdout().lock();
    // A closed output takes the text away, not the outcome.
    let _gone = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

/// What `work` comes to, unless `end` comes first.
async fn unless<T>(work: impl Future<Output = T>, end: impl Future) -> Option<T> {
    let (mut work, mut end) = (pin!(work), pin!(end));
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        end.as_mut().poll(cx).map(|_| None)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_shared_out() {
        assert_eq!(shares(10, 4), [3, 3, 2, 2]);
        assert_eq!(shares(2, 4), [1, 1, 0, 0]);
        assert_eq!(shares(0, 3), [0, 0, 0]);
    }
}
