//! What outlives the node: clients, the checker, and what the metadata says.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use engine_shard::{LogConfig, PartitionSpec, TopicPartition};
use net_wire::Uuid;

use crate::checker::{Checker, Promise};
use crate::content::Sent;
use crate::coverage::{Coverage, Event};
use crate::rng::Rng;

use super::consumer::Consumer;
use super::plan::{Plan, expires};
use super::producer::Producer;

/// The ownership table, as the metadata log would keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub generation: u64,
    pub shards: usize,
}

/// One play of a seed.
pub(super) struct Game {
    pub plan: Plan,
    pub checker: RefCell<Checker>,
    pub coverage: RefCell<Coverage>,
    pub table: Cell<Table>,
    pub specs: RefCell<Vec<PartitionSpec>>,
    pub producers: Vec<Rc<Producer>>,
    pub consumers: Vec<Rc<Consumer>>,
    pub rng: RefCell<Rng>,
    /// Logs that got small and large appends.
    pub journaled: RefCell<BTreeSet<u32>>,
    pub bypassed: RefCell<BTreeSet<u32>>,
}

/// The partition that a log of the checker is.
pub(super) fn id_of(log: u32) -> TopicPartition {
    TopicPartition {
        topic_id: Uuid::from_bytes([1 + (log % 2) as u8; 16]),
        partition: log / 2,
    }
}

/// The shard of a partition.
pub(super) fn owner(id: TopicPartition, shards: usize) -> usize {
    (id.partition as usize * 5 + usize::from(id.topic_id.as_bytes()[0])) % shards
}

impl Game {
    pub(super) fn new(plan: Plan, rng: &mut Rng) -> Rc<Self> {
        let mut checker = Checker::default();
        let spec = |(log, config): (usize, &LogConfig)| PartitionSpec {
            id: id_of(log as u32),
            leader_epoch: 0,
            config: *config,
        };
        let specs = plan.logs.iter().enumerate().map(spec).collect();
        for config in &plan.logs {
            checker.add_log(expires(config));
        }
        let producers = plan.producers.iter().enumerate();
        let producers =
            producers.map(|(n, plan)| Rc::new(Producer::new(n as u32, plan, rng.fork())));
        let producers = producers.collect();
        let logs = plan.logs.len();
        let consumers = (0..plan.consumers).map(|_| Rc::new(Consumer::new(logs, rng.fork())));
        let consumers = consumers.collect();
        Rc::new(Self {
            table: Cell::new(Table {
                generation: 1,
                shards: plan.shards,
            }),
            plan,
            checker: RefCell::new(checker),
            coverage: RefCell::default(),
            specs: RefCell::new(specs),
            producers,
            consumers,
            rng: RefCell::new(rng.fork()),
            journaled: RefCell::default(),
            bypassed: RefCell::default(),
        })
    }

    /// Whether a promise was broken.
    pub(super) fn is_over(&self) -> bool {
        self.checker.borrow().violation().is_some()
    }

    /// Notes which way an append went.
    pub(super) fn note_way(&self, sent: &Sent) {
        let log = sent.id.log;
        let large = sent.bytes >= self.plan.bypass_bytes;
        let (own, other) = if large {
            (&self.bypassed, &self.journaled)
        } else {
            (&self.journaled, &self.bypassed)
        };
        if own.borrow_mut().insert(log) && other.borrow().contains(&log) {
            self.coverage.borrow_mut().count(Event::MixedLog);
        }
    }

    pub(super) fn fail(&self, what: String) {
        self.checker.borrow_mut().fail(Promise::Liveness, what);
    }
}
