//! One life of the node, from its start to its crash or stop.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use engine_rt::fs::{Lock, lock};
use engine_rt::sim::{NodeId, World, trace};
use engine_rt::{Event as Signal, MailReceiver, MailSender, Task, mailbox, sleep, spawn};
use engine_shard::{
    Mail, PartitionSpec, ReadPath, Shard, ShardOptions, ShardStats, Shards,
    remove_other_generations, reshard,
};

use super::DATA_DIR;
use super::client::Client;
use super::game::{Game, Table, owner};
use super::look;
use crate::coverage::{Coverage, Event};
use crate::rng::Rng;

/// How a life shall end, if no crash comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With a crash, when the clients have done their share.
    Crash,
    /// As asked.
    Stop,
    /// After a look at everything, as asked.
    Look,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Resharding,
    Opening,
    Serving,
    Quiet,
    Idle,
}

/// What the executors of a life share.
pub(super) struct Life {
    pub game: Rc<Game>,
    pub ending: Ending,
    /// Shards of this life; the table has it when partitions have moved.
    pub shards: usize,
    phase: Cell<Phase>,
    /// Shards that have reached the phase that comes next.
    arrived: Cell<usize>,
    /// Producers that are not done.
    pub producing: Cell<usize>,
    changed: Signal,
    senders: RefCell<Vec<MailSender<Mail>>>,
    stats: RefCell<Vec<ShardStats>>,
}

impl Life {
    pub(super) fn begin(game: &Rc<Game>, ending: Ending, rng: &mut Rng) -> Rc<Self> {
        let before = game.table.get().shards;
        let shards = if rng.percent(20) {
            rng.between(1, 3) as usize
        } else {
            before
        };
        if rng.percent(30) {
            // A start after a crash may open a leader epoch.
            for spec in game.specs.borrow_mut().iter_mut() {
                spec.leader_epoch += 1;
            }
        }
        Rc::new(Self {
            game: Rc::clone(game),
            ending,
            shards,
            phase: Cell::new(Phase::Resharding),
            arrived: Cell::new(0),
            producing: Cell::new(game.producers.len()),
            changed: Signal::new(),
            senders: RefCell::default(),
            stats: RefCell::new(vec![ShardStats::default(); shards]),
        })
    }

    pub(super) fn start(self: &Rc<Self>, world: &World, node: NodeId) {
        let boxes = (0..self.shards).map(|_| mailbox::<Mail>(16));
        let (senders, receivers): (Vec<_>, Vec<_>) = boxes.unzip();
        *self.senders.borrow_mut() = senders;
        for (index, receiver) in receivers.into_iter().enumerate() {
            let life = Rc::clone(self);
            world.start(node, move || life.run_shard(index, receiver));
        }
    }

    /// Whether the clients have done their share and the crash may come.
    pub(super) fn is_idle(&self) -> bool {
        self.phase.get() == Phase::Idle && self.ending == Ending::Crash
    }

    async fn run_shard(self: Rc<Self>, index: usize, receiver: MailReceiver<Mail>) {
        // Held until the shard is gone.
        let _lock = if index == 0 {
            let lock = take_lock().await;
            if !self.prepare().await {
                return;
            }
            Some(lock)
        } else {
            None
        };
        self.changed
            .wait_until(|| self.phase.get() >= Phase::Opening)
            .await;
        let Some(shard) = self.open(index).await else {
            return;
        };
        self.arrive(Phase::Serving).await;
        spawn(Rc::clone(&shard).serve_mail(receiver)).detach();
        let shards = Shards::new(Rc::clone(&shard), self.senders.borrow().clone());
        let client = Client::new(&self, shards);
        for task in self.spawn_clients(index, &client) {
            task.await;
            self.note_stats(index, &shard);
        }
        self.arrive(Phase::Quiet).await;
        if self.ending == Ending::Look && index == 0 {
            look::look(&client).await;
        }
        self.arrive(Phase::Idle).await;
        if self.ending == Ending::Crash {
            std::future::pending::<()>().await;
        }
        trace(|| format!("shard {index} stops"));
        if let Err(error) = shard.stop().await {
            self.game
                .fail(format!("shard {index} does not stop: {error}"));
        }
        self.note_stats(index, &shard);
    }

    /// Brings the table up to date, as a broker does before it opens its shards.
    async fn prepare(self: &Rc<Self>) -> bool {
        let table = self.game.table.get();
        if self.shards != table.shards {
            let new = Table {
                generation: table.generation + 1,
                shards: self.shards,
            };
            trace(|| format!("from {table:?} to {new:?}"));
            let (shards, old) = (self.shards, self.options(0, table));
            let moved = reshard(
                &old,
                table.shards,
                new.generation,
                shards,
                self.game.specs.borrow().clone(),
                move |id| owner(id, shards),
            );
            if let Err(error) = moved.await {
                self.game.fail(format!("re-sharding: {error}"));
                return false;
            }
            self.game.table.set(new);
            self.game.coverage.borrow_mut().count(Event::Reshard);
        }
        let keep = self.game.table.get().generation;
        let options = self.options(0, self.game.table.get());
        if let Err(error) = remove_other_generations(&options.data_dir, keep).await {
            self.game.fail(format!("old generations stay: {error}"));
            return false;
        }
        trace(|| format!("opens {} shards", self.shards));
        self.phase.set(Phase::Opening);
        self.changed.notify();
        true
    }

    fn options(&self, index: usize, table: Table) -> ShardOptions {
        let plan = &self.game.plan;
        ShardOptions {
            index,
            data_dir: PathBuf::from(DATA_DIR),
            disk_id: 0xD15C,
            generation: table.generation,
            journal_file_bytes: plan.journal_file_bytes,
            journal_first_file_bytes: plan.journal_file_bytes,
            journal_files_max: plan.journal_files_max,
            tail_bytes_max: plan.tail_bytes_max,
            read_chunks_max: plan.read_chunks_max,
            read_path: ReadPath::Direct,
            open_files_max: plan.open_files_max,
            bypass_bytes: plan.bypass_bytes,
            retention_check_ms: plan.retention_check_ms,
            producer_expiration_ms: 86_400_000,
            space_reserve_bytes: 0,
        }
    }

    async fn open(self: &Rc<Self>, index: usize) -> Option<Rc<Shard>> {
        let options = self.options(index, self.game.table.get());
        let mine = |spec: &PartitionSpec| owner(spec.id, self.shards) == index;
        let specs = self
            .game
            .specs
            .borrow()
            .iter()
            .copied()
            .filter(mine)
            .collect();
        match Shard::open(options, specs).await {
            Ok(shard) => Some(shard),
            Err(error) => {
                self.game
                    .fail(format!("shard {index} does not start: {error}"));
                None
            },
        }
    }

    /// Waits until every shard is here; then the next phase begins.
    async fn arrive(&self, next: Phase) {
        self.arrived.set(self.arrived.get() + 1);
        if self.arrived.get() == self.shards {
            self.arrived.set(0);
            self.phase.set(next);
            trace(|| format!("{next:?}, to end with {:?}", self.ending));
            self.changed.notify();
        }
        self.changed.wait_until(|| self.phase.get() >= next).await;
    }

    /// Spreads the clients over the shards.
    fn spawn_clients(self: &Rc<Self>, index: usize, client: &Rc<Client>) -> Vec<Task<()>> {
        let mine = |number: &usize| number % self.shards == index;
        let game = &self.game;
        let mut tasks = Vec::new();
        for number in (0..game.producers.len()).filter(mine) {
            let producer = Rc::clone(&game.producers[number]);
            tasks.push(spawn(producer.run(Rc::clone(client))));
        }
        for number in (0..game.consumers.len()).filter(mine) {
            let consumer = Rc::clone(&game.consumers[number]);
            tasks.push(spawn(consumer.run(Rc::clone(client))));
        }
        if game.plan.admin && index == self.shards - 1 {
            tasks.push(spawn(Rc::clone(client).administer()));
        }
        tasks
    }

    /// A producer has done its share.
    pub(super) fn producer_done(&self) {
        self.producing.set(self.producing.get() - 1);
    }

    pub(super) fn note_stats(&self, index: usize, shard: &Shard) {
        self.stats.borrow_mut()[index] = shard.stats();
    }

    /// Counts in which phase a crash came.
    pub(super) fn count_phase(&self, coverage: &mut Coverage) {
        match self.phase.get() {
            Phase::Resharding if self.shards != self.game.table.get().shards => {
                coverage.count(Event::CrashInReshard);
            },
            Phase::Resharding | Phase::Opening => coverage.count(Event::CrashInRecovery),
            Phase::Serving | Phase::Quiet | Phase::Idle => {},
        }
    }

    /// Counts what the shards did.
    pub(super) fn count_end(&self, crashed: bool) {
        let mut coverage = self.game.coverage.borrow_mut();
        coverage.add(Event::CleanStop, u64::from(!crashed));
        let files = self.game.plan.journal_files_max as u64;
        for stats in self.stats.borrow().iter() {
            coverage.add(Event::Checkpoint, stats.checkpoints);
            coverage.add(Event::JournalTurn, stats.journal.turns.saturating_sub(1));
            coverage.add(
                Event::JournalWrap,
                stats.journal.turns.saturating_sub(files),
            );
            coverage.add(Event::SegmentRoll, stats.segments_rolled);
            coverage.add(Event::SegmentSeal, stats.segments_sealed);
            coverage.add(Event::SegmentDelete, stats.segments_deleted);
            coverage.add(Event::Bypassed, stats.bypassed);
            coverage.add(Event::DuplicateAnswered, stats.duplicates);
        }
    }
}

/// Waits for the data directory: the last operations of a killed process keep it locked.
async fn take_lock() -> Lock {
    let path = Path::new(DATA_DIR).join("lock");
    loop {
        match lock(&path).await {
            Ok(lock) => return lock,
            Err(_) => sleep(Duration::from_millis(1)).await,
        }
    }
}

/// Longest time that anything may take on a machine that works.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);
