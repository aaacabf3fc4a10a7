//! Metadata (key 3): who leads what, and where.
//!
//! Behaviour:
//! - a topic that does not exist is created if the request allows it and
//!   `auto.create.topics.enable` is set; the answer has it already, where Kafka has clients ask
//!   again;
//! - the broker's own topics are marked internal and never created by asking for them;
//! - the controller is a live broker and the cluster id is never null: admin clients loop
//!   otherwise;
//! - a topic that is asked for twice is answered once;
//! - a client is told the addresses of the listener it came in by.
//!
//! Version notes:
//! - 0: an empty list means all topics; from 1 on null does, and empty means none;
//! - 4: permission to create; before, it is implied;
//! - 8 to 10: authorized operations of the cluster, 8 and above: of topics (KIP-430), which without
//!   an authorizer are all there are;
//! - 10: topic ids in answers, 12: topics asked for by id (KIP-516).

use std::collections::BTreeSet;
use std::mem;
use std::rc::Rc;

use cluster_meta::command::{NewTopic, create_topic};
use cluster_meta::{Partition, State, Topic};
use net_wire::messages::AUTHORIZED_OPERATIONS_OMITTED;
use net_wire::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
    MetadataResponsePartition, MetadataResponseTopic,
};
use net_wire::topic_name::{check_topic_name, is_internal};
use net_wire::{ErrorCode, Uuid};

use crate::broker::Broker;
use crate::connection::Context;
use crate::error_map::propose_code;
use crate::handlers::create_topics::free_topic_id;
use crate::kept_answers::Question;
use crate::propose::{Change, ProposeError};
use crate::request::{Outcome, Request, Response};

/// READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, `DESCRIBE_CONFIGS`, `ALTER_CONFIGS`: what an
/// operation on a topic can be, a bit for each code of `AclOperation`.
pub(crate) const TOPIC_OPERATIONS: i32 = 0b1101_1111_1000;
/// CREATE, ALTER, DESCRIBE, `CLUSTER_ACTION`, `DESCRIBE_CONFIGS`, `ALTER_CONFIGS`,
/// `IDEMPOTENT_WRITE`: the same for the cluster.
pub(crate) const CLUSTER_OPERATIONS: i32 = 0b1_1111_1010_0000;

/// The version from which on topics may be asked for by id.
const IDS_VERSION: i16 = 12;
/// Topics that one request creates at most; the rest is unknown until it is asked for again.
const CREATIONS_MAX: usize = 1_000;

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let broker = &context.broker;
    if let Some(again) = answered_before(&context, &request) {
        return Ok(Some(again));
    }
    let body: MetadataRequest<'_> = request.body()?;
    let failures = create_missing(broker, &body).await;
    let cluster = broker.cluster();
    let (mut topics, changes) = broker.with_state(|state| {
        let topics = describe(state, &body, request.version, &failures);
        (topics, state.changes())
    });
    for topic in &topics {
        broker.metrics.error(topic.error_code);
    }
    let all_known = topics.iter().all(|topic| topic.error_code.is_none());
    let listener = &broker.config.listeners[context.listener];
    let mut response = MetadataResponse {
        brokers: vec![MetadataResponseBroker {
            node_id: cluster.node_id.0,
            host: &listener.host,
            port: listener.port.into(),
            rack: broker.config.fixed.value("broker.rack"),
        }],
        cluster_id: Some(&cluster.cluster_id),
        controller_id: cluster.node_id.0,
        topics: topics.iter_mut().map(Described::as_response).collect(),
        ..MetadataResponse::default()
    };
    if body.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    let outcome = request.respond(&response);
    if all_known && let Ok(Some(response)) = &outcome {
        let question = question(&context, &request, changes);
        let mut kept = broker.kept_answers.borrow_mut();
        kept.keep(question, response.frame(), response.throttle_time_at());
    }
    outcome
}

/// The answer to the same request before, if the metadata has not changed since.
fn answered_before(context: &Context, request: &Request) -> Option<Response> {
    let broker = &context.broker;
    let question = question(context, request, broker.with_state(State::changes));
    let kept = broker.kept_answers.borrow();
    kept.find(question)
        .map(|(frame, throttle_time_at)| request.respond_again(frame, throttle_time_at))
}

fn question<'a>(context: &Context, request: &'a Request, changes: u64) -> Question<'a> {
    Question {
        changes,
        listener: context.listener,
        version: request.version,
        body: request.body_bytes(),
    }
}

/// One topic of the answer, owned: the state it is read from is not borrowed while it is sent.
#[derive(Debug, Default, PartialEq, Eq)]
struct Described {
    error_code: ErrorCode,
    name: Option<String>,
    topic_id: Uuid,
    partitions: Vec<MetadataResponsePartition>,
    operations: i32,
}

impl Described {
    fn unknown(name: Option<&str>, topic_id: Uuid, error_code: ErrorCode) -> Self {
        Self {
            error_code,
            name: name.map(str::to_owned),
            topic_id,
            partitions: Vec::new(),
            operations: AUTHORIZED_OPERATIONS_OMITTED,
        }
    }

    /// What is sent of it; it has no partitions afterwards.
    fn as_response(&mut self) -> MetadataResponseTopic<'_> {
        MetadataResponseTopic {
            error_code: self.error_code,
            name: self.name.as_deref(),
            topic_id: self.topic_id,
            is_internal: self.name.as_deref().is_some_and(is_internal),
            partitions: mem::take(&mut self.partitions),
            topic_authorized_operations: self.operations,
        }
    }
}

/// A topic that could not be created, and why.
type Failure = (String, ErrorCode);

fn describe(
    state: &State,
    body: &MetadataRequest<'_>,
    version: i16,
    failures: &[Failure],
) -> Vec<Described> {
    let operations = if body.include_topic_authorized_operations {
        TOPIC_OPERATIONS
    } else {
        AUTHORIZED_OPERATIONS_OMITTED
    };
    match wanted(body, version) {
        None => state
            .topics_by_name()
            .map(|topic| known(state, topic, operations))
            .collect(),
        Some(topics) => {
            let mut seen = BTreeSet::new();
            let once = topics
                .iter()
                .filter(|topic| seen.insert((topic.name, topic.topic_id)));
            once.map(|topic| describe_one(state, topic, version, operations, failures))
                .collect()
        },
    }
}

/// The topics asked for; `None` for all.
fn wanted<'a>(
    body: &'a MetadataRequest<'a>,
    version: i16,
) -> Option<&'a [MetadataRequestTopic<'a>]> {
    body.topics
        .as_deref()
        .filter(|topics| version > 0 || !topics.is_empty())
}

fn describe_one(
    state: &State,
    asked: &MetadataRequestTopic<'_>,
    version: i16,
    operations: i32,
    failures: &[Failure],
) -> Described {
    if version < IDS_VERSION && (asked.name.is_none() || asked.topic_id != Uuid::ZERO) {
        // A response cannot have a null name.
        let name = Some(asked.name.unwrap_or_default());
        return Described::unknown(name, asked.topic_id, ErrorCode::INVALID_REQUEST);
    }
    let Some(name) = asked.name else {
        return state.topic(asked.topic_id).map_or_else(
            || Described::unknown(None, asked.topic_id, ErrorCode::UNKNOWN_TOPIC_ID),
            |topic| known(state, topic, operations),
        );
    };
    if let Some(topic) = state.topic_by_name(name) {
        return known(state, topic, operations);
    }
    let failed = failures
        .iter()
        .find(|(failed, _)| failed == name)
        .map(|(_, code)| *code);
    let code = match failed {
        Some(code) => code,
        None if check_topic_name(name).is_err() => ErrorCode::INVALID_TOPIC_EXCEPTION,
        None => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    };
    Described::unknown(Some(name), Uuid::ZERO, code)
}

fn known(state: &State, topic: &Topic, operations: i32) -> Described {
    let partitions = topic.partitions.iter().zip(0..);
    let partitions = partitions.map(|(partition, index)| partition_of(state, partition, index));
    Described {
        error_code: ErrorCode::NONE,
        name: Some(topic.name.clone()),
        topic_id: topic.topic_id,
        partitions: partitions.collect(),
        operations,
    }
}

fn partition_of(state: &State, partition: &Partition, index: i32) -> MetadataResponsePartition {
    let replicas: Vec<i32> = partition.replicas.iter().map(|node| node.0).collect();
    MetadataResponsePartition {
        error_code: ErrorCode::NONE,
        partition_index: index,
        leader_id: replicas.first().copied().unwrap_or(-1),
        leader_epoch: state.leader_epoch(partition),
        isr_nodes: replicas.clone(),
        replica_nodes: replicas,
        offline_replicas: Vec::new(),
    }
}

/// Creates what may be created; gives what failed otherwise than by being there already.
async fn create_missing(broker: &Broker, body: &MetadataRequest<'_>) -> Vec<Failure> {
    let names = broker.with_state(|state| to_create(state, body));
    if names.is_empty() || !broker.config.fixed.flag("auto.create.topics.enable") {
        return Vec::new();
    }
    let changes = names.iter().map(|name| auto_create(name.clone()));
    let results = broker.propose_all(changes).await;
    names
        .into_iter()
        .zip(results)
        .filter_map(|(name, result)| failure(name, result))
        .collect()
}

fn failure<T>(name: String, result: Result<T, ProposeError>) -> Option<Failure> {
    let code = propose_code(&result.err()?);
    match code {
        // Somebody else was faster.
        ErrorCode::TOPIC_ALREADY_EXISTS => None,
        // The words that consumers retry on.
        ErrorCode::NOT_CONTROLLER => Some((name, ErrorCode::LEADER_NOT_AVAILABLE)),
        code => Some((name, code)),
    }
}

fn to_create(state: &State, body: &MetadataRequest<'_>) -> Vec<String> {
    if !body.allow_auto_topic_creation {
        return Vec::new();
    }
    let asked = body.topics.iter().flatten().filter_map(|topic| topic.name);
    let missing = asked.filter(|name| {
        state.topic_by_name(name).is_none()
            && check_topic_name(name).is_ok()
            && !is_internal(name)
            && *name != cluster_meta::name::CLUSTER_METADATA_TOPIC
    });
    let mut names: Vec<String> = missing.map(str::to_owned).collect();
    names.sort_unstable();
    names.dedup();
    names.truncate(CREATIONS_MAX);
    names
}

fn auto_create(name: String) -> Change {
    let seed = [engine_rt::random_u64(), engine_rt::random_u64()];
    Box::new(move |state, fixed| {
        let new = NewTopic {
            name: &name,
            topic_id: free_topic_id(state, seed),
            num_partitions: -1,
            replication_factor: -1,
            assignments: &[],
            configs: &[],
        };
        create_topic(state, fixed, &new).map(|record| vec![record])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::state_with;

    fn ask<'a>(names: &[&'a str]) -> MetadataRequest<'a> {
        let topic = |name: &&'a str| MetadataRequestTopic {
            name: Some(*name),
            ..Default::default()
        };
        MetadataRequest {
            topics: Some(names.iter().map(topic).collect()),
            ..Default::default()
        }
    }

    fn codes(described: &[Described]) -> Vec<ErrorCode> {
        described.iter().map(|topic| topic.error_code).collect()
    }

    #[test]
    fn null_means_all_and_empty_means_all_only_in_version_0() {
        let state = state_with(&[("b", 2), ("a", 1)]);
        let all = MetadataRequest {
            topics: None,
            ..Default::default()
        };
        let names = |body: &MetadataRequest<'_>, version| {
            let described = describe(&state, body, version, &[]);
            described
                .into_iter()
                .map(|topic| topic.name.unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&all, 1), ["a", "b"]);
        assert_eq!(names(&ask(&[]), 0), ["a", "b"]);
        assert!(names(&ask(&[]), 1).is_empty());
    }

    #[test]
    fn partitions_have_their_leader_epoch_and_replicas() {
        let state = state_with(&[("t", 3)]);
        let described = describe(&state, &ask(&["t"]), 12, &[]);
        let partitions = &described[0].partitions;
        assert_eq!(partitions.len(), 3);
        let last = &partitions[2];
        assert_eq!(
            (last.partition_index, last.leader_id, last.leader_epoch),
            (2, 1, 0)
        );
        assert_eq!((&last.replica_nodes, &last.isr_nodes), (&vec![1], &vec![1]));
        assert_eq!(described[0].operations, AUTHORIZED_OPERATIONS_OMITTED);
    }

    #[test]
    fn unknown_invalid_and_failed_names_have_their_codes() {
        let state = state_with(&[]);
        let failures = [("f".to_owned(), ErrorCode::INVALID_REPLICATION_FACTOR)];
        let described = describe(&state, &ask(&["u", "no/slash", "f"]), 9, &failures);
        assert_eq!(
            codes(&described),
            [
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                ErrorCode::INVALID_TOPIC_EXCEPTION,
                ErrorCode::INVALID_REPLICATION_FACTOR,
            ]
        );
    }

    #[test]
    fn topics_are_found_by_id_from_version_12_on() {
        let state = state_with(&[("t", 1)]);
        let id = state.topic_by_name("t").unwrap().topic_id;
        let asked = MetadataRequestTopic {
            topic_id: id,
            name: None,
        };
        let body = MetadataRequest {
            topics: Some(vec![asked]),
            ..Default::default()
        };
        let by_id = describe(&state, &body, 12, &[]);
        assert_eq!(by_id[0].name.as_deref(), Some("t"));
        let asked = MetadataRequestTopic {
            topic_id: Uuid::METADATA_TOPIC,
            name: None,
        };
        let body = MetadataRequest {
            topics: Some(vec![asked]),
            ..Default::default()
        };
        let unknown = describe(&state, &body, 12, &[]);
        assert_eq!(
            (unknown[0].error_code, &unknown[0].name),
            (ErrorCode::UNKNOWN_TOPIC_ID, &None)
        );
        let refused = &describe(&state, &body, 10, &[])[0];
        assert_eq!(
            (refused.error_code, refused.name.as_deref()),
            (ErrorCode::INVALID_REQUEST, Some(""))
        );
    }

    #[test]
    fn a_topic_is_answered_once_however_often_it_is_asked_for() {
        let state = state_with(&[("a", 1), ("b", 1)]);
        let described = describe(&state, &ask(&["b", "a", "b", "none", "none"]), 9, &[]);
        let names: Vec<_> = described
            .iter()
            .map(|topic| topic.name.as_deref())
            .collect();
        assert_eq!(names, [Some("b"), Some("a"), Some("none")]);
    }

    #[test]
    fn authorized_operations_are_kafkas_bits() {
        let bits = |codes: &[u32]| codes.iter().map(|code| 1 << code).sum::<i32>();
        assert_eq!(TOPIC_OPERATIONS, bits(&[3, 4, 5, 6, 7, 8, 10, 11]));
        assert_eq!(CLUSTER_OPERATIONS, bits(&[5, 7, 8, 9, 10, 11, 12]));
        let state = state_with(&[("t", 1)]);
        let body = MetadataRequest {
            include_topic_authorized_operations: true,
            ..ask(&["t"])
        };
        assert_eq!(
            describe(&state, &body, 9, &[])[0].operations,
            TOPIC_OPERATIONS
        );
    }

    #[test]
    fn only_what_may_be_created_is() {
        let state = state_with(&[("there", 1)]);
        let mut body = ask(&["new", "there", "bad name", "__consumer_offsets", "new"]);
        assert_eq!(to_create(&state, &body), ["new"]);
        let many: Vec<String> = (0..CREATIONS_MAX + 5).map(|n| n.to_string()).collect();
        let many = ask(&many.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(to_create(&state, &many).len(), CREATIONS_MAX);
        body.allow_auto_topic_creation = false;
        assert!(to_create(&state, &body).is_empty());
    }

    #[test]
    fn internal_topics_are_marked() {
        let state = state_with(&[("__consumer_offsets", 1), ("t", 1)]);
        let mut described = describe(&state, &ask(&["__consumer_offsets", "t"]), 9, &[]);
        let internal = described
            .iter_mut()
            .map(|topic| topic.as_response().is_internal);
        assert_eq!(internal.collect::<Vec<_>>(), [true, false]);
    }
}
