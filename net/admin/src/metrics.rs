//! A snapshot as Prometheus text (exposition format 0.0.4). The number of lines depends on the
//! number of shards and on nothing else.

use std::fmt::Write;

use crate::histogram::{LatencyHistogram, bucket_bound_us};
use crate::snapshot::{NodeCounters, ShardCounters, Snapshot, Stage};

pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
}

/// One metric: its name, kind and help, and where its value is.
struct Metric<T>(&'static str, Kind, &'static str, fn(&T) -> f64);

use Kind::{Counter, Gauge};

const NODE: &[Metric<NodeCounters>] = &[
    Metric("flumen_topics", Gauge, "Topics.", |n| n.topics as f64),
    Metric(
        "flumen_partitions",
        Gauge,
        "Partitions of all topics.",
        |n| n.partitions as f64,
    ),
    Metric(
        "flumen_weak_topics",
        Gauge,
        "Topics whose acknowledgements do not wait for a flush.",
        |n| n.weak_topics as f64,
    ),
    Metric(
        "flumen_unclean_starts_total",
        Counter,
        "Starts after the node had not stopped.",
        |n| n.unclean_starts as f64,
    ),
    Metric(
        "flumen_memory_used_bytes",
        Gauge,
        "Bytes of buffers in use.",
        |n| n.memory_used_bytes as f64,
    ),
    Metric(
        "flumen_memory_budget_bytes",
        Gauge,
        "The memory budget.",
        |n| n.memory_budget_bytes as f64,
    ),
    Metric(
        "flumen_disk_total_bytes",
        Gauge,
        "Size of the data directory's file system.",
        |n| n.disk_total_bytes as f64,
    ),
    Metric(
        "flumen_disk_available_bytes",
        Gauge,
        "What is free of it.",
        |n| n.disk_available_bytes as f64,
    ),
];

const SHARD: &[Metric<ShardCounters>] = &[
    Metric(
        "flumen_shard_partitions",
        Gauge,
        "Partitions that the shard owns.",
        |s| s.engine.partitions as f64,
    ),
    Metric(
        "flumen_batches_appended_total",
        Counter,
        "Batches appended.",
        |s| s.engine.batches as f64,
    ),
    Metric(
        "flumen_records_appended_total",
        Counter,
        "Records appended.",
        |s| s.engine.records as f64,
    ),
    Metric(
        "flumen_appended_bytes_total",
        Counter,
        "Bytes of batches appended.",
        |s| s.engine.appended_bytes as f64,
    ),
    Metric(
        "flumen_fetched_bytes_total",
        Counter,
        "Bytes of batches read for fetches.",
        |s| s.engine.fetched_bytes as f64,
    ),
    Metric(
        "flumen_bypassed_appends_total",
        Counter,
        "Appends that went to their segment directly.",
        |s| s.engine.bypassed as f64,
    ),
    Metric(
        "flumen_duplicate_batches_total",
        Counter,
        "Retries recognised.",
        |s| s.engine.duplicates as f64,
    ),
    Metric(
        "flumen_segment_written_bytes_total",
        Counter,
        "Bytes written to segments.",
        |s| s.engine.segment_bytes as f64,
    ),
    Metric(
        "flumen_segments_rolled_total",
        Counter,
        "Segments begun.",
        |s| s.engine.segments_rolled as f64,
    ),
    Metric(
        "flumen_segments_sealed_total",
        Counter,
        "Segments that got their footer.",
        |s| s.engine.segments_sealed as f64,
    ),
    Metric(
        "flumen_segments_deleted_total",
        Counter,
        "Segments deleted.",
        |s| s.engine.segments_deleted as f64,
    ),
    Metric(
        "flumen_checkpoints_total",
        Counter,
        "Checkpoints written.",
        |s| s.engine.checkpoints as f64,
    ),
    Metric(
        "flumen_tail_bytes",
        Gauge,
        "Bytes of batches in memory.",
        |s| s.engine.tail_bytes as f64,
    ),
    Metric(
        "flumen_journal_frames_total",
        Counter,
        "Groups flushed to the journal.",
        |s| s.engine.journal.frames as f64,
    ),
    Metric(
        "flumen_journal_entries_total",
        Counter,
        "Entries in these groups.",
        |s| s.engine.journal.entries as f64,
    ),
    Metric(
        "flumen_journal_written_bytes_total",
        Counter,
        "Bytes written to the journal, padding included.",
        |s| s.engine.journal.bytes as f64,
    ),
    Metric(
        "flumen_journal_turns_total",
        Counter,
        "Times the journal went on to another file.",
        |s| s.engine.journal.turns as f64,
    ),
    Metric(
        "flumen_connections_open",
        Gauge,
        "Connections open now.",
        |s| s.connections.open as f64,
    ),
    Metric(
        "flumen_connections_accepted_total",
        Counter,
        "Connections accepted.",
        |s| s.connections.accepted as f64,
    ),
    Metric(
        "flumen_connections_refused_total",
        Counter,
        "Connections closed for what they sent.",
        |s| s.connections.refused as f64,
    ),
    Metric("flumen_requests_total", Counter, "Requests decoded.", |s| {
        s.connections.requests as f64
    }),
    Metric(
        "flumen_received_bytes_total",
        Counter,
        "Bytes of requests received.",
        |s| s.connections.received_bytes as f64,
    ),
    Metric(
        "flumen_sent_bytes_total",
        Counter,
        "Bytes of answers sent.",
        |s| s.connections.sent_bytes as f64,
    ),
    Metric(
        "flumen_reactor_turns_total",
        Counter,
        "Rounds of the executor.",
        |s| s.reactor.turns as f64,
    ),
    Metric(
        "flumen_reactor_polls_total",
        Counter,
        "Polls of tasks.",
        |s| s.reactor.polls as f64,
    ),
    Metric(
        "flumen_reactor_completions_total",
        Counter,
        "Completions of the kernel.",
        |s| s.reactor.completions as f64,
    ),
    Metric(
        "flumen_reactor_doorbells_total",
        Counter,
        "Times another executor had to be woken by the kernel.",
        |s| s.reactor.doorbells as f64,
    ),
    Metric(
        "flumen_reactor_busy_seconds_total",
        Counter,
        "Time spent in tasks.",
        |s| s.reactor.busy.as_secs_f64(),
    ),
    Metric(
        "flumen_reactor_turn_max_seconds",
        Gauge,
        "The longest round since the start.",
        |s| s.reactor.turn_max.as_secs_f64(),
    ),
];

const STAGE_NAME: &str = "flumen_stage_latency_seconds";
const STAGE_HELP: &str = "Latency of a request's stages: queue, journal, flush, send.";

/// The text of a scrape.
pub fn render(snapshot: &Snapshot) -> String {
    let mut text = Text(String::with_capacity(16 << 10));
    text.head("flumen_build_info", "gauge", "The program that runs.");
    text.line(
        "flumen_build_info",
        &format!("version=\"{}\"", escaped(&snapshot.version)),
        1.0,
    );
    for Metric(name, kind, help, value) in NODE {
        text.head(name, kind.word(), help);
        text.line(name, "", value(&snapshot.node));
    }
    for Metric(name, kind, help, value) in SHARD {
        text.head(name, kind.word(), help);
        for (shard, counters) in snapshot.shards.iter().enumerate() {
            text.line(name, &format!("shard=\"{shard}\""), value(counters));
        }
    }
    text.head(STAGE_NAME, "histogram", STAGE_HELP);
    for (shard, counters) in snapshot.shards.iter().enumerate() {
        for (stage, histogram) in Stage::ALL.iter().zip(&counters.stages) {
            let labels = format!("shard=\"{shard}\",stage=\"{}\"", stage.name());
            text.histogram(STAGE_NAME, &labels, histogram);
        }
    }
    text.0
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Counter => "counter",
            Gauge => "gauge",
        }
    }
}

/// A label's value as the format wants it.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let written = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        written.expect("a string takes everything");
    }

    fn line(&mut self, name: &str, labels: &str, value: f64) {
        let written = if labels.is_empty() {
            writeln!(self.0, "{name} {value}")
        } else {
            writeln!(self.0, "{name}{{{labels}}} {value}")
        };
        written.expect("a string takes everything");
    }

    /// Buckets count everything up to their bound.
    fn histogram(&mut self, name: &str, labels: &str, histogram: &LatencyHistogram) {
        let mut below = 0;
        for (bucket, count) in histogram.counts().iter().enumerate() {
            below += count;
            let bound = bucket_bound_us(bucket)
                .map_or_else(|| "+Inf".to_owned(), |us| (us as f64 / 1e6).to_string());
            self.line(
                &format!("{name}_bucket"),
                &format!("{labels},le=\"{bound}\""),
                below as f64,
            );
        }
        self.line(
            &format!("{name}_sum"),
            labels,
            histogram.sum_us() as f64 / 1e6,
        );
        self.line(&format!("{name}_count"), labels, below as f64);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn snapshot(shards: usize) -> Snapshot {
        let mut shard = ShardCounters::default();
        shard.engine.records = 7;
        for us in [100, 100, 3_000_000, 60_000_000] {
            shard.stages[2].record_us(us);
        }
        let node = NodeCounters {
            partitions: 50_000,
            ..NodeCounters::default()
        };
        Snapshot {
            version: "0.1.0 \"x\"".into(),
            node,
            shards: vec![shard; shards],
        }
    }

    #[test]
    fn values_stand_with_their_shard() {
        let text = render(&snapshot(2));
        assert!(
            text.contains("\nflumen_records_appended_total{shard=\"1\"} 7\n"),
            "{text}"
        );
        assert!(text.contains("\nflumen_partitions 50000\n"));
        assert!(text.contains("flumen_build_info{version=\"0.1.0 \\\"x\\\"\"} 1\n"));
    }

    #[test]
    fn buckets_are_cumulative() {
        let text = render(&snapshot(1));
        let labels = "shard=\"0\",stage=\"flush\"";
        for (line, value) in [
            ("bucket{L,le=\"0.000064\"}", "0"),
            ("bucket{L,le=\"0.000128\"}", "2"),
            ("bucket{L,le=\"4.194304\"}", "3"),
            ("bucket{L,le=\"+Inf\"}", "4"),
            ("sum{L}", "63.0002"),
            ("count{L}", "4"),
        ] {
            let line = format!("{STAGE_NAME}_{} {value}\n", line.replace('L', labels));
            assert!(text.contains(&line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn the_text_grows_with_shards_only() {
        let lines = |shards| render(&snapshot(shards)).lines().count();
        assert_eq!(lines(3) - lines(2), lines(2) - lines(1));
        assert!(lines(64) < 12_000);
    }

    /// The format's own rules: every sample follows the TYPE of its family, no series twice.
    #[test]
    fn the_text_is_well_formed() {
        let text = render(&snapshot(3));
        let (mut family, mut series) = (String::new(), BTreeSet::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                family = rest.split(' ').next().unwrap().to_owned();
            } else if !line.starts_with('#') {
                let (name, value) = line.rsplit_once(' ').unwrap();
                assert!(name.starts_with(&family), "{line} under {family}");
                assert!(value.parse::<f64>().is_ok(), "{line}");
                assert!(series.insert(name.to_owned()), "{name} twice");
            }
        }
    }
}
