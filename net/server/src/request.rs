//! One request as handlers see it, and the response they make.

use std::ops::Range;
use std::rc::Rc;

use engine_rt::{Buf, BufMut, Instant, Piece};
use engine_shard::ResidentRange;
use net_wire::frame::{FRAME_PREFIX_BYTES, encode_response};
use net_wire::{ApiKey, Cut, Encoded, Message, Records, RequestHeader, WireError};
use thiserror::Error;

use crate::budget::Reservation;
use crate::quotas::Meter;

/// Bytes of a file in one piece, at most.
const FILE_PIECE_MAX: usize = 256 << 10;
/// Where a response has its correlation id, and where what follows is the same for every client.
const CORRELATION_ID: Range<usize> = FRAME_PREFIX_BYTES..ANSWER_BODY_AT;
const ANSWER_BODY_AT: usize = FRAME_PREFIX_BYTES + 4;
const THROTTLE_TIME_BYTES: usize = 4;

/// A request, still in the bytes it came in.
#[derive(Debug)]
pub(crate) struct Request {
    frame: Buf,
    body_at: usize,
    /// The API asked for.
    pub(crate) api: ApiKey,
    /// Its version; not served only for `ApiVersions`.
    pub(crate) version: i16,
    correlation_id: i32,
    client_id_at: Option<(usize, usize)>,
    /// When the last byte of it was here.
    pub(crate) received: Instant,
    /// What it uses is counted, if quotas hold for its client.
    pub(crate) meter: Option<Rc<Meter>>,
}

/// Why a connection is closed without an answer to the request.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum CloseReason {
    /// What the client sent is not a request.
    #[error("malformed request: {0}")]
    Malformed(#[from] WireError),
    /// A response cannot be encoded: a bug.
    #[error("response cannot be encoded: {0}")]
    Unencodable(WireError),
    /// With acks=0 a closed connection is the only way to say that records were refused.
    #[error("produce with acks=0 failed: {0}")]
    UnacknowledgedProduce(String),
}

/// What a handler ends with; `None` where the protocol has no answer (acks=0).
pub(crate) type Outcome = Result<Option<Response>, CloseReason>;

impl Request {
    /// Splits a frame into header and body.
    pub(crate) fn decode(frame: Buf, received: Instant) -> Result<Self, WireError> {
        let (header, body) = RequestHeader::decode(&frame)?;
        let client_id = header.client_id.and_then(|id| {
            let range = net_wire::range_in(id.as_bytes(), &frame)?;
            Some((range.start, range.end))
        });
        let (api, version) = (header.api, header.version);
        let correlation_id = header.correlation_id;
        let body_at = frame.len() - body.len();
        Ok(Self {
            frame,
            body_at,
            api,
            version,
            correlation_id,
            client_id_at: client_id,
            received,
            meter: None,
        })
    }

    /// The name that the client gives itself.
    pub(crate) fn client_id(&self) -> Option<&str> {
        let (start, end) = self.client_id_at?;
        std::str::from_utf8(&self.frame[start..end]).ok()
    }

    /// Bytes of the frame.
    pub(crate) fn len(&self) -> usize {
        self.frame.len()
    }

    /// The bytes of the body.
    pub(crate) fn body_bytes(&self) -> &[u8] {
        &self.frame[self.body_at..]
    }

    /// The body, borrowed from the frame.
    pub(crate) fn body<'a, M: Message<'a>>(&'a self) -> Result<M, WireError> {
        M::decode(self.body_bytes(), self.version)
    }

    /// Record bytes of the body as a part of the frame's memory: nothing is copied.
    pub(crate) fn share(&self, records: Records<'_>) -> Buf {
        records
            .range_in(&self.frame)
            .map_or_else(Buf::new, |range| self.frame.slice(range))
    }

    /// The response to this request.
    pub(crate) fn respond<'m, M: Message<'m>>(&self, body: &M) -> Outcome {
        self.respond_in(self.version, body, Vec::new())
    }

    /// The response whose frame answered an equal request before; `throttle_time_at` is where it has
    /// its throttle time.
    pub(crate) fn respond_again(&self, frame: &Buf, throttle_time_at: Option<usize>) -> Response {
        // What differs from client to client is copied, the rest is shared.
        let shared_from = throttle_time_at.map_or(ANSWER_BODY_AT, |at| at + THROTTLE_TIME_BYTES);
        let mut start = frame[..shared_from].to_vec();
        start[CORRELATION_ID].copy_from_slice(&self.correlation_id.to_be_bytes());
        let rest = frame.slice(shared_from..frame.len());
        let cut = Cut {
            at: start.len(),
            len: rest.len(),
        };
        let records = RecordPieces {
            pieces: vec![Piece::Mem(rest)],
            _pins: Vec::new(),
        };
        Response {
            encoded: Encoded {
                bytes: start,
                cuts: vec![cut],
                throttle_time_at,
            },
            records: vec![records],
            reservation: None,
        }
    }

    /// The response whose [`Records::Cut`] fields stand for `records`, in their order.
    pub(crate) fn respond_with_records<'m, M: Message<'m>>(
        &self,
        body: &M,
        records: Vec<RecordPieces>,
    ) -> Outcome {
        self.respond_in(self.version, body, records)
    }

    /// The response in a version that may differ from the request's (`ApiVersions`).
    pub(crate) fn respond_in<'m, M: Message<'m>>(
        &self,
        version: i16,
        body: &M,
        records: Vec<RecordPieces>,
    ) -> Outcome {
        let encoded = encode_response(version, self.correlation_id, body)
            .map_err(CloseReason::Unencodable)?;
        debug_assert_eq!(encoded.cuts.len(), records.len(), "records for every cut");
        Ok(Some(Response {
            encoded,
            records,
            reservation: None,
        }))
    }
}

/// Whole batches of one partition on their way to a client, in memory or in a file.
#[derive(Debug, Default)]
pub(crate) struct RecordPieces {
    pub(crate) pieces: Vec<Piece>,
    /// What the pieces of files are, held so that no segment is deleted before it was sent.
    pub(crate) _pins: Vec<ResidentRange>,
}

/// A response: an encoded header and body, and the records that go between.
#[derive(Debug)]
pub(crate) struct Response {
    encoded: Encoded,
    records: Vec<RecordPieces>,
    /// Bytes of the shard's response budget, given back when the response was sent.
    pub(crate) reservation: Option<Reservation>,
}

impl Response {
    /// The whole frame, of a response without records.
    pub(crate) fn frame(&self) -> &[u8] {
        &self.encoded.bytes
    }

    /// Where the frame has its throttle time, if its version has one.
    pub(crate) fn throttle_time_at(&self) -> Option<usize> {
        self.encoded.throttle_time_at
    }

    /// Tells the client for how long it is not read from.
    pub(crate) fn set_throttle_time(&mut self, ms: i32) {
        self.encoded.set_throttle_time(ms);
    }

    /// Bytes on the wire.
    pub(crate) fn len(&self) -> usize {
        self.encoded.total_len()
    }

    /// Bytes that leave from files.
    pub(crate) fn file_bytes(&self) -> usize {
        let pieces = self.records.iter().flat_map(|records| &records.pieces);
        pieces
            .filter(|piece| matches!(piece, Piece::File { .. }))
            .map(Piece::len)
            .sum()
    }

    /// Several responses as one list of pieces: the encoded parts share one block, records are
    /// passed on as they are.
    pub(crate) fn pieces(responses: &[Self]) -> Vec<Piece> {
        let encoded_len: usize = responses.iter().map(|one| one.encoded.bytes.len()).sum();
        let mut block = BufMut::with_capacity(encoded_len);
        let mut at = 0;
        for response in responses {
            let bytes = &response.encoded.bytes;
            block[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        }
        let block = block.freeze();
        let mut pieces = Pieces {
            block,
            from: 0,
            to: 0,
            list: Vec::new(),
        };
        for response in responses {
            response.add_to(&mut pieces);
        }
        pieces.flush();
        pieces.list
    }

    fn add_to(&self, pieces: &mut Pieces) {
        let start = pieces.to;
        for (cut, records) in self.encoded.cuts.iter().zip(&self.records) {
            if records.pieces.is_empty() {
                continue;
            }
            pieces.to = start + cut.at;
            pieces.flush();
            for piece in &records.pieces {
                add_piece(piece, &mut pieces.list);
            }
        }
        pieces.to = start + self.encoded.bytes.len();
    }
}

/// Adds a piece, a long range of a file in parts: it shows sooner whether the client takes them.
fn add_piece(piece: &Piece, list: &mut Vec<Piece>) {
    let Piece::File { file, pos, len } = piece else {
        list.push(piece.clone());
        return;
    };
    list.extend((0..*len).step_by(FILE_PIECE_MAX).map(|at| Piece::File {
        file: file.clone(),
        pos: pos + at as u64,
        len: FILE_PIECE_MAX.min(len - at),
    }));
}

/// Collects pieces; encoded bytes between two records go as one.
struct Pieces {
    block: Buf,
    from: usize,
    to: usize,
    list: Vec<Piece>,
}

impl Pieces {
    fn flush(&mut self) {
        if self.from < self.to {
            self.list
                .push(Piece::Mem(self.block.slice(self.from..self.to)));
            self.from = self.to;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use net_wire::frame::{encode_request, encode_response};
    use net_wire::messages::fetch::{
        FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData,
    };
    use net_wire::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};

    fn fetch_response<'a>(records: &[Records<'a>]) -> FetchResponse<'a> {
        let partitions = records.iter().map(|records| PartitionData {
            records: Some(*records),
            ..PartitionData::default()
        });
        let topic = FetchableTopicResponse {
            partitions: partitions.collect(),
            ..Default::default()
        };
        FetchResponse {
            responses: vec![topic],
            ..FetchResponse::default()
        }
    }

    fn frame_of(encoded: &Encoded) -> Buf {
        Buf::copy_from_slice(&encoded.bytes[4..])
    }

    #[test]
    fn records_of_a_request_are_shared_with_its_frame() {
        let records = Records::Bytes(b"some batch");
        let body = ProduceRequest {
            acks: 1,
            topic_data: vec![TopicProduceData {
                name: "t",
                partition_data: vec![PartitionProduceData {
                    index: 0,
                    records: Some(records),
                }],
            }],
            ..ProduceRequest::default()
        };
        let frame = frame_of(&encode_request(9, 7, Some("me"), &body).unwrap());
        let request = Request::decode(frame.clone(), Instant::default()).unwrap();
        assert_eq!(
            (request.client_id(), request.correlation_id),
            (Some("me"), 7)
        );
        let decoded: ProduceRequest<'_> = request.body().unwrap();
        let part = request.share(decoded.topic_data[0].partition_data[0].records.unwrap());
        assert_eq!(&*part, b"some batch");
        assert!(part.same_block(&frame));
    }

    #[test]
    fn an_answer_is_given_again_under_another_number() {
        let answered = |id| {
            let frame = frame_of(&encode_request(12, id, None, &FetchRequest::default()).unwrap());
            Request::decode(frame, Instant::default()).unwrap()
        };
        let body = fetch_response(&[Records::Bytes(b"batch")]);
        let first = answered(7).respond(&body).unwrap().unwrap();
        let kept = Buf::copy_from_slice(first.frame());
        let mut again = answered(8).respond_again(&kept, first.throttle_time_at());
        let mut second = answered(8).respond(&body).unwrap().unwrap();
        // Another client may be throttled.
        again.set_throttle_time(9);
        second.set_throttle_time(9);
        let mut sent = Vec::new();
        for piece in Response::pieces(std::slice::from_ref(&again)) {
            let Piece::Mem(buf) = piece else {
                panic!("an answer is memory")
            };
            sent.extend_from_slice(&buf);
        }
        assert_eq!(sent, second.frame());
        assert_eq!(again.len(), second.len());
    }

    #[test]
    fn responses_leave_as_one_stream_with_records_between() {
        let bufs = [&b"first"[..], b"second", b"third"].map(Buf::copy_from_slice);
        let whole = |id, records: &[Records<'_>]| {
            encode_response(12, id, &fetch_response(records))
                .unwrap()
                .bytes
        };
        let mut expected = whole(1, &[Records::Bytes(b"firstsecond"), Records::Bytes(b"")]);
        expected.extend(whole(2, &[Records::Bytes(b"third")]));

        let response = |id, cuts: &[Records<'_>], records: &[&[Buf]]| Response {
            encoded: encode_response(12, id, &fetch_response(cuts)).unwrap(),
            records: records
                .iter()
                .map(|bufs| RecordPieces {
                    pieces: bufs.iter().cloned().map(Piece::Mem).collect(),
                    _pins: Vec::new(),
                })
                .collect(),
            reservation: None,
        };
        let responses = [
            response(1, &[Records::Cut(11), Records::Cut(0)], &[&bufs[..2], &[]]),
            response(2, &[Records::Cut(5)], &[&bufs[2..]]),
        ];
        let pieces = Response::pieces(&responses);
        let mut got = Vec::new();
        for piece in &pieces {
            let Piece::Mem(buf) = piece else {
                panic!("records are memory")
            };
            got.extend_from_slice(buf);
        }
        assert_eq!(got, expected);
        assert_eq!(
            responses.iter().map(Response::len).sum::<usize>(),
            expected.len()
        );
        // header, first, second, the rest and the next header, third, the rest
        assert_eq!(pieces.len(), 6);
    }
}
