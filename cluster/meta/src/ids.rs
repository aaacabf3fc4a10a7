//! Names of things as types, so that no number is mistaken for another.

use std::fmt;

/// The identifier a topic keeps for life (KIP-516); its name may be used again, this never is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TopicId([u8; 16]);

impl TopicId {
    /// No identifier.
    pub const ZERO: Self = Self([0; 16]);
    /// The identifier that Kafka keeps for its cluster metadata topic (`Uuid.METADATA_TOPIC_ID`).
    pub const METADATA_TOPIC: Self = Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

    /// An identifier of these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes as they stand on the wire and on disk.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Whether a topic may have it: the two lowest stand for other things.
    pub fn is_reserved(&self) -> bool {
        *self <= Self::METADATA_TOPIC
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// A broker (`node.id`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub i32);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A small number that this log gives to each topic it creates, in order and never again.
///
/// It spreads partitions over shards evenly and stands for the topic where sixteen bytes are much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TopicNumber(pub u32);

/// A shard of this node, counted from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ShardIndex(pub u32);
