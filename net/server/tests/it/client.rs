//! A client that speaks the protocol byte by byte, and misuses it where a test wants that.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;

use engine_rt::{Buf, Piece, Stream, now, timeout};
use net_wire::batch::BatchBuilder;
use net_wire::codec::Codecs;
use net_wire::frame::{decode_response, encode_request};
use net_wire::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
};
use net_wire::messages::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use net_wire::{Message, Records};

use crate::node::LONG;

pub(crate) struct Client {
    stream: Stream,
    next_id: Cell<i32>,
}

/// A response's bytes behind the length.
pub(crate) struct Answer {
    frame: Vec<u8>,
    version: i16,
    expected_id: i32,
}

impl Answer {
    pub(crate) fn decode<'a, M: Message<'a>>(&'a self) -> M {
        let (correlation_id, body) = decode_response(&self.frame, self.version).unwrap();
        assert_eq!(correlation_id, self.expected_id);
        body
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.frame
    }
}

impl Client {
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        let stream = Stream::connect(addr).await.unwrap();
        Self {
            stream,
            next_id: Cell::new(1),
        }
    }

    pub(crate) async fn send_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        self.stream
            .send(&[Piece::Mem(Buf::copy_from_slice(bytes))])
            .await
    }

    /// Sends a request; its number is given back.
    pub(crate) async fn send<'m, M: Message<'m>>(&self, version: i16, body: &M) -> i32 {
        self.send_as(None, version, body).await
    }

    pub(crate) async fn send_as<'m, M: Message<'m>>(
        &self,
        client_id: Option<&str>,
        version: i16,
        body: &M,
    ) -> i32 {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        let encoded = encode_request(version, id, client_id, body).unwrap();
        self.send_bytes(&encoded.bytes).await.unwrap();
        id
    }

    /// The next response, or `None` if the connection has ended.
    pub(crate) async fn receive(&self, version: i16, expected_id: i32) -> Option<Answer> {
        let mut prefix = [0; 4];
        if !self.fill(&mut prefix).await {
            return None;
        }
        let mut frame = vec![0; u32::from_be_bytes(prefix) as usize];
        assert!(self.fill(&mut frame).await, "a response comes whole");
        Some(Answer {
            frame,
            version,
            expected_id,
        })
    }

    async fn fill(&self, into: &mut [u8]) -> bool {
        let mut filled = 0;
        while filled < into.len() {
            let received = timeout(now() + LONG, self.stream.recv(&mut into[filled..])).await;
            match received.expect("the broker answers or closes") {
                Ok(0) | Err(_) => return false,
                Ok(received) => filled += received,
            }
        }
        true
    }

    /// What has come at most: nothing if the connection has ended.
    pub(crate) async fn receive_some(&self, bytes_max: usize) -> Vec<u8> {
        let mut into = vec![0; bytes_max];
        let received = timeout(now() + LONG, self.stream.recv(&mut into)).await;
        into.truncate(received.expect("the broker answers or closes").unwrap_or(0));
        into
    }

    /// Sends a request and waits for its response.
    pub(crate) async fn ask<'m, M: Message<'m>>(&self, version: i16, body: &M) -> Answer {
        let id = self.send(version, body).await;
        self.receive(version, id)
            .await
            .expect("the connection lives")
    }

    /// Whether the broker closes the connection without a word.
    pub(crate) async fn is_closed(&self) -> bool {
        self.receive(0, 0).await.is_none()
    }

    pub(crate) fn close(self) {
        drop(self.stream);
    }

    pub(crate) async fn create_topic(&self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let configs = configs.iter();
        let body = CreateTopicsRequest {
            topics: vec![CreatableTopic {
                name,
                num_partitions: partitions,
                replication_factor: -1,
                configs: configs
                    .map(|(name, value)| CreatableTopicConfig {
                        name,
                        value: Some(value),
                    })
                    .collect(),
                ..CreatableTopic::default()
            }],
            ..CreateTopicsRequest::default()
        };
        let answer = self.ask(7, &body).await;
        let response: CreateTopicsResponse<'_> = answer.decode();
        assert!(response.topics[0].error_code.is_none(), "{response:?}");
    }

    /// Appends a batch to one partition; the outcome of it.
    pub(crate) async fn produce(
        &self,
        version: i16,
        topic: &str,
        partition: i32,
        batch: &[u8],
    ) -> (net_wire::ErrorCode, i64) {
        let id = self
            .send_produce(version, -1, topic, partition, batch)
            .await;
        let answer = self
            .receive(version, id)
            .await
            .expect("the connection lives");
        produced(&answer)
    }

    pub(crate) async fn send_produce(
        &self,
        version: i16,
        acks: i16,
        topic: &str,
        partition: i32,
        batch: &[u8],
    ) -> i32 {
        self.send(version, &produce_request(acks, topic, partition, batch))
            .await
    }
}

/// The one outcome of a produce to one partition.
pub(crate) fn produced(answer: &Answer) -> (net_wire::ErrorCode, i64) {
    let response: ProduceResponse<'_> = answer.decode();
    let outcome = &response.responses[0].partition_responses[0];
    (outcome.error_code, outcome.base_offset)
}

pub(crate) fn produce_request<'a>(
    acks: i16,
    topic: &'a str,
    partition: i32,
    batch: &'a [u8],
) -> ProduceRequest<'a> {
    let records = Some(Records::Bytes(batch));
    ProduceRequest {
        acks,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: topic,
            partition_data: vec![PartitionProduceData {
                index: partition,
                records,
            }],
        }],
        ..ProduceRequest::default()
    }
}

/// A batch of so many records whose values begin with `tag` and their number.
pub(crate) fn batch(tag: &str, records: usize, value_bytes: usize) -> Vec<u8> {
    batch_of(BatchBuilder::new(), tag, records, value_bytes)
}

pub(crate) fn batch_of(
    mut builder: BatchBuilder,
    tag: &str,
    records: usize,
    value_bytes: usize,
) -> Vec<u8> {
    let timestamp = engine_rt::wall_clock_ms();
    for number in 0..records {
        let mut value = format!("{tag}-{number}").into_bytes();
        value.resize(value.len().max(value_bytes), b'.');
        builder.append(timestamp, Some(tag.as_bytes()), Some(&value), &[]);
    }
    builder.build(&mut Codecs::new()).unwrap()
}
