//! Random histories: members come, go, fall silent and return, the broker crashes, flushes take
//! their time. Whatever happens, nobody is told what a crash takes back, and when it is over the
//! group is balanced.

use std::collections::{BTreeMap, VecDeque};

use engine_rt::sim::splitmix;
use net_wire::ErrorCode;

use super::rig::{GROUP, heartbeat, join, protocol, sync, topic_commit};
use crate::consumer::NoTopics;
use crate::record::Record;
use crate::request::{JoinGroup, LeaveGroup, LeavingMember, OffsetCommit, Request, SyncGroup};
use crate::{Answer, Config, Coordinator, Effect, GroupState, Now, Outbox, Token};

const CLIENTS: usize = 5;
const SEEDS: u64 = 300;
const STEPS: usize = 600;

/// Chance from a seed.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        splitmix(&mut self.0)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&mut self, odds: u64) -> bool {
        self.below(odds) == 0
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Out,
    Joined,
    Working,
}

/// What it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Join,
    Sync,
    Beat,
    Commit(i32),
    Leave,
}

#[derive(Debug, Default)]
struct Client {
    instance: Option<String>,
    two_steps: bool,
    member_id: String,
    generation: i32,
    /// The members that it assigns to, if it leads.
    leads: Vec<String>,
    phase: Phase,
    waits: Option<(Token, Asked)>,
    next_beat: u64,
    /// It does nothing until then.
    silent_until: u64,
    assignment: Vec<u8>,
}

struct World {
    rng: Rng,
    now: Now,
    coordinator: Coordinator,
    clients: Vec<Client>,
    /// Effects that wait for a flush, and what is on the disk.
    queue: VecDeque<Effect>,
    log: Vec<Record>,
    next_token: u64,
    lives: u64,
    /// Who was given which slot of a generation, and who led it.
    owners: BTreeMap<(i32, Vec<u8>), String>,
    leaders: BTreeMap<(u64, i32), String>,
    last_commit_generation: i32,
    faults: bool,
}

fn config() -> Config {
    Config {
        initial_rebalance_delay_ms: 500,
        retention_check_ms: 5_000,
        ..Config::default()
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng(seed);
        let clients = (0..CLIENTS).map(|number| Client {
            instance: rng.one_in(3).then(|| format!("static-{number}")),
            two_steps: rng.one_in(2),
            ..Client::default()
        });
        let clients = clients.collect();
        let mut coordinator = Coordinator::new(config());
        let now = Now {
            monotonic_ms: 0,
            wall_ms: 1_700_000_000_000,
        };
        coordinator.loaded(now, &mut Outbox::default());
        let log = committed_before(&mut coordinator, now);
        Self {
            rng,
            now,
            coordinator,
            clients,
            queue: VecDeque::new(),
            log,
            next_token: 0,
            lives: 0,
            owners: BTreeMap::new(),
            leaders: BTreeMap::new(),
            last_commit_generation: -1,
            faults: true,
        }
    }

    fn step(&mut self) {
        let ms = if self.rng.one_in(20) { 4_000 } else { 300 };
        let ms = self.rng.below(ms) + 1;
        self.pass(ms);
        if self.faults && self.rng.one_in(80) {
            self.crash();
        }
        let number = self.rng.below(CLIENTS as u64) as usize;
        if self.faults {
            self.trouble(number);
        }
        self.act(number);
        while !self.queue.is_empty() {
            if self.faults && self.rng.one_in(3) {
                break;
            }
            self.flush_one();
        }
    }

    /// Everybody does what is to be done, and the disk is quick.
    fn calm_step(&mut self) {
        self.pass(100);
        for number in 0..CLIENTS {
            self.act(number);
        }
        while !self.queue.is_empty() {
            self.flush_one();
        }
    }

    fn pass(&mut self, ms: u64) {
        let end = self.now.monotonic_ms + ms;
        while let Some(at) = self.coordinator.next_deadline().filter(|at| *at <= end) {
            self.set_time(at.max(self.now.monotonic_ms));
            let mut out = Outbox::default();
            self.coordinator.on_deadline(self.now, &mut out);
            self.queue.extend(out.take());
        }
        self.set_time(end);
    }

    fn set_time(&mut self, monotonic_ms: u64) {
        self.now.wall_ms += (monotonic_ms - self.now.monotonic_ms) as i64;
        self.now.monotonic_ms = monotonic_ms;
    }

    /// The disk takes the next append, or an answer behind it leaves.
    fn flush_one(&mut self) {
        match self.queue.pop_front() {
            Some(Effect::Append(records)) => self.log.extend(records),
            Some(Effect::Answer(token, answer)) => self.deliver(token, answer),
            None => {},
        }
    }

    /// The broker dies: what was not flushed is lost, all or a first part of it.
    fn crash(&mut self) {
        let kept = self.rng.below(self.queue.len() as u64 + 1) as usize;
        for effect in std::mem::take(&mut self.queue).into_iter().take(kept) {
            if let Effect::Append(records) = effect {
                self.log.extend(records);
            }
        }
        for client in &mut self.clients {
            client.waits = None;
        }
        self.lives += 1;
        self.coordinator = replayed(&self.log);
        self.coordinator.loaded(self.now, &mut Outbox::default());
    }

    /// A client forgets who it is, or falls silent, or leaves.
    fn trouble(&mut self, number: usize) {
        let kind = self.rng.below(60);
        let silence = self.rng.below(20_000);
        let client = &mut self.clients[number];
        match kind {
            0 => {
                *client = Client {
                    instance: client.instance.take(),
                    two_steps: client.two_steps,
                    ..Client::default()
                };
            },
            1 => client.silent_until = self.now.monotonic_ms + silence,
            2 => client.waits = None,
            3 if client.phase == Phase::Working && client.waits.is_none() => {
                let member = LeavingMember {
                    member_id: client.member_id.clone(),
                    group_instance_id: client.instance.clone(),
                };
                let request = Request::LeaveGroup(LeaveGroup {
                    group_id: GROUP.to_owned(),
                    members: vec![member],
                });
                self.ask(number, Asked::Leave, request);
            },
            _ => {},
        }
    }

    fn act(&mut self, number: usize) {
        let client = &self.clients[number];
        if client.waits.is_some() || client.silent_until > self.now.monotonic_ms {
            return;
        }
        let (asked, request) = match client.phase {
            Phase::Out => (Asked::Join, self.join_request(number)),
            Phase::Joined => (Asked::Sync, self.sync_request(number)),
            Phase::Working if client.next_beat <= self.now.monotonic_ms => {
                self.clients[number].next_beat = self.now.monotonic_ms + 2_000;
                (Asked::Beat, self.beat_request(number))
            },
            Phase::Working => {
                let generation = client.generation;
                (Asked::Commit(generation), self.commit_request(number))
            },
        };
        self.ask(number, asked, request);
    }

    fn join_request(&mut self, number: usize) -> Request {
        let random = u128::from(self.rng.next());
        let other = self.rng.one_in(4);
        let client = &self.clients[number];
        let mut protocols = vec![protocol("range", "t"), protocol("sticky", "t")];
        protocols.rotate_left(usize::from(other));
        Request::JoinGroup(JoinGroup {
            group_instance_id: client.instance.clone(),
            requires_known_member_id: client.two_steps,
            supports_skipping_assignment: client.two_steps,
            rebalance_timeout_ms: 8_000,
            session_timeout_ms: 6_000,
            random,
            protocols,
            ..join(&client.member_id)
        })
    }

    fn sync_request(&self, number: usize) -> Request {
        let client = &self.clients[number];
        let slots = client.leads.iter().enumerate();
        let assign = |(slot, id): (usize, &String)| (id.clone(), slot.to_string().into_bytes());
        Request::SyncGroup(SyncGroup {
            group_instance_id: client.instance.clone(),
            assignments: slots.map(assign).collect(),
            ..sync(&client.member_id, client.generation)
        })
    }

    fn beat_request(&self, number: usize) -> Request {
        let client = &self.clients[number];
        let mut beat = heartbeat(&client.member_id, client.generation);
        beat.group_instance_id.clone_from(&client.instance);
        Request::Heartbeat(beat)
    }

    fn commit_request(&self, number: usize) -> Request {
        let client = &self.clients[number];
        Request::OffsetCommit(OffsetCommit {
            group_id: GROUP.to_owned(),
            generation_id: client.generation,
            member_id: client.member_id.clone(),
            group_instance_id: client.instance.clone(),
            knows_epochs: true,
            retention_time_ms: -1,
            topics: vec![topic_commit("t", number as i32, self.next_token as i64)],
        })
    }

    fn ask(&mut self, number: usize, asked: Asked, request: Request) {
        self.next_token += 1;
        let token = Token(self.next_token);
        self.clients[number].waits = Some((token, asked));
        let mut out = Outbox::default();
        self.coordinator
            .on_request(self.now, token, request, &NoTopics, &mut out);
        let effects = out.take();
        if let Asked::Commit(generation) = asked {
            self.see_commit(generation, &effects);
        }
        self.queue.extend(effects);
    }

    /// Once one generation has committed, no earlier one does.
    fn see_commit(&mut self, generation: i32, effects: &[Effect]) {
        if let [Effect::Append(_), ..] = effects {
            assert!(
                generation >= self.last_commit_generation,
                "a commit from the past"
            );
            self.last_commit_generation = generation;
        }
    }

    fn deliver(&mut self, token: Token, answer: Answer) {
        let waiting = |client: &Client| client.waits.is_some_and(|(one, _)| one == token);
        let Some(number) = self.clients.iter().position(waiting) else {
            return;
        };
        let (_, asked) = self.clients[number].waits.take().unwrap();
        match answer {
            Answer::JoinGroup(joined) if joined.error_code.is_none() => {
                self.see_leader(&joined);
                let client = &mut self.clients[number];
                let ids = joined.members.iter();
                client.leads = ids.map(|one| one.member_id.clone()).collect();
                if joined.skip_assignment {
                    client.leads.clear();
                }
                client.member_id = joined.member_id;
                client.generation = joined.generation_id;
                client.phase = Phase::Joined;
            },
            Answer::JoinGroup(joined) => {
                let client = &mut self.clients[number];
                match joined.error_code {
                    ErrorCode::MEMBER_ID_REQUIRED => client.member_id = joined.member_id,
                    _ => client.member_id.clear(),
                }
            },
            Answer::SyncGroup(synced) => {
                self.see_slot(number, &synced.assignment);
                let client = &mut self.clients[number];
                client.assignment = synced.assignment;
                client.phase = Phase::Working;
            },
            Answer::Refused(code) => self.refused(number, asked, code),
            Answer::LeaveGroup(_) => {
                let client = &mut self.clients[number];
                client.member_id.clear();
                client.phase = Phase::Out;
            },
            _ => {},
        }
    }

    fn refused(&mut self, number: usize, asked: Asked, code: ErrorCode) {
        let client = &mut self.clients[number];
        match code {
            ErrorCode::UNKNOWN_MEMBER_ID
            | ErrorCode::FENCED_INSTANCE_ID
            | ErrorCode::GROUP_ID_NOT_FOUND => client.member_id.clear(),
            ErrorCode::REBALANCE_IN_PROGRESS | ErrorCode::ILLEGAL_GENERATION => {},
            other => panic!("{asked:?} got {other}"),
        }
        client.phase = Phase::Out;
    }

    /// In one life of the broker, a generation has one leader (a static one may come back).
    fn see_leader(&mut self, joined: &crate::JoinedGroup) {
        if joined.members.is_empty() || joined.skip_assignment {
            return;
        }
        let who = place_of(
            joined
                .members
                .iter()
                .find(|one| one.member_id == joined.member_id),
        );
        let generation = (self.lives, joined.generation_id);
        let known = self
            .leaders
            .entry(generation)
            .or_insert_with(|| who.clone());
        assert_eq!(*known, who, "two leaders of generation {}", generation.1);
    }

    /// A slot of a generation belongs to one member for ever: also over crashes.
    fn see_slot(&mut self, number: usize, slot: &[u8]) {
        let client = &self.clients[number];
        if slot.is_empty() {
            return;
        }
        let who = client.instance.clone();
        let who = who.unwrap_or_else(|| client.member_id.clone());
        let slot = (client.generation, slot.to_vec());
        let owner = self.owners.entry(slot).or_insert_with(|| who.clone());
        assert_eq!(
            *owner, who,
            "two owners of a slot of generation {}",
            client.generation
        );
    }

    /// Nobody is in trouble any more: within a minute or so all work in one generation, each with a
    /// slot of its own.
    fn settle(&mut self) {
        self.faults = false;
        for client in &mut self.clients {
            client.silent_until = 0;
            client.waits = None;
            if client.phase == Phase::Joined {
                client.phase = Phase::Out;
            }
        }
        for _ in 0..600 {
            self.calm_step();
        }
        let group = self.coordinator.groups[GROUP].members.classic().unwrap();
        assert_eq!(group.state(), GroupState::Stable);
        let generation = group.generation();
        let mut ids: Vec<&str> = self.clients.iter().map(|one| &*one.member_id).collect();
        ids.sort_unstable();
        assert_eq!(group.member_ids().collect::<Vec<_>>(), ids);
        assert!(ids.contains(&group.leader().unwrap()));
        let mut slots: Vec<&[u8]> = self.clients.iter().map(|one| &*one.assignment).collect();
        slots.sort_unstable();
        slots.dedup();
        assert_eq!(slots.len(), CLIENTS, "{slots:?}");
        for client in &self.clients {
            assert_eq!(
                (client.generation, client.phase),
                (generation, Phase::Working)
            );
        }
    }

    /// What the log says is what is.
    fn compare_with_log(&self) {
        let replayed = replayed(&self.log);
        let view = |coordinator: &Coordinator| {
            let groups = coordinator.groups.iter();
            groups
                .map(|(id, one)| {
                    let members = one.members.classic().unwrap();
                    (id.clone(), members.as_recorded(), one.offsets.clone())
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(view(&self.coordinator), view(&replayed));
    }
}

/// An offset of before there were members. It keeps the group, and with it the count of generations:
/// one that goes when it is empty begins anew.
fn committed_before(coordinator: &mut Coordinator, now: Now) -> Vec<Record> {
    let commit = OffsetCommit {
        group_id: GROUP.to_owned(),
        generation_id: -1,
        retention_time_ms: -1,
        topics: vec![topic_commit("before", 0, 1)],
        ..OffsetCommit::default()
    };
    let mut out = Outbox::default();
    let request = Request::OffsetCommit(commit);
    coordinator.on_request(now, Token(0), request, &NoTopics, &mut out);
    match out.take().remove(0) {
        Effect::Append(records) => records,
        Effect::Answer(..) => panic!("it is appended first"),
    }
}

/// A member, or the static place that it has.
fn place_of(member: Option<&crate::JoinedMember>) -> String {
    let member = member.expect("the leader is among its members");
    let place = member.group_instance_id.clone();
    place.unwrap_or_else(|| member.member_id.clone())
}

fn replayed(log: &[Record]) -> Coordinator {
    let mut coordinator = Coordinator::new(config());
    for record in log {
        coordinator.replay(record.clone());
    }
    coordinator
}

#[test]
fn random_histories_end_in_balance() {
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            world.step();
        }
        world.settle();
        world.compare_with_log();
    }
}
