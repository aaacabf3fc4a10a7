//! The result of a run as a file: everything a later look wants, with what it takes to repeat it.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::delays::{Delay, Delays};
use crate::drive::{Counts, Done};
use crate::honesty::{Doubt, QUANTILES, is_stated};
use crate::ledger::Verdict;
use crate::scenario::{Scenario, Slo};
use crate::search::Outcome;

/// The version of the schema. It grows with each change that a reader must know of.
pub const SCHEMA: u32 = 1;
/// Below this share of what was offered, a broker does not deliver.
const DELIVERED_MIN: f64 = 0.99;

/// A run.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RunResult {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The run's number, in hexadecimal digits.
    pub run: String,
    /// The command that repeats it.
    pub command: String,
    /// When it was, in milliseconds since 1970.
    pub at_ms: i64,
    /// What it did, the seed included.
    pub scenario: Scenario,
    /// Where the generator ran.
    pub environment: Environment,
    /// Whether it says something about the broker.
    pub valid: bool,
    /// Why not.
    pub doubts: Vec<Doubt>,
    /// Why it ended before its plan did.
    pub aborted: Option<String>,
    /// What was promised, and whether it was kept.
    pub promises: Vec<Promise>,
    /// Seconds that were measured.
    pub seconds_measured: f64,
    /// Records a second that were planned.
    pub offered: f64,
    /// Records a second that were acknowledged.
    pub achieved: f64,
    /// Megabytes of values a second that were acknowledged, warm-up included.
    pub megabytes: f64,
    /// Records of a batch, in the mean.
    pub records_per_batch: f64,
    /// Requests a second.
    pub requests: f64,
    /// Requests in flight of a connection when one was sent, in the mean.
    pub in_flight: f64,
    /// Share of a core that the generator's busiest core used.
    pub generator_cpu: Option<f64>,
    /// What was counted.
    pub counts: Counts,
    /// Where time went, by the names of the parts.
    pub delays: BTreeMap<String, Percentiles>,
    /// What the broker kept, for each consumer.
    pub verdicts: Vec<Verdict>,
    /// Records that consumers have read.
    pub consumed: u64,
    /// What went wrong with reading.
    pub consumer_errors: BTreeMap<String, u64>,
    /// What failed with reading and was tried again.
    #[serde(default)]
    pub consumer_retried: BTreeMap<String, u64>,
    /// Second by second.
    pub seconds: Vec<SecondLine>,
}

/// Where a generator ran. Runs of different environments are not compared without being asked to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// Version of the generator.
    pub version: String,
    /// The kernel's release.
    pub kernel: String,
    /// The model of the CPU.
    pub cpu: String,
    /// How many CPUs it may use.
    pub cpus: usize,
}

/// A promise about a latency.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Promise {
    /// Such as `total p99`.
    pub name: String,
    /// What was promised, in nanoseconds.
    pub limit_ns: u64,
    /// What was measured.
    pub found_ns: u64,
    /// Whether it was kept.
    pub kept: bool,
}

/// A histogram in a few numbers, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Percentiles {
    /// Values in it.
    pub count: u64,
    /// Their mean.
    pub mean_ns: f64,
    /// Percentiles with enough values above them; others are not stated.
    pub p50_ns: Option<u64>,
    /// As `p50_ns`.
    pub p90_ns: Option<u64>,
    /// As `p50_ns`.
    pub p99_ns: Option<u64>,
    /// As `p50_ns`.
    pub p999_ns: Option<u64>,
    /// The largest value.
    pub max_ns: u64,
    /// Shares of all, and the value that they are below.
    pub spectrum: Vec<(f64, u64)>,
}

/// One second of a run, by planned times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SecondLine {
    /// Counted from the start.
    pub second: u32,
    /// Planned records.
    pub planned: u64,
    /// Of these, acknowledged ones.
    pub acknowledged: u64,
    /// `total` of these.
    pub p50_ns: u64,
    /// As `p50_ns`.
    pub p99_ns: u64,
    /// As `p50_ns`.
    pub max_ns: u64,
}

/// Who tells about a run: what its result has besides the run itself.
#[derive(Clone, Debug, Default)]
pub struct ToldBy {
    /// The run's number.
    pub run: u64,
    /// The command that repeats it.
    pub command: String,
    /// When it was.
    pub at_ms: i64,
    /// Where.
    pub environment: Environment,
}

impl Environment {
    /// Looks at this machine.
    pub fn look() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let mut fields = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        let model = fields.find(|(key, _)| key.trim() == "model name");
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            cpu: model.map_or("?", |(_, value)| value.trim()).to_owned(),
            cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        }
    }
}

impl Percentiles {
    /// Sums a histogram up.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let stated = QUANTILES.map(|quantile| {
            is_stated(histogram.len(), quantile).then(|| histogram.value_at_quantile(quantile))
        });
        let [p50_ns, p90_ns, p99_ns, p999_ns] = stated;
        // Four points for each halving of what is above, down to the last value.
        let spectrum = (0..).map(|step| 1.0 - 0.5_f64.powf(f64::from(step) / 4.0));
        let spectrum = spectrum.take_while(|share| (1.0 - share) * histogram.len() as f64 >= 1.0);
        Self {
            count: histogram.len(),
            mean_ns: histogram.mean(),
            p50_ns,
            p90_ns,
            p99_ns,
            p999_ns,
            max_ns: histogram.max(),
            spectrum: spectrum
                .map(|share| (share, histogram.value_at_quantile(share)))
                .collect(),
        }
    }
}

/// What was promised, held against what was measured.
fn promises(slo: &Slo, delays: &Delays) -> Vec<Promise> {
    let wanted = [
        ("total p50", slo.total_p50, Delay::Total, 0.5),
        ("total p99", slo.total_p99, Delay::Total, 0.99),
        ("total p99.9", slo.total_p999, Delay::Total, 0.999),
        ("end to end p99", slo.e2e_p99, Delay::EndToEnd, 0.99),
    ];
    let promise = |(name, limit, delay, quantile): (&str, Option<crate::units::Span>, _, f64)| {
        let limit_ns = limit?.0.as_nanos() as u64;
        let found_ns = delays.of(delay).value_at_quantile(quantile);
        Some(Promise {
            name: name.to_owned(),
            limit_ns,
            found_ns,
            kept: found_ns <= limit_ns,
        })
    };
    wanted.into_iter().filter_map(promise).collect()
}

fn seconds(delays: &Delays) -> Vec<SecondLine> {
    let line = |(second, one): (&u32, &crate::delays::Second)| SecondLine {
        second: *second,
        planned: one.planned,
        acknowledged: one.acknowledged,
        p50_ns: one.total.value_at_quantile(0.5),
        p99_ns: one.total.value_at_quantile(0.99),
        max_ns: one.total.max(),
    };
    delays.seconds().iter().map(line).collect()
}

fn ratio(part: u64, of: u64) -> f64 {
    if of == 0 {
        0.0
    } else {
        part as f64 / of as f64
    }
}

impl RunResult {
    /// The result of a run.
    pub fn new(scenario: &Scenario, done: &Done, told_by: ToldBy) -> Self {
        let delays = &done.delays;
        let measured = done.measured.as_secs_f64().max(1e-9);
        let whole = measured + scenario.load.warmup.0.as_secs_f64();
        let of = |delay| delays.of(delay).len() as f64 / measured;
        let by_name =
            Delay::ALL.map(|delay| (delay.name().to_owned(), Percentiles::of(delays.of(delay))));
        let counts = &done.counts;
        Self {
            schema: SCHEMA,
            run: format!("{:016x}", told_by.run),
            command: told_by.command,
            at_ms: told_by.at_ms,
            scenario: scenario.clone(),
            environment: told_by.environment,
            valid: done.doubts.is_empty(),
            doubts: done.doubts.clone(),
            aborted: done.aborted.clone(),
            promises: promises(&scenario.slo, delays),
            seconds_measured: measured,
            offered: of(Delay::Lateness),
            achieved: of(Delay::Service),
            megabytes: counts.value_bytes as f64 / 1e6 / whole,
            records_per_batch: ratio(counts.acknowledged + counts.failed, counts.batches),
            requests: counts.requests as f64 / whole,
            in_flight: ratio(counts.in_flight_sum, counts.requests),
            generator_cpu: done.cpu,
            counts: counts.clone(),
            delays: by_name.into_iter().collect(),
            verdicts: done.verdicts.clone(),
            consumed: done.consumed,
            consumer_errors: done.consumer_errors.clone(),
            consumer_retried: done.consumer_retried.clone(),
            seconds: seconds(delays),
        }
    }

    /// Share of what was offered that was delivered.
    pub fn delivered(&self) -> f64 {
        if self.offered > 0.0 {
            self.achieved / self.offered
        } else {
            1.0
        }
    }

    /// Whether every record is where it should be.
    pub fn is_clean(&self) -> bool {
        self.consumer_errors.is_empty() && self.verdicts.iter().all(Verdict::is_clean)
    }

    /// Whether everything that was promised was kept.
    pub fn keeps_promises(&self) -> bool {
        self.promises.iter().all(|promise| promise.kept)
    }
}

/// What a step of a search came to.
pub fn slo_outcome(result: &RunResult) -> Outcome {
    if result.aborted.is_some() || result.delivered() < DELIVERED_MIN {
        Outcome::Undelivered
    } else if result.keeps_promises() && result.counts.failed == 0 && result.is_clean() {
        Outcome::Passed
    } else {
        Outcome::Failed
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::delays::Moments;
    use crate::units::Span;

    const MS: u64 = 1_000_000;

    /// A run of ten seconds in which all took 2 to 12 ms.
    pub(in crate::report) fn done() -> Done {
        let mut delays = Delays::new(0);
        for at in 0..20_000 {
            let planned = at * MS / 2;
            delays.picked(planned, planned);
            delays.acknowledged(&Moments {
                planned,
                picked: planned,
                ready: planned + MS,
                written: planned + MS,
                answered: planned + 2 * MS + at % 1000 * 10_000,
            });
            delays.consumed(planned, planned + 15 * MS, planned + 16 * MS);
        }
        let counts = Counts {
            planned: 20_000,
            acknowledged: 20_000,
            value_bytes: 20_480_000,
            batches: 2000,
            requests: 1000,
            in_flight_sum: 2500,
            ..Counts::default()
        };
        Done {
            delays,
            counts,
            verdicts: vec![Verdict::default()],
            consumed: 20_000,
            consumer_errors: BTreeMap::new(),
            consumer_retried: BTreeMap::new(),
            doubts: Vec::new(),
            aborted: None,
            measured: Duration::from_secs(10),
            cpu: Some(0.25),
            brokers: 1,
        }
    }

    pub(crate) fn result() -> RunResult {
        let mut scenario = Scenario::default();
        scenario.load.warmup = Span(Duration::ZERO);
        scenario.slo.total_p99 = Some(Span(Duration::from_millis(10)));
        scenario.slo.e2e_p99 = Some(Span(Duration::from_millis(20)));
        let told_by = ToldBy {
            run: 7,
            command: "flumen loadgen run".to_owned(),
            at_ms: 1_790_000_000_000,
            environment: Environment::default(),
        };
        RunResult::new(&scenario, &done(), told_by)
    }

    #[test]
    fn a_result_is_summed_up_and_read_again() {
        let result = result();
        assert!((result.offered - 2000.0).abs() < 1e-6);
        assert!((result.delivered() - 1.0).abs() < 1e-9);
        assert!((result.records_per_batch - 10.0).abs() < 1e-9);
        assert!((result.in_flight - 2.5).abs() < 1e-9);
        assert_eq!(result.seconds.len(), 10);
        let kept: Vec<bool> = result.promises.iter().map(|promise| promise.kept).collect();
        assert_eq!(kept, [false, true]);
        assert_eq!(slo_outcome(&result), Outcome::Failed);
        let total = &result.delays["total"];
        assert!(total.p99_ns.is_some() && total.p999_ns.is_none());
        assert!(total.spectrum.len() > 40 && total.spectrum.is_sorted_by(|a, b| a.1 <= b.1));
        let text = serde_json::to_string(&result).unwrap();
        let again: RunResult = serde_json::from_str(&text).unwrap();
        assert_eq!(
            again.delays["service"].p99_ns,
            result.delays["service"].p99_ns
        );
        assert_eq!(
            (again.seconds, again.scenario),
            (result.seconds, result.scenario)
        );
    }

    #[test]
    fn what_is_not_delivered_fails_by_that() {
        let mut done = done();
        done.aborted = Some("backlog".to_owned());
        let result = RunResult::new(&Scenario::default(), &done, ToldBy::default());
        assert_eq!(slo_outcome(&result), Outcome::Undelivered);
        assert!(result.keeps_promises() && result.is_clean());
    }
}
