//! The brokers of a run: where they are, which topics it gets, who leads what.

use std::time::Duration;

use engine_rt::{now, sleep};
use net_client::{ClientError, Connection, Metadata, NewTopic};
use net_wire::ErrorCode;

use super::RunError;
use crate::ledger::Place;
use crate::scenario::Topics;

/// How brokers see the generator.
const CLIENT_ID: &str = "flumen-loadgen";
/// How long topics may take until all partitions are led.
const LEADER_PATIENCE: Duration = Duration::from_mins(1);
const LEADER_INTERVAL: Duration = Duration::from_millis(50);

/// Before a broken connection is tried again (`reconnect.backoff.ms` and `.max.ms`).
const RECONNECT_BACKOFF: Duration = Duration::from_millis(50);
const RECONNECT_BACKOFF_MAX: Duration = Duration::from_secs(1);

/// Where the partitions of a run are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The topics' names.
    pub(crate) topics: Vec<String>,
    /// Partitions of each.
    pub(crate) partitions: usize,
    /// Addresses of brokers that lead something.
    pub(crate) brokers: Vec<String>,
    /// For each partition of each topic, one topic behind the other, the broker that leads it.
    pub(crate) leaders: Vec<usize>,
}

impl Layout {
    /// The topic of a lane.
    pub(crate) fn topic(&self, lane: usize) -> &str {
        &self.topics[lane / self.partitions]
    }

    /// Where a lane is.
    pub(crate) const fn place(&self, lane: usize) -> Place {
        Place {
            topic: (lane / self.partitions) as u16,
            partition: (lane % self.partitions) as i32,
        }
    }
}

/// The pauses before connections are tried again: as Kafka's clients make them.
#[derive(Debug, Default)]
pub(crate) struct Backoff(u32);

impl Backoff {
    /// The next pause.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = RECONNECT_BACKOFF * (1 << self.0);
        self.0 += 1;
        if pause < RECONNECT_BACKOFF_MAX {
            pause
        } else {
            self.0 -= 1;
            RECONNECT_BACKOFF_MAX
        }
    }
}

/// Connects to a broker, `HOST:PORT`.
pub(crate) async fn connect(addr: &str) -> Result<Connection, RunError> {
    let connected = Connection::connect_by_name(addr, CLIENT_ID).await;
    connected.map_err(|why| RunError::Unreachable {
        addr: addr.to_owned(),
        why,
    })
}

/// Connects to the first of some brokers that answers.
pub(crate) async fn connect_any(addrs: &[String]) -> Result<Connection, RunError> {
    let mut last = RunError::Unreachable {
        addr: "nowhere".to_owned(),
        why: "no broker was named".to_owned(),
    };
    for addr in addrs {
        match connect(addr).await {
            Ok(connection) => return Ok(connection),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Makes the topics, which must not exist, and waits until they are led.
pub(crate) async fn create(
    connection: &Connection,
    names: &[String],
    wanted: &Topics,
) -> Result<Layout, RunError> {
    let configs: Vec<(&str, &str)> = wanted
        .config
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    for name in names {
        let new = NewTopic {
            name,
            partitions: wanted.partitions,
            replication_factor: wanted.replication_factor,
            configs: &configs,
        };
        let created = connection.create_topic(&new).await;
        created.map_err(|source| RunError::Topic {
            topic: name.clone(),
            source,
        })?;
    }
    wait_for_leaders(connection, names, wanted.partitions as usize).await
}

async fn wait_for_leaders(
    connection: &Connection,
    names: &[String],
    partitions: usize,
) -> Result<Layout, RunError> {
    let deadline = now() + LEADER_PATIENCE;
    let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
    loop {
        let metadata = connection.metadata(Some(&wanted), false).await;
        let metadata = metadata.map_err(RunError::of("metadata"))?;
        match layout(&metadata, names, partitions) {
            Ok(layout) => return Ok(layout),
            Err(_) if now() < deadline => sleep(LEADER_INTERVAL).await,
            Err((topic, source)) => return Err(RunError::Topic { topic, source }),
        }
    }
}

/// Reads the layout; the topic that is not led yet.
fn layout(
    metadata: &Metadata,
    names: &[String],
    partitions: usize,
) -> Result<Layout, (String, ClientError)> {
    let mut layout = Layout {
        topics: names.to_vec(),
        partitions,
        ..Layout::default()
    };
    for name in names {
        let missing = |what| (name.clone(), ClientError::Missing(what));
        let topic = metadata.topics.iter().find(|topic| topic.name == *name);
        let topic = topic.ok_or_else(|| missing("the topic"))?;
        let failed = |code| {
            (
                name.clone(),
                ClientError::Refused {
                    code,
                    message: None,
                },
            )
        };
        if !topic.error.is_none() {
            return Err(failed(topic.error));
        }
        if topic.partitions.len() != partitions {
            return Err(missing("partitions"));
        }
        for partition in &topic.partitions {
            let broker = metadata
                .brokers
                .iter()
                .find(|broker| broker.node_id == partition.leader_id);
            let broker = broker.ok_or_else(|| failed(ErrorCode::LEADER_NOT_AVAILABLE))?;
            let addr = format!("{}:{}", broker.host, broker.port);
            let known = layout.brokers.iter().position(|known| *known == addr);
            layout.leaders.push(known.unwrap_or(layout.brokers.len()));
            if known.is_none() {
                layout.brokers.push(addr);
            }
        }
    }
    Ok(layout)
}

/// Deletes the topics of a run, as far as they are there.
pub(crate) async fn delete(connection: &Connection, names: &[String]) -> Result<(), RunError> {
    for name in names {
        let deleted = connection.delete_topic(name).await;
        deleted.map_err(|source| RunError::Topic {
            topic: name.clone(),
            source,
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use net_client::{Broker, PartitionMetadata, TopicMetadata};

    use super::*;

    fn metadata(leaders: &[i32]) -> Metadata {
        let broker = |node_id| Broker {
            node_id,
            host: "host".to_owned(),
            port: 9000 + node_id,
        };
        let partition = |(partition, &leader_id): (i32, &i32)| PartitionMetadata {
            error: ErrorCode::NONE,
            partition,
            leader_id,
            leader_epoch: 0,
            replicas: Vec::new(),
            in_sync_replicas: Vec::new(),
        };
        let topic = TopicMetadata {
            error: ErrorCode::NONE,
            name: "t".to_owned(),
            topic_id: net_wire::Uuid::ZERO,
            is_internal: false,
            partitions: (0..).zip(leaders).map(partition).collect(),
        };
        Metadata {
            cluster_id: None,
            controller_id: 1,
            brokers: vec![broker(1), broker(2)],
            topics: vec![topic],
        }
    }

    #[test]
    fn pauses_grow_and_stay() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u128> = (0..8).map(|_| backoff.next().as_millis()).collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1000, 1000, 1000]);
    }

    #[test]
    fn partitions_are_laid_out_by_their_leaders() {
        let names = ["t".to_owned()];
        let found = layout(&metadata(&[2, 1, 2]), &names, 3).unwrap();
        assert_eq!(found.brokers, ["host:9002", "host:9001"]);
        assert_eq!(found.leaders, [0, 1, 0]);
        for (leaders, partitions) in [(&[2, -1][..], 2), (&[1][..], 2)] {
            assert!(layout(&metadata(leaders), &names, partitions).is_err());
        }
        assert!(layout(&metadata(&[1]), &["u".to_owned()], 1).is_err());
    }
}
