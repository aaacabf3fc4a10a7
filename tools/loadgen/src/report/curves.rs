//! The curves of a run, as charts.

use super::chart::{Axis, Chart, Series};
use super::result::{RunResult, SecondLine};
use crate::delays::Delay;
use crate::search::{Outcome, Step};
use crate::units::{grouped, nanos_shown};

const BLUE: &str = "#1f6feb";
const ORANGE: &str = "#d9730d";
const RED: &str = "#cf222e";
const GREEN: &str = "#2da44e";
const PURPLE: &str = "#8250df";
const GREY: &str = "#6e7781";

/// All charts of a page; the steps are those of a search.
pub(super) fn charts(result: &RunResult, steps: &[Step]) -> Vec<Chart> {
    let mut charts = vec![rates(result), over_time(result), spectrum(result)];
    if !steps.is_empty() {
        charts.insert(0, knee(result, steps));
    }
    charts
}

/// What `total` at p99 was promised to be.
fn promised_p99(result: &RunResult) -> Option<f64> {
    let limit = result.scenario.slo.total_p99?;
    Some(limit.0.as_nanos() as f64)
}

/// Seconds of warm-up before what was measured.
fn warm_up(result: &RunResult) -> f64 {
    match result.scenario.load.replay {
        Some(_) => 0.0,
        None => result.scenario.load.warmup.0.as_secs_f64(),
    }
}

fn time(value: f64) -> String {
    nanos_shown(value as u64)
}

const SECONDS: Axis = Axis {
    title: "second, by planned time",
    logarithmic: false,
    show: grouped,
};
const RATE: Axis = Axis {
    title: "records a second",
    logarithmic: false,
    show: grouped,
};
const LATENCY: Axis = Axis {
    title: "latency",
    logarithmic: true,
    show: time,
};

fn by_second(
    result: &RunResult,
    name: &'static str,
    color: &'static str,
    value: impl Fn(&SecondLine) -> u64,
) -> Series {
    let point = |line: &SecondLine| (f64::from(line.second), value(line) as f64);
    Series {
        name,
        color,
        points: result.seconds.iter().map(point).collect(),
        is_dotted: false,
    }
}

fn rates(result: &RunResult) -> Chart {
    Chart {
        title: "Load",
        x: SECONDS,
        y: RATE,
        series: vec![
            by_second(result, "planned", GREY, |line| line.planned),
            by_second(result, "acknowledged", BLUE, |line| line.acknowledged),
        ],
        promised: None,
        warm_up: warm_up(result),
    }
}

fn over_time(result: &RunResult) -> Chart {
    Chart {
        title: "Latency over time, planned to acknowledged",
        x: SECONDS,
        y: LATENCY,
        series: vec![
            by_second(result, "p50", GREEN, |line| line.p50_ns),
            by_second(result, "p99", ORANGE, |line| line.p99_ns),
            by_second(result, "max", PURPLE, |line| line.max_ns),
        ],
        promised: promised_p99(result),
        warm_up: warm_up(result),
    }
}

fn spectrum(result: &RunResult) -> Chart {
    let parts = [
        (Delay::Lateness, "lateness", GREY),
        (Delay::Service, "service", GREEN),
        (Delay::Total, "total", BLUE),
        (Delay::EndToEnd, "end to end", ORANGE),
    ];
    let series = parts.into_iter().filter_map(|(delay, name, color)| {
        let found = result.delays.get(delay.name());
        let found = found.filter(|found| found.count > 0)?;
        let point = |&(share, nanos): &(f64, u64)| (1.0 / (1.0 - share), nanos as f64);
        Some(Series {
            name,
            color,
            points: found.spectrum.iter().map(point).collect(),
            is_dotted: false,
        })
    });
    Chart {
        title: "Latency that one record in so many exceeds",
        x: Axis {
            title: "one record in",
            logarithmic: true,
            show: grouped,
        },
        y: LATENCY,
        series: series.collect(),
        promised: None,
        warm_up: 0.0,
    }
}

/// What each rate of a search came to.
fn knee(result: &RunResult, steps: &[Step]) -> Chart {
    let outcomes = [
        ("passed", GREEN, Outcome::Passed),
        ("failed", RED, Outcome::Failed),
        ("not delivered", GREY, Outcome::Undelivered),
    ];
    let series = outcomes.map(|(name, color, outcome)| {
        let steps = steps.iter().filter(|step| step.outcome == outcome);
        Series {
            name,
            color,
            points: steps.map(|step| (step.rate, step.p99_ns as f64)).collect(),
            is_dotted: true,
        }
    });
    Chart {
        title: "What each rate came to, at p99",
        x: RATE,
        y: LATENCY,
        series: series.to_vec(),
        promised: promised_p99(result),
        warm_up: 0.0,
    }
}
