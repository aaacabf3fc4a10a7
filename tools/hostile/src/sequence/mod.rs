//! Sequences of requests, valid and nearly valid, against a whole broker in the simulation, with an
//! honest client beside them: a seed is a play, and plays the same every time.
//!
//! What must hold: the broker lives; every connection gets well-formed answers in the order of its
//! requests, or is closed; the honest client sees no error and its own bytes; nothing of a connection
//! stays behind it; memory keeps to the budget.

mod client;
mod honest;
mod requests;
mod rng;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::sim::{Options, World};
use engine_rt::{memory_used, sleep, spawn};
use flumen::broker::{AdminHandle, BrokerConfig, KafkaListener, MEMORY_BYTES_MIN, Settings, start};

use rng::Rng;

/// Where the broker listens; nodes of the simulation share one network.
const ADDR: &str = "10.0.0.1:9092";
/// What buffers may take above the budget: pools that are idle, and what a test itself holds.
const MEMORY_SLACK: usize = 32 << 20;
/// Until everything of a connection is gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a play was made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// Hostile connections.
    pub connections: u64,
    /// Requests that they sent, whole or not.
    pub requests: u64,
    /// Answers that they got, each well formed.
    pub answers: u64,
    /// Connections that the broker closed.
    pub closed: u64,
    /// Calls of the honest client, each without an error.
    pub honest: u64,
    /// The longest that it waited for two of them.
    pub honest_waited_max: Duration,
}

impl Played {
    /// The sum of two.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            connections: self.connections + other.connections,
            requests: self.requests + other.requests,
            answers: self.answers + other.answers,
            closed: self.closed + other.closed,
            honest: self.honest + other.honest,
            honest_waited_max: self.honest_waited_max.max(other.honest_waited_max),
        }
    }
}

/// What the machines of a play have in common.
#[derive(Debug)]
struct Game {
    addr: SocketAddr,
    played: Cell<Played>,
    /// Hostile clients that are not through.
    attackers: Cell<usize>,
    honest_done: Cell<bool>,
    serving: Cell<bool>,
    /// What requests were sent, newest last: for whoever looks into a failure.
    log: RefCell<Vec<String>>,
}

impl Game {
    fn count(&self, add: Played) {
        self.played.set(self.played.get().and(add));
    }

    fn note(&self, what: impl FnOnce() -> String) {
        let mut log = self.log.borrow_mut();
        if log.len() == 64 {
            log.remove(0);
        }
        log.push(what());
    }
}

/// Plays a seed: so many hostile clients, each with some connections.
///
/// # Panics
/// If something does not hold; the message names it.
pub fn play(seed: u64, attackers: usize) -> Played {
    let mut rng = Rng::new(seed);
    let world = World::new(seed, Options::default());
    let game = Rc::new(Game {
        addr: ADDR.parse().expect("an address"),
        played: Cell::default(),
        attackers: Cell::new(attackers),
        honest_done: Cell::new(false),
        serving: Cell::new(false),
        log: RefCell::default(),
    });
    let shards = 1 + rng.below(2) as usize;
    let node = world.node("broker");
    let serving = Rc::clone(&game);
    world.start(node, move || serve(serving, shards));
    world.run_until(|| game.serving.get());
    let machine = world.node("honest");
    let (honest, seen) = (Rc::clone(&game), Rc::clone(&game));
    world.start(machine, move || honest::run(honest, attackers));
    let machine = world.node("hostile");
    for _ in 0..attackers {
        let (game, rng) = (Rc::clone(&game), rng.fork());
        world.start(machine, move || client::run(game, rng));
    }
    world.run_until(|| {
        assert!(world.is_running(node), "seed {seed}: the broker lives");
        seen.attackers.get() == 0
    });
    seen.honest_done.set(true);
    world.run_for(PATIENCE);
    assert_eq!(
        world.connections(),
        0,
        "seed {seed}: connections that nobody holds"
    );
    assert!(world.is_running(node), "seed {seed}: the broker lives");
    game.played.get()
}

async fn serve(game: Rc<Game>, shards: usize) {
    let settings = [
        ("flumen.space.reserve.bytes", "0"),
        ("flumen.journal.file.bytes", "2097152"),
        ("flumen.bypass.bytes", "65536"),
    ];
    let config = BrokerConfig {
        data_dir: PathBuf::from("/data"),
        listeners: vec![KafkaListener {
            name: "PLAINTEXT".to_owned(),
            bind: game.addr,
            advertised: None,
        }],
        shards,
        cpus: Vec::new(),
        memory_bytes: MEMORY_BYTES_MIN,
        open_files: 1_000,
        settings: Settings::from_pairs(settings).expect("known settings"),
        node_id: None,
        accept_copy: false,
        admin: AdminHandle::new(shards),
    };
    let running = start(config).await.expect("a calm machine");
    game.serving.set(true);
    let watched = Rc::clone(&game);
    spawn(async move {
        while !watched.honest_done.get() {
            let used = memory_used();
            let most = MEMORY_BYTES_MIN as usize + MEMORY_SLACK;
            assert!(
                used <= most,
                "{used} bytes of buffers; {:?}",
                watched.log.borrow()
            );
            sleep(Duration::from_millis(10)).await;
        }
    })
    .detach();
    // The life ends with the world; until then nobody stops it.
    std::future::pending::<()>().await;
    drop(running);
}
