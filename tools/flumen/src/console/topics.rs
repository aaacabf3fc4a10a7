//! What the console shows of topics and partitions.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::page::{matches, page};
use crate::client::{ClientError, Cluster, EARLIEST, LATEST, Metadata, TopicMetadata};

/// Partitions whose sizes are asked for in one answer; topics behind them are shown without.
const SIZED_PARTITIONS_MAX: usize = 5_000;

/// A page of topics, in the order of their names.
pub(super) async fn list(
    cluster: &Cluster,
    filter: &str,
    after: &str,
    limit: usize,
) -> Result<Value, ClientError> {
    let mut metadata = cluster.any().metadata(None, false).await?;
    let mut topics = std::mem::take(&mut metadata.topics);
    topics.retain(|topic| matches(&topic.name, filter));
    topics.sort_by(|one, other| one.name.cmp(&other.name));
    let (page, next) = page(&topics, |topic| &topic.name, after, limit);
    let sizes = sizes(cluster, &metadata, &within_bounds(page)).await?;
    let row = |topic: &TopicMetadata| {
        let replicas = topic.partitions.first().map_or(0, |one| one.replicas.len());
        let size = topic.partitions.iter();
        let size: Option<u64> = size
            .map(|one| sizes.get(&(topic.name.as_str(), one.partition)))
            .sum();
        json!({
            "name": topic.name,
            "partitions": topic.partitions.len(),
            "replicas": replicas,
            "internal": topic.is_internal,
            "bytes": size,
        })
    };
    Ok(json!({
        "topics": page.iter().map(row).collect::<Vec<_>>(),
        "total": topics.len(),
        "next": next,
    }))
}

/// As many of the topics as may be asked for their sizes.
fn within_bounds(topics: &[TopicMetadata]) -> Vec<(&str, Vec<i32>)> {
    let mut left = SIZED_PARTITIONS_MAX;
    let mut wanted = Vec::new();
    for topic in topics {
        let Some(rest) = left.checked_sub(topic.partitions.len()) else {
            break;
        };
        left = rest;
        let partitions = topic.partitions.iter().map(|one| one.partition);
        wanted.push((topic.name.as_str(), partitions.collect()));
    }
    wanted
}

type Sizes<'a> = BTreeMap<(&'a str, i32), u64>;

/// What partitions take, on all brokers together.
async fn sizes<'a>(
    cluster: &Cluster,
    metadata: &Metadata,
    wanted: &[(&'a str, Vec<i32>)],
) -> Result<Sizes<'a>, ClientError> {
    let mut sizes = Sizes::new();
    if wanted.is_empty() {
        return Ok(sizes);
    }
    for broker in &metadata.brokers {
        let connection = cluster.broker(metadata, broker.node_id).await?;
        for dir in connection.log_dirs(Some(wanted)).await? {
            for one in dir.partitions {
                let known = wanted.iter().find(|(topic, _)| *topic == one.topic);
                if let Some((topic, _)) = known {
                    *sizes.entry((topic, one.partition)).or_default() += one.bytes;
                }
            }
        }
    }
    Ok(sizes)
}

/// A topic and a page of its partitions.
pub(super) async fn describe(
    cluster: &Cluster,
    name: &str,
    from: i32,
    limit: usize,
) -> Result<Value, ClientError> {
    let (metadata, topic) = cluster.described(name).await?;
    let behind = topic.partitions.iter().filter(|one| one.partition >= from);
    let page: Vec<_> = behind.take(limit).collect();
    let indexes: Vec<i32> = page.iter().map(|one| one.partition).collect();
    let starts = cluster
        .offsets(&metadata, &topic, &indexes, EARLIEST)
        .await?;
    let ends = cluster.offsets(&metadata, &topic, &indexes, LATEST).await?;
    let sizes = sizes(cluster, &metadata, &[(name, indexes)]).await?;
    let rows = page.iter().map(|one| {
        json!({
            "partition": one.partition,
            "leader": one.leader_id,
            "epoch": one.leader_epoch,
            "replicas": one.replicas,
            "in_sync": one.in_sync_replicas,
            "start": starts.get(&one.partition),
            "high_watermark": ends.get(&one.partition),
            "bytes": sizes.get(&(name, one.partition)),
        })
    });
    let last = page.last().map_or(from, |one| one.partition);
    let has_more = topic.partitions.iter().any(|one| one.partition > last);
    Ok(json!({
        "name": topic.name,
        "id": topic.topic_id.to_string(),
        "internal": topic.is_internal,
        "partition_count": topic.partitions.len(),
        "partitions": rows.collect::<Vec<_>>(),
        "next": has_more.then_some(last + 1),
    }))
}
