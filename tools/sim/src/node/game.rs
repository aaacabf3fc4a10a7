//! What outlives the node: its clients, the checker, and what clients know of topics.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use engine_rt::{Event as Signal, memory_used_here, now, wall_clock_ms};
use net_wire::{ErrorCode, Uuid};

use super::harm::Harm;
use super::plan::{Plan, TopicPlan};
use crate::checker::groups::Groups;
use crate::checker::{Checked, Checker, LogRules, Promise, Violation};
use crate::content::Sent;
use crate::coverage::{Coverage, Event};
use crate::rng::Rng;

/// What clients know of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Somebody asks for it.
    Wanted,
    /// Its creation was answered: from now on it is there (rule 17).
    Live,
    /// Somebody asks to delete it.
    Leaving,
    /// Its deletion was answered: from now on it is not there.
    Gone,
}

/// A topic. No name is used twice.
pub(super) struct Topic {
    pub name: String,
    pub id: Cell<Uuid>,
    pub plan: Cell<TopicPlan>,
    pub standing: Cell<Standing>,
    /// Its partitions, as logs of the checker; those that were not answered are not among them.
    pub logs: RefCell<Vec<u32>>,
}

/// A log of the checker is a partition.
#[derive(Clone)]
pub(super) struct Place {
    pub topic: Rc<Topic>,
    pub partition: i32,
}

/// Where a life of the node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Starting,
    Serving,
    Stopping,
    Down,
}

/// How far the wall clock of this machine is ahead of the time that has passed.
fn ahead_ms() -> i64 {
    const NANOS_PER_MS: u64 = 1_000_000;
    wall_clock_ms() - (now().as_nanos() / NANOS_PER_MS) as i64
}

/// One play of a seed.
pub(super) struct Game {
    pub plan: Plan,
    pub checker: RefCell<Checker>,
    pub groups: RefCell<Groups>,
    pub coverage: RefCell<Coverage>,
    pub rng: RefCell<Rng>,
    /// Bytes of memory that this thread held before.
    pub memory_before: usize,
    pub topics: RefCell<Vec<Rc<Topic>>>,
    places: RefCell<Vec<Place>>,
    /// The life of the node, counted from 1.
    pub round: Cell<u64>,
    pub phase: Cell<Phase>,
    /// The last life in which the network failed.
    pub troubled: Cell<u64>,
    /// The last life in which the disk failed.
    pub struck: Cell<u64>,
    /// What faults have done to the only copy of something.
    pub harm: RefCell<Harm>,
    /// How far the clients' wall clock is ahead of the time that has passed. It does not jump.
    ahead_ms: Cell<i64>,
    /// The node's wall clock has jumped, before a life that went by it from its start.
    clock_jumped: Cell<bool>,
    /// The node does not start any more, for damage that explains it.
    pub refused_for_good: Cell<bool>,
    /// Nothing new happens in this life: everything is looked at.
    pub quiet: Cell<bool>,
    /// Producers that have not done their share of this life.
    pub producing: Cell<usize>,
    /// Other clients in the middle of something.
    pub busy: Cell<usize>,
    /// The last life in which everything was looked at.
    pub looked: Cell<u64>,
    pub changed: Signal,
    producers: Cell<u32>,
    producer_ids: RefCell<BTreeSet<i64>>,
    /// Logs that got small and large appends.
    journaled: RefCell<BTreeSet<u32>>,
    bypassed: RefCell<BTreeSet<u32>>,
}

impl Game {
    pub(super) fn new(plan: Plan, rng: &mut Rng) -> Rc<Self> {
        let leads = plan.read_path == "sendfile";
        let groups = Groups::new(plan.groups.sizes.len());
        Rc::new(Self {
            plan,
            checker: RefCell::new(Checker::new(leads)),
            groups: RefCell::new(groups),
            coverage: RefCell::default(),
            rng: RefCell::new(rng.fork()),
            memory_before: memory_used_here(),
            topics: RefCell::default(),
            places: RefCell::default(),
            round: Cell::new(0),
            phase: Cell::new(Phase::Down),
            troubled: Cell::new(0),
            struck: Cell::new(0),
            harm: RefCell::default(),
            ahead_ms: Cell::default(),
            clock_jumped: Cell::default(),
            refused_for_good: Cell::new(false),
            quiet: Cell::new(false),
            producing: Cell::new(0),
            busy: Cell::new(0),
            looked: Cell::new(0),
            changed: Signal::new(),
            producers: Cell::new(0),
            producer_ids: RefCell::default(),
            journaled: RefCell::default(),
            bypassed: RefCell::default(),
        })
    }

    /// Whether a promise was broken, or nothing more can be seen.
    pub(super) fn is_over(&self) -> bool {
        self.refused_for_good.get() || self.checker.borrow().violation().is_some()
    }

    pub(super) fn fail(&self, promise: Promise, what: String) {
        self.checker.borrow_mut().fail(promise, what);
        self.changed.notify();
    }

    /// Takes note of what members of groups saw, unless damage explains it.
    pub(super) fn hold(&self, checked: Checked) {
        if let Err(Violation { promise, what }) = checked
            && !self.groups_are_harmed()
        {
            self.fail(promise, what);
        }
    }

    /// Whether a fault may have changed the only copy of what groups have: whatever is of no topic of
    /// the producers.
    pub(super) fn groups_are_harmed(&self) -> bool {
        let topics: Vec<Uuid> = self
            .topics
            .borrow()
            .iter()
            .map(|one| one.id.get())
            .collect();
        self.harm.borrow().goes_beyond(&topics)
    }

    pub(super) fn count(&self, event: Event) {
        self.coverage.borrow_mut().count(event);
    }

    /// An answer carried an error.
    pub(super) fn note_code(&self, code: ErrorCode) {
        self.coverage
            .borrow_mut()
            .reach(format!("answered {code:?}"));
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.changed.notify();
    }

    /// Whether clients have nothing under way and nothing to do.
    pub(super) fn is_still(&self) -> bool {
        self.producing.get() == 0 && self.busy.get() == 0
    }

    /// Whether a failure of a connection or a refusal is explained: by the end of the life in which
    /// the connection was made.
    pub(super) fn explains(&self, round: u64) -> bool {
        round < self.round.get() || self.phase.get() != Phase::Serving
    }

    /// Whether a failure of the disk explains a refusal in this life.
    pub(super) fn disk_explains(&self, round: u64) -> bool {
        round <= self.struck.get()
    }

    /// Whether a fault has changed the only copy of something of a log.
    pub(super) fn is_harmed(&self, log: u32) -> bool {
        let place = self.place(log);
        let harm = self.harm.borrow();
        harm.has_segment(place.topic.id.get(), place.partition)
    }

    /// Logs that have a segment which a fault has changed since the last life began.
    pub(super) fn struck_logs(&self) -> Vec<u32> {
        let (places, harm) = (self.places.borrow(), self.harm.borrow());
        let struck = |place: &Place| harm.was_struck(place.topic.id.get(), place.partition);
        let logs = places.iter().enumerate();
        let logs = logs.filter(|(_, place)| struck(place));
        logs.map(|(log, _)| log as u32).collect()
    }

    /// A name for a client that sends.
    pub(super) fn next_producer(&self) -> u32 {
        self.producers.set(self.producers.get() + 1);
        self.producers.get()
    }

    /// A producer id came: nobody else has it, or ever had.
    pub(super) fn take_producer_id(&self, id: i64) {
        if !self.producer_ids.borrow_mut().insert(id) {
            self.fail(Promise::Duplicate, format!("producer id {id} given twice"));
        }
    }

    pub(super) fn add_topic(&self, plan: TopicPlan) -> Rc<Topic> {
        let mut topics = self.topics.borrow_mut();
        let topic = Rc::new(Topic {
            name: format!("t{}", topics.len()),
            id: Cell::default(),
            plan: Cell::new(plan),
            standing: Cell::new(Standing::Wanted),
            logs: RefCell::default(),
        });
        topics.push(Rc::clone(&topic));
        topic
    }

    /// The creation of a topic or of more partitions was answered: there are `partitions` now.
    pub(super) fn created(&self, topic: &Rc<Topic>, partitions: i32) {
        let first = topic.logs.borrow().len() as i32;
        let rules = self.rules_of(topic);
        for partition in first..partitions {
            let log = self.checker.borrow_mut().add_log(rules);
            topic.logs.borrow_mut().push(log);
            self.places.borrow_mut().push(Place {
                topic: Rc::clone(topic),
                partition,
            });
        }
        topic.standing.set(Standing::Live);
        self.changed.notify();
    }

    /// What is promised of a topic's logs. What was in flight counts for retention, though a crash
    /// may take it.
    pub(super) fn rules_of(&self, topic: &Topic) -> LogRules {
        let plan = topic.plan.get();
        let in_flight: usize = self
            .plan
            .producers
            .iter()
            .map(|p| 2 * p.in_flight_max)
            .sum();
        let rules = plan.rules();
        let in_flight = in_flight as u64 * plan.batch_bytes_max;
        if self.clock_jumped.get() && plan.deletes() {
            return LogRules {
                expires: true,
                keeps_bytes: 0,
                ..rules
            };
        }
        LogRules {
            keeps_bytes: rules.keeps_bytes.saturating_sub(in_flight),
            ..rules
        }
    }

    /// The clients begin, on a machine of their own.
    pub(super) fn begin(&self) {
        self.ahead_ms.set(ahead_ms());
    }

    /// A life of the node begins to serve. If its wall clock jumped before, retention by time goes by
    /// it from now on, and may take anything.
    pub(super) fn look_at_clock(&self) {
        if self.ahead_ms.get() == ahead_ms() || self.clock_jumped.replace(true) {
            return;
        }
        let topics = self.topics.borrow();
        for topic in topics.iter().filter(|topic| topic.plan.get().deletes()) {
            let rules = self.rules_of(topic);
            for log in topic.logs.borrow().iter() {
                self.checker.borrow_mut().may_expire(*log, rules);
            }
        }
    }

    pub(super) fn place(&self, log: u32) -> Place {
        self.places.borrow()[log as usize].clone()
    }

    /// How many keys a log's records have, if it is compacted.
    pub(super) fn keys_of(&self, log: u32) -> Option<u64> {
        let compaction = self.place(log).topic.plan.get().compaction;
        compaction.map(|compaction| compaction.keys)
    }

    /// The log that a partition is.
    pub(super) fn log_of(&self, topic: &str, partition: i32) -> Option<u32> {
        let places = self.places.borrow();
        let found = places
            .iter()
            .position(|place| place.partition == partition && place.topic.name == topic);
        found.map(|log| log as u32)
    }

    /// The log that a partition is.
    pub(super) fn log_by_id(&self, topic: Uuid, partition: i32) -> Option<u32> {
        let places = self.places.borrow();
        let found = places
            .iter()
            .position(|place| place.partition == partition && place.topic.id.get() == topic);
        found.map(|log| log as u32)
    }

    pub(super) fn live_topics(&self) -> Vec<Rc<Topic>> {
        let topics = self.topics.borrow();
        let live = topics
            .iter()
            .filter(|topic| topic.standing.get() == Standing::Live);
        live.cloned().collect()
    }

    pub(super) fn live_logs(&self) -> Vec<u32> {
        let topics = self.live_topics();
        let logs = topics.iter().flat_map(|topic| topic.logs.borrow().clone());
        logs.collect()
    }

    /// Whether somebody has asked to delete what this log is of.
    pub(super) fn may_be_gone(&self, log: u32) -> bool {
        self.place(log).topic.standing.get() != Standing::Live
    }

    /// Notes which way an append went.
    pub(super) fn note_way(&self, sent: &Sent) {
        let log = sent.id.log;
        let large = sent.bytes as u64 >= self.plan.bypass_bytes;
        let (own, other) = if large {
            (&self.bypassed, &self.journaled)
        } else {
            (&self.journaled, &self.bypassed)
        };
        if own.borrow_mut().insert(log) && other.borrow().contains(&log) {
            self.count(Event::MixedLog);
        }
    }
}
