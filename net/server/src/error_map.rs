//! What Kafka calls the errors of the layers below: the one place that knows both.

use std::borrow::Cow;

use cluster_meta::MetaError;
use engine_shard::{ProducerError, ShardError};
use net_wire::ErrorCode;

use crate::propose::ProposeError;

/// The code for what a shard refuses.
pub(crate) const fn shard_code(error: &ShardError) -> ErrorCode {
    match error {
        ShardError::UnknownPartition(_) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ShardError::FencedLeaderEpoch { .. } => ErrorCode::FENCED_LEADER_EPOCH,
        ShardError::UnknownLeaderEpoch { .. } => ErrorCode::UNKNOWN_LEADER_EPOCH,
        ShardError::OffsetOutOfRange { .. } => ErrorCode::OFFSET_OUT_OF_RANGE,
        ShardError::Producer(error) => producer_code(error),
        ShardError::Storage(_) => ErrorCode::KAFKA_STORAGE_ERROR,
        // Retriable, and clients look for another broker at once.
        ShardError::Stopping => ErrorCode::NOT_LEADER_OR_FOLLOWER,
    }
}

const fn producer_code(error: &ProducerError) -> ErrorCode {
    match error {
        ProducerError::OutOfOrderSequence { .. } => ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
        ProducerError::InvalidEpoch { .. } => ErrorCode::INVALID_PRODUCER_EPOCH,
    }
}

/// The code for a change of the metadata that did not come about.
pub(crate) const fn propose_code(error: &ProposeError) -> ErrorCode {
    match error {
        ProposeError::Refused(refusal) => refusal.code,
        // Retriable, and admin clients look for the controller again.
        ProposeError::Unavailable(_) => ErrorCode::NOT_CONTROLLER,
    }
}

/// An error with the words for people, as admin responses carry them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// What clients decide by.
    pub code: ErrorCode,
    /// What people read.
    pub message: Cow<'static, str>,
}

impl Refusal {
    /// A refusal of this code and text.
    pub(crate) fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// A refusal in the code's own words.
    pub(crate) fn of(code: ErrorCode) -> Self {
        Self::new(code, code.message())
    }
}

impl From<MetaError> for Refusal {
    fn from(error: MetaError) -> Self {
        Self {
            code: error.code,
            message: error.message.into(),
        }
    }
}

impl From<ProposeError> for Refusal {
    fn from(error: ProposeError) -> Self {
        match error {
            ProposeError::Refused(refusal) => refusal.into(),
            ProposeError::Unavailable(_) => Self::new(propose_code(&error), error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_retriable_fault_has_a_retriable_code() {
        let faults = [
            ShardError::FencedLeaderEpoch {
                found: 1,
                current: 2,
            },
            ShardError::UnknownLeaderEpoch {
                found: 3,
                current: 2,
            },
            ShardError::Storage("disk".to_owned()),
            ShardError::Stopping,
        ];
        for fault in faults {
            assert!(shard_code(&fault).is_retriable(), "{fault}");
        }
        let stopping = ProposeError::Unavailable("stopping".to_owned());
        assert!(propose_code(&stopping).is_retriable());
    }

    #[test]
    fn faults_of_the_client_are_final() {
        let out_of_range = ShardError::OffsetOutOfRange {
            offset: 9,
            log_start_offset: 0,
            high_watermark: 5,
        };
        assert_eq!(shard_code(&out_of_range), ErrorCode::OFFSET_OUT_OF_RANGE);
        let sequence = ProducerError::OutOfOrderSequence {
            producer_id: 1,
            found: 5,
            last: 2,
        };
        let code = shard_code(&ShardError::Producer(sequence));
        assert_eq!(code, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
        assert!(!code.is_retriable());
    }

    #[test]
    fn meta_codes_keep_their_numbers_and_words() {
        let error = MetaError::new(ErrorCode::TOPIC_ALREADY_EXISTS, "there already");
        let refusal = Refusal::from(ProposeError::Refused(error));
        assert_eq!(
            refusal,
            Refusal::new(ErrorCode::TOPIC_ALREADY_EXISTS, "there already")
        );
    }
}
