//! The topics of the cluster, as coordinators see them.

use cluster_group::consumer::{Topic, Topics};
use cluster_meta::State;
use net_wire::Uuid;

/// The topics of a state.
pub(super) struct ClusterTopics<'a>(pub(super) &'a State);

impl Topics for ClusterTopics<'_> {
    fn version(&self) -> u64 {
        self.0.changes()
    }

    fn by_name(&self, name: &str) -> Option<Topic> {
        let topic = self.0.topic_by_name(name)?;
        Some(Topic {
            id: topic.topic_id,
            partitions: topic.partitions.len() as i32,
        })
    }

    fn name_of(&self, id: Uuid) -> Option<&str> {
        self.0.topic(id).map(|topic| &*topic.name)
    }

    fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        Box::new(self.0.topics_by_name().map(|topic| &*topic.name))
    }
}
