//! A whole node and its clients, each on a machine of its own: the node is crashed and started
//! again, the clients live on, speak Kafka's protocol over the network and connect anew.
//!
//! A seed is played in lives of the node. Each begins with a start, maybe with another number of
//! shards; clients send, read and manage until the crash that was armed before, or until all
//! producers have done their share. At the end the node is left in peace and everything is looked
//! at twice.

mod admin;
mod consumer;
mod fetch;
mod game;
mod life;
mod link;
mod look;
mod plan;
mod producer;

use std::rc::Rc;
use std::time::Duration;

use engine_rt::sim::{CrashKind, CrashPoint, NodeId, World};
use engine_rt::spawn;

use crate::checker::Violation;
use crate::coverage::{Coverage, Event};
use crate::rng::Rng;
use admin::Admin;
use consumer::Consumer;
use game::{Game, Phase};
use life::{Ending, Life};
use look::Auditor;
pub use plan::Plan;
use producer::Producer;

/// How a seed went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What happened.
    pub coverage: Coverage,
    /// The first broken promise, if one was broken.
    pub violation: Option<Violation>,
    /// Equal for every play of a seed by the same program.
    pub trace_hash: u64,
}

/// Plays a seed to its end or to the first broken promise.
pub fn play(seed: u64, trace: bool) -> Outcome {
    let mut rng = Rng::new(seed);
    let mut options = Plan::world(&mut rng);
    options.trace = trace;
    let world = World::new(seed, options);
    let node = world.node("node");
    let clients = world.node("clients");
    let plan = Plan::draw(&mut rng);
    let shards = plan.shards;
    let game = Game::new(plan, &mut rng);
    start_clients(&world, clients, &game, &mut rng);
    let mut director = Director {
        world,
        node,
        clients,
        game: Rc::clone(&game),
        rng,
        is_armed: false,
        shards,
    };
    director.play();
    let trace_hash = director.world.trace_hash();
    drop(director);
    let violation = game.checker.borrow().violation().cloned();
    let mut coverage = game.coverage.borrow().clone();
    coverage.add(Event::Retention, game.checker.borrow().expiries());
    coverage.end_seed();
    Outcome {
        coverage,
        violation,
        trace_hash,
    }
}

fn start_clients(world: &World, machine: NodeId, game: &Rc<Game>, rng: &mut Rng) {
    let plan = &game.plan;
    let producers = plan.producers.iter();
    let producers = producers.map(|plan| Rc::new(Producer::new(game, plan, rng.fork())));
    let producers: Vec<_> = producers.collect();
    let consumers = plan.consumers.iter().enumerate();
    let consumers = consumers
        .map(|(number, reading)| Rc::new(Consumer::new(game, number, *reading, rng.fork())));
    let consumers: Vec<_> = consumers.collect();
    let (admin, auditor) = (Rc::new(Admin::new(game)), Rc::new(Auditor::new(game)));
    world.start(machine, move || async move {
        for producer in producers {
            spawn(producer.run()).detach();
        }
        for consumer in consumers {
            spawn(consumer.run()).detach();
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
}

impl Director {
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
        // The crash that is still armed may strike in these too.
        self.game.quiet.set(true);
        let mut quiet = 0;
        while quiet < 2 && !self.game.is_over() {
            quiet += u32::from(self.live(Ending::Look));
        }
    }

    /// Lives once; whether it ended as asked.
    fn live(&mut self, ending: Ending) -> bool {
        if !self.is_armed && ending != Ending::Look {
            self.arm();
        }
        let (kills, cuts) = self.crashes();
        let life = self.begin(ending);
        life.start(&self.world, self.node);
        self.run(&life);
        let ended_by_itself = !life.is_idle();
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
        Life::new(game, ending, self.shards, before)
    }

    /// Lets things happen until the life is over or idle, with troubles of the network.
    fn run(&mut self, life: &Life) {
        let troubled = self.rng.percent(self.game.plan.troubled_percent);
        loop {
            let pause = Duration::from_micros(self.rng.magnitude(1000, 1_000_000));
            let (game, world, node) = (&self.game, &self.world, self.node);
            let until = world.time() + pause;
            let is_over = || game.is_over() || !world.is_running(node) || life.is_idle();
            world.run_until(|| is_over() || (troubled && world.time() >= until));
            if is_over() {
                return;
            }
            self.trouble();
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
    fn let_pass(&self, time: Duration) {
        let (world, node) = (&self.world, self.node);
        let until = world.time() + time;
        world.run_until(|| world.time() >= until || !world.is_running(node));
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
        life.count_end(kills + cuts > 0, &mut coverage);
        self.game.phase.set(Phase::Down);
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
        }
    }
}
