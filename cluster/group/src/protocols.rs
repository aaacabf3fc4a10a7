//! Where the two protocols meet: `ConsumerGroupHeartbeat` to whatever group there is, and requests
//! of the classic protocol to groups of the other one.
//!
//! A group without members takes the protocol of the first who joins. One of classic consumers
//! becomes one of the consumer protocol with the first member that speaks it, and goes back when
//! the last of these is gone, as far as `group.consumer.migration.policy` says so.

use net_wire::ErrorCode;

use crate::answer::{Answer, JoinedGroup, LeftMember};
use crate::consumer::{
    ConsumerConfig, ConsumerGroup, DescribedConsumerGroup, EPOCH_JOIN, EPOCH_LEAVE,
    EPOCH_LEAVE_STATIC, MemberUpdate, Refusal, Topics,
};
use crate::coordinator::Coordinator;
use crate::effect::{Now, Outbox, Token};
use crate::group::{Group, Members, Turn};
use crate::request::{ConsumerGroupHeartbeat, Heartbeat, JoinGroup, LeavingMember, SyncGroup};

/// The group that a heartbeat of the consumer protocol finds.
enum Kind {
    Consumer,
    /// None, or one without members.
    New,
    /// One of the classic protocol with members.
    Classic,
}

impl Coordinator {
    /// What a member of a consumer group is told.
    pub(crate) fn consumer_heartbeat(
        &mut self,
        now: Now,
        request: &ConsumerGroupHeartbeat,
        topics: &dyn Topics,
        out: &mut Outbox,
    ) -> Result<MemberUpdate, Refusal> {
        let id = &*request.group_id;
        let mut consumer = match self.kind(request)? {
            Kind::Consumer => {
                let done = self.with_group(now, id, out, |group, turn| match &mut group.members {
                    Members::Consumer(consumer) => {
                        heartbeat(consumer, now, &turn.config.consumer, request, topics)
                    },
                    Members::Classic(_) => Err(not_a_consumer_group(id)),
                });
                return done.unwrap_or_else(|| Err(not_found(id)));
            },
            Kind::New => ConsumerGroup::default(),
            Kind::Classic => self.upgraded(now, id, topics)?,
        };
        // It comes to be only if the member may join.
        let update = heartbeat(&mut consumer, now, &self.config.consumer, request, topics)?;
        self.group_or_new(id);
        self.with_group(now, id, out, |group, turn| {
            if let Members::Classic(classic) = &mut group.members {
                classic.send_away(turn);
            }
            group.clear(id, turn);
            group.members = Members::Consumer(consumer);
        });
        Ok(update)
    }

    /// What a heartbeat finds, or why it may not go on.
    fn kind(&self, request: &ConsumerGroupHeartbeat) -> Result<Kind, Refusal> {
        let id = &*request.group_id;
        let epoch = request.heartbeat.member_epoch;
        let is_join = epoch == EPOCH_JOIN;
        match self.groups.get(id).map(|group| &group.members) {
            Some(Members::Consumer(_)) => Ok(Kind::Consumer),
            Some(members) if is_join && members.is_empty() => Ok(Kind::New),
            Some(Members::Classic(_)) if is_join => Ok(Kind::Classic),
            Some(Members::Classic(_)) => Err(not_a_consumer_group(id)),
            None if is_join && self.groups.len() >= self.config.groups_max => {
                let message = "The coordinator has as many groups as it may have.";
                Err(Refusal::new(ErrorCode::COORDINATOR_NOT_AVAILABLE, message))
            },
            None if is_join => Ok(Kind::New),
            None if matches!(epoch, EPOCH_LEAVE | EPOCH_LEAVE_STATIC) => Err(not_found(id)),
            None => {
                let message = format!("Consumer group {id} not found.");
                Err(Refusal::new(ErrorCode::GROUP_ID_NOT_FOUND, message))
            },
        }
    }

    /// What a classic group will be as one of the consumer protocol.
    fn upgraded(&self, now: Now, id: &str, topics: &dyn Topics) -> Result<ConsumerGroup, Refusal> {
        let classic = self
            .groups
            .get(id)
            .and_then(|group| group.members.classic());
        let classic = classic.ok_or_else(|| not_found(id))?;
        let config = &self.config.consumer;
        let former = if !self.config.migration.upgrades {
            Err("online upgrade is disabled.")
        } else if classic.member_count() > config.group_size_max {
            Err("the group size exceeds the consumer group maximum size.")
        } else {
            classic.former_members(topics)
        };
        let former = former.map_err(|why| {
            let message =
                format!("Cannot upgrade classic group {id} to consumer group because {why}");
            Refusal::new(ErrorCode::GROUP_ID_NOT_FOUND, message)
        })?;
        let generation = classic.generation();
        Ok(ConsumerGroup::upgraded(now, generation, former, config))
    }

    pub(crate) fn describe_consumer_group(
        &self,
        id: &str,
    ) -> Result<DescribedConsumerGroup, Refusal> {
        let assignors = &self.config.consumer.assignors;
        match self.groups.get(id).map(|group| &group.members) {
            Some(Members::Consumer(consumer)) => Ok(consumer.describe(assignors)),
            Some(Members::Classic(_)) => Err(not_a_consumer_group(id)),
            None => Err(not_found(id)),
        }
    }
}

/// Requests of the classic protocol. What changes a group of the other one is answered by the
/// caller, when the change is appended.
impl Group {
    pub(crate) fn join(
        &mut self,
        turn: &mut Turn<'_>,
        token: Token,
        request: &JoinGroup,
        topics: &dyn Topics,
    ) -> Option<JoinedGroup> {
        if let Members::Consumer(consumer) = &mut self.members {
            let (now, config) = (turn.now, &turn.config.consumer);
            if !consumer.members().is_empty() {
                return Some(consumer.join_classic(now, request, topics, config));
            }
            if !request.member_id.is_empty() {
                // It had another group in mind.
                let code = ErrorCode::UNKNOWN_MEMBER_ID;
                return Some(JoinedGroup::refused(&*request.member_id, code));
            }
            self.clear(&request.group_id, turn);
        }
        if let Members::Classic(classic) = &mut self.members {
            classic.join(turn, token, request);
        }
        None
    }

    pub(crate) fn sync(
        &mut self,
        turn: &mut Turn<'_>,
        token: Token,
        request: SyncGroup,
        topics: &dyn Topics,
    ) {
        match &mut self.members {
            Members::Classic(classic) => classic.sync(turn, token, request),
            Members::Consumer(consumer) => {
                let (now, config) = (turn.now, &turn.config.consumer);
                let synced = consumer.sync_classic(now, &request, topics, config);
                let answer = synced.map_or_else(Answer::Refused, Answer::SyncGroup);
                turn.out.answer(token, answer);
            },
        }
    }

    pub(crate) fn heartbeat(&mut self, turn: &mut Turn<'_>, token: Token, request: &Heartbeat) {
        match &mut self.members {
            Members::Classic(classic) => classic.heartbeat(turn, token, request),
            Members::Consumer(consumer) => {
                let (now, config) = (turn.now, &turn.config.consumer);
                let heard = consumer.heartbeat_classic(now, request, config);
                let answer = heard.map_or_else(Answer::Refused, |()| Answer::Heartbeat);
                turn.out.answer(token, answer);
            },
        }
    }

    pub(crate) fn leave(
        &mut self,
        turn: &mut Turn<'_>,
        token: Token,
        members: Vec<LeavingMember>,
    ) -> Option<Answer> {
        match &mut self.members {
            Members::Classic(classic) => {
                classic.leave(turn, token, members);
                None
            },
            Members::Consumer(consumer) => {
                let codes = consumer.leave_all(&members);
                Some(left(members, codes))
            },
        }
    }
}

/// To `LeaveGroup`: what became of each.
pub(crate) fn left(
    members: Vec<LeavingMember>,
    codes: impl IntoIterator<Item = ErrorCode>,
) -> Answer {
    let left = members.into_iter().zip(codes);
    let left = left.map(|(member, error_code)| LeftMember {
        member_id: member.member_id,
        group_instance_id: member.group_instance_id,
        error_code,
    });
    Answer::LeaveGroup(left.collect())
}

fn heartbeat(
    consumer: &mut ConsumerGroup,
    now: Now,
    config: &ConsumerConfig,
    request: &ConsumerGroupHeartbeat,
    topics: &dyn Topics,
) -> Result<MemberUpdate, Refusal> {
    consumer.on_heartbeat(now, &request.heartbeat, request.timing, topics, config)
}

fn not_found(id: &str) -> Refusal {
    let message = format!("Group {id} not found.");
    Refusal::new(ErrorCode::GROUP_ID_NOT_FOUND, message)
}

fn not_a_consumer_group(id: &str) -> Refusal {
    let message = format!("Group {id} is not a consumer group.");
    Refusal::new(ErrorCode::GROUP_ID_NOT_FOUND, message)
}
