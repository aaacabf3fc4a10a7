//! Requests decoded and answers encoded: small ones, where the protocol is most of the work.

use std::hint::black_box;

use bench_micro::batches::{Content, batch};
use bench_micro::cases::PRODUCE_VERSION;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use net_wire::codec::Codec;
use net_wire::frame::{FRAME_PREFIX_BYTES, encode_request, encode_response};
use net_wire::messages::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, FetchableTopicResponse, PartitionData,
};
use net_wire::messages::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse,
    TopicProduceData, TopicProduceResponse,
};
use net_wire::{Message, Records, RequestHeader, Uuid};

const FETCH_VERSION: i16 = 17;
/// Partitions in a message: one, and those of a large consumer.
const PARTITIONS: [i32; 2] = [1, 100];

fn request<'m, M: Message<'m>>(version: i16, body: &M) -> Vec<u8> {
    let encoded = encode_request(version, 1, Some("bench"), body);
    encoded.expect("a request of known values is encoded").bytes
}

fn produce_request(partitions: i32, records: &[u8]) -> Vec<u8> {
    let partition = |index| PartitionProduceData {
        index,
        records: Some(Records::Bytes(records)),
    };
    let body = ProduceRequest {
        transactional_id: None,
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: "topic",
            partition_data: (0..partitions).map(partition).collect(),
        }],
    };
    request(PRODUCE_VERSION, &body)
}

fn fetch_request(partitions: i32) -> Vec<u8> {
    let partition = |partition| FetchPartition {
        partition,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let body = FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        topics: vec![FetchTopic {
            topic_id: Uuid::from_bytes([1; 16]),
            partitions: (0..partitions).map(partition).collect(),
            ..FetchTopic::default()
        }],
        ..FetchRequest::default()
    };
    request(FETCH_VERSION, &body)
}

/// A request's header and body from its frame.
fn decode<'m, M: Message<'m>>(frame: &'m [u8]) -> M {
    let decoded = RequestHeader::decode(&frame[FRAME_PREFIX_BYTES..])
        .and_then(|(header, body)| M::decode(body, header.version));
    decoded.expect("what was encoded is decoded")
}

fn requests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode a request, by partitions");
    let record = batch(1, Content::Random, Codec::None, 0, 7).expect("known values are encoded");
    for partitions in PARTITIONS {
        let frame = produce_request(partitions, &record);
        group.bench_function(BenchmarkId::new("produce", partitions), |bencher| {
            bencher.iter(|| black_box(decode::<ProduceRequest<'_>>(&frame)).acks);
        });
    }
    for partitions in PARTITIONS {
        let frame = fetch_request(partitions);
        group.bench_function(BenchmarkId::new("fetch", partitions), |bencher| {
            bencher.iter(|| black_box(decode::<FetchRequest<'_>>(&frame)).max_wait_ms);
        });
    }
    group.finish();
}

fn produce_response(partitions: i32) -> ProduceResponse<'static> {
    let partition = |index| PartitionProduceResponse {
        index,
        base_offset: 1_000_000,
        log_start_offset: 0,
        ..PartitionProduceResponse::default()
    };
    ProduceResponse {
        responses: vec![TopicProduceResponse {
            name: "topic",
            partition_responses: (0..partitions).map(partition).collect(),
        }],
        ..ProduceResponse::default()
    }
}

fn fetch_response(partitions: i32) -> FetchResponse<'static> {
    let partition = |partition_index| PartitionData {
        partition_index,
        high_watermark: 1_000_000,
        last_stable_offset: 1_000_000,
        log_start_offset: 0,
        records: Some(Records::Cut(1024)),
        ..PartitionData::default()
    };
    FetchResponse {
        responses: vec![FetchableTopicResponse {
            topic_id: Uuid::from_bytes([1; 16]),
            partitions: (0..partitions).map(partition).collect(),
            ..FetchableTopicResponse::default()
        }],
        ..FetchResponse::default()
    }
}

/// Answers are made and encoded, as a handler does.
fn responses(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode a response, by partitions");
    for partitions in PARTITIONS {
        group.bench_function(BenchmarkId::new("produce", partitions), |bencher| {
            bencher.iter(|| {
                let answer = produce_response(black_box(partitions));
                encode_response(PRODUCE_VERSION, 1, &answer).expect("known values are encoded")
            });
        });
    }
    for partitions in PARTITIONS {
        group.bench_function(BenchmarkId::new("fetch", partitions), |bencher| {
            bencher.iter(|| {
                let answer = fetch_response(black_box(partitions));
                encode_response(FETCH_VERSION, 1, &answer).expect("known values are encoded")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, requests, responses);
criterion_main!(benches);
