//! Connections to the brokers of a cluster, and which of them leads what.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::{now, sleep};
use net_wire::ErrorCode;

use super::admin::{Metadata, TopicMetadata};
use super::connection::Connection;
use super::error::ClientError;

/// How long a coordinator may take to be there, and how often it is looked for.
const COORDINATOR_PATIENCE: Duration = Duration::from_secs(10);
const COORDINATOR_INTERVAL: Duration = Duration::from_millis(50);
/// How long a topic that is being created may take to have leaders.
const TOPIC_PATIENCE: Duration = Duration::from_secs(10);
const TOPIC_INTERVAL: Duration = Duration::from_millis(50);

/// Connections to the brokers of a cluster.
#[derive(Debug)]
pub struct Cluster {
    client_id: String,
    first: Rc<Connection>,
    by_node: RefCell<BTreeMap<i32, Rc<Connection>>>,
}

impl Cluster {
    /// Connects to a broker of the cluster, `HOST:PORT`.
    pub async fn connect(addr: &str, client_id: &str) -> Result<Self, ClientError> {
        Ok(Self {
            client_id: client_id.to_owned(),
            first: Rc::new(connect(addr, client_id).await?),
            by_node: RefCell::default(),
        })
    }

    /// The connection that was made first.
    pub fn any(&self) -> &Connection {
        &self.first
    }

    /// A topic whose partitions have leaders; with `create` it is created if the broker allows.
    pub async fn topic(
        &self,
        name: &str,
        create: bool,
    ) -> Result<(Metadata, TopicMetadata), ClientError> {
        let deadline = now() + TOPIC_PATIENCE;
        loop {
            let (metadata, topic) = self.look_up(name, create).await?;
            let errors = topic.partitions.iter().map(|one| one.error);
            let error = std::iter::once(topic.error)
                .chain(errors)
                .find(|code| !code.is_none());
            match error {
                None => return Ok((metadata, topic)),
                // A topic that nobody asked to create does not appear by waiting.
                Some(code) if code.is_retriable() && create && now() < deadline => {
                    sleep(TOPIC_INTERVAL).await;
                },
                Some(code) => {
                    let refused = ClientError::Refused {
                        code,
                        message: None,
                    };
                    return Err(refused.of(format_args!("topic {name}")));
                },
            }
        }
    }

    /// A topic as it is, whether its partitions have leaders or not.
    pub async fn described(&self, name: &str) -> Result<(Metadata, TopicMetadata), ClientError> {
        let (metadata, topic) = self.look_up(name, false).await?;
        let told = ClientError::check(topic.error, None);
        told.map_err(|error| error.of(format_args!("topic {name}")))?;
        Ok((metadata, topic))
    }

    /// A topic as metadata tell of it, with an error or without.
    async fn look_up(
        &self,
        name: &str,
        create: bool,
    ) -> Result<(Metadata, TopicMetadata), ClientError> {
        let metadata = self.first.metadata(Some(&[name]), create).await?;
        let topic = metadata.topics.first().cloned();
        Ok((metadata, topic.ok_or(ClientError::Missing("the topic"))?))
    }

    /// A connection to the leader of a partition.
    pub async fn leader(
        &self,
        metadata: &Metadata,
        topic: &TopicMetadata,
        partition: i32,
    ) -> Result<Rc<Connection>, ClientError> {
        let found = topic
            .partitions
            .iter()
            .find(|one| one.partition == partition);
        let found = found.ok_or_else(|| ClientError::NoPartition {
            topic: topic.name.clone(),
            partition,
        })?;
        self.broker(metadata, found.leader_id).await
    }

    /// A connection to a broker. The only one there is has been connected to already, by whatever
    /// address that was.
    pub async fn broker(
        &self,
        metadata: &Metadata,
        node_id: i32,
    ) -> Result<Rc<Connection>, ClientError> {
        if let Some(known) = self.by_node.borrow().get(&node_id) {
            return Ok(Rc::clone(known));
        }
        let connection = match &metadata.brokers[..] {
            [only] if only.node_id == node_id => Rc::clone(&self.first),
            brokers => {
                let broker = brokers.iter().find(|one| one.node_id == node_id);
                let broker = broker.ok_or(ClientError::Missing("the leader's address"))?;
                let addr = format!("{}:{}", broker.host, broker.port);
                Rc::new(connect(&addr, &self.client_id).await?)
            },
        };
        let mut by_node = self.by_node.borrow_mut();
        by_node.insert(node_id, Rc::clone(&connection));
        Ok(connection)
    }

    /// A connection to the broker that coordinates a group.
    pub async fn coordinator(&self, group: &str) -> Result<Rc<Connection>, ClientError> {
        let node_id = self.first.find_coordinator(group).await?;
        let metadata = self.first.metadata(Some(&[]), false).await?;
        self.broker(&metadata, node_id).await
    }

    /// Makes a call of a group's coordinator, again and again while there is none yet.
    pub async fn at_coordinator<T>(
        &self,
        group: &str,
        call: impl AsyncFn(Rc<Connection>) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let deadline = now() + COORDINATOR_PATIENCE;
        loop {
            let told = match self.coordinator(group).await {
                Ok(coordinator) => call(coordinator).await,
                Err(error) => Err(error),
            };
            match told {
                Err(error) if is_moving(&error) && now() < deadline => {
                    sleep(COORDINATOR_INTERVAL).await;
                },
                told => return told,
            }
        }
    }

    /// Offsets of these partitions at a timestamp, or at an end ([`LATEST`](super::LATEST),
    /// [`EARLIEST`](super::EARLIEST)); partitions without a leader, and what a leader refuses, are
    /// left out.
    pub async fn offsets(
        &self,
        metadata: &Metadata,
        topic: &TopicMetadata,
        partitions: &[i32],
        timestamp: i64,
    ) -> Result<BTreeMap<i32, i64>, ClientError> {
        let mut offsets = BTreeMap::new();
        for (node_id, group) in topic.by_leader(partitions) {
            let leader = self.broker(metadata, node_id).await?;
            offsets.extend(leader.list_offsets(&topic.name, &group, timestamp).await?);
        }
        Ok(offsets)
    }
}

/// Whether a coordinator is not there yet, or not any more.
fn is_moving(error: &ClientError) -> bool {
    let codes = [
        ErrorCode::COORDINATOR_NOT_AVAILABLE,
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode::NOT_COORDINATOR,
    ];
    error.code().is_some_and(|code| codes.contains(&code))
}

async fn connect(addr: &str, client_id: &str) -> Result<Connection, ClientError> {
    let connected = Connection::connect_by_name(addr, client_id).await;
    connected.map_err(|why| ClientError::NoBroker {
        addr: addr.to_owned(),
        why,
    })
}
