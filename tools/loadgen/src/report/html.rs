//! One page with everything, for people: it opens from a file, without a network and without
//! scripts.

use std::fmt::Write;

use super::chart::{Axis, Chart, Series};
use super::result::RunResult;
use super::table::table;
use crate::search::{Outcome, Step};
use crate::units::nanos_shown;

const STYLE: &str = "\
body{font:15px/1.45 system-ui,sans-serif;max-width:800px;margin:24px auto;padding:0 12px;color:#1b1f24}\
h1{font-size:22px;margin:0 0 4px}h2{font-size:17px;margin:28px 0 6px}\
.verdict{padding:10px 14px;border-radius:6px;font-weight:600}\
.good{background:#e3f4e6}.bad{background:#fbe3e1}\
.big{font-size:26px;font-weight:600}.figures{display:flex;gap:28px;flex-wrap:wrap;margin:14px 0}\
.figures div span{display:block;color:#5a6570;font-size:13px}\
pre{background:#f4f6f8;padding:10px;overflow-x:auto;font-size:13px}\
svg{width:100%;height:auto;margin:8px 0}.title{font-weight:600;font-size:14px}\
.grid{stroke:#dfe4e8;fill:none}.line{fill:none;stroke-width:1.6}\
.x{text-anchor:middle;font-size:11px;fill:#5a6570}.y{text-anchor:end;font-size:11px;fill:#5a6570}\
.title-y,.legend{font-size:11px;fill:#5a6570}";

const BLUE: &str = "#1f6feb";
const ORANGE: &str = "#d9730d";
const RED: &str = "#cf222e";
const GREEN: &str = "#2da44e";
const GREY: &str = "#6e7781";

/// The page of a run; the steps are those of the search that it is the best of, if it is one.
pub fn page(result: &RunResult, steps: &[Step]) -> String {
    let mut out = String::new();
    // A string takes everything.
    let _infallible = write_page(result, steps, &mut out);
    out
}

fn write_page(result: &RunResult, steps: &[Step], out: &mut String) -> std::fmt::Result {
    let name = escaped(&result.scenario.name);
    writeln!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{name}: load</title>\
         <style>{STYLE}</style></head><body><h1>{name}</h1><p>run {}</p>",
        escaped(&result.run)
    )?;
    write_verdict(result, out)?;
    write_figures(result, out)?;
    for chart in charts(result, steps) {
        writeln!(out, "{}", chart.svg())?;
    }
    writeln!(
        out,
        "<h2>Where time went</h2><pre>{}</pre>",
        escaped(&table(result))
    )?;
    writeln!(
        out,
        "<p>Each record's clock runs from its planned time. <b>lateness</b> is the generator's own \
         fault, <b>batching</b> the client's choice, <b>blocked</b> too much in flight or a socket \
         that takes nothing, <b>service</b> what a closed loop would have seen, <b>total</b> all of \
         them.</p>"
    )?;
    let environment = &result.environment;
    writeln!(
        out,
        "<h2>To repeat it</h2><pre>{}</pre><p>Flumen {}, kernel {}, {} x {}, seed {}</p>",
        escaped(&result.command),
        escaped(&environment.version),
        escaped(&environment.kernel),
        environment.cpus,
        escaped(&environment.cpu),
        result.scenario.seed
    )?;
    writeln!(out, "</body></html>")
}

fn write_verdict(result: &RunResult, out: &mut String) -> std::fmt::Result {
    let mut faults: Vec<String> = result.doubts.iter().map(ToString::to_string).collect();
    faults.extend(result.aborted.clone());
    if !result.is_clean() {
        faults.push("records are not where they should be".to_owned());
    }
    let broken = result.promises.iter().filter(|promise| !promise.kept);
    faults.extend(broken.map(|promise| {
        let found = nanos_shown(promise.found_ns);
        format!(
            "{} is {found}, above {}",
            promise.name,
            nanos_shown(promise.limit_ns)
        )
    }));
    let (class, text) = if faults.is_empty() {
        (
            "good",
            "valid, every record accounted for, promises kept".to_owned(),
        )
    } else if result.valid {
        ("bad", faults.join("; "))
    } else {
        ("bad", format!("INVALID RUN: {}", faults.join("; ")))
    };
    writeln!(out, "<p class=\"verdict {class}\">{}</p>", escaped(&text))
}

fn write_figures(result: &RunResult, out: &mut String) -> std::fmt::Result {
    let percentile = |delay: &str, of: fn(&super::Percentiles) -> Option<u64>| {
        let found = result.delays.get(delay).and_then(of);
        found.map_or_else(|| "not stated".to_owned(), nanos_shown)
    };
    let figures = [
        ("offered", format!("{:.0}/s", result.offered)),
        ("achieved", format!("{:.0}/s", result.achieved)),
        ("total p50", percentile("total", |found| found.p50_ns)),
        ("total p99", percentile("total", |found| found.p99_ns)),
        ("total p99.9", percentile("total", |found| found.p999_ns)),
        (
            "end to end p99",
            percentile("end_to_end", |found| found.p99_ns),
        ),
    ];
    writeln!(out, "<div class=\"figures\">")?;
    for (name, value) in figures {
        writeln!(
            out,
            "<div><span>{name}</span><b class=\"big\">{value}</b></div>"
        )?;
    }
    writeln!(out, "</div>")
}

fn charts(result: &RunResult, steps: &[Step]) -> Vec<Chart> {
    let mut charts = vec![rates(result), over_time(result), spectrum(result)];
    if !steps.is_empty() {
        charts.push(knee(steps));
    }
    charts
}

fn whole(value: f64) -> String {
    format!("{value:.0}")
}

fn time(value: f64) -> String {
    nanos_shown(value as u64)
}

const SECONDS: Axis = Axis {
    title: "second, by planned time",
    logarithmic: false,
    show: whole,
};
const RATE: Axis = Axis {
    title: "records a second",
    logarithmic: false,
    show: whole,
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
    value: impl Fn(&super::SecondLine) -> u64,
) -> Series {
    let point = |line: &super::SecondLine| (f64::from(line.second), value(line) as f64);
    Series {
        name,
        color,
        points: result.seconds.iter().map(point).collect(),
    }
}

fn rates(result: &RunResult) -> Chart {
    Chart {
        title: "Planned and acknowledged",
        x: SECONDS,
        y: RATE,
        series: vec![
            by_second(result, "planned", GREY, |line| line.planned),
            by_second(result, "acknowledged", BLUE, |line| line.acknowledged),
        ],
    }
}

fn over_time(result: &RunResult) -> Chart {
    Chart {
        title: "Total latency over time",
        x: SECONDS,
        y: LATENCY,
        series: vec![
            by_second(result, "p50", GREEN, |line| line.p50_ns),
            by_second(result, "p99", ORANGE, |line| line.p99_ns),
            by_second(result, "max", RED, |line| line.max_ns),
        ],
    }
}

fn spectrum(result: &RunResult) -> Chart {
    let series = [
        ("lateness", GREY),
        ("service", GREEN),
        ("total", BLUE),
        ("end_to_end", ORANGE),
    ];
    let series = series.into_iter().filter_map(|(name, color)| {
        let found = result.delays.get(name).filter(|found| found.count > 0)?;
        let point = |&(share, nanos): &(f64, u64)| (1.0 / (1.0 - share), nanos as f64);
        Some(Series {
            name,
            color,
            points: found.spectrum.iter().map(point).collect(),
        })
    });
    Chart {
        title: "Latency that one record in so many exceeds",
        x: Axis {
            title: "one in",
            logarithmic: true,
            show: whole,
        },
        y: LATENCY,
        series: series.collect(),
    }
}

fn knee(steps: &[Step]) -> Chart {
    let mut tried = steps.to_vec();
    tried.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    let level = |outcome| match outcome {
        Outcome::Passed => 1.0,
        Outcome::Failed => 0.5,
        Outcome::Undelivered => 0.0,
    };
    let points = tried.iter().map(|step| (step.rate, level(step.outcome)));
    Chart {
        title: "Rates that passed (1), failed (0.5), were not delivered (0)",
        x: RATE,
        y: Axis {
            title: "",
            logarithmic: false,
            show: |value| format!("{value:.1}"),
        },
        series: vec![Series {
            name: "outcome",
            color: BLUE,
            points: points.collect(),
        }],
    }
}

/// Text as it stands in a page.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            char => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::result::tests::result;
    use super::*;

    #[test]
    fn the_page_needs_nothing_else() {
        let mut result = result();
        result.scenario.name = "<b>&".to_owned();
        let step = Step {
            rate: 1000.0,
            outcome: Outcome::Passed,
        };
        let page = page(&result, &[step]);
        assert!(page.contains("<h1>&lt;b&gt;&amp;</h1>"));
        assert_eq!(page.matches("<svg").count(), 4);
        for outside in ["http://", "https://", "<script", "src=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(!page.contains("NaN") && !page.contains("inf "));
        assert!(page.contains("total p99 is 11.9 ms, above 10.0 ms"));
    }
}
