//! `flumen topic`: create, list, describe, delete.

use flumen::client::NewTopic;

use super::args::TopicCommand;
use super::client::{Cluster, on_ring};
use super::output::Output;
use crate::errors::Failure;

/// The latest and the earliest offset, as `ListOffsets` asks for them.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

/// Does what the command says.
pub(crate) fn run(command: TopicCommand) -> Result<(), Failure> {
    on_ring(move || async move {
        match command {
            TopicCommand::Create {
                names,
                partitions,
                replicas,
                configs,
                broker,
            } => {
                let configs = pairs(&configs)?;
                let cluster = Cluster::connect(&broker.addr).await?;
                create(&cluster, &names, partitions, replicas, &configs).await
            },
            TopicCommand::List { broker } => list(&Cluster::connect(&broker.addr).await?).await,
            TopicCommand::Describe { name, broker } => {
                describe(&Cluster::connect(&broker.addr).await?, &name).await
            },
            TopicCommand::Delete { names, broker } => {
                delete(&Cluster::connect(&broker.addr).await?, &names).await
            },
        }
    })
}

fn pairs(configs: &[String]) -> Result<Vec<(&str, &str)>, Failure> {
    let pair = |text: &'_ String| -> Option<(usize, usize)> {
        text.split_once('=')
            .map(|(name, value)| (name.len(), value.len()))
    };
    configs
        .iter()
        .map(|text| match pair(text) {
            Some((name, _)) => Ok((&text[..name], &text[name + 1..])),
            None => Err(Failure::invalid(format!("-c {text}: KEY=VALUE is wanted"))),
        })
        .collect()
}

async fn create(
    cluster: &Cluster,
    names: &[String],
    partitions: i32,
    replicas: i16,
    configs: &[(&str, &str)],
) -> Result<(), Failure> {
    let mut out = Output::new();
    for name in names {
        let new = NewTopic {
            name,
            partitions,
            replication_factor: replicas,
            configs,
        };
        cluster.any().create_topic(&new).await?;
        out.line(format!("created {name}"))?;
        out.flush()?;
    }
    Ok(())
}

async fn delete(cluster: &Cluster, names: &[String]) -> Result<(), Failure> {
    let mut out = Output::new();
    for name in names {
        cluster.any().delete_topic(name).await?;
        out.line(format!("deleted {name}"))?;
        out.flush()?;
    }
    Ok(())
}

async fn list(cluster: &Cluster) -> Result<(), Failure> {
    let metadata = cluster.any().metadata(None, false).await?;
    let rows = metadata
        .topics
        .iter()
        .filter(|topic| !topic.is_internal)
        .map(|topic| {
            let replicas = topic.partitions.first().map_or(0, |one| one.replicas.len());
            [
                topic.name.clone(),
                topic.partitions.len().to_string(),
                replicas.to_string(),
            ]
        });
    table(
        ["TOPIC", "PARTITIONS", "REPLICAS"],
        &rows.collect::<Vec<_>>(),
    )
}

async fn describe(cluster: &Cluster, name: &str) -> Result<(), Failure> {
    let (metadata, topic) = cluster.topic(name, false).await?;
    let mut rows = Vec::new();
    for one in &topic.partitions {
        let leader = cluster.leader(&metadata, &topic, one.partition).await?;
        let start = leader.list_offset(name, one.partition, EARLIEST).await?;
        let end = leader.list_offset(name, one.partition, LATEST).await?;
        let nodes = |nodes: &[i32]| {
            nodes
                .iter()
                .map(i32::to_string)
                .collect::<Vec<_>>()
                .join(",")
        };
        rows.push([
            one.partition.to_string(),
            one.leader_id.to_string(),
            one.leader_epoch.to_string(),
            nodes(&one.replicas),
            nodes(&one.in_sync_replicas),
            start.to_string(),
            end.to_string(),
        ]);
    }
    let mut out = Output::new();
    out.line(format!("topic {name}, id {}", topic.topic_id))?;
    out.flush()?;
    drop(out);
    table(
        [
            "PARTITION",
            "LEADER",
            "EPOCH",
            "REPLICAS",
            "IN-SYNC",
            "START",
            "HIGH-WATERMARK",
        ],
        &rows,
    )
}

/// Columns as wide as their widest word; numbers and words alike stand to the left.
fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> Result<(), Failure> {
    let mut out = Output::new();
    let width = |at: usize| {
        rows.iter()
            .map(|row| row[at].len())
            .max()
            .unwrap_or(0)
            .max(head[at].len())
    };
    let line = |row: [&str; N]| {
        let cells = row
            .iter()
            .enumerate()
            .map(|(at, cell)| format!("{cell:<0$}", width(at)));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    out.line(line(head))?;
    for row in rows {
        out.line(line(row.each_ref().map(String::as_str)))?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_split_at_the_first_equals_sign() {
        let texts = ["a=b".to_owned(), "c=d=e".to_owned(), "f=".to_owned()];
        assert_eq!(
            pairs(&texts).unwrap(),
            [("a", "b"), ("c", "d=e"), ("f", "")]
        );
        assert_eq!(pairs(&["x".to_owned()]).unwrap_err().code(), "FL1002");
    }
}
