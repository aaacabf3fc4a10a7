//! How a shard follows the metadata: its replica of the state, and its partitions.
//!
//! A record changes both without a wait in between, so that requests on this shard never see one
//! without the other. Files of deleted partitions go afterwards.

use std::cell::RefCell;
use std::rc::Rc;

use cluster_control::ApplyMail;
use cluster_meta::config::StaticConfig;
use cluster_meta::{ConfigResource, Record, State, Topic, TopicId};
use engine_rt::{MailReceiver, MailSender, OneshotReceiver, oneshot, spawn};
use engine_shard::{Shard, TopicPartition};

use super::cleaner::CleanerShare;
use super::specs;

/// What a shard's follower of the metadata has.
pub(super) struct Applier {
    pub(super) shard: Rc<Shard>,
    pub(super) state: Rc<RefCell<State>>,
    pub(super) fixed: StaticConfig,
    /// Where it says that it has no partition of a deleted topic any more.
    pub(super) emptied: MailSender<TopicId>,
    pub(super) cleaner: CleanerShare,
}

impl Applier {
    /// Applies records as they come.
    pub(super) async fn run(self, mut mail: MailReceiver<ApplyMail>) {
        while let Some(ApplyMail { records, done }) = mail.receive().await {
            for record in records.iter() {
                self.apply(record);
            }
            done.send(());
        }
    }

    fn apply(&self, record: &Record) {
        // A deleted topic's partitions are known before only.
        let deleted = self.owned_by_deleted(record);
        self.state.borrow_mut().apply(record);
        match record {
            Record::TopicCreated { topic_id, .. } => self.create(*topic_id, 0),
            Record::PartitionsAdded {
                topic_id, first, ..
            } => {
                self.create(*topic_id, *first as usize);
            },
            Record::TopicDeleted { topic_id } => self.delete(*topic_id, deleted),
            Record::ConfigsChanged { resource, .. } => self.configure(resource),
            _ => {},
        }
    }

    fn create(&self, topic_id: TopicId, first: usize) {
        let state = self.state.borrow();
        let topic = state.topic(topic_id).expect("it was created just now");
        for (owner, spec) in specs::of_topic(&state, &self.fixed, topic, first) {
            if owner == self.shard.index() {
                self.shard.create_partition(spec);
            }
        }
    }

    fn owned_by_deleted(&self, record: &Record) -> Vec<TopicPartition> {
        let Record::TopicDeleted { topic_id } = record else {
            return Vec::new();
        };
        let state = self.state.borrow();
        let topic = state.topic(*topic_id).expect("a deleted topic was there");
        let all = specs::of_topic(&state, &self.fixed, topic, 0);
        let own = all.filter(|(owner, _)| *owner == self.shard.index());
        own.map(|(_, spec)| spec.id).collect()
    }

    /// Takes partitions out of service now; their files go when nobody reads them any more.
    fn delete(&self, topic_id: TopicId, partitions: Vec<TopicPartition>) {
        let gone: Vec<OneshotReceiver<()>> = partitions
            .into_iter()
            .map(|id| {
                let (done, gone) = oneshot();
                let shard = Rc::clone(&self.shard);
                self.shard.run(Box::pin(async move {
                    shard.delete_partition(id).await;
                    done.send(());
                }));
                gone
            })
            .collect();
        let emptied = self.emptied.clone();
        spawn(async move {
            for partition in gone {
                partition.await;
            }
            // A node that is stopping goes on with it at its next start.
            let _stopping = emptied.send(topic_id).await;
        })
        .detach();
    }

    fn configure(&self, resource: &ConfigResource) {
        let state = self.state.borrow();
        match resource {
            ConfigResource::Topic(id) => {
                let topic = state.topic(*id).expect("a configured topic is there");
                self.configure_topic(&state, topic);
            },
            // Defaults of every topic, and what the node itself goes by.
            ConfigResource::Broker(_) | ConfigResource::ClusterDefault => {
                self.configure_cleaner(&state);
                for topic in state.topics() {
                    self.configure_topic(&state, topic);
                }
            },
            // No partition has these.
            ConfigResource::Group(_) | ConfigResource::ClientMetrics(_) => {},
        }
    }

    /// Puts what the settings say of compaction in force.
    pub(super) fn configure_cleaner(&self, state: &State) {
        let options = self.cleaner.options(&state.broker_layers(&self.fixed));
        self.shard.set_compaction(options);
    }

    fn configure_topic(&self, state: &State, topic: &Topic) {
        for (owner, spec) in specs::of_topic(state, &self.fixed, topic, 0) {
            if owner == self.shard.index() {
                self.shard.set_config(spec.id, spec.config);
            }
        }
    }
}
