//! The topics there are, as a group needs to know them.

use net_wire::Uuid;

/// A topic that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its id.
    pub id: Uuid,
    /// How many partitions it has.
    pub partitions: i32,
}

/// The topics of the cluster.
pub trait Topics {
    /// Another number after each change, so that nobody looks at everything to see whether any is.
    fn version(&self) -> u64;

    /// The topic of a name.
    fn by_name(&self, name: &str) -> Option<Topic>;

    /// The name of a topic.
    fn name_of(&self, id: Uuid) -> Option<&str>;

    /// Every name.
    fn names(&self) -> Box<dyn Iterator<Item = &str> + '_>;
}

/// A cluster without topics.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTopics;

impl Topics for NoTopics {
    fn version(&self) -> u64 {
        0
    }

    fn by_name(&self, _: &str) -> Option<Topic> {
        None
    }

    fn name_of(&self, _: Uuid) -> Option<&str> {
        None
    }

    fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        Box::new(std::iter::empty())
    }
}
