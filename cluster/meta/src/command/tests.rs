//! Commands against the answers that a broker of Kafka 4.1.1 gave to the same requests.

use net_wire::ErrorCode;

use super::*;
use crate::config::StaticConfig;
use crate::error::MetaError;
use crate::ids::{NodeId, ShardIndex, TopicId, TopicNumber};
use crate::record::Record;
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
