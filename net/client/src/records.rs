//! Calls that write and read records, and find offsets.

use std::collections::BTreeMap;
use std::future::Future;

use engine_rt::Buf;
use net_wire::frame::decode_response;
use net_wire::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use net_wire::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use net_wire::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopic,
};
use net_wire::messages::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use net_wire::{ApiKey, ErrorCode, Records};

use super::connection::Connection;
use super::error::ClientError;

/// How long the broker may take for an append.
const PRODUCE_TIMEOUT_MS: i32 = 30_000;
/// The newest version of Fetch that names topics by name.
const FETCH_BY_NAME: i16 = 12;

/// What [`Connection::list_offset`] takes for a time: the end of a partition.
pub const LATEST: i64 = -1;
/// What [`Connection::list_offset`] takes for a time: the beginning of a partition.
pub const EARLIEST: i64 = -2;

/// One batch for one partition.
#[derive(Clone, Debug)]
pub struct ToProduce<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// Exactly one record batch.
    pub records: Buf,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Produced {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The error, or none.
    pub error: ErrorCode,
    /// The error in words.
    pub message: Option<String>,
    /// Offset of the first record.
    pub base_offset: i64,
    /// First offset of the partition.
    pub log_start_offset: i64,
}

/// A read of one or more partitions.
#[derive(Clone, Debug)]
pub struct Fetch<'a> {
    /// How long to wait for `min_bytes`.
    pub max_wait_ms: i32,
    /// How many bytes to wait for.
    pub min_bytes: i32,
    /// Most bytes wanted.
    pub max_bytes: i32,
    /// The partitions.
    pub partitions: Vec<FetchFrom<'a>>,
}

/// Where to read a partition.
#[derive(Clone, Copy, Debug)]
pub struct FetchFrom<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// The first offset wanted.
    pub offset: i64,
    /// Most bytes wanted of it.
    pub max_bytes: i32,
}

/// What was read of a partition.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The error, or none.
    pub error: ErrorCode,
    /// End of what may be read.
    pub high_watermark: i64,
    /// End of what belongs to no open transaction.
    pub last_stable_offset: i64,
    /// First offset there is.
    pub log_start_offset: i64,
    /// Batches, back to back: a slice of the answer's frame.
    pub records: Buf,
}

impl Connection {
    /// Puts batches in line, in the order of the calls, and returns the future of what becomes of
    /// them. With `acks` 0 it resolves at once, to nothing.
    pub fn produce(
        &self,
        acks: i16,
        batches: &[ToProduce<'_>],
    ) -> Result<impl Future<Output = Result<Vec<Produced>, ClientError>> + use<>, ClientError> {
        let answer = self.produce_and(acks, batches, owned)?;
        Ok(async move { Ok(answer.await?.unwrap_or_default()) })
    }

    /// As [`Connection::produce`], but what becomes of the batches is what `read` makes of the
    /// answer; nothing with `acks` 0.
    pub fn produce_and<T, R>(
        &self,
        acks: i16,
        batches: &[ToProduce<'_>],
        read: R,
    ) -> Result<impl Future<Output = Result<Option<T>, ClientError>> + use<T, R>, ClientError>
    where
        R: FnOnce(&ProduceResponse<'_>) -> T,
    {
        let version = self.version(ApiKey::Produce, i16::MAX)?;
        let (topic_data, records) = by_topic(batches);
        let request = ProduceRequest {
            transactional_id: None,
            acks,
            timeout_ms: PRODUCE_TIMEOUT_MS,
            topic_data,
        };
        let answer = if acks == 0 {
            self.tell(version, &request, records)?;
            None
        } else {
            Some(self.exchange(version, &request, records)?)
        };
        Ok(async move {
            let Some(answer) = answer else {
                return Ok(None);
            };
            let frame = answer.await?;
            let (_, answer) = decode_response::<ProduceResponse<'_>>(&frame, version)?;
            Ok(Some(read(&answer)))
        })
    }

    /// Reads partitions.
    pub async fn fetch(&self, fetch: &Fetch<'_>) -> Result<Vec<Fetched>, ClientError> {
        let version = self.version(ApiKey::Fetch, FETCH_BY_NAME)?;
        let mut topics = BTreeMap::<&str, Vec<FetchPartition>>::new();
        for from in &fetch.partitions {
            topics.entry(from.topic).or_default().push(FetchPartition {
                partition: from.partition,
                fetch_offset: from.offset,
                partition_max_bytes: from.max_bytes,
                ..Default::default()
            });
        }
        let topic = |(topic, partitions)| FetchTopic {
            topic,
            partitions,
            ..Default::default()
        };
        let request = FetchRequest {
            max_wait_ms: fetch.max_wait_ms,
            min_bytes: fetch.min_bytes,
            max_bytes: fetch.max_bytes,
            topics: topics.into_iter().map(topic).collect(),
            ..Default::default()
        };
        let frame = self.exchange(version, &request, Vec::new())?.await?;
        fetched(&frame, version)
    }

    /// The offset of the first record at or after `timestamp`, or an end of the partition ([`LATEST`],
    /// [`EARLIEST`]).
    pub async fn list_offset(
        &self,
        topic: &str,
        partition: i32,
        timestamp: i64,
    ) -> Result<i64, ClientError> {
        let found = self.list_offset_and_time(topic, partition, timestamp).await;
        found.map(|(offset, _)| offset)
    }

    /// As [`Connection::list_offset`], with the timestamp of the record found or -1.
    pub async fn list_offset_and_time(
        &self,
        topic: &str,
        partition: i32,
        timestamp: i64,
    ) -> Result<(i64, i64), ClientError> {
        let found = self.ask_offsets(topic, &[partition], timestamp).await?;
        let found = found.first();
        let found = found.ok_or(ClientError::Missing("the partition"))?;
        ClientError::check(found.error_code, None)?;
        Ok((found.offset, found.timestamp))
    }

    /// As [`Connection::list_offset`] for many partitions of a topic, in one request; partitions that
    /// the broker refuses are left out.
    pub async fn list_offsets(
        &self,
        topic: &str,
        partitions: &[i32],
        timestamp: i64,
    ) -> Result<Vec<(i32, i64)>, ClientError> {
        let found = self.ask_offsets(topic, partitions, timestamp).await?;
        let good = found.iter().filter(|one| one.error_code.is_none());
        Ok(good.map(|one| (one.partition_index, one.offset)).collect())
    }

    async fn ask_offsets(
        &self,
        topic: &str,
        partitions: &[i32],
        timestamp: i64,
    ) -> Result<Vec<ListOffsetsPartitionResponse>, ClientError> {
        let partition = |index: &i32| ListOffsetsPartition {
            partition_index: *index,
            timestamp,
            ..ListOffsetsPartition::default()
        };
        let request = ListOffsetsRequest {
            replica_id: -1,
            isolation_level: 0,
            topics: vec![ListOffsetsTopic {
                name: topic,
                partitions: partitions.iter().map(partition).collect(),
            }],
        };
        let read = |frame: &[u8], version| {
            let (_, answer) = decode_response::<ListOffsetsResponse<'_>>(frame, version)?;
            let topics = answer.topics.into_iter();
            Ok(topics.flat_map(|topic| topic.partitions).collect())
        };
        self.call(&request, read).await
    }

    /// A producer id and epoch, for idempotence.
    pub async fn init_producer_id(&self) -> Result<(i64, i16), ClientError> {
        let request = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: i32::MAX,
            ..Default::default()
        };
        let read = |frame: &[u8], version| {
            let (_, answer) = decode_response::<InitProducerIdResponse>(frame, version)?;
            Ok((answer.error_code, answer.producer_id, answer.producer_epoch))
        };
        let (error, id, epoch) = self.call(&request, read).await?;
        ClientError::check(error, None)?;
        Ok((id, epoch))
    }
}

/// Groups batches by topic, and their bytes in the order in which the message leaves them out.
fn by_topic<'a>(batches: &[ToProduce<'a>]) -> (Vec<TopicProduceData<'a>>, Vec<Buf>) {
    let mut topics = BTreeMap::<&str, Vec<&ToProduce<'a>>>::new();
    for batch in batches {
        topics.entry(batch.topic).or_default().push(batch);
    }
    let data = |batch: &&ToProduce<'a>| PartitionProduceData {
        index: batch.partition,
        records: Some(Records::Cut(batch.records.len())),
    };
    let records = topics.values().flatten().map(|batch| batch.records.clone());
    let records = records.collect();
    let topics = topics.into_iter().map(|(name, batches)| TopicProduceData {
        name,
        partition_data: batches.iter().map(data).collect(),
    });
    (topics.collect(), records)
}

fn owned(answer: &ProduceResponse<'_>) -> Vec<Produced> {
    let mut all = Vec::new();
    for topic in &answer.responses {
        all.extend(topic.partition_responses.iter().map(|part| Produced {
            topic: topic.name.to_owned(),
            partition: part.index,
            error: part.error_code,
            message: part.error_message.as_deref().map(str::to_owned),
            base_offset: part.base_offset,
            log_start_offset: part.log_start_offset,
        }));
    }
    all
}

fn fetched(frame: &Buf, version: i16) -> Result<Vec<Fetched>, ClientError> {
    let (_, answer) = decode_response::<FetchResponse<'_>>(frame, version)?;
    ClientError::check(answer.error_code, None)?;
    let mut all = Vec::new();
    for topic in &answer.responses {
        all.extend(topic.partitions.iter().map(|part| {
            let range = part.records.and_then(|records| records.range_in(frame));
            Fetched {
                topic: topic.topic.to_owned(),
                partition: part.partition_index,
                error: part.error_code,
                high_watermark: part.high_watermark,
                last_stable_offset: part.last_stable_offset,
                log_start_offset: part.log_start_offset,
                records: range.map_or_else(Buf::new, |range| frame.slice(range)),
            }
        }));
    }
    Ok(all)
}
