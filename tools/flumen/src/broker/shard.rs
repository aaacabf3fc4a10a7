//! What the executor of one shard runs: its engine, its replica of the metadata, its connections.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use cluster_control::{ApplyMail, ControlHandle};
use cluster_meta::{State, TopicId};
use engine_rt::{MailReceiver, MailSender, OneshotSender, fs, sleep, spawn};
use engine_shard::{Mail, OpenError, PartitionSpec, Shard, ShardOptions, Shards};
use net_admin::{NodeCounters, ShardCounters};
use net_server::{Arrivals, Broker, Peer, serve};

use super::admin::{AdminHandle, NodeFacts, shard_counters};
use super::apply::Applier;
use super::cleaner::CleanerShare;
use super::propose::proposer;

/// How often a shard shows that its executor turns.
const PULSE_INTERVAL: Duration = Duration::from_millis(500);

/// The name of a shard's executor.
pub(super) fn executor_name(shard: usize) -> String {
    format!("shard-{shard}")
}

/// What the node asks of a shard.
#[derive(Debug)]
pub(super) enum ShardCall {
    /// Its counters.
    Counters(OneshotSender<ShardCounters>),
    /// The counters of the node, as this shard sees it.
    Node(OneshotSender<NodeCounters>),
    /// Answer what connections have asked, then close them.
    EndConnections(OneshotSender<()>),
    /// Flush, checkpoint, end.
    Stop(OneshotSender<io::Result<()>>),
}

/// Everything that a shard's executor is given; it crosses to another thread.
pub(super) struct ShardSeed {
    pub(super) options: ShardOptions,
    pub(super) specs: Vec<PartitionSpec>,
    pub(super) state: State,
    pub(super) server: net_server::BrokerConfig,
    pub(super) mail: MailReceiver<Mail>,
    pub(super) shards: Vec<MailSender<Mail>>,
    pub(super) apply: MailReceiver<ApplyMail>,
    pub(super) calls: MailReceiver<ShardCall>,
    pub(super) peer: Peer,
    pub(super) arrivals: Arrivals,
    pub(super) control: ControlHandle,
    pub(super) emptied: MailSender<TopicId>,
    pub(super) cleaner: CleanerShare,
    pub(super) admin: AdminHandle,
    pub(super) facts: NodeFacts,
    pub(super) started: OneshotSender<Result<(), OpenError>>,
}

/// A shard in service.
struct Service {
    shard: Rc<Shard>,
    server: Rc<Broker>,
    state: Rc<RefCell<State>>,
    options: ShardOptions,
    fixed: cluster_meta::config::StaticConfig,
    facts: NodeFacts,
}

/// The main future of a shard's executor: recovers, serves, and ends when it is told to.
pub(super) async fn run(seed: ShardSeed) {
    let shard = match Shard::open(seed.options.clone(), seed.specs).await {
        Ok(shard) => shard,
        Err(error) => return seed.started.send(Err(error)),
    };
    let shards = Shards::new(Rc::clone(&shard), seed.shards);
    let state = Rc::new(RefCell::new(seed.state));
    let fixed = seed.server.fixed.clone();
    spawn(Rc::clone(&shard).serve_mail(seed.mail)).detach();
    let applier = Applier {
        shard: Rc::clone(&shard),
        state: Rc::clone(&state),
        fixed: fixed.clone(),
        emptied: seed.emptied,
        cleaner: seed.cleaner,
    };
    applier.configure_cleaner(&state.borrow());
    spawn(applier.run(seed.apply)).detach();
    let propose = proposer(seed.control);
    let server = Broker::new(seed.server, shards, Rc::clone(&state), propose, seed.peer);
    spawn(serve(Rc::clone(&server), seed.arrivals)).detach();
    spawn(pulse(seed.admin, shard.index())).detach();
    seed.started.send(Ok(()));
    let service = Rc::new(Service {
        shard,
        server,
        state,
        options: seed.options,
        fixed,
        facts: seed.facts,
    });
    service.answer(seed.calls).await;
}

async fn pulse(admin: AdminHandle, shard: usize) {
    loop {
        admin.beat(shard);
        sleep(PULSE_INTERVAL).await;
    }
}

impl Service {
    /// Answers calls until one says stop, or the node is gone.
    async fn answer(self: Rc<Self>, mut calls: MailReceiver<ShardCall>) {
        while let Some(call) = calls.receive().await {
            match call {
                ShardCall::Counters(reply) => {
                    reply.send(shard_counters(&self.shard.stats(), self.server.metrics()));
                },
                ShardCall::Node(reply) => {
                    let service = Rc::clone(&self);
                    spawn(async move { reply.send(service.node_counters().await) }).detach();
                },
                ShardCall::EndConnections(reply) => {
                    let server = Rc::clone(&self.server);
                    spawn(async move {
                        server.stop().await;
                        reply.send(());
                    })
                    .detach();
                },
                ShardCall::Stop(reply) => return reply.send(self.shard.stop().await),
            }
        }
    }

    async fn node_counters(&self) -> NodeCounters {
        let space = fs::space(&self.options.data_dir).await.ok();
        let state = self.state.borrow();
        self.facts.counters(&state, &self.fixed, space)
    }
}
