//! Kafka's UUID: sixteen bytes, printed as URL-safe base64 (KIP-516).

use core::fmt;
use core::str::FromStr;

/// An identifier of 128 bits, as topics have since KIP-516.
///
/// Kafka prints it as 22 characters of URL-safe base64, not in the usual form with dashes.
///
/// ```
/// use net_wire::Uuid;
/// let id: Uuid = "AAAAAAAAAAAAAAAAAAAAAQ".parse().unwrap();
/// assert_eq!(id, Uuid::METADATA_TOPIC);
/// assert_eq!(id.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uuid([u8; 16]);

impl Uuid {
    /// No identifier: the peer names the topic instead, or not at all.
    pub const ZERO: Self = Self([0; 16]);
    /// The identifier Kafka keeps for its cluster metadata topic; no other topic may have it.
    pub const METADATA_TOPIC: Self = Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

    /// An identifier of these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes as they are on the wire.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Whether this stands for no identifier.
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// 128 bits at six a character.
const TEXT_LEN: usize = 22;

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        let bits = u128::from_be_bytes(self.0);
        for position in 0..TEXT_LEN {
            // The last character holds two bits, at the upper end of its six.
            let six = if position == TEXT_LEN - 1 {
                (bits << 4) & 0x3f
            } else {
                (bits >> (122 - 6 * position)) & 0x3f
            };
            let letter = ALPHABET.get(six as usize).copied().unwrap_or(b'A');
            f.write_char(char::from(letter))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not 22 characters of URL-safe base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a Kafka UUID: 22 characters of URL-safe base64 are needed")]
pub struct ParseUuidError;

impl FromStr for Uuid {
    type Err = ParseUuidError;

    fn from_str(text: &str) -> Result<Self, ParseUuidError> {
        if text.len() != TEXT_LEN {
            return Err(ParseUuidError);
        }
        let mut bits = 0_u128;
        for (position, letter) in text.bytes().enumerate() {
            let six = ALPHABET
                .iter()
                .position(|&l| l == letter)
                .ok_or(ParseUuidError)? as u128;
            if position == TEXT_LEN - 1 {
                if six & 0x0f != 0 {
                    return Err(ParseUuidError);
                }
                bits = (bits << 2) | (six >> 4);
            } else {
                bits = (bits << 6) | six;
            }
        }
        Ok(Self(bits.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_is_what_kafka_prints() {
        // Bytes and text as printed by Kafka's own class.
        let id = Uuid::from_bytes([
            0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 0x0f, 0xed, 0xcb, 0xa9, 0x87, 0x65,
            0x43, 0x21,
        ]);
        assert_eq!(id.to_string(), "EjRWeJq83vAP7cuph2VDIQ");
    }

    #[test]
    fn bad_text_is_refused() {
        for text in [
            "",
            "AAAA",
            "AAAAAAAAAAAAAAAAAAAAAB",
            "AAAAAAAAAAAAAAAAAAAA+A",
        ] {
            assert_eq!(text.parse::<Uuid>(), Err(ParseUuidError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_round_trips(bytes: [u8; 16]) {
            let id = Uuid::from_bytes(bytes);
            prop_assert_eq!(id.to_string().parse::<Uuid>(), Ok(id));
        }
    }
}
