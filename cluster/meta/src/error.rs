//! Why a command is refused: Kafka's error code with Kafka's words.

use net_wire::ErrorCode;
use thiserror::Error;

/// A refused command.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message} ({})", code.name())]
pub struct MetaError {
    /// What a client decides by.
    pub code: ErrorCode,
    /// What a person reads; Kafka's own words where Kafka has the error.
    pub message: String,
}

impl MetaError {
    /// An error of this code and text.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}
