//! Group coordinators at work: `cluster_group` decides, this gives it a log, time and waiting clients.
//!
//! The coordinator of a partition of `__consumer_offsets` lives on the shard that owns the
//! partition. It is made by reading that partition (`log.rs`), and runs in its [`Seat`]: what it
//! appends goes the way of every append, and answers leave when it is durable. Connections of other
//! shards reach it by mailbox.

mod log;
mod seat;
mod topic;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use cluster_group::{Answer, Config, ListGroups, ListedGroup, Request, partition_of};
use cluster_meta::config::StaticConfig;
use engine_shard::TopicPartition;
use net_wire::ErrorCode;

use crate::broker::Broker;
use crate::connection::Context;
use crate::futures::{First, race};
use seat::Seat;

pub(crate) use topic::{OFFSETS_TOPIC, create_offsets_topic};

/// The coordinators of one shard.
#[derive(Debug)]
pub(crate) struct Groups {
    config: Config,
    seats: RefCell<BTreeMap<TopicPartition, Rc<Seat>>>,
}

impl Groups {
    pub(crate) fn new(fixed: &StaticConfig) -> Self {
        Self {
            config: config_of(fixed),
            seats: RefCell::default(),
        }
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
}

/// What the operator has set.
fn config_of(fixed: &StaticConfig) -> Config {
    let defaults = Config::default();
    let integer = |name, default| fixed.integer(name).unwrap_or(default);
    let size = |name, default: usize| usize::try_from(integer(name, default as i64)).unwrap_or(0);
    let bounded = |name, default: i32| integer(name, default.into()) as i32;
    let ms = |name, default: u64| u64::try_from(integer(name, default as i64)).unwrap_or(0);
    Config {
        session_timeout_min_ms: bounded(
            "group.min.session.timeout.ms",
            defaults.session_timeout_min_ms,
        ),
        session_timeout_max_ms: bounded(
            "group.max.session.timeout.ms",
            defaults.session_timeout_max_ms,
        ),
        group_size_max: size("group.max.size", defaults.group_size_max),
        initial_rebalance_delay_ms: ms(
            "group.initial.rebalance.delay.ms",
            defaults.initial_rebalance_delay_ms,
        ),
        // A record's text has this bound whatever is set.
        offset_metadata_bytes_max: size(
            "offset.metadata.max.bytes",
            defaults.offset_metadata_bytes_max,
        )
        .min(i16::MAX as usize),
        offsets_retention_ms: integer("offsets.retention.minutes", 10_080).saturating_mul(60_000),
        retention_check_ms: ms(
            "offsets.retention.check.interval.ms",
            defaults.retention_check_ms,
        ),
        ..defaults
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_those_of_the_operator() {
        assert_eq!(config_of(&StaticConfig::default()), Config::default());
        let fixed = StaticConfig::from_settings([
            ("group.initial.rebalance.delay.ms", "0"),
            ("group.max.size", "7"),
            ("offsets.retention.minutes", "1"),
            ("offset.metadata.max.bytes", "100000"),
        ]);
        let config = config_of(&fixed.unwrap());
        assert_eq!(config.initial_rebalance_delay_ms, 0);
        assert_eq!(config.group_size_max, 7);
        assert_eq!(config.offsets_retention_ms, 60_000);
        assert_eq!(config.offset_metadata_bytes_max, 32_767);
    }
}
