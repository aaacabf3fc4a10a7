//! `flumen produce`: standard input to a topic. What one read of the input gives is one batch for
//! each partition, so that a terminal and a file are both served well.

use std::collections::BTreeMap;
use std::io::Read;

use engine_rt::{Buf, blocking, wall_clock_ms};
use flumen::client::{ClientError, Cluster, Metadata, Producer, ToProduce, TopicMetadata};
use net_wire::batch::{BatchBuilder, RecordHeader};
use net_wire::codec::{Codec, Codecs};
use net_wire::partitioner::partition_of_key;

use super::args::{Acks, CodecArg, ProduceArgs};
use super::client::{connect, on_ring};
use super::format::{InputFormat, InputRecord};
use super::output::Output;
use crate::errors::Failure;

/// Bytes of the input read at a time.
const READ_BYTES: usize = 64 << 10;

/// Does what the command says.
pub(crate) fn run(args: ProduceArgs) -> Result<(), Failure> {
    let format = InputFormat::parse(&args.format)?;
    let headers = headers(&args.headers)?;
    on_ring(move || async move {
        let cluster = connect(&args.broker).await?;
        let (metadata, topic) = cluster.topic(args.topic.name(), true).await?;
        // As Kafka has it: sequence numbers want every replica's word.
        let producer = match args.acks {
            Acks::All => Some(Producer::new(cluster.any()).await?),
            Acks::One | Acks::None => None,
        };
        let mut sender = Sender {
            cluster,
            metadata,
            topic,
            producer,
            headers,
            codecs: Codecs::new(),
            round: 0,
            out: Output::new(),
            args,
        };
        sender.send_all(&format).await
    })
}

type OwnedHeader = (Vec<u8>, Vec<u8>);

fn headers(texts: &[String]) -> Result<Vec<OwnedHeader>, Failure> {
    let split = |text: &String| {
        let pair = text.split_once(':');
        let pair = pair.map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec()));
        pair.ok_or_else(|| Failure::invalid(format!("-H {text}: KEY:VALUE is wanted")))
    };
    texts.iter().map(split).collect()
}

struct Sender {
    cluster: Cluster,
    metadata: Metadata,
    topic: TopicMetadata,
    /// Numbers the batches, so that none is written twice or out of order.
    producer: Option<Producer>,
    headers: Vec<OwnedHeader>,
    codecs: Codecs,
    /// Counts batches: records without a key go round.
    round: u32,
    out: Output,
    args: ProduceArgs,
}

impl Sender {
    async fn send_all(&mut self, format: &InputFormat) -> Result<(), Failure> {
        let mut input = Vec::new();
        loop {
            let chunk = blocking(read_input).await.map_err(|error| {
                Failure::new("FL1015", "standard input cannot be read").because(error)
            })?;
            let end = chunk.is_empty();
            input.extend(chunk);
            let (mut records, mut taken) = (Vec::new(), 0);
            while let Some((record, len)) = format.take(&input[taken..], end)? {
                records.push(record);
                taken += len;
            }
            input.drain(..taken);
            self.send(records).await?;
            if end {
                return Ok(());
            }
        }
    }

    /// Sends what was read, a batch for each partition, and waits for the answers.
    async fn send(&mut self, records: Vec<InputRecord>) -> Result<(), Failure> {
        let mut batches = BTreeMap::<i32, BatchBuilder>::new();
        let now_ms = wall_clock_ms();
        for record in records {
            let key = self
                .args
                .key
                .as_ref()
                .map(|key| key.clone().into_bytes())
                .or(record.key);
            let partition = record
                .partition
                .unwrap_or_else(|| self.partition(key.as_deref()));
            let batch = batches.entry(partition).or_insert_with(|| self.builder());
            let empty = record.value.is_empty() && self.args.tombstone;
            let value = (!empty).then_some(&*record.value);
            let headers = borrowed(self.headers.iter().chain(&record.headers));
            let timestamp = record.timestamp.unwrap_or(now_ms);
            batch.append(timestamp, key.as_deref(), value, &headers);
        }
        self.round = self.round.wrapping_add(1);
        for (partition, batch) in batches {
            self.send_batch(partition, batch).await?;
        }
        self.out.flush()
    }

    fn builder(&self) -> BatchBuilder {
        BatchBuilder::new().codec(match self.args.compression {
            CodecArg::None => Codec::None,
            CodecArg::Gzip => Codec::Gzip,
            CodecArg::Snappy => Codec::Snappy,
            CodecArg::Lz4 => Codec::Lz4,
            CodecArg::Zstd => Codec::Zstd,
        })
    }

    fn partition(&self, key: Option<&[u8]>) -> i32 {
        let partitions = self.topic.partitions.len().max(1) as u32;
        match (self.args.partition, key) {
            (Some(partition), _) => partition,
            (None, Some(key)) => partition_of_key(key, partitions) as i32,
            (None, None) => (self.round % partitions) as i32,
        }
    }

    async fn send_batch(&mut self, partition: i32, batch: BatchBuilder) -> Result<(), Failure> {
        let records = batch.len();
        let batch = match &self.producer {
            Some(producer) => producer.stamp(batch, &self.topic.name, partition, records as i32),
            None => batch,
        };
        let bytes = batch
            .build(&mut self.codecs)
            .map_err(|error| Failure::new("FL3004", "the records make no batch").because(error))?;
        let leader = self
            .cluster
            .leader(&self.metadata, &self.topic, partition)
            .await?;
        let acks = match self.args.acks {
            Acks::All => -1,
            Acks::One => 1,
            Acks::None => 0,
        };
        let batch = ToProduce {
            topic: &self.topic.name,
            partition,
            records: Buf::copy_from_slice(&bytes),
        };
        let produced = leader.produce(acks, &[batch])?.await?;
        for one in produced {
            ClientError::check(one.error, one.message.as_deref())?;
            if !self.args.quiet {
                let last = one.base_offset + records as i64 - 1;
                self.out.line(format!(
                    "partition {partition} offsets {}..{last}",
                    one.base_offset
                ))?;
            }
        }
        Ok(())
    }
}

fn borrowed<'a>(headers: impl Iterator<Item = &'a OwnedHeader>) -> Vec<RecordHeader<'a>> {
    headers
        .map(|(key, value)| RecordHeader {
            key,
            value: Some(value),
        })
        .collect()
}

/// What the input has now; nothing at its end.
fn read_input() -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; READ_BYTES];
    let len = std::io::stdin().read(&mut bytes)?;
    bytes.truncate(len);
    Ok(bytes)
}
