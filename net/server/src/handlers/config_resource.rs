//! What the three configuration APIs have in common: resources, and changes of them.

use std::collections::BTreeMap;

use cluster_meta::command::ResourceName;
use cluster_meta::config::{StaticConfig, TopicConfig};
use cluster_meta::{MetaError, Record, State};
use net_wire::ErrorCode;
use net_wire::messages::ConfigResource;
use tracing::warn;

use crate::broker::Broker;
use crate::error_map::Refusal;
use crate::propose::Change;

/// A resource as requests name it: type and name.
pub(super) type Key<'a> = (i8, &'a str);

/// Judges a change of one resource against a state.
pub(super) type Judge =
    Box<dyn Fn(&State, &StaticConfig) -> Result<Option<Record>, MetaError> + Send>;

/// One resource of a request to change configurations.
pub(super) struct Alteration<'a> {
    pub(super) key: Key<'a>,
    /// The change, or why there can be none.
    pub(super) judge: Result<Judge, Refusal>,
}

/// The name of a resource that has configurations which can be changed, owned.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Topic(String),
    Broker(String),
    Group(String),
    ClientMetrics(String),
}

impl Target {
    /// The target of this key.
    pub(super) fn new((resource_type, name): Key<'_>) -> Result<Self, Refusal> {
        match resource_type {
            ConfigResource::TOPIC => Ok(Self::Topic(name.to_owned())),
            ConfigResource::BROKER => Ok(Self::Broker(name.to_owned())),
            ConfigResource::GROUP => Ok(Self::Group(name.to_owned())),
            ConfigResource::CLIENT_METRICS => Ok(Self::ClientMetrics(name.to_owned())),
            ConfigResource::BROKER_LOGGER => Err(Refusal::new(
                ErrorCode::INVALID_REQUEST,
                "The level of the log is set at start.",
            )),
            other => Err(Refusal::new(
                ErrorCode::INVALID_REQUEST,
                format!("Unknown resource type {other}"),
            )),
        }
    }

    /// As the commands of the metadata want it.
    pub(super) fn resource(&self) -> ResourceName<'_> {
        match self {
            Self::Topic(name) => ResourceName::Topic(name),
            Self::Broker(name) => ResourceName::Broker(name),
            Self::Group(name) => ResourceName::Group(name),
            Self::ClientMetrics(name) => ResourceName::ClientMetrics(name),
        }
    }
}

/// Makes the changes, or with `validate_only` only judges them; a refusal for each that fails, in
/// order. A resource named twice is refused both times.
pub(super) async fn alter(
    broker: &Broker,
    alterations: Vec<Alteration<'_>>,
    validate_only: bool,
) -> Vec<Option<Refusal>> {
    let mut seen: BTreeMap<Key<'_>, usize> = BTreeMap::new();
    for one in &alterations {
        *seen.entry(one.key).or_default() += 1;
    }
    let mut refusals = Vec::new();
    let mut changes: Vec<Change> = Vec::new();
    let mut places = Vec::new();
    for (place, one) in alterations.into_iter().enumerate() {
        let twice = seen.get(&one.key).is_some_and(|count| *count > 1);
        let judge = if twice { Err(named_twice()) } else { one.judge };
        refusals.push(None);
        match judge {
            Err(refusal) => refusals[place] = Some(refusal),
            Ok(judge) if validate_only => {
                let judged = broker.with_state(|state| judge(state, &broker.config.fixed));
                refusals[place] = judged.err().map(Refusal::from);
            },
            Ok(judge) => {
                places.push((place, one.key));
                changes.push(Box::new(move |state, fixed| {
                    judge(state, fixed).map(|record| record.into_iter().collect())
                }));
            },
        }
    }
    for ((place, key), result) in places.into_iter().zip(broker.propose_all(changes).await) {
        refusals[place] = result.err().map(Refusal::from);
        if refusals[place].is_none() {
            warn_of_weak_topic(broker, key);
        }
    }
    for refusal in refusals.iter().flatten() {
        broker.metrics.error(refusal.code);
    }
    refusals
}

fn named_twice() -> Refusal {
    Refusal::new(
        ErrorCode::INVALID_REQUEST,
        "Each resource must appear at most once.",
    )
}

fn warn_of_weak_topic(broker: &Broker, (resource_type, name): Key<'_>) {
    if resource_type != ConfigResource::TOPIC {
        return;
    }
    if let Some(topic) = broker.topic_by_name(name) {
        warn_if_weak(name, &topic.config);
    }
}

/// Says loudly that a topic gives up flushing before acknowledgements: tools that copy all of a
/// topic's configurations from a Kafka cluster do it without anybody's wish.
pub(super) fn warn_if_weak(topic: &str, config: &TopicConfig) {
    if config.weak_durability() {
        warn!(
            topic,
            flush_messages = config.flush_messages,
            "records of this topic are acknowledged before they are flushed: a power cut may lose \
             them; delete flush.messages to have Flumen's default back"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_configurations_can_be_changed() {
        assert!(matches!(Target::new((2, "t")), Ok(Target::Topic(name)) if name == "t"));
        assert!(matches!(Target::new((4, "")), Ok(Target::Broker(name)) if name.is_empty()));
        assert!(matches!(Target::new((32, "g")), Ok(Target::Group(name)) if name == "g"));
        assert!(matches!(Target::new((16, "m")), Ok(Target::ClientMetrics(name)) if name == "m"));
        for other in [0, 8, 99, -1] {
            assert_eq!(
                Target::new((other, "x")).unwrap_err().code,
                ErrorCode::INVALID_REQUEST
            );
        }
    }
}
