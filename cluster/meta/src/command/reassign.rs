//! Moves of partitions and elections of leaders, of which one node has none.

use net_wire::ErrorCode;

use super::placement;
use crate::error::MetaError;
use crate::record::Partition;
use crate::state::State;

/// Judges a wish to have a partition on these brokers, or with none named to stop its move
/// (KIP-455). Where it may be is where it is, on the one broker, so there is nothing to record.
pub fn reassign_partition(
    state: &State,
    topic: &str,
    index: i32,
    replicas: Option<&[i32]>,
    may_change_factor: bool,
) -> Result<(), MetaError> {
    let partition = find(
        state,
        topic,
        index,
        format!("Unable to find a topic named {topic}."),
        format!("Unable to find partition {topic}:{index}."),
    )?;
    let Some(replicas) = replicas else {
        return Err(MetaError::new(
            ErrorCode::NO_REASSIGNMENT_IN_PROGRESS,
            "No partition reassignment is in progress.",
        ));
    };
    placement::assigned(state, &[replicas.to_vec()], None)?;
    let now = partition.replicas.len();
    if !may_change_factor && replicas.len() != now {
        return Err(MetaError::new(
            ErrorCode::INVALID_REPLICATION_FACTOR,
            format!(
                "The replication factor is changed from {now} to {}",
                replicas.len()
            ),
        ));
    }
    Ok(())
}

/// Judges a wish to elect the leader of a partition (KIP-183): the one replica leads.
pub fn elect_leader(state: &State, topic: &str, index: i32) -> Result<(), MetaError> {
    find(
        state,
        topic,
        index,
        format!("No such topic as {topic}"),
        format!("No such partition as {topic}-{index}"),
    )?;
    Err(MetaError::new(
        ErrorCode::ELECTION_NOT_NEEDED,
        "Leader election not needed for topic partition.",
    ))
}

fn find<'a>(
    state: &'a State,
    topic: &str,
    index: i32,
    no_topic: String,
    no_partition: String,
) -> Result<&'a Partition, MetaError> {
    let unknown = |message| MetaError::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message);
    let topic = state
        .topic_by_name(topic)
        .ok_or_else(|| unknown(no_topic))?;
    let partition = usize::try_from(index).ok();
    let partition = partition.and_then(|index| topic.partitions.get(index));
    partition.ok_or_else(|| unknown(no_partition))
}
