//! `flumen loadgen search`.

use std::rc::Rc;
use std::time::Duration;

use tools_loadgen::delays::Delays;
use tools_loadgen::metrics::Metrics;
use tools_loadgen::report::{RunResult, slo_outcome, table};
use tools_loadgen::scenario::Scenario;
use tools_loadgen::search::{Found, Next, Outcome, Search, Step};
use tools_loadgen::units::{Rate, Span, nanos_shown};

use super::args::SearchArgs;
use super::run::{carry_out, leave, metrics, preset, scenario};
use super::verdict;
use crate::cli::args::BrokerArg;
use crate::cli::output::Output;
use crate::errors::{Exit, Failure};

/// Searches for the highest rate.
pub(super) async fn search(args: SearchArgs) -> Result<(), Failure> {
    let mut scenario = scenario(&args.scenario)?;
    scenario.slo = args.slo.parse().map_err(|why| wrong("--slo", why))?;
    let spans = Spans {
        step: args.step.parse().map_err(|why| wrong("--step", why))?,
        confirm: args
            .confirm
            .parse()
            .map_err(|why| wrong("--confirm", why))?,
    };
    let target = Target {
        broker: args.scenario.broker.addr,
        metrics: metrics(args.scenario.metrics_addr)?,
    };
    let mut out = Output::new();
    let best = Box::pin(find(&mut scenario, &target, args.start, &spans, &mut out)).await?;
    let (result, delays) = &best.run;
    let dir = leave(result, delays, &best.steps, args.scenario.out.as_deref())?;
    out.line(format!("\n{}", table(result)))?;
    out.line(told(&best.found))?;
    out.line(format!("{}", dir.join("report.html").display()))?;
    out.flush()
}

/// The highest rate at p99 below 10 ms, and p99.9 at half of it, in short steps.
pub(super) async fn two_numbers(broker: BrokerArg) -> Result<(), Failure> {
    let seconds = |seconds| Span(Duration::from_secs(seconds));
    let mut scenario = preset()?;
    scenario.load.warmup = seconds(1);
    let spans = Spans {
        step: seconds(3),
        confirm: seconds(5),
    };
    let mut out = Output::new();
    let target = Target {
        broker: broker.addr,
        metrics: metrics(None)?,
    };
    let found = find(&mut scenario, &target, 2000.0, &spans, &mut out);
    let best = Box::pin(found).await?;
    let rate = best.found.confirmed;
    // A hundred samples above p99.9 want so many records.
    scenario.slo.total_p999 = Some(seconds(60));
    at_rate(&mut scenario, rate / 2.0, seconds(10));
    let (result, delays) = target.carry_out(&scenario).await?;
    let dir = leave(&result, &delays, &best.steps, None)?;
    let p999 = result.delays["total"].p999_ns;
    let p999 = p999.map_or_else(|| "not stated".to_owned(), nanos_shown);
    out.line(format!("\n{rate:.0} records/s at p99 below 10 ms"))?;
    out.line(format!("p99.9 at half of it is {p999}"))?;
    out.line(format!("{}", dir.join("report.html").display()))?;
    out.flush()?;
    verdict(&result)
}

/// Where runs go, and where they are shown.
struct Target {
    broker: String,
    metrics: Rc<Metrics>,
}

impl Target {
    async fn carry_out(&self, scenario: &Scenario) -> Result<(RunResult, Delays), Failure> {
        carry_out(scenario, &self.broker, &self.metrics).await
    }
}

/// How long runs are.
struct Spans {
    step: Span,
    confirm: Span,
}

/// What a search has found, with the last run that confirmed it.
struct Best {
    found: Found,
    steps: Vec<Step>,
    run: (RunResult, Delays),
}

/// Plays a search, a line for each step.
async fn find(
    scenario: &mut Scenario,
    target: &Target,
    start: f64,
    spans: &Spans,
    out: &mut Output,
) -> Result<Best, Failure> {
    scenario.load.phases.clear();
    let (mut search, mut best) = (Search::new(start.max(1.0)), None);
    out.line("  offered    achieved  total p50  total p99  total p99.9   outcome")?;
    loop {
        let (rate, span) = match search.what_next() {
            Next::Try(rate) => (rate, spans.step),
            Next::Confirm(rate) => (rate, spans.confirm),
            Next::Done => break,
        };
        at_rate(scenario, rate, span);
        let (result, delays) = target.carry_out(scenario).await?;
        let outcome = slo_outcome(&result);
        out.line(line(&result, outcome))?;
        out.flush()?;
        if let Some(doubt) = result.doubts.first() {
            let message = "the generator comes to its limit before the broker does";
            return Err(Failure::new("FL5002", message).because(doubt));
        }
        let total = &result.delays["total"];
        search.on_outcome(outcome, total.p99_ns.unwrap_or(total.max_ns));
        if outcome == Outcome::Passed {
            best = Some((result, delays));
        }
    }
    let (Some(found), Some(run)) = (search.found(), best) else {
        let failure = Failure::new("FL5005", "no rate keeps the promise");
        return Err(failure.exit(Exit::Promise));
    };
    Ok(Best {
        found,
        steps: search.steps().to_vec(),
        run,
    })
}

fn told(found: &Found) -> String {
    let fails_from = found.fails_from.map_or_else(
        || "no rate that was tried".to_owned(),
        |rate| format!("{rate:.0}/s"),
    );
    format!(
        "confirmed {:.0}/s; passes from {:.0}/s to {:.0}/s, fails from {fails_from}",
        found.confirmed, found.passes_from, found.passes_to
    )
}

fn wrong(flag: &str, why: impl std::fmt::Display) -> Failure {
    Failure::invalid(format!("{flag}: {why}"))
}

/// A step of that rate, long enough for a hundred samples above p99.9.
fn at_rate(scenario: &mut Scenario, rate: f64, span: Span) {
    const SAMPLES: f64 = 100_000.0;
    const SPAN_MAX: f64 = 300.0;
    let wanted = if scenario.slo.total_p999.is_some() {
        SAMPLES / rate
    } else {
        0.0
    };
    let wanted = Duration::from_secs_f64(wanted.min(SPAN_MAX));
    scenario.load.rate = Rate::Records(rate);
    scenario.load.duration = Span(span.0.max(wanted));
}

fn line(result: &RunResult, outcome: Outcome) -> String {
    let total = &result.delays["total"];
    let shown = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), nanos_shown);
    format!(
        "{:>7.0}/s  {:>8.0}/s  {:>9}  {:>9}  {:>11}   {}",
        result.offered,
        result.achieved,
        shown(total.p50_ns),
        shown(total.p99_ns),
        shown(total.p999_ns),
        match outcome {
            Outcome::Passed => "passed".to_owned(),
            Outcome::Failed => "failed".to_owned(),
            Outcome::Undelivered => format!("delivered {:.1} %", result.delivered() * 100.0),
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_long_enough_for_their_percentile() {
        let mut scenario = Scenario::default();
        let span = Span(Duration::from_secs(20));
        at_rate(&mut scenario, 1000.0, span);
        assert_eq!(scenario.load.duration, span);
        scenario.slo = "p99.9<1s".parse().unwrap();
        at_rate(&mut scenario, 1000.0, span);
        assert_eq!(scenario.load.duration, Span(Duration::from_secs(100)));
    }
}
