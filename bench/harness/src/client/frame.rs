//! Produce requests as they leave, made before the clock starts.

use std::io;
use std::rc::Rc;

use bench_micro::batches::{VALUE_BYTES, keyed_batch, random_batch};
use bench_micro::cases::PRODUCE_VERSION;
use engine_rt::{Buf, Piece, wall_clock_ms};
use net_wire::frame::{decode_response, encode_request};
use net_wire::messages::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use net_wire::{Encoded, Records};

/// Bytes of batches made for one case: more than the caches hold would be fairer to nobody, since
/// the kernel copies them on the client's core.
const BULK_BYTES: usize = 16 << 20;

/// Looks at an answer, which must be without an error, and gives its correlation id.
pub(crate) type Check = fn(&[u8]) -> io::Result<i32>;

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) correlation_id: i32,
    /// Bytes of its record batch.
    pub(crate) bytes: u64,
    pub(crate) check: Check,
}

/// What a batch holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) records: usize,
    pub(crate) value_bytes: usize,
}

/// Large batches for the partitions of a topic by turns, one partition a request.
pub(crate) fn bulk_frames(
    topic: &str,
    partitions: i32,
    content: Content,
) -> io::Result<Rc<[Frame]>> {
    let frame = |number: usize| {
        let records = made(content, number)?;
        let partition = number as i32 % partitions;
        let records = Buf::copy_from_slice(&records);
        cut_frame(topic, partition, records, number as i32)
    };
    let batch_bytes = content.records * content.value_bytes;
    (0..(BULK_BYTES / batch_bytes).max(partitions as usize))
        .map(frame)
        .collect()
}

/// Requests with one 1 KiB record each, a list for each of the first partitions of a topic.
pub(crate) fn single_frames(topic: &str, partitions: i32) -> io::Result<Vec<Rc<[Frame]>>> {
    let of_partition = |partition| {
        (0..16)
            .map(|number| single_frame(topic, partition, number))
            .collect()
    };
    (0..partitions).map(of_partition).collect()
}

/// Requests with one 1 KiB record each, one for each partition of a topic: a list for each of so
/// many connections.
pub(crate) fn spread_frames(
    topic: &str,
    partitions: i32,
    connections: usize,
) -> io::Result<Vec<Rc<[Frame]>>> {
    let of_connection = |connection| {
        let own = (connection as i32..partitions)
            .step_by(connections)
            .zip(0..);
        own.map(|(partition, number)| single_frame(topic, partition, number))
            .collect()
    };
    (0..connections).map(of_connection).collect()
}

/// Requests with the same batch, one for each partition of a topic.
pub(crate) fn shared_frames(
    topic: &str,
    partitions: i32,
    content: Content,
) -> io::Result<Rc<[Frame]>> {
    let records = Buf::copy_from_slice(&made(content, 0)?);
    let frame = |partition| cut_frame(topic, partition, records.clone(), partition);
    (0..partitions).map(frame).collect()
}

/// A request with a record for each of `keys`.
pub(crate) fn keyed_frame(
    topic: &str,
    partition: i32,
    keys: &[u64],
    value_bytes: usize,
    number: i32,
) -> io::Result<Frame> {
    let records = keyed_batch(keys, value_bytes, wall_clock_ms(), number as u64);
    let records = Buf::copy_from_slice(&records.map_err(io::Error::other)?);
    cut_frame(topic, partition, records, number)
}

fn single_frame(topic: &str, partition: i32, number: i32) -> io::Result<Frame> {
    let content = Content {
        records: 1,
        value_bytes: VALUE_BYTES,
    };
    let records = made(content, (partition * 16 + number) as usize)?;
    let encoded = request(topic, partition, Records::Bytes(&records), number)?;
    let pieces = vec![Piece::Mem(Buf::copy_from_slice(&encoded.bytes))];
    Ok(Frame {
        pieces,
        correlation_id: number,
        bytes: records.len() as u64,
        check: produced,
    })
}

/// A request whose batch is a piece of its own.
fn cut_frame(topic: &str, partition: i32, records: Buf, correlation_id: i32) -> io::Result<Frame> {
    let encoded = request(
        topic,
        partition,
        Records::Cut(records.len()),
        correlation_id,
    )?;
    let mut around = encoded.pieces().map(Buf::copy_from_slice);
    let bytes = records.len() as u64;
    let mut pieces = vec![around.next().unwrap_or_default(), records];
    pieces.extend(around);
    Ok(Frame {
        pieces: pieces.into_iter().map(Piece::Mem).collect(),
        correlation_id,
        bytes,
        check: produced,
    })
}

fn made(content: Content, seed: usize) -> io::Result<Vec<u8>> {
    let Content {
        records,
        value_bytes,
    } = content;
    random_batch(records, value_bytes, wall_clock_ms(), seed as u64).map_err(io::Error::other)
}

fn request(
    topic: &str,
    partition: i32,
    records: Records<'_>,
    correlation_id: i32,
) -> io::Result<Encoded> {
    let request = ProduceRequest {
        transactional_id: None,
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: topic,
            partition_data: vec![PartitionProduceData {
                index: partition,
                records: Some(records),
            }],
        }],
    };
    encode_request(PRODUCE_VERSION, correlation_id, Some("bench"), &request)
        .map_err(io::Error::other)
}

/// The answer to a produce.
pub(super) fn produced(frame: &[u8]) -> io::Result<i32> {
    let (id, answer) =
        decode_response::<ProduceResponse<'_>>(frame, PRODUCE_VERSION).map_err(io::Error::other)?;
    let mut partitions = answer
        .responses
        .iter()
        .flat_map(|topic| &topic.partition_responses);
    let failed = partitions.find(|partition| !partition.error_code.is_none());
    failed.map_or(Ok(id), |partition| {
        let message = partition.error_message.as_deref().unwrap_or_default();
        Err(io::Error::other(format!(
            "{}: {message}",
            partition.error_code.name()
        )))
    })
}
