//! What the admin thread may ask of a node, before, during and after its life.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use engine_rt::ring::{TURN_CLASSES, turn_class_bound};
use engine_rt::{ExecutorStats, MailSender, OneshotSender, oneshot};
use net_admin::{
    ConnectionCounters, LatencyHistogram, NodeCounters, Pulses, ReactorCounters, Readiness,
    ReadyState, ShardCounters, Snapshot, Sources, TurnAudit,
};
use net_server::{ClientMetric, Histogram, MetricsSnapshot};

use super::shard::{ShardCall, executor_name};

/// What the admin thread may ask of a node. Made before the node, so that health is told while it
/// starts.
#[derive(Clone, Debug)]
pub struct AdminHandle {
    pulses: Pulses,
    readiness: Readiness,
    shards: Arc<OnceLock<Vec<MailSender<ShardCall>>>>,
}

impl AdminHandle {
    /// For a node of so many shards.
    pub fn new(shards: usize) -> Self {
        Self {
            pulses: Pulses::new(shards),
            readiness: Readiness::default(),
            shards: Arc::default(),
        }
    }

    /// What the admin thread is started with.
    pub fn sources(&self) -> Sources {
        let handle = self.clone();
        Sources {
            pulses: self.pulses.clone(),
            readiness: self.readiness.clone(),
            snapshot: Arc::new(move || {
                let handle = handle.clone();
                Box::pin(async move { handle.snapshot().await })
            }),
        }
    }

    /// Where the node is in its life.
    pub fn ready_state(&self) -> ReadyState {
        self.readiness.get()
    }

    /// All counters, gathered from the shards; none if the node does not run. May be awaited on any
    /// thread.
    pub async fn snapshot(&self) -> Option<Snapshot> {
        let shards = self.shards.get()?;
        let node = ask(shards.first()?, ShardCall::Node).await?;
        let mut snapshot = Snapshot {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            node,
            shards: Vec::with_capacity(shards.len()),
        };
        let executors = engine_rt::stats();
        for (index, shard) in shards.iter().enumerate() {
            let mut counters = ask(shard, ShardCall::Counters).await?;
            let name = executor_name(index);
            let own = executors.iter().find(|executor| executor.name == name);
            counters.reactor = own.map(reactor).unwrap_or_default();
            snapshot.shards.push(counters);
        }
        Some(snapshot)
    }

    pub(super) fn beat(&self, shard: usize) {
        self.pulses.beat(shard);
    }

    pub(super) fn attach(&self, shards: Vec<MailSender<ShardCall>>) {
        let first = self.shards.set(shards).is_ok();
        assert!(first, "a handle is of one node");
    }

    pub(super) fn set(&self, state: ReadyState) {
        self.readiness.set(state);
    }
}

async fn ask<T: Send>(
    shard: &MailSender<ShardCall>,
    call: impl FnOnce(OneshotSender<T>) -> ShardCall,
) -> Option<T> {
    let (reply, answer) = oneshot();
    shard.send(call(reply)).await.ok()?;
    answer.await
}

fn reactor(stats: &ExecutorStats) -> ReactorCounters {
    ReactorCounters {
        turns: (0..TURN_CLASSES)
            .map(turn_class_bound)
            .zip(stats.turns)
            .collect(),
        turn_time: stats.turn_time,
        polls: stats.polls,
        completions: stats.completions,
        doorbells: stats.doorbells,
        busy: stats.busy,
        turn_max: stats.turn_max,
        turn_max_recent: stats.turn_max_recent,
        stalls: stats.stalls,
        audit: stats.audit.map(|audit| TurnAudit {
            cpu_max: audit.cpu_max,
            voluntary_switches: audit.voluntary_switches,
            major_faults: audit.major_faults,
        }),
    }
}

/// One shard's counters as the admin thread shows them; the executor's are added there.
pub(super) fn shard_counters(
    engine: &engine_shard::ShardStats,
    server: MetricsSnapshot,
) -> ShardCounters {
    let stage = |stage: net_server::Stage| histogram(&server.stages[stage as usize]);
    let flush = LatencyHistogram::from_parts(
        engine.journal.flush_buckets,
        engine.journal.flush_nanos / 1000,
    );
    let stages = net_admin::Stage::ALL.map(|name| match name {
        net_admin::Stage::Queue => stage(net_server::Stage::Queue),
        net_admin::Stage::Journal => stage(net_server::Stage::Journal),
        net_admin::Stage::Flush => flush,
        net_admin::Stage::Send => stage(net_server::Stage::Send),
        net_admin::Stage::Total => stage(net_server::Stage::Total),
    });
    ShardCounters {
        engine: *engine,
        connections: connections(server),
        reactor: ReactorCounters::default(),
        stages,
    }
}

fn histogram(from: &Histogram) -> LatencyHistogram {
    LatencyHistogram::from_parts(from.buckets, from.sum_us)
}

fn connections(server: MetricsSnapshot) -> ConnectionCounters {
    ConnectionCounters {
        open: server.connections as u64,
        accepted: server.connections_accepted,
        refused: server.connections_refused,
        expired: server.connections_expired,
        throttled: server.connections_throttled as u64,
        requests_throttled: server.requests_throttled,
        throttle_time: Duration::from_millis(server.throttle_ms),
        received_bytes: server.bytes_in,
        sent_bytes: server.bytes_out,
        sent_file_bytes: server.file_bytes_out,
        request_queued_bytes: server.request_bytes_queued as u64,
        response_queued_bytes: server.response_bytes_queued as u64,
        fetch_sessions: server.fetch_sessions as u64,
        fetch_sessions_evicted: server.fetch_sessions_evicted,
        client_metrics: client_metrics(server.client_metrics),
        telemetry_pushes: server.telemetry_pushes,
        telemetry_dropped: server.telemetry_dropped,
        requests: server.requests,
        errors: server.errors,
    }
}

fn client_metrics(told: Vec<(String, ClientMetric)>) -> Vec<(String, f64, u64)> {
    let told = told.into_iter();
    told.map(|(name, metric)| (name, metric.sum, metric.count))
        .collect()
}

/// Counters of the node that no shard keeps by itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeFacts {
    pub(super) memory_budget_bytes: u64,
}

impl NodeFacts {
    pub(super) fn counters(
        self,
        state: &cluster_meta::State,
        fixed: &cluster_meta::config::StaticConfig,
        space: Option<engine_rt::fs::Space>,
    ) -> NodeCounters {
        let weak = state
            .topics()
            .filter(|topic| state.effective(topic, fixed).weak_durability());
        NodeCounters {
            topics: state.topics().len() as u64,
            partitions: state.partition_count() as u64,
            weak_topics: weak.count() as u64,
            unclean_starts: u64::from(state.unclean_starts()),
            memory_used_bytes: engine_rt::memory_used() as u64,
            memory_budget_bytes: self.memory_budget_bytes,
            disk_total_bytes: space.map_or(0, |space| space.total),
            disk_available_bytes: space.map_or(0, |space| space.available),
        }
    }
}
