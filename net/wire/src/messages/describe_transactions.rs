//! `DescribeTransactions` (key 65, KIP-664): describes transactions by their transactional ids.

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Asks for transactions.
    pub struct DescribeTransactionsRequest<'a> for DescribeTransactions {
        /// The transactional ids.
        transactional_ids: Vec<&'a str> [0..],
    }

    /// The transactions.
    pub struct DescribeTransactionsResponse<'a> for DescribeTransactions {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The transactions.
        transaction_states: Vec<TransactionState<'a>> [0..],
    }

    /// One transaction.
    pub struct TransactionState<'a> {
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The transactional id.
        transactional_id: &'a str [0..],
        /// The state of the transaction, by Kafka's name.
        transaction_state: &'a str [0..],
        /// Its timeout.
        transaction_timeout_ms: i32 [0..],
        /// When it began, or -1.
        transaction_start_time_ms: i64 [0..],
        /// The id of the producer.
        producer_id: i64 [0..],
        /// The epoch of the producer.
        producer_epoch: i16 [0..],
        /// The partitions that take part, by topic.
        topics: Vec<TopicData<'a>> [0..],
    }

    /// The partitions of one topic.
    pub struct TopicData<'a> {
        /// The name of the topic.
        topic: &'a str [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }
}
