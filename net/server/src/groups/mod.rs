//! Group coordinators at work: `cluster_group` decides, this gives it a log, time and waiting clients.
//!
//! The coordinator of a partition of `__consumer_offsets` lives on the shard that owns the
//! partition. It is made by reading that partition (`log.rs`), and runs in its [`Seat`]: what it
//! appends goes the way of every append, and answers leave when it is durable. Connections of other
//! shards reach it by mailbox.

mod broken;
mod config;
mod log;
mod seat;
mod topic;
mod topics;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use cluster_group::consumer::Timing;
use cluster_group::consumer::assignor::Assignor;
use cluster_group::{Answer, Config, ListGroups, ListedGroup, Request, partition_of};
use cluster_meta::config::{StaticConfig, group_key, group_value};
use engine_shard::TopicPartition;
use net_wire::ErrorCode;

use crate::broker::Broker;
use crate::connection::Context;
use crate::futures::{First, race};
use config::{config_of, serves_consumers};
use seat::Seat;

pub(crate) use topic::{OFFSETS_TOPIC, create_offsets_topic};

/// The coordinators of one shard.
#[derive(Debug)]
pub(crate) struct Groups {
    config: Config,
    serves_consumers: bool,
    seats: RefCell<BTreeMap<TopicPartition, Rc<Seat>>>,
}

impl Groups {
    pub(crate) fn new(fixed: &StaticConfig) -> Self {
        Self {
            config: config_of(fixed),
            serves_consumers: serves_consumers(fixed),
            seats: RefCell::default(),
        }
    }

    /// Whether the consumer protocol is spoken.
    pub(crate) const fn serves_consumers(&self) -> bool {
        self.serves_consumers
    }

    /// The assignors that members may ask for, the default first.
    pub(crate) fn assignors(&self) -> &[Assignor] {
        &self.config.consumer.assignors
    }

    /// The seat of a partition that this shard owns; the first who asks has it loaded.
    fn seat(&self, broker: &Rc<Broker>, id: TopicPartition) -> Rc<Seat> {
        let mut seats = self.seats.borrow_mut();
        if let Some(seat) = seats.get(&id) {
            return Rc::clone(seat);
        }
        // Another topic of this name is new: what was of the former one is over.
        let is_former = |known: &TopicPartition, _: &mut Rc<Seat>| known.topic_id != id.topic_id;
        for (_, former) in seats.extract_if(.., is_former) {
            former.end();
        }
        let seat = Seat::start(broker, id, self.config.clone());
        seats.insert(id, Rc::clone(&seat));
        seat
    }

    /// The server stops: nobody waits here any more, and nothing is appended.
    pub(crate) fn end(&self) {
        for seat in self.seats.borrow().values() {
            seat.end();
        }
    }
}

/// What members of a consumer group keep to: what was set for the group, or what all have.
pub(crate) fn timing(broker: &Broker, group_id: &str) -> Timing {
    broker.with_state(|state| {
        let layers = state.broker_layers(&broker.config.fixed);
        let own = state.group_configs().get(group_id);
        let integer = |name: &str| {
            let value = group_value(group_key(name)?, own, &layers)?;
            value.parse::<i32>().ok()
        };
        let all = broker.groups.config.consumer.timing;
        let session = integer("consumer.session.timeout.ms");
        Timing {
            session_timeout_ms: session.map_or(all.session_timeout_ms, |ms| ms.max(0) as u64),
            heartbeat_interval_ms: integer("consumer.heartbeat.interval.ms")
                .unwrap_or(all.heartbeat_interval_ms),
        }
    })
}

/// Asks the coordinator of a group. A connection that ends does not wait for the answer.
pub(crate) async fn ask(context: &Context, group_id: &str, request: Request) -> Answer {
    let broker = &context.broker;
    let none = Answer::Refused(ErrorCode::NOT_COORDINATOR);
    let Some(topic) = broker.topic_by_name(OFFSETS_TOPIC) else {
        return none;
    };
    let partition = partition_of(group_id, topic.partitions as i32);
    let Some(id) = topic.partition(partition) else {
        return none;
    };
    let owner = broker.owner(id);
    let work = move |broker: Rc<Broker>| async move {
        let seat = broker.groups.seat(&broker, id);
        if broken::is_broken() {
            return Box::pin(broken::ask(&seat, &broker, request)).await;
        }
        seat.ask(&broker, request).await
    };
    let answer = broker.peers.call(broker, owner, work);
    match race(answer, context.ending.wait()).await {
        First::Left(Some(answer)) => answer,
        First::Left(None) | First::Right(()) => none,
    }
}

/// The groups of all coordinators.
pub(crate) async fn list(
    context: &Context,
    request: &ListGroups,
) -> Result<Vec<ListedGroup>, ErrorCode> {
    let broker = &context.broker;
    let mut groups = Vec::new();
    for shard in 0..broker.shards.count() {
        let request = request.clone();
        let work = move |broker: Rc<Broker>| async move { list_here(&broker, &request).await };
        let answer = broker.peers.call(broker, shard, work).await;
        groups.extend(answer.unwrap_or(Err(ErrorCode::COORDINATOR_NOT_AVAILABLE))?);
    }
    Ok(groups)
}

async fn list_here(
    broker: &Rc<Broker>,
    request: &ListGroups,
) -> Result<Vec<ListedGroup>, ErrorCode> {
    let mut groups = Vec::new();
    for id in owned(broker) {
        let seat = broker.groups.seat(broker, id);
        match seat.ask(broker, Request::ListGroups(request.clone())).await {
            Answer::ListGroups(listed) => groups.extend(listed),
            Answer::Refused(code) => return Err(code),
            _ => return Err(ErrorCode::UNKNOWN_SERVER_ERROR),
        }
    }
    Ok(groups)
}

/// The partitions of the offsets topic that this shard owns.
fn owned(broker: &Broker) -> Vec<TopicPartition> {
    let Some(topic) = broker.topic_by_name(OFFSETS_TOPIC) else {
        return Vec::new();
    };
    let here = broker.shards.local().index();
    let ids = (0..topic.partitions as i32).filter_map(|index| topic.partition(index));
    ids.filter(|id| broker.owner(*id) == here).collect()
}

/// Makes the coordinators of a shard after a start, one after the other: sessions of members end
/// and offsets expire even if nobody asks.
pub(crate) async fn load_all(broker: Rc<Broker>) {
    for id in owned(&broker) {
        broker.groups.seat(&broker, id).is_loaded().await;
    }
}
