//! A broker that keeps nothing: frames are received as a broker receives them, decoded and
//! answered. It shows what the client and the protocol cost by themselves.

use std::io;

use engine_rt::{Buf, BufMut, Piece, Stream};
use net_wire::frame::{FRAME_BYTES_MAX_DEFAULT, FRAME_PREFIX_BYTES, REQUEST_BYTES_MIN};
use net_wire::frame::{encode_response, frame_len};
use net_wire::messages::produce::{
    PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceData,
    TopicProduceResponse,
};
use net_wire::{Message, RequestHeader, WireError};

const WINDOW_BYTES: usize = 4 << 10;

/// Serves one connection. Only produce is understood.
pub(super) async fn serve(stream: Stream) -> io::Result<()> {
    let mut window = BufMut::with_capacity(WINDOW_BYTES);
    let mut filled = 0;
    loop {
        while filled < FRAME_PREFIX_BYTES {
            match stream.recv(&mut window[filled..]).await? {
                0 => return Ok(()),
                received => filled += received,
            }
        }
        let prefix = window.first_chunk().copied().unwrap_or_default();
        let len = frame_len(prefix, REQUEST_BYTES_MIN, FRAME_BYTES_MAX_DEFAULT);
        let len = len.map_err(io::Error::other)?;
        // A block of its own for every frame, from the pool, as for one on its way to a disk.
        let mut frame = BufMut::with_capacity(len);
        let here = (filled - FRAME_PREFIX_BYTES).min(len);
        let end = FRAME_PREFIX_BYTES + here;
        frame[..here].copy_from_slice(&window[FRAME_PREFIX_BYTES..end]);
        window.copy_within(end..filled, 0);
        filled -= end;
        receive_rest(&stream, &mut frame[here..]).await?;
        let answer = answer(&frame.freeze()).map_err(io::Error::other)?;
        stream.send(&[Piece::Mem(answer)]).await?;
    }
}

async fn receive_rest(stream: &Stream, mut rest: &mut [u8]) -> io::Result<()> {
    while !rest.is_empty() {
        match stream.recv(rest).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            received => rest = &mut rest[received..],
        }
    }
    Ok(())
}

fn answer(frame: &[u8]) -> Result<Buf, WireError> {
    let (header, body) = RequestHeader::decode(frame)?;
    let request = ProduceRequest::decode(body, header.version)?;
    let answer = ProduceResponse {
        responses: request.topic_data.iter().map(answer_topic).collect(),
        ..ProduceResponse::default()
    };
    let encoded = encode_response(header.version, header.correlation_id, &answer)?;
    Ok(Buf::copy_from_slice(&encoded.bytes))
}

fn answer_topic<'a>(topic: &TopicProduceData<'a>) -> TopicProduceResponse<'a> {
    let partitions = topic.partition_data.iter();
    TopicProduceResponse {
        name: topic.name,
        partition_responses: partitions
            .map(|data| PartitionProduceResponse {
                index: data.index,
                ..PartitionProduceResponse::default()
            })
            .collect(),
    }
}
