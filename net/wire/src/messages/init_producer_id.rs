//! `InitProducerId` (key 22, KIP-98): the id and epoch that make a producer idempotent.
//!
//! Version 3 goes on after an epoch error (KIP-360), 4 may answer `PRODUCER_FENCED`, 5
//! `TRANSACTION_ABORTABLE` (KIP-890).

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Asks for a producer id, or for the next epoch of one.
    pub struct InitProducerIdRequest<'a> for InitProducerId {
        /// The transactional id, or null for a producer that is only idempotent.
        transactional_id: Option<&'a str> [0.., null 0..],
        /// After how long an idle transaction is aborted.
        transaction_timeout_ms: i32 [0..],
        /// The id to go on with after an epoch error (KIP-360), or -1.
        producer_id: i64 [3..] = -1,
        /// The epoch to go on from, or -1.
        producer_epoch: i16 [3..] = -1,
    }

    /// The producer id and its epoch.
    pub struct InitProducerIdResponse for InitProducerId {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The id of the producer, or -1.
        producer_id: i64 [0..] = -1,
        /// The epoch of the producer, or -1.
        producer_epoch: i16 [0..],
    }
}
