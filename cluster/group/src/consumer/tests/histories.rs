//! Random histories: members come, go, crash, are slow and miss answers while topics change. No
//! partition has two owners at any time, and when it becomes quiet everybody has what it shall.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::consumer::member::{has, partitions};
use crate::record::{CurrentAssignment, Record, Subscription};

/// A client, as the real ones behave: what it is given it takes at once, what it has to give up it
/// gives up some time later, and it says what it has.
#[derive(Clone, Debug)]
struct Client {
    id: String,
    instance: Option<String>,
    topics: BTreeSet<String>,
    regex: Option<String>,
    epoch: i32,
    owned: Assignment,
    told: Assignment,
    /// It has something to say that it has not said, or missed the last answer.
    says_all: bool,
}

impl Client {
    fn request(&self, member_epoch: i32) -> MemberHeartbeat {
        let says_all = self.says_all || member_epoch == EPOCH_JOIN;
        MemberHeartbeat {
            member_id: self.id.clone(),
            member_epoch,
            instance_id: self.instance.clone(),
            rebalance_timeout_ms: says_all.then_some(10_000),
            topic_names: says_all.then(|| self.topics.clone()),
            topic_regex: Some(self.regex.clone().unwrap_or_default()).filter(|_| says_all),
            owned: Some(self.owned.clone()),
            ..MemberHeartbeat::default()
        }
    }

    fn take(&mut self, update: &MemberUpdate) {
        self.epoch = update.member_epoch;
        self.says_all = false;
        if let Some(told) = &update.assignment {
            self.told.clone_from(told);
            for (topic, partition) in partitions(told) {
                self.owned.entry(topic).or_default().insert(partition);
            }
        }
    }

    /// Has given up what it had to.
    fn give_up(&mut self) {
        self.owned.clone_from(&self.told);
    }

    fn lose_everything(&mut self) {
        self.owned.clear();
        self.told.clear();
        self.epoch = EPOCH_JOIN;
    }
}

/// What becomes of the answer to a heartbeat.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Heard,
    Lost,
    /// The broker dies before its records are durable: neither they nor the answer come about.
    Undone,
}

#[derive(Clone, Debug)]
enum Step {
    Start {
        instance: Option<u8>,
        topics: BTreeSet<u8>,
        has_regex: bool,
    },
    Leave(Index),
    /// A static member goes and means to come back; another one leaves.
    Pause(Index),
    Crash(Index),
    Beat {
        client: Index,
        fate: Fate,
    },
    GiveUp(Index),
    Subscribe(Index, BTreeSet<u8>),
    Topic(u8, i32),
    Wait(u64),
    /// The broker starts again, with what the log has.
    Restart,
}

fn any_step() -> impl Strategy<Value = Step> {
    let topics = || prop::collection::btree_set(0..4_u8, 0..4);
    let client = any::<Index>;
    let start = (prop::option::of(0..2_u8), topics(), any::<bool>()).prop_map(
        |(instance, topics, has_regex)| Step::Start {
            instance,
            topics,
            has_regex,
        },
    );
    let fate = prop_oneof![8 => Just(Fate::Heard), 2 => Just(Fate::Lost), 1 => Just(Fate::Undone)];
    let beat = (client(), fate).prop_map(|(client, fate)| Step::Beat { client, fate });
    prop_oneof![
        3 => start,
        1 => client().prop_map(Step::Leave),
        1 => client().prop_map(Step::Pause),
        1 => client().prop_map(Step::Crash),
        12 => beat,
        6 => client().prop_map(Step::GiveUp),
        1 => (client(), topics()).prop_map(|(client, topics)| Step::Subscribe(client, topics)),
        2 => (0..4_u8, 0..7).prop_map(|(number, count)| Step::Topic(number, count)),
        1 => (0..30_000_u64).prop_map(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

fn topic(number: u8) -> String {
    format!("t{number}")
}

#[derive(Debug, Default)]
struct History {
    group: ConsumerGroup,
    cluster: Cluster,
    clients: Vec<Client>,
    now_ms: u64,
    started: usize,
    log: Vec<ConsumerRecord>,
}

/// What must be the same after a restart.
#[derive(Debug, PartialEq)]
struct Known {
    epochs: (i32, i32, i64),
    members: Vec<(String, Subscription, CurrentAssignment)>,
    target: Vec<(String, Assignment)>,
    regexes: Vec<(String, BTreeSet<String>)>,
}

impl Known {
    fn of(group: &ConsumerGroup) -> Self {
        let members = group.members.iter();
        let target = group.target.iter().filter(|(_, all)| !all.is_empty());
        let regexes = group.regexes.iter();
        Self {
            epochs: (group.epoch, group.assignment_epoch, group.metadata_hash),
            members: members
                .map(|(id, one)| (id.clone(), one.subscription.clone(), one.current.clone()))
                .collect(),
            target: target.map(|(id, all)| (id.clone(), all.clone())).collect(),
            regexes: regexes
                .map(|(text, one)| (text.clone(), one.names.clone()))
                .collect(),
        }
    }
}

impl History {
    fn write(&mut self) {
        self.log.extend(self.group.take_records());
    }

    fn restart(&mut self) {
        let known = Known::of(&self.group);
        self.group = self.rebuilt();
        assert_eq!(Known::of(&self.group), known);
    }

    /// The group that the log makes, of which compaction left the last record of each key.
    fn rebuilt(&self) -> ConsumerGroup {
        let encoded = self.log.iter().map(|record| {
            let record = Record::Consumer {
                group_id: "g".to_owned(),
                record: record.clone(),
            };
            record.encode().unwrap()
        });
        let encoded: Vec<_> = encoded.collect();
        let positions = encoded.iter().enumerate();
        let last: BTreeMap<_, _> = positions.map(|(at, bytes)| (&bytes.key, at)).collect();
        let mut fresh = ConsumerGroup::default();
        for (at, bytes) in encoded.iter().enumerate() {
            if last[&bytes.key] == at {
                let record = Record::decode(&bytes.key, bytes.value.as_deref(), bytes.topic_id);
                let Record::Consumer { record, .. } = record.unwrap().unwrap() else {
                    panic!("a record of a consumer group comes back as one")
                };
                fresh.replay(record);
            }
        }
        fresh.loaded(at(self.now_ms), &ConsumerConfig::default());
        assert_eq!(fresh.take_records(), []);
        fresh
    }

    fn step(&mut self, step: &Step) {
        let count = self.clients.len();
        let at = |client: &Index| (count > 0).then(|| client.index(count));
        match step {
            Step::Start {
                instance,
                topics,
                has_regex,
            } => self.start(*instance, topics, *has_regex),
            Step::Leave(client) => self.go(at(client), EPOCH_LEAVE),
            Step::Pause(client) => self.go(at(client), EPOCH_LEAVE_STATIC),
            Step::Crash(client) => {
                if let Some(at) = at(client) {
                    self.clients.remove(at);
                }
            },
            Step::Beat { client, fate } => {
                if let Some(at) = at(client) {
                    self.beat(at, *fate);
                }
            },
            Step::GiveUp(client) => {
                if let Some(at) = at(client) {
                    self.clients[at].give_up();
                }
            },
            Step::Subscribe(client, topics) => {
                if let Some(at) = at(client) {
                    self.clients[at].topics = topics.iter().copied().map(topic).collect();
                    self.clients[at].says_all = true;
                }
            },
            Step::Topic(number, partitions) => self.cluster.set(&topic(*number), *partitions),
            Step::Wait(ms) => self.wait(*ms),
            Step::Restart => self.restart(),
        }
        self.check();
    }

    fn start(&mut self, instance: Option<u8>, topics: &BTreeSet<u8>, has_regex: bool) {
        self.started += 1;
        self.clients.push(Client {
            id: format!("m{}", self.started),
            instance: instance.map(|number| format!("i{number}")),
            topics: topics.iter().copied().map(topic).collect(),
            regex: has_regex.then(|| "t[12]".to_owned()),
            epoch: EPOCH_JOIN,
            owned: Assignment::new(),
            told: Assignment::new(),
            says_all: true,
        });
        self.beat(self.clients.len() - 1, Fate::Heard);
    }

    fn go(&mut self, at: Option<usize>, epoch: i32) {
        let Some(at) = at else { return };
        let client = self.clients.remove(at);
        let epoch = if client.instance.is_some() {
            epoch
        } else {
            EPOCH_LEAVE
        };
        let _ = self.send(&client.request(epoch));
    }

    fn send(&mut self, request: &MemberHeartbeat) -> Result<MemberUpdate, ErrorCode> {
        let config = ConsumerConfig::default();
        let now = at(self.now_ms);
        let answer = self
            .group
            .on_heartbeat(now, request, config.timing, &self.cluster, &config);
        self.write();
        answer.map_err(|refusal| refusal.error_code)
    }

    fn beat(&mut self, at: usize, fate: Fate) {
        let request = self.clients[at].request(self.clients[at].epoch);
        assert_eq!(request.check(1, "g", Assignor::ALL), Ok(()));
        let durable = self.log.len();
        let answer = self.send(&request);
        if matches!(fate, Fate::Undone) {
            self.log.truncate(durable);
            self.group = self.rebuilt();
        }
        let client = &mut self.clients[at];
        match answer {
            _ if !matches!(fate, Fate::Heard) => client.says_all = true,
            Ok(update) => client.take(&update),
            Err(ErrorCode::FENCED_MEMBER_EPOCH | ErrorCode::UNKNOWN_MEMBER_ID) => {
                client.lose_everything();
            },
            // Another one is the static member: this one ends.
            Err(ErrorCode::UNRELEASED_INSTANCE_ID | ErrorCode::FENCED_INSTANCE_ID) => {
                self.clients.remove(at);
            },
            Err(other) => panic!("{other}"),
        }
    }

    fn wait(&mut self, ms: u64) {
        self.now_ms += ms;
        if self
            .group
            .next_deadline()
            .is_some_and(|at| at <= self.now_ms)
        {
            self.group.on_deadline(at(self.now_ms));
            self.write();
        }
    }

    /// What a client has, the group knows to be its own. One that was removed for its silence does
    /// not know of it yet; it is fenced by the next thing that it says.
    fn check(&self) {
        check(&self.group);
        for client in &self.clients {
            if let Some(member) = self.group.members.get(&client.id) {
                for one in partitions(&client.owned) {
                    let is_known = {
                        let (told, gives) = (&member.current.assigned, &member.current.revoking);
                        has(told, one) || has(gives, one)
                    };
                    assert!(is_known, "{one:?} of {client:?} beside {member:?}");
                }
            }
        }
    }

    /// Everybody is well and nothing changes, for longer than the session of one who crashed, and
    /// eight rounds more.
    fn settle(&mut self) {
        for _ in 0..12 + 8 {
            self.wait(4_000);
            for at in (0..self.clients.len()).rev() {
                self.clients[at].give_up();
                self.beat(at, Fate::Heard);
                self.check();
            }
        }
    }

    /// Every partition that somebody is subscribed to has one owner, who knows it.
    fn check_settled(&self) {
        let state = self.group.state();
        if self.clients.is_empty() {
            assert_eq!(state, ConsumerGroupState::Empty);
            return;
        }
        assert_eq!(state, ConsumerGroupState::Stable, "{self:#?}");
        assert_eq!(self.clients.len(), self.group.members.len());
        let mut owned = BTreeMap::new();
        let mut subscribed = BTreeSet::new();
        for client in &self.clients {
            assert_eq!(client.owned, self.group.target[&client.id]);
            for one in partitions(&client.owned) {
                assert_eq!(owned.insert(one, &client.id), None);
            }
            subscribed.extend(client.topics.iter().cloned());
            if client.regex.is_some() {
                subscribed.extend(["t1".to_owned(), "t2".to_owned()]);
            }
        }
        let topics = subscribed
            .iter()
            .filter_map(|name| self.cluster.by_name(name));
        let wanted: i32 = topics.map(|topic| topic.partitions).sum();
        assert_eq!(owned.len(), wanted as usize);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn no_partition_has_two_owners_and_all_find_theirs(
        steps in prop::collection::vec(any_step(), 0..80),
    ) {
        let mut history = History::default();
        for step in &steps {
            history.step(step);
        }
        history.settle();
        history.check_settled();
        history.restart();
    }
}
