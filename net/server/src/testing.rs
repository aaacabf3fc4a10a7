//! What tests of several files need.

use std::rc::Rc;

use cluster_meta::command::{NewTopic, change_ownership, create_cluster, create_topic};
use cluster_meta::config::{ConfigMap, Layers, StaticConfig, TopicConfig};
use cluster_meta::{NodeId, State, TopicId};
use net_wire::Uuid;

use crate::broker::TopicView;

/// A node with topics of these names and numbers of partitions.
pub(crate) fn state_with(topics: &[(&str, i32)]) -> State {
    let mut state = State::default();
    let fixed = StaticConfig::default();
    state.apply(&create_cluster("AAAAAAAAAAAAAAAAAAAAAA", NodeId(1)));
    state.apply(&change_ownership(&state, 1).unwrap());
    for (number, (name, partitions)) in (1..).zip(topics) {
        let new = NewTopic {
            name,
            topic_id: TopicId::from_bytes([number; 16]),
            num_partitions: *partitions,
            replication_factor: -1,
            assignments: &[],
            configs: &[],
        };
        let record = create_topic(&state, &fixed, &new).unwrap();
        state.apply(&record);
    }
    state
}

/// What a topic with these configurations runs with.
pub(crate) fn topic_config(values: &[(&str, &str)]) -> TopicConfig {
    let topic: ConfigMap = values
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect();
    let fixed = StaticConfig::default();
    TopicConfig::of(&Layers {
        topic: Some(&topic),
        broker: None,
        cluster: None,
        fixed: &fixed,
    })
}

/// A topic of four partitions on one node.
pub(crate) fn topic_view(values: &[(&str, &str)]) -> TopicView {
    TopicView {
        id: Uuid::from_bytes([7; 16]),
        partitions: 4,
        replicas: 1,
        config: Rc::new(topic_config(values)),
    }
}
