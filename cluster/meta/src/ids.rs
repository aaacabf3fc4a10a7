//! Names of things as types, so that no number is mistaken for another.

use std::fmt;

/// The identifier a topic keeps for life (KIP-516); its name may be used again, this never is.
pub type TopicId = net_wire::Uuid;

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
