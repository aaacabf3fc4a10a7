//! Commands that look at topics.

use std::collections::BTreeMap;

use flumen::client::{
    ClientError, Cluster, Configured, EARLIEST, LATEST, Metadata, PartitionSize, TopicMetadata,
};

use crate::cli::args::{DescribeArgs, Format, UsageArgs};
use crate::cli::client::connect;
use crate::cli::table::{Cell, Description, Table};
use crate::errors::Failure;

pub(super) async fn list(
    cluster: &Cluster,
    with_internal: bool,
    format: Format,
) -> Result<(), Failure> {
    let metadata = cluster.any().metadata(None, false).await?;
    let mut table = Table::new(&["TOPIC", "PARTITIONS", "REPLICAS", "+ID"]);
    let shown = |topic: &&TopicMetadata| with_internal || !topic.is_internal;
    for topic in metadata.topics.iter().filter(shown) {
        let replicas = topic.partitions.first().map_or(0, |one| one.replicas.len());
        table.row([
            topic.name.as_str().into(),
            topic.partitions.len().into(),
            replicas.into(),
            topic.topic_id.to_string().into(),
        ]);
    }
    table.print(format)
}

pub(super) async fn describe(args: &DescribeArgs) -> Result<(), Failure> {
    let cluster = connect(&args.broker).await?;
    let (metadata, topic) = cluster.described(args.topic.name()).await?;
    let mut description = Description::default();
    description.fact("topic", topic.name.as_str());
    description.fact("id", topic.topic_id.to_string());
    if args.all || !args.configs {
        let table = partitions(&cluster, &metadata, &topic).await?;
        description.table("partitions", table);
    }
    if args.all || args.configs {
        description.table("configs", configs(&cluster, &topic.name).await?);
    }
    description.print(args.output.format)
}

async fn partitions(
    cluster: &Cluster,
    metadata: &Metadata,
    topic: &TopicMetadata,
) -> Result<Table, Failure> {
    let all: Vec<i32> = topic.partitions.iter().map(|one| one.partition).collect();
    let starts = cluster.offsets(metadata, topic, &all, EARLIEST).await?;
    let ends = cluster.offsets(metadata, topic, &all, LATEST).await?;
    let mut table = Table::new(&[
        "PARTITION",
        "LEADER",
        "EPOCH",
        "REPLICAS",
        "IN-SYNC",
        "START",
        "HIGH-WATERMARK",
        "+RECORDS",
    ]);
    for one in &topic.partitions {
        let (start, end) = (starts.get(&one.partition), ends.get(&one.partition));
        let records = start.zip(end).map(|(start, end)| end - start);
        table.row([
            one.partition.into(),
            one.leader_id.into(),
            one.leader_epoch.into(),
            one.replicas.clone().into(),
            one.in_sync_replicas.clone().into(),
            Cell::known(start.copied()),
            Cell::known(end.copied()),
            Cell::known(records),
        ]);
    }
    Ok(table)
}

async fn configs(cluster: &Cluster, topic: &str) -> Result<Table, Failure> {
    let configs = cluster
        .any()
        .describe_configs(Configured::Topic(topic))
        .await?;
    let mut table = Table::new(&["KEY", "VALUE", "FROM", "+MEANING"]);
    for config in configs {
        let origin = config.origin();
        table.row([
            config.name.into(),
            Cell::known(config.value),
            origin.into(),
            Cell::known(config.documentation),
        ]);
    }
    Ok(table)
}

pub(super) async fn usage(args: &UsageArgs) -> Result<(), Failure> {
    let cluster = connect(&args.broker).await?;
    let names: Vec<&str> = args.topics.iter().map(String::as_str).collect();
    let names = (!names.is_empty()).then_some(&names[..]);
    let metadata = cluster.any().metadata(names, false).await?;
    for topic in &metadata.topics {
        let told = ClientError::check(topic.error, None);
        told.map_err(|error| error.of(format_args!("topic {}", topic.name)))?;
    }
    let sizes = sizes(&cluster, &metadata).await?;
    if args.partitions {
        by_partition(&sizes).print(args.output.format)
    } else {
        by_topic(&sizes).print(args.output.format)
    }
}

/// What each partition takes, on all brokers together, with how many of them have it.
type Sizes = BTreeMap<(String, i32), (u64, usize)>;

async fn sizes(cluster: &Cluster, metadata: &Metadata) -> Result<Sizes, Failure> {
    let topics = metadata.topics.iter();
    let wanted: Vec<(&str, Vec<i32>)> = topics
        .map(|topic| {
            let partitions = topic.partitions.iter().map(|one| one.partition);
            (topic.name.as_str(), partitions.collect())
        })
        .collect();
    let mut sizes = Sizes::new();
    for broker in &metadata.brokers {
        let connection = cluster.broker(metadata, broker.node_id).await?;
        for dir in connection.log_dirs(Some(&wanted)).await? {
            for PartitionSize {
                topic,
                partition,
                bytes,
            } in dir.partitions
            {
                let (total, replicas) = sizes.entry((topic, partition)).or_default();
                *total += bytes;
                *replicas += 1;
            }
        }
    }
    Ok(sizes)
}

fn by_partition(sizes: &Sizes) -> Table {
    let mut table = Table::new(&["TOPIC", "PARTITION", "SIZE", "REPLICAS", "+BYTES"]);
    for ((topic, partition), (bytes, replicas)) in sizes {
        table.row([
            topic.as_str().into(),
            (*partition).into(),
            Cell::Size(*bytes),
            (*replicas).into(),
            (*bytes).into(),
        ]);
    }
    table
}

fn by_topic(sizes: &Sizes) -> Table {
    let mut topics = BTreeMap::<&str, (u64, usize)>::new();
    for ((topic, _), (bytes, _)) in sizes {
        let (total, partitions) = topics.entry(topic).or_default();
        *total += bytes;
        *partitions += 1;
    }
    let mut table = Table::new(&["TOPIC", "PARTITIONS", "SIZE", "+BYTES"]);
    for (topic, (bytes, partitions)) in topics {
        table.row([
            topic.into(),
            partitions.into(),
            Cell::Size(bytes),
            bytes.into(),
        ]);
    }
    table
}
