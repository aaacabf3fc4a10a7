//! Produce (key 0): appends record batches and answers when they are on disk.
//!
//! Behaviour:
//! - one batch of format v2 per partition, checked as by Kafka; a fault refuses the partition, not
//!   the request;
//! - `acks` 1 and -1 both wait for the flush; 0 gets no answer, and an error then closes the
//!   connection, since nothing else tells the producer to look again; anything else is
//!   `INVALID_REQUIRED_ACKS`;
//! - `acks` -1 with fewer replicas than `min.insync.replicas` is `NOT_ENOUGH_REPLICAS`;
//! - the broker's own topics are for brokers: others get `INVALID_TOPIC_EXCEPTION`, except the
//!   admin client that Kafka excepts by its name;
//! - transactions are not served yet: a transactional batch is `INVALID_RECORD`;
//! - requests of one connection take their places in order: the next one is read once this one's
//!   batches are in line on the shards that own them.
//!
//! Version notes:
//! - 3 is the lowest that Kafka 4 serves (KIP-896); 0 is advertised nevertheless (KAFKA-18659);
//! - 7: zstd (KIP-110); 8: record errors and a message (KIP-467); 10: the current leader (KIP-951),
//!   which here is always this node; 11: nothing new without transactions.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::{Buf, now};
use engine_shard::{Appended, ProduceBatch, ShardError};
use net_wire::messages::produce::{
    PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceData,
    TopicProduceResponse,
};
use net_wire::topic_name::is_internal;
use net_wire::{ErrorCode, Records};

use super::produce_check::{Refused, Rules, check, is_transactional};
use crate::broker::{Broker, TopicView};
use crate::connection::Context;
use crate::error_map::shard_code;
use crate::metrics::{Metrics, Stage};
use crate::request::{CloseReason, Outcome, Request};
use crate::responses::hand_over;

/// The client id by which Kafka lets its admin tools write to internal topics.
const ADMIN_CLIENT_ID: &str = "__admin_client";

/// What becomes of one partition of the request.
enum Part {
    Refused(Refused),
    /// Appended, with the time that its records got from the broker, or -1.
    Appended {
        log_append_time_ms: i64,
    },
}

/// Handles a produce. `started` is set once its batches are in line; the task that answers takes over
/// then.
pub(crate) async fn handle(
    context: Rc<Context>,
    request: Request,
    started: Rc<Cell<bool>>,
) -> Outcome {
    let broker = &context.broker;
    let body: ProduceRequest<'_> = request.body()?;
    let (parts, batches) = judge(broker, &request, &body).await;
    let records: Vec<i32> = batches.iter().map(|batch| batch.records).collect();
    let appending = now();
    let ticket = broker.shards.produce(batches, |id| broker.owner(id)).await;
    hand_over(&started).await;
    let results = ticket.durable().await;
    count(&broker.metrics, &records, &results, now() - appending);
    let outcomes = outcomes(parts, results);
    for outcome in &outcomes {
        broker.metrics.error(outcome.error_code);
    }
    if body.acks == 0 {
        return unacknowledged(&outcomes);
    }
    request.respond(&response(&body, outcomes))
}

fn count(
    metrics: &Metrics,
    records: &[i32],
    results: &[Result<Appended, ShardError>],
    took: Duration,
) {
    if records.is_empty() {
        return;
    }
    metrics.stage(Stage::Journal, took);
    let appended = records
        .iter()
        .zip(results)
        .filter(|(_, result)| result.is_ok());
    let appended = appended.map(|(records, _)| u64::from(records.unsigned_abs()));
    metrics.records_in.add(appended.sum());
}

/// Decides on every partition, in the order of the request, and collects what is to be appended.
async fn judge(
    broker: &Broker,
    request: &Request,
    body: &ProduceRequest<'_>,
) -> (Vec<Part>, Vec<ProduceBatch>) {
    let now_ms = engine_rt::wall_clock_ms();
    let (mut parts, mut batches) = (Vec::new(), Vec::new());
    for topic in &body.topic_data {
        let terms = terms(broker, request, body, topic, now_ms);
        for data in &topic.partition_data {
            let records = request.share(data.records.unwrap_or(Records::EMPTY));
            let (part, batch) = judge_partition(&terms, data.index, records).await;
            parts.push(part);
            batches.extend(batch);
        }
    }
    (parts, batches)
}

type Terms = Result<(TopicView, Rules), Refused>;

/// What holds for all partitions of a topic.
fn terms(
    broker: &Broker,
    request: &Request,
    body: &ProduceRequest<'_>,
    topic: &TopicProduceData<'_>,
    now_ms: i64,
) -> Terms {
    let view = broker.topic_by_name(topic.name);
    let view = admit(body.acks, topic.name, request.client_id(), view)?;
    let decompressed_max = broker.config.limits.decompressed_bytes_max;
    let rules = Rules::new(&view.config, request.version, now_ms, decompressed_max);
    Ok((view, rules))
}

/// Whether the request may append to the topic at all.
fn admit(
    acks: i16,
    name: &str,
    client_id: Option<&str>,
    topic: Option<TopicView>,
) -> Result<TopicView, Refused> {
    if is_internal(name) && client_id != Some(ADMIN_CLIENT_ID) {
        let message = format!("Cannot append to internal topic {name}");
        return Err(Refused::with(ErrorCode::INVALID_TOPIC_EXCEPTION, message));
    }
    if !matches!(acks, -1..=1) {
        return Err(Refused::of(ErrorCode::INVALID_REQUIRED_ACKS));
    }
    let topic = topic.ok_or_else(|| Refused::of(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION))?;
    let needed = topic.config.min_insync_replicas as usize;
    if acks == -1 && needed > topic.replicas {
        let have = topic.replicas;
        let message = format!("{have} in-sync replicas, min.insync.replicas is {needed}");
        return Err(Refused::with(ErrorCode::NOT_ENOUGH_REPLICAS, message));
    }
    Ok(topic)
}

async fn judge_partition(terms: &Terms, index: i32, records: Buf) -> (Part, Option<ProduceBatch>) {
    match checked_partition(terms, index, records).await {
        Ok((batch, log_append_time_ms)) => (Part::Appended { log_append_time_ms }, Some(batch)),
        Err(refused) => (Part::Refused(refused), None),
    }
}

async fn checked_partition(
    terms: &Terms,
    index: i32,
    records: Buf,
) -> Result<(ProduceBatch, i64), Refused> {
    let (topic, rules) = terms.as_ref().map_err(Clone::clone)?;
    let id = topic
        .partition(index)
        .ok_or_else(|| Refused::of(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION))?;
    if is_transactional(&records) {
        let message = "Transactions are not supported yet";
        return Err(Refused::with(ErrorCode::INVALID_RECORD, message));
    }
    let batch = check(id, records, rules).await?;
    Ok((batch, rules.log_append_time_ms()))
}

/// The answers for all partitions; those that were appended take their results in order.
fn outcomes(
    parts: Vec<Part>,
    results: Vec<Result<Appended, ShardError>>,
) -> Vec<PartitionProduceResponse<'static>> {
    let mut results = results.into_iter();
    let mut outcome = |part| match part {
        Part::Refused(refused) => refusal(refused),
        Part::Appended { log_append_time_ms } => {
            let result = results.next().unwrap_or(Err(ShardError::Stopping));
            appended(result, log_append_time_ms)
        },
    };
    parts.into_iter().map(&mut outcome).collect()
}

fn refusal(refused: Refused) -> PartitionProduceResponse<'static> {
    PartitionProduceResponse {
        error_code: refused.code,
        base_offset: -1,
        error_message: refused.message,
        record_errors: refused.record_errors,
        ..PartitionProduceResponse::default()
    }
}

fn appended(
    result: Result<Appended, ShardError>,
    log_append_time_ms: i64,
) -> PartitionProduceResponse<'static> {
    match result {
        Ok(appended) => PartitionProduceResponse {
            base_offset: appended.base_offset,
            log_append_time_ms,
            log_start_offset: appended.log_start_offset,
            ..PartitionProduceResponse::default()
        },
        Err(error) => refusal(Refused::with(shard_code(&error), error.to_string())),
    }
}

fn unacknowledged(outcomes: &[PartitionProduceResponse<'_>]) -> Outcome {
    match outcomes
        .iter()
        .find(|outcome| !outcome.error_code.is_none())
    {
        None => Ok(None),
        Some(failed) => Err(CloseReason::UnacknowledgedProduce(
            failed.error_code.name().to_owned(),
        )),
    }
}

fn response<'a>(
    body: &ProduceRequest<'a>,
    outcomes: Vec<PartitionProduceResponse<'static>>,
) -> ProduceResponse<'a> {
    let mut outcomes = outcomes.into_iter();
    let topics = body.topic_data.iter().map(|topic| TopicProduceResponse {
        name: topic.name,
        partition_responses: topic
            .partition_data
            .iter()
            .zip(outcomes.by_ref())
            .map(|(data, outcome)| PartitionProduceResponse {
                index: data.index,
                ..outcome
            })
            .collect(),
    });
    ProduceResponse {
        responses: topics.collect(),
        ..ProduceResponse::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::topic_view;
    use net_wire::messages::produce::PartitionProduceData;

    fn code(result: Result<TopicView, Refused>) -> ErrorCode {
        result.map_or_else(|refused| refused.code, |_| ErrorCode::NONE)
    }

    #[test]
    fn acks_are_all_one_or_none() {
        for acks in [-1, 0, 1] {
            assert_eq!(
                code(admit(acks, "t", None, Some(topic_view(&[])))),
                ErrorCode::NONE
            );
        }
        for acks in [2, -2, i16::MAX] {
            let refused = code(admit(acks, "t", None, Some(topic_view(&[]))));
            assert_eq!(refused, ErrorCode::INVALID_REQUIRED_ACKS);
        }
    }

    #[test]
    fn acks_all_needs_enough_replicas() {
        let topic = || Some(topic_view(&[("min.insync.replicas", "2")]));
        assert_eq!(
            code(admit(-1, "t", None, topic())),
            ErrorCode::NOT_ENOUGH_REPLICAS
        );
        assert_eq!(code(admit(1, "t", None, topic())), ErrorCode::NONE);
    }

    #[test]
    fn internal_topics_are_for_admin_clients() {
        let name = "__consumer_offsets";
        let topic = || Some(topic_view(&[]));
        let refused = code(admit(1, name, Some("rdkafka"), topic()));
        assert_eq!(refused, ErrorCode::INVALID_TOPIC_EXCEPTION);
        assert_eq!(
            code(admit(1, name, Some("__admin_client"), topic())),
            ErrorCode::NONE
        );
        let unknown = code(admit(1, "gone", None, None));
        assert_eq!(unknown, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }

    #[test]
    fn results_find_their_partitions() {
        let parts = vec![
            Part::Appended {
                log_append_time_ms: -1,
            },
            Part::Refused(Refused::of(ErrorCode::CORRUPT_MESSAGE)),
            Part::Appended {
                log_append_time_ms: 99,
            },
        ];
        let results = vec![
            Ok(Appended {
                base_offset: 7,
                log_start_offset: 2,
            }),
            Err(ShardError::Storage("full".to_owned())),
        ];
        let outcomes = outcomes(parts, results);
        let data = |index| PartitionProduceData {
            index,
            records: None,
        };
        let body = ProduceRequest {
            topic_data: vec![
                TopicProduceData {
                    name: "a",
                    partition_data: vec![data(4)],
                },
                TopicProduceData {
                    name: "b",
                    partition_data: vec![data(0), data(9)],
                },
            ],
            ..ProduceRequest::default()
        };
        let response = response(&body, outcomes);
        let first = &response.responses[0].partition_responses[0];
        assert_eq!(
            (first.index, first.base_offset, first.log_start_offset),
            (4, 7, 2)
        );
        let second = &response.responses[1];
        assert_eq!(second.name, "b");
        let codes: Vec<_> = second
            .partition_responses
            .iter()
            .map(|p| (p.index, p.error_code))
            .collect();
        let expected = [
            (0, ErrorCode::CORRUPT_MESSAGE),
            (9, ErrorCode::KAFKA_STORAGE_ERROR),
        ];
        assert_eq!(codes, expected);
        assert!(
            second
                .partition_responses
                .iter()
                .all(|p| p.base_offset == -1)
        );
    }

    #[test]
    fn without_acks_an_error_closes_and_success_says_nothing() {
        let fine = PartitionProduceResponse::default();
        assert!(matches!(
            unacknowledged(std::slice::from_ref(&fine)),
            Ok(None)
        ));
        let failed = refusal(Refused::of(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
        let error = unacknowledged(&[fine, failed]).unwrap_err();
        assert!(
            error.to_string().contains("UNKNOWN_TOPIC_OR_PARTITION"),
            "{error}"
        );
    }
}
