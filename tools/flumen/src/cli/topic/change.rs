//! Commands that change topics: a line for each change that was made, and the first refusal ends
//! them.

use std::collections::BTreeMap;

use flumen::client::{
    ClientError, Cluster, ConfigChange, LATEST, Metadata, NewTopic, TopicMetadata,
};
use net_wire::ErrorCode;

use crate::cli::args::{AddPartitionsArgs, AlterConfigArgs, CreateArgs, DeleteArgs, TrimArgs};
use crate::cli::client::connect;
use crate::cli::output::Output;
use crate::errors::Failure;

/// Pairs of `KEY=VALUE`.
fn pairs<'a>(option: &str, texts: &'a [String]) -> Result<Vec<(&'a str, &'a str)>, Failure> {
    let wanted = |text: &String| Failure::invalid(format!("{option} {text}: KEY=VALUE is wanted"));
    let pair = |text: &'a String| text.split_once('=').ok_or_else(|| wanted(text));
    texts.iter().map(pair).collect()
}

fn is(code: ErrorCode, error: &ClientError) -> bool {
    error.code() == Some(code)
}

pub(super) async fn create(args: &CreateArgs) -> Result<(), Failure> {
    let configs = pairs("-c", &args.configs)?;
    let cluster = connect(&args.broker).await?;
    let mut out = Output::new();
    for name in args.topics.names() {
        let new = NewTopic {
            name,
            partitions: args.partitions,
            replication_factor: args.replicas,
            configs: &configs,
        };
        match cluster.any().create_topic(&new).await {
            Err(error) if args.if_not_exists && is(ErrorCode::TOPIC_ALREADY_EXISTS, &error) => {
                out.line(format!("{name} was there"))?;
            },
            created => {
                created?;
                out.line(format!("created {name}"))?;
            },
        }
        out.flush()?;
    }
    Ok(())
}

pub(super) async fn delete(args: &DeleteArgs) -> Result<(), Failure> {
    let cluster = connect(&args.broker).await?;
    let mut out = Output::new();
    for name in args.topics.names() {
        match cluster.any().delete_topic(name).await {
            Err(error) if args.if_exists && is(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, &error) => {
                out.line(format!("{name} was not there"))?;
            },
            deleted => {
                deleted?;
                out.line(format!("deleted {name}"))?;
            },
        }
        out.flush()?;
    }
    Ok(())
}

pub(super) async fn alter_config(args: &AlterConfigArgs) -> Result<(), Failure> {
    let mut changes: Vec<ConfigChange<'_>> = pairs("--set", &args.set)?
        .into_iter()
        .map(|(key, value)| ConfigChange::Set(key, value))
        .collect();
    changes.extend(args.delete.iter().map(|key| ConfigChange::Delete(key)));
    let cluster = connect(&args.broker).await?;
    let mut out = Output::new();
    for name in args.topics.names() {
        let asked = cluster.any();
        asked
            .alter_topic_configs(name, &changes, args.dry_run)
            .await?;
        let done = if args.dry_run {
            "could be altered"
        } else {
            "altered"
        };
        out.line(format!("{name} {done}"))?;
        out.flush()?;
    }
    Ok(())
}

pub(super) async fn add_partitions(args: &AddPartitionsArgs) -> Result<(), Failure> {
    let cluster = connect(&args.broker).await?;
    let mut out = Output::new();
    for name in args.topics.names() {
        let before = cluster.any().topic(name).await?.partitions.len() as i32;
        let added = args.num.map(|more| before.saturating_add(more));
        // Clap wants one of the two.
        let total = added.or(args.total).unwrap_or(before);
        cluster.any().create_partitions(name, total).await?;
        out.line(format!("{name} has {total} partitions, before {before}"))?;
        out.flush()?;
    }
    Ok(())
}

/// The first offset to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    From(i64),
    FromTime(i64),
    Nothing,
}

fn parse_keep(text: &str) -> Result<Keep, Failure> {
    let number = |digits: &str| digits.parse().ok().filter(|number| *number >= 0);
    let keep = match text.strip_prefix('@') {
        Some(ms) => number(ms).map(Keep::FromTime),
        None if text == "end" => Some(Keep::Nothing),
        None => number(text).map(Keep::From),
    };
    let wrong = || Failure::invalid(format!("-o {text}")).help("N, end or @MS");
    keep.ok_or_else(wrong)
}

pub(super) async fn trim(args: &TrimArgs) -> Result<(), Failure> {
    let keep = parse_keep(&args.offset)?;
    let cluster = connect(&args.broker).await?;
    let (metadata, topic) = cluster.topic(args.topic.name(), false).await?;
    let partitions = args.partitions.of(&topic);
    let offsets = offsets_to_keep(&cluster, &metadata, &topic, &partitions, keep).await?;
    let mut out = Output::new();
    for partition in partitions {
        let leader = cluster.leader(&metadata, &topic, partition).await?;
        let Some(offset) = offsets.get(&partition) else {
            continue;
        };
        let start = leader
            .delete_records(&topic.name, partition, *offset)
            .await
            .map_err(|error| error.of(format_args!("partition {partition}")))?;
        out.line(format!("{} {partition} begins at {start}", topic.name))?;
        out.flush()?;
    }
    Ok(())
}

/// The first offset to keep of each partition. Where nothing is as young as asked, nothing is kept.
async fn offsets_to_keep(
    cluster: &Cluster,
    metadata: &Metadata,
    topic: &TopicMetadata,
    partitions: &[i32],
    keep: Keep,
) -> Result<BTreeMap<i32, i64>, Failure> {
    let same = |offset| partitions.iter().map(move |one| (*one, offset)).collect();
    let timestamp = match keep {
        Keep::From(offset) => return Ok(same(offset)),
        Keep::Nothing => return Ok(same(LATEST)),
        Keep::FromTime(timestamp) => timestamp,
    };
    let mut offsets = cluster
        .offsets(metadata, topic, partitions, timestamp)
        .await?;
    for offset in offsets.values_mut().filter(|offset| **offset < 0) {
        *offset = LATEST;
    }
    Ok(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_split_at_the_first_equals_sign() {
        let texts = ["a=b".to_owned(), "c=d=e".to_owned(), "f=".to_owned()];
        assert_eq!(
            pairs("-c", &texts).unwrap(),
            [("a", "b"), ("c", "d=e"), ("f", "")]
        );
        let refused = pairs("-c", &["x".to_owned()]).unwrap_err();
        assert_eq!(refused.code(), "FL1002");
    }

    #[test]
    fn what_is_kept_is_an_offset_a_time_or_nothing() {
        assert_eq!(parse_keep("17").unwrap(), Keep::From(17));
        assert_eq!(parse_keep("@17").unwrap(), Keep::FromTime(17));
        assert_eq!(parse_keep("end").unwrap(), Keep::Nothing);
        for wrong in ["start", "-1", "@", ""] {
            assert_eq!(parse_keep(wrong).unwrap_err().code(), "FL1002", "{wrong}");
        }
    }
}
