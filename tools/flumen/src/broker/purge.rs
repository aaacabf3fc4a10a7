//! The end of a deleted topic: when no shard has a partition of it, its directory goes, and then
//! its tombstone. What was not finished is resumed at the next start (rule 17).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use cluster_control::ControlHandle;
use cluster_meta::{Record, State, TopicId};
use engine_rt::{MailReceiver, fs};
use engine_shard::TopicPartition;

/// The task that finishes deletes.
pub(super) struct Purge {
    /// The directory of all topics.
    pub(super) topics: PathBuf,
    pub(super) control: ControlHandle,
    pub(super) shards: usize,
}

impl Purge {
    /// Finishes the deletes of earlier lives, then those that all shards report.
    pub(super) async fn run(self, left_over: Vec<TopicId>, mut emptied: MailReceiver<TopicId>) {
        for topic_id in left_over {
            self.finish(topic_id).await;
        }
        let mut shards_done = BTreeMap::<TopicId, usize>::new();
        while let Some(topic_id) = emptied.receive().await {
            let done = shards_done.entry(topic_id).or_default();
            *done += 1;
            if *done == self.shards {
                shards_done.remove(&topic_id);
                self.finish(topic_id).await;
            }
        }
    }

    async fn finish(&self, topic_id: TopicId) {
        let dir = self.topics.join(TopicPartition::topic_dir(topic_id));
        if let Err(error) = remove_dir(&dir, &self.topics).await {
            tracing::warn!(%topic_id, %error, "files of a deleted topic remain until the next start");
            return;
        }
        let change = move |state: &State, _: &_| {
            let is_left = state.tombstones().contains_key(&topic_id);
            let purged = is_left.then_some(Record::TopicPurged { topic_id });
            Ok(purged.into_iter().collect())
        };
        if let Err(error) = self.control.propose(Box::new(change)).await {
            tracing::warn!(%topic_id, %error, "a tombstone remains until the next start");
        }
    }
}

/// Removes a topic's directory, durably. Partitions have no directories of their own.
async fn remove_dir(dir: &Path, parent: &Path) -> io::Result<()> {
    if !fs::exists(dir).await? {
        return Ok(());
    }
    for name in fs::read_dir(dir).await? {
        fs::remove_file(&dir.join(name)).await?;
    }
    fs::remove_dir(dir).await?;
    fs::sync_dir(parent).await
}

/// Directories of topics that the metadata does not know, dead or alive. They are left alone.
pub(super) async fn unknown_topics(topics: &Path, state: &State) -> io::Result<Vec<String>> {
    if !fs::exists(topics).await? {
        return Ok(Vec::new());
    }
    let alive = state.topics().map(|topic| topic.topic_id);
    let known: Vec<String> = alive
        .chain(state.tombstones().keys().copied())
        .map(TopicPartition::topic_dir)
        .collect();
    let mut names = fs::read_dir(topics).await?;
    names.retain(|name| !known.contains(name));
    Ok(names)
}
