//! Every metric that has one value for the node or for a shard.

use crate::snapshot::{NodeCounters, ShardCounters, TurnAudit};

/// How a metric moves.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Only up.
    Counter,
    /// Both ways.
    Gauge,
}

use Kind::{Counter, Gauge};

impl Kind {
    /// Prometheus' word for it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Counter => "counter",
            Gauge => "gauge",
        }
    }
}

/// One metric: its name, kind and help, and where its value is.
pub(crate) struct Metric<T>(
    pub(crate) &'static str,
    pub(crate) Kind,
    pub(crate) &'static str,
    pub(crate) fn(&T) -> f64,
);

/// One value for the node.
#[rustfmt::skip]
pub(crate) const NODE: &[Metric<NodeCounters>] = &[
    Metric("flumen_topics", Gauge, "Topics.", |node| node.topics as f64),
    Metric("flumen_partitions", Gauge, "Partitions of all topics.", |node| node.partitions as f64),
    Metric("flumen_weak_topics", Gauge, "Topics whose acknowledgements do not wait for a flush.", |node| node.weak_topics as f64),
    Metric("flumen_unclean_starts_total", Counter, "Starts after the node had not stopped.", |node| node.unclean_starts as f64),
    Metric("flumen_memory_used_bytes", Gauge, "Bytes of buffers in use.", |node| node.memory_used_bytes as f64),
    Metric("flumen_memory_budget_bytes", Gauge, "The memory budget.", |node| node.memory_budget_bytes as f64),
    Metric("flumen_disk_total_bytes", Gauge, "Size of the data directory's file system.", |node| node.disk_total_bytes as f64),
    Metric("flumen_disk_available_bytes", Gauge, "What is free of it.", |node| node.disk_available_bytes as f64),
];

/// One value for each shard.
#[rustfmt::skip]
pub(crate) const SHARD: &[Metric<ShardCounters>] = &[
    Metric("flumen_shard_partitions", Gauge, "Partitions that the shard owns.", |shard| shard.engine.partitions as f64),
    Metric("flumen_batches_appended_total", Counter, "Batches appended.", |shard| shard.engine.batches as f64),
    Metric("flumen_records_appended_total", Counter, "Records appended.", |shard| shard.engine.records as f64),
    Metric("flumen_appended_bytes_total", Counter, "Bytes of batches appended.", |shard| shard.engine.appended_bytes as f64),
    Metric("flumen_fetched_bytes_total", Counter, "Bytes of batches read for fetches.", |shard| shard.engine.fetched_bytes as f64),
    Metric("flumen_bypassed_appends_total", Counter, "Appends that went to their segment directly.", |shard| shard.engine.bypassed as f64),
    Metric("flumen_duplicate_batches_total", Counter, "Retries of producers recognised.", |shard| shard.engine.duplicates as f64),
    Metric("flumen_segment_written_bytes_total", Counter, "Bytes written to segments.", |shard| shard.engine.segment_bytes as f64),
    Metric("flumen_segments_rolled_total", Counter, "Segments begun.", |shard| shard.engine.segments_rolled as f64),
    Metric("flumen_segments_sealed_total", Counter, "Segments that got their footer.", |shard| shard.engine.segments_sealed as f64),
    Metric("flumen_segments_deleted_total", Counter, "Segments deleted.", |shard| shard.engine.segments_deleted as f64),
    Metric("flumen_scrubbed_bytes_total", Counter, "Bytes at rest that the scrubber read.", |shard| shard.engine.scrubbed_bytes as f64),
    Metric("flumen_scrub_rounds_total", Counter, "Rounds of the scrubber over all segments.", |shard| shard.engine.scrub_rounds as f64),
    Metric("flumen_scrub_damaged_total", Counter, "Damage that the scrubber found, again in each round.", |shard| shard.engine.scrub_damaged as f64),
    Metric("flumen_cleanings_total", Counter, "Cleanings of compacted partitions.", |shard| shard.engine.cleanings as f64),
    Metric("flumen_cleanings_failed_total", Counter, "Cleanings of compacted partitions that failed (FL2009).", |shard| shard.engine.cleanings_failed as f64),
    Metric("flumen_cleaner_due_partitions", Gauge, "Compacted partitions that were due at the cleaner's last look.", |shard| shard.engine.cleaner_due as f64),
    Metric("flumen_cleaner_read_bytes_total", Counter, "Bytes that compaction read.", |shard| shard.engine.cleaner_read_bytes as f64),
    Metric("flumen_cleaner_freed_bytes_total", Counter, "Bytes of batches by which compaction made logs smaller.", |shard| shard.engine.cleaner_freed_bytes as f64),
    Metric("flumen_checkpoints_total", Counter, "Checkpoints written.", |shard| shard.engine.checkpoints as f64),
    Metric("flumen_tail_bytes", Gauge, "Bytes of batches in memory.", |shard| shard.engine.tail_bytes as f64),
    Metric("flumen_journal_frames_total", Counter, "Groups flushed to the journal.", |shard| shard.engine.journal.frames as f64),
    Metric("flumen_journal_entries_total", Counter, "Entries in these groups.", |shard| shard.engine.journal.entries as f64),
    Metric("flumen_journal_written_bytes_total", Counter, "Bytes written to the journal, padding included.", |shard| shard.engine.journal.bytes as f64),
    Metric("flumen_journal_turns_total", Counter, "Times the journal went on to another file.", |shard| shard.engine.journal.turns as f64),
    Metric("flumen_connections_open", Gauge, "Connections open now.", |shard| shard.connections.open as f64),
    Metric("flumen_connections_accepted_total", Counter, "Connections accepted.", |shard| shard.connections.accepted as f64),
    Metric("flumen_connections_refused_total", Counter, "Connections closed for what they sent.", |shard| shard.connections.refused as f64),
    Metric("flumen_connections_expired_total", Counter, "Connections closed because they were idle, slow or half-open.", |shard| shard.connections.expired as f64),
    Metric("flumen_connections_throttled", Gauge, "Connections that are not read from now, because of a quota.", |shard| shard.connections.throttled as f64),
    Metric("flumen_requests_throttled_total", Counter, "Requests after which a quota throttled the client.", |shard| shard.connections.requests_throttled as f64),
    Metric("flumen_throttle_seconds_total", Counter, "Time for which quotas throttled clients.", |shard| shard.connections.throttle_time.as_secs_f64()),
    Metric("flumen_client_telemetry_pushes_total", Counter, "Times that clients pushed metrics of their own.", |shard| shard.connections.telemetry_pushes as f64),
    Metric("flumen_client_telemetry_dropped_total", Counter, "Numbers of theirs that were not asked for, or found no place.", |shard| shard.connections.telemetry_dropped as f64),
    Metric("flumen_received_bytes_total", Counter, "Bytes of requests received.", |shard| shard.connections.received_bytes as f64),
    Metric("flumen_sent_bytes_total", Counter, "Bytes of answers sent.", |shard| shard.connections.sent_bytes as f64),
    Metric("flumen_sent_file_bytes_total", Counter, "Bytes of answers sent from files (fetch.read.path=sendfile).", |shard| shard.connections.sent_file_bytes as f64),
    Metric("flumen_request_queued_bytes", Gauge, "Bytes of requests in flight now.", |shard| shard.connections.request_queued_bytes as f64),
    Metric("flumen_response_queued_bytes", Gauge, "Bytes of answers in flight now.", |shard| shard.connections.response_queued_bytes as f64),
    Metric("flumen_fetch_sessions_open", Gauge, "Fetch sessions open now.", |shard| shard.connections.fetch_sessions as f64),
    Metric("flumen_fetch_sessions_evicted_total", Counter, "Fetch sessions evicted for newer ones.", |shard| shard.connections.fetch_sessions_evicted as f64),
    Metric("flumen_reactor_polls_total", Counter, "Polls of tasks.", |shard| shard.reactor.polls as f64),
    Metric("flumen_reactor_completions_total", Counter, "Completions that the kernel reported.", |shard| shard.reactor.completions as f64),
    Metric("flumen_reactor_doorbells_total", Counter, "Times another executor had to be woken by the kernel.", |shard| shard.reactor.doorbells as f64),
    Metric("flumen_reactor_busy_seconds_total", Counter, "Time spent in tasks.", |shard| shard.reactor.busy.as_secs_f64()),
    Metric("flumen_reactor_turn_max_seconds", Gauge, "The longest round since the start.", |shard| shard.reactor.turn_max.as_secs_f64()),
    Metric("flumen_reactor_turn_max_recent_seconds", Gauge, "The longest round of the last 30 to 60 seconds.", |shard| shard.reactor.turn_max_recent.as_secs_f64()),
    Metric("flumen_reactor_stalls_total", Counter, "Rounds that took longer than flumen.stall.ms.", |shard| shard.reactor.stalls as f64),
];

/// One value for each shard whose rounds are audited.
#[rustfmt::skip]
pub(crate) const AUDIT: &[Metric<TurnAudit>] = &[
    Metric("flumen_reactor_audit_turn_cpu_max_seconds", Gauge, "The most of the CPU that a round had since this was asked last.", |audit| audit.cpu_max.as_secs_f64()),
    Metric("flumen_reactor_audit_voluntary_switches_total", Counter, "Times that a round waited for something.", |audit| audit.voluntary_switches as f64),
    Metric("flumen_reactor_audit_major_faults_total", Counter, "Pages that a round waited for to be read.", |audit| audit.major_faults as f64),
];
