//! The raw loop of requests: received whole, answered with a fixed number of bytes.

use std::io;

use bench_micro::batches::{VALUE_BYTES, random_batch};
use bench_micro::cases::PRODUCE_VERSION;
use engine_rt::{Buf, BufMut, Piece, Stream};
use net_wire::Records;
use net_wire::frame::{FRAME_PREFIX_BYTES, encode_response};
use net_wire::messages::fetch::{FetchResponse, FetchableTopicResponse, PartitionData};
use net_wire::messages::produce::{
    PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};

use crate::client::FETCH_VERSION;

/// Requests of this case are smaller.
const WINDOW_BYTES: usize = 32 << 10;
/// Where the correlation id stands: behind length, API key and version in a request, behind the
/// length in a response.
const ID_IN_REQUEST: usize = 8;
const ID_IN_ANSWER: usize = 4;

/// Answers one frame after the other. It looks at nothing but their lengths.
pub(super) async fn serve(stream: Stream, template: io::Result<Buf>) -> io::Result<()> {
    let template = template?;
    let mut window = BufMut::with_capacity(WINDOW_BYTES);
    let mut filled = 0;
    loop {
        match stream.recv(&mut window[filled..]).await? {
            0 => return Ok(()),
            received => filled += received,
        }
        let mut from = 0;
        while let Some(bytes) = frame_bytes(&window[from..filled]) {
            let mut answer = BufMut::with_capacity(template.len());
            answer.copy_from_slice(&template);
            let id = from + ID_IN_REQUEST;
            answer[ID_IN_ANSWER..ID_IN_ANSWER + 4].copy_from_slice(&window[id..id + 4]);
            stream.send(&[Piece::Mem(answer.freeze())]).await?;
            from += bytes;
        }
        window.copy_within(from..filled, 0);
        filled -= from;
    }
}

/// The bytes of the first frame, once all of it is there.
fn frame_bytes(window: &[u8]) -> Option<usize> {
    let bytes = FRAME_PREFIX_BYTES + u32::from_be_bytes(*window.first_chunk()?) as usize;
    (bytes <= window.len()).then_some(bytes)
}

/// The answer that a produce to one partition gets.
pub(super) fn produce_answer() -> io::Result<Buf> {
    let answer = ProduceResponse {
        responses: vec![TopicProduceResponse {
            name: "single",
            partition_responses: vec![PartitionProduceResponse::default()],
        }],
        ..ProduceResponse::default()
    };
    let encoded = encode_response(PRODUCE_VERSION, 0, &answer).map_err(io::Error::other)?;
    Ok(Buf::copy_from_slice(&encoded.bytes))
}

/// The answer that a fetch of one record of 1 KiB gets.
pub(super) fn fetch_answer() -> io::Result<Buf> {
    let batch = random_batch(1, VALUE_BYTES, 0, 1).map_err(io::Error::other)?;
    let answer = FetchResponse {
        responses: vec![FetchableTopicResponse {
            topic: "single",
            partitions: vec![PartitionData {
                records: Some(Records::Bytes(&batch)),
                ..PartitionData::default()
            }],
            ..FetchableTopicResponse::default()
        }],
        ..FetchResponse::default()
    };
    let encoded = encode_response(FETCH_VERSION, 0, &answer).map_err(io::Error::other)?;
    Ok(Buf::copy_from_slice(&encoded.bytes))
}
