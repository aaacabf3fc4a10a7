//! Reads partitions of a topic and prints their records.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};
use std::rc::Rc;

use flumen::client::{
    ClientError, Cluster, Connection, Fetch, FetchFrom, Fetched, Metadata, ReadRecord,
    TopicMetadata, each_record,
};
use net_wire::ErrorCode;
use net_wire::batch::{BatchError, BatchView, Batches};
use net_wire::codec::Codecs;

use super::place::Position;
use crate::cli::format::{Header, OutputFormat, Shown};
use crate::cli::output::Output;
use crate::errors::Failure;

/// Most bytes of one answer, and of one partition in it.
const FETCH_BYTES: i32 = 8 << 20;
const PARTITION_BYTES: i32 = 1 << 20;
/// How long the broker waits for a first byte.
const FETCH_WAIT_MS: i32 = 500;
/// Most bytes that a batch may have when it is decompressed.
const DECOMPRESSED_BYTES_MAX: usize = 256 << 20;

/// Where partitions stand.
pub(super) type Positions = BTreeMap<i32, Position>;

/// A topic, and the way to its leaders.
pub(super) struct Source<'c> {
    cluster: &'c Cluster,
    metadata: Metadata,
    pub(super) topic: TopicMetadata,
}

impl<'c> Source<'c> {
    pub(super) async fn find(cluster: &'c Cluster, topic: &str) -> Result<Self, ClientError> {
        let (metadata, topic) = cluster.topic(topic, false).await?;
        Ok(Self {
            cluster,
            metadata,
            topic,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.topic.name
    }

    pub(super) async fn leader(&self, partition: i32) -> Result<Rc<Connection>, ClientError> {
        let leader = self.cluster.leader(&self.metadata, &self.topic, partition);
        leader.await
    }
}

/// What is read and printed.
pub(super) struct Reader {
    printer: Printer,
    is_bounded: bool,
    pub(super) positions: Positions,
}

impl Reader {
    /// For so many records, and not above the end of each partition if it is bounded.
    pub(super) fn new(format: OutputFormat, records: u64, is_bounded: bool) -> Self {
        Self {
            printer: Printer {
                format,
                count: 0,
                left: records,
                codecs: Codecs::new(),
                out: Output::new(),
            },
            is_bounded,
            positions: Positions::new(),
        }
    }

    /// Whether there is nothing more to read.
    pub(super) fn is_done(&self) -> bool {
        self.printer.left == 0 || (self.is_bounded && self.open_partitions().is_empty())
    }

    /// Gives what was printed to whoever reads it.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        self.printer.out.flush()
    }

    /// Reads once from each leader, and prints it.
    pub(super) async fn read_on(&mut self, source: &Source<'_>) -> Result<(), Failure> {
        let open = self.open_partitions();
        for group in source.topic.by_leader(&open).into_values() {
            let leader = source.leader(group[0]).await?;
            self.read_from(&leader, source.name(), &group).await?;
        }
        self.flush()
    }

    fn open_partitions(&self) -> Vec<i32> {
        let open = |position: &Position| !self.is_bounded || position.next < position.end;
        let open = self.positions.iter().filter(|(_, position)| open(position));
        open.map(|(partition, _)| *partition).collect()
    }

    async fn read_from(
        &mut self,
        leader: &Connection,
        topic: &str,
        group: &[i32],
    ) -> Result<(), Failure> {
        let from = |partition: &i32| FetchFrom {
            topic,
            partition: *partition,
            offset: self.positions[partition].next,
            max_bytes: PARTITION_BYTES,
        };
        let fetch = Fetch {
            max_wait_ms: FETCH_WAIT_MS,
            min_bytes: 1,
            max_bytes: FETCH_BYTES,
            partitions: group.iter().map(from).collect(),
        };
        for fetched in leader.fetch(&fetch).await? {
            self.take(&fetched)?;
        }
        Ok(())
    }

    fn take(&mut self, fetched: &Fetched) -> Result<(), Failure> {
        let Some(position) = self.positions.get_mut(&fetched.partition) else {
            return Ok(());
        };
        if fetched.error == ErrorCode::OFFSET_OUT_OF_RANGE {
            let message = format!(
                "partition {} has no offset {}: it holds {} to {}",
                fetched.partition, position.next, fetched.log_start_offset, fetched.high_watermark
            );
            return Err(Failure::from(ClientError::Refused {
                code: fetched.error,
                message: Some(message),
            }));
        }
        ClientError::check(fetched.error, None)?;
        let limit = if self.is_bounded {
            position.end
        } else {
            i64::MAX
        };
        for batch in Batches::new(&fetched.records) {
            let batch = match batch {
                // The answer's limit may cut the last one off.
                Err(BatchError::Incomplete { .. }) => break,
                batch => batch.map_err(unreadable)?,
            };
            let wanted = position.next..limit;
            position.next = self.printer.print(fetched, &batch, wanted)?;
            if self.printer.left == 0 {
                break;
            }
        }
        Ok(())
    }
}

fn unreadable(error: BatchError) -> Failure {
    Failure::new("FL3003", "the answer holds an unreadable batch").because(error)
}

struct Printer {
    format: OutputFormat,
    left: u64,
    count: u64,
    codecs: Codecs,
    out: Output,
}

impl Printer {
    /// Prints the records of a batch that are in this range of offsets, as many as are wanted;
    /// the offset to go on at.
    fn print(
        &mut self,
        fetched: &Fetched,
        batch: &BatchView<'_>,
        wanted: Range<i64>,
    ) -> Result<i64, Failure> {
        let (mut text, mut left, mut count) = (Vec::new(), self.left, self.count);
        let mut next = wanted.start;
        let print = |record: &ReadRecord<'_>| {
            if left == 0 {
                return ControlFlow::Break(());
            }
            left -= 1;
            count += 1;
            next = record.offset + 1;
            let headers = record.headers.iter();
            let headers: Vec<Header<'_>> = headers.map(|one| (one.key, one.value)).collect();
            let shown = shown(fetched, record, &headers);
            self.format.print(&Shown { count, ..shown }, &mut text);
            ControlFlow::Continue(())
        };
        let read = each_record(
            &mut self.codecs,
            batch,
            wanted,
            DECOMPRESSED_BYTES_MAX,
            print,
        );
        if read.map_err(unreadable)?.is_continue() {
            next = next.max(batch.header().next_offset());
        }
        (self.left, self.count) = (left, count);
        self.out.bytes(&text)?;
        Ok(next)
    }
}

fn shown<'a>(
    fetched: &'a Fetched,
    record: &ReadRecord<'a>,
    headers: &'a [Header<'a>],
) -> Shown<'a> {
    Shown {
        topic: &fetched.topic,
        partition: fetched.partition,
        offset: record.offset,
        timestamp: record.timestamp,
        key: record.key,
        value: record.value,
        headers,
        leader_epoch: record.batch.partition_leader_epoch,
        producer_id: record.batch.producer_id,
        producer_epoch: record.batch.producer_epoch,
        attributes: record.batch.attributes.0,
        count: 0,
        log_start_offset: fetched.log_start_offset,
        last_stable_offset: fetched.last_stable_offset,
        high_watermark: fetched.high_watermark,
    }
}
