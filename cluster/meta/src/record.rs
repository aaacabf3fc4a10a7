//! The records of the metadata log: what happened, each a fact that every replica of the state
//! applies in the same order.
//!
//! A record on disk:
//!
//! ```text
//! length of what follows u32 | kind u8 | version u8 | fields, little-endian
//! ```
//!
//! A frame of the log holds one or more of them. A kind or a version that this binary does not
//! know is refused: a log written by a newer Flumen is not half understood.

use crate::codec::{DecodeError, Reader, Writer};
use crate::config::ConfigMap;
use crate::ids::{NodeId, ShardIndex, TopicId, TopicNumber};
use crate::quota::{self, QuotaEntity, Quotas};
use crate::scram::{self, ScramCredential, ScramMechanism};

/// Partitions that have the same description, which is most of a topic: 10,000 partitions of one
/// create take a few bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionRun {
    /// How many in a row.
    pub count: u32,
    /// What each of them is.
    pub partition: Partition,
}

/// One partition's place in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Brokers that hold a copy, the preferred leader first.
    pub replicas: Vec<NodeId>,
    /// Leader epoch at creation or at its last own change; [`crate::State::leader_epoch`] adds the
    /// node's unclean starts since.
    pub leader_epoch_base: i32,
    /// Unclean starts of the log at that moment.
    pub unclean_starts_base: u32,
    /// Changes of the replica set.
    pub partition_epoch: i32,
}

/// A partition that the ownership table places by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnerOverride {
    /// Topic of the partition.
    pub topic: TopicNumber,
    /// Partition within the topic.
    pub partition: i32,
    /// Shard that owns it.
    pub shard: ShardIndex,
}

/// Whose configuration changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigResource {
    /// A topic.
    Topic(TopicId),
    /// One broker.
    Broker(NodeId),
    /// All brokers of the cluster.
    ClusterDefault,
    /// A group, which need not exist.
    Group(String),
    /// A subscription to client metrics.
    ClientMetrics(String),
}

/// One change of the metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// The first record of a log.
    ClusterCreated {
        /// Kafka's cluster id, 22 characters of base64.
        cluster_id: String,
        /// The node that this log belongs to.
        node_id: NodeId,
    },
    /// A topic with its first partitions.
    TopicCreated {
        /// Its identifier for life.
        topic_id: TopicId,
        /// Its name.
        name: String,
        /// Its number, higher than every earlier one.
        number: TopicNumber,
        /// Changes of its configuration so far; above zero in snapshots only.
        config_version: u32,
        /// Its own configuration.
        configs: ConfigMap,
        /// Its partitions from zero on.
        partitions: Vec<PartitionRun>,
    },
    /// Further partitions of a topic.
    PartitionsAdded {
        /// The topic.
        topic_id: TopicId,
        /// Index of the first new one: the number of partitions before.
        first: i32,
        /// The new ones.
        partitions: Vec<PartitionRun>,
    },
    /// A topic is gone for clients; its files may go from now on.
    TopicDeleted {
        /// The topic.
        topic_id: TopicId,
    },
    /// No file of a deleted topic is left.
    TopicPurged {
        /// The topic.
        topic_id: TopicId,
    },
    /// Values of a configuration set and removed.
    ConfigsChanged {
        /// Whose.
        resource: ConfigResource,
        /// New values, in canonical form.
        set: ConfigMap,
        /// Keys that go back to their default.
        removed: Vec<String>,
    },
    /// Producer ids below this one may have been handed out.
    ProducerIdBlock {
        /// First id of the next block.
        next: i64,
    },
    /// Which shard owns which partition from now on; written after the journals of the earlier
    /// ownership were replayed.
    Ownership {
        /// Counts the changes; journal entries carry it.
        generation: u32,
        /// Shards of the node.
        shards: u32,
        /// Partitions placed by hand.
        overrides: Vec<OwnerOverride>,
    },
    /// The node started without having stopped: every partition opens a new leader epoch.
    UncleanStart {
        /// Unclean starts with this one.
        total: u32,
    },
    /// A deleted topic whose files are not all gone, in a snapshot.
    Tombstone {
        /// The topic.
        topic_id: TopicId,
        /// The name it had.
        name: String,
        /// The number it had.
        number: TopicNumber,
        /// The number of partitions it had.
        partitions: i32,
    },
    /// Quotas of clients set and removed.
    ClientQuotasChanged {
        /// Whose.
        entity: QuotaEntity,
        /// New values.
        set: Quotas,
        /// Quotas that are gone.
        removed: Vec<String>,
    },
    /// A SCRAM credential of a user set, or removed.
    ScramCredentialChanged {
        /// The user.
        user: String,
        /// How it is derived.
        mechanism: ScramMechanism,
        /// The credential from now on; none takes it away.
        credential: Option<ScramCredential>,
    },
    /// Counters that no other record of a snapshot implies.
    Counters {
        /// Number of the next topic.
        next_topic_number: TopicNumber,
        /// Changes of broker configurations.
        broker_config_version: u32,
    },
}

const CLUSTER_CREATED: u8 = 1;
const TOPIC_CREATED: u8 = 2;
const PARTITIONS_ADDED: u8 = 3;
const TOPIC_DELETED: u8 = 4;
const TOPIC_PURGED: u8 = 5;
const CONFIGS_CHANGED: u8 = 6;
const PRODUCER_ID_BLOCK: u8 = 7;
const OWNERSHIP: u8 = 8;
const UNCLEAN_START: u8 = 9;
const TOMBSTONE: u8 = 10;
const COUNTERS: u8 = 11;
const CLIENT_QUOTAS_CHANGED: u8 = 12;
const SCRAM_CREDENTIAL_CHANGED: u8 = 13;
/// The last of the kinds.
const LAST: u8 = SCRAM_CREDENTIAL_CHANGED;

/// Version of every kind so far.
const VERSION: u8 = 0;

/// Smallest encoding of each element of a list.
const CONFIG_BYTES_MIN: usize = 8;
const RUN_BYTES_MIN: usize = 20;
const OVERRIDE_BYTES: usize = 12;
const STRING_BYTES_MIN: usize = 4;
const REPLICA_BYTES: usize = 4;

/// The records as they stand in a frame.
pub fn encode_records(records: &[Record]) -> Vec<u8> {
    let mut out = Writer::default();
    for record in records {
        let at = out.bytes.len();
        out.u32(0);
        record.encode(&mut out);
        let len = (out.bytes.len() - at - 4) as u32;
        if let Some(length) = out.bytes.get_mut(at..at + 4) {
            length.copy_from_slice(&len.to_le_bytes());
        }
    }
    out.bytes
}

/// The records of a frame.
pub fn decode_records(payload: &[u8]) -> Result<Vec<Record>, DecodeError> {
    let mut reader = Reader::new(payload);
    let mut records = Vec::new();
    while !reader.is_empty() {
        let len = reader.u32()? as usize;
        records.push(Record::decode(reader.bytes(len)?)?);
    }
    Ok(records)
}

impl Record {
    fn encode(&self, out: &mut Writer) {
        out.u8(self.kind());
        out.u8(VERSION);
        match self {
            Self::TopicCreated { .. }
            | Self::PartitionsAdded { .. }
            | Self::TopicDeleted { .. }
            | Self::TopicPurged { .. }
            | Self::Tombstone { .. } => self.encode_topic(out),
            _ => self.encode_node(out),
        }
    }

    fn encode_topic(&self, out: &mut Writer) {
        match self {
            Self::TopicCreated {
                topic_id,
                name,
                number,
                config_version,
                configs,
                partitions,
            } => {
                out.topic_id(*topic_id);
                out.string(name);
                out.u32(number.0);
                out.u32(*config_version);
                encode_configs(out, configs);
                encode_runs(out, partitions);
            },
            Self::PartitionsAdded {
                topic_id,
                first,
                partitions,
            } => {
                out.topic_id(*topic_id);
                out.i32(*first);
                encode_runs(out, partitions);
            },
            Self::TopicDeleted { topic_id } | Self::TopicPurged { topic_id } => {
                out.topic_id(*topic_id);
            },
            Self::Tombstone {
                topic_id,
                name,
                number,
                partitions,
            } => {
                out.topic_id(*topic_id);
                out.string(name);
                out.u32(number.0);
                out.i32(*partitions);
            },
            other => unreachable!("{other:?} is not of a topic"),
        }
    }

    fn encode_node(&self, out: &mut Writer) {
        match self {
            Self::ClusterCreated {
                cluster_id,
                node_id,
            } => {
                out.string(cluster_id);
                out.i32(node_id.0);
            },
            Self::ConfigsChanged {
                resource,
                set,
                removed,
            } => {
                resource.encode(out);
                encode_configs(out, set);
                out.count(removed.len());
                for name in removed {
                    out.string(name);
                }
            },
            Self::ClientQuotasChanged {
                entity,
                set,
                removed,
            } => {
                quota::encode_entity(out, entity);
                quota::encode_quotas(out, set);
                out.count(removed.len());
                for key in removed {
                    out.string(key);
                }
            },
            Self::ScramCredentialChanged {
                user,
                mechanism,
                credential,
            } => {
                out.string(user);
                scram::encode_change(out, *mechanism, credential.as_ref());
            },
            Self::ProducerIdBlock { next } => out.i64(*next),
            Self::Ownership {
                generation,
                shards,
                overrides,
            } => {
                out.u32(*generation);
                out.u32(*shards);
                encode_overrides(out, overrides);
            },
            Self::UncleanStart { total } => out.u32(*total),
            Self::Counters {
                next_topic_number,
                broker_config_version,
            } => {
                out.u32(next_topic_number.0);
                out.u32(*broker_config_version);
            },
            other => unreachable!("{other:?} is of a topic"),
        }
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let (kind, version) = (reader.u8()?, reader.u8()?);
        if (CLUSTER_CREATED..=LAST).contains(&kind) && version > VERSION {
            return Err(DecodeError::NewerVersion { kind, version });
        }
        let record = Self::decode_fields(kind, &mut reader)?;
        reader.end()?;
        Ok(record)
    }

    fn decode_fields(kind: u8, from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match kind {
            CLUSTER_CREATED => Self::ClusterCreated {
                cluster_id: from.string()?,
                node_id: NodeId(from.i32()?),
            },
            TOPIC_CREATED => Self::TopicCreated {
                topic_id: from.topic_id()?,
                name: from.string()?,
                number: TopicNumber(from.u32()?),
                config_version: from.u32()?,
                configs: decode_configs(from)?,
                partitions: decode_runs(from)?,
            },
            PARTITIONS_ADDED => Self::PartitionsAdded {
                topic_id: from.topic_id()?,
                first: from.i32()?,
                partitions: decode_runs(from)?,
            },
            TOPIC_DELETED => Self::TopicDeleted {
                topic_id: from.topic_id()?,
            },
            TOPIC_PURGED => Self::TopicPurged {
                topic_id: from.topic_id()?,
            },
            CONFIGS_CHANGED => Self::ConfigsChanged {
                resource: ConfigResource::decode(from)?,
                set: decode_configs(from)?,
                removed: from.list(STRING_BYTES_MIN, Reader::string)?,
            },
            PRODUCER_ID_BLOCK => Self::ProducerIdBlock { next: from.i64()? },
            OWNERSHIP => Self::Ownership {
                generation: from.u32()?,
                shards: from.u32()?,
                overrides: decode_overrides(from)?,
            },
            UNCLEAN_START => Self::UncleanStart { total: from.u32()? },
            TOMBSTONE => Self::Tombstone {
                topic_id: from.topic_id()?,
                name: from.string()?,
                number: TopicNumber(from.u32()?),
                partitions: from.i32()?,
            },
            COUNTERS => Self::Counters {
                next_topic_number: TopicNumber(from.u32()?),
                broker_config_version: from.u32()?,
            },
            CLIENT_QUOTAS_CHANGED => Self::ClientQuotasChanged {
                entity: quota::decode_entity(from)?,
                set: quota::decode_quotas(from)?,
                removed: from.list(STRING_BYTES_MIN, Reader::string)?,
            },
            SCRAM_CREDENTIAL_CHANGED => {
                let user = from.string()?;
                let (mechanism, credential) = scram::decode_change(from)?;
                Self::ScramCredentialChanged {
                    user,
                    mechanism,
                    credential,
                }
            },
            unknown => return Err(DecodeError::UnknownKind(unknown)),
        })
    }

    fn kind(&self) -> u8 {
        match self {
            Self::ClusterCreated { .. } => CLUSTER_CREATED,
            Self::TopicCreated { .. } => TOPIC_CREATED,
            Self::PartitionsAdded { .. } => PARTITIONS_ADDED,
            Self::TopicDeleted { .. } => TOPIC_DELETED,
            Self::TopicPurged { .. } => TOPIC_PURGED,
            Self::ConfigsChanged { .. } => CONFIGS_CHANGED,
            Self::ProducerIdBlock { .. } => PRODUCER_ID_BLOCK,
            Self::Ownership { .. } => OWNERSHIP,
            Self::UncleanStart { .. } => UNCLEAN_START,
            Self::Tombstone { .. } => TOMBSTONE,
            Self::Counters { .. } => COUNTERS,
            Self::ClientQuotasChanged { .. } => CLIENT_QUOTAS_CHANGED,
            Self::ScramCredentialChanged { .. } => SCRAM_CREDENTIAL_CHANGED,
        }
    }
}

impl ConfigResource {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Topic(id) => {
                out.u8(1);
                out.topic_id(*id);
            },
            Self::Broker(node) => {
                out.u8(2);
                out.i32(node.0);
            },
            Self::ClusterDefault => out.u8(3),
            Self::Group(name) => {
                out.u8(4);
                out.string(name);
            },
            Self::ClientMetrics(name) => {
                out.u8(5);
                out.string(name);
            },
        }
    }

    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match from.u8()? {
            1 => Ok(Self::Topic(from.topic_id()?)),
            2 => Ok(Self::Broker(NodeId(from.i32()?))),
            3 => Ok(Self::ClusterDefault),
            4 => Ok(Self::Group(from.string()?)),
            5 => Ok(Self::ClientMetrics(from.string()?)),
            _ => Err(DecodeError::Invalid("kind of a configuration's resource")),
        }
    }
}

fn encode_configs(out: &mut Writer, configs: &ConfigMap) {
    out.count(configs.len());
    for (name, value) in configs {
        out.string(name);
        out.string(value);
    }
}

fn decode_configs(from: &mut Reader<'_>) -> Result<ConfigMap, DecodeError> {
    let pairs = from.list(CONFIG_BYTES_MIN, |from| {
        Ok((from.string()?, from.string()?))
    })?;
    Ok(pairs.into_iter().collect())
}

fn encode_runs(out: &mut Writer, runs: &[PartitionRun]) {
    out.count(runs.len());
    for PartitionRun { count, partition } in runs {
        out.u32(*count);
        out.i32(partition.leader_epoch_base);
        out.u32(partition.unclean_starts_base);
        out.i32(partition.partition_epoch);
        out.count(partition.replicas.len());
        partition.replicas.iter().for_each(|node| out.i32(node.0));
    }
}

fn decode_runs(from: &mut Reader<'_>) -> Result<Vec<PartitionRun>, DecodeError> {
    from.list(RUN_BYTES_MIN, |from| {
        Ok(PartitionRun {
            count: from.u32()?,
            partition: Partition {
                leader_epoch_base: from.i32()?,
                unclean_starts_base: from.u32()?,
                partition_epoch: from.i32()?,
                replicas: from.list(REPLICA_BYTES, |from| from.i32().map(NodeId))?,
            },
        })
    })
}

fn encode_overrides(out: &mut Writer, overrides: &[OwnerOverride]) {
    out.count(overrides.len());
    for one in overrides {
        out.u32(one.topic.0);
        out.i32(one.partition);
        out.u32(one.shard.0);
    }
}

fn decode_overrides(from: &mut Reader<'_>) -> Result<Vec<OwnerOverride>, DecodeError> {
    from.list(OVERRIDE_BYTES, |from| {
        Ok(OwnerOverride {
            topic: TopicNumber(from.u32()?),
            partition: from.i32()?,
            shard: ShardIndex(from.u32()?),
        })
    })
}
