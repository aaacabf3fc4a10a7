//! Commands: what clients ask for, checked against the state and turned into records.
//!
//! Each is a pure function of the state and the request. It answers the record to write or the
//! error Kafka would answer, in Kafka's words; nothing changes before the record is durable in the
//! log and applied. Where a request holds several commands, apply each record before the next
//! command is judged.

mod alter_client_quotas;
mod alter_configs;
mod alter_scram_credential;
mod create_partitions;
mod create_topic;
mod delete_topic;
mod named_configs;
mod node;
mod placement;
mod reassign;
#[cfg(test)]
mod tests;
mod topic_configs;

pub use alter_client_quotas::alter_client_quotas;
pub use alter_configs::{
    AlterOp, ConfigOp, ResourceName, alter_configs, incremental_alter_configs,
};
pub use alter_scram_credential::{
    alter_scram_credential, check_scram_credential, check_scram_user,
};
pub use create_partitions::create_partitions;
pub use create_topic::{NewTopic, create_topic};
pub use delete_topic::{TopicRef, delete_topic};
pub use node::{
    PRODUCER_ID_BLOCK_LEN, allocate_producer_ids, change_ownership, create_cluster,
    renew_ownership, unclean_start,
};
pub use reassign::{elect_leader, reassign_partition};
