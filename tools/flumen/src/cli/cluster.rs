//! `flumen cluster`: who is in it, and how it is.

use flumen::client::Metadata;

use super::args::{ClusterCommand, Format};
use super::client::{connect, on_ring};
use super::table::{Description, Table};
use super::watch::repeat;
use crate::errors::Failure;

/// Does what the command says.
pub(crate) fn run(command: ClusterCommand) -> Result<(), Failure> {
    on_ring(move || async move {
        match command {
            ClusterCommand::Info {
                watch,
                output,
                broker,
            } => {
                let cluster = connect(&broker).await?;
                let show = async || {
                    info(&cluster.any().metadata(None, false).await?, output.format)?;
                    Ok::<bool, Failure>(false)
                };
                repeat(watch.is_on, show).await
            },
            ClusterCommand::Health {
                watch,
                exit_when_healthy,
                output,
                broker,
            } => {
                let cluster = connect(&broker).await?;
                let is_watched = watch.is_on || exit_when_healthy;
                let show = async || {
                    let metadata = cluster.any().metadata(None, false).await?;
                    let is_healthy = health(&metadata, output.format)?;
                    if !is_watched && !is_healthy {
                        return Err(Failure::new("FL3005", "the cluster is not healthy"));
                    }
                    Ok(is_healthy && exit_when_healthy)
                };
                repeat(is_watched, show).await
            },
        }
    })
}

fn info(metadata: &Metadata, format: Format) -> Result<(), Failure> {
    let partitions = || metadata.topics.iter().flat_map(|topic| &topic.partitions);
    let mut description = Description::default();
    let id = metadata.cluster_id.as_deref();
    description.fact("cluster", id.unwrap_or("-"));
    description.fact("controller", metadata.controller_id);
    description.fact("topics", metadata.topics.len());
    description.fact("partitions", partitions().count());
    let mut table = Table::new(&["BROKER", "HOST", "PORT", "LEADS", "REPLICAS"]);
    for broker in &metadata.brokers {
        let id = broker.node_id;
        let leads = partitions().filter(|one| one.leader_id == id).count();
        let has = partitions().filter(|one| one.replicas.contains(&id));
        table.row([
            id.into(),
            broker.host.as_str().into(),
            broker.port.into(),
            leads.into(),
            has.count().into(),
        ]);
    }
    description.table("brokers", table);
    description.print(format)
}

/// A partition that is not as it should be.
struct Finding<'a> {
    topic: &'a str,
    partition: i32,
    what: &'static str,
}

fn findings(metadata: &Metadata) -> Vec<Finding<'_>> {
    let mut findings = Vec::new();
    for topic in &metadata.topics {
        for one in &topic.partitions {
            let what = if one.leader_id < 0 || !one.error.is_none() {
                "no leader"
            } else if one.in_sync_replicas.len() < one.replicas.len() {
                "replicas out of sync"
            } else {
                continue;
            };
            findings.push(Finding {
                topic: &topic.name,
                partition: one.partition,
                what,
            });
        }
    }
    findings
}

/// Tells it; whether all is well.
fn health(metadata: &Metadata, format: Format) -> Result<bool, Failure> {
    let brokers = &metadata.brokers;
    let has_controller = brokers
        .iter()
        .any(|one| one.node_id == metadata.controller_id);
    let findings = findings(metadata);
    let is_healthy = has_controller && findings.is_empty();
    let leaderless = findings.iter().filter(|one| one.what == "no leader");
    let leaderless = leaderless.count();
    let mut description = Description::default();
    description.fact("healthy", is_healthy);
    description.fact("brokers", brokers.len());
    description.fact(
        "controller",
        has_controller.then_some(metadata.controller_id),
    );
    description.fact("without leader", leaderless);
    description.fact("out of sync", findings.len() - leaderless);
    if !findings.is_empty() {
        let mut table = Table::new(&["TOPIC", "PARTITION", "FINDING"]);
        for one in &findings {
            table.row([one.topic.into(), one.partition.into(), one.what.into()]);
        }
        description.table("findings", table);
    }
    description.print(format)?;
    Ok(is_healthy)
}

#[cfg(test)]
mod tests {
    use flumen::client::{Broker, PartitionMetadata, TopicMetadata};
    use net_wire::{ErrorCode, Uuid};

    use super::*;

    fn metadata(leader_id: i32, in_sync_replicas: Vec<i32>) -> Metadata {
        let partition = PartitionMetadata {
            error: ErrorCode::NONE,
            partition: 0,
            leader_id,
            leader_epoch: 0,
            replicas: vec![1, 2],
            in_sync_replicas,
        };
        Metadata {
            cluster_id: None,
            controller_id: 1,
            brokers: vec![Broker {
                node_id: 1,
                host: "h".to_owned(),
                port: 1,
            }],
            topics: vec![TopicMetadata {
                error: ErrorCode::NONE,
                name: "t".to_owned(),
                topic_id: Uuid::ZERO,
                is_internal: false,
                partitions: vec![partition],
            }],
        }
    }

    fn found(metadata: &Metadata) -> Vec<&'static str> {
        findings(metadata).iter().map(|one| one.what).collect()
    }

    #[test]
    fn health_is_a_leader_and_all_replicas() {
        assert_eq!(found(&metadata(1, vec![1, 2])), [""; 0]);
        assert_eq!(found(&metadata(1, vec![1])), ["replicas out of sync"]);
        assert_eq!(found(&metadata(-1, vec![1, 2])), ["no leader"]);
        assert!(health(&metadata(1, vec![1, 2]), Format::Json).unwrap());
        assert!(!health(&metadata(-1, vec![1]), Format::Json).unwrap());
    }
}
