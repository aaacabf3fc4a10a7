//! Why a command is refused: Kafka's error code with Kafka's words.

use std::fmt;

/// The error codes of the Kafka protocol that a metadata command can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i16)]
pub enum ErrorCode {
    /// No such topic, by name.
    UnknownTopicOrPartition = 3,
    /// A topic name against the rules, or one that collides with another topic's.
    InvalidTopicException = 17,
    /// The topic is there already.
    TopicAlreadyExists = 36,
    /// A number of partitions that is not positive, or not an increase.
    InvalidPartitions = 37,
    /// A replication factor that is not positive, or above the number of brokers.
    InvalidReplicationFactor = 38,
    /// A manual assignment of replicas that cannot be.
    InvalidReplicaAssignment = 39,
    /// A configuration name or value that is not accepted.
    InvalidConfig = 40,
    /// A request that contradicts itself.
    InvalidRequest = 42,
    /// More than one request may ask for.
    PolicyViolation = 44,
    /// `delete.topic.enable` is false.
    TopicDeletionDisabled = 73,
    /// No such topic, by id.
    UnknownTopicId = 100,
}

impl ErrorCode {
    /// The number on the wire.
    pub const fn code(self) -> i16 {
        self as i16
    }
}

/// A refused command.
#[derive(Debug, Clone, PartialEq, Eq)]
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

impl fmt::Display for MetaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?})", self.message, self.code)
    }
}

impl std::error::Error for MetaError {}
