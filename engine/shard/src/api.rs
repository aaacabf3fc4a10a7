//! What a core's connections ask of the shards: of their own and, by mailbox, of the others.
//!
//! A call runs on the shard that owns the partition. What travels is the request with its
//! reference-counted buffers, never a copy of a record, and the answer comes back the same way.

use std::future::{Future, pending};
use std::pin::Pin;
use std::rc::Rc;

use engine_log::{ProducerError, ProducerStamp, ResidentRange, TopicPartition};
use engine_rt::{Buf, Instant, MailSender, OneshotReceiver, oneshot};
use thiserror::Error;

use crate::append::InLine;
use crate::outbox::{Answer, Outbox};
use crate::shard::Shard;

/// A piece of work for another shard.
pub type Mail = Box<dyn FnOnce(Rc<Shard>) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// Why a shard refuses a request; the server maps it to Kafka's error code.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ShardError {
    /// No such partition here: `UNKNOWN_TOPIC_OR_PARTITION` or `UNKNOWN_TOPIC_ID`.
    #[error("partition {0} is not here")]
    UnknownPartition(TopicPartition),
    /// `FENCED_LEADER_EPOCH`: the client knows an older epoch.
    #[error("leader epoch {found} is older than {current}")]
    FencedLeaderEpoch {
        /// The client's epoch.
        found: i32,
        /// The partition's.
        current: i32,
    },
    /// `UNKNOWN_LEADER_EPOCH`: the client knows a newer epoch.
    #[error("leader epoch {found} is newer than {current}")]
    UnknownLeaderEpoch {
        /// The client's epoch.
        found: i32,
        /// The partition's.
        current: i32,
    },
    /// `OFFSET_OUT_OF_RANGE`.
    #[error("offset {offset} is not within {log_start_offset} to {high_watermark}")]
    OffsetOutOfRange {
        /// What was asked for.
        offset: i64,
        /// First offset there is.
        log_start_offset: i64,
        /// End of what may be read.
        high_watermark: i64,
    },
    /// Sequence or epoch of an idempotent producer.
    #[error(transparent)]
    Producer(#[from] ProducerError),
    /// `KAFKA_STORAGE_ERROR`: the disk or the journal failed, or is full; the client retries.
    #[error("storage: {0}")]
    Storage(String),
    /// The shard is stopping: `NOT_LEADER_OR_FOLLOWER`, the client retries.
    #[error("the broker is stopping")]
    Stopping,
}

/// One checked batch to append.
#[derive(Clone, Debug)]
pub struct ProduceBatch {
    /// The partition.
    pub id: TopicPartition,
    /// Exactly one record batch (v2) as it shall be stored, but for base offset and leader epoch,
    /// which the shard stamps. A slice of the request's frame.
    pub bytes: Buf,
    /// Records in it, that is last offset delta + 1.
    pub records: i32,
    /// Its largest timestamp.
    pub max_timestamp: i64,
    /// Offset delta of the first record that has it.
    pub max_timestamp_delta: u32,
    /// Producer fields of its header.
    pub stamp: ProducerStamp,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Offset of the first record; of the original, if this was a retry.
    pub base_offset: i64,
    /// First offset of the partition.
    pub log_start_offset: i64,
}

/// A read of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchPart {
    /// The partition.
    pub id: TopicPartition,
    /// Where to read from.
    pub offset: i64,
    /// Bytes at most; the first batch comes whole even if it is larger and `min_one` is set.
    pub max_bytes: usize,
    /// Whether at least one batch is wanted whatever its size.
    pub min_one: bool,
    /// Leader epoch that the client believes in, -1 for none.
    pub current_leader_epoch: i32,
    /// Epoch of the last record that the client has, -1 for none (KIP-595 diverging epoch).
    pub last_fetched_epoch: i32,
}

impl FetchPart {
    /// A read by somebody who knows no epochs: one batch at least.
    pub const fn new(id: TopicPartition, offset: i64, max_bytes: usize) -> Self {
        Self {
            id,
            offset,
            max_bytes,
            min_one: true,
            current_leader_epoch: -1,
            last_fetched_epoch: -1,
        }
    }
}

/// What a read found.
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    /// Whole batches, back to back.
    pub records: Vec<Buf>,
    /// Instead of `records`: whole batches in resident pages, to be sent from the file
    /// ([`Shard::open_resident`]).
    pub resident: Vec<ResidentRange>,
    /// End of what is durable and may be read.
    pub high_watermark: i64,
    /// First offset there is.
    pub log_start_offset: i64,
    /// Set when the client's log diverges: the epoch and where it ended here.
    pub diverging_epoch: Option<(i32, i64)>,
}

/// Position of a partition, for `Metadata`, `ListOffsets`, `DescribeLogDirs` and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionPosition {
    /// First offset there is.
    pub log_start_offset: i64,
    /// End of what is durable.
    pub high_watermark: i64,
    /// End of what has offsets.
    pub log_end_offset: i64,
    /// Epoch in force.
    pub leader_epoch: i32,
    /// Bytes of batches.
    pub size_bytes: u64,
}

/// A place in a log by time (`ListOffsets`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampOffset {
    /// Timestamp of the record, -1 if there is none.
    pub timestamp: i64,
    /// Its offset, -1 if there is none.
    pub offset: i64,
    /// The epoch that wrote it, -1 if there is none.
    pub leader_epoch: i32,
}

/// Which offset `ListOffsets` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetQuery {
    /// -2: the log start.
    Earliest,
    /// -1: the high watermark.
    Latest,
    /// -3: the record with the largest timestamp (KIP-734).
    MaxTimestamp,
    /// The first record at or after this time.
    Timestamp(i64),
}

/// Appends that were put in order and are on their way to the disk.
#[derive(Debug)]
pub struct ProduceTicket(Parts);

#[derive(Debug)]
enum Parts {
    /// All of them on the shard of the connection.
    Here(InLine),
    /// On several shards: the places in the request that each has.
    Apart {
        parts: Vec<(Vec<usize>, Part)>,
        count: usize,
    },
}

#[derive(Debug)]
enum Part {
    Here(InLine),
    There(Rc<Answer>),
}

impl ProduceTicket {
    /// Waits until every batch is durable or refused; answers in the order of the request.
    pub async fn durable(self) -> Vec<Result<Appended, ShardError>> {
        let (parts, count) = match self.0 {
            Parts::Here(in_line) => return in_line.durable().await,
            Parts::Apart { parts, count } => (parts, count),
        };
        let mut results: Vec<_> = (0..count).map(|_| Err(ShardError::Stopping)).collect();
        for (places, part) in parts {
            let outcomes = match part {
                Part::Here(in_line) => in_line.durable().await,
                Part::There(answer) => answer.outcomes().await,
            };
            for (place, outcome) in places.into_iter().zip(outcomes) {
                results[place] = outcome;
            }
        }
        results
    }
}

/// All shards of the node, as seen from one of them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Shards {
    pub(crate) local: Rc<Shard>,
    pub(crate) senders: Rc<[MailSender<Mail>]>,
    pub(crate) outboxes: Rc<[Outbox]>,
}

impl Shards {
    /// The handle of the shard `local`, with a mailbox to every shard, itself included.
    pub fn new(local: Rc<Shard>, senders: Vec<MailSender<Mail>>) -> Self {
        let outboxes = senders.iter().map(|_| Outbox::default()).collect();
        Self {
            local,
            senders: senders.into(),
            outboxes,
        }
    }

    /// The shard of this core.
    pub fn local(&self) -> &Rc<Shard> {
        &self.local
    }

    /// Number of shards.
    pub fn count(&self) -> usize {
        self.senders.len()
    }

    /// Runs `work` on `shard` and gives its result; here and now if that is this one. Calls to the
    /// same shard begin in the order in which they were made.
    pub async fn call<T, F>(
        &self,
        shard: usize,
        work: impl FnOnce(Rc<Shard>) -> F + Send + 'static,
    ) -> Result<T, ShardError>
    where
        T: Send + 'static,
        F: Future<Output = T> + 'static,
    {
        self.begin(shard, work)
            .await?
            .await
            .ok_or(ShardError::Stopping)
    }

    /// As [`Shards::call`], but returns once the work is queued: what follows in program order
    /// follows on that shard too.
    pub async fn begin<T, F>(
        &self,
        shard: usize,
        work: impl FnOnce(Rc<Shard>) -> F + Send + 'static,
    ) -> Result<OneshotReceiver<T>, ShardError>
    where
        T: Send + 'static,
        F: Future<Output = T> + 'static,
    {
        let (done, result) = oneshot();
        let run = move |shard: Rc<Shard>| -> Pin<Box<dyn Future<Output = ()>>> {
            let work = work(shard);
            Box::pin(async move { done.send(work.await) })
        };
        if shard == self.local.index() {
            self.local.run(run(Rc::clone(&self.local)));
        } else {
            self.senders[shard]
                .send(Box::new(run))
                .await
                .map_err(|_| ShardError::Stopping)?;
        }
        Ok(result)
    }

    /// Puts batches in line on the shards that own them. When this returns, they have their order;
    /// the ticket waits for the disk. `owner_of` names the shard of each partition.
    pub async fn produce(
        &self,
        batches: Vec<ProduceBatch>,
        owner_of: impl Fn(TopicPartition) -> usize,
    ) -> ProduceTicket {
        if batches.iter().all(|batch| self.is_here(owner_of(batch.id))) {
            return ProduceTicket(Parts::Here(self.local.put_in_line(batches).await));
        }
        let count = batches.len();
        let mut parts = Vec::new();
        for (shard, (places, batches)) in self.by_owner(batches, |batch| owner_of(batch.id)) {
            let part = if shard == self.local.index() {
                Part::Here(self.local.put_in_line(batches).await)
            } else {
                Part::There(self.post(shard, batches))
            };
            parts.push((places, part));
        }
        ProduceTicket(Parts::Apart { parts, count })
    }

    /// Reads partitions, each on its own shard; answers in the order of the request. `max_bytes`
    /// bounds the whole: later partitions get what earlier ones of the same shard left.
    pub async fn fetch(
        &self,
        parts: &[FetchPart],
        max_bytes: usize,
        owner_of: impl Fn(TopicPartition) -> usize,
    ) -> Vec<Result<Fetched, ShardError>> {
        if parts.iter().all(|part| self.is_here(owner_of(part.id))) {
            return self.local.fetch(parts, max_bytes).await;
        }
        let mut results: Vec<_> = parts.iter().map(|_| Err(ShardError::Stopping)).collect();
        let mut waiting = Vec::new();
        for (shard, (places, parts)) in self.by_owner(parts.to_vec(), |part| owner_of(part.id)) {
            let work = move |shard: Rc<Shard>| async move { shard.fetch(&parts, max_bytes).await };
            if let Ok(receiver) = self.begin(shard, work).await {
                waiting.push((places, receiver));
            }
        }
        for (places, receiver) in waiting {
            for (place, outcome) in places.into_iter().zip(receiver.await.unwrap_or_default()) {
                results[place] = outcome;
            }
        }
        results
    }

    /// Waits until one of the partitions has something to read at its offset or has changed
    /// otherwise (deleted, truncated), or until `deadline`. Dropping the future ends the waits on
    /// all shards.
    pub async fn wait_for_data(
        &self,
        parts: Vec<(TopicPartition, i64)>,
        deadline: Instant,
        owner_of: impl Fn(TopicPartition) -> usize,
    ) {
        if !parts.is_empty() && parts.iter().all(|part| self.is_here(owner_of(part.0))) {
            return self.local.wait_for_data(parts, deadline, pending()).await;
        }
        // Held while this is: the first answer, or nobody's asking any more, ends all waits.
        let (mut watches, mut stays) = (Vec::new(), Vec::new());
        for (shard, (_, parts)) in self.by_owner(parts, |part| owner_of(part.0)) {
            let (stay, left) = oneshot::<()>();
            let work = move |shard: Rc<Shard>| async move {
                let left = async {
                    let _gone = left.await;
                };
                shard.wait_for_data(parts, deadline, left).await;
            };
            if let Ok(receiver) = self.begin(shard, work).await {
                watches.push(receiver);
                stays.push(stay);
            }
        }
        if watches.is_empty() {
            engine_rt::sleep_until(deadline).await;
            return;
        }
        // Each shard answers at the deadline at the latest.
        std::future::poll_fn(|cx| {
            let done = |watch: &mut OneshotReceiver<()>| Pin::new(watch).poll(cx).is_ready();
            if watches.iter_mut().any(done) {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
    }

    /// Whether that shard is the one of this core.
    fn is_here(&self, shard: usize) -> bool {
        shard % self.count() == self.local.index()
    }

    /// Groups items by shard, keeping their order and places.
    fn by_owner<T>(
        &self,
        items: Vec<T>,
        owner: impl Fn(&T) -> usize,
    ) -> std::collections::BTreeMap<usize, (Vec<usize>, Vec<T>)> {
        let mut groups = std::collections::BTreeMap::<usize, (Vec<usize>, Vec<T>)>::new();
        for (place, item) in items.into_iter().enumerate() {
            let group = groups.entry(owner(&item) % self.count()).or_default();
            group.0.push(place);
            group.1.push(item);
        }
        groups
    }
}
