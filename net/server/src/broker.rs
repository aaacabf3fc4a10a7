//! What the server of one shard shares between its connections.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use cluster_meta::config::TopicConfig;
use cluster_meta::{Cluster, Record, State, Topic, TopicId};
use engine_rt::spawn;
use engine_shard::{Shards, TopicPartition};
use net_wire::Uuid;

use crate::budget::Budget;
use crate::config::BrokerConfig;
use crate::connection::Registry;
use crate::fetch_session_cache::FetchSessions;
use crate::futures::join_all;
use crate::groups::Groups;
use crate::kept_answers::KeptAnswers;
use crate::metrics::{Metrics, MetricsSnapshot};
use crate::peers::{Peer, Peers};
use crate::producer_ids::ProducerIds;
use crate::propose::{Change, Propose, ProposeError};
use crate::quotas::{Sensors, Windows};
use crate::telemetry::Telemetry;

/// Changes of the metadata that one request has under way at a time.
const PROPOSALS_MAX: usize = 256;

/// The server of one shard's executor: everything that a handler may ask or change.
pub struct Broker {
    pub(crate) shards: Shards,
    pub(crate) config: BrokerConfig,
    pub(crate) metrics: Metrics,
    pub(crate) fetch_sessions: RefCell<FetchSessions>,
    pub(crate) producer_ids: ProducerIds,
    /// The servers of the other shards.
    pub(crate) peers: Peers,
    pub(crate) groups: Groups,
    /// The rates of clients with quotas that this shard keeps.
    pub(crate) sensors: RefCell<Sensors>,
    pub(crate) telemetry: Telemetry,
    pub(crate) kept_answers: RefCell<KeptAnswers>,
    pub(crate) request_bytes: Budget,
    pub(crate) response_bytes: Budget,
    pub(crate) connections: Registry,
    state: Rc<RefCell<State>>,
    propose: Propose,
    topic_configs: TopicConfigs,
    stopping: Cell<bool>,
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shard = self.shards.local().index();
        f.debug_struct("Broker")
            .field("shard", &shard)
            .finish_non_exhaustive()
    }
}

/// A topic as requests on records need it, copied out of the state so that nothing is borrowed
/// while they wait.
#[derive(Clone, Debug)]
pub(crate) struct TopicView {
    /// Its id.
    pub(crate) id: Uuid,
    /// Its partitions.
    pub(crate) partitions: usize,
    /// Replicas of a partition.
    pub(crate) replicas: usize,
    /// What it runs with.
    pub(crate) config: Rc<TopicConfig>,
}

impl TopicView {
    /// The partition of this index, if there is one.
    pub(crate) fn partition(&self, index: i32) -> Option<TopicPartition> {
        let partition = u32::try_from(index).ok()?;
        (partition < self.partitions as u32).then_some(TopicPartition {
            topic_id: self.id,
            partition,
        })
    }
}

impl Broker {
    /// The server of the shard that `shards` is local to. `state` is this executor's replica of the
    /// metadata, which somebody else keeps up to date. Call it on the shard's executor.
    pub fn new(
        config: BrokerConfig,
        shards: Shards,
        state: Rc<RefCell<State>>,
        propose: Propose,
        peer: Peer,
    ) -> Rc<Self> {
        let limits = &config.limits;
        let (peers, inbox) = peer.split();
        let broker = Rc::new(Self {
            metrics: Metrics::default(),
            fetch_sessions: RefCell::new(FetchSessions::new(
                limits.fetch_sessions_max,
                limits.fetch_session_partitions_max,
            )),
            producer_ids: ProducerIds::default(),
            telemetry: Telemetry::default(),
            kept_answers: RefCell::new(KeptAnswers::new(limits.kept_answer_bytes_max)),
            request_bytes: Budget::new(limits.shard_request_bytes_max),
            response_bytes: Budget::new(limits.shard_response_bytes_max),
            connections: Registry::default(),
            topic_configs: TopicConfigs::default(),
            stopping: Cell::new(false),
            groups: Groups::new(&config.fixed),
            sensors: RefCell::new(Sensors::new(Windows::new(&config.fixed))),
            peers,
            shards,
            config,
            state,
            propose,
        });
        spawn(inbox.serve(Rc::clone(&broker))).detach();
        broker
    }

    /// The counters as they are now.
    pub fn metrics(&self) -> MetricsSnapshot {
        let sessions = self.fetch_sessions.borrow();
        let telemetry = self.telemetry.totals();
        MetricsSnapshot {
            client_metrics: telemetry.metrics.into_iter().collect(),
            telemetry_pushes: telemetry.pushes,
            telemetry_dropped: telemetry.dropped,
            connections: self.connections.len(),
            fetch_sessions: sessions.len(),
            fetch_sessions_evicted: sessions.evicted(),
            request_bytes_queued: self.request_bytes.used(),
            response_bytes_queued: self.response_bytes.used(),
            ..self.metrics.snapshot()
        }
    }

    /// Whether [`Broker::stop`] was called.
    pub fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    /// Stops reading from connections and waits until what they asked before is answered and they
    /// are closed. The caller bounds the wait and stops accepting first.
    pub async fn stop(&self) {
        self.stopping.set(true);
        self.connections.end_all();
        self.connections.wait_until_empty().await;
        self.groups.end();
    }

    /// Reads the metadata. Nothing may wait inside.
    pub(crate) fn with_state<R>(&self, read: impl FnOnce(&State) -> R) -> R {
        read(&self.state.borrow())
    }

    /// The cluster and node that this broker is of.
    pub(crate) fn cluster(&self) -> Cluster {
        self.with_state(|state| state.cluster().cloned())
            .expect("a broker serves after its cluster was created")
    }

    /// How far back the rates of quotas look.
    pub(crate) fn quota_windows(&self) -> Windows {
        self.sensors.borrow().windows()
    }

    /// Asks for a change of the metadata.
    pub(crate) async fn propose(&self, change: Change) -> Result<Vec<Record>, ProposeError> {
        (self.propose)(change).await
    }

    /// Asks for several changes, judged in their order. They wait for the disk together, but not
    /// more than so many at a time: a request can name millions of things.
    pub(crate) async fn propose_all(
        &self,
        changes: impl IntoIterator<Item = Change>,
    ) -> Vec<Result<Vec<Record>, ProposeError>> {
        let mut changes = changes.into_iter();
        let mut results = Vec::new();
        loop {
            let some = changes.by_ref().take(PROPOSALS_MAX);
            let some: Vec<_> = some.map(|change| (self.propose)(change)).collect();
            if some.is_empty() {
                return results;
            }
            results.extend(join_all(some).await);
        }
    }

    /// The topic of this name.
    pub(crate) fn topic_by_name(&self, name: &str) -> Option<TopicView> {
        self.with_state(|state| Some(self.view(state, state.topic_by_name(name)?)))
    }

    /// What a topic runs with; derived again only when it may have changed.
    pub(crate) fn topic_config(&self, state: &State, topic: &Topic) -> Rc<TopicConfig> {
        self.topic_configs
            .get(state, topic, || state.effective(topic, &self.config.fixed))
    }

    fn view(&self, state: &State, topic: &Topic) -> TopicView {
        TopicView {
            id: topic.topic_id,
            partitions: topic.partitions.len(),
            replicas: topic
                .partitions
                .first()
                .map_or(1, |partition| partition.replicas.len()),
            config: self.topic_config(state, topic),
        }
    }

    /// The shard that owns a partition. One of a topic that is gone belongs nowhere: any shard says
    /// that it is not there.
    pub(crate) fn owner(&self, id: TopicPartition) -> usize {
        self.with_state(|state| {
            let topic = state.topic(id.topic_id);
            topic.map_or(0, |topic| {
                state.owner(topic.number, id.partition as i32).0 as usize
            })
        })
    }
}

/// Effective configurations by topic, each with the version it was derived from.
#[derive(Debug, Default)]
struct TopicConfigs {
    by_topic: RefCell<BTreeMap<TopicId, (u64, Rc<TopicConfig>)>>,
}

impl TopicConfigs {
    fn get(
        &self,
        state: &State,
        topic: &Topic,
        derive: impl FnOnce() -> TopicConfig,
    ) -> Rc<TopicConfig> {
        let version = state.config_version(topic);
        let mut known = self.by_topic.borrow_mut();
        match known.get(&topic.topic_id) {
            Some((at, config)) if *at == version => Rc::clone(config),
            _ => {
                // Deleted topics leave when as many are known as there are topics twice over.
                if known.len() > 2 * state.topics().len() + 16 {
                    known.retain(|id, _| state.topic(*id).is_some());
                }
                let config = Rc::new(derive());
                known.insert(topic.topic_id, (version, Rc::clone(&config)));
                config
            },
        }
    }
}
