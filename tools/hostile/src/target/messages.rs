//! Messages of every API in every version: the first bytes pick them. What was read says the same
//! when it is written and read again.

use net_wire::{ApiKey, RequestHeader, WireError, recode_request, recode_response};

use crate::input::Input;

type Recode = fn(ApiKey, i16, &[u8]) -> Result<Vec<u8>, WireError>;

/// What the server reads: a header, then the body that it names.
pub(super) fn requests(bytes: &[u8]) {
    let (api, version, body) = picked(bytes);
    said_again(recode_request, api, version, body);
    // As it comes from a socket, the whole of it.
    if let Ok((header, body)) = RequestHeader::decode(bytes)
        && header.is_served()
    {
        said_again(recode_request, header.api, header.version, body);
    }
}

/// What our own client reads.
pub(super) fn responses(bytes: &[u8]) {
    let (api, version, body) = picked(bytes);
    said_again(recode_response, api, version, body);
}

fn picked(bytes: &[u8]) -> (ApiKey, i16, &[u8]) {
    let mut input = Input::new(bytes);
    let api = ApiKey::KNOWN[usize::from(input.u8()) % ApiKey::KNOWN.len()];
    let versions = api.versions().count();
    let version = *api.versions().start() + i16::from(input.u8()) % versions as i16;
    (api, version, input.rest())
}

fn said_again(recode: Recode, api: ApiKey, version: i16, body: &[u8]) {
    // Lists of empty elements take a byte each, so memory is a multiple of the frame, no more.
    let Ok(once) = recode(api, version, body) else {
        return;
    };
    let again = recode(api, version, &once);
    assert_eq!(again.as_ref(), Ok(&once), "{api:?} {version}");
}
