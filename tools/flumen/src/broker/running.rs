//! A node in service, and the order of its stop.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use cluster_control::{ControlHandle, Home, Metadata};
use engine_rt::{Executor, MailSender, OneshotSender, Task, now, oneshot, timeout};
use net_admin::ReadyState;
use thiserror::Error;

use super::admin::AdminHandle;
use super::report::StartReport;
use super::shard::ShardCall;

/// How long connections may take to be answered and to close when the node stops.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);

/// Why a stop did not end in order. The next start recovers as after a crash.
#[derive(Debug, Error)]
pub enum StopError {
    /// A shard could not flush or checkpoint.
    #[error("shard {shard}: {source}")]
    Shard {
        /// The shard.
        shard: usize,
        /// The system's answer.
        source: io::Error,
    },
    /// The metadata log or the mark of an orderly stop could not be written.
    #[error("metadata: {0}")]
    Metadata(io::Error),
}

#[derive(Debug)]
pub(super) struct RunningShard {
    pub(super) calls: MailSender<ShardCall>,
    pub(super) executor: Executor,
}

/// A node in service. To be stopped by [`RunningBroker::stop`]; dropping it leaves its shards
/// without a node, as a crash does.
#[derive(Debug)]
pub struct RunningBroker {
    pub(super) home: Home,
    pub(super) control: Task<Metadata>,
    pub(super) handle: ControlHandle,
    pub(super) accepting: Vec<Task<()>>,
    pub(super) shards: Vec<RunningShard>,
    pub(super) addrs: Vec<SocketAddr>,
    pub(super) report: StartReport,
    pub(super) admin: AdminHandle,
}

impl RunningBroker {
    /// Where clients come in, by listener.
    pub fn kafka_addrs(&self) -> &[SocketAddr] {
        &self.addrs
    }

    /// The start-up list.
    pub const fn report(&self) -> &StartReport {
        &self.report
    }

    /// What the admin thread may ask.
    pub const fn admin(&self) -> &AdminHandle {
        &self.admin
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        self.home.dir()
    }

    /// How many shards it has.
    pub fn shard_count(&self) -> usize {
        self.shards.len()
    }

    /// The cluster's id.
    pub fn cluster_id(&self) -> String {
        self.home.superblock().cluster_id.to_string()
    }

    /// Answers what is in flight, flushes, checkpoints, and marks the directory as stopped in
    /// order. Takes seconds at most.
    pub async fn stop(self) -> Result<(), StopError> {
        self.admin.set(ReadyState::Stopping);
        for task in self.accepting {
            task.cancel();
        }
        let ended = ask_all(&self.shards, ShardCall::EndConnections);
        if timeout(now() + ANSWER_PATIENCE, ended).await.is_err() {
            tracing::warn!("some connections were not answered in time and are cut");
        }
        let stopped = ask_all(&self.shards, ShardCall::Stop).await;
        for shard in self.shards {
            drop(shard.calls);
            shard.executor.join().await;
        }
        drop(self.handle);
        let metadata = self.control.await;
        for (shard, outcome) in stopped.into_iter().enumerate() {
            let gone = || Err(io::ErrorKind::BrokenPipe.into());
            let outcome = outcome.unwrap_or_else(gone);
            outcome.map_err(|source| StopError::Shard { shard, source })?;
        }
        let closed = metadata.close(&self.home).await;
        closed.map_err(StopError::Metadata)
    }
}

/// Asks every shard the same and waits for all answers; none from one that is gone.
async fn ask_all<T: Send>(
    shards: &[RunningShard],
    call: impl Fn(OneshotSender<T>) -> ShardCall,
) -> Vec<Option<T>> {
    let mut answers = Vec::with_capacity(shards.len());
    for shard in shards {
        let (reply, answer) = oneshot();
        let sent = shard.calls.send(call(reply)).await;
        answers.push(sent.ok().map(|()| answer));
    }
    let mut all = Vec::with_capacity(answers.len());
    for answer in answers {
        all.push(match answer {
            Some(answer) => answer.await,
            None => None,
        });
    }
    all
}
