//! Which brokers hold the copies of a partition.

use net_wire::ErrorCode;

use crate::error::MetaError;
use crate::ids::NodeId;
use crate::record::Partition;
use crate::state::State;

/// A new partition on these brokers.
pub(super) fn new_partition(state: &State, replicas: Vec<NodeId>) -> Partition {
    Partition {
        replicas,
        leader_epoch_base: 0,
        unclean_starts_base: state.unclean_starts(),
        partition_epoch: 0,
    }
}

/// A partition whose brokers are chosen here.
pub(super) fn place(state: &State, replication_factor: i16) -> Result<Partition, MetaError> {
    let brokers: Vec<NodeId> = state.brokers().collect();
    let wanted = usize::from(replication_factor.unsigned_abs());
    if wanted > brokers.len() {
        let message = format!(
            "Unable to replicate the partition {wanted} time(s): The target replication factor of \
             {wanted} cannot be reached because only {} broker(s) are registered.",
            brokers.len()
        );
        return Err(MetaError::new(
            ErrorCode::INVALID_REPLICATION_FACTOR,
            message,
        ));
    }
    Ok(new_partition(
        state,
        brokers.into_iter().take(wanted).collect(),
    ))
}

/// Partitions on the brokers that the request names, as many for each as for the first.
pub(super) fn assigned(
    state: &State,
    assignments: &[Vec<i32>],
    replication_factor: Option<usize>,
) -> Result<Vec<Partition>, MetaError> {
    let mut factor = replication_factor;
    let mut partitions = Vec::with_capacity(assignments.len());
    for brokers in assignments {
        check_assignment(state, brokers, factor)
            .map_err(|why| MetaError::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, why))?;
        factor = Some(brokers.len());
        partitions.push(new_partition(
            state,
            brokers.iter().copied().map(NodeId).collect(),
        ));
    }
    Ok(partitions)
}

fn check_assignment(state: &State, brokers: &[i32], factor: Option<usize>) -> Result<(), String> {
    if brokers.is_empty() {
        return Err("The manual partition assignment includes an empty replica list.".to_owned());
    }
    for (at, broker) in brokers.iter().enumerate() {
        if !state.brokers().any(|known| known.0 == *broker) {
            return Err(format!(
                "The manual partition assignment includes broker {broker}, but no such broker is \
                 registered."
            ));
        }
        if brokers.iter().take(at).any(|earlier| earlier == broker) {
            return Err(format!(
                "The manual partition assignment includes the broker {broker} more than once."
            ));
        }
    }
    match factor {
        Some(factor) if factor != brokers.len() => Err(format!(
            "The manual partition assignment includes a partition with {} replica(s), but this is \
             not consistent with previous partitions, which have {factor} replica(s).",
            brokers.len()
        )),
        _ => Ok(()),
    }
}
