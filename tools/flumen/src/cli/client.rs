//! What commands that talk to a broker have in common: an executor, connections, leaders.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::rc::Rc;
use std::time::Duration;

use engine_rt::{ExecutorSpec, Instant, blocking, now, ring, sleep, timeout};
use flumen::client::{ClientError, Connection, Metadata, TopicMetadata};

use super::start::refuse_without_ring;
use crate::errors::{Exit, Failure};

/// What brokers see as the client's name.
const CLIENT_ID: &str = "flumen";
/// How long a connection may take to be made.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// How long a topic that is being created may take to have leaders.
const TOPIC_PATIENCE: Duration = Duration::from_secs(10);
const TOPIC_INTERVAL: Duration = Duration::from_millis(50);

/// Runs a command on an executor of its own.
pub(crate) fn on_ring<F>(work: impl FnOnce() -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>> + 'static,
{
    refuse_without_ring(&ring::probe())?;
    let spec = ExecutorSpec {
        name: "command".to_owned(),
        cpu: None,
    };
    ring::run(spec, ring::Options::default(), work)
        .map_err(|error| Failure::new("FL1017", "the command's executor").because(error))?
}

/// Connections to the brokers of a cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    first: Rc<Connection>,
    by_node: RefCell<BTreeMap<i32, Rc<Connection>>>,
}

impl Cluster {
    /// Connects to a broker of the cluster, `HOST:PORT`.
    pub(crate) async fn connect(addr: &str) -> Result<Self, Failure> {
        let first = Rc::new(connect(addr).await?);
        Ok(Self {
            first,
            by_node: RefCell::default(),
        })
    }

    /// The connection that was made first.
    pub(crate) fn any(&self) -> &Connection {
        &self.first
    }

    /// A topic whose partitions have leaders; with `create` it is created if the broker allows.
    pub(crate) async fn topic(
        &self,
        name: &str,
        create: bool,
    ) -> Result<(Metadata, TopicMetadata), Failure> {
        let deadline = now() + TOPIC_PATIENCE;
        loop {
            let metadata = self.first.metadata(Some(&[name]), create).await?;
            let topic = metadata.topics.first().cloned();
            let topic = topic.ok_or(ClientError::Missing("the topic"))?;
            let error = topic
                .partitions
                .iter()
                .map(|one| one.error)
                .find(|code| !code.is_none());
            let error = if topic.error.is_none() {
                error
            } else {
                Some(topic.error)
            };
            match error {
                None => return Ok((metadata, topic)),
                // A topic that nobody asked to create does not appear by waiting.
                Some(code) if code.is_retriable() && create && now() < deadline => {
                    sleep(TOPIC_INTERVAL).await;
                },
                Some(code) => {
                    return Err(Failure::from(ClientError::Refused {
                        code,
                        message: Some(format!("topic {name}: {}", code.message())),
                    }));
                },
            }
        }
    }

    /// A connection to the leader of a partition.
    pub(crate) async fn leader(
        &self,
        metadata: &Metadata,
        topic: &TopicMetadata,
        partition: i32,
    ) -> Result<Rc<Connection>, Failure> {
        let found = topic
            .partitions
            .iter()
            .find(|one| one.partition == partition);
        let Some(found) = found else {
            let message = format!("topic {} has no partition {partition}", topic.name);
            return Err(Failure::invalid(message));
        };
        if let Some(known) = self.by_node.borrow().get(&found.leader_id) {
            return Ok(Rc::clone(known));
        }
        let broker = metadata
            .brokers
            .iter()
            .find(|one| one.node_id == found.leader_id);
        let broker = broker.ok_or(ClientError::Missing("the leader's address"))?;
        let connection = Rc::new(connect(&format!("{}:{}", broker.host, broker.port)).await?);
        self.by_node
            .borrow_mut()
            .insert(found.leader_id, Rc::clone(&connection));
        Ok(connection)
    }
}

async fn connect(addr: &str) -> Result<Connection, Failure> {
    let nobody = |why: String| {
        Failure::new("FL3001", format!("no broker answers at {addr}"))
            .because(why)
            .exit(Exit::NotReady)
    };
    let name = addr.to_owned();
    let found = blocking(move || name.to_socket_addrs().map(Vec::from_iter)).await;
    let addrs: Vec<SocketAddr> = found.map_err(|error| nobody(error.to_string()))?;
    let deadline: Instant = now() + CONNECT_PATIENCE;
    let mut last = "the name has no address".to_owned();
    for addr in addrs {
        match timeout(deadline, Box::pin(Connection::connect(addr, CLIENT_ID))).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => last = error.to_string(),
            Err(_) => last = format!("no answer within {} s", CONNECT_PATIENCE.as_secs()),
        }
    }
    Err(nobody(last))
}
