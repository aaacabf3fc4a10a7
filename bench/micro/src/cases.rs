//! The cases: each measures one hot function and says per what.

use std::hint::black_box;
use std::io;
use std::time::Duration;

use engine_rt::{Buf, BufMut};
use net_wire::RequestHeader;
use net_wire::batch::{Limits, check_batch, crc32c};
use net_wire::codec::{Codec, Codecs};
use net_wire::frame::{FRAME_PREFIX_BYTES, encode_request, encode_response};
use net_wire::messages::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse,
    TopicProduceData, TopicProduceResponse,
};
use net_wire::{Message, Records};

use crate::batches::{BATCH_RECORDS, Content, VALUE_BYTES, batch};
use crate::measure::nanos_per_call;

/// Version of Produce in every case.
pub const PRODUCE_VERSION: i16 = 11;
/// Memory that no cache holds.
const COLD_BYTES: usize = 512 << 20;
const GIB: f64 = (1_u64 << 30) as f64;

/// One measured function.
pub struct Case {
    /// What is measured.
    pub name: String,
    /// What the number counts.
    pub unit: &'static str,
    /// Measures once.
    pub run: Box<dyn FnMut() -> io::Result<f64>>,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Unit of bulk cases.
pub const PER_GIB: &str = "CPU-s/GiB";
/// Unit of cases that count calls.
pub const PER_CALL: &str = "ns/call";

fn case(
    name: impl Into<String>,
    unit: &'static str,
    run: impl FnMut() -> io::Result<f64> + 'static,
) -> Case {
    Case {
        name: name.into(),
        unit,
        run: Box::new(run),
    }
}

/// CPU seconds for a GiB at `nanos` for each `bytes`.
fn per_gib(nanos: f64, bytes: usize) -> f64 {
    nanos / 1e9 * (GIB / bytes as f64)
}

/// Checking a batch as Produce does, from the caches; per GiB of records before compression.
pub fn check(content: Content, codec: Codec, at_least: Duration) -> Case {
    let name = match codec {
        Codec::None => "check a batch of 256 x 1 KiB, not compressed".to_owned(),
        codec => format!("check a batch of 256 x 1 KiB, {}", codec.name()),
    };
    let bytes = made(BATCH_RECORDS, content, codec);
    let (limits, mut codecs) = (Limits::default(), Codecs::new());
    case(name, PER_GIB, move || {
        let nanos = nanos_per_call(at_least, || {
            let checked = check_batch(&bytes, PRODUCE_VERSION, &limits, 0, &mut codecs);
            black_box(checked.expect("a batch made here passes"));
        })?;
        Ok(per_gib(nanos, BATCH_RECORDS * VALUE_BYTES))
    })
}

fn made(records: usize, content: Content, codec: Codec) -> Vec<u8> {
    batch(records, content, codec, 0, 7).expect("a batch of known values is encoded")
}

/// Checking a batch of one record.
fn check_single(at_least: Duration) -> Case {
    let bytes = made(1, Content::Random, Codec::None);
    let (limits, mut codecs) = (Limits::default(), Codecs::new());
    case("check a batch of one 1 KiB record", PER_CALL, move || {
        nanos_per_call(at_least, || {
            let checked = check_batch(&bytes, PRODUCE_VERSION, &limits, 0, &mut codecs);
            black_box(checked.expect("a batch made here passes"));
        })
    })
}

/// CRC-32C of 256 KiB that no cache holds.
pub fn crc_cold(at_least: Duration) -> Case {
    let mut memory = BufMut::with_capacity(COLD_BYTES);
    memory.fill(0x5a);
    let memory = memory.freeze();
    let mut at = 0;
    case("CRC-32C of 256 KiB, from memory", PER_GIB, move || {
        let nanos = nanos_per_call(at_least, || {
            black_box(crc32c(&memory[at..at + (256 << 10)]));
            at = (at + (256 << 10)) % COLD_BYTES;
        })?;
        Ok(per_gib(nanos, 256 << 10))
    })
}

/// CRC-32C of 256 KiB from the second-level cache.
fn crc_warm(at_least: Duration) -> Case {
    let memory = Buf::copy_from_slice(&vec![0x5a; 256 << 10]);
    case("CRC-32C of 256 KiB, from the cache", PER_GIB, move || {
        let nanos = nanos_per_call(at_least, || {
            black_box(crc32c(&memory));
        })?;
        Ok(per_gib(nanos, 256 << 10))
    })
}

/// One 256 KiB copy from memory to memory: what one more copy on the way would cost.
fn copy_cold(at_least: Duration) -> Case {
    let mut memory = BufMut::with_capacity(COLD_BYTES);
    memory.fill(0x5a);
    let mut at = 0;
    case("copy of 256 KiB, memory to memory", PER_GIB, move || {
        let half = COLD_BYTES / 2;
        let nanos = nanos_per_call(at_least, || {
            memory.copy_within(at..at + (256 << 10), half + at);
            at = (at + (256 << 10)) % half;
        })?;
        Ok(per_gib(nanos, 256 << 10))
    })
}

/// A produce request with one batch for one partition.
pub fn produce_request(topic: &str, partition: i32, records: Records<'_>, acks: i16) -> Vec<u8> {
    let request = ProduceRequest {
        transactional_id: None,
        acks,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: topic,
            partition_data: vec![PartitionProduceData {
                index: partition,
                records: Some(records),
            }],
        }],
    };
    encode_request(PRODUCE_VERSION, 1, Some("bench"), &request)
        .expect("a request of known values is encoded")
        .bytes
}

fn decode_request(at_least: Duration) -> Case {
    let bytes = made(1, Content::Random, Codec::None);
    let frame = produce_request("topic", 0, Records::Bytes(&bytes), -1);
    case(
        "decode a Produce request of one partition",
        PER_CALL,
        move || {
            nanos_per_call(at_least, || {
                let decoded = RequestHeader::decode(&frame[FRAME_PREFIX_BYTES..])
                    .and_then(|(header, body)| ProduceRequest::decode(body, header.version));
                black_box(decoded.expect("what was encoded is decoded"));
            })
        },
    )
}

fn encode_answer(at_least: Duration) -> Case {
    case(
        "encode a Produce response of one partition",
        PER_CALL,
        move || {
            nanos_per_call(at_least, || {
                let answer = ProduceResponse {
                    responses: vec![TopicProduceResponse {
                        name: "topic",
                        partition_responses: vec![PartitionProduceResponse::default()],
                    }],
                    ..ProduceResponse::default()
                };
                let encoded = encode_response(PRODUCE_VERSION, 1, &answer);
                black_box(encoded.expect("a response of known values is encoded"));
            })
        },
    )
}

/// All cases, each with at least so much CPU time a measurement.
pub fn all(at_least: Duration) -> Vec<Case> {
    let mut cases = vec![
        crc_warm(at_least),
        crc_cold(at_least),
        copy_cold(at_least),
        check(Content::Random, Codec::None, at_least),
    ];
    let compressed = Codec::ALL.into_iter().skip(1);
    cases.extend(compressed.map(|codec| check(Content::Lines, codec, at_least)));
    cases.extend([
        check_single(at_least),
        decode_request(at_least),
        encode_answer(at_least),
    ]);
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_measures_something() {
        for mut case in all(Duration::from_millis(1)) {
            let value = (case.run)().unwrap();
            assert!(value.is_finite() && value > 0.0, "{case:?}: {value}");
        }
    }

    #[test]
    fn a_gib_is_counted_in_bytes() {
        assert!((per_gib(1e9, 1 << 30) - 1.0).abs() < 1e-12);
        assert!((per_gib(1e6, 1 << 20) - 1.024).abs() < 1e-12);
    }
}
