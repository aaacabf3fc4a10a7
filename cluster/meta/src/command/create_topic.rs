//! `CreateTopics`, one topic of it, with the checks of Kafka's controller in their order.

use net_wire::ErrorCode;

use super::placement;
use super::topic_configs;
use crate::config::{ConfigMap, StaticConfig};
use crate::error::MetaError;
use crate::ids::TopicId;
use crate::name;
use crate::record::{PartitionRun, Record};
use crate::snapshot::runs;
use crate::state::{State, TOPIC_PARTITIONS_MAX};

/// A topic that a client asks for.
#[derive(Debug, Clone)]
pub struct NewTopic<'a> {
    /// The name.
    pub name: &'a str,
    /// A fresh random identifier, chosen by the caller.
    pub topic_id: TopicId,
    /// Partitions; -1 for `num.partitions`.
    pub num_partitions: i32,
    /// Replicas of each; -1 for `default.replication.factor`.
    pub replication_factor: i16,
    /// Brokers by partition, chosen by the client; empty for none.
    pub assignments: &'a [(i32, Vec<i32>)],
    /// Its own configuration.
    pub configs: &'a [(&'a str, Option<&'a str>)],
}

/// The record that creates a topic.
pub fn create_topic(
    state: &State,
    fixed: &StaticConfig,
    new: &NewTopic<'_>,
) -> Result<Record, MetaError> {
    check_name(state, new.name)?;
    check_count(fixed, new)?;
    let configs = new_configs(state, fixed, new.configs)?;
    let partitions = partitions(state, fixed, new)?;
    assert!(
        new.topic_id > TopicId::METADATA_TOPIC
            && state.topic(new.topic_id).is_none()
            && !state.tombstones().contains_key(&new.topic_id),
        "the caller draws ids until one is free"
    );
    Ok(Record::TopicCreated {
        topic_id: new.topic_id,
        name: new.name.to_owned(),
        number: state.next_topic_number(),
        config_version: 0,
        configs,
        partitions,
    })
}

fn check_name(state: &State, name: &str) -> Result<(), MetaError> {
    if name == name::CLUSTER_METADATA_TOPIC {
        let message = format!("Creation of internal topic {name} is prohibited.");
        return Err(MetaError::new(ErrorCode::INVALID_REQUEST, message));
    }
    name::validate(name).map_err(|why| MetaError::new(ErrorCode::INVALID_TOPIC_EXCEPTION, why))?;
    if state.topic_by_name(name).is_some() {
        let message = format!("Topic '{name}' already exists.");
        return Err(MetaError::new(ErrorCode::TOPIC_ALREADY_EXISTS, message));
    }
    match state.colliding_topic(name) {
        Some(other) => {
            let message = format!(
                "Topic '{name}' collides with existing topic: {}",
                other.name
            );
            Err(MetaError::new(ErrorCode::INVALID_TOPIC_EXCEPTION, message))
        },
        None => Ok(()),
    }
}

fn check_count(fixed: &StaticConfig, new: &NewTopic<'_>) -> Result<(), MetaError> {
    let asked = usize::try_from(partition_count(fixed, new)).unwrap_or(0);
    if asked.max(new.assignments.len()) > TOPIC_PARTITIONS_MAX {
        let message = "Excessively large number of partitions per request.";
        return Err(MetaError::new(ErrorCode::POLICY_VIOLATION, message));
    }
    Ok(())
}

fn new_configs(
    state: &State,
    fixed: &StaticConfig,
    configs: &[(&str, Option<&str>)],
) -> Result<ConfigMap, MetaError> {
    let nulls: Vec<&str> = configs
        .iter()
        .filter(|(_, value)| value.is_none())
        .map(|(name, _)| *name)
        .collect();
    if !nulls.is_empty() {
        let message = format!(
            "Null value not supported for topic configs: {}",
            nulls.join(",")
        );
        return Err(MetaError::new(ErrorCode::INVALID_CONFIG, message));
    }
    let set = configs
        .iter()
        .filter_map(|(name, value)| Some((*name, (*value)?)));
    topic_configs::checked(state, fixed, set)
}

fn partition_count(fixed: &StaticConfig, new: &NewTopic<'_>) -> i32 {
    match new.num_partitions {
        -1 => fixed.integer("num.partitions").unwrap_or(1) as i32,
        count => count,
    }
}

fn partitions(
    state: &State,
    fixed: &StaticConfig,
    new: &NewTopic<'_>,
) -> Result<Vec<PartitionRun>, MetaError> {
    if !new.assignments.is_empty() {
        return assigned_partitions(state, new);
    }
    if new.replication_factor < -1 || new.replication_factor == 0 {
        let message = "Replication factor must be larger than 0, or -1 to use the default value.";
        return Err(MetaError::new(
            ErrorCode::INVALID_REPLICATION_FACTOR,
            message,
        ));
    }
    let count = partition_count(fixed, new);
    if count <= 0 {
        let message = "Number of partitions was set to an invalid non-positive value.";
        return Err(MetaError::new(ErrorCode::INVALID_PARTITIONS, message));
    }
    let factor = match new.replication_factor {
        -1 => fixed.integer("default.replication.factor").unwrap_or(1) as i16,
        factor => factor,
    };
    let partition = placement::place(state, factor)?;
    Ok(vec![PartitionRun {
        count: count.unsigned_abs(),
        partition,
    }])
}

fn assigned_partitions(state: &State, new: &NewTopic<'_>) -> Result<Vec<PartitionRun>, MetaError> {
    let refuse = |code, message: &str| Err(MetaError::new(code, message));
    if new.replication_factor != -1 {
        return refuse(
            ErrorCode::INVALID_REQUEST,
            "A manual partition assignment was specified, but replication factor was not set to -1.",
        );
    }
    if new.num_partitions != -1 {
        return refuse(
            ErrorCode::INVALID_REQUEST,
            "A manual partition assignment was specified, but numPartitions was not set to -1.",
        );
    }
    let mut assignments = new.assignments.to_vec();
    assignments.sort_by_key(|(partition, _)| *partition);
    for pair in assignments.windows(2) {
        let [(earlier, _), (later, _)] = pair else {
            continue;
        };
        if earlier == later {
            let message =
                format!("Found multiple manual partition assignments for partition {later}");
            return refuse(ErrorCode::INVALID_REPLICA_ASSIGNMENT, &message);
        }
    }
    let brokers: Vec<Vec<i32>> = assignments
        .iter()
        .map(|(_, brokers)| brokers.clone())
        .collect();
    let partitions = placement::assigned(state, &brokers, None)?;
    if !assignments
        .iter()
        .zip(0..)
        .all(|((partition, _), expected)| *partition == expected)
    {
        return refuse(
            ErrorCode::INVALID_REPLICA_ASSIGNMENT,
            "partitions should be a consecutive 0-based integer sequence",
        );
    }
    Ok(runs(partitions))
}
