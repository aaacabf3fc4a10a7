//! Why bytes from a peer are not a message.

use thiserror::Error;

/// A fault in what a peer sent, or a value that the protocol cannot carry.
///
/// None of them leaves anything to answer to: a server closes the connection, as Kafka does, for
/// after a misread field nothing behind it can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WireError {
    /// The bytes end before the field does.
    #[error("{needed} bytes needed, {available} left")]
    Truncated {
        /// Bytes that the field takes.
        needed: usize,
        /// Bytes that were left.
        available: usize,
    },
    /// A variable-length integer is longer or larger than its type.
    #[error("variable-length integer overflows")]
    VarintOverflow,
    /// A length below -1, the value that stands for null.
    #[error("negative length {0}")]
    NegativeLength(i32),
    /// Null where this version of the message has no null.
    #[error("field {0} is null")]
    UnexpectedNull(&'static str),
    /// A string is not UTF-8.
    #[error("string is not UTF-8")]
    NotUtf8,
    /// A string above the 32767 bytes that Kafka allows in both of its encodings.
    #[error("string of {0} bytes is longer than 32767")]
    StringTooLong(usize),
    /// An array says it has more elements than bytes are left, at one byte an element.
    #[error("array of {count} elements in {available} bytes")]
    ArrayTooLong {
        /// Elements announced.
        count: usize,
        /// Bytes that were left.
        available: usize,
    },
    /// A message with more array elements in all than any client sends.
    #[error("more than {0} array elements in one message")]
    TooManyElements(u32),
    /// A value above what its length prefix can say.
    #[error("{0} bytes do not fit a 32-bit length")]
    LengthOverflow(usize),
    /// A frame length outside of the bounds; nothing of the frame was read.
    #[error("frame of {len} bytes, allowed are {min} to {max}")]
    FrameLength {
        /// The length that was announced.
        len: i32,
        /// Smallest frame there is.
        min: usize,
        /// Largest frame that this end accepts.
        max: usize,
    },
    /// An API key that is not served.
    #[error("API key {0} is not served")]
    UnknownApi(i16),
    /// A version of a served API that is not served.
    #[error("version {version} of API key {key} is not served")]
    UnsupportedVersion {
        /// The API key.
        key: i16,
        /// The version asked for.
        version: i16,
    },
}
