//! A server that speaks enough Kafka to be loaded, and does wrong what it is told to.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::{Buf, Event, Instant, Listener, Piece, Stream, now, sleep_until, spawn, timeout};
use net_wire::batch::{BatchHeader, BatchMut};
use net_wire::frame::{FRAME_PREFIX_BYTES, encode_response};
use net_wire::messages::api_versions::{ApiVersion, ApiVersionsResponse};
use net_wire::messages::create_topics::{
    CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};
use net_wire::messages::delete_topics::{DeletableTopicResult, DeleteTopicsResponse};
use net_wire::messages::fetch::{
    FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData,
};
use net_wire::messages::init_producer_id::InitProducerIdResponse;
use net_wire::messages::list_offsets::{
    ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use net_wire::messages::metadata::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use net_wire::messages::produce::{
    PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse,
};
use net_wire::{ApiKey, ErrorCode, Message, Records, RequestHeader};

/// Where it listens.
pub(crate) const ADDR: &str = "10.0.0.1:9092";

/// What it does wrong. Every so manieth batch of all, where a number is given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Behaviour {
    /// From a time after the first batch on, it does nothing for so long.
    pub(crate) pause: Option<(Duration, Duration)>,
    /// How long it takes over each batch.
    pub(crate) slow: Duration,
    /// Acknowledged and thrown away.
    pub(crate) loses: Option<u64>,
    /// Stored twice.
    pub(crate) duplicates: Option<u64>,
    /// Stored behind the next one of its partition.
    pub(crate) reorders: Option<u64>,
    /// The last value has a wrong bit.
    pub(crate) corrupts: Option<u64>,
    /// Refused.
    pub(crate) refuses: Option<u64>,
    /// It is not wrong: it takes the batches of a producer once, in the order of their numbers.
    pub(crate) checks_sequences: bool,
}

/// What it did wrong, in records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Did {
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) reordered: u64,
    pub(crate) corrupted: u64,
    pub(crate) refused: u64,
}

#[derive(Debug, Default)]
struct Log {
    /// First offsets and batches.
    batches: BTreeMap<i64, Vec<u8>>,
    end: i64,
    /// Waits for the next one to be stored before it.
    held: Option<Vec<u8>>,
    /// What the producer's next batch begins with.
    next_sequence: i32,
}

#[derive(Debug, Default)]
pub(crate) struct Double {
    behaviour: Behaviour,
    did: Cell<Did>,
    topics: RefCell<BTreeMap<String, Vec<Log>>>,
    batches: Cell<u64>,
    first_batch: Cell<Option<Instant>>,
    stored: Event,
}

impl Log {
    fn append(&mut self, mut batch: Vec<u8>) {
        let count = BatchHeader::read(&batch).expect("a batch").record_count;
        let mut header = BatchMut::new(&mut batch).expect("one batch");
        header.stamp(self.end, 0);
        self.batches.insert(self.end, batch);
        self.end += i64::from(count);
    }

    /// The batches from that offset on, up to so many bytes but one at least.
    fn read(&self, offset: i64, bytes_max: usize) -> Vec<u8> {
        let from = self.batches.range(..=offset).next_back();
        let from = from.map_or(offset, |(base, _)| *base);
        let mut read = Vec::new();
        if offset >= self.end {
            return read;
        }
        for batch in self.batches.range(from..).map(|(_, batch)| batch) {
            if !read.is_empty() && read.len() + batch.len() > bytes_max {
                break;
            }
            read.extend_from_slice(batch);
        }
        read
    }
}

impl Double {
    pub(crate) fn new(behaviour: Behaviour) -> Rc<Self> {
        Rc::new(Self {
            behaviour,
            ..Self::default()
        })
    }

    pub(crate) fn did(&self) -> Did {
        self.did.get()
    }

    /// Topics that were made and not deleted.
    pub(crate) fn topics(&self) -> usize {
        self.topics.borrow().len()
    }

    pub(crate) async fn serve(self: Rc<Self>) {
        let listener = Listener::bind(ADDR.parse().expect("an address")).expect("a listener");
        while let Ok(socket) = listener.accept().await {
            let stream = Stream::attach(socket).expect("a stream");
            let double = Rc::clone(&self);
            // The client goes when it has what it wanted.
            spawn(async move { drop(double.converse(stream).await) }).detach();
        }
    }

    async fn converse(&self, stream: Stream) -> io::Result<()> {
        loop {
            let mut prefix = [0; FRAME_PREFIX_BYTES];
            fill(&stream, &mut prefix).await?;
            let mut frame = vec![0; u32::from_be_bytes(prefix) as usize];
            fill(&stream, &mut frame).await?;
            let (header, body) = RequestHeader::decode(&frame).expect("a request");
            let answer = self.answer(&header, body).await;
            let piece = Piece::Mem(Buf::copy_from_slice(&answer));
            stream.send(&[piece]).await?;
        }
    }

    async fn answer(&self, header: &RequestHeader<'_>, body: &[u8]) -> Vec<u8> {
        match header.api {
            ApiKey::ApiVersions => encoded(header, &versions()),
            ApiKey::Metadata => self.metadata(header),
            ApiKey::CreateTopics => self.create(header, body),
            ApiKey::DeleteTopics => self.delete(header),
            ApiKey::InitProducerId => encoded(header, &producer()),
            ApiKey::ListOffsets => self.list_offsets(header, body),
            ApiKey::Produce => self.produce(header, body).await,
            ApiKey::Fetch => self.fetch(header, body).await,
            other => panic!("{other:?} is not expected"),
        }
    }

    fn metadata(&self, header: &RequestHeader<'_>) -> Vec<u8> {
        let topics = self.topics.borrow();
        let partition = |index: usize| MetadataResponsePartition {
            partition_index: index as i32,
            leader_id: 1,
            replica_nodes: vec![1],
            isr_nodes: vec![1],
            ..Default::default()
        };
        let topics = topics.iter().map(|(name, logs)| MetadataResponseTopic {
            name: Some(name.as_str()),
            partitions: (0..logs.len()).map(partition).collect(),
            ..Default::default()
        });
        let answer = MetadataResponse {
            brokers: vec![MetadataResponseBroker {
                node_id: 1,
                host: "10.0.0.1",
                port: 9092,
                rack: None,
            }],
            controller_id: 1,
            topics: topics.collect(),
            ..Default::default()
        };
        encoded(header, &answer)
    }

    fn create(&self, header: &RequestHeader<'_>, body: &[u8]) -> Vec<u8> {
        let request = CreateTopicsRequest::decode(body, header.version).expect("a request");
        let mut topics = self.topics.borrow_mut();
        let mut made = Vec::new();
        for topic in &request.topics {
            let logs = (0..topic.num_partitions).map(|_| Log::default());
            topics.insert(topic.name.to_owned(), logs.collect());
            made.push(CreatableTopicResult {
                name: topic.name,
                ..Default::default()
            });
        }
        let answer = CreateTopicsResponse {
            topics: made,
            ..Default::default()
        };
        encoded(header, &answer)
    }

    fn delete(&self, header: &RequestHeader<'_>) -> Vec<u8> {
        self.topics.borrow_mut().clear();
        let answer = DeleteTopicsResponse {
            responses: vec![DeletableTopicResult::default()],
            ..Default::default()
        };
        encoded(header, &answer)
    }

    fn list_offsets(&self, header: &RequestHeader<'_>, body: &[u8]) -> Vec<u8> {
        let request = ListOffsetsRequest::decode(body, header.version).expect("a request");
        let mut topics = self.topics.borrow_mut();
        let mut found = Vec::new();
        for topic in &request.topics {
            let logs = topics.get_mut(topic.name).expect("a topic");
            let mut partitions = Vec::new();
            for wanted in &topic.partitions {
                let log = &mut logs[wanted.partition_index as usize];
                // There is no next one.
                if let Some(held) = log.held.take() {
                    log.append(held);
                }
                partitions.push(ListOffsetsPartitionResponse {
                    partition_index: wanted.partition_index,
                    offset: log.end,
                    ..Default::default()
                });
            }
            found.push(ListOffsetsTopicResponse {
                name: topic.name,
                partitions,
            });
        }
        self.stored.notify();
        let answer = ListOffsetsResponse {
            topics: found,
            ..Default::default()
        };
        encoded(header, &answer)
    }

    async fn produce(&self, header: &RequestHeader<'_>, body: &[u8]) -> Vec<u8> {
        let request = ProduceRequest::decode(body, header.version).expect("a request");
        self.take_time().await;
        let mut responses = Vec::new();
        for topic in &request.topic_data {
            let mut topics = self.topics.borrow_mut();
            let logs = topics.get_mut(topic.name).expect("a topic");
            let store = |data: &net_wire::messages::produce::PartitionProduceData<'_>| {
                let records = data.records.expect("records");
                let log = &mut logs[data.index as usize];
                PartitionProduceResponse {
                    index: data.index,
                    error_code: self.store(log, records.bytes().to_vec()),
                    ..Default::default()
                }
            };
            responses.push(TopicProduceResponse {
                name: topic.name,
                partition_responses: topic.partition_data.iter().map(store).collect(),
            });
        }
        self.stored.notify();
        let answer = ProduceResponse {
            responses,
            ..Default::default()
        };
        encoded(header, &answer)
    }

    /// Waits as it was told to.
    async fn take_time(&self) {
        let first = self.first_batch.get().unwrap_or_else(now);
        self.first_batch.set(Some(first));
        if let Some((after, pause)) = self.behaviour.pause
            && now() >= first + after
        {
            sleep_until(first + after + pause).await;
        }
        if !self.behaviour.slow.is_zero() {
            sleep_until(now() + self.behaviour.slow).await;
        }
    }

    fn store(&self, log: &mut Log, mut batch: Vec<u8>) -> ErrorCode {
        let number = self.batches.get() + 1;
        self.batches.set(number);
        let is_due = |every: Option<u64>| every.is_some_and(|every| number.is_multiple_of(every));
        let header = BatchHeader::read(&batch).expect("a batch");
        let count = header.record_count as u64;
        let (told, mut did) = (&self.behaviour, self.did.get());
        if told.checks_sequences && header.base_sequence != log.next_sequence {
            return if header.base_sequence > log.next_sequence {
                ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
            } else {
                ErrorCode::NONE
            };
        }
        if is_due(told.refuses) {
            did.refused += count;
            self.did.set(did);
            return ErrorCode::NOT_ENOUGH_REPLICAS;
        }
        log.next_sequence += header.record_count;
        let spoils = [told.loses, told.duplicates, told.reorders];
        if is_due(told.corrupts) && !spoils.into_iter().any(is_due) {
            did.corrupted += 1;
            // Behind the last byte of the last value stands the number of headers.
            let at = batch.len() - 2;
            batch[at] ^= 1;
            BatchMut::new(&mut batch).expect("one batch").stamp_crc();
        }
        if is_due(told.loses) {
            did.lost += count;
        } else if is_due(told.reorders) && log.held.is_none() {
            log.held = Some(batch);
        } else {
            if is_due(told.duplicates) {
                did.duplicated += count;
                log.append(batch.clone());
            }
            log.append(batch);
            if let Some(held) = log.held.take() {
                did.reordered += BatchHeader::read(&held).expect("a batch").record_count as u64;
                log.append(held);
            }
        }
        self.did.set(did);
        ErrorCode::NONE
    }

    async fn fetch(&self, header: &RequestHeader<'_>, body: &[u8]) -> Vec<u8> {
        let request = FetchRequest::decode(body, header.version).expect("a request");
        let deadline = now() + Duration::from_millis(request.max_wait_ms as u64);
        loop {
            let stored = self.stored.wait();
            let read = self.read(&request);
            if read.iter().any(|(_, _, _, bytes)| !bytes.is_empty()) || now() >= deadline {
                return encode_fetch(header, &read);
            }
            let _whichever_is_first = timeout(deadline, stored).await;
        }
    }

    fn read(&self, request: &FetchRequest<'_>) -> Vec<Read> {
        let topics = self.topics.borrow();
        let mut read = Vec::new();
        for topic in &request.topics {
            let Some(logs) = topics.get(topic.topic) else {
                continue;
            };
            for wanted in &topic.partitions {
                let log = &logs[wanted.partition as usize];
                let bytes = log.read(wanted.fetch_offset, wanted.partition_max_bytes as usize);
                read.push((topic.topic.to_owned(), wanted.partition, log.end, bytes));
            }
        }
        read
    }
}

/// Topic, partition, end and batches.
type Read = (String, i32, i64, Vec<u8>);

fn encode_fetch(header: &RequestHeader<'_>, read: &[Read]) -> Vec<u8> {
    let mut responses: Vec<FetchableTopicResponse<'_>> = Vec::new();
    for (topic, partition, end, bytes) in read {
        let data = PartitionData {
            partition_index: *partition,
            high_watermark: *end,
            records: Some(Records::Bytes(bytes)),
            ..Default::default()
        };
        match responses.last_mut() {
            Some(last) if last.topic == topic => last.partitions.push(data),
            _ => responses.push(FetchableTopicResponse {
                topic,
                partitions: vec![data],
                ..Default::default()
            }),
        }
    }
    let answer = FetchResponse {
        responses,
        ..Default::default()
    };
    encoded(header, &answer)
}

fn versions() -> ApiVersionsResponse<'static> {
    let line = |api: &ApiKey| ApiVersion {
        api_key: api.code(),
        min_version: api.api().version_min,
        max_version: api.api().version_max,
    };
    ApiVersionsResponse {
        api_keys: ApiKey::ALL.iter().map(line).collect(),
        ..Default::default()
    }
}

fn producer() -> InitProducerIdResponse {
    InitProducerIdResponse {
        producer_id: 1,
        ..Default::default()
    }
}

fn encoded<'m, M: Message<'m>>(header: &RequestHeader<'_>, body: &M) -> Vec<u8> {
    let encoded = encode_response(header.version, header.correlation_id, body);
    encoded.expect("an answer").bytes
}

async fn fill(stream: &Stream, into: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < into.len() {
        match stream.recv(&mut into[filled..]).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            received => filled += received,
        }
    }
    Ok(())
}
