//! The state that the records add up to. Every shard and the control thread keep a replica and
//! apply the same records in the same order.
//!
//! [`State::apply`] costs what the change is large, never what the state is large. A record that
//! contradicts the state is a bug where a command has just judged it: `apply` asserts, and a node
//! with a wrong state stops rather than serve from it. In a log it is damage: [`State::replay`]
//! gives it as an error.

use std::collections::BTreeMap;

use crate::config::{ConfigMap, Layers, StaticConfig, TopicConfig};
use crate::ids::{NodeId, ShardIndex, TopicId, TopicNumber};
use crate::name;
use crate::quota::{ClientQuota, ClientQuotaKind, QuotaEntity, Quotas, is_entity, quota_of};
use crate::record::{ConfigResource, Partition, PartitionRun, Record};
use crate::rules;
use crate::scram::{ScramCredential, ScramMechanism};

/// Most partitions that a topic can have, so that no request can ask for memory without bound.
pub const TOPIC_PARTITIONS_MAX: usize = 100_000;

/// Most shards that a node can have.
const SHARDS_MAX: u32 = 1 << 16;
/// What counts one by one is never higher: no node lives that long.
const COUNTER_MAX: u32 = 1 << 30;
/// The same for producer ids, which count by blocks.
const PRODUCER_ID_MAX: i64 = 1 << 62;

/// The rule that a record breaks.
pub(crate) type Broken = &'static str;

const PARTITIONS_ARE_BOUNDED: Broken = "a topic's partitions are bounded";
const VALUES_ARE_CHECKED: Broken = "configurations hold values that were checked";

fn ensure(holds: bool, rule: Broken) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(rule) }
}

/// The cluster this log belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Kafka's cluster id.
    pub cluster_id: String,
    /// This node.
    pub node_id: NodeId,
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its identifier for life.
    pub topic_id: TopicId,
    /// Its name.
    pub name: String,
    /// Its number, which spreads its partitions over shards.
    pub number: TopicNumber,
    /// Changes of its own configuration so far.
    pub config_version: u32,
    /// Its own configuration.
    pub configs: ConfigMap,
    /// Its partitions by index.
    pub partitions: Vec<Partition>,
}

/// A deleted topic of which files may be left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// The name it had.
    pub name: String,
    /// The number it had.
    pub number: TopicNumber,
    /// The number of partitions it had.
    pub partitions: i32,
}

/// Which shard owns which partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ownership {
    /// Counts the changes; zero before the first.
    pub generation: u32,
    /// Shards of the node; zero before the first record.
    pub shards: u32,
    /// Partitions placed by hand.
    pub overrides: BTreeMap<(TopicNumber, i32), ShardIndex>,
}

/// The metadata of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    cluster: Option<Cluster>,
    topics: BTreeMap<TopicId, Topic>,
    names: BTreeMap<String, TopicId>,
    /// Names that hold a `.` or `_`, with the two made one: no two topics may share such a name.
    collisions: BTreeMap<String, TopicId>,
    tombstones: BTreeMap<TopicId, Tombstone>,
    cluster_configs: ConfigMap,
    broker_configs: BTreeMap<NodeId, ConfigMap>,
    group_configs: BTreeMap<String, ConfigMap>,
    client_metrics: BTreeMap<String, ConfigMap>,
    client_quotas: BTreeMap<QuotaEntity, Quotas>,
    client_quota_changes: Changes,
    scram_credentials: BTreeMap<(String, ScramMechanism), ScramCredential>,
    broker_config_version: u32,
    ownership: Ownership,
    next_topic_number: TopicNumber,
    next_producer_id: i64,
    unclean_starts: u32,
    partition_count: usize,
    changes: Changes,
}

/// Records that were applied. A state is what it is by whatever way it came about: this makes no
/// difference between two.
#[derive(Debug, Clone, Copy, Default)]
struct Changes(u64);

impl PartialEq for Changes {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Changes {}

impl State {
    /// Applies one record that was judged by this state.
    ///
    /// # Panics
    ///
    /// When the record contradicts the state.
    pub fn apply(&mut self, record: &Record) {
        self.try_apply(record)
            .expect("a record keeps to the state that it was judged by");
    }

    /// Applies one record, or names the rule that it breaks; the state is of no use then.
    pub(crate) fn try_apply(&mut self, record: &Record) -> Result<(), Broken> {
        self.changes.0 += 1;
        match record {
            Record::ClusterCreated { .. } => self.apply_cluster_created(record),
            Record::TopicCreated { .. } => self.apply_topic_created(record),
            Record::PartitionsAdded {
                topic_id,
                first,
                partitions,
            } => self.apply_partitions_added(*topic_id, *first, partitions),
            Record::TopicDeleted { topic_id } => self.apply_topic_deleted(*topic_id),
            Record::TopicPurged { topic_id } => {
                let tombstone = self.tombstones.remove(topic_id);
                ensure(tombstone.is_some(), "a purged topic has a tombstone")
            },
            Record::ConfigsChanged {
                resource,
                set,
                removed,
            } => self.apply_configs_changed(resource, set, removed),
            Record::ClientQuotasChanged {
                entity,
                set,
                removed,
            } => self.apply_client_quotas_changed(entity, set, removed),
            Record::ScramCredentialChanged {
                user,
                mechanism,
                credential,
            } => self.apply_scram_credential_changed(user, *mechanism, credential.as_ref()),
            Record::ProducerIdBlock { next } => {
                let grows = *next > self.next_producer_id && *next <= PRODUCER_ID_MAX;
                self.next_producer_id = *next;
                ensure(grows, "producer ids grow, and more can follow")
            },
            Record::Ownership { .. } => self.apply_ownership(record),
            Record::UncleanStart { total } => {
                let grows = *total > self.unclean_starts && *total <= COUNTER_MAX;
                self.unclean_starts = *total;
                ensure(grows, "unclean starts grow, and more can follow")
            },
            Record::Tombstone { .. } => self.apply_tombstone(record),
            Record::Counters {
                next_topic_number,
                broker_config_version,
            } => {
                let (next, before) = (*next_topic_number, self.next_topic_number);
                self.next_topic_number = next;
                self.broker_config_version = *broker_config_version;
                let grows = next >= before && next.0 <= COUNTER_MAX;
                ensure(grows, "topic numbers grow, and more can follow")
            },
        }
    }

    /// Counts the records that this replica has applied: as long as it stays the same, so does
    /// everything else. It says nothing to another replica.
    pub const fn changes(&self) -> u64 {
        self.changes.0
    }

    fn apply_cluster_created(&mut self, record: &Record) -> Result<(), Broken> {
        let Record::ClusterCreated {
            cluster_id,
            node_id,
        } = record
        else {
            unreachable!("called with this record only");
        };
        ensure(self.cluster.is_none(), "a log belongs to one cluster")?;
        self.cluster = Some(Cluster {
            cluster_id: cluster_id.clone(),
            node_id: *node_id,
        });
        Ok(())
    }

    fn apply_tombstone(&mut self, record: &Record) -> Result<(), Broken> {
        let Record::Tombstone {
            topic_id,
            name,
            number,
            partitions,
        } = record
        else {
            unreachable!("called with this record only");
        };
        let tombstone = Tombstone {
            name: name.clone(),
            number: *number,
            partitions: *partitions,
        };
        let bounded = (0..=TOPIC_PARTITIONS_MAX as i32).contains(partitions);
        ensure(bounded, PARTITIONS_ARE_BOUNDED)?;
        let gone = !self.topics.contains_key(topic_id);
        ensure(gone, "a topic with a tombstone is gone")?;
        let known = self.tombstones.insert(*topic_id, tombstone);
        ensure(known.is_none(), "a topic has one tombstone")
    }

    fn apply_topic_created(&mut self, record: &Record) -> Result<(), Broken> {
        let Record::TopicCreated {
            topic_id,
            name,
            number,
            config_version,
            configs,
            partitions,
        } = record
        else {
            unreachable!("called with this record only");
        };
        let grows = *number >= self.next_topic_number && number.0 < COUNTER_MAX;
        ensure(grows, "topic numbers grow, and more can follow")?;
        let unused = !self.tombstones.contains_key(topic_id);
        ensure(unused, "an id is not used twice")?;
        ensure(name::validate(name).is_ok(), "a topic's name is one")?;
        ensure(rules::are_topic_configs(configs), VALUES_ARE_CHECKED)?;
        let mut topic = Topic {
            topic_id: *topic_id,
            name: name.clone(),
            number: *number,
            config_version: *config_version,
            configs: configs.clone(),
            partitions: Vec::new(),
        };
        self.expand(&mut topic.partitions, partitions)?;
        self.partition_count += topic.partitions.len();
        self.next_topic_number = TopicNumber(number.0 + 1);
        if let Some(folded) = name::folded(name) {
            let colliding = self.collisions.insert(folded, *topic_id);
            ensure(colliding.is_none(), "names do not collide")?;
        }
        let same_name = self.names.insert(name.clone(), *topic_id);
        ensure(same_name.is_none(), "a name belongs to one topic")?;
        let same_id = self.topics.insert(*topic_id, topic);
        ensure(same_id.is_none(), "an id belongs to one topic")
    }

    fn apply_partitions_added(
        &mut self,
        id: TopicId,
        first: i32,
        added: &[PartitionRun],
    ) -> Result<(), Broken> {
        let topic = self.topics.get_mut(&id);
        let topic = topic.ok_or("partitions are added to a topic that is there")?;
        let before = topic.partitions.len();
        let follows = before as i32 == first;
        ensure(follows, "partitions are added behind the last")?;
        let mut partitions = std::mem::take(&mut topic.partitions);
        let expanded = self.expand(&mut partitions, added);
        self.partition_count += partitions.len() - before;
        if let Some(topic) = self.topics.get_mut(&id) {
            topic.partitions = partitions;
        }
        expanded
    }

    fn apply_topic_deleted(&mut self, topic_id: TopicId) -> Result<(), Broken> {
        let topic = self.topics.remove(&topic_id);
        let topic = topic.ok_or("a deleted topic was there")?;
        self.names.remove(&topic.name);
        if let Some(folded) = name::folded(&topic.name) {
            self.collisions.remove(&folded);
        }
        self.partition_count -= topic.partitions.len();
        let partitions = topic.partitions.len() as i32;
        let tombstone = Tombstone {
            name: topic.name,
            number: topic.number,
            partitions,
        };
        self.tombstones.insert(topic_id, tombstone);
        Ok(())
    }

    fn apply_configs_changed(
        &mut self,
        resource: &ConfigResource,
        set: &ConfigMap,
        removed: &[String],
    ) -> Result<(), Broken> {
        ensure(rules::are_configs(resource, set), VALUES_ARE_CHECKED)?;
        let configs = match resource {
            ConfigResource::Topic(id) => {
                let topic = self.topics.get_mut(id);
                let topic = topic.ok_or("a configured topic is there")?;
                // Whoever compares two versions looks whether they differ.
                topic.config_version = topic.config_version.wrapping_add(1);
                &mut topic.configs
            },
            ConfigResource::Broker(node) => {
                self.broker_config_version = self.broker_config_version.wrapping_add(1);
                self.broker_configs.entry(*node).or_default()
            },
            ConfigResource::ClusterDefault => {
                self.broker_config_version = self.broker_config_version.wrapping_add(1);
                &mut self.cluster_configs
            },
            ConfigResource::Group(name) => self.group_configs.entry(name.clone()).or_default(),
            ConfigResource::ClientMetrics(name) => {
                self.client_metrics.entry(name.clone()).or_default()
            },
        };
        let set = set.iter();
        configs.extend(set.map(|(name, value)| (name.clone(), value.clone())));
        for name in removed {
            configs.remove(name);
        }
        self.broker_configs.retain(|_, configs| !configs.is_empty());
        self.forget_if_empty(resource);
        Ok(())
    }

    fn apply_client_quotas_changed(
        &mut self,
        entity: &QuotaEntity,
        set: &Quotas,
        removed: &[String],
    ) -> Result<(), Broken> {
        ensure(
            is_entity(entity),
            "a quota is of a user, a client or an address",
        )?;
        self.client_quota_changes.0 += 1;
        let above_zero = set.values().all(|value| value.0 > 0.0);
        ensure(above_zero, "a quota allows something")?;
        let quotas = self.client_quotas.entry(entity.clone()).or_default();
        quotas.extend(set.iter().map(|(key, value)| (key.clone(), *value)));
        for key in removed {
            quotas.remove(key);
        }
        if quotas.is_empty() {
            self.client_quotas.remove(entity);
        }
        Ok(())
    }

    fn apply_scram_credential_changed(
        &mut self,
        user: &str,
        mechanism: ScramMechanism,
        credential: Option<&ScramCredential>,
    ) -> Result<(), Broken> {
        ensure(!user.is_empty(), "who has a credential has a name")?;
        let of = (user.to_owned(), mechanism);
        let Some(credential) = credential else {
            let former = self.scram_credentials.remove(&of);
            return ensure(former.is_some(), "a removed credential was there");
        };
        let fits = credential.fits(mechanism);
        ensure(fits, "a credential is such as its mechanism makes it")?;
        self.scram_credentials.insert(of, credential.clone());
        Ok(())
    }

    /// What has no values of its own left is not listed any more.
    fn forget_if_empty(&mut self, resource: &ConfigResource) {
        let (named, name) = match resource {
            ConfigResource::Group(name) => (&mut self.group_configs, name),
            ConfigResource::ClientMetrics(name) => (&mut self.client_metrics, name),
            _ => return,
        };
        if named.get(name).is_some_and(ConfigMap::is_empty) {
            named.remove(name);
        }
    }

    fn apply_ownership(&mut self, record: &Record) -> Result<(), Broken> {
        let Record::Ownership {
            generation,
            shards,
            overrides,
        } = record
        else {
            unreachable!("called with this record only");
        };
        let grows = *generation > self.ownership.generation && *generation <= COUNTER_MAX;
        ensure(grows, "ownership generations grow, and more can follow")?;
        let some = (1..=SHARDS_MAX).contains(shards);
        ensure(some, "a node has a shard, and a bounded number of them")?;
        let placed = overrides
            .iter()
            .map(|one| ((one.topic, one.partition), one.shard));
        let overrides: BTreeMap<_, _> = placed.collect();
        let there = overrides.values().all(|shard| shard.0 < *shards);
        ensure(there, "overrides name shards there are")?;
        self.ownership = Ownership {
            generation: *generation,
            shards: *shards,
            overrides,
        };
        Ok(())
    }

    fn expand(&self, partitions: &mut Vec<Partition>, runs: &[PartitionRun]) -> Result<(), Broken> {
        let added: usize = runs.iter().map(|run| run.count as usize).sum();
        let bounded = partitions.len() + added <= TOPIC_PARTITIONS_MAX;
        ensure(bounded, PARTITIONS_ARE_BOUNDED)?;
        for PartitionRun { count, partition } in runs {
            self.check_replicas(&partition.replicas)?;
            partitions.extend(std::iter::repeat_n(partition.clone(), *count as usize));
        }
        Ok(())
    }

    fn check_replicas(&self, replicas: &[NodeId]) -> Result<(), Broken> {
        ensure(!replicas.is_empty(), "a partition has a replica")?;
        let known = |node: &NodeId| self.brokers().any(|broker| broker == *node);
        let once = |(at, node)| !replicas.iter().take(at).any(|earlier| earlier == node);
        // In this order: the second costs the square of what the first bounds.
        let whole = replicas.len() <= self.brokers().count()
            && replicas.iter().all(known)
            && replicas.iter().enumerate().all(once);
        ensure(whole, "replicas are brokers of the cluster, each once")
    }
}

/// Questions to the state.
impl State {
    /// The cluster and node; none before the first record.
    pub fn cluster(&self) -> Option<&Cluster> {
        self.cluster.as_ref()
    }

    /// Brokers of the cluster.
    pub fn brokers(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.cluster.iter().map(|cluster| cluster.node_id)
    }

    /// All topics, ordered by id.
    pub fn topics(&self) -> impl ExactSizeIterator<Item = &Topic> {
        self.topics.values()
    }

    /// All topics, ordered by name, as Metadata lists them.
    pub fn topics_by_name(&self) -> impl ExactSizeIterator<Item = &Topic> {
        self.names
            .values()
            .map(|id| self.topics.get(id).expect("a name points to a topic"))
    }

    /// The topic of this id.
    pub fn topic(&self, id: TopicId) -> Option<&Topic> {
        self.topics.get(&id)
    }

    /// The topic of this name.
    pub fn topic_by_name(&self, name: &str) -> Option<&Topic> {
        self.topics.get(self.names.get(name)?)
    }

    /// The topic whose name this one would collide with: they differ in `.` and `_` only.
    pub(crate) fn colliding_topic(&self, name: &str) -> Option<&Topic> {
        self.topics.get(self.collisions.get(&name::folded(name)?)?)
    }

    /// Deleted topics whose files may not all be gone.
    pub fn tombstones(&self) -> &BTreeMap<TopicId, Tombstone> {
        &self.tombstones
    }

    /// Partitions of all topics.
    pub fn partition_count(&self) -> usize {
        self.partition_count
    }

    /// The number that the next topic gets.
    pub fn next_topic_number(&self) -> TopicNumber {
        self.next_topic_number
    }

    /// First producer id that no block has covered.
    pub fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }

    /// Starts of the node after it had not stopped.
    pub fn unclean_starts(&self) -> u32 {
        self.unclean_starts
    }

    /// The leader epoch of a partition: its own changes plus the node's unclean starts since, so
    /// that one durable record opens a new epoch for every partition.
    pub fn leader_epoch(&self, partition: &Partition) -> i32 {
        let starts = self.unclean_starts - partition.unclean_starts_base;
        partition.leader_epoch_base + starts as i32
    }

    /// The ownership table.
    pub fn ownership(&self) -> &Ownership {
        &self.ownership
    }

    /// The shard that owns a partition.
    ///
    /// A topic's partitions follow each other over the shards, and each topic starts one further
    /// than the last, so that many topics of one partition spread as well.
    pub fn owner(&self, topic: TopicNumber, partition: i32) -> ShardIndex {
        let table = &self.ownership;
        if let Some(shard) = table.overrides.get(&(topic, partition)) {
            return *shard;
        }
        assert!(
            table.shards > 0,
            "ownership is recorded before partitions are served"
        );
        let place = u64::from(topic.0) + u64::from(partition.unsigned_abs());
        ShardIndex((place % u64::from(table.shards)) as u32)
    }

    /// Changes whenever a topic's effective configuration may have: what was derived from it is
    /// derived again when this differs.
    pub fn config_version(&self, topic: &Topic) -> u64 {
        u64::from(self.broker_config_version) << 32 | u64::from(topic.config_version)
    }

    /// The layers of a topic's configuration.
    pub fn topic_layers<'a>(&'a self, topic: &'a Topic, fixed: &'a StaticConfig) -> Layers<'a> {
        Layers {
            topic: Some(&topic.configs),
            ..self.broker_layers(fixed)
        }
    }

    /// The layers of this broker's configuration.
    pub fn broker_layers<'a>(&'a self, fixed: &'a StaticConfig) -> Layers<'a> {
        let node = self.cluster.as_ref().map(|cluster| cluster.node_id);
        Layers {
            topic: None,
            broker: node.and_then(|node| self.broker_configs.get(&node)),
            cluster: Some(&self.cluster_configs),
            fixed,
        }
    }

    /// What a topic runs with.
    pub fn effective(&self, topic: &Topic, fixed: &StaticConfig) -> TopicConfig {
        TopicConfig::of(&self.topic_layers(topic, fixed))
    }

    pub(crate) fn dynamic_configs(&self, resource: &ConfigResource) -> Option<&ConfigMap> {
        match resource {
            ConfigResource::Topic(id) => self.topics.get(id).map(|topic| &topic.configs),
            ConfigResource::Broker(node) => self.broker_configs.get(node),
            ConfigResource::ClusterDefault => Some(&self.cluster_configs),
            ConfigResource::Group(name) => self.group_configs.get(name),
            ConfigResource::ClientMetrics(name) => self.client_metrics.get(name),
        }
    }

    /// Groups that have configurations of their own, by name.
    pub fn group_configs(&self) -> &BTreeMap<String, ConfigMap> {
        &self.group_configs
    }

    /// Quotas by those for whom they hold.
    pub fn client_quotas(&self) -> &BTreeMap<QuotaEntity, Quotas> {
        &self.client_quotas
    }

    /// Changes whenever a quota may have: what was found for a client holds as long as this stays
    /// the same. It says nothing to another replica.
    pub const fn client_quota_changes(&self) -> u64 {
        self.client_quota_changes.0
    }

    /// The quota that holds for a client.
    pub fn client_quota(
        &self,
        user: &str,
        client_id: &str,
        kind: ClientQuotaKind,
    ) -> Option<ClientQuota> {
        quota_of(&self.client_quotas, user, client_id, kind)
    }

    /// SCRAM credentials by user and mechanism.
    pub fn scram_credentials(&self) -> &BTreeMap<(String, ScramMechanism), ScramCredential> {
        &self.scram_credentials
    }

    /// Subscriptions to client metrics, by name.
    pub fn client_metrics(&self) -> &BTreeMap<String, ConfigMap> {
        &self.client_metrics
    }

    pub(crate) fn configured_brokers(&self) -> impl Iterator<Item = (&NodeId, &ConfigMap)> {
        self.broker_configs.iter()
    }

    pub(crate) fn broker_config_version(&self) -> u32 {
        self.broker_config_version
    }
}
