//! Frames: a length of four bytes, then a header and a body.

use crate::error::WireError;
use crate::header::{RequestHeader, ResponseHeader};
use crate::wire::Message;
use crate::writer::{Encoded, Writer};

/// What most encoded frames fit in, records apart.
const FRAME_BYTES_USUAL: usize = 256;
/// Bytes of the length in front of every frame.
pub const FRAME_PREFIX_BYTES: usize = 4;

/// Default of `socket.request.max.bytes`: the largest frame that is read.
pub const FRAME_BYTES_MAX_DEFAULT: usize = 100 * 1024 * 1024;

/// A request header without a client id; nothing shorter is a request.
pub const REQUEST_BYTES_MIN: usize = 10;

/// A response header; nothing shorter is a response.
pub const RESPONSE_BYTES_MIN: usize = 4;

/// The length of the frame behind `prefix`, if it is in `min..=max`.
///
/// To be called before anything of the frame is buffered. It is how a connection that does not
/// speak Kafka ends: the first bytes of HTTP or TLS announce more than a gigabyte.
pub fn frame_len(
    prefix: [u8; FRAME_PREFIX_BYTES],
    min: usize,
    max: usize,
) -> Result<usize, WireError> {
    let len = i32::from_be_bytes(prefix);
    usize::try_from(len)
        .ok()
        .filter(|len| (min..=max).contains(len))
        .ok_or(WireError::FrameLength { len, min, max })
}

/// A whole request frame, length included.
pub fn encode_request<'m, M: Message<'m>>(
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
    body: &M,
) -> Result<Encoded, WireError> {
    M::API.check_version(version)?;
    let header = RequestHeader {
        api: M::API,
        version,
        correlation_id,
        client_id,
    };
    framed(|w| {
        header.encode(w);
        body.encode(w, version);
    })
}

/// A whole response frame, length included; the length counts the bytes of the cuts.
pub fn encode_response<'m, M: Message<'m>>(
    version: i16,
    correlation_id: i32,
    body: &M,
) -> Result<Encoded, WireError> {
    framed(|w| {
        ResponseHeader { correlation_id }.encode(w, M::API, version);
        body.encode(w, version);
    })
}

/// Reads a response frame, without its length: the correlation id and the body.
pub fn decode_response<'m, M: Message<'m>>(
    frame: &'m [u8],
    version: i16,
) -> Result<(i32, M), WireError> {
    let (header, body) = ResponseHeader::decode(frame, M::API, version)?;
    Ok((header.correlation_id, M::decode(body, version)?))
}

fn framed(write: impl FnOnce(&mut Writer)) -> Result<Encoded, WireError> {
    // Room for most answers: they carry a name and a few numbers.
    let mut bytes = Vec::with_capacity(FRAME_BYTES_USUAL);
    bytes.resize(FRAME_PREFIX_BYTES, 0);
    let mut w = Writer::append_to(bytes, false);
    write(&mut w);
    let mut encoded = w.finish()?;
    let len = encoded.total_len() - FRAME_PREFIX_BYTES;
    let prefix = i32::try_from(len).map_err(|_| WireError::LengthOverflow(len))?;
    if let Some(place) = encoded.bytes.first_chunk_mut::<FRAME_PREFIX_BYTES>() {
        *place = prefix.to_be_bytes();
    }
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::fetch::{FetchResponse, FetchableTopicResponse, PartitionData};
    use crate::messages::metadata::MetadataResponse;
    use crate::messages::produce::ProduceResponse;
    use crate::wire::Records;

    #[test]
    fn frame_lengths_are_bounded_on_both_sides() {
        let len = |prefix| frame_len(prefix, REQUEST_BYTES_MIN, FRAME_BYTES_MAX_DEFAULT);
        assert_eq!(len([0, 0, 0, 10]), Ok(10));
        assert_eq!(len([6, 0x40, 0, 0]), Ok(100 * 1024 * 1024));
        assert!(len([6, 0x40, 0, 1]).is_err());
        assert!(len([0, 0, 0, 9]).is_err());
        assert!(len([0xff, 0xff, 0xff, 0xff]).is_err());
        assert!(len(*b"GET ").is_err());
    }

    #[test]
    fn a_throttle_time_is_written_into_an_answer_that_is_encoded() {
        let before = |version| encode_response(version, 3, &ProduceResponse::default()).unwrap();
        let expected = |version| {
            let body = ProduceResponse {
                throttle_time_ms: 77,
                ..ProduceResponse::default()
            };
            encode_response(version, 3, &body).unwrap()
        };
        for version in ProduceResponse::API.versions() {
            let mut answer = before(version);
            answer.set_throttle_time(77);
            assert_eq!(answer, expected(version), "{version}");
            assert_ne!(answer, before(version), "{version}");
        }
        // There is none in this version.
        let mut old = encode_response(2, 3, &MetadataResponse::default()).unwrap();
        let untouched = old.clone();
        old.set_throttle_time(77);
        assert_eq!(old, untouched);
    }

    #[test]
    fn the_frame_length_counts_records_that_the_caller_adds() {
        let response = |records| FetchResponse {
            responses: vec![FetchableTopicResponse {
                topic: "t",
                partitions: vec![PartitionData {
                    records: Some(records),
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        };
        for version in [4, 12, 17] {
            let inline = encode_response(version, 3, &response(Records::Bytes(b"12345"))).unwrap();
            let cut = encode_response(version, 3, &response(Records::Cut(5))).unwrap();
            assert_eq!(cut.cuts.len(), 1);
            assert_eq!(cut.join([&b"12345"[..]]), inline.bytes);
            let prefix = *inline.bytes.first_chunk::<4>().unwrap();
            assert_eq!(frame_len(prefix, 4, 1000), Ok(inline.bytes.len() - 4));
        }
    }
}
