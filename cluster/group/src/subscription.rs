//! The one thing that is read of what consumers say to each other: the topics they are subscribed to.

use std::collections::BTreeSet;

use net_wire::{Reader, WireError};

/// The protocol type whose subscriptions have this form.
pub(crate) const CONSUMER: &str = "consumer";

/// The topics of a `ConsumerProtocolSubscription`: a version, then an array of names. Nobody but
/// members checks what members say, so that any other bytes are no error.
pub(crate) fn topics(subscription: &[u8]) -> Result<BTreeSet<String>, WireError> {
    let mut r = Reader::new(subscription, false);
    let version = r.i16()?;
    if version < 0 {
        return Err(WireError::NegativeLength(version.into()));
    }
    let names =
        r.nullable_array(|r| r.nullable_str()?.ok_or(WireError::UnexpectedNull("topic")))?;
    Ok(names
        .unwrap_or_default()
        .into_iter()
        .map(str::to_owned)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_and_rubbish_is_refused() {
        let bytes = b"\x00\x01\x00\x00\x00\x02\x00\x01a\x00\x01b\xff\xff\xff\xff";
        let expected = ["a", "b"].map(str::to_owned);
        assert_eq!(topics(bytes), Ok(expected.into()));
        assert!(topics(b"").is_err());
        assert!(topics(b"\x00\x01\x00\x00\x00\x09").is_err());
        assert!(topics(b"\xff\xff").is_err());
    }
}
