//! `__consumer_offsets`: created when somebody first asks for a coordinator.

use cluster_meta::command::{NewTopic, create_topic};
use net_wire::ErrorCode;
use tracing::warn;

use crate::broker::Broker;
use crate::error_map::Refusal;
use crate::handlers::free_topic_id;

/// The topic that groups are kept in.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// Sees to it that the topic is there, with Kafka's configuration of it.
pub(crate) async fn create_offsets_topic(broker: &Broker) -> Result<(), ErrorCode> {
    if broker.topic_by_name(OFFSETS_TOPIC).is_some() {
        return Ok(());
    }
    let seed = [engine_rt::random_u64(), engine_rt::random_u64()];
    let created = broker.propose(Box::new(move |state, fixed| {
        let integer = |name| fixed.integer(name).unwrap_or(1);
        let segment_bytes = fixed.value("offsets.topic.segment.bytes");
        let configs = [
            ("cleanup.policy", Some("compact")),
            ("compression.type", Some("producer")),
            ("segment.bytes", segment_bytes),
        ];
        let wanted = integer("offsets.topic.replication.factor");
        let brokers = state.brokers().count() as i64;
        let new = NewTopic {
            name: OFFSETS_TOPIC,
            topic_id: free_topic_id(state, seed),
            num_partitions: integer("offsets.topic.num.partitions") as i32,
            replication_factor: wanted.min(brokers) as i16,
            assignments: &[],
            configs: &configs,
        };
        create_topic(state, fixed, &new).map(|record| vec![record])
    }));
    match created.await.map_err(Refusal::from) {
        Ok(_) => Ok(()),
        // Somebody else was faster.
        Err(refusal) if refusal.code == ErrorCode::TOPIC_ALREADY_EXISTS => Ok(()),
        Err(refusal) => {
            warn!(code = %refusal.code, reason = %refusal.message, "{OFFSETS_TOPIC} cannot be created");
            Err(ErrorCode::COORDINATOR_NOT_AVAILABLE)
        },
    }
}
