//! What the node itself records: its beginning, its starts, blocks of producer ids.

use crate::ids::NodeId;
use crate::record::{OwnerOverride, Record};
use crate::state::State;

/// Producer ids that one record hands out (as Kafka's `ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE`).
pub const PRODUCER_ID_BLOCK_LEN: i64 = 1000;

/// The first record of a new log.
pub fn create_cluster(cluster_id: &str, node_id: NodeId) -> Record {
    Record::ClusterCreated {
        cluster_id: cluster_id.to_owned(),
        node_id,
    }
}

/// The next block of producer ids: its first id, and the record that must be durable before any
/// id of it is handed out, so that no id is used twice in two lives.
pub fn allocate_producer_ids(state: &State) -> (i64, Record) {
    let first = state.next_producer_id();
    (
        first,
        Record::ProducerIdBlock {
            next: first + PRODUCER_ID_BLOCK_LEN,
        },
    )
}

/// A start of a node that had not stopped: a new leader epoch for every partition.
pub fn unclean_start(state: &State) -> Record {
    Record::UncleanStart {
        total: state.unclean_starts() + 1,
    }
}

/// The ownership table for this many shards; none when it is that already.
///
/// Partitions placed by hand are placed by the rule again: their shard may be gone.
pub fn change_ownership(state: &State, shards: u32) -> Option<Record> {
    let table = state.ownership();
    (table.shards != shards).then(|| Record::Ownership {
        generation: table.generation + 1,
        shards,
        overrides: Vec::new(),
    })
}

/// The same ownership table in another generation: journals and checkpoints were written anew.
pub fn renew_ownership(state: &State) -> Record {
    let table = state.ownership();
    let overrides = table.overrides.iter();
    Record::Ownership {
        generation: table.generation + 1,
        shards: table.shards,
        overrides: overrides
            .map(|((topic, partition), shard)| OwnerOverride {
                topic: *topic,
                partition: *partition,
                shard: *shard,
            })
            .collect(),
    }
}
