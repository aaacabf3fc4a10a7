//! A state as records, so that a new generation of the log starts small.

use crate::config::ConfigMap;
use crate::ids::TopicId;
use crate::record::{ConfigResource, OwnerOverride, Partition, PartitionRun, Record};
use crate::state::{Ownership, State, Tombstone, Topic};

impl State {
    /// Records that, applied to an empty state, give this one.
    pub fn snapshot(&self) -> Vec<Record> {
        let mut records = Vec::new();
        records.extend(self.cluster().map(|cluster| Record::ClusterCreated {
            cluster_id: cluster.cluster_id.clone(),
            node_id: cluster.node_id,
        }));
        let mut topics: Vec<&Topic> = self.topics().collect();
        topics.sort_by_key(|topic| topic.number);
        records.extend(topics.into_iter().map(topic_record));
        records.extend(
            self.tombstones()
                .iter()
                .map(|(id, stone)| tombstone_record(*id, stone)),
        );
        records.extend(self.config_records());
        let quotas = self.client_quotas().iter();
        records.extend(quotas.map(|(entity, set)| Record::ClientQuotasChanged {
            entity: entity.clone(),
            set: set.clone(),
            removed: Vec::new(),
        }));
        let credentials = self.scram_credentials().iter();
        records.extend(credentials.map(|((user, mechanism), credential)| {
            Record::ScramCredentialChanged {
                user: user.clone(),
                mechanism: *mechanism,
                credential: Some(credential.clone()),
            }
        }));
        records.extend(ownership_record(self.ownership()));
        if self.next_producer_id() > 0 {
            records.push(Record::ProducerIdBlock {
                next: self.next_producer_id(),
            });
        }
        if self.unclean_starts() > 0 {
            records.push(Record::UncleanStart {
                total: self.unclean_starts(),
            });
        }
        // Last, because the records above count too.
        records.push(Record::Counters {
            next_topic_number: self.next_topic_number(),
            broker_config_version: self.broker_config_version(),
        });
        records
    }

    fn config_records(&self) -> Vec<Record> {
        let cluster = self.dynamic_configs(&ConfigResource::ClusterDefault);
        let cluster = cluster.map(|set| (ConfigResource::ClusterDefault, set));
        let brokers = self.configured_brokers();
        let brokers = brokers.map(|(node, set)| (ConfigResource::Broker(*node), set));
        let groups = self.group_configs().iter();
        let groups = groups.map(|(name, set)| (ConfigResource::Group(name.clone()), set));
        let metrics = self.client_metrics().iter();
        let metrics = metrics.map(|(name, set)| (ConfigResource::ClientMetrics(name.clone()), set));
        let all = cluster
            .into_iter()
            .chain(brokers)
            .chain(groups)
            .chain(metrics)
            .filter(|(_, set)| !set.is_empty());
        all.map(|(resource, set)| configs_record(resource, set))
            .collect()
    }
}

fn configs_record(resource: ConfigResource, set: &ConfigMap) -> Record {
    Record::ConfigsChanged {
        resource,
        set: set.clone(),
        removed: Vec::new(),
    }
}

fn topic_record(topic: &Topic) -> Record {
    Record::TopicCreated {
        topic_id: topic.topic_id,
        name: topic.name.clone(),
        number: topic.number,
        config_version: topic.config_version,
        configs: topic.configs.clone(),
        partitions: runs(topic.partitions.iter().cloned()),
    }
}

fn tombstone_record(topic_id: TopicId, tombstone: &Tombstone) -> Record {
    Record::Tombstone {
        topic_id,
        name: tombstone.name.clone(),
        number: tombstone.number,
        partitions: tombstone.partitions,
    }
}

fn ownership_record(table: &Ownership) -> Option<Record> {
    let overrides = table
        .overrides
        .iter()
        .map(|((topic, partition), shard)| OwnerOverride {
            topic: *topic,
            partition: *partition,
            shard: *shard,
        });
    (table.generation > 0).then(|| Record::Ownership {
        generation: table.generation,
        shards: table.shards,
        overrides: overrides.collect(),
    })
}

/// Partitions with equal neighbours made one.
pub(crate) fn runs(partitions: impl IntoIterator<Item = Partition>) -> Vec<PartitionRun> {
    let mut runs: Vec<PartitionRun> = Vec::new();
    for partition in partitions {
        match runs.last_mut() {
            Some(run) if run.partition == partition => run.count += 1,
            _ => runs.push(PartitionRun {
                count: 1,
                partition,
            }),
        }
    }
    runs
}
