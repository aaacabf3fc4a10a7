//! What the console shows of the cluster and of configurations.

use net_wire::ApiKey;
use serde_json::{Value, json};

use crate::client::{ClientError, Cluster, Config, Configured};

/// Brokers, and the APIs that this one serves.
pub(super) async fn describe(cluster: &Cluster) -> Result<Value, ClientError> {
    // No topic is asked for: the answer is as long as the list of brokers.
    let metadata = cluster.any().metadata(Some(&[]), false).await?;
    let brokers = metadata.brokers.iter();
    let brokers =
        brokers.map(|one| json!({ "id": one.node_id, "host": one.host, "port": one.port }));
    let apis = ApiKey::ALL.iter().map(|key| key.api());
    let served = apis.filter(|api| cluster.any().version(api.key, i16::MAX).is_ok());
    Ok(json!({
        "cluster_id": metadata.cluster_id,
        "controller": metadata.controller_id,
        "brokers": brokers.collect::<Vec<_>>(),
        "apis": served.map(|api| api.name).collect::<Vec<_>>(),
    }))
}

pub(super) async fn topic_configs(cluster: &Cluster, topic: &str) -> Result<Value, ClientError> {
    let of = Configured::Topic(topic);
    Ok(json!({ "configs": listed(&cluster.any().describe_configs(of).await?) }))
}

/// The configuration of the broker that is asked.
pub(super) async fn broker_configs(cluster: &Cluster) -> Result<Value, ClientError> {
    let metadata = cluster.any().metadata(Some(&[]), false).await?;
    let broker = metadata.brokers.first();
    let broker = broker.ok_or(ClientError::Missing("the broker"))?.node_id;
    let connection = cluster.broker(&metadata, broker).await?;
    let configs = connection
        .describe_configs(Configured::Broker(broker))
        .await?;
    Ok(json!({ "broker": broker, "configs": listed(&configs) }))
}

fn listed(configs: &[Config]) -> Vec<Value> {
    let one = |config: &Config| {
        json!({
            "name": config.name,
            "value": config.value,
            "origin": config.origin(),
            "read_only": config.is_read_only,
            "meaning": config.documentation,
        })
    };
    configs.iter().map(one).collect()
}
