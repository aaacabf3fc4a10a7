//! Commands against the answers that a broker of Kafka 4.1.1 gave to the same requests.

use net_wire::ErrorCode;

use super::*;
use crate::config::StaticConfig;
use crate::error::MetaError;
use crate::ids::{NodeId, ShardIndex, TopicId, TopicNumber};
use crate::quota::QuotaValue;
use crate::record::Record;
use crate::scram::{ScramCredential, ScramMechanism};
use crate::state::State;

/// Brokers by partition.
type Assignments<'a> = &'a [(i32, Vec<i32>)];

/// A node with its metadata, as one client sees it.
struct Node {
    state: State,
    fixed: StaticConfig,
    ids: u8,
}

impl Node {
    fn new(settings: &[(&str, &str)]) -> Self {
        let fixed = StaticConfig::from_settings(settings.iter().copied()).unwrap();
        let mut state = State::default();
        state.apply(&create_cluster("MkU3OEVBNTcwNTJENDM2Qk", NodeId(1)));
        state.apply(&change_ownership(&state, 2).unwrap());
        Self {
            state,
            fixed,
            ids: 1,
        }
    }

    fn with_topic(name: &str, partitions: i32) -> Self {
        let mut node = Self::new(&[]);
        node.create(name, partitions, 1, &[]).unwrap();
        node
    }

    fn fresh_id(&mut self) -> TopicId {
        self.ids += 1;
        TopicId::from_bytes([self.ids; 16])
    }

    fn run(&mut self, record: Result<Record, MetaError>) -> Result<(), MetaError> {
        self.state.apply(&record?);
        Ok(())
    }

    fn create(
        &mut self,
        name: &str,
        num_partitions: i32,
        replication_factor: i16,
        configs: &[(&str, Option<&str>)],
    ) -> Result<(), MetaError> {
        let topic_id = self.fresh_id();
        let new = NewTopic {
            name,
            topic_id,
            num_partitions,
            replication_factor,
            assignments: &[],
            configs,
        };
        let record = create_topic(&self.state, &self.fixed, &new);
        self.run(record)
    }

    fn assign(&mut self, name: &str, assignments: Assignments<'_>) -> Result<(), MetaError> {
        let topic_id = self.fresh_id();
        let new = NewTopic {
            name,
            topic_id,
            num_partitions: -1,
            replication_factor: -1,
            assignments,
            configs: &[],
        };
        let record = create_topic(&self.state, &self.fixed, &new);
        self.run(record)
    }

    fn grow(
        &mut self,
        name: &str,
        count: i32,
        assignments: Option<&[Vec<i32>]>,
    ) -> Result<(), MetaError> {
        let record = create_partitions(&self.state, name, count, assignments);
        self.run(record)
    }

    fn alter(
        &mut self,
        resource: ResourceName<'_>,
        ops: &[(AlterOp, &str, Option<&str>)],
    ) -> Result<bool, MetaError> {
        let ops: Vec<ConfigOp<'_>> = ops
            .iter()
            .map(|(op, name, value)| ConfigOp {
                name,
                op: *op,
                value: *value,
            })
            .collect();
        let record = incremental_alter_configs(&self.state, &self.fixed, resource, &ops)?;
        if let Some(record) = &record {
            self.state.apply(record);
        }
        Ok(record.is_some())
    }

    fn config(&self, topic: &str, key: &str) -> Option<&str> {
        self.state
            .topic_by_name(topic)?
            .configs
            .get(key)
            .map(String::as_str)
    }
}

fn refused<T: std::fmt::Debug>(result: Result<T, MetaError>, code: ErrorCode, message: &str) {
    assert_eq!(result.unwrap_err(), MetaError::new(code, message));
}

use AlterOp::{Append, Delete, Set, Subtract};

#[test]
fn a_topic_gets_defaults_for_minus_one() {
    let mut node = Node::new(&[("num.partitions", "3")]);
    node.create("t", -1, -1, &[]).unwrap();
    let topic = node.state.topic_by_name("t").unwrap();
    assert_eq!(topic.partitions.len(), 3);
    assert!(
        topic
            .partitions
            .iter()
            .all(|partition| partition.replicas == [NodeId(1)])
    );
    assert_eq!(node.state.partition_count(), 3);
}

#[test]
fn names_are_checked() {
    let mut node = Node::with_topic("a.b", 3);
    refused(
        node.create("a.b", 1, 1, &[]),
        ErrorCode::TOPIC_ALREADY_EXISTS,
        "Topic 'a.b' already exists.",
    );
    refused(
        node.create("a_b", 1, 1, &[]),
        ErrorCode::INVALID_TOPIC_EXCEPTION,
        "Topic 'a_b' collides with existing topic: a.b",
    );
    refused(
        node.create(".", 1, 1, &[]),
        ErrorCode::INVALID_TOPIC_EXCEPTION,
        "Topic name is invalid: '.' is not allowed",
    );
    refused(
        node.create("__cluster_metadata", 1, 1, &[]),
        ErrorCode::INVALID_REQUEST,
        "Creation of internal topic __cluster_metadata is prohibited.",
    );
    node.create("__consumer_offsets", 1, 1, &[]).unwrap();
}

#[test]
fn numbers_of_partitions_and_replicas_are_checked() {
    let mut node = Node::new(&[]);
    for count in [0, -2] {
        refused(
            node.create("p", count, 1, &[]),
            ErrorCode::INVALID_PARTITIONS,
            "Number of partitions was set to an invalid non-positive value.",
        );
    }
    for factor in [0, -2] {
        refused(
            node.create("r", 1, factor, &[]),
            ErrorCode::INVALID_REPLICATION_FACTOR,
            "Replication factor must be larger than 0, or -1 to use the default value.",
        );
    }
    refused(
        node.create("r", 1, 3, &[]),
        ErrorCode::INVALID_REPLICATION_FACTOR,
        "Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be reached because only 1 broker(s) are registered.",
    );
    refused(
        node.create("p", i32::MAX, 1, &[]),
        ErrorCode::POLICY_VIOLATION,
        "Excessively large number of partitions per request.",
    );
}

#[test]
fn manual_assignments_are_checked() {
    let mut node = Node::new(&[]);
    node.assign("ok", &[(1, vec![1]), (0, vec![1])]).unwrap();
    assert_eq!(node.state.topic_by_name("ok").unwrap().partitions.len(), 2);
    let cases: [(Assignments<'_>, &str); 6] = [
        (
            &[(0, vec![1]), (2, vec![1])],
            "partitions should be a consecutive 0-based integer sequence",
        ),
        (
            &[(1, vec![1])],
            "partitions should be a consecutive 0-based integer sequence",
        ),
        (
            &[(0, vec![7])],
            "The manual partition assignment includes broker 7, but no such broker is registered.",
        ),
        (
            &[(0, vec![1, 1])],
            "The manual partition assignment includes the broker 1 more than once.",
        ),
        (
            &[(0, vec![])],
            "The manual partition assignment includes an empty replica list.",
        ),
        (
            &[(0, vec![1]), (0, vec![1])],
            "Found multiple manual partition assignments for partition 0",
        ),
    ];
    for (assignments, message) in cases {
        refused(
            node.assign("bad", assignments),
            ErrorCode::INVALID_REPLICA_ASSIGNMENT,
            message,
        );
    }
}

#[test]
fn configs_of_a_new_topic_are_checked() {
    let mut node = Node::new(&[]);
    refused(
        node.create(
            "c",
            1,
            1,
            &[("retention.ms", Some("x")), ("foo", Some("1"))],
        ),
        ErrorCode::INVALID_CONFIG,
        "Unknown topic config name: foo",
    );
    refused(
        node.create("c", 1, 1, &[("retention.ms", None)]),
        ErrorCode::INVALID_CONFIG,
        "Null value not supported for topic configs: retention.ms",
    );
    refused(
        node.create("c", 1, 1, &[("segment.bytes", Some("100"))]),
        ErrorCode::INVALID_CONFIG,
        "Invalid value 100 for configuration segment.bytes: Value must be at least 1048576",
    );
    refused(
        node.create(
            "c",
            1,
            1,
            &[
                ("min.compaction.lag.ms", Some("10")),
                ("max.compaction.lag.ms", Some("5")),
            ],
        ),
        ErrorCode::INVALID_CONFIG,
        "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)",
    );
    refused(
        node.create("c", 1, 1, &[("remote.storage.enable", Some("true"))]),
        ErrorCode::INVALID_CONFIG,
        "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.",
    );
    node.create("c", 1, 1, &[("cleanup.policy", Some(" compact , delete "))])
        .unwrap();
    assert_eq!(node.config("c", "cleanup.policy"), Some("compact,delete"));
}

#[test]
fn retired_configs_are_accepted_and_forgotten() {
    let mut node = Node::new(&[]);
    node.create("c", 1, 1, &[("message.format.version", Some("3.0"))])
        .unwrap();
    assert!(node.state.topic_by_name("c").unwrap().configs.is_empty());
    let topic = ResourceName::Topic("c");
    assert!(
        !node
            .alter(
                topic,
                &[(Set, "message.downconversion.enable", Some("true"))]
            )
            .unwrap()
    );
}

#[test]
fn growth_is_checked() {
    let mut node = Node::with_topic("x", 3);
    refused(
        node.grow("x", 3, None),
        ErrorCode::INVALID_PARTITIONS,
        "Topic already has 3 partition(s).",
    );
    refused(
        node.grow("x", -1, None),
        ErrorCode::INVALID_PARTITIONS,
        "The topic x currently has 3 partition(s); -1 would not be an increase.",
    );
    refused(
        node.grow("nope", 3, None),
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        "This server does not host this topic-partition.",
    );
    node.grow("x", 4, None).unwrap();
    node.grow("x", 6, Some(&[vec![1], vec![1]])).unwrap();
    refused(
        node.grow("x", 9, Some(&[vec![1]])),
        ErrorCode::INVALID_REPLICA_ASSIGNMENT,
        "Attempted to add 3 additional partition(s), but only 1 assignment(s) were specified.",
    );
    refused(
        node.grow("x", 7, Some(&[vec![9]])),
        ErrorCode::INVALID_REPLICA_ASSIGNMENT,
        "The manual partition assignment includes broker 9, but no such broker is registered.",
    );
    assert_eq!(node.state.partition_count(), 6);
    refused(
        node.grow("x", i32::MAX, None),
        ErrorCode::POLICY_VIOLATION,
        "Excessively large number of partitions per request.",
    );
}

#[test]
fn a_deleted_topic_leaves_a_tombstone_until_it_is_purged() {
    let mut node = Node::with_topic("a.b", 3);
    let id = node.state.topic_by_name("a.b").unwrap().topic_id;
    let record = delete_topic(&node.state, &node.fixed, TopicRef::Name("a.b"));
    node.run(record).unwrap();
    assert!(node.state.topic(id).is_none());
    assert_eq!(node.state.tombstones()[&id].partitions, 3);
    assert_eq!(node.state.partition_count(), 0);
    refused(
        delete_topic(&node.state, &node.fixed, TopicRef::Name("a.b")),
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        "This server does not host this topic-partition.",
    );
    refused(
        delete_topic(&node.state, &node.fixed, TopicRef::Id(id)),
        ErrorCode::UNKNOWN_TOPIC_ID,
        "This server does not host this topic ID.",
    );
    // The name and its folded form are free again, the id is another.
    node.create("a_b", 1, 1, &[]).unwrap();
    assert_ne!(node.state.topic_by_name("a_b").unwrap().topic_id, id);
    node.state.apply(&Record::TopicPurged { topic_id: id });
    assert!(node.state.tombstones().is_empty());
}

#[test]
fn deletion_can_be_disabled() {
    let mut node = Node::new(&[("delete.topic.enable", "false")]);
    node.create("t", 1, 1, &[]).unwrap();
    refused(
        delete_topic(&node.state, &node.fixed, TopicRef::Name("t")),
        ErrorCode::TOPIC_DELETION_DISABLED,
        "Topic deletion is disabled.",
    );
}

#[test]
fn lists_grow_and_shrink_by_element() {
    let mut node = Node::with_topic("x", 1);
    let topic = ResourceName::Topic("x");
    assert!(
        node.alter(topic, &[(Append, "cleanup.policy", Some("compact"))])
            .unwrap()
    );
    assert_eq!(node.config("x", "cleanup.policy"), Some("delete,compact"));
    assert!(
        !node
            .alter(topic, &[(Append, "cleanup.policy", Some("delete"))])
            .unwrap()
    );
    assert!(
        node.alter(topic, &[(Subtract, "cleanup.policy", Some("delete"))])
            .unwrap()
    );
    assert_eq!(node.config("x", "cleanup.policy"), Some("compact"));
    assert!(
        node.alter(topic, &[(Subtract, "cleanup.policy", Some("compact"))])
            .unwrap()
    );
    assert_eq!(node.config("x", "cleanup.policy"), Some(""));
    for (op, word) in [(Append, "APPEND"), (Subtract, "SUBTRACT")] {
        for key in ["retention.ms", "foo"] {
            refused(
                node.alter(topic, &[(op, key, Some("5"))]),
                ErrorCode::INVALID_CONFIG,
                &format!("Can't {word} to key {key} because its type is not LIST."),
            );
        }
    }
}

#[test]
fn incremental_changes_are_checked() {
    let mut node = Node::with_topic("x", 1);
    let topic = ResourceName::Topic("x");
    refused(
        node.alter(topic, &[(Set, "foo", Some("1"))]),
        ErrorCode::INVALID_CONFIG,
        "Unknown topic config name: foo",
    );
    assert!(!node.alter(topic, &[(Delete, "foo", None)]).unwrap());
    refused(
        node.alter(
            topic,
            &[
                (Set, "retention.ms", Some("1")),
                (Set, "retention.ms", Some("2")),
            ],
        ),
        ErrorCode::INVALID_REQUEST,
        "Error due to duplicate config keys",
    );
    refused(
        node.alter(topic, &[(Set, "retention.ms", None)]),
        ErrorCode::INVALID_REQUEST,
        "Null value not supported for : retention.ms",
    );
    refused(
        node.alter(ResourceName::Topic(""), &[]),
        ErrorCode::INVALID_REQUEST,
        "Default topic resources are not allowed.",
    );
    refused(
        node.alter(ResourceName::Topic("nope"), &[]),
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        "The topic 'nope' does not exist.",
    );
    let version = node
        .state
        .config_version(node.state.topic_by_name("x").unwrap());
    assert!(
        node.alter(topic, &[(Set, "retention.ms", Some(" 7 "))])
            .unwrap()
    );
    assert_eq!(node.config("x", "retention.ms"), Some("7"));
    assert_ne!(
        node.state
            .config_version(node.state.topic_by_name("x").unwrap()),
        version
    );
    assert!(
        node.alter(topic, &[(Delete, "retention.ms", None)])
            .unwrap()
    );
    assert_eq!(node.config("x", "retention.ms"), None);
}

#[test]
fn a_full_change_removes_what_it_does_not_name() {
    let mut node = Node::new(&[]);
    node.create(
        "x",
        1,
        1,
        &[("retention.ms", Some("1")), ("segment.ms", Some("2"))],
    )
    .unwrap();
    let configs = [
        ("retention.ms", Some("5")),
        ("message.format.version", Some("2.8")),
    ];
    let record = alter_configs(&node.state, &node.fixed, ResourceName::Topic("x"), &configs);
    node.state.apply(&record.unwrap().unwrap());
    assert_eq!(node.config("x", "retention.ms"), Some("5"));
    assert_eq!(node.config("x", "segment.ms"), None);
    let same = alter_configs(&node.state, &node.fixed, ResourceName::Topic("x"), &configs);
    assert_eq!(same.unwrap(), None);
}

#[test]
fn brokers_take_defaults_of_topics_while_they_run() {
    let mut node = Node::with_topic("x", 1);
    let before = node
        .state
        .config_version(node.state.topic_by_name("x").unwrap());
    node.alter(
        ResourceName::Broker(""),
        &[(Set, "log.retention.ms", Some("1000"))],
    )
    .unwrap();
    node.alter(
        ResourceName::Broker("1"),
        &[(Set, "log.segment.bytes", Some("2097152"))],
    )
    .unwrap();
    let topic = node.state.topic_by_name("x").unwrap();
    let config = node.state.effective(topic, &node.fixed);
    assert_eq!(
        (config.retention_ms, config.segment_bytes),
        (Some(1000), 2_097_152)
    );
    assert_ne!(node.state.config_version(topic), before);
    refused(
        node.alter(ResourceName::Broker("1"), &[(Set, "node.id", Some("4"))]),
        ErrorCode::INVALID_REQUEST,
        "Cannot update these configs dynamically: Set(node.id)",
    );
    refused(
        node.alter(
            ResourceName::Broker("1"),
            &[(Set, "log.retention.ms", Some("x"))],
        ),
        ErrorCode::INVALID_REQUEST,
        "Invalid value x for configuration log.retention.ms: Not a number of type LONG",
    );
    assert_eq!(
        node.alter(ResourceName::Broker("9"), &[]).unwrap_err().code,
        ErrorCode::INVALID_REQUEST
    );
    assert_eq!(
        node.alter(ResourceName::Broker("x"), &[]).unwrap_err().code,
        ErrorCode::INVALID_REQUEST
    );
}

#[test]
fn brokers_keys_change_where_kafka_lets_them() {
    let mut node = Node::new(&[]);
    let (one, all) = (ResourceName::Broker("1"), ResourceName::Broker(""));
    for name in [
        "num.io.threads",
        "max.connections",
        "leader.replication.throttled.rate",
    ] {
        assert!(
            node.alter(one, &[(Set, name, Some("9"))]).unwrap(),
            "{name}"
        );
        assert!(
            node.alter(all, &[(Set, name, Some("9"))]).unwrap(),
            "{name}"
        );
    }
    assert!(
        node.alter(one, &[(Set, "ssl.client.auth", Some("none"))])
            .unwrap()
    );
    let cases = [
        (
            all,
            ("ssl.client.auth", "none"),
            "Cannot update these configs at default cluster level, broker id must be specified: \
             Set(ssl.client.auth)",
        ),
        (
            one,
            ("ssl.keystore.type", "JKS"),
            "These security configs can be dynamically updated only per-listener using the \
             listener prefix: Set(ssl.keystore.type)",
        ),
        // Kafka opens and closes listeners while it runs; Flumen does at its start only.
        (
            one,
            ("listeners", "PLAINTEXT://:1"),
            "Cannot update these configs dynamically: Set(listeners)",
        ),
        (
            one,
            ("num.io.threads", "0"),
            "Invalid value 0 for configuration num.io.threads: Value must be at least 1",
        ),
    ];
    for (resource, (name, value), message) in cases {
        let refusal = node.alter(resource, &[(Set, name, Some(value))]);
        refused(refusal, ErrorCode::INVALID_REQUEST, message);
    }
    refused(
        node.alter(ResourceName::Broker("9"), &[]),
        ErrorCode::INVALID_REQUEST,
        "Unexpected broker id, expected 1, but received 9",
    );
}

/// Values and words as the classes of Kafka 4.1.1 gave them.
#[test]
fn groups_have_configurations_within_bounds_of_the_broker() {
    let mut node = Node::new(&[]);
    let group = ResourceName::Group("g");
    let kept = [("consumer.session.timeout.ms", Some("50000"))];
    assert!(node.alter(group, &[(Set, kept[0].0, kept[0].1)]).unwrap());
    assert_eq!(node.state.group_configs()["g"][kept[0].0], "50000");
    for (name, value, message) in [
        ("no.such", "1", "Unknown group config name: no.such"),
        (
            "consumer.session.timeout.ms",
            "5",
            "consumer.session.timeout.ms must be greater than or equal to \
             group.consumer.min.session.timeout.ms",
        ),
        (
            "share.record.lock.duration.ms",
            "600000",
            "share.record.lock.duration.ms must be less than or equal to \
             group.share.max.record.lock.duration.ms",
        ),
        (
            "streams.num.standby.replicas",
            "3",
            "streams.num.standby.replicas must be less than or equal to \
             group.streams.max.standby.replicas",
        ),
        (
            "consumer.session.timeout.ms",
            "x",
            "Invalid value x for configuration consumer.session.timeout.ms: Not a number of type \
             INT",
        ),
    ] {
        let refusal = node.alter(group, &[(Set, name, Some(value))]);
        refused(refusal, ErrorCode::INVALID_CONFIG, message);
    }
    refused(
        node.alter(ResourceName::Group(""), &[]),
        ErrorCode::INVALID_REQUEST,
        "Default group resources are not allowed.",
    );
    assert!(node.alter(group, &[(Delete, kept[0].0, None)]).unwrap());
    assert!(node.state.group_configs().is_empty());
}

#[test]
fn a_session_outlasts_its_heartbeats() {
    let mut node = Node::new(&[
        ("group.consumer.min.session.timeout.ms", "1"),
        ("group.consumer.max.heartbeat.interval.ms", "40000"),
    ]);
    refused(
        node.alter(
            ResourceName::Group("g"),
            &[(Set, "consumer.session.timeout.ms", Some("4000"))],
        ),
        ErrorCode::INVALID_CONFIG,
        "consumer.session.timeout.ms must be greater than consumer.heartbeat.interval.ms",
    );
}

/// Values and words as the classes of Kafka 4.1.1 gave them.
#[test]
fn subscriptions_to_client_metrics_are_checked() {
    let mut node = Node::new(&[]);
    let metrics = ResourceName::ClientMetrics("m");
    let pattern = "client_id=.*,client_software_name=apache-.*";
    assert!(
        node.alter(metrics, &[(Append, "match", Some(pattern))])
            .unwrap()
    );
    let refusals = [
        (
            ("no.such", "1"),
            ErrorCode::INVALID_REQUEST,
            "Unknown client metrics configuration: no.such",
        ),
        (
            ("interval.ms", "99"),
            ErrorCode::INVALID_REQUEST,
            "Invalid value 99 for interval.ms, interval must be between 100 and 3600000 (1 hour)",
        ),
        (
            ("interval.ms", "x"),
            ErrorCode::INVALID_CONFIG,
            "Invalid value x for configuration interval.ms: Not a number of type INT",
        ),
        (
            ("match", "client_id=a=b"),
            ErrorCode::INVALID_CONFIG,
            "Illegal client matching pattern: client_id=a=b",
        ),
        (
            ("match", "foo=.*"),
            ErrorCode::INVALID_CONFIG,
            "Illegal client matching pattern: foo=.*",
        ),
    ];
    for ((name, value), code, message) in refusals {
        let refusal = node.alter(metrics, &[(Set, name, Some(value))]);
        refused(refusal, code, message);
    }
    refused(
        node.alter(ResourceName::ClientMetrics(""), &[]),
        ErrorCode::INVALID_REQUEST,
        "Subscription name can't be empty",
    );
}

#[test]
fn an_explicit_weak_durability_is_accepted_and_known() {
    let mut node = Node::new(&[]);
    node.create(
        "w",
        1,
        1,
        &[("flush.messages", Some("9223372036854775807"))],
    )
    .unwrap();
    let topic = node.state.topic_by_name("w").unwrap();
    assert!(node.state.effective(topic, &node.fixed).weak_durability());
}

#[test]
fn producer_ids_come_in_blocks_that_never_overlap() {
    let mut state = State::default();
    for expected in [0, 1000, 2000] {
        let (first, record) = allocate_producer_ids(&state);
        assert_eq!(first, expected);
        state.apply(&record);
    }
}

#[test]
fn an_unclean_start_opens_an_epoch_for_every_partition() {
    let mut node = Node::with_topic("old", 1);
    node.state.apply(&unclean_start(&node.state));
    node.create("new", 1, 1, &[]).unwrap();
    let epoch = |node: &Node, name| {
        node.state
            .leader_epoch(&node.state.topic_by_name(name).unwrap().partitions[0])
    };
    assert_eq!((epoch(&node, "old"), epoch(&node, "new")), (1, 0));
    node.state.apply(&unclean_start(&node.state));
    assert_eq!((epoch(&node, "old"), epoch(&node, "new")), (2, 1));
}

#[test]
fn partitions_spread_over_shards() {
    let mut node = Node::new(&[]);
    node.state.apply(&change_ownership(&node.state, 3).unwrap());
    assert_eq!(change_ownership(&node.state, 3), None);
    assert_eq!(node.state.ownership().generation, 2);
    let owners: Vec<u32> = (0..4)
        .map(|partition| node.state.owner(TopicNumber(1), partition).0)
        .collect();
    assert_eq!(owners, [1, 2, 0, 1]);
    assert_eq!(
        node.state.owner(TopicNumber(u32::MAX), i32::MAX),
        ShardIndex(1)
    );
}

/// One change of an entity's quotas.
fn quota(
    node: &mut Node,
    entity: &[(&str, Option<&str>)],
    key: &str,
    value: Option<f64>,
) -> Result<bool, MetaError> {
    let record = alter_client_quotas(&node.state, entity, &[(key, value)])?;
    if let Some(record) = &record {
        node.state.apply(record);
    }
    Ok(record.is_some())
}

#[test]
fn quotas_are_kept_by_entity() {
    let mut node = Node::new(&[]);
    let entity = [("client-id", Some("c")), ("user", None)];
    let rate = "producer_byte_rate";
    assert!(quota(&mut node, &entity, rate, Some(1024.0)).unwrap());
    assert!(!quota(&mut node, &entity, rate, Some(1024.0)).unwrap());
    assert!(!quota(&mut node, &entity, "request_percentage", None).unwrap());
    let kept: Vec<_> = node.state.client_quotas().iter().collect();
    let [(kept, quotas)] = &kept[..] else {
        panic!("one entity")
    };
    assert_eq!(kept.len(), 2);
    assert_eq!(quotas[rate], QuotaValue(1024.0));
    assert!(quota(&mut node, &entity, rate, None).unwrap());
    assert!(node.state.client_quotas().is_empty());
}

#[test]
fn quotas_are_checked() {
    let mut node = Node::new(&[]);
    let user = ("user", Some("u"));
    let mut refuse = |entity: &[(&str, Option<&str>)], key: &str, value, message: &str| {
        let refusal = quota(&mut node, entity, key, Some(value));
        refused(refusal, ErrorCode::INVALID_REQUEST, message);
    };
    let rate = "producer_byte_rate";
    refuse(&[], rate, 1.0, "Invalid empty client quota entity");
    let mixed = [user, ("ip", Some("::1"))];
    refuse(&mixed, rate, 1.0, "Invalid empty client quota entity");
    let group = [("group", Some("g"))];
    refuse(
        &group,
        rate,
        1.0,
        "Unhandled client quota entity type: group",
    );
    refuse(&[("user", Some(""))], rate, 1.0, "Empty user not supported");
    refuse(&[user], "x", 1.0, "Invalid configuration key x");
    for no_long in [1.5, 1e30, f64::INFINITY] {
        refuse(
            &[user],
            rate,
            no_long,
            "Configuration producer_byte_rate must be a Long value",
        );
    }
    refuse(
        &[user],
        rate,
        0.0,
        "Quota producer_byte_rate must be greater than 0",
    );
    refuse(
        &[("ip", Some("no address"))],
        "connection_creation_rate",
        1.0,
        "no address is not a valid IP or resolvable host.",
    );
    let twice = [(rate, Some(1.0)), (rate, Some(2.0))];
    let refusal = alter_client_quotas(&node.state, &[user], &twice);
    assert_eq!(refusal.unwrap_err().code, ErrorCode::INVALID_REQUEST);
}

fn credential(iterations: i32) -> ScramCredential {
    ScramCredential {
        salt: vec![1; 20],
        stored_key: vec![2; 32],
        server_key: vec![3; 32],
        iterations,
    }
}

#[test]
fn credentials_are_kept_by_user_and_mechanism() {
    let mut node = Node::new(&[]);
    let mut alter = |credential| {
        let mechanism = ScramMechanism::Sha256;
        let record = alter_scram_credential(&node.state, "u".to_owned(), mechanism, credential);
        node.run(record)?;
        let kept = node.state.scram_credentials().iter();
        let kept =
            kept.map(|((user, mechanism), kept)| (user.clone(), mechanism.code(), kept.iterations));
        Ok::<_, MetaError>(kept.collect::<Vec<_>>())
    };
    let message = "Attempt to delete a user credential that does not exist";
    let gone = alter(None).map(drop);
    refused(gone, ErrorCode::RESOURCE_NOT_FOUND, message);
    for iterations in [4_096, 16_384] {
        let kept = alter(Some(credential(iterations))).unwrap();
        assert_eq!(kept, [("u".to_owned(), 1, iterations)]);
    }
    assert!(alter(None).unwrap().is_empty());
}

#[test]
fn credentials_are_checked() {
    let code = ErrorCode::UNACCEPTABLE_CREDENTIAL;
    let checked = |iterations, salt: usize| check_scram_credential(iterations, &vec![0; salt]);
    assert_eq!(checked(4_096, 20), Ok(()));
    refused(checked(4_095, 20), code, "Too few iterations");
    refused(checked(16_385, 20), code, "Too many iterations");
    refused(checked(4_096, 1_025), code, "The salt is too long");
    let user = |name, mechanism| check_scram_user(name, mechanism).map(drop);
    refused(user("", 1), code, "Username must not be empty");
    for mechanism in [0, 3, -1] {
        let code = ErrorCode::UNSUPPORTED_SASL_MECHANISM;
        refused(user("u", mechanism), code, "Unknown SCRAM mechanism");
    }
    assert_eq!(check_scram_user("u", 2), Ok(ScramMechanism::Sha512));
}

#[test]
fn on_one_node_nothing_moves_and_nobody_is_elected() {
    let node = Node::with_topic("t", 1);
    let move_to = |topic, index, replicas: Option<&[i32]>| {
        reassign_partition(&node.state, topic, index, replicas, false)
    };
    assert_eq!(move_to("t", 0, Some(&[1])), Ok(()));
    refused(
        move_to("t", 0, None),
        ErrorCode::NO_REASSIGNMENT_IN_PROGRESS,
        "No partition reassignment is in progress.",
    );
    refused(
        move_to("t", 0, Some(&[1, 2])),
        ErrorCode::INVALID_REPLICA_ASSIGNMENT,
        "The manual partition assignment includes broker 2, but no such broker is registered.",
    );
    refused(
        move_to("t", 1, None),
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        "Unable to find partition t:1.",
    );
    refused(
        move_to("gone", 0, None),
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        "Unable to find a topic named gone.",
    );
    refused(
        elect_leader(&node.state, "t", 0),
        ErrorCode::ELECTION_NOT_NEEDED,
        "Leader election not needed for topic partition.",
    );
    refused(
        elect_leader(&node.state, "t", -1),
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        "No such partition as t--1",
    );
}
