//! What a partition is called inside the engine: by topic id, never by name.

use std::fmt;

use net_wire::Uuid;

use crate::bytes::{Fields, Take};

/// One partition of one topic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic's id, never reused.
    pub topic_id: Uuid,
    /// The partition's index in its topic.
    pub partition: u32,
}

/// Bytes of an encoded [`TopicPartition`].
pub(crate) const ID_BYTES: usize = 20;

impl TopicPartition {
    pub(crate) fn encode(self, into: &mut Fields) {
        into.raw(self.topic_id.as_bytes()).u32(self.partition);
    }

    pub(crate) fn decode(from: &mut Take<'_>) -> Option<Self> {
        let topic_id = Uuid::from_bytes(from.raw(16)?.try_into().ok()?);
        Some(Self {
            topic_id,
            partition: from.u32()?,
        })
    }

    /// The topic's directory name: its id in hexadecimal, so that no file system folds two ids.
    pub fn topic_dir(topic_id: Uuid) -> String {
        format!("{:032x}", u128::from_be_bytes(*topic_id.as_bytes()))
    }
}

impl fmt::Debug for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic_id, self.partition)
    }
}
