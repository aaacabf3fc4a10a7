//! `CreatePartitions` (key 37, KIP-195): raises the number of partitions of topics.
//!
//! Behaviour:
//! - the number is that of all partitions and must be an increase;
//! - a topic that stands twice in a request is refused once.
//!
//! Version notes:
//! - 2: tagged fields; 3: may answer with a throttling error (KIP-599), which Flumen has not yet.

use std::collections::BTreeMap;
use std::rc::Rc;

use cluster_meta::command::create_partitions;
use cluster_meta::{MetaError, Record, State};
use net_wire::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic,
    CreatePartitionsTopicResult,
};

use super::create_topics::duplicate;
use crate::connection::Context;
use crate::error_map::Refusal;
use crate::propose::Change;
use crate::request::{Outcome, Request};

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let broker = &context.broker;
    let body: CreatePartitionsRequest<'_> = request.body()?;
    let (once, twice) = named_once(&body.topics);
    let refusals: Vec<Option<Refusal>> = if body.validate_only {
        let judge = |topic: &&CreatePartitionsTopic<'_>| {
            broker
                .with_state(|state| Wanted::new(topic).judge(state))
                .err()
                .map(Refusal::from)
        };
        once.iter().map(judge).collect()
    } else {
        let changes = once.iter().map(|topic| Wanted::new(topic).into_change());
        let results = broker.propose_all(changes).await;
        results
            .into_iter()
            .map(|result| result.err().map(Refusal::from))
            .collect()
    };
    let done = once.iter().map(|topic| topic.name).zip(refusals);
    let refused = twice.into_iter().map(|name| (name, Some(duplicate())));
    let results: Vec<_> = done
        .chain(refused)
        .map(|(name, refusal)| result(name, refusal))
        .collect();
    for one in &results {
        broker.metrics.error(one.error_code);
    }
    request.respond(&CreatePartitionsResponse {
        results,
        ..CreatePartitionsResponse::default()
    })
}

/// The topics whose names stand once, in order, and the other names.
fn named_once<'a, 'b>(
    topics: &'b [CreatePartitionsTopic<'a>],
) -> (Vec<&'b CreatePartitionsTopic<'a>>, Vec<&'a str>) {
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

fn result(name: &str, refusal: Option<Refusal>) -> CreatePartitionsTopicResult<'_> {
    let (error_code, error_message) = match refusal {
        None => (net_wire::ErrorCode::NONE, None),
        Some(refusal) => (refusal.code, Some(refusal.message)),
    };
    CreatePartitionsTopicResult {
        name,
        error_code,
        error_message,
    }
}

/// A topic and the number it shall have, owned: it is judged on another executor.
struct Wanted {
    name: String,
    count: i32,
    assignments: Option<Vec<Vec<i32>>>,
}

impl Wanted {
    fn new(topic: &CreatePartitionsTopic<'_>) -> Self {
        let assignments = topic.assignments.as_ref();
        let brokers = assignments.map(|all| all.iter().map(|one| one.broker_ids.clone()).collect());
        Self {
            name: topic.name.to_owned(),
            count: topic.count,
            assignments: brokers,
        }
    }

    fn judge(&self, state: &State) -> Result<Record, MetaError> {
        create_partitions(state, &self.name, self.count, self.assignments.as_deref())
    }

    fn into_change(self) -> Change {
        Box::new(move |state, _| self.judge(state).map(|record| vec![record]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::state_with;
    use net_wire::ErrorCode;

    fn judged(name: &str, count: i32) -> ErrorCode {
        let state = state_with(&[("t", 3)]);
        let topic = CreatePartitionsTopic {
            name,
            count,
            assignments: None,
        };
        let refusal = Wanted::new(&topic).judge(&state).err().map(Refusal::from);
        result(name, refusal).error_code
    }

    #[test]
    fn only_an_increase_is_accepted() {
        assert_eq!(judged("t", 4), ErrorCode::NONE);
        assert_eq!(judged("t", 3), ErrorCode::INVALID_PARTITIONS);
        assert_eq!(judged("t", 2), ErrorCode::INVALID_PARTITIONS);
        assert_eq!(judged("gone", 2), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }

    #[test]
    fn topics_named_twice_are_set_apart() {
        let topic = |name| CreatePartitionsTopic {
            name,
            count: 9,
            assignments: None,
        };
        let topics = [topic("a"), topic("b"), topic("b")];
        let (once, twice) = named_once(&topics);
        assert_eq!((once.len(), once[0].name, twice), (1, "a", vec!["b"]));
    }
}
