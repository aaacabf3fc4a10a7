//! `DescribeProducers` (key 61, KIP-664): the idempotent producers that partitions know.
//!
//! Behaviour:
//! - each with its epoch, its last sequence and when it last appended; without transactions nobody
//!   has one open.

use std::rc::Rc;

use engine_shard::{ActiveProducer, Shard, ShardError};
use net_wire::ErrorCode;
use net_wire::messages::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState,
    TopicResponse,
};
use net_wire::topic_name::check_topic_name;

use crate::connection::Context;
use crate::error_map::shard_code;
use crate::request::{Outcome, Request};
use crate::scatter::on_owners;

/// What is found of a partition; nothing if there is none.
type Found = Option<Result<Vec<ActiveProducer>, ShardError>>;

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let broker = &context.broker;
    let body: DescribeProducersRequest<'_> = request.body()?;
    let mut known = Vec::new();
    let mut asked = Vec::new();
    for topic in &body.topics {
        let view = broker.topic_by_name(topic.name);
        for index in &topic.partition_indexes {
            let id = view.as_ref().and_then(|view| view.partition(*index));
            known.push(id.is_some());
            asked.extend(id.map(|id| (id, ())));
        }
    }
    let look_up = |shard: Rc<Shard>, id, ()| async move { shard.producers(id) };
    let mut found = on_owners(broker, asked, look_up).await.into_iter();
    let mut found = known
        .into_iter()
        .map(|is_known| if is_known { found.next() } else { None });
    let topics = body.topics.iter().map(|topic| {
        let indexes = topic.partition_indexes.iter();
        let partitions = indexes.map(|index| {
            let answer = answer(topic.name, *index, found.next().flatten());
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

fn answer(topic: &str, partition_index: i32, found: Found) -> PartitionResponse<'static> {
    let (error_code, producers) = match found {
        Some(Ok(producers)) => (ErrorCode::NONE, producers),
        Some(Err(error)) => (shard_code(&error), Vec::new()),
        None if check_topic_name(topic).is_err() => {
            (ErrorCode::INVALID_TOPIC_EXCEPTION, Vec::new())
        },
        None => (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, Vec::new()),
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
    fn producers_and_refusals_are_told() {
        let producer = ActiveProducer {
            producer_id: 7,
            producer_epoch: 2,
            last_sequence: 14,
            last_append_ms: 55,
            transaction_first_offset: None,
        };
        let told = answer("t", 3, Some(Ok(vec![producer])));
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
        let code = |topic, found| answer(topic, 0, found).error_code;
        assert_eq!(code("t", None), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        assert_eq!(code("a/b", None), ErrorCode::INVALID_TOPIC_EXCEPTION);
        let stopping = Some(Err(ShardError::Stopping));
        assert_eq!(code("t", stopping), ErrorCode::NOT_LEADER_OR_FOLLOWER);
    }
}
