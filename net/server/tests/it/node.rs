//! A node of one or more shards with a control of its own: the metadata in memory, changes applied
//! to every shard before they are answered.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use cluster_meta::command::{change_ownership, create_cluster};
use cluster_meta::config::StaticConfig;
use cluster_meta::{NodeId, Record, State};
use engine_rt::{
    ExecutorSpec, Listener, MailReceiver, MailSender, OneshotSender, Task, mailbox, oneshot, sim,
    spawn, spawn_executor,
};
use engine_shard::{
    CompactionOptions, LogConfig, Mail, PartitionSpec, Shard, ShardOptions, Shards, TopicPartition,
};
use net_server::{
    AdvertisedListener, Arrivals, Broker, BrokerConfig, Change, Door, Limits, MetricsSnapshot,
    Peer, Propose, ProposeError, accept, door, peers, serve,
};

use crate::client::Client;

pub(crate) const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qk";
pub(crate) const HOST: &str = "broker.test";

type Verdict = Result<Vec<Record>, ProposeError>;
type Proposal = (Change, OneshotSender<Verdict>);

/// What a shard's executor is told.
enum Order {
    Apply(Vec<Record>, OneshotSender<()>),
    Metrics(OneshotSender<MetricsSnapshot>),
    Stop(OneshotSender<()>),
}

/// How a node is set up.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) shards: usize,
    pub(crate) settings: Vec<(&'static str, &'static str)>,
    pub(crate) limits: fn(&mut Limits),
    pub(crate) storage: fn(&mut ShardOptions),
    pub(crate) log: LogConfig,
    pub(crate) client_telemetry: bool,
}

impl Setup {
    /// Nothing special, on so many shards.
    pub(crate) fn shards(shards: usize) -> Self {
        Self {
            shards,
            ..Self::default()
        }
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            shards: 1,
            settings: Vec::new(),
            limits: |_| {},
            storage: |_| {},
            log: LogConfig {
                segment_bytes: 1 << 20,
                ..LogConfig::default()
            },
            client_telemetry: false,
        }
    }
}

/// A running node.
pub(crate) struct Node {
    pub(crate) addr: SocketAddr,
    orders: Rc<[MailSender<Order>]>,
    accepting: Task<()>,
}

/// Runs `test` against a fresh node of `world`.
pub(crate) fn with_node_of<T: 'static, F>(
    world: &sim::World,
    setup: &Setup,
    test: impl FnOnce(Node) -> F + 'static,
) -> T
where
    F: Future<Output = T> + 'static,
{
    let setup = setup.clone();
    world.block_on(world.node("node"), move || async move {
        test(Node::start(&setup)).await
    })
}

/// Runs `test` against a fresh node, in a world of its own for each of a few seeds: each has
/// another order of events.
pub(crate) fn with_node<F>(setup: &Setup, test: impl Fn(Node) -> F + Clone + 'static)
where
    F: Future<Output = ()> + 'static,
{
    for seed in 1..=3 {
        let (setup, test) = (setup.clone(), test.clone());
        sim::run(seed, move || async move { test(Node::start(&setup)).await });
    }
}

impl Node {
    pub(crate) fn start(setup: &Setup) -> Self {
        let fixed = StaticConfig::from_settings(setup.settings.iter().copied()).unwrap();
        let mut limits = Limits::new(&fixed, setup.shards, 64 << 20);
        (setup.limits)(&mut limits);
        let mut state = State::default();
        let records = vec![create_cluster(CLUSTER_ID, NodeId(1))];
        apply_all(&mut state, &records);
        let ownership = change_ownership(&state, setup.shards as u32).unwrap();
        state.apply(&ownership);
        let records = [records, vec![ownership]].concat();

        let (proposals, incoming) = mailbox::<Proposal>(1_000);
        let (mails, inboxes): (Vec<_>, Vec<_>) =
            (0..setup.shards).map(|_| mailbox::<Mail>(1_000)).unzip();
        let (doors, arrivals): (Vec<Door>, Vec<Arrivals>) =
            (0..setup.shards).map(|_| door()).unzip();
        let mut orders = Vec::new();
        let servers = inboxes.into_iter().zip(arrivals).zip(peers(setup.shards));
        for (index, ((inbox, arrivals), peer)) in servers.enumerate() {
            let (order, told) = mailbox(100);
            orders.push(order);
            let start = ShardStart {
                index,
                fixed: fixed.clone(),
                limits: limits.clone(),
                storage: setup.storage,
                log: setup.log,
                client_telemetry: setup.client_telemetry,
                records: records.clone(),
                proposals: proposals.clone(),
                mails: mails.clone(),
                inbox,
                peer,
                arrivals,
                told,
            };
            let spec = ExecutorSpec {
                name: format!("shard-{index}"),
                cpu: None,
            };
            let executor = spawn_executor(spec, move || start.run()).unwrap();
            drop(executor);
        }
        let orders: Rc<[_]> = orders.into();
        spawn(control(state, fixed, incoming, Rc::clone(&orders))).detach();
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = listener.local_addr();
        let accepting = spawn(accept(listener, 0, doors, usize::MAX));
        Self {
            addr,
            orders,
            accepting,
        }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.addr).await
    }

    /// The counters of all shards added up where tests look at them.
    pub(crate) async fn metrics(&self) -> Vec<MetricsSnapshot> {
        let mut all = Vec::new();
        for order in self.orders.iter() {
            let (done, snapshot) = oneshot();
            assert!(order.send(Order::Metrics(done)).await.is_ok());
            all.push(snapshot.await.unwrap());
        }
        all
    }

    /// Stops accepting, then every broker; ends when all connections are closed.
    pub(crate) async fn stop(self) {
        self.accepting.cancel();
        for order in self.orders.iter() {
            let (done, stopped) = oneshot();
            assert!(order.send(Order::Stop(done)).await.is_ok());
            stopped.await.unwrap();
        }
    }
}

fn apply_all(state: &mut State, records: &[Record]) {
    for record in records {
        state.apply(record);
    }
}

/// Judges changes in order, and answers when every shard has them.
async fn control(
    mut state: State,
    fixed: StaticConfig,
    mut incoming: MailReceiver<Proposal>,
    orders: Rc<[MailSender<Order>]>,
) {
    while let Some((change, answer)) = incoming.receive().await {
        let verdict = change(&state, &fixed).map_err(ProposeError::Refused);
        if let Ok(records) = &verdict {
            apply_all(&mut state, records);
            for order in orders.iter() {
                let (done, applied) = oneshot();
                assert!(
                    order
                        .send(Order::Apply(records.clone(), done))
                        .await
                        .is_ok()
                );
                applied.await.unwrap();
            }
        }
        answer.send(verdict);
    }
}

/// What a shard's executor starts with.
struct ShardStart {
    index: usize,
    fixed: StaticConfig,
    limits: Limits,
    storage: fn(&mut ShardOptions),
    log: LogConfig,
    client_telemetry: bool,
    records: Vec<Record>,
    proposals: MailSender<Proposal>,
    mails: Vec<MailSender<Mail>>,
    inbox: MailReceiver<Mail>,
    peer: Peer,
    arrivals: Arrivals,
    told: MailReceiver<Order>,
}

impl ShardStart {
    async fn run(self) {
        let data_dir = PathBuf::from("/data");
        engine_rt::fs::create_dir_all(&data_dir).await.unwrap();
        let mut options = shard_options(self.index, data_dir);
        (self.storage)(&mut options);
        let shard = Shard::open(options, Vec::new()).await.unwrap();
        spawn(Rc::clone(&shard).serve_mail(self.inbox)).detach();
        let state = Rc::new(RefCell::new(State::default()));
        apply_all(&mut state.borrow_mut(), &self.records);
        let config = BrokerConfig {
            fixed: self.fixed,
            listeners: vec![AdvertisedListener {
                name: "PLAINTEXT".to_owned(),
                host: HOST.to_owned(),
                port: 9092,
            }],
            log_dir: "/data".to_owned(),
            client_telemetry: self.client_telemetry,
            limits: self.limits,
        };
        let shards = Shards::new(Rc::clone(&shard), self.mails);
        let propose = propose(self.proposals);
        let broker = Broker::new(config, shards, Rc::clone(&state), propose, self.peer);
        spawn(serve(Rc::clone(&broker), self.arrivals)).detach();
        let mut told = self.told;
        while let Some(order) = told.receive().await {
            match order {
                Order::Apply(records, done) => {
                    for record in &records {
                        apply(&shard, &state, record, self.log);
                    }
                    done.send(());
                },
                Order::Metrics(done) => done.send(broker.metrics()),
                Order::Stop(done) => {
                    broker.stop().await;
                    shard.stop().await.unwrap();
                    done.send(());
                },
            }
        }
    }
}

fn propose(proposals: MailSender<Proposal>) -> Propose {
    Rc::new(move |change| {
        let (answer, verdict) = oneshot();
        // In the order of the calls: the mail is sent here, not in the future.
        assert!(
            proposals.try_send((change, answer)).is_ok(),
            "the control reads its mail"
        );
        Box::pin(async move {
            let stopped = || Err(ProposeError::Unavailable("control has stopped".to_owned()));
            verdict.await.unwrap_or_else(stopped)
        })
    })
}

fn apply(shard: &Rc<Shard>, state: &RefCell<State>, record: &Record, config: LogConfig) {
    let before = record_topic(&state.borrow(), record);
    state.borrow_mut().apply(record);
    let after = record_topic(&state.borrow(), record);
    let index = shard.index();
    for (id, owner) in after
        .iter()
        .filter(|(id, _)| !before.iter().any(|(known, _)| known == id))
    {
        if *owner == index {
            shard.create_partition(PartitionSpec {
                id: *id,
                leader_epoch: 0,
                config,
            });
        }
    }
    for (id, owner) in before
        .iter()
        .filter(|(id, _)| !after.iter().any(|(left, _)| left == id))
    {
        if *owner == index {
            // Files go when nobody reads them any more: the change does not wait for it.
            let (of, id) = (Rc::clone(shard), *id);
            shard.run(Box::pin(async move { of.delete_partition(id).await }));
        }
    }
}

/// The partitions of the topic that a record is about, and their shards.
fn record_topic(state: &State, record: &Record) -> Vec<(TopicPartition, usize)> {
    let topic = match record {
        Record::TopicCreated { topic_id, .. }
        | Record::PartitionsAdded { topic_id, .. }
        | Record::TopicDeleted { topic_id } => state.topic(*topic_id),
        _ => None,
    };
    let Some(topic) = topic else {
        return Vec::new();
    };
    let partitions = 0..topic.partitions.len() as u32;
    partitions
        .map(|partition| {
            let id = TopicPartition {
                topic_id: topic.topic_id,
                partition,
            };
            (id, state.owner(topic.number, partition as i32).0 as usize)
        })
        .collect()
}

fn shard_options(index: usize, data_dir: PathBuf) -> ShardOptions {
    ShardOptions {
        index,
        data_dir,
        disk_id: 77,
        generation: 1,
        journal_file_bytes: 4 << 20,
        journal_first_file_bytes: 4 << 20,
        journal_files_max: 4,
        tail_bytes_max: 16 << 20,
        read_chunks_max: 4,
        read_path: engine_shard::ReadPath::Auto,
        open_files_max: 64,
        bypass_bytes: 256 << 10,
        retention_check_ms: 300_000,
        producer_expiration_ms: 86_400_000,
        shards: 1,
        space_reserve_bytes: 0,
        scrub_bytes_per_second: 0,
        scrub_interval_ms: 0,
        compaction: CompactionOptions::default(),
    }
}

/// A wait that no test should ever need.
pub(crate) const LONG: Duration = Duration::from_mins(5);
