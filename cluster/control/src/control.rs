//! The one task that puts changes of the metadata in order.
//!
//! A change is judged against the newest state, its records are made durable in both copies of the
//! log, every shard applies them, and only then is it answered: what its client asks next finds it
//! wherever it asks. Changes that wait together leave in one frame.

use std::sync::Arc;

use cluster_meta::config::StaticConfig;
use cluster_meta::{MetaError, Record, State};
use engine_rt::mutant::{self, Mutant};
use engine_rt::{MailReceiver, MailSender, OneshotSender, mailbox, oneshot};
use thiserror::Error;

use crate::metadata::Metadata;

/// Changes that may wait for their turn.
const MAILBOX_LEN: usize = 256;
/// Bytes of records that leave in one frame, but for those of a single change.
const FRAME_BYTES_GOAL: usize = 1 << 20;

/// A change, judged against the newest state: its records, or Kafka's error.
pub type Change =
    Box<dyn FnOnce(&State, &StaticConfig) -> Result<Vec<Record>, MetaError> + Send + 'static>;

/// Records for a shard to apply to its replica of the state. They are durable.
#[derive(Debug)]
pub struct ApplyMail {
    /// The records, in order.
    pub records: Arc<[Record]>,
    /// To be sent when they are applied.
    pub done: OneshotSender<()>,
}

/// Why a change did not come about.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ControlError {
    /// The state does not allow it.
    #[error(transparent)]
    Refused(#[from] MetaError),
    /// The log cannot be written, or the node is stopping. The change may come about all the same,
    /// at the next start.
    #[error("{0}")]
    Unavailable(String),
}

type Outcome = Result<Vec<Record>, ControlError>;

/// A change on its way to its turn.
pub struct ControlMail {
    change: Change,
    reply: OneshotSender<Outcome>,
}

impl std::fmt::Debug for ControlMail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ControlMail").finish_non_exhaustive()
    }
}

impl ControlMail {
    /// A change and where its outcome goes.
    pub const fn new(change: Change, reply: OneshotSender<Outcome>) -> Self {
        Self { change, reply }
    }
}

/// Where changes are asked for; for any executor.
#[derive(Clone, Debug)]
pub struct ControlHandle {
    mail: MailSender<ControlMail>,
}

impl ControlHandle {
    /// Puts a change in line.
    pub async fn send(&self, mail: ControlMail) {
        // If the task is gone, the mail is dropped and with it the sender of its reply.
        let _gone = self.mail.send(mail).await;
    }

    /// Asks for a change and waits until every shard has applied it.
    pub async fn propose(&self, change: Change) -> Outcome {
        let (reply, outcome) = oneshot();
        self.send(ControlMail::new(change, reply)).await;
        outcome.await.unwrap_or_else(|| Err(stopping()))
    }
}

/// The answer of a node that is stopping.
fn stopping() -> ControlError {
    ControlError::Unavailable("the node is stopping".to_owned())
}

/// The task.
#[derive(Debug)]
pub struct Control {
    metadata: Metadata,
    shards: Vec<MailSender<ApplyMail>>,
    mail: MailReceiver<ControlMail>,
}

/// Changes of one frame, judged.
#[derive(Default)]
struct Batch {
    records: Vec<Record>,
    answers: Vec<(OneshotSender<Outcome>, Outcome)>,
}

impl Batch {
    fn answer(self) {
        for (reply, outcome) in self.answers {
            reply.send(outcome);
        }
    }

    fn fail(self, error: &ControlError) {
        for (reply, _) in self.answers {
            reply.send(Err(error.clone()));
        }
    }
}

impl Control {
    /// The task of this metadata, which tells these shards.
    pub fn new(metadata: Metadata, shards: Vec<MailSender<ApplyMail>>) -> (Self, ControlHandle) {
        let (sender, mail) = mailbox(MAILBOX_LEN);
        let control = Self {
            metadata,
            shards,
            mail,
        };
        (control, ControlHandle { mail: sender })
    }

    /// Carries out changes until every handle is gone; gives the metadata back.
    pub async fn run(mut self) -> Metadata {
        while let Some(first) = self.mail.receive().await {
            let batch = self.judge(first);
            self.carry_out(batch).await;
            self.metadata.compact().await;
        }
        self.metadata
    }

    /// Judges a change and those that wait behind it, each against the state that those before it
    /// ask for.
    fn judge(&mut self, first: ControlMail) -> Batch {
        let mut batch = Batch::default();
        let mut bytes = 0;
        let mut next = Some(first);
        while let Some(mail) = next {
            let outcome = self.judge_one(mail.change, &mut bytes);
            batch.records.extend(outcome.iter().flatten().cloned());
            batch.answers.push((mail.reply, outcome));
            next = if bytes < FRAME_BYTES_GOAL {
                self.mail.try_receive()
            } else {
                None
            };
        }
        batch
    }

    fn judge_one(&mut self, change: Change, bytes: &mut usize) -> Outcome {
        // A state that ran ahead of a log that failed is not judged by.
        if let Err(error) = self.metadata.log.check() {
            return Err(unavailable(&error));
        }
        let (records, more) = self.metadata.judge(change)?;
        *bytes += more;
        Ok(records)
    }

    /// Durable first, then the shards, then the answers: a refusal may rest on a record of the same
    /// frame, so all of them wait.
    async fn carry_out(&mut self, batch: Batch) {
        if batch.records.is_empty() {
            return batch.answer();
        }
        if mutant::is_active(Mutant::TopicBeforeFlush) {
            return self.carry_out_too_early(batch).await;
        }
        if let Err(error) = self.metadata.log.append(&batch.records).await {
            tracing::error!(%error, "FL2101: the metadata log cannot be written; no topic or configuration changes until restart");
            return batch.fail(&unavailable(&error));
        }
        self.tell_shards(&batch.records).await;
        batch.answer();
    }

    async fn carry_out_too_early(&mut self, batch: Batch) {
        let records = batch.records.clone();
        self.tell_shards(&records).await;
        batch.answer();
        let _late = self.metadata.log.append(&records).await;
    }

    /// Has every shard apply records, and waits until all have. One that has stopped serves nobody.
    async fn tell_shards(&self, records: &[Record]) {
        let records: Arc<[Record]> = records.into();
        let mut applied = Vec::with_capacity(self.shards.len());
        for shard in &self.shards {
            let (done, receiver) = oneshot();
            let records = Arc::clone(&records);
            if shard.send(ApplyMail { records, done }).await.is_ok() {
                applied.push(receiver);
            }
        }
        for receiver in applied {
            receiver.await;
        }
    }
}

fn unavailable(error: &std::io::Error) -> ControlError {
    ControlError::Unavailable(format!("the metadata log cannot be written: {error}"))
}
