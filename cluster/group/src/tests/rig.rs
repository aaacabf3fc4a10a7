//! A coordinator with a clock, a log and the answers it gave.

use std::collections::BTreeMap;

use net_wire::{ErrorCode, Uuid};

use crate::consumer::tests::Cluster;
use crate::consumer::{DescribedConsumerGroup, MemberHeartbeat, MemberUpdate, Refusal, Timing};
use crate::record::Record;
use crate::request::{ConsumerGroupHeartbeat, Heartbeat, JoinGroup, Protocol, SyncGroup};
use crate::{
    Answer, Config, Coordinator, Effect, GroupState, JoinedGroup, Now, Outbox, PartitionCommit,
    Request, Token, TopicCommit,
};

pub(super) const GROUP: &str = "group";
pub(super) const TOPIC_ID: Uuid = Uuid::from_bytes([7; 16]);

pub(super) struct Rig {
    pub(super) coordinator: Coordinator,
    pub(super) now: Now,
    pub(super) log: Vec<Record>,
    pub(super) topics: Cluster,
    answers: BTreeMap<Token, Answer>,
    next_token: u64,
}

impl Default for Rig {
    fn default() -> Self {
        Self::with(|_| {})
    }
}

impl Rig {
    pub(super) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            initial_rebalance_delay_ms: 0,
            ..Config::default()
        };
        change(&mut config);
        let mut rig = Self {
            coordinator: Coordinator::new(config),
            now: Now {
                monotonic_ms: 1_000_000,
                wall_ms: 1_700_000_000_000,
            },
            log: Vec::new(),
            topics: Cluster::default(),
            answers: BTreeMap::new(),
            next_token: 0,
        };
        rig.coordinator.loaded(rig.now, &mut Outbox::default());
        rig
    }

    /// Asks; the answer is there now or later.
    pub(super) fn ask(&mut self, request: Request) -> Token {
        self.next_token += 1;
        let token = Token(self.next_token);
        let mut out = Outbox::default();
        self.coordinator
            .on_request(self.now, token, request, &self.topics, &mut out);
        self.take(&mut out);
        token
    }

    fn take(&mut self, out: &mut Outbox) {
        for effect in out.take() {
            match effect {
                Effect::Append(records) => self.log.extend(records),
                Effect::Answer(token, answer) => {
                    let before = self.answers.insert(token, answer);
                    assert_eq!(before, None, "one answer for each request");
                },
            }
        }
    }

    /// Lets time pass, and everything happen that is due on the way.
    pub(super) fn pass(&mut self, ms: u64) {
        let end = self.now.monotonic_ms + ms;
        while let Some(at) = self.coordinator.next_deadline().filter(|at| *at <= end) {
            self.set_time(at.max(self.now.monotonic_ms));
            let mut out = Outbox::default();
            self.coordinator.on_deadline(self.now, &mut out);
            self.take(&mut out);
        }
        self.set_time(end);
    }

    fn set_time(&mut self, monotonic_ms: u64) {
        self.now.wall_ms += (monotonic_ms - self.now.monotonic_ms) as i64;
        self.now.monotonic_ms = monotonic_ms;
    }

    pub(super) fn answer(&self, token: Token) -> Option<&Answer> {
        self.answers.get(&token)
    }

    pub(super) fn joined(&self, token: Token) -> &JoinedGroup {
        match self.answer(token) {
            Some(Answer::JoinGroup(joined)) => joined,
            other => panic!("no place in a generation: {other:?}"),
        }
    }

    pub(super) fn code(&self, token: Token) -> ErrorCode {
        match self.answer(token).expect("it is answered") {
            Answer::Refused(code) => *code,
            Answer::JoinGroup(joined) => joined.error_code,
            _ => ErrorCode::NONE,
        }
    }

    /// The code for something that is answered at once.
    pub(super) fn code_of(&mut self, request: Request) -> ErrorCode {
        let token = self.ask(request);
        self.code(token)
    }

    pub(super) fn assignment(&self, token: Token) -> &[u8] {
        match self.answer(token) {
            Some(Answer::SyncGroup(synced)) => &synced.assignment,
            other => panic!("no assignment: {other:?}"),
        }
    }

    pub(super) fn state(&mut self) -> GroupState {
        let token = self.ask(Request::DescribeGroup(GROUP.to_owned()));
        match self.answer(token) {
            Some(Answer::DescribeGroup(described)) => described.state,
            other => panic!("not described: {other:?}"),
        }
    }

    /// A new member joins; what it is told when the group is there.
    pub(super) fn join_new(&mut self) -> Token {
        self.next_token += 1;
        let random = u128::from(self.next_token);
        self.ask(Request::JoinGroup(JoinGroup { random, ..join("") }))
    }

    pub(super) fn sync(&mut self, joined: &JoinedGroup) -> Token {
        let members = joined.members.iter();
        let assign = members.map(|one| (one.member_id.clone(), one.member_id.clone().into_bytes()));
        self.ask(Request::SyncGroup(SyncGroup {
            assignments: assign.collect(),
            ..sync(&joined.member_id, joined.generation_id)
        }))
    }

    pub(super) fn beat(&mut self, member_id: &str, generation_id: i32) -> ErrorCode {
        self.code_of(Request::Heartbeat(heartbeat(member_id, generation_id)))
    }

    /// A heartbeat of the consumer protocol.
    pub(super) fn consumer_beat(
        &mut self,
        heartbeat: MemberHeartbeat,
    ) -> Result<MemberUpdate, Refusal> {
        let request = ConsumerGroupHeartbeat {
            group_id: GROUP.to_owned(),
            timing: Timing::default(),
            heartbeat,
        };
        let token = self.ask(Request::ConsumerGroupHeartbeat(Box::new(request)));
        match self.answer(token) {
            Some(Answer::ConsumerGroupHeartbeat(update)) => update.clone(),
            other => panic!("no answer to a heartbeat: {other:?}"),
        }
    }

    /// The group as one of the consumer protocol.
    pub(super) fn described_consumers(&mut self) -> Result<DescribedConsumerGroup, Refusal> {
        let token = self.ask(Request::ConsumerGroupDescribe(GROUP.to_owned()));
        match self.answer(token) {
            Some(Answer::ConsumerGroupDescribe(described)) => described.clone(),
            other => panic!("not described: {other:?}"),
        }
    }

    /// A stable group of so many members; the leader is the first.
    pub(super) fn stable(&mut self, members: usize) -> Vec<JoinedGroup> {
        let tokens: Vec<Token> = (0..members).map(|_| self.join_new()).collect();
        self.pass(10);
        let mut joined: Vec<_> = tokens.iter().map(|one| self.joined(*one).clone()).collect();
        joined.sort_by_key(|one| one.member_id != one.leader);
        let synced: Vec<Token> = joined.iter().map(|one| self.sync(one)).collect();
        for (joined, synced) in joined.iter().zip(synced) {
            assert_eq!(self.assignment(synced), joined.member_id.as_bytes());
        }
        assert_eq!(self.state(), GroupState::Stable);
        joined
    }

    /// The coordinator that a restart makes of the log.
    pub(super) fn restart(&mut self) {
        let mut fresh = Coordinator::new(self.coordinator.config.clone());
        for record in &self.log {
            let bytes = record.encode().unwrap();
            let record = Record::decode(&bytes.key, bytes.value.as_deref(), bytes.topic_id);
            fresh.replay(record.unwrap().unwrap());
        }
        let mut out = Outbox::default();
        fresh.loaded(self.now, &mut out);
        self.coordinator = fresh;
        self.take(&mut out);
    }
}

pub(super) fn join(member_id: &str) -> JoinGroup {
    JoinGroup {
        group_id: GROUP.to_owned(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 30_000,
        member_id: member_id.to_owned(),
        protocol_type: "consumer".to_owned(),
        protocols: vec![protocol("range", "t")],
        client_id: "me".to_owned(),
        client_host: "/10.0.0.1".to_owned(),
        ..JoinGroup::default()
    }
}

/// A protocol with a subscription to one topic.
pub(super) fn protocol(name: &str, topic: &str) -> Protocol {
    let mut metadata = vec![0, 1, 0, 0, 0, 1, 0, topic.len() as u8];
    metadata.extend_from_slice(topic.as_bytes());
    Protocol {
        name: name.to_owned(),
        metadata,
    }
}

pub(super) fn sync(member_id: &str, generation_id: i32) -> SyncGroup {
    SyncGroup {
        group_id: GROUP.to_owned(),
        generation_id,
        member_id: member_id.to_owned(),
        ..SyncGroup::default()
    }
}

pub(super) fn heartbeat(member_id: &str, generation_id: i32) -> Heartbeat {
    Heartbeat {
        group_id: GROUP.to_owned(),
        generation_id,
        member_id: member_id.to_owned(),
        group_instance_id: None,
    }
}

pub(super) fn topic_commit(name: &str, partition_index: i32, offset: i64) -> TopicCommit {
    TopicCommit {
        name: name.to_owned(),
        topic_id: TOPIC_ID,
        partitions: vec![PartitionCommit {
            partition_index,
            committed_offset: offset,
            committed_leader_epoch: 3,
            committed_metadata: "note".to_owned(),
        }],
    }
}
