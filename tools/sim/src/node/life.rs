//! One life of the node, from its start to its crash or stop.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::sim::{self, NodeId, World, trace};
use engine_rt::{Instant, memory_used_here, now, sleep, spawn, timeout};
use flumen::broker::{
    AdminHandle, BrokerConfig, KafkaListener, Mark, RunningBroker, Settings, StartError, start,
};

use super::game::{Game, Phase};
use super::harm::number_of;
use super::link::{ADDR, PATIENCE};
use super::plan::Plan;
use crate::checker::Promise;
use crate::coverage::{Coverage, Event};

/// The data directory on the simulated disk.
const DATA_DIR: &str = "/data";
/// How often counters are read, for the report.
const COUNT_INTERVAL: Duration = Duration::from_millis(20);
/// A stop cuts connections that were not answered within this time.
const PATIENCE_OF_A_STOP: Duration = Duration::from_secs(5);
/// A node whose journals have flushed nothing for this long is not busy with a backlog.
const BUSY: Duration = Duration::from_secs(1);
/// What a start says of what it made good, and how that is named in the report.
const MADE_GOOD: &[(&str, &str)] = &[
    ("did not end in order", "start: after a crash"),
    (
        "copy of the superblock",
        "start: a superblock is written again",
    ),
    (
        "of the metadata log",
        "start: a metadata log is written again",
    ),
];

/// Tasks of a shard that are not of connections: its own, and what is under way for partitions.
const TASKS_OF_A_SHARD: u64 = 60;
/// Connections that a client has at most, those that broke and are not given up yet included.
const CONNECTIONS_OF_A_CLIENT: u64 = 12;
/// One reads, one writes, and each request that waits may have one.
const TASKS_OF_A_CONNECTION: u64 = 8;
/// What a client has in hand, and what is on its way.
const BYTES_OF_A_CLIENT: u64 = 8 << 20;

/// How a life shall end, if no crash comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With a crash, when the clients have done their share.
    Crash,
    /// As asked, when the clients have done their share or after this much time.
    Stop(Duration),
    /// After a look at everything, as asked.
    Look,
}

/// What a shard has counted in this life.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    checkpoints: u64,
    turns: u64,
    rolled: u64,
    sealed: u64,
    deleted: u64,
    bypassed: u64,
    duplicates: u64,
    cleanings: u64,
}

/// A life of the node.
pub(super) struct Life {
    game: Rc<Game>,
    pub ending: Ending,
    /// Shards of this life.
    pub shards: usize,
    /// Whether that is another number than before.
    moves: bool,
    counted: RefCell<Vec<Counted>>,
    /// Frames that journals have flushed, and since when there were no more.
    flushed: Cell<Option<(u64, Instant)>>,
    /// It ended as asked.
    pub stopped: Cell<bool>,
    /// It ended so while journals had a backlog: not everybody was waited for.
    pub cut: Cell<bool>,
}

impl Life {
    /// A life with `shards` shards after one with `before`.
    pub(super) fn new(game: &Rc<Game>, ending: Ending, shards: usize, before: usize) -> Rc<Self> {
        Rc::new(Self {
            game: Rc::clone(game),
            ending,
            shards,
            moves: before != shards,
            counted: RefCell::default(),
            flushed: Cell::new(None),
            stopped: Cell::new(false),
            cut: Cell::new(false),
        })
    }

    pub(super) fn start(self: &Rc<Self>, world: &World, node: NodeId) {
        let life = Rc::clone(self);
        world.start(node, move || life.run());
    }

    /// Whether the clients have done their share and the crash may come.
    pub(super) fn is_idle(&self) -> bool {
        self.ending == Ending::Crash
            && self.game.phase.get() == Phase::Serving
            && self.game.producing.get() == 0
    }

    /// Where it stands, for a report.
    pub(super) fn describe(&self) -> String {
        let game = &self.game;
        format!(
            "life {} is {:?}, to end with {:?}; {} producers and {} others are at work",
            game.round.get(),
            game.phase.get(),
            self.ending,
            game.producing.get(),
            game.busy.get()
        )
    }

    /// Whether it began to serve.
    pub(super) fn served(&self) -> bool {
        self.game.phase.get() >= Phase::Serving
    }

    async fn run(self: Rc<Self>) {
        let game = &self.game;
        game.enter(Phase::Starting);
        trace(|| {
            format!(
                "starts with {} shards, to end with {:?}",
                self.shards, self.ending
            )
        });
        let config = config(&game.plan, self.shards);
        let admin = config.admin.clone();
        let running = match timeout(now() + PATIENCE, start(config)).await {
            Ok(Ok(running)) => running,
            Ok(Err(error)) => return self.does_not_start(&error),
            Err(_) => return self.too_slow("start"),
        };
        if self.moves {
            game.count(Event::Reshard);
        }
        let lines = running.report().lines.iter();
        for line in lines.filter(|line| line.mark == Mark::Warning) {
            let made_good = MADE_GOOD.iter();
            for (_, name) in made_good.filter(|(text, _)| line.text.contains(text)) {
                game.coverage.borrow_mut().reach((*name).to_owned());
            }
        }
        trace(|| "serves".to_owned());
        game.look_at_clock();
        game.checker.borrow_mut().recovered();
        game.enter(Phase::Serving);
        spawn(Rc::clone(&self).keep_counting(admin)).detach();
        let may_stop = game.changed.wait_until(|| match self.ending {
            Ending::Crash => false,
            Ending::Stop(_) => game.producing.get() == 0,
            Ending::Look => game.looked.get() == game.round.get(),
        });
        match self.ending {
            Ending::Stop(after) => drop(timeout(now() + after, may_stop).await),
            Ending::Crash | Ending::Look => may_stop.await,
        }
        self.stop(running).await;
    }

    /// A failure of the disk explains it, or damage to the only copy of what a start needs.
    fn does_not_start(&self, error: &StartError) {
        let (game, number) = (&self.game, number_of(error));
        trace(|| format!("does not start, {number}: {error}"));
        game.coverage
            .borrow_mut()
            .reach(format!("start refused: {number}"));
        if game.disk_explains(game.round.get()) {
            return;
        }
        if game.harm.borrow().explains_start(number) {
            game.count(Event::RefusedForGood);
            game.refused_for_good.set(true);
            return game.changed.notify();
        }
        let what = format!("the node does not start, {number}: {error}");
        game.fail(Promise::Liveness, what);
    }

    async fn stop(&self, running: RunningBroker) {
        self.count(running.admin()).await;
        trace(|| "stops".to_owned());
        self.game.enter(Phase::Stopping);
        let began = now();
        match timeout(began + PATIENCE, running.stop()).await {
            Ok(Ok(())) => {
                self.stopped.set(true);
                self.cut.set(self.has_cut(began));
            },
            Ok(Err(_)) if self.game.disk_explains(self.game.round.get()) => {},
            Ok(Err(error)) => {
                let what = format!("the node does not stop in order: {error}");
                self.game.fail(Promise::Liveness, what);
            },
            Err(_) => self.too_slow("stop"),
        }
    }

    /// Whether a stop that began then cut connections off, since appends in front of theirs took too
    /// long. One that nothing happens in has no such reason.
    fn has_cut(&self, began: Instant) -> bool {
        let until = began + PATIENCE_OF_A_STOP;
        let flushed = self.flushed.get();
        now() >= until && flushed.is_some_and(|(_, at)| at + BUSY >= until)
    }

    fn too_slow(&self, what: &str) {
        let what = format!("a {what} takes longer than {PATIENCE:?}");
        self.game.fail(Promise::Liveness, what);
    }

    async fn keep_counting(self: Rc<Self>, admin: AdminHandle) {
        loop {
            self.count(&admin).await;
            self.check_what_is_held();
            sleep(COUNT_INTERVAL).await;
        }
    }

    /// Memory, open files and tasks have bounds, whatever happens.
    fn check_what_is_held(&self) {
        let plan = &self.game.plan;
        let held = sim::held().expect("a simulated world");
        let clients = (plan.producers.len() + plan.consumers.len() + 2) as u64;
        let clients = clients + plan.groups.members();
        // More than half of its descriptors the node does not give to connections.
        let connections = (clients * CONNECTIONS_OF_A_CLIENT).min(plan.open_files as u64 / 2);
        let tasks = self.shards as u64 * TASKS_OF_A_SHARD + connections * TASKS_OF_A_CONNECTION;
        let bounds = [
            (
                "bytes of memory",
                memory_used_here().saturating_sub(self.game.memory_before) as u64,
                plan.memory_bytes + clients * BYTES_OF_A_CLIENT,
            ),
            (
                "open files",
                held.open_files as u64,
                plan.open_files as u64 - connections,
            ),
            ("tasks", held.tasks as u64, tasks),
        ];
        for (what, held, bound) in bounds {
            self.game.coverage.borrow_mut().note_most(what, held, bound);
            if held > bound {
                let what = format!("{held} {what}, {bound} at most");
                self.game.fail(Promise::Bounded, what);
            }
        }
    }

    async fn count(&self, admin: &AdminHandle) {
        let Some(snapshot) = admin.snapshot().await else {
            return;
        };
        let journals = snapshot.shards.iter().map(|shard| &shard.engine.journal);
        let flushed: u64 = journals.map(|journal| journal.flushes).sum();
        if self
            .flushed
            .get()
            .is_none_or(|(before, _)| before < flushed)
        {
            self.flushed.set(Some((flushed, now())));
        }
        let counted = snapshot.shards.iter().map(|shard| {
            let engine = &shard.engine;
            Counted {
                checkpoints: engine.checkpoints,
                turns: engine.journal.turns,
                rolled: engine.segments_rolled,
                sealed: engine.segments_sealed,
                deleted: engine.segments_deleted,
                bypassed: engine.bypassed,
                duplicates: engine.duplicates,
                cleanings: engine.cleanings,
            }
        });
        *self.counted.borrow_mut() = counted.collect();
    }

    /// Counts what the shards did and, if it was a crash, in which phase it came.
    pub(super) fn count_end(&self, crashed: bool, coverage: &mut Coverage) {
        if crashed && !self.served() {
            coverage.count(if self.moves {
                Event::CrashInReshard
            } else {
                Event::CrashInRecovery
            });
        }
        coverage.add(Event::CleanStop, u64::from(self.stopped.get()));
        let files = self.game.plan.journal_files_max;
        for shard in self.counted.borrow().iter() {
            coverage.add(Event::Checkpoint, shard.checkpoints);
            coverage.add(Event::JournalTurn, shard.turns.saturating_sub(1));
            coverage.add(Event::JournalWrap, shard.turns.saturating_sub(files));
            coverage.add(Event::SegmentRoll, shard.rolled);
            coverage.add(Event::SegmentSeal, shard.sealed);
            coverage.add(Event::SegmentDelete, shard.deleted);
            coverage.add(Event::Bypassed, shard.bypassed);
            coverage.add(Event::DuplicateAnswered, shard.duplicates);
            coverage.add(Event::Cleaning, shard.cleanings);
        }
    }
}

fn config(plan: &Plan, shards: usize) -> BrokerConfig {
    let settings = [
        (
            "flumen.space.reserve.bytes",
            plan.space_reserve_bytes.to_string(),
        ),
        ("flumen.bypass.bytes", plan.bypass_bytes.to_string()),
        (
            "flumen.journal.file.bytes",
            plan.journal_file_bytes.to_string(),
        ),
        (
            "flumen.journal.files.max",
            plan.journal_files_max.to_string(),
        ),
        ("flumen.tail.bytes", plan.tail_bytes.to_string()),
        (
            "flumen.scrub.interval.ms",
            plan.scrub_interval_ms.to_string(),
        ),
        (
            "flumen.meta.generation.bytes",
            plan.meta_generation_bytes.to_string(),
        ),
        (
            "log.retention.check.interval.ms",
            plan.retention_check_ms.to_string(),
        ),
        ("log.cleaner.backoff.ms", "100".to_owned()),
        (
            "log.cleaner.io.max.bytes.per.second",
            plan.cleaner_bytes_per_second.to_string(),
        ),
        (
            "log.cleaner.dedupe.buffer.size",
            plan.cleaner_key_bytes.to_string(),
        ),
        ("fetch.read.path", plan.read_path.to_owned()),
    ];
    let settings = settings.into_iter().chain(plan.groups.settings());
    let settings: Vec<(&str, String)> = settings.collect();
    let settings = settings.iter().map(|(name, value)| (*name, value.as_str()));
    BrokerConfig {
        data_dir: PathBuf::from(DATA_DIR),
        listeners: vec![KafkaListener {
            name: "PLAINTEXT".to_owned(),
            bind: ADDR.parse().expect("an address"),
            advertised: None,
        }],
        shards,
        cpus: Vec::new(),
        memory_bytes: plan.memory_bytes,
        open_files: plan.open_files,
        settings: Settings::from_pairs(settings).expect("known settings"),
        node_id: None,
        accept_copy: false,
        admin: AdminHandle::new(shards),
    }
}
