//! Commands that delete: a line for each thing that is gone, and the first refusal ends them.

use std::collections::BTreeMap;

use super::places;
use crate::cli::args::{GroupDeleteArgs, GroupDeleteOffsetsArgs};
use crate::cli::client::connect;
use crate::cli::output::Output;
use crate::errors::Failure;

pub(super) async fn delete(args: &GroupDeleteArgs) -> Result<(), Failure> {
    let cluster = connect(&args.broker).await?;
    let mut out = Output::new();
    for id in args.groups.ids() {
        let deleted = cluster.at_coordinator(id, async |at| at.delete_group(id).await);
        deleted.await?;
        out.line(format!("deleted {id}"))?;
        out.flush()?;
    }
    Ok(())
}

pub(super) async fn delete_offsets(args: &GroupDeleteOffsetsArgs) -> Result<(), Failure> {
    let cluster = connect(&args.broker).await?;
    let id = args.group.id();
    let mut topics = BTreeMap::<String, Vec<i32>>::new();
    for (topic, partition) in places(&cluster, &args.topics).await? {
        topics.entry(topic).or_default().push(partition);
    }
    let mut out = Output::new();
    for (topic, partitions) in &topics {
        let deleted = cluster.at_coordinator(id, async |at| {
            at.delete_offsets(id, topic, partitions).await
        });
        deleted.await?;
        for partition in partitions {
            out.line(format!("{id} has nothing committed of {topic} {partition}"))?;
        }
        out.flush()?;
    }
    Ok(())
}
