//! The storage engine under clients in its own process: shards on one node that is crashed and
//! started again, without a network in between. Faster than a whole broker, and closer to the disk.
//!
//! A seed is played in lives. Each begins with the recovery of every shard, maybe with another
//! number of them; then clients send and read until the crash that was armed before, or until all
//! have done their share. At the end the node is left in peace and everything is looked at twice.

mod client;
mod consumer;
mod game;
mod life;
mod look;
mod plan;
mod producer;

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::fs::create_dir_all;
use engine_rt::sim::{CrashKind, CrashPoint, NodeId, World};

use crate::checker::Violation;
use crate::coverage::{Coverage, Event};
use crate::rng::Rng;
use game::Game;
use life::{Ending, Life};
pub use plan::Plan;

/// The data directory on the simulated disk.
const DATA_DIR: &str = "/data";

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
    let plan = Plan::draw(&mut rng);
    let game = Game::new(plan, &mut rng);
    let mut director = Director {
        world,
        node,
        game: Rc::clone(&game),
        rng,
        armed: None,
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

/// Starts and ends the lives of the node.
struct Director {
    world: World,
    node: NodeId,
    game: Rc<Game>,
    rng: Rng,
    /// A crash that was armed and has not struck.
    armed: Option<CrashKind>,
}

impl Director {
    fn play(&mut self) {
        self.world.block_on(self.node, || async {
            let made = create_dir_all(Path::new(DATA_DIR)).await;
            made.expect("an empty disk has room for a directory");
        });
        self.world.disk(self.node).settle();
        for _ in 0..self.game.plan.lives {
            let ending = if self.rng.percent(15) {
                Ending::Stop
            } else {
                Ending::Crash
            };
            self.live(ending);
            if self.game.is_over() {
                return;
            }
        }
        // The crash that is still armed may strike in these too.
        let mut quiet = 0;
        while quiet < 2 && !self.game.is_over() {
            quiet += u32::from(self.live(Ending::Look));
        }
    }

    /// Lives once; whether it ended as asked.
    fn live(&mut self, ending: Ending) -> bool {
        if self.armed.is_none() && ending != Ending::Look {
            self.arm();
        }
        let (kills, cuts) = self.crashes();
        let life = Life::begin(&self.game, ending, &mut self.rng);
        life.start(&self.world, self.node);
        let (game, world, node) = (&self.game, &self.world, self.node);
        world.run_until(|| game.is_over() || !world.is_running(node) || life.is_idle());
        if life.is_idle() && !game.is_over() {
            let linger = Duration::from_micros(self.rng.magnitude(100, 100_000));
            self.world.run_for(linger);
            if self.world.is_running(self.node) {
                let kind = self.draw_kind();
                self.world.crash(self.node, kind);
            }
        }
        let (more_kills, more_cuts) = self.crashes();
        let crashed = more_kills + more_cuts > kills + cuts;
        self.count_crash(&life, more_kills - kills, more_cuts - cuts);
        if crashed && !life.is_idle() {
            self.armed = None;
        }
        life.count_end(crashed);
        self.fail_power_while_down();
        !crashed
    }

    fn count_crash(&self, life: &Life, kills: u64, cuts: u64) {
        let mut coverage = self.game.coverage.borrow_mut();
        coverage.add(Event::Kill, kills);
        coverage.add(Event::PowerCut, cuts);
        if kills + cuts > 0 {
            life.count_phase(&mut coverage);
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
            0..3 => self.rng.magnitude(1, 60),
            _ => self.rng.magnitude(30, 3000),
        };
        let point = match self.rng.below(5) {
            0 | 1 => CrashPoint::DiskStarts(count),
            2 | 3 => CrashPoint::DiskEnds(count),
            _ => CrashPoint::Polls(count * 4),
        };
        let kind = self.draw_kind();
        self.world.schedule_crash(self.node, point, kind);
        self.armed = Some(kind);
    }

    /// Sometimes the power goes after the process.
    fn fail_power_while_down(&mut self) {
        if self.rng.percent(10) && !self.world.is_running(self.node) {
            self.world.crash(self.node, CrashKind::PowerCut);
            self.game.coverage.borrow_mut().count(Event::PowerCut);
        }
    }
}
