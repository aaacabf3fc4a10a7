//! `DescribeProducers` (key 61, KIP-664): the idempotent producers that partitions know.
//!
//! Behaviour:
//! - each with its epoch, its last sequence and when it last appended; without transactions nobody
//!   has one open.

use std::rc::Rc;

use engine_shard::{ActiveProducer, Shard, TopicPartition};
use net_wire::ErrorCode;
use net_wire::messages::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState,
    TopicResponse,
};
use net_wire::topic_name::check_topic_name;

use crate::broker::TopicView;
use crate::connection::Context;
use crate::request::{Outcome, Request};
use crate::scatter::carry_out;

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let broker = &context.broker;
    let body: DescribeProducersRequest<'_> = request.body()?;
    let mut plans = Vec::new();
    for topic in &body.topics {
        let view = broker.topic_by_name(topic.name);
        let indexes = topic.partition_indexes.iter();
        plans.extend(indexes.map(|index| Ok((partition(topic.name, view.as_ref(), *index)?, ()))));
    }
    let look_up = |shard: Rc<Shard>, id, ()| async move { shard.producers(id) };
    let mut found = carry_out(broker, plans, look_up).await.into_iter();
    let topics = body.topics.iter().map(|topic| {
        let partitions = topic.partition_indexes.iter().zip(found.by_ref());
        let partitions = partitions.map(|(index, found)| {
            let answer = answer(*index, found);
            broker.metrics.error(answer.error_code);
            answer
        });
        TopicResponse {
            name: topic.name,
            partitions: partitions.collect(),
        }
    });
    let topics = topics.collect();
    request.respond(&DescribeProducersResponse {
        topics,
        ..DescribeProducersResponse::default()
    })
}

fn partition(
    name: &str,
    topic: Option<&TopicView>,
    index: i32,
) -> Result<TopicPartition, ErrorCode> {
    let id = topic.and_then(|topic| topic.partition(index));
    id.ok_or_else(|| match check_topic_name(name) {
        Ok(()) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        Err(_) => ErrorCode::INVALID_TOPIC_EXCEPTION,
    })
}

fn answer(
    partition_index: i32,
    found: Result<Vec<ActiveProducer>, ErrorCode>,
) -> PartitionResponse<'static> {
    let (error_code, producers) = match found {
        Ok(producers) => (ErrorCode::NONE, producers),
        Err(code) => (code, Vec::new()),
    };
    PartitionResponse {
        partition_index,
        error_code,
        error_message: (!error_code.is_none()).then(|| error_code.message().into()),
        active_producers: producers.into_iter().map(state).collect(),
    }
}

fn state(producer: ActiveProducer) -> ProducerState {
    ProducerState {
        producer_id: producer.producer_id,
        producer_epoch: producer.producer_epoch.into(),
        last_sequence: producer.last_sequence,
        last_timestamp: producer.last_append_ms,
        coordinator_epoch: -1,
        current_txn_start_offset: producer.transaction_first_offset.unwrap_or(-1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn producers_are_told() {
        let producer = ActiveProducer {
            producer_id: 7,
            producer_epoch: 2,
            last_sequence: 14,
            last_append_ms: 55,
            transaction_first_offset: None,
        };
        let told = answer(3, Ok(vec![producer]));
        assert!(told.error_code.is_none() && told.error_message.is_none());
        let expected = ProducerState {
            producer_id: 7,
            producer_epoch: 2,
            last_sequence: 14,
            last_timestamp: 55,
            coordinator_epoch: -1,
            current_txn_start_offset: -1,
        };
        assert_eq!(told.active_producers, [expected]);
    }

    #[test]
    fn refusals_have_their_codes() {
        let code = |topic| partition(topic, None, 0).err();
        assert_eq!(code("t"), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
        assert_eq!(code("a/b"), Some(ErrorCode::INVALID_TOPIC_EXCEPTION));
        let refused = answer(3, Err(ErrorCode::NOT_LEADER_OR_FOLLOWER));
        assert_eq!(refused.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
        assert!(refused.error_message.is_some() && refused.active_producers.is_empty());
    }
}
