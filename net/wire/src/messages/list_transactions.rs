//! `ListTransactions` (key 66, KIP-664): lists the transactions that a broker coordinates.
//!
//! Version 1 adds the filter by duration (KIP-994), 2 the one by pattern (KIP-1152).

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Asks which transactions there are.
    pub struct ListTransactionsRequest<'a> for ListTransactions {
        /// The states wanted; none means all.
        state_filters: Vec<&'a str> [0..],
        /// The ids of producers wanted; none means all.
        producer_id_filters: Vec<i64> [0..],
        /// How long they must run already; -1 means any.
        duration_filter: i64 [1..] = -1,
        /// What the transactional ids match, in RE2's syntax; null or empty means all.
        transactional_id_pattern: Option<&'a str> [2.., null 2..],
    }

    /// The transactions of this broker.
    pub struct ListTransactionsResponse<'a> for ListTransactions {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The states asked for that do not exist.
        unknown_state_filters: Vec<&'a str> [0..],
        /// The transactions.
        transaction_states: Vec<TransactionState<'a>> [0..],
    }

    /// One transaction.
    pub struct TransactionState<'a> {
        /// The transactional id.
        transactional_id: &'a str [0..],
        /// The id of the producer.
        producer_id: i64 [0..],
        /// The state of the transaction, by Kafka's name.
        transaction_state: &'a str [0..],
    }
}
