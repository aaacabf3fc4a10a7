//! A whole node and its clients, each on a machine of its own: the node is crashed and started
//! again, the clients live on, speak Kafka's protocol over the network and connect anew.
//!
//! A seed is played in lives of the node. Each begins with a start, maybe with another number of
//! shards; clients send, read and manage until the crash that was armed before, or until all
//! producers have done their share. At the end the node is left in peace and everything is looked
//! at twice.

mod admin;
mod compaction;
mod consumer;
mod faults;
mod fetch;
mod game;
mod groups;
mod harm;
mod life;
mod link;
mod look;
mod plan;
mod producer;
mod tasks;
mod watch;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::sim::{CrashKind, CrashPoint, FaultMask, NodeId, Strike, World};
use engine_rt::spawn;

use crate::checker::{Promise, Violation};
use crate::coverage::{Coverage, Event, fault_key};
use crate::numbers;
use crate::rng::Rng;
use admin::Admin;
use consumer::Consumer;
use faults::{Cost, Drawn, Machines};
pub use faults::{Severity, names as fault_names};
use game::{Game, Phase};
use groups::{GroupPlan, Members};
use life::{Ending, Life};
use look::Auditor;
pub use plan::Plan;
use producer::Producer;
use tasks::is_leaked;
use watch::Watch;

/// Longest life of a node whose disk has failed: clients may wait for a partition that is fenced
/// until the restart.
const PATIENCE_WITH_A_DISK: Duration = Duration::from_millis(1500);
/// Troubles of the network end after this long in a life: who is cut off again and again need not
/// get anything done.
const TROUBLED_MAX: Duration = Duration::from_mins(1);
/// Longest life with a damaged segment: clients may wait for a partition that takes no appends.
const PATIENCE_WITH_DAMAGE: Duration = Duration::from_secs(20);
/// Longest life of a node, of those that wait for nothing but time included.
const LIFE_MAX: Duration = Duration::from_mins(30);
/// Lives in which everything is looked at, at most: two looks, the crash that was still armed, and a
/// start that met the last of the faults.
const QUIET_LIVES_MAX: u32 = 6;
/// Tells the chance of groups from that of all else: a seed without groups goes as it did.
const CHANCE_OF_GROUPS: u64 = 0x6772_6f75_7073;

/// A seed and how it is played.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The seed.
    pub seed: u64,
    /// How bad its faults may be.
    pub severity: Severity,
    /// Which of its faults are acted on.
    pub mask: FaultMask,
    /// Print what happens, event by event.
    pub trace: bool,
}

impl Setup {
    /// A seed with everything that it draws.
    pub fn of(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }
}

/// How a seed went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What happened.
    pub coverage: Coverage,
    /// The first broken promise, if one was broken.
    pub violation: Option<Violation>,
    /// The faults that struck.
    pub strikes: Vec<Strike>,
    /// Equal for every play of a seed by the same program.
    pub trace_hash: u64,
}

/// Plays a seed to its end or to the first broken promise.
pub fn play(setup: &Setup) -> Outcome {
    let mut rng = Rng::new(setup.seed);
    let mut options = Plan::world(&mut rng);
    options.trace = setup.trace;
    options.fault_mask = setup.mask.clone();
    let evicts = options.disk.evict > 0.0;
    let world = World::new(setup.seed, options);
    let machines = Machines {
        node: world.node("node"),
        clients: world.node("clients"),
    };
    let mut plan = Plan::draw(&mut rng);
    plan.evicts = evicts;
    let drawn = faults::draw(&mut rng, setup.severity, plan.lives, machines);
    faults::fit(&mut plan, &drawn);
    for Drawn { fault, .. } in &drawn {
        world.inject(fault.clone());
    }
    let mut chance = Rng::new(setup.seed ^ CHANCE_OF_GROUPS);
    plan.groups = GroupPlan::draw(&mut chance);
    let shards = plan.shards;
    let game = Game::new(plan, &mut rng);
    if !game.plan.groups.sizes.is_empty() {
        game.count(Event::SeedWithGroups);
    }
    let members = Members::new(&game, &mut chance);
    start_clients(&world, machines.clients, &game, &mut rng, members);
    let mut director = Director {
        world,
        node: machines.node,
        clients: machines.clients,
        game,
        rng,
        is_armed: false,
        shards,
        watch: Watch::new(drawn),
    };
    director.play();
    director.outcome()
}

fn start_clients(world: &World, machine: NodeId, game: &Rc<Game>, rng: &mut Rng, members: Members) {
    let plan = &game.plan;
    let producers = plan.producers.iter();
    let producers = producers.map(|plan| Rc::new(Producer::new(game, plan, rng.fork())));
    let producers: Vec<_> = producers.collect();
    let consumers = plan.consumers.iter().enumerate();
    let consumers = consumers
        .map(|(number, reading)| Rc::new(Consumer::new(game, number, *reading, rng.fork())));
    let consumers: Vec<_> = consumers.collect();
    let admin = Rc::new(Admin::new(game));
    let auditor = Rc::new(Auditor::new(game, members.clone()));
    let game = Rc::clone(game);
    world.start(machine, move || async move {
        game.begin();
        for producer in producers {
            spawn(producer.run()).detach();
        }
        for consumer in consumers {
            spawn(consumer.run()).detach();
        }
        for member in members.all() {
            spawn(Rc::clone(member).run()).detach();
        }
        spawn(admin.run()).detach();
        spawn(auditor.run()).detach();
        std::future::pending::<()>().await;
    });
}

/// Starts and ends the lives of the node.
struct Director {
    world: World,
    node: NodeId,
    clients: NodeId,
    game: Rc<Game>,
    rng: Rng,
    /// A crash was armed and has not struck.
    is_armed: bool,
    /// Shards of the last life.
    shards: usize,
    watch: Watch,
}

impl Director {
    fn outcome(mut self) -> Outcome {
        self.note_strikes();
        let told = numbers::take();
        self.check_untouched(&told);
        let (trace_hash, strikes) = (self.world.trace_hash(), self.world.strikes());
        let game = Rc::clone(&self.game);
        let names = self.watch.names(&strikes);
        drop(self);
        let violation = game.checker.borrow().violation().cloned();
        let mut coverage = game.coverage.borrow().clone();
        coverage.add(Event::Retention, game.checker.borrow().expiries());
        coverage.add(Event::Vanished, game.checker.borrow().vanished());
        coverage.add(Event::CleanedRecord, game.checker.borrow().cleaned());
        coverage.reach_all(&told);
        for name in names {
            coverage.count(Event::Fault);
            coverage.reach(fault_key(name));
        }
        coverage.end_seed();
        Outcome {
            coverage,
            violation,
            strikes,
            trace_hash,
        }
    }

    /// A disk without faults: its scrubber has nothing to tell, and pages that were there when their
    /// range was chosen are there when it is sent.
    fn check_untouched(&self, told: &BTreeMap<String, u64>) {
        if !self.world.strikes().is_empty() {
            return;
        }
        for (number, who) in [("FL2008", "the scrubber"), ("FL2009", "compaction")] {
            if told.contains_key(number) {
                let what = format!("{who} tells of damage where there is none ({number})");
                self.game.fail(Promise::Refused, what);
            }
        }
        let cold = self.world.stats().cold_sends;
        if cold > 0 && !self.game.plan.evicts {
            let what = format!("{cold} ranges were sent from pages that were not there");
            self.game.fail(Promise::Answer, what);
        }
    }

    /// Takes note of faults that have struck since the last look.
    fn note_strikes(&mut self) {
        let failed = self.world.stats().disk_faults;
        let mut struck = failed > self.watch.disk_faults;
        self.watch.disk_faults = failed;
        for (drawn, strike) in self.watch.news(&self.world.strikes()) {
            struck |= drawn.is_of_disk;
            if drawn.cost == Cost::Place {
                let lied = self.game.harm.borrow_mut().note(&strike);
                self.watch.journal_lied |= lied;
            }
        }
        let round = self.game.round.get();
        if struck && self.game.struck.replace(round) < round {
            self.game.count(Event::StruckLife);
            self.watch.since = self.world.time();
        }
    }

    fn play(&mut self) {
        for _ in 0..self.game.plan.lives {
            let ending = if self.rng.percent(15) {
                Ending::Stop(Duration::from_micros(self.rng.magnitude(1000, 5_000_000)))
            } else {
                Ending::Crash
            };
            self.live(ending);
            if self.game.is_over() {
                return;
            }
        }
        // The crash that is still armed may strike in these too, but nothing else.
        self.world.end_faults();
        self.game.quiet.set(true);
        let mut quiet = 0;
        for _ in 0..QUIET_LIVES_MAX {
            quiet += u32::from(self.live(Ending::Look));
            if quiet == 2 || self.game.is_over() {
                return;
            }
        }
        let what = format!("{quiet} of {QUIET_LIVES_MAX} lives without faults were looked at");
        self.game.fail(Promise::Liveness, what);
    }

    /// Lives once; whether it ended as asked.
    fn live(&mut self, ending: Ending) -> bool {
        if !self.is_armed && ending != Ending::Look {
            self.arm();
        }
        let (kills, cuts) = self.crashes();
        let life = self.begin(ending);
        life.start(&self.world, self.node);
        self.settle_doubts();
        self.run(&life);
        let ended_by_itself = !life.is_idle() && !self.is_stuck(&life);
        if life.is_idle() && !self.game.is_over() {
            let linger = Duration::from_micros(self.rng.magnitude(100, 100_000));
            self.let_pass(linger);
        }
        let (more_kills, more_cuts) = self.crashes();
        if ended_by_itself || more_kills + more_cuts > kills + cuts {
            self.is_armed &= more_kills + more_cuts == kills + cuts;
        } else if !self.game.is_over() {
            let kind = self.draw_kind();
            self.world.crash(self.node, kind);
        }
        self.end(&life, kills, cuts);
        self.fail_power_while_down();
        life.stopped.get()
    }

    fn begin(&mut self, ending: Ending) -> Rc<Life> {
        let game = &self.game;
        let before = self.shards;
        if self.rng.percent(20) {
            self.shards = self.rng.between(1, 3) as usize;
        }
        game.round.set(game.round.get() + 1);
        game.producing.set(game.plan.producers.len());
        let round = game.round.get();
        self.watch.life_since = self.world.time();
        if self.watch.net_fails_in(round) {
            game.troubled.set(round);
        }
        // In the lives of the look, all faults are over.
        if ending != Ending::Look && self.watch.fills_in(round) {
            game.struck.set(round);
            self.watch.since = self.world.time();
        }
        Life::new(game, ending, self.shards, before)
    }

    /// What a journal or a segment that lied may have cost is in doubt; all else is firm.
    fn settle_doubts(&mut self) {
        self.note_strikes();
        let struck = self.game.struck_logs();
        self.game.harm.borrow_mut().life_begins();
        let mut checker = self.game.checker.borrow_mut();
        if std::mem::take(&mut self.watch.journal_lied) {
            checker.journal_lied();
        } else {
            for log in struck {
                checker.segment_lied(log);
            }
            checker.life_begins();
        }
    }

    /// Whether the disk has failed, now or before, and clients have waited for long enough.
    fn is_stuck(&self, life: &Life) -> bool {
        let struck = self.game.disk_explains(self.game.round.get());
        let time = self.world.time();
        let has_passed = |since, patience| time.saturating_sub(since) > patience;
        let stuck = struck && has_passed(self.watch.since, PATIENCE_WITH_A_DISK);
        let damaged = self.game.harm.borrow().has_segments();
        let stuck = stuck || (damaged && has_passed(self.watch.life_since, PATIENCE_WITH_DAMAGE));
        stuck && life.ending != Ending::Look
    }

    /// Whether a life goes on for ever, which is a violation by itself.
    fn is_endless(&self, life: &Life) -> bool {
        let age = self.world.time().saturating_sub(self.watch.life_since);
        if age <= LIFE_MAX {
            return false;
        }
        let what = format!(
            "a life does not end within {LIFE_MAX:?}: {}",
            life.describe()
        );
        self.game.fail(Promise::Liveness, what);
        true
    }

    /// Lets things happen until the life is over or idle, with troubles of the network.
    fn run(&mut self, life: &Life) {
        let troubled = self.rng.percent(self.game.plan.troubled_percent);
        let calm_from = self.world.time() + TROUBLED_MAX;
        loop {
            let pause = Duration::from_micros(self.rng.magnitude(1000, 1_000_000));
            let until = self.world.time() + pause;
            let is_over = |own: &Self| {
                let ended = own.game.is_over() || !own.world.is_running(own.node);
                ended || life.is_idle() || own.is_stuck(life) || own.is_endless(life)
            };
            let troubled = troubled && self.world.time() < calm_from;
            self.run_until(|own| is_over(own) || (troubled && own.world.time() >= until));
            if is_over(self) {
                return;
            }
            self.trouble();
        }
    }

    /// Lets things happen, and takes note of every failure of the disk before clients hear of it.
    fn run_until(&mut self, done: impl Fn(&Self) -> bool) {
        loop {
            let struck = || self.world.stats().disk_faults > self.watch.disk_faults;
            self.world.run_until(|| done(self) || struck());
            if !struck() {
                return;
            }
            self.note_strikes();
        }
    }

    /// Resets connections, or cuts the link for a while.
    fn trouble(&mut self) {
        self.game.troubled.set(self.game.round.get());
        self.game.count(Event::NetworkTrouble);
        let (node, clients) = (self.node, self.clients);
        match self.rng.below(4) {
            0 => self.world.cut(node, clients),
            1 => self.world.cut_one_way(node, clients),
            2 => self.world.cut_one_way(clients, node),
            _ => return self.world.reset(node, clients),
        }
        let pause = Duration::from_micros(self.rng.magnitude(1000, 500_000));
        self.let_pass(pause);
        self.world.heal(node, clients);
    }

    /// Lets time pass, until the life is over at most: clients must not hear of a crash before it
    /// is noted.
    fn let_pass(&mut self, time: Duration) {
        let until = self.world.time() + time;
        self.run_until(|own| own.world.time() >= until || !own.world.is_running(own.node));
    }

    /// The node is down: clients hear of it from now on.
    fn end(&self, life: &Life, kills: u64, cuts: u64) {
        let (kills, cuts) = {
            let (more_kills, more_cuts) = self.crashes();
            (more_kills - kills, more_cuts - cuts)
        };
        let mut coverage = self.game.coverage.borrow_mut();
        coverage.add(Event::Kill, kills);
        coverage.add(Event::PowerCut, cuts);
        if cuts > 0 {
            self.game.checker.borrow_mut().power_cut();
        }
        life.count_end(kills + cuts > 0, &mut coverage);
        let age = self.world.time().saturating_sub(self.watch.life_since);
        coverage.note_most("seconds of a life", age.as_secs(), LIFE_MAX.as_secs());
        drop(coverage);
        self.game.phase.set(Phase::Down);
        if life.stopped.get() && !life.cut.get() {
            self.check_tasks();
        }
    }

    /// A life that ended in order has waited for what was under way. Where the network or the disk
    /// fail, not everybody could be answered.
    fn check_tasks(&self) {
        let game = &self.game;
        let round = game.round.get();
        if round <= game.troubled.get() || game.disk_explains(round) {
            return;
        }
        let left = self.world.left_tasks(self.node).into_iter();
        let leaked: Vec<String> = left
            .filter(is_leaked)
            .map(|task| task.to_string())
            .collect();
        if !leaked.is_empty() {
            let what = format!("a life that ended in order leaves tasks: {leaked:#?}");
            game.fail(Promise::Bounded, what);
        }
    }

    fn crashes(&self) -> (u64, u64) {
        let stats = self.world.stats();
        (stats.kills, stats.power_cuts)
    }

    fn draw_kind(&mut self) -> CrashKind {
        if self.rng.percent(65) {
            CrashKind::PowerCut
        } else {
            CrashKind::Kill
        }
    }

    fn arm(&mut self) {
        let count = match self.rng.below(10) {
            0..3 => self.rng.magnitude(1, 100),
            _ => self.rng.magnitude(50, 3000),
        };
        let point = match self.rng.below(5) {
            0 | 1 => CrashPoint::DiskStarts(count),
            2 | 3 => CrashPoint::DiskEnds(count),
            _ => CrashPoint::Polls(count * 8),
        };
        let kind = self.draw_kind();
        self.world.schedule_crash(self.node, point, kind);
        self.is_armed = true;
    }

    /// Sometimes the power goes after the process.
    fn fail_power_while_down(&mut self) {
        if self.rng.percent(10) && !self.world.is_running(self.node) {
            self.world.crash(self.node, CrashKind::PowerCut);
            self.game.count(Event::PowerCut);
            self.game.checker.borrow_mut().power_cut();
        }
    }
}
