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

    /// Every name.
    fn names(&self) -> Box<dyn Iterator<Item = &str> + '_>;
}
