//! Headers in front of request and response bodies.

use crate::api::ApiKey;
use crate::error::WireError;
use crate::reader::Reader;
use crate::writer::Writer;

/// The header of a request whose API is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestHeader<'a> {
    /// The API asked for.
    pub api: ApiKey,
    /// Its version; served, except perhaps for `ApiVersions`.
    pub version: i16,
    /// The client's number for the request, repeated in the response.
    pub correlation_id: i32,
    /// The name the client gives itself.
    pub client_id: Option<&'a str>,
}

impl<'a> RequestHeader<'a> {
    /// Splits a frame into the header and the body behind it.
    ///
    /// An API or version that is not served is an error, after which Kafka closes the connection:
    /// there is no answer such a client could read. The exception is `ApiVersions` in a version too
    /// new: [`RequestHeader::is_served`] is then false, the body must not be read, and the answer
    /// is version 0 with `UNSUPPORTED_VERSION` (KIP-511).
    pub fn decode(frame: &'a [u8]) -> Result<(Self, &'a [u8]), WireError> {
        let mut r = Reader::new(frame, false);
        let (code, version) = (r.i16()?, r.i16()?);
        let api = ApiKey::from_code(code)
            .filter(|api| api.api().is_served || api.api().is_switched)
            .ok_or(WireError::UnknownApi(code))?;
        if api != ApiKey::ApiVersions {
            api.check_version(version)?;
        }
        let correlation_id = r.i32()?;
        // The client id kept its old length in header version 2, so that any broker can read it.
        let client_id = r.nullable_str()?;
        if api.request_header_version(version) >= 2 && api.serves(version) {
            r = Reader::new(r.rest(), true);
            r.skip_tags()?;
        }
        Ok((
            Self {
                api,
                version,
                correlation_id,
                client_id,
            },
            r.rest(),
        ))
    }

    /// Whether the version is served; see [`RequestHeader::decode`].
    pub const fn is_served(&self) -> bool {
        self.api.serves(self.version)
    }

    /// Appends the header.
    pub fn encode(&self, w: &mut Writer) {
        w.set_flexible(false);
        w.i16(self.api.code());
        w.i16(self.version);
        w.i32(self.correlation_id);
        w.nullable_str(self.client_id);
        if self.api.request_header_version(self.version) >= 2 {
            w.uvarint(0);
        }
    }
}

/// The header of a response; which version depends on the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseHeader {
    /// The number of the request that is answered.
    pub correlation_id: i32,
}

impl ResponseHeader {
    /// Splits a frame into the header and the body behind it.
    pub fn decode(frame: &[u8], api: ApiKey, version: i16) -> Result<(Self, &[u8]), WireError> {
        let mut r = Reader::new(frame, api.response_header_version(version) >= 1);
        let correlation_id = r.i32()?;
        r.skip_tags()?;
        Ok((Self { correlation_id }, r.rest()))
    }

    /// Appends the header.
    pub fn encode(self, w: &mut Writer, api: ApiKey, version: i16) {
        w.i32(self.correlation_id);
        if api.response_header_version(version) >= 1 {
            w.uvarint(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(header: &RequestHeader<'_>) -> Vec<u8> {
        let mut w = Writer::new(false);
        header.encode(&mut w);
        w.finish().unwrap().bytes
    }

    #[test]
    fn request_headers_round_trip_in_every_version() {
        for &api in ApiKey::ALL {
            for version in api.versions() {
                for client_id in [None, Some(""), Some("rdkafka")] {
                    let header = RequestHeader {
                        api,
                        version,
                        correlation_id: -5,
                        client_id,
                    };
                    let mut frame = encode(&header);
                    frame.extend(b"body");
                    assert_eq!(RequestHeader::decode(&frame), Ok((header, &b"body"[..])));
                }
            }
        }
    }

    #[test]
    fn an_unknown_api_or_version_is_an_error() {
        let unknown = [0x7f, 0xff, 0, 0, 0, 0, 0, 1, 0xff, 0xff];
        assert_eq!(
            RequestHeader::decode(&unknown),
            Err(WireError::UnknownApi(0x7fff))
        );
        let old_produce = [0, 0, 0, 2, 0, 0, 0, 1, 0xff, 0xff];
        let want = WireError::UnsupportedVersion { key: 0, version: 2 };
        assert_eq!(RequestHeader::decode(&old_produce), Err(want));
    }

    #[test]
    fn an_api_that_is_only_known_is_an_error() {
        let mut keys = ApiKey::KNOWN.iter();
        let Some(&api) = keys.find(|api| !api.serves(api.api().version_max)) else {
            return;
        };
        let header = RequestHeader {
            api,
            version: api.api().version_max,
            correlation_id: 1,
            client_id: None,
        };
        let want = Err(WireError::UnknownApi(api.code()));
        assert_eq!(RequestHeader::decode(&encode(&header)), want);
    }

    #[test]
    fn api_versions_too_new_still_gives_the_correlation_id() {
        let frame = [0, 18, 0, 99, 0, 0, 0, 7, 0, 1, b'x', 0xde, 0xad];
        let (header, _) = RequestHeader::decode(&frame).unwrap();
        assert_eq!((header.correlation_id, header.client_id), (7, Some("x")));
        assert!(!header.is_served());
    }

    proptest! {
        #[test]
        fn no_input_panics(frame: Vec<u8>) {
            let _ = RequestHeader::decode(&frame);
            let _ = ResponseHeader::decode(&frame, ApiKey::Fetch, 12);
        }
    }
}
