//! What a client may meet, owned, so that it outlives the frame it came in.

use std::io;
use std::sync::Arc;

use net_wire::{ApiKey, ErrorCode, WireError};
use thiserror::Error;

/// Why a call has no result.
#[derive(Clone, Debug, Error)]
pub enum ClientError {
    /// The socket failed.
    #[error("connection: {0}")]
    Io(Arc<io::Error>),
    /// The broker closed the connection, or this end did.
    #[error("the connection was closed")]
    Closed,
    /// The answer is not what the protocol says.
    #[error("unreadable answer: {0}")]
    Wire(#[from] WireError),
    /// Answers came out of order.
    #[error("answer to request {found} where {expected} was due")]
    Correlation {
        /// The request that was answered.
        found: i32,
        /// The oldest one without answer.
        expected: i32,
    },
    /// The two ends have no version of an API in common.
    #[error("the broker does not serve {0:?} in a version this client speaks")]
    Unsupported(ApiKey),
    /// The broker answered with an error.
    #[error("{}: {}", code.name(), message.as_deref().unwrap_or_else(|| code.message()))]
    Refused {
        /// Kafka's error.
        code: ErrorCode,
        /// The broker's words, if it had any.
        message: Option<String>,
    },
    /// No connection to a broker could be made.
    #[error("no broker answers at {addr}: {why}")]
    NoBroker {
        /// Where it was looked for.
        addr: String,
        /// What was in the way.
        why: String,
    },
    /// A topic has no such partition.
    #[error("topic {topic} has no partition {partition}")]
    NoPartition {
        /// The topic.
        topic: String,
        /// What was asked for.
        partition: i32,
    },
    /// The answer lacks what was asked for.
    #[error("the answer lacks {0}")]
    Missing(&'static str),
}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

impl ClientError {
    /// Fails if `code` is an error.
    pub fn check(code: ErrorCode, message: Option<&str>) -> Result<(), Self> {
        if code.is_none() {
            return Ok(());
        }
        Err(Self::Refused {
            code,
            message: message.map(str::to_owned),
        })
    }

    /// Kafka's error, if the broker answered with one.
    pub const fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// The same refusal, with what was refused in front of its words.
    #[must_use]
    pub fn of(self, what: impl std::fmt::Display) -> Self {
        match self {
            Self::Refused { code, message } => {
                let words = message.unwrap_or_else(|| code.message().to_owned());
                Self::Refused {
                    code,
                    message: Some(format!("{what}: {words}")),
                }
            },
            other => other,
        }
    }

    /// Whether the same call may succeed later.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Io(_) | Self::Closed => true,
            Self::Refused { code, .. } => code.is_retriable(),
            _ => false,
        }
    }
}
