//! The committed offsets of one group.

use std::collections::BTreeMap;

use net_wire::Uuid;

/// An offset that was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The offset of the next record to read.
    pub offset: i64,
    /// The leader epoch of the last record read, or -1.
    pub leader_epoch: i32,
    /// Whatever the client keeps beside it.
    pub metadata: String,
    /// When it was committed, by the wall clock.
    pub commit_timestamp_ms: i64,
    /// When it expires, if the client said so (versions 2 to 4 of `OffsetCommit`).
    pub expire_timestamp_ms: Option<i64>,
    /// The id of the topic, or zero if the record does not say.
    pub topic_id: Uuid,
}

impl Default for CommittedOffset {
    fn default() -> Self {
        Self {
            offset: -1,
            leader_epoch: -1,
            metadata: String::new(),
            commit_timestamp_ms: 0,
            expire_timestamp_ms: None,
            topic_id: Uuid::ZERO,
        }
    }
}

impl CommittedOffset {
    /// Which topic of the name it is for, if it says so.
    pub fn known_topic_id(&self) -> Option<Uuid> {
        (self.topic_id != Uuid::ZERO).then_some(self.topic_id)
    }
}

/// Offsets by topic and partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offsets {
    topics: BTreeMap<String, BTreeMap<i32, CommittedOffset>>,
    count: usize,
}

impl Offsets {
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn get(&self, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.topics.get(topic)?.get(&partition)
    }

    pub(crate) fn insert(&mut self, topic: &str, partition: i32, offset: CommittedOffset) {
        let partitions = match self.topics.get_mut(topic) {
            Some(partitions) => partitions,
            None => self.topics.entry(topic.to_owned()).or_default(),
        };
        self.count += usize::from(partitions.insert(partition, offset).is_none());
    }

    pub(crate) fn remove(&mut self, topic: &str, partition: i32) -> bool {
        let Some(partitions) = self.topics.get_mut(topic) else {
            return false;
        };
        let removed = partitions.remove(&partition).is_some();
        if partitions.is_empty() {
            self.topics.remove(topic);
        }
        self.count -= usize::from(removed);
        removed
    }

    /// All topics that have offsets.
    pub(crate) fn topics(&self) -> impl Iterator<Item = (&str, &BTreeMap<i32, CommittedOffset>)> {
        self.topics
            .iter()
            .map(|(topic, partitions)| (topic.as_str(), partitions))
    }

    /// All offsets.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, i32, &CommittedOffset)> {
        self.topics().flat_map(|(topic, partitions)| {
            let offsets = partitions.iter();
            offsets.map(move |(partition, offset)| (topic, *partition, offset))
        })
    }
}
