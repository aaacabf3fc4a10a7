//! `CreatePartitions`, one topic of it.

use net_wire::ErrorCode;

use super::delete_topic::unknown_topic;
use super::placement;
use crate::error::MetaError;
use crate::record::{PartitionRun, Record};
use crate::snapshot::runs;
use crate::state::{State, TOPIC_PARTITIONS_MAX, Topic};

/// The record that gives a topic `count` partitions in all, on brokers that the client may name.
pub fn create_partitions(
    state: &State,
    name: &str,
    count: i32,
    assignments: Option<&[Vec<i32>]>,
) -> Result<Record, MetaError> {
    let topic = state.topic_by_name(name).ok_or_else(unknown_topic)?;
    let added = check_count(topic, count)?;
    let partitions = if let Some(assignments) = assignments {
        assigned(state, topic, added, assignments)?
    } else {
        let factor = replication_factor(topic) as i16;
        vec![PartitionRun {
            count: added,
            partition: placement::place(state, factor)?,
        }]
    };
    let first = topic.partitions.len() as i32;
    Ok(Record::PartitionsAdded {
        topic_id: topic.topic_id,
        first,
        partitions,
    })
}

fn check_count(topic: &Topic, count: i32) -> Result<u32, MetaError> {
    let (name, now) = (&topic.name, topic.partitions.len() as i32);
    let refuse = |message| Err(MetaError::new(ErrorCode::INVALID_PARTITIONS, message));
    if count == now {
        return refuse(format!("Topic already has {now} partition(s)."));
    }
    if count < now {
        return refuse(format!(
            "The topic {name} currently has {now} partition(s); {count} would not be an increase."
        ));
    }
    if count as usize > TOPIC_PARTITIONS_MAX {
        let message = "Excessively large number of partitions per request.";
        return Err(MetaError::new(ErrorCode::POLICY_VIOLATION, message));
    }
    Ok(count.abs_diff(now))
}

fn assigned(
    state: &State,
    topic: &Topic,
    added: u32,
    assignments: &[Vec<i32>],
) -> Result<Vec<PartitionRun>, MetaError> {
    if assignments.len() != added as usize {
        let message = format!(
            "Attempted to add {added} additional partition(s), but only {} assignment(s) were \
             specified.",
            assignments.len()
        );
        return Err(MetaError::new(
            ErrorCode::INVALID_REPLICA_ASSIGNMENT,
            message,
        ));
    }
    let partitions = placement::assigned(state, assignments, Some(replication_factor(topic)))?;
    Ok(runs(partitions))
}

fn replication_factor(topic: &Topic) -> usize {
    topic
        .partitions
        .first()
        .map_or(1, |partition| partition.replicas.len())
}
