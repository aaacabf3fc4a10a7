//! `DeleteTopics` (key 20, KIP-4).
//!
//! Version 5 adds error messages (KIP-599), 6 deletion by topic id (KIP-516).

use std::borrow::Cow;

use crate::error_code::ErrorCode;
use crate::schema::schema;
use crate::uuid::Uuid;

schema! {
    /// Deletes topics by name, from version 6 also by id.
    pub struct DeleteTopicsRequest<'a> for DeleteTopics {
        /// The topics.
        topics: Vec<DeleteTopicState<'a>> [6..],
        /// The names of the topics.
        topic_names: Vec<&'a str> [0..=5],
        /// How long the broker may take.
        timeout_ms: i32 [0..],
    }

    /// A topic to delete: by name, or by id with a null name.
    pub struct DeleteTopicState<'a> {
        /// The name, or null when given by id.
        name: Option<&'a str> [6.., null 6..],
        /// The id of the topic, or zero.
        topic_id: Uuid [6..],
    }

    /// What became of each topic.
    pub struct DeleteTopicsResponse<'a> for DeleteTopics {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [1..],
        /// The topics.
        responses: Vec<DeletableTopicResult<'a>> [0..],
    }

    /// What became of one topic.
    pub struct DeletableTopicResult<'a> {
        /// The name; null for an id that is not known.
        name: Option<&'a str> [0.., null 6..],
        /// The id of the topic, or zero.
        topic_id: Uuid [6..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [5.., null 5..],
    }
}
