//! Calls about the cluster and its topics.

use std::collections::{BTreeMap, BTreeSet};

use net_wire::frame::decode_response;
use net_wire::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic,
};
use net_wire::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
};
use net_wire::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopic,
};
use net_wire::messages::delete_topics::{
    DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use net_wire::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
    MetadataResponsePartition, MetadataResponseTopic,
};
use net_wire::{ErrorCode, Uuid};

use super::connection::Connection;
use super::error::ClientError;

/// How long the broker may take for a change of topics.
const CHANGE_TIMEOUT_MS: i32 = 30_000;

/// The cluster as a broker describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The cluster's id.
    pub cluster_id: Option<String>,
    /// The broker that takes requests about the cluster.
    pub controller_id: i32,
    /// The brokers.
    pub brokers: Vec<Broker>,
    /// The topics.
    pub topics: Vec<TopicMetadata>,
}

/// A broker's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Its id.
    pub node_id: i32,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: i32,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicMetadata {
    /// What is wrong with it, or none.
    pub error: ErrorCode,
    /// Its name.
    pub name: String,
    /// Its id, zero from brokers that have none.
    pub topic_id: Uuid,
    /// Whether clients leave it out of subscriptions by pattern.
    pub is_internal: bool,
    /// Its partitions, ascending.
    pub partitions: Vec<PartitionMetadata>,
}

impl TopicMetadata {
    /// Those of these partitions that have a leader, by the leader's id.
    pub fn by_leader(&self, wanted: &[i32]) -> BTreeMap<i32, Vec<i32>> {
        let wanted: BTreeSet<i32> = wanted.iter().copied().collect();
        let mut groups = BTreeMap::<i32, Vec<i32>>::new();
        let led = self.partitions.iter().filter(|one| one.leader_id >= 0);
        for one in led.filter(|one| wanted.contains(&one.partition)) {
            groups.entry(one.leader_id).or_default().push(one.partition);
        }
        groups
    }
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionMetadata {
    /// What is wrong with it, or none.
    pub error: ErrorCode,
    /// Its index.
    pub partition: i32,
    /// The broker that leads, or -1.
    pub leader_id: i32,
    /// The leader epoch, or -1.
    pub leader_epoch: i32,
    /// Brokers with replicas.
    pub replicas: Vec<i32>,
    /// Those in sync.
    pub in_sync_replicas: Vec<i32>,
}

/// A topic to create.
#[derive(Clone, Debug, Default)]
pub struct NewTopic<'a> {
    /// Its name.
    pub name: &'a str,
    /// Partitions, -1 for the broker's default.
    pub partitions: i32,
    /// Replicas, -1 for the broker's default.
    pub replication_factor: i16,
    /// Its own configuration.
    pub configs: &'a [(&'a str, &'a str)],
}

impl Connection {
    /// Describes the cluster and these topics, or all of them. With `create` a topic that is not
    /// there is created if the broker allows it.
    pub async fn metadata(
        &self,
        topics: Option<&[&str]>,
        create: bool,
    ) -> Result<Metadata, ClientError> {
        let wanted = topics.map(|names| {
            let topic = |name| MetadataRequestTopic {
                name: Some(name),
                ..Default::default()
            };
            names.iter().copied().map(topic).collect()
        });
        let request = MetadataRequest {
            topics: wanted,
            allow_auto_topic_creation: create,
            ..Default::default()
        };
        let read = |frame: &[u8], version| {
            Ok(owned(
                &decode_response::<MetadataResponse<'_>>(frame, version)?.1,
            ))
        };
        self.call(&request, read).await
    }

    /// One topic, or why it cannot be described.
    pub async fn topic(&self, name: &str) -> Result<TopicMetadata, ClientError> {
        let metadata = self.metadata(Some(&[name]), false).await?;
        let topic = metadata.topics.into_iter().next();
        let topic = topic.ok_or(ClientError::Missing("the topic"))?;
        ClientError::check(topic.error, None)?;
        Ok(topic)
    }

    /// Creates a topic; returns when it can be written to.
    pub async fn create_topic(&self, new: &NewTopic<'_>) -> Result<(), ClientError> {
        let config = |(name, value)| CreatableTopicConfig {
            name,
            value: Some(value),
        };
        let topic = CreatableTopic {
            name: new.name,
            num_partitions: new.partitions,
            replication_factor: new.replication_factor,
            assignments: Vec::new(),
            configs: new.configs.iter().copied().map(config).collect(),
        };
        let request = CreateTopicsRequest {
            topics: vec![topic],
            timeout_ms: CHANGE_TIMEOUT_MS,
            validate_only: false,
        };
        let outcome = self.call(&request, |frame, version| {
            let (_, answer) = decode_response::<CreateTopicsResponse<'_>>(frame, version)?;
            let result = answer.topics.first();
            Ok(result.map(|topic| outcome(topic.error_code, topic.error_message.as_deref())))
        });
        outcome
            .await?
            .ok_or(ClientError::Missing("the topic's result"))?
    }

    /// Deletes a topic.
    pub async fn delete_topic(&self, name: &str) -> Result<(), ClientError> {
        // The name stands in another field from version 6 on; each version sends its own.
        let request = DeleteTopicsRequest {
            topics: vec![DeleteTopicState {
                name: Some(name),
                topic_id: Uuid::ZERO,
            }],
            topic_names: vec![name],
            timeout_ms: CHANGE_TIMEOUT_MS,
        };
        let outcome = self.call(&request, |frame, version| {
            let (_, answer) = decode_response::<DeleteTopicsResponse<'_>>(frame, version)?;
            let result = answer.responses.first();
            Ok(result.map(|topic| outcome(topic.error_code, topic.error_message.as_deref())))
        });
        outcome
            .await?
            .ok_or(ClientError::Missing("the topic's result"))?
    }

    /// Raises the number of a topic's partitions to `count`.
    pub async fn create_partitions(&self, name: &str, count: i32) -> Result<(), ClientError> {
        let request = CreatePartitionsRequest {
            topics: vec![CreatePartitionsTopic {
                name,
                count,
                assignments: None,
            }],
            timeout_ms: CHANGE_TIMEOUT_MS,
            validate_only: false,
        };
        let outcome = self.call(&request, |frame, version| {
            let (_, answer) = decode_response::<CreatePartitionsResponse<'_>>(frame, version)?;
            let result = answer.results.first();
            Ok(result.map(|topic| outcome(topic.error_code, topic.error_message.as_deref())))
        });
        outcome
            .await?
            .ok_or(ClientError::Missing("the topic's result"))?
    }

    /// Gives up the records of a partition below `offset`; the partition's first offset since then.
    pub async fn delete_records(
        &self,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<i64, ClientError> {
        let partition = DeleteRecordsPartition {
            partition_index: partition,
            offset,
        };
        let request = DeleteRecordsRequest {
            topics: vec![DeleteRecordsTopic {
                name: topic,
                partitions: vec![partition],
            }],
            timeout_ms: CHANGE_TIMEOUT_MS,
        };
        let read = |frame: &[u8], version| {
            let (_, answer) = decode_response::<DeleteRecordsResponse<'_>>(frame, version)?;
            let topic = answer.topics.first();
            let result = topic.and_then(|topic| topic.partitions.first());
            Ok(result.map(|one| (one.error_code, one.low_watermark)))
        };
        let (error, low_watermark) = self
            .call(&request, read)
            .await?
            .ok_or(ClientError::Missing("the partition's result"))?;
        ClientError::check(error, None)?;
        Ok(low_watermark)
    }
}

fn outcome(code: ErrorCode, message: Option<&str>) -> Result<(), ClientError> {
    ClientError::check(code, message)
}

fn owned(answer: &MetadataResponse<'_>) -> Metadata {
    Metadata {
        cluster_id: answer.cluster_id.map(str::to_owned),
        controller_id: answer.controller_id,
        brokers: answer.brokers.iter().map(owned_broker).collect(),
        topics: answer.topics.iter().map(owned_topic).collect(),
    }
}

fn owned_broker(broker: &MetadataResponseBroker<'_>) -> Broker {
    Broker {
        node_id: broker.node_id,
        host: broker.host.to_owned(),
        port: broker.port,
    }
}

fn owned_topic(topic: &MetadataResponseTopic<'_>) -> TopicMetadata {
    let mut partitions: Vec<_> = topic.partitions.iter().map(owned_partition).collect();
    partitions.sort_by_key(|partition| partition.partition);
    TopicMetadata {
        error: topic.error_code,
        name: topic.name.unwrap_or_default().to_owned(),
        topic_id: topic.topic_id,
        is_internal: topic.is_internal,
        partitions,
    }
}

fn owned_partition(partition: &MetadataResponsePartition) -> PartitionMetadata {
    PartitionMetadata {
        error: partition.error_code,
        partition: partition.partition_index,
        leader_id: partition.leader_id,
        leader_epoch: partition.leader_epoch,
        replicas: partition.replica_nodes.clone(),
        in_sync_replicas: partition.isr_nodes.clone(),
    }
}
