//! `flumen group`.

mod change;
mod look;
mod seek;

use std::collections::BTreeSet;

use flumen::client::{ClientError, Cluster, Offsets};

use super::args::GroupCommand;
use super::client::on_ring;
use crate::errors::Failure;

/// Does what the command says.
pub(crate) fn run(command: GroupCommand) -> Result<(), Failure> {
    on_ring(move || async move {
        match command {
            GroupCommand::List(args) => look::list(&args).await,
            GroupCommand::Describe(args) => look::describe(&args).await,
            GroupCommand::Seek(args) => seek::seek(&args).await,
            GroupCommand::Delete(args) => change::delete(&args).await,
            GroupCommand::DeleteOffsets(args) => change::delete_offsets(&args).await,
        }
    })
}

/// A partition of a topic.
type Place = (String, i32);

async fn committed(cluster: &Cluster, group: &str) -> Result<Offsets, ClientError> {
    let ask = cluster.at_coordinator(group, async |at| at.committed_offsets(group).await);
    ask.await
}

/// The partitions that `-t` names: all there are of topics that are named without any.
async fn places(cluster: &Cluster, texts: &[String]) -> Result<BTreeSet<Place>, Failure> {
    let mut places = BTreeSet::new();
    for text in texts {
        let (topic, partitions) = parse_topic(text)?;
        let (_, known) = cluster.described(topic).await?;
        let all: BTreeSet<i32> = known.partitions.iter().map(|one| one.partition).collect();
        let wanted = partitions.unwrap_or_else(|| all.iter().copied().collect());
        if let Some(&partition) = wanted.iter().find(|one| !all.contains(*one)) {
            let topic = topic.to_owned();
            return Err(ClientError::NoPartition { topic, partition }.into());
        }
        places.extend(
            wanted
                .iter()
                .map(|partition| (topic.to_owned(), *partition)),
        );
    }
    Ok(places)
}

/// Reads `TOPIC` or `TOPIC:N,N`.
fn parse_topic(text: &str) -> Result<(&str, Option<Vec<i32>>), Failure> {
    let Some((topic, partitions)) = text.split_once(':') else {
        return Ok((text, None));
    };
    let partition = |text: &str| text.parse().ok().filter(|number: &i32| *number >= 0);
    let partitions: Option<Vec<i32>> = partitions.split(',').map(partition).collect();
    let wrong = || Failure::invalid(format!("-t {text}")).help("TOPIC or TOPIC:N,N");
    Ok((topic, Some(partitions.ok_or_else(wrong)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_stands_alone_or_with_partitions() {
        assert_eq!(parse_topic("t").unwrap(), ("t", None));
        assert_eq!(parse_topic("t:0,7").unwrap(), ("t", Some(vec![0, 7])));
        for wrong in ["t:", "t:x", "t:1,,2", "t:-1"] {
            assert_eq!(parse_topic(wrong).unwrap_err().code(), "FL1002", "{wrong}");
        }
    }
}
