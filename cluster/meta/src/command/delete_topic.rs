//! `DeleteTopics`, one topic of it.

use net_wire::ErrorCode;

use crate::config::StaticConfig;
use crate::error::MetaError;
use crate::ids::TopicId;
use crate::record::Record;
use crate::state::State;

/// How a client names a topic.
#[derive(Debug, Clone, Copy)]
pub enum TopicRef<'a> {
    /// By name.
    Name(&'a str),
    /// By identifier (KIP-516).
    Id(TopicId),
}

/// The record that deletes a topic: a tombstone, after whose flush its files may be unlinked.
pub fn delete_topic(
    state: &State,
    fixed: &StaticConfig,
    topic: TopicRef<'_>,
) -> Result<Record, MetaError> {
    if !fixed.flag("delete.topic.enable") {
        let message = "Topic deletion is disabled.";
        return Err(MetaError::new(ErrorCode::TOPIC_DELETION_DISABLED, message));
    }
    let found = match topic {
        TopicRef::Name(name) => state.topic_by_name(name).ok_or_else(unknown_topic),
        TopicRef::Id(id) => state.topic(id).ok_or_else(|| {
            let message = "This server does not host this topic ID.";
            MetaError::new(ErrorCode::UNKNOWN_TOPIC_ID, message)
        }),
    };
    Ok(Record::TopicDeleted {
        topic_id: found?.topic_id,
    })
}

/// The error for a name that no topic has.
pub(super) fn unknown_topic() -> MetaError {
    let message = "This server does not host this topic-partition.";
    MetaError::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message)
}
