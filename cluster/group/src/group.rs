//! A group: its members and its offsets.

use net_wire::ErrorCode;
use net_wire::consumer_protocol::CONSUMER;

use crate::answer::{Answer, JoinedGroup};
use crate::classic::ClassicGroup;
use crate::config::Config;
use crate::consumer::ConsumerGroup;
use crate::effect::{Now, Outbox, Token};
use crate::offsets::Offsets;
use crate::record::{ConsumerRecord, Record};
use crate::request::{OffsetCommit, OffsetFetch};
use crate::state::GroupState;

/// What groups are listed as.
const CLASSIC_TYPE: &str = "classic";
const CONSUMER_TYPE: &str = "consumer";

/// A group of a coordinator.
#[derive(Debug)]
pub(crate) struct Group {
    /// Its members.
    pub(crate) members: Members,
    /// What it has committed.
    pub(crate) offsets: Offsets,
    /// The deadline that the coordinator wakes it at.
    pub(crate) wakes_at: Option<u64>,
}

/// The members of a group, by the protocol that it speaks.
#[derive(Debug)]
pub(crate) enum Members {
    Classic(ClassicGroup),
    Consumer(ConsumerGroup),
}

impl Group {
    pub(crate) fn new(id: &str) -> Self {
        Self {
            members: Members::Classic(ClassicGroup::new(id)),
            offsets: Offsets::default(),
            wakes_at: None,
        }
    }

    /// Whether there is nothing to know about it.
    pub(crate) fn is_blank(&self) -> bool {
        let is_blank = match &self.members {
            Members::Classic(classic) => classic.is_blank(),
            Members::Consumer(consumer) => consumer.is_blank(),
        };
        is_blank && self.offsets.is_empty()
    }

    /// Appends what changed in a group of the consumer protocol, which is to be done before
    /// anybody is answered. One whose members all speak the classic protocol becomes such a group.
    pub(crate) fn write(&mut self, id: &str, turn: &mut Turn<'_>) {
        let Members::Consumer(consumer) = &mut self.members else {
            return;
        };
        append(id, turn, consumer.take_records());
        if consumer.is_all_classic()
            && turn.config.migration.downgrades
            && consumer.members().len() <= turn.config.group_size_max
        {
            let value = consumer.downgraded(turn.now);
            self.clear(id, turn);
            turn.out.append(vec![Record::GroupMetadata {
                group_id: id.to_owned(),
                value: Some(value.clone()),
            }]);
            let mut classic = ClassicGroup::from_record(id, value);
            classic.begin_anew(turn);
            self.members = Members::Classic(classic);
        }
    }

    /// Forgets the members and takes them out of the log: there are none.
    pub(crate) fn clear(&mut self, id: &str, turn: &mut Turn<'_>) {
        match &self.members {
            Members::Classic(classic) if classic.is_recorded() => {
                turn.out.append(vec![Record::GroupMetadata {
                    group_id: id.to_owned(),
                    value: None,
                }]);
            },
            Members::Classic(_) => {},
            Members::Consumer(consumer) => append(id, turn, consumer.tombstones()),
        }
        self.members = Members::Classic(ClassicGroup::new(id));
    }
}

fn append(id: &str, turn: &mut Turn<'_>, records: Vec<ConsumerRecord>) {
    let records = records.into_iter().map(|record| Record::Consumer {
        group_id: id.to_owned(),
        record,
    });
    turn.out.append(records.collect());
}

impl Members {
    /// Takes a record of the log into a group of the consumer protocol.
    pub(crate) fn replay(&mut self, record: ConsumerRecord) {
        if let Self::Consumer(consumer) = self {
            return consumer.replay(record);
        }
        let mut consumer = ConsumerGroup::default();
        consumer.replay(record);
        // What is gone says nothing of the group that came after it.
        if !consumer.is_blank() {
            *self = Self::Consumer(consumer);
        }
    }

    /// The members of a group of the classic protocol.
    pub(crate) const fn classic(&self) -> Option<&ClassicGroup> {
        match self {
            Self::Classic(classic) => Some(classic),
            Self::Consumer(_) => None,
        }
    }

    pub(crate) const fn type_name(&self) -> &'static str {
        match self {
            Self::Classic(_) => CLASSIC_TYPE,
            Self::Consumer(_) => CONSUMER_TYPE,
        }
    }

    pub(crate) fn protocol_type(&self) -> &str {
        match self {
            Self::Classic(classic) => classic.protocol_type().unwrap_or_default(),
            Self::Consumer(_) => CONSUMER,
        }
    }

    pub(crate) fn state_name(&self) -> &'static str {
        match self {
            Self::Classic(classic) => classic.state().name(),
            Self::Consumer(consumer) => consumer.state().name(),
        }
    }

    /// Whether it has no members.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Classic(classic) => classic.state() == GroupState::Empty,
            Self::Consumer(consumer) => consumer.members().is_empty(),
        }
    }

    /// Whether it has no members and nobody is about to become one.
    pub(crate) fn is_vacant(&self) -> bool {
        match self {
            Self::Classic(classic) => classic.is_vacant(),
            Self::Consumer(_) => self.is_empty(),
        }
    }

    /// Whether members may be reading the topic.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        match self {
            Self::Classic(classic) => classic.is_subscribed_to(topic),
            Self::Consumer(consumer) => consumer.is_subscribed_to(topic),
        }
    }

    /// Whether offsets may be committed.
    pub(crate) fn check_commit(&self, request: &OffsetCommit) -> Result<(), ErrorCode> {
        let (member_id, generation) = (&*request.member_id, request.generation_id);
        let instance = request.group_instance_id.as_deref();
        match self {
            Self::Classic(classic) => classic.check_commit(member_id, instance, generation),
            Self::Consumer(consumer) => {
                consumer.check_commit(member_id, generation, request.knows_epochs)
            },
        }
    }

    /// Whether offsets may be read.
    pub(crate) fn check_fetch(&self, request: &OffsetFetch) -> Result<(), ErrorCode> {
        match (self, &request.member) {
            (Self::Consumer(consumer), Some((id, epoch))) => consumer.check_fetch(id, *epoch),
            _ => Ok(()),
        }
    }

    /// A member has committed.
    pub(crate) fn committed(&mut self, turn: &Turn<'_>, member_id: &str) {
        if let Self::Classic(classic) = self {
            classic.committed(turn, member_id);
        }
    }

    /// The log is read.
    pub(crate) fn loaded(&mut self, turn: &Turn<'_>) {
        match self {
            Self::Classic(classic) => classic.start_sessions(turn),
            Self::Consumer(consumer) => consumer.loaded(turn.now, &turn.config.consumer),
        }
    }

    /// No deadline of the group is before this.
    pub(crate) fn wake_at(&self) -> Option<u64> {
        match self {
            Self::Classic(classic) => classic.wake_at(),
            Self::Consumer(consumer) => consumer.next_deadline(),
        }
    }

    /// Does what is due.
    pub(crate) fn on_deadline(&mut self, turn: &mut Turn<'_>) {
        match self {
            Self::Classic(classic) => classic.on_deadline(turn),
            Self::Consumer(consumer) => {
                consumer.on_deadline(turn.now);
            },
        }
    }
}

/// What everything that happens to a group is given.
pub(crate) struct Turn<'a> {
    pub(crate) now: Now,
    pub(crate) config: &'a Config,
    pub(crate) out: &'a mut Outbox,
}

impl Turn<'_> {
    pub(crate) fn refuse(&mut self, token: Token, code: ErrorCode) {
        self.out.answer(token, Answer::Refused(code));
    }

    pub(crate) fn refuse_join(&mut self, token: Token, member_id: &str, code: ErrorCode) {
        let refused = JoinedGroup::refused(member_id, code);
        self.out.answer(token, Answer::JoinGroup(refused));
    }

    /// The point of time so far ahead; never now, or something could be due for ever.
    pub(crate) const fn after(&self, ms: u64) -> u64 {
        let ms = if ms == 0 { 1 } else { ms };
        self.now.monotonic_ms.saturating_add(ms)
    }
}
