//! `CreateTopics` (key 19, KIP-4).
//!
//! Behaviour:
//! - each topic is judged by itself, in order; the answer comes when all are durable and every
//!   shard has them;
//! - a name that stands twice in a request is refused once, without creating it;
//! - retired configurations are accepted and forgotten, others against Kafka's rules refused;
//! - a `flush.messages` that gives up flushing is accepted, shown and warned about: tools copy
//!   Kafka's default blindly.
//!
//! Version notes:
//! - 4: -1 for partitions and replicas (KIP-464), accepted in all versions; 5: the answer has
//!   numbers and configurations (KIP-525); 7: the topic id (KIP-516).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

use cluster_meta::command::{NewTopic, create_topic};
use cluster_meta::config::describe::topic_rows;
use cluster_meta::config::{ConfigRow, Layers, StaticConfig, TopicConfig};
use cluster_meta::{MetaError, Record, State, TOPIC_PARTITIONS_MAX, TopicId};
use net_wire::messages::create_topics::{
    CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest,
    CreateTopicsResponse,
};
use net_wire::{ErrorCode, Uuid};

use super::config_resource::warn_if_weak;
use crate::broker::Broker;
use crate::connection::Context;
use crate::error_map::Refusal;
use crate::propose::Change;
use crate::request::{Outcome, Request};

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let broker = &context.broker;
    let body: CreateTopicsRequest<'_> = request.body()?;
    let (once, twice) = named_once(&body.topics);
    let created = if asks_too_much(&body.topics, &broker.config.fixed) {
        once.iter().map(|_| Err(too_much())).collect()
    } else if body.validate_only {
        validate(broker, &once)
    } else {
        create(broker, &once).await
    };
    let mut topics: Vec<_> = once
        .iter()
        .zip(&created)
        .map(|(topic, created)| result(topic.name, created))
        .collect();
    topics.extend(twice.into_iter().map(|name| refused(name, &duplicate())));
    for topic in &topics {
        broker.metrics.error(topic.error_code);
    }
    request.respond(&CreateTopicsResponse {
        topics,
        ..CreateTopicsResponse::default()
    })
}

/// A topic as the answer describes it.
struct Created {
    topic_id: Uuid,
    num_partitions: i32,
    replication_factor: i16,
    configs: Vec<ConfigRow>,
    config: TopicConfig,
}

/// The refusal of a name that stands twice in a request.
pub(super) fn duplicate() -> Refusal {
    Refusal::new(ErrorCode::INVALID_REQUEST, "Duplicate topic name.")
}

/// Whether a request asks for more partitions in all than one topic may have.
fn asks_too_much(topics: &[CreatableTopic<'_>], fixed: &StaticConfig) -> bool {
    let default = fixed.integer("num.partitions").unwrap_or(1);
    let partitions = topics.iter().map(|topic| match topic.num_partitions {
        -1 if topic.assignments.is_empty() => default.unsigned_abs(),
        -1 => topic.assignments.len() as u64,
        count => u64::from(count.unsigned_abs()).max(1),
    });
    partitions.sum::<u64>() > TOPIC_PARTITIONS_MAX as u64
}

fn too_much() -> Refusal {
    let message = "Excessively large number of partitions per request.";
    Refusal::new(ErrorCode::POLICY_VIOLATION, message)
}

/// The topics whose names stand once, in order, and the other names.
fn named_once<'a, 'b>(
    topics: &'b [CreatableTopic<'a>],
) -> (Vec<&'b CreatableTopic<'a>>, Vec<&'a str>) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for topic in topics {
        *counts.entry(topic.name).or_default() += 1;
    }
    let once = topics
        .iter()
        .filter(|topic| counts.get(topic.name) == Some(&1))
        .collect();
    (
        once,
        counts
            .into_iter()
            .filter(|(_, count)| *count > 1)
            .map(|(name, _)| name)
            .collect(),
    )
}

async fn create(broker: &Broker, topics: &[&CreatableTopic<'_>]) -> Vec<Result<Created, Refusal>> {
    let changes = topics.iter().map(|topic| Wanted::new(topic).into_change());
    let results = broker.propose_all(changes).await;
    let described = topics.iter().zip(results).map(|(topic, result)| {
        let record = result?.into_iter().next();
        let record = record.ok_or_else(|| Refusal::of(ErrorCode::UNKNOWN_SERVER_ERROR))?;
        let created = broker.with_state(|state| Created::new(state, &broker.config.fixed, &record));
        warn_if_weak(topic.name, &created.config);
        Ok(created)
    });
    described.collect()
}

/// What creating would give; nothing is changed.
fn validate(broker: &Broker, topics: &[&CreatableTopic<'_>]) -> Vec<Result<Created, Refusal>> {
    let fixed = &broker.config.fixed;
    let judge = |topic: &&CreatableTopic<'_>| {
        broker.with_state(|state| {
            let record = Wanted::new(topic).judge(state, fixed)?;
            let created = Created::new(state, fixed, &record);
            Ok(Created {
                topic_id: Uuid::ZERO,
                ..created
            })
        })
    };
    topics.iter().map(judge).collect()
}

impl Created {
    /// What the record of a creation makes.
    fn new(state: &State, fixed: &StaticConfig, record: &Record) -> Self {
        let Record::TopicCreated {
            topic_id,
            configs,
            partitions,
            ..
        } = record
        else {
            unreachable!("a topic is created by this record only");
        };
        let layers = Layers {
            topic: Some(configs),
            ..state.broker_layers(fixed)
        };
        let replicas = partitions
            .first()
            .map_or(0, |run| run.partition.replicas.len());
        Self {
            topic_id: *topic_id,
            num_partitions: partitions.iter().map(|run| run.count as i32).sum(),
            replication_factor: replicas as i16,
            configs: topic_rows(&layers),
            config: TopicConfig::of(&layers),
        }
    }
}

/// A topic as asked for, owned: it is judged on another executor.
struct Wanted {
    name: String,
    id_seed: [u64; 2],
    num_partitions: i32,
    replication_factor: i16,
    assignments: Vec<(i32, Vec<i32>)>,
    configs: Vec<(String, Option<String>)>,
}

impl Wanted {
    fn new(topic: &CreatableTopic<'_>) -> Self {
        let assignments = topic.assignments.iter();
        let configs = topic.configs.iter();
        Self {
            name: topic.name.to_owned(),
            id_seed: [engine_rt::random_u64(), engine_rt::random_u64()],
            num_partitions: topic.num_partitions,
            replication_factor: topic.replication_factor,
            assignments: assignments
                .map(|one| (one.partition_index, one.broker_ids.clone()))
                .collect(),
            configs: configs
                .map(|one| (one.name.to_owned(), one.value.map(str::to_owned)))
                .collect(),
        }
    }

    fn judge(&self, state: &State, fixed: &StaticConfig) -> Result<Record, MetaError> {
        let configs: Vec<_> = self
            .configs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()))
            .collect();
        let new = NewTopic {
            name: &self.name,
            topic_id: free_topic_id(state, self.id_seed),
            num_partitions: self.num_partitions,
            replication_factor: self.replication_factor,
            assignments: &self.assignments,
            configs: &configs,
        };
        create_topic(state, fixed, &new)
    }

    fn into_change(self) -> Change {
        Box::new(move |state, fixed| self.judge(state, fixed).map(|record| vec![record]))
    }
}

/// A topic id from two random numbers that no topic has or had: a UUID of version 4 as Kafka draws
/// them, which also keeps it off the reserved ones. Those whose text begins with a dash are left out, because tools take it for an option.
pub(crate) fn free_topic_id(state: &State, seed: [u64; 2]) -> TopicId {
    let mut bits = u128::from(seed[0]) << 64 | u128::from(seed[1]);
    loop {
        let id = uuid_v4(bits);
        let taken = state.topic(id).is_some() || state.tombstones().contains_key(&id);
        if !taken && !id.to_string().starts_with('-') {
            return id;
        }
        // Any step that visits other bits will do: the seed was random.
        bits = bits
            .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
            .wrapping_add(1);
    }
}

/// Stamps version 4 and the variant of RFC 9562 on random bits.
pub(super) fn uuid_v4(bits: u128) -> TopicId {
    let mut bytes = bits.to_be_bytes();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    TopicId::from_bytes(bytes)
}

fn result<'a>(name: &'a str, created: &'a Result<Created, Refusal>) -> CreatableTopicResult<'a> {
    match created {
        Err(refusal) => refused(name, refusal),
        Ok(created) => CreatableTopicResult {
            name,
            topic_id: created.topic_id,
            num_partitions: created.num_partitions,
            replication_factor: created.replication_factor,
            configs: Some(created.configs.iter().map(config).collect()),
            ..CreatableTopicResult::default()
        },
    }
}

fn refused<'a>(name: &'a str, refusal: &Refusal) -> CreatableTopicResult<'a> {
    CreatableTopicResult {
        name,
        error_code: refusal.code,
        error_message: Some(refusal.message.clone()),
        configs: Some(Vec::new()),
        ..CreatableTopicResult::default()
    }
}

fn config(row: &ConfigRow) -> CreatableTopicConfigs<'_> {
    CreatableTopicConfigs {
        name: row.name,
        value: row.value.as_deref().map(Cow::Borrowed),
        read_only: row.read_only,
        config_source: row.source as i8,
        is_sensitive: row.sensitive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::state_with;

    fn topic(name: &str) -> CreatableTopic<'_> {
        CreatableTopic {
            name,
            num_partitions: 1,
            replication_factor: 1,
            ..Default::default()
        }
    }

    #[test]
    fn names_that_stand_twice_are_set_apart() {
        let topics = [topic("a"), topic("b"), topic("a"), topic("c")];
        let (once, twice) = named_once(&topics);
        assert_eq!(
            once.iter().map(|topic| topic.name).collect::<Vec<_>>(),
            ["b", "c"]
        );
        assert_eq!(twice, ["a"]);
    }

    #[test]
    fn ids_are_version_4_free_and_without_leading_dash() {
        let state = state_with(&[]);
        for seed in 0..2_000 {
            let id = free_topic_id(&state, [seed << 56 | seed, seed]);
            let bytes = id.as_bytes();
            assert_eq!((bytes[6] >> 4, bytes[8] >> 6), (4, 2));
            assert!(!id.to_string().starts_with('-'));
        }
        let taken = state_with(&[("t", 1)]).topic_by_name("t").unwrap().topic_id;
        let state = state_with(&[("t", 1)]);
        let seed = u128::from_be_bytes(*taken.as_bytes());
        let id = free_topic_id(&state, [(seed >> 64) as u64, seed as u64]);
        assert_ne!(id, taken);
    }

    #[test]
    fn partitions_of_a_request_are_bounded_together() {
        let fixed = StaticConfig::default();
        let with = |num_partitions| CreatableTopic {
            num_partitions,
            ..topic("t")
        };
        assert!(!asks_too_much(&[with(99_999), with(-1)], &fixed));
        assert!(asks_too_much(&[with(99_999), with(-1), with(1)], &fixed));
        assert!(asks_too_much(&[with(i32::MAX), with(i32::MIN)], &fixed));
    }

    #[test]
    fn refusals_have_kafkas_words_and_no_numbers() {
        let refusal = duplicate();
        let result = refused("t", &refusal);
        assert_eq!(result.error_code, ErrorCode::INVALID_REQUEST);
        assert_eq!(
            result.error_message.as_deref(),
            Some("Duplicate topic name.")
        );
        assert_eq!(
            (result.num_partitions, result.configs),
            (-1, Some(Vec::new()))
        );
    }
}
