//! `flumen consume`: a topic to standard output.

use std::collections::BTreeMap;

use flumen::client::{ClientError, Connection, Fetch, FetchFrom, Fetched, Metadata, TopicMetadata};
use net_wire::ErrorCode;
use net_wire::batch::{BatchError, BatchView, Batches, RecordIter, TimestampType};
use net_wire::codec::Codecs;

use super::args::ConsumeArgs;
use super::client::{Cluster, on_ring};
use super::format::{Header, OutputFormat, Shown};
use super::output::Output;
use crate::errors::Failure;

/// Most bytes of one answer, and of one partition in it.
const FETCH_BYTES: i32 = 8 << 20;
const PARTITION_BYTES: i32 = 1 << 20;
/// How long the broker waits for a first byte.
const FETCH_WAIT_MS: i32 = 500;
/// Most bytes that a batch may have when it is decompressed.
const DECOMPRESSED_BYTES_MAX: usize = 256 << 20;
/// What `ListOffsets` takes for a time.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Start,
    End,
    Offset(i64),
    BeforeEnd(i64),
    BehindStart(i64),
    Timestamp(i64),
}

/// Reads `-o`: where to begin, and whether to stop where the topic ends now.
fn parse_offset(text: &str) -> Result<(From, bool), Failure> {
    let wrong = || {
        Failure::invalid(format!("-o {text}"))
            .help("start, end, N, -N, +N or @MS, with `:end` behind it to stop at the end")
    };
    let (from, bounded) = match text.split_once(':') {
        Some((from, "end")) => (from, true),
        Some(_) => return Err(wrong()),
        None => (text, false),
    };
    let number = |digits: &str| {
        digits
            .parse()
            .ok()
            .filter(|number| *number >= 0)
            .ok_or_else(wrong)
    };
    let from = match from.split_at_checked(1) {
        None => From::Start,
        _ if from == "start" => From::Start,
        _ if from == "end" => From::End,
        Some(("-", rest)) => From::BeforeEnd(number(rest)?),
        Some(("+", rest)) => From::BehindStart(number(rest)?),
        Some(("@", rest)) => From::Timestamp(number(rest)?),
        _ => From::Offset(number(from)?),
    };
    Ok((from, bounded))
}

/// Does what the command says.
pub(crate) fn run(args: ConsumeArgs) -> Result<(), Failure> {
    let format = OutputFormat::parse(&args.format)?;
    let (from, bounded) = parse_offset(&args.offset)?;
    on_ring(move || async move {
        let cluster = Cluster::connect(&args.broker.addr).await?;
        let (metadata, topic) = cluster.topic(&args.topic, false).await?;
        let positions = positions(&cluster, &metadata, &topic, &args, from).await?;
        let mut reader = Reader {
            printer: Printer {
                format,
                topic: args.topic.clone(),
                left: args.num.unwrap_or(u64::MAX),
                codecs: Codecs::new(),
                out: Output::new(),
            },
            positions,
            bounded,
        };
        reader.read_all(&cluster, &metadata, &topic).await
    })
}

/// Where a partition stands, and where it ended when the command began.
#[derive(Clone, Copy, Debug)]
struct Position {
    next: i64,
    end: i64,
}

type Positions = BTreeMap<i32, Position>;

async fn positions(
    cluster: &Cluster,
    metadata: &Metadata,
    topic: &TopicMetadata,
    args: &ConsumeArgs,
    from: From,
) -> Result<Positions, Failure> {
    let all = topic.partitions.iter().map(|one| one.partition);
    let wanted: Vec<i32> = if args.partitions.is_empty() {
        all.collect()
    } else {
        args.partitions.clone()
    };
    let mut positions = Positions::new();
    for partition in wanted {
        let leader = cluster.leader(metadata, topic, partition).await?;
        let offset = |timestamp| leader.list_offset(&args.topic, partition, timestamp);
        let (start, end) = (offset(EARLIEST).await?, offset(LATEST).await?);
        let next = match from {
            From::Start => start,
            From::End => end,
            From::Offset(offset) => offset,
            From::BeforeEnd(records) => (end - records).max(start),
            From::BehindStart(records) => (start + records).min(end),
            // No record is as young: those that come are.
            From::Timestamp(ms) => Some(offset(ms).await?)
                .filter(|found| *found >= 0)
                .unwrap_or(end),
        };
        positions.insert(partition, Position { next, end });
    }
    Ok(positions)
}

struct Reader {
    printer: Printer,
    positions: Positions,
    bounded: bool,
}

impl Reader {
    async fn read_all(
        &mut self,
        cluster: &Cluster,
        metadata: &Metadata,
        topic: &TopicMetadata,
    ) -> Result<(), Failure> {
        loop {
            let open: Vec<i32> = self.open_partitions();
            if open.is_empty() || self.printer.left == 0 {
                return self.printer.out.flush();
            }
            for group in by_leader(topic, &open).into_values() {
                let leader = cluster.leader(metadata, topic, group[0]).await?;
                self.read_from(&leader, &group).await?;
            }
            self.printer.out.flush()?;
        }
    }

    fn open_partitions(&self) -> Vec<i32> {
        let open = |position: &Position| !self.bounded || position.next < position.end;
        let open = self.positions.iter().filter(|(_, position)| open(position));
        open.map(|(partition, _)| *partition).collect()
    }

    async fn read_from(&mut self, leader: &Connection, group: &[i32]) -> Result<(), Failure> {
        let topic = self.printer.topic.clone();
        let from = |partition: &i32| FetchFrom {
            topic: &topic,
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
        if fetched.error == ErrorCode::OFFSET_OUT_OF_RANGE {
            let next = self
                .positions
                .get(&fetched.partition)
                .map_or(0, |position| position.next);
            let message = format!(
                "partition {} has no offset {next}: it holds {} to {}",
                fetched.partition, fetched.log_start_offset, fetched.high_watermark
            );
            return Err(Failure::from(ClientError::Refused {
                code: fetched.error,
                message: Some(message),
            }));
        }
        ClientError::check(fetched.error, None)?;
        let Some(position) = self.positions.get_mut(&fetched.partition) else {
            return Ok(());
        };
        let limit = if self.bounded { position.end } else { i64::MAX };
        for batch in Batches::new(&fetched.records) {
            let batch = match batch {
                // The answer's limit may cut the last one off.
                Err(BatchError::Incomplete { .. }) => break,
                batch => batch.map_err(unreadable)?,
            };
            self.printer
                .print(fetched.partition, &batch, position.next..limit)?;
            position.next = batch.header().next_offset().max(position.next);
        }
        Ok(())
    }
}

/// Partitions by the broker that leads them.
fn by_leader(topic: &TopicMetadata, partitions: &[i32]) -> BTreeMap<i32, Vec<i32>> {
    let mut groups = BTreeMap::<i32, Vec<i32>>::new();
    for one in topic
        .partitions
        .iter()
        .filter(|one| partitions.contains(&one.partition))
    {
        groups.entry(one.leader_id).or_default().push(one.partition);
    }
    groups
}

fn unreadable(error: BatchError) -> Failure {
    Failure::new("FL3003", "the answer holds an unreadable batch").because(error)
}

struct Printer {
    format: OutputFormat,
    topic: String,
    left: u64,
    codecs: Codecs,
    out: Output,
}

impl Printer {
    /// Prints the records of a batch that are in this range of offsets.
    fn print(
        &mut self,
        partition: i32,
        batch: &BatchView<'_>,
        wanted: std::ops::Range<i64>,
    ) -> Result<(), Failure> {
        let header = batch.header();
        if header.attributes.is_control() {
            return Ok(());
        }
        let (mut text, mut left) = (Vec::new(), self.left);
        let run = |payload: &[u8], _: &mut Codecs| {
            for record in RecordIter::new(header, payload) {
                let record = record?;
                let offset = header.base_offset + i64::from(record.offset_delta);
                if !wanted.contains(&offset) || left == 0 {
                    continue;
                }
                left -= 1;
                let by_broker = header.attributes.timestamp_type() == TimestampType::LogAppendTime;
                let own = header.base_timestamp.wrapping_add(record.timestamp_delta);
                let shown = Shown {
                    topic: &self.topic,
                    partition,
                    offset,
                    timestamp: if by_broker { header.max_timestamp } else { own },
                    key: record.key,
                    value: record.value,
                };
                let headers: Vec<Header<'_>> = record
                    .headers
                    .iter()
                    .map(|header| (header.key, header.value))
                    .collect();
                self.format.print(&shown, &headers, &mut text);
            }
            Ok(())
        };
        self.codecs
            .with_decompressed(batch, DECOMPRESSED_BYTES_MAX, run)
            .map_err(unreadable)?;
        self.left = left;
        self.out.bytes(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_as_people_write_them() {
        for (text, from) in [
            ("start", From::Start),
            ("end", From::End),
            ("17", From::Offset(17)),
            ("-5", From::BeforeEnd(5)),
            ("+5", From::BehindStart(5)),
            ("@1000", From::Timestamp(1000)),
        ] {
            assert_eq!(parse_offset(text).unwrap(), (from, false), "{text}");
            assert_eq!(
                parse_offset(&format!("{text}:end")).unwrap(),
                (from, true),
                "{text}"
            );
        }
        assert_eq!(parse_offset(":end").unwrap(), (From::Start, true));
        for wrong in ["middle", "--5", "@", "1:2", "start:"] {
            assert_eq!(parse_offset(wrong).unwrap_err().code(), "FL1002", "{wrong}");
        }
    }
}
