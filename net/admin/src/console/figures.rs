//! A snapshot as JSON: counters as they are. Rates and quantiles are made of two of them by whoever
//! reads, so that asking changes nothing and needs no memory here.

use std::time::Duration;

use serde_json::{Value, json};

use crate::health::ReadyState;
use crate::histogram::{LatencyHistogram, bucket_bound_us};
use crate::snapshot::{NodeCounters, ShardCounters, Snapshot, Stage};

/// The node at a moment since the admin thread began.
pub(super) fn figures(snapshot: &Snapshot, state: ReadyState, at: Duration) -> Value {
    let bounds: Vec<Option<u64>> = (0..crate::histogram::BUCKETS)
        .map(bucket_bound_us)
        .collect();
    json!({
        "version": snapshot.version,
        "state": state_name(state),
        "at_ms": at.as_secs_f64() * 1e3,
        "bucket_bounds_us": bounds,
        "node": node(&snapshot.node),
        "shards": snapshot.shards.iter().map(shard).collect::<Vec<_>>(),
    })
}

const fn state_name(state: ReadyState) -> &'static str {
    match state {
        ReadyState::Starting => "starting",
        ReadyState::Ready => "ready",
        ReadyState::Stopping => "stopping",
    }
}

fn node(node: &NodeCounters) -> Value {
    json!({
        "topics": node.topics,
        "partitions": node.partitions,
        "weak_topics": node.weak_topics,
        "unclean_starts": node.unclean_starts,
        "memory_used_bytes": node.memory_used_bytes,
        "memory_budget_bytes": node.memory_budget_bytes,
        "disk_total_bytes": node.disk_total_bytes,
        "disk_available_bytes": node.disk_available_bytes,
    })
}

fn shard(shard: &ShardCounters) -> Value {
    let ShardCounters {
        engine,
        connections,
        reactor,
        stages,
    } = shard;
    let requests = connections.requests.iter();
    let requests = requests.map(|(api, count)| (api.api().name.to_owned(), (*count).into()));
    let errors = connections.errors.iter();
    let errors = errors.map(|(code, count)| (code.to_string(), (*count).into()));
    let latencies = Stage::ALL.iter().zip(stages);
    let latencies = latencies.map(|(stage, one)| (stage.name().to_owned(), histogram(one)));
    json!({
        "partitions": engine.partitions,
        "records": engine.records,
        "appended_bytes": engine.appended_bytes,
        "fetched_bytes": engine.fetched_bytes,
        "tail_bytes": engine.tail_bytes,
        "journal_frames": engine.journal.frames,
        "journal_bytes": engine.journal.bytes,
        "segment_bytes": engine.segment_bytes,
        "scrub_damaged": engine.scrub_damaged,
        "connections": connections.open,
        "received_bytes": connections.received_bytes,
        "sent_bytes": connections.sent_bytes,
        "request_queued_bytes": connections.request_queued_bytes,
        "response_queued_bytes": connections.response_queued_bytes,
        "requests": Value::Object(requests.collect()),
        "errors": Value::Object(errors.collect()),
        "busy_ms": reactor.busy.as_secs_f64() * 1e3,
        "turn_max_recent_us": reactor.turn_max_recent.as_micros() as u64,
        "stalls": reactor.stalls,
        "stages": Value::Object(latencies.collect()),
    })
}

fn histogram(histogram: &LatencyHistogram) -> Value {
    json!({ "counts": histogram.counts(), "sum_us": histogram.sum_us() })
}

#[cfg(test)]
mod tests {
    use net_wire::ApiKey;

    use super::*;

    #[test]
    fn a_snapshot_is_told_in_numbers() {
        let mut one = ShardCounters::default();
        one.engine.records = 7;
        one.connections.requests = vec![(ApiKey::Fetch, 9)];
        one.stages[2].record_us(100);
        let snapshot = Snapshot {
            version: "1".to_owned(),
            shards: vec![one.clone(), one],
            ..Snapshot::default()
        };
        let value = figures(&snapshot, ReadyState::Ready, Duration::from_secs(2));
        assert_eq!(value["state"], "ready");
        assert_eq!(value["shards"][1]["records"], 7);
        assert_eq!(value["shards"][0]["requests"]["Fetch"], 9);
        assert_eq!(value["shards"][0]["stages"]["flush"]["counts"][7], 1);
        assert_eq!(value["bucket_bounds_us"][7], 128);
        assert_eq!(value["bucket_bounds_us"][31], Value::Null);
    }
}
