//! Requests of a hostile client: those of the seeds, bent a little.

use net_wire::batch::BatchBuilder;
use net_wire::codec::{Codec, Codecs};
use net_wire::messages::fetch::FetchRequest;
use net_wire::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use net_wire::{ApiKey, Message, Records, RequestHeader, Writer};

use super::rng::Rng;
use crate::seeds;

/// A request as it goes out, and what its sender knows of it.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    /// Length and all.
    pub(super) bytes: Vec<u8>,
    pub(super) correlation_id: i32,
    /// What the answer is read as; `None` if nothing tells.
    pub(super) read_as: Option<(ApiKey, i16)>,
    /// Whether an answer may come at all.
    pub(super) is_answered: bool,
}

/// The next request of a connection.
pub(super) fn next(rng: &mut Rng, correlation_id: i32) -> Sent {
    let api = ApiKey::ALL[rng.below(ApiKey::ALL.len() as u64) as usize];
    let versions = api.versions().count() as u64;
    let version = *api.versions().start() + rng.below(versions) as i16;
    let mut body = match api {
        ApiKey::Produce => produce(rng, version),
        _ => seeds::request_body(api, version),
    };
    let is_bent = rng.one_in(4);
    if is_bent {
        for _ in 0..=rng.below(3) {
            bend(&mut body, rng);
        }
    }
    let mut frame = header(api, version, correlation_id, rng);
    frame.extend_from_slice(&body);
    if rng.one_in(40) {
        // The header, too.
        let at = rng.below(8.min(frame.len() as u64)) as usize;
        frame[at] ^= 1 << rng.below(8);
    }
    finish(&frame)
}

/// A frame with its length, and what it says by its own bytes.
fn finish(frame: &[u8]) -> Sent {
    let length = (frame.len() as u32).to_be_bytes();
    let bytes = [&length[..], frame].concat();
    let correlation_id = frame.get(4..8).and_then(|id| id.try_into().ok());
    let correlation_id = correlation_id.map_or(0, i32::from_be_bytes);
    let (read_as, is_answered) = match RequestHeader::decode(frame) {
        Ok((header, body)) => (
            Some((header.api, header.version)),
            header.api != ApiKey::Produce || !is_silent(body, header.version),
        ),
        Err(_) => (None, false),
    };
    Sent {
        bytes,
        correlation_id,
        read_as,
        is_answered,
    }
}

/// Whether it is a produce that wants no acknowledgement.
fn is_silent(body: &[u8], version: i16) -> bool {
    ProduceRequest::decode(body, version).is_ok_and(|request| request.acks == 0)
}

fn header(api: ApiKey, version: i16, correlation_id: i32, rng: &mut Rng) -> Vec<u8> {
    let client_id = [None, Some(""), Some("hostile")][rng.below(3) as usize];
    let mut writer = Writer::new(false);
    RequestHeader {
        api,
        version,
        correlation_id,
        client_id,
    }
    .encode(&mut writer);
    writer.finish().expect("a header").bytes
}

/// A produce with a batch that is one, or nearly.
fn produce(rng: &mut Rng, version: i16) -> Vec<u8> {
    let codec = Codec::ALL[rng.below(5) as usize];
    let mut batch = BatchBuilder::new().codec(codec);
    if rng.one_in(2) {
        batch = batch.producer(rng.below(3) as i64, 0, rng.below(3) as i32);
    }
    for number in 0..=rng.below(5) {
        let value = vec![b'v'; rng.below(3_000) as usize];
        batch.append(
            1_700_000_000_000 + number as i64,
            Some(b"k"),
            Some(&value),
            &[],
        );
    }
    let mut batch = batch.build(&mut Codecs::new()).expect("a small batch");
    if rng.one_in(4) {
        bend(&mut batch, rng);
    }
    let partition = PartitionProduceData {
        index: rng.below(3) as i32,
        records: Some(Records::Bytes(&batch)),
    };
    let topic = TopicProduceData {
        name: "t",
        partition_data: vec![partition],
    };
    let request = ProduceRequest {
        acks: rng.below(3) as i16 - 1,
        timeout_ms: 1_000,
        topic_data: vec![topic],
        ..Default::default()
    };
    encoded(&request, version)
}

/// A fetch that waits for bytes that never come, as long as it may.
pub(super) fn patient_fetch(correlation_id: i32, rng: &mut Rng) -> Sent {
    let request = FetchRequest {
        max_wait_ms: i32::MAX,
        min_bytes: i32::MAX,
        ..Default::default()
    };
    let mut frame = header(ApiKey::Fetch, 12, correlation_id, rng);
    frame.extend(encoded(&request, 12));
    finish(&frame)
}

fn encoded<'m, M: Message<'m>>(message: &M, version: i16) -> Vec<u8> {
    let mut writer = Writer::new(false);
    message.encode(&mut writer, version);
    writer.finish().expect("a small message").bytes
}

/// Changes bytes a little: a bit, a number, a length, a piece twice, an end that is missing.
fn bend(bytes: &mut Vec<u8>, rng: &mut Rng) {
    if bytes.is_empty() {
        bytes.push(rng.next() as u8);
        return;
    }
    let at = rng.below(bytes.len() as u64) as usize;
    match rng.below(6) {
        0 => bytes[at] ^= 1 << rng.below(8),
        1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][rng.below(5) as usize],
        2 => bytes.truncate(at),
        3 => {
            let end = bytes.len().min(at + 4);
            bytes[at..end].fill([0, 0x7f, 0xff][rng.below(3) as usize]);
        },
        4 => {
            let piece = bytes[at..bytes.len().min(at + 16)].to_vec();
            bytes.splice(at..at, piece);
        },
        _ => bytes.insert(at, rng.next() as u8),
    }
}
