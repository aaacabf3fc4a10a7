//! SCRAM credentials: what is kept of a password (RFC 5802, KIP-554).

use std::fmt;

use crate::codec::{DecodeError, Reader, Writer};

/// How credentials are derived, numbered as the protocol does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i8)]
pub enum ScramMechanism {
    /// `SCRAM-SHA-256`.
    Sha256 = 1,
    /// `SCRAM-SHA-512`.
    Sha512 = 2,
}

impl ScramMechanism {
    /// Every mechanism.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// Its number.
    pub const fn code(self) -> i8 {
        self as i8
    }

    /// The mechanism of this number.
    pub fn from_code(code: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.code() == code)
    }

    /// Bytes of its keys.
    pub const fn key_bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// Iterations of a derivation, at least and at most, as Kafka allows them.
pub(crate) const ITERATIONS_MIN: i32 = 4_096;
pub(crate) const ITERATIONS_MAX: i32 = 16_384;
/// Bytes of a salt: clients make some dozens, and it is kept in memory.
pub(crate) const SALT_BYTES_MAX: usize = 1_024;

/// A credential: enough to check a proof of the password, and not enough to give one.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramCredential {
    /// The salt.
    pub salt: Vec<u8>,
    /// The hash of the client's key.
    pub stored_key: Vec<u8>,
    /// The server's key.
    pub server_key: Vec<u8>,
    /// Iterations of the derivation.
    pub iterations: i32,
}

/// A log that is printed shows no key: with these one can pretend to be the server.
impl fmt::Debug for ScramCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramCredential")
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

impl ScramCredential {
    /// Whether it is such as commands let through.
    pub(crate) fn fits(&self, mechanism: ScramMechanism) -> bool {
        let keys = [&self.stored_key, &self.server_key];
        (ITERATIONS_MIN..=ITERATIONS_MAX).contains(&self.iterations)
            && self.salt.len() <= SALT_BYTES_MAX
            && keys
                .into_iter()
                .all(|key| key.len() == mechanism.key_bytes())
    }
}

pub(crate) fn encode_change(
    out: &mut Writer,
    mechanism: ScramMechanism,
    credential: Option<&ScramCredential>,
) {
    out.u8(mechanism.code().cast_unsigned());
    out.u8(u8::from(credential.is_some()));
    if let Some(credential) = credential {
        out.i32(credential.iterations);
        for bytes in [
            &credential.salt,
            &credential.stored_key,
            &credential.server_key,
        ] {
            out.blob(bytes);
        }
    }
}

pub(crate) fn decode_change(
    from: &mut Reader<'_>,
) -> Result<(ScramMechanism, Option<ScramCredential>), DecodeError> {
    let mechanism = ScramMechanism::from_code(from.u8()?.cast_signed());
    let mechanism = mechanism.ok_or(DecodeError::Invalid("SCRAM mechanism"))?;
    let credential = match from.u8()? {
        0 => None,
        1 => Some(ScramCredential {
            iterations: from.i32()?,
            salt: from.blob()?,
            stored_key: from.blob()?,
            server_key: from.blob()?,
        }),
        _ => return Err(DecodeError::Invalid("mark of a credential")),
    };
    Ok((mechanism, credential))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_not_printed() {
        let credential = ScramCredential {
            salt: vec![201; 20],
            stored_key: vec![202; 32],
            server_key: vec![203; 32],
            iterations: 4_096,
        };
        let printed = format!("{credential:?}");
        assert!(printed.contains("4096"), "{printed}");
        for secret in ["201", "202", "203"] {
            assert!(!printed.contains(secret), "{printed}");
        }
    }
}
