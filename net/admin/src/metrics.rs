//! A snapshot as Prometheus text (exposition format 0.0.4). The number of lines depends on the
//! number of shards and, with telemetry of clients, on the bounded number of their metrics' names.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::histogram::{LatencyHistogram, bucket_bound_us};
use crate::snapshot::{ShardCounters, Snapshot, Stage};
use crate::table::{AUDIT, Metric, NODE, SHARD};

pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const STAGE_NAME: &str = "flumen_stage_latency_seconds";
const TURN_NAME: &str = "flumen_reactor_turn_seconds";
const CLIENT_NAME: &str = "flumen_client_metric";

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
    text.requests(&snapshot.shards);
    text.errors(&snapshot.shards);
    text.stages(&snapshot.shards);
    text.turns(&snapshot.shards);
    text.audit(&snapshot.shards);
    text.clients(&snapshot.shards);
    text.0
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

    fn requests(&mut self, shards: &[ShardCounters]) {
        const NAME: &str = "flumen_requests_total";
        self.head(NAME, "counter", "Requests decoded.");
        for (shard, counters) in shards.iter().enumerate() {
            for (api, count) in &counters.connections.requests {
                let labels = format!("shard=\"{shard}\",api=\"{}\"", api.api().name);
                self.line(NAME, &labels, *count as f64);
            }
        }
    }

    fn errors(&mut self, shards: &[ShardCounters]) {
        const NAME: &str = "flumen_errors_total";
        self.head(NAME, "counter", "Errors answered.");
        for (shard, counters) in shards.iter().enumerate() {
            for (code, count) in &counters.connections.errors {
                let labels = format!("shard=\"{shard}\",error=\"{code}\"");
                self.line(NAME, &labels, *count as f64);
            }
        }
    }

    fn stages(&mut self, shards: &[ShardCounters]) {
        let help = "Latency of a request's stages: queue, journal, flush, send, and in all.";
        self.head(STAGE_NAME, "histogram", help);
        for (shard, counters) in shards.iter().enumerate() {
            for (stage, histogram) in Stage::ALL.iter().zip(&counters.stages) {
                let labels = format!("shard=\"{shard}\",stage=\"{}\"", stage.name());
                self.latencies(STAGE_NAME, &labels, histogram);
            }
        }
    }

    fn latencies(&mut self, name: &str, labels: &str, histogram: &LatencyHistogram) {
        let counts = histogram.counts().iter().enumerate();
        let seconds = |us| us as f64 / 1e6;
        let buckets = counts.map(|(bucket, count)| (bucket_bound_us(bucket).map(seconds), *count));
        self.histogram(name, labels, buckets, seconds(histogram.sum_us()));
    }

    fn turns(&mut self, shards: &[ShardCounters]) {
        let help = "Length of the executor's rounds, without the sleep in the kernel.";
        self.head(TURN_NAME, "histogram", help);
        for (shard, ShardCounters { reactor, .. }) in shards.iter().enumerate() {
            let turns = reactor.turns.iter();
            let buckets =
                turns.map(|(bound, count)| (bound.map(|bound| bound.as_secs_f64()), *count));
            let labels = format!("shard=\"{shard}\"");
            self.histogram(TURN_NAME, &labels, buckets, reactor.turn_time.as_secs_f64());
        }
    }

    fn audit(&mut self, shards: &[ShardCounters]) {
        if shards.iter().all(|shard| shard.reactor.audit.is_none()) {
            return;
        }
        for Metric(name, kind, help, value) in AUDIT {
            self.head(name, kind.word(), help);
            for (shard, counters) in shards.iter().enumerate() {
                if let Some(audit) = &counters.reactor.audit {
                    self.line(name, &format!("shard=\"{shard}\""), value(audit));
                }
            }
        }
    }

    /// What clients told of themselves, all clients and shards together.
    fn clients(&mut self, shards: &[ShardCounters]) {
        let mut told: BTreeMap<&str, (f64, u64)> = BTreeMap::new();
        let metrics = shards
            .iter()
            .flat_map(|one| &one.connections.client_metrics);
        for (name, sum, count) in metrics {
            let known = told.entry(name).or_default();
            *known = (known.0 + sum, known.1 + count);
        }
        if told.is_empty() {
            return;
        }
        let help = "Numbers that clients pushed, by the name of their metric.";
        self.head(CLIENT_NAME, "summary", help);
        for (name, (sum, count)) in told {
            let labels = format!("metric=\"{}\"", escaped(name));
            self.line(&format!("{CLIENT_NAME}_sum"), &labels, sum);
            self.line(&format!("{CLIENT_NAME}_count"), &labels, count as f64);
        }
    }

    /// Takes buckets by their upper bound in seconds, and shows how much is below each bound.
    fn histogram(
        &mut self,
        name: &str,
        labels: &str,
        buckets: impl Iterator<Item = (Option<f64>, u64)>,
        sum: f64,
    ) {
        let mut below = 0;
        for (bound, count) in buckets {
            below += count;
            let bound = bound.map_or_else(|| "+Inf".to_owned(), |seconds| seconds.to_string());
            self.line(
                &format!("{name}_bucket"),
                &format!("{labels},le=\"{bound}\""),
                below as f64,
            );
        }
        self.line(&format!("{name}_sum"), labels, sum);
        self.line(&format!("{name}_count"), labels, below as f64);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use net_wire::{ApiKey, ErrorCode};

    use crate::snapshot::{NodeCounters, TurnAudit};

    use super::*;

    fn snapshot(shards: usize) -> Snapshot {
        let mut shard = ShardCounters::default();
        shard.engine.records = 7;
        shard.connections.requests = vec![(ApiKey::Fetch, 9), (ApiKey::Produce, 3)];
        shard.connections.errors = vec![(ErrorCode::CORRUPT_MESSAGE, 2)];
        for us in [100, 100, 3_000_000, 60_000_000] {
            shard.stages[2].record_us(us);
        }
        let bound = Duration::from_nanos(16_384);
        shard.reactor.turns = vec![(Some(bound), 8), (None, 2)];
        shard.reactor.turn_time = Duration::from_millis(40);
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
        assert!(text.contains("\nflumen_requests_total{shard=\"0\",api=\"Fetch\"} 9\n"));
        let error = "flumen_errors_total{shard=\"1\",error=\"CORRUPT_MESSAGE\"} 2\n";
        assert!(text.contains(error), "{text}");
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
    fn turns_are_a_histogram_of_each_shard() {
        let text = render(&snapshot(2));
        for (line, value) in [
            ("bucket{shard=\"1\",le=\"0.000016384\"}", "8"),
            ("bucket{shard=\"1\",le=\"+Inf\"}", "10"),
            ("sum{shard=\"1\"}", "0.04"),
            ("count{shard=\"1\"}", "10"),
        ] {
            let line = format!("\n{TURN_NAME}_{line} {value}\n");
            assert!(text.contains(&line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn an_audit_is_shown_where_there_is_one() {
        let mut snapshot = snapshot(2);
        assert!(!render(&snapshot).contains("_audit_"));
        snapshot.shards[1].reactor.audit = Some(TurnAudit {
            cpu_max: Duration::from_millis(2),
            voluntary_switches: 3,
            major_faults: 4,
        });
        let text = render(&snapshot);
        for line in [
            "turn_cpu_max_seconds{shard=\"1\"} 0.002",
            "voluntary_switches_total{shard=\"1\"} 3",
            "major_faults_total{shard=\"1\"} 4",
        ] {
            let line = format!("\nflumen_reactor_audit_{line}\n");
            assert!(text.contains(&line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("_audit_major_faults_total{shard=\"0\"}"));
    }

    #[test]
    fn what_clients_told_is_added_up_over_shards() {
        let mut snapshot = snapshot(2);
        assert!(!render(&snapshot).contains(CLIENT_NAME));
        for (shard, sum) in snapshot.shards.iter_mut().zip([1.5, 3.0]) {
            shard.connections.client_metrics = vec![("a.b".to_owned(), sum, 2)];
        }
        let text = render(&snapshot);
        for line in ["sum{metric=\"a.b\"} 4.5", "count{metric=\"a.b\"} 4"] {
            let line = format!("\n{CLIENT_NAME}_{line}\n");
            assert!(text.contains(&line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn the_text_grows_with_shards_only() {
        let lines = |shards| render(&snapshot(shards)).lines().count();
        assert_eq!(lines(3) - lines(2), lines(2) - lines(1));
        assert!(lines(64) < 64 * 250);
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
