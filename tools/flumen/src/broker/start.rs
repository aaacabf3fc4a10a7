//! The order of a start.
//!
//! 1. listen, so that a taken address is told before anything is touched; nothing is accepted yet
//! 2. lock and recognise the data directory, replay the metadata log
//! 3. move partitions if the number of shards has changed, then record the new table
//! 4. one executor per shard, each recovering its journal; wait for all
//! 5. accept connections; finish deletes that an earlier life began

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use cluster_control::{Control, ControlHandle, Home, HomeOptions, Metadata, MetadataOptions};
use cluster_meta::{NodeId, Record, State, TopicId, command};
use engine_rt::{
    ExecutorSpec, Listener, OneshotReceiver, mailbox, now, oneshot, sleep, spawn, spawn_executor,
};
use engine_shard::{
    CompactionOptions, ShardOptions, TopicPartition, remove_other_generations, reshard,
};
use net_admin::ReadyState;
use net_server::{AdvertisedListener, Door, Limits, accept, door, peers};

use super::admin::NodeFacts;
use super::cleaner::CleanerShare;
use super::config::{BrokerConfig, KafkaListener};
use super::error::{StartError, refused};
use super::memory::{MEMORY_BYTES_MIN, Shares};
use super::purge::{Purge, unknown_topics};
use super::report::StartReport;
use super::running::{RunningBroker, RunningShard};
use super::shard::{ShardSeed, executor_name, run};
use super::specs;

/// Mail between shards that may wait: more than a shard takes in one turn of its loop.
const MAIL_LEN: usize = 1024;
/// How long a start waits for an address that is in use, and how often it looks.
const ADDRESS_PATIENCE: Duration = Duration::from_secs(3);
const ADDRESS_INTERVAL: Duration = Duration::from_millis(10);
/// Records and calls that may wait for a shard: the control executor sends one at a time.
const CALLS_LEN: usize = 64;
/// Descriptors kept for journals, the metadata log and listeners. Connections have half of all.
const OPEN_FILES_RESERVE: usize = 128;
/// Fewest segment files that a shard keeps open.
const OPEN_FILES_MIN: usize = 16;
/// Appends from this size on go to their segments directly: one large write there costs less than
/// the same bytes twice.
const BYPASS_BYTES: u64 = 256 << 10;
/// Changes of the metadata, in bytes, from which on the log begins again: some sixty changes.
const META_GENERATION_BYTES: u64 = 256 << 10;
/// Free space below which produce is refused: room for deletes and metadata (rule 8).
const SPACE_RESERVE_BYTES: u64 = 256 << 20;

/// What the scrubber reads in a second: a terabyte in three days.
const SCRUB_BYTES_PER_SECOND: u64 = 4 << 20;
/// How often it begins again.
const SCRUB_INTERVAL_MS: u64 = 24 * 3_600_000;

/// A listener that has its address and accepts nothing yet.
struct Bound {
    listener: Listener,
    advertised: AdvertisedListener,
}

/// Starts a node on the executors of the current world. The calling executor becomes its control
/// executor.
pub async fn start(config: BrokerConfig) -> Result<RunningBroker, StartError> {
    let memory_bytes = config.memory_bytes;
    if memory_bytes < MEMORY_BYTES_MIN {
        return Err(StartError::Memory { memory_bytes });
    }
    let mut report = StartReport::default();
    let bound = listen(&config, &mut report).await?;
    let asked = HomeOptions {
        node_id: config.node_id.map(NodeId),
        accept_copy: config.accept_copy,
    };
    let home = Home::open(&config.data_dir, asked).await?;
    let config = with_facts(config, &home, &bound);
    let mut metadata = Metadata::open(&home, metadata_options(&config)).await?;
    report.directory(&home, &metadata);
    let layout = Layout::new(&config, &home);
    layout.take_ownership(&mut metadata, &mut report).await?;
    layout.look_around(&metadata, &mut report).await?;
    report.weak_topics(metadata.state(), &config);
    let running = layout.start_shards(home, metadata, bound, report).await?;
    config.admin.set(ReadyState::Ready);
    Ok(running)
}

async fn listen(config: &BrokerConfig, report: &mut StartReport) -> Result<Vec<Bound>, StartError> {
    let mut all = Vec::with_capacity(config.listeners.len());
    for asked in &config.listeners {
        let listener = bind(asked.bind)
            .await
            .map_err(|source| StartError::Listen {
                name: asked.name.clone(),
                addr: asked.bind,
                source,
            })?;
        let advertised = advertised(asked, listener.local_addr());
        let told = (advertised.host.as_str(), advertised.port);
        report.listener(asked, told);
        all.push(Bound {
            listener,
            advertised,
        });
    }
    Ok(all)
}

/// Listens on `addr`. The sockets of a killed process go when the kernel has taken down its rings,
/// which may be after the process is gone: an address in use gets a moment to become free.
async fn bind(addr: SocketAddr) -> io::Result<Listener> {
    let deadline = now() + ADDRESS_PATIENCE;
    loop {
        match Listener::bind(addr) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && now() < deadline => {
                sleep(ADDRESS_INTERVAL).await;
            },
            bound => return bound,
        }
    }
}

/// What clients are told: what the operator says, or the address itself.
fn advertised(asked: &KafkaListener, addr: SocketAddr) -> AdvertisedListener {
    let own = || {
        let host = if addr.ip().is_unspecified() {
            "127.0.0.1".to_owned()
        } else {
            addr.ip().to_string()
        };
        (host, addr.port())
    };
    let (host, port) = asked.advertised.clone().unwrap_or_else(own);
    AdvertisedListener {
        name: asked.name.clone(),
        host,
        port,
    }
}

/// Puts what is known by now into the settings, where `DescribeConfigs` shows it.
fn with_facts(mut config: BrokerConfig, home: &Home, bound: &[Bound]) -> BrokerConfig {
    let address = |one: &Bound| {
        let listener = &one.advertised;
        format!("{}://{}:{}", listener.name, listener.host, listener.port)
    };
    let listens = |(asked, one): (&KafkaListener, &Bound)| {
        format!("{}://{}", asked.name, one.listener.local_addr())
    };
    let listeners: Vec<String> = config.listeners.iter().zip(bound).map(listens).collect();
    let addresses: Vec<String> = bound.iter().map(address).collect();
    let facts = [
        ("node.id", home.superblock().node_id.to_string()),
        ("broker.id", home.superblock().node_id.to_string()),
        ("log.dirs", home.dir().display().to_string()),
        ("listeners", listeners.join(",")),
        ("advertised.listeners", addresses.join(",")),
    ];
    for (name, value) in facts {
        if let Err(error) = config.settings.fixed.set(name, &value) {
            tracing::debug!(name, %error, "a fact is not shown among the settings");
        }
    }
    config
}

fn metadata_options(config: &BrokerConfig) -> MetadataOptions {
    let bytes_min = config.settings.own("flumen.meta.generation.bytes");
    MetadataOptions {
        fixed: config.settings.fixed.clone(),
        generation_bytes_min: bytes_min.unwrap_or(META_GENERATION_BYTES),
    }
}

/// How the node is laid out: what every shard is given.
struct Layout<'a> {
    config: &'a BrokerConfig,
    shares: Shares,
    disk_id: u128,
}

/// The receiving end of a shard's start.
struct Starting {
    running: RunningShard,
    started: OneshotReceiver<Result<(), engine_shard::OpenError>>,
}

/// What the seeds of all shards have in common.
struct Common {
    state: State,
    control: ControlHandle,
    emptied: engine_rt::MailSender<TopicId>,
    server: net_server::BrokerConfig,
    generation: u64,
}

impl<'a> Layout<'a> {
    fn new(config: &'a BrokerConfig, home: &Home) -> Self {
        let origin = home.superblock().origin_id;
        Self {
            config,
            shares: Shares::new(config.memory_bytes, config.shards, &config.settings),
            disk_id: u128::from_be_bytes(*origin.as_bytes()),
        }
    }

    fn shard_options(&self, index: usize, generation: u64) -> ShardOptions {
        let (config, shares) = (self.config, &self.shares);
        let own = |name, default| config.settings.own(name).unwrap_or(default);
        let positive = |name| config.settings.integer(name).max(1);
        let files = (config.open_files / 2).saturating_sub(OPEN_FILES_RESERVE) / config.shards;
        ShardOptions {
            index,
            data_dir: config.data_dir.clone(),
            disk_id: self.disk_id,
            generation,
            journal_file_bytes: shares.journal_file_bytes,
            journal_first_file_bytes: shares.journal_file_bytes.min(4 << 20),
            journal_files_max: shares.journal_files,
            tail_bytes_max: shares.tail_bytes,
            read_chunks_max: shares.read_chunks,
            read_path: config.settings.read_path(),
            open_files_max: files.max(OPEN_FILES_MIN),
            bypass_bytes: own("flumen.bypass.bytes", BYPASS_BYTES) as usize,
            retention_check_ms: positive("log.retention.check.interval.ms") as u64,
            producer_expiration_ms: positive("producer.id.expiration.ms"),
            shards: config.shards,
            space_reserve_bytes: own("flumen.space.reserve.bytes", SPACE_RESERVE_BYTES),
            scrub_bytes_per_second: own("flumen.scrub.bytes.per.second", SCRUB_BYTES_PER_SECOND),
            scrub_interval_ms: own("flumen.scrub.interval.ms", SCRUB_INTERVAL_MS),
            // Begins when the shard knows what the metadata says of it.
            compaction: CompactionOptions::default(),
        }
    }

    /// Makes the ownership table that of the configured number of shards (rule 11).
    async fn take_ownership(
        &self,
        metadata: &mut Metadata,
        report: &mut StartReport,
    ) -> Result<(), StartError> {
        let wanted = self.config.shards as u32;
        let before = metadata.state().ownership().shards;
        if let Some(record) = command::change_ownership(metadata.state(), wanted) {
            if before > 0 {
                self.move_partitions(metadata.state(), &record).await?;
                report.good(format!("partitions moved from {before} to {wanted} shards"));
            }
            let committed = metadata.commit(vec![record]).await;
            committed.map_err(refused("recording which shard owns what"))?;
        }
        let generation = u64::from(metadata.state().ownership().generation);
        let removed = remove_other_generations(&self.config.data_dir, generation).await;
        removed.map_err(refused("removing journals of an earlier number of shards"))
    }

    async fn move_partitions(&self, state: &State, record: &Record) -> Result<(), StartError> {
        let mut next = state.clone();
        next.apply(record);
        let owner_of = |id: TopicPartition| {
            let topic = next.topic(id.topic_id);
            topic.map_or(0, |topic| {
                next.owner(topic.number, id.partition as i32).0 as usize
            })
        };
        let (old, new) = (state.ownership(), next.ownership());
        let specs = specs::by_shard(&next, &self.config.settings.fixed, self.config.shards);
        let options = self.shard_options(0, u64::from(old.generation));
        let moved = reshard(
            &options,
            old.shards as usize,
            u64::from(new.generation),
            new.shards as usize,
            specs.into_iter().flatten().collect(),
            owner_of,
        );
        moved.await.map_err(|source| StartError::Reshard {
            from: old.shards,
            to: new.shards,
            source,
        })
    }

    /// Names what lies in the directory that the metadata does not know.
    async fn look_around(
        &self,
        metadata: &Metadata,
        report: &mut StartReport,
    ) -> Result<(), StartError> {
        let topics = self.config.data_dir.join("topics");
        let unknown = unknown_topics(&topics, metadata.state()).await;
        let unknown = unknown.map_err(refused(topics.display().to_string()))?;
        report.unknown_topics(&unknown);
        Ok(())
    }

    async fn start_shards(
        &self,
        home: Home,
        metadata: Metadata,
        bound: Vec<Bound>,
        report: StartReport,
    ) -> Result<RunningBroker, StartError> {
        let shards = self.config.shards;
        let state = metadata.state().clone();
        let left_over: Vec<TopicId> = state.tombstones().keys().copied().collect();
        let (apply_senders, apply): (Vec<_>, Vec<_>) =
            (0..shards).map(|_| mailbox(CALLS_LEN)).unzip();
        let (control, handle) = Control::new(metadata, apply_senders);
        let (emptied, emptied_receiver) = mailbox(MAIL_LEN);
        let common = Common {
            server: self.server_config(&bound),
            generation: u64::from(state.ownership().generation),
            state,
            control: handle.clone(),
            emptied,
        };
        let (doors, starting) = self.spawn_shards(&common, apply)?;
        let shards = all_started(starting).await?;
        let control_task = spawn(control.run());
        let purge = Purge {
            topics: self.config.data_dir.join("topics"),
            control: handle.clone(),
            shards: shards.len(),
        };
        spawn(purge.run(left_over, emptied_receiver)).detach();
        self.config
            .admin
            .attach(shards.iter().map(|shard| shard.calls.clone()).collect());
        let addrs = bound.iter().map(|one| one.listener.local_addr()).collect();
        // The other half is for journals, segments and the metadata log.
        let connections_max = (self.config.open_files / 2).max(1);
        let accepting = bound
            .into_iter()
            .enumerate()
            .map(|(index, one)| spawn(accept(one.listener, index, doors.clone(), connections_max)));
        Ok(RunningBroker {
            home,
            control: control_task,
            handle,
            accepting: accepting.collect(),
            shards,
            addrs,
            report,
            admin: self.config.admin.clone(),
        })
    }

    fn server_config(&self, bound: &[Bound]) -> net_server::BrokerConfig {
        let config = self.config;
        let fixed = config.settings.fixed.clone();
        net_server::BrokerConfig {
            limits: Limits::new(&fixed, config.shards, self.shares.client_bytes),
            fixed,
            listeners: bound.iter().map(|one| one.advertised.clone()).collect(),
            log_dir: config.data_dir.display().to_string(),
            client_telemetry: config.settings.own("flumen.client.telemetry").unwrap_or(0) > 0,
        }
    }

    /// Starts every shard's executor; none of them has recovered when this returns.
    fn spawn_shards(
        &self,
        common: &Common,
        apply: Vec<engine_rt::MailReceiver<cluster_control::ApplyMail>>,
    ) -> Result<(Vec<Door>, Vec<Starting>), StartError> {
        let config = self.config;
        let (senders, mail): (Vec<_>, Vec<_>) =
            (0..config.shards).map(|_| mailbox(MAIL_LEN)).unzip();
        let specs = specs::by_shard(&common.state, &config.settings.fixed, config.shards);
        let (mut doors, mut starting) = (Vec::new(), Vec::new());
        let given = mail.into_iter().zip(apply).zip(specs);
        let given = given.zip(peers(config.shards));
        for (index, (((mail, apply), specs), peer)) in given.enumerate() {
            let (outer, arrivals) = door();
            let (calls, calls_receiver) = mailbox(CALLS_LEN);
            let (started, start_of) = oneshot();
            let seed = ShardSeed {
                options: self.shard_options(index, common.generation),
                specs,
                state: common.state.clone(),
                server: common.server.clone(),
                mail,
                shards: senders.clone(),
                apply,
                calls: calls_receiver,
                peer,
                arrivals,
                control: common.control.clone(),
                emptied: common.emptied.clone(),
                cleaner: CleanerShare {
                    shards: config.shards as u64,
                    key_bytes_max: self.shares.key_bytes_max,
                },
                admin: config.admin.clone(),
                facts: NodeFacts {
                    memory_budget_bytes: config.memory_bytes,
                },
                started,
            };
            let spec = ExecutorSpec {
                name: executor_name(index),
                cpu: config.cpus.get(index).copied(),
            };
            let executor = spawn_executor(spec, move || run(seed));
            let executor = executor.map_err(|source| StartError::Executor {
                shard: index,
                source,
            })?;
            doors.push(outer);
            starting.push(Starting {
                running: RunningShard { calls, executor },
                started: start_of,
            });
        }
        Ok((doors, starting))
    }
}

/// Waits until every shard has recovered, or one has failed.
async fn all_started(starting: Vec<Starting>) -> Result<Vec<RunningShard>, StartError> {
    let mut running = Vec::with_capacity(starting.len());
    for (shard, one) in starting.into_iter().enumerate() {
        match one.started.await {
            Some(Ok(())) => running.push(one.running),
            Some(Err(source)) => return Err(StartError::Shard { shard, source }),
            None => return Err(StartError::ShardEnded { shard }),
        }
    }
    Ok(running)
}
