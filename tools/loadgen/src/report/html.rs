//! One page with everything, for people: it opens from a file, without a network and without
//! scripts.

use std::fmt::Write;

use super::curves::charts;
use super::result::RunResult;
use super::table::books;
use crate::delays::Delay;
use crate::scenario::Scenario;
use crate::search::Step;
use crate::units::{grouped, nanos_shown};

const STYLE: &str = "\
body{font:15px/1.45 system-ui,sans-serif;max-width:800px;margin:24px auto;padding:0 12px;color:#1b1f24}\
h1{font-size:22px;margin:0 0 4px}h2{font-size:17px;margin:28px 0 6px}.sub{color:#5a6570;margin:0 0 12px}\
.verdict{padding:10px 14px;border-radius:6px;font-weight:600}.verdict ul{margin:4px 0 0;padding-left:20px;font-weight:400}\
.good{background:#e3f4e6}.bad{background:#fbe3e1}\
.big{font-size:23px;font-weight:600;white-space:nowrap}\
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(112px,1fr));gap:10px;margin:16px 0 20px}\
.figures span{display:block;color:#5a6570;font-size:13px}\
pre{background:#f4f6f8;padding:10px;font-size:13px;white-space:pre-wrap;overflow-wrap:anywhere}\
table{border-collapse:collapse;width:100%}th,td{padding:4px 8px;text-align:right;border-bottom:1px solid #dfe4e8;white-space:nowrap}\
th{font-weight:600;font-size:13px;color:#5a6570}td:first-child,th:first-child{text-align:left}\
td:nth-child(2){text-align:left;white-space:normal;color:#5a6570;font-size:13px}.sum td{font-weight:600}\
svg{width:100%;height:auto;margin:10px 0}.title{font-weight:600;font-size:14px}.unit{font-weight:400;fill:#5a6570}\
.grid{stroke:#dfe4e8;fill:none}.line{fill:none;stroke-width:1.6}.warm{fill:#f0f2f4}\
.promised{stroke:#cf222e;stroke-dasharray:5 4;fill:none}\
.note{font-size:11px;fill:#5a6570}.middle{text-anchor:middle}.end{text-anchor:end}";

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
         <style>{STYLE}</style></head><body><h1>{name}</h1><p class=\"sub\">{}</p>",
        escaped(&load(&result.scenario))
    )?;
    write_verdict(result, out)?;
    write_figures(result, out)?;
    for chart in charts(result, steps) {
        writeln!(out, "{}", chart.svg())?;
    }
    write_delays(result, out)?;
    writeln!(
        out,
        "<h2>Where the records went</h2><pre>{}</pre>",
        escaped(&books(result))
    )?;
    write_repeat(result, out)?;
    writeln!(out, "</body></html>")
}

/// What was done, in a sentence.
fn load(scenario: &Scenario) -> String {
    let bytes = scenario.records.size.mean();
    let planned = match &scenario.load.replay {
        Some(_) => "a replay".to_owned(),
        None if !scenario.load.phases.is_empty() => "phases".to_owned(),
        None => format!("{} records/s", grouped(scenario.load.rate.records(bytes))),
    };
    format!(
        "{planned} of {} bytes in the mean, compression {}, into {} partitions, with {} producers \
         and {} consumers",
        grouped(bytes),
        scenario.produce.compression,
        grouped(scenario.partitions() as f64),
        scenario.produce.cores * scenario.produce.clients,
        scenario.consume.consumers
    )
}

fn write_repeat(result: &RunResult, out: &mut String) -> std::fmt::Result {
    let environment = &result.environment;
    let scenario = toml::to_string(&result.scenario).unwrap_or_default();
    writeln!(
        out,
        "<h2>To repeat it</h2><pre>{}</pre><details><summary>All of the scenario</summary>\
         <pre>{}</pre></details><p class=\"sub\">Run {}, Flumen {}, kernel {}, {} x {}, seed {}</p>",
        escaped(&result.command),
        escaped(&scenario),
        escaped(&result.run),
        escaped(&environment.version),
        escaped(&environment.kernel),
        environment.cpus,
        escaped(&environment.cpu),
        result.scenario.seed
    )
}

fn write_verdict(result: &RunResult, out: &mut String) -> std::fmt::Result {
    let mut faults: Vec<String> = result.doubts.iter().map(ToString::to_string).collect();
    faults.extend(result.aborted.clone());
    if !result.is_clean() {
        faults.push("records are not where they should be".to_owned());
    }
    let unanswered = result.counts.failed + result.counts.undelivered;
    if unanswered > 0 {
        let unanswered = grouped(unanswered as f64);
        faults.push(format!("{unanswered} records were not acknowledged"));
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
    if faults.is_empty() {
        let kept = if result.promises.is_empty() {
            "nothing was promised"
        } else {
            "promises kept"
        };
        return writeln!(
            out,
            "<div class=\"verdict good\">Valid, every record accounted for, {kept}</div>"
        );
    }
    let text = if result.valid {
        "The run is valid, but:"
    } else {
        "This run says nothing about the broker:"
    };
    write!(out, "<div class=\"verdict bad\">{text}<ul>")?;
    for fault in faults {
        write!(out, "<li>{}</li>", escaped(&fault))?;
    }
    writeln!(out, "</ul></div>")
}

/// What each part of a record's time is.
const PARTS: [(Delay, &str, &str); 7] = [
    (
        Delay::Lateness,
        "lateness",
        "planned to taken up: the generator's own fault",
    ),
    (
        Delay::Batching,
        "batching",
        "to ready: the client's choice, linger and batch size",
    ),
    (
        Delay::Blocked,
        "blocked",
        "to written: too much in flight, or a socket that takes nothing",
    ),
    (
        Delay::Service,
        "service",
        "to answered: all that a closed loop would have seen",
    ),
    (Delay::Total, "total", "planned to answered: the sum"),
    (
        Delay::EndToEnd,
        "end to end",
        "planned to received by a consumer",
    ),
    (
        Delay::Decoded,
        "decoded",
        "planned to taken out of its batch",
    ),
];

fn write_delays(result: &RunResult, out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "<h2>Where time went</h2><table><tr><th>part</th><th></th><th>p50</th><th>p90</th>\
         <th>p99</th><th>p99.9</th><th>max</th></tr>"
    )?;
    for (delay, name, what) in PARTS {
        let found = result.delays.get(delay.name());
        let Some(found) = found.filter(|found| found.count > 0) else {
            continue;
        };
        let class = if matches!(delay, Delay::Total | Delay::EndToEnd) {
            " class=\"sum\""
        } else {
            ""
        };
        write!(out, "<tr{class}><td>{name}</td><td>{what}</td>")?;
        for value in [found.p50_ns, found.p90_ns, found.p99_ns, found.p999_ns] {
            let shown = value.map_or_else(|| "-".to_owned(), nanos_shown);
            write!(out, "<td>{shown}</td>")?;
        }
        writeln!(out, "<td>{}</td></tr>", nanos_shown(found.max_ns))?;
    }
    writeln!(
        out,
        "</table><p class=\"sub\">{} requests/s, {:.1} records a batch, {:.1} requests in flight of \
         a connection{}. A percentile is stated with a hundred records above it.</p>",
        grouped(result.requests),
        result.records_per_batch,
        result.in_flight,
        result.generator_cpu.map_or_else(String::new, |cpu| format!(
            ", generator {:.0} % of a core",
            cpu * 100.0
        )),
    )
}

fn write_figures(result: &RunResult, out: &mut String) -> std::fmt::Result {
    let percentile = |delay: &str, of: fn(&super::Percentiles) -> Option<u64>| {
        let found = result.delays.get(delay).and_then(of);
        found.map_or_else(|| "not stated".to_owned(), nanos_shown)
    };
    let figures = [
        ("offered", format!("{}/s", grouped(result.offered))),
        ("achieved", format!("{}/s", grouped(result.achieved))),
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
    use crate::search::Outcome;

    #[test]
    fn the_page_needs_nothing_else() {
        let mut result = result();
        result.scenario.name = "<b>&".to_owned();
        let step = Step {
            rate: 1000.0,
            outcome: Outcome::Passed,
            p99_ns: 5_000_000,
        };
        let page = page(&result, &[step]);
        assert!(page.contains("<h1>&lt;b&gt;&amp;</h1>"));
        assert_eq!(page.matches("<svg").count(), 4);
        for outside in ["http://", "https://", "<script", "src=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(!page.contains("NaN") && !page.contains("inf "));
        assert!(page.contains("total p99 is 11.9 ms, above 10.0 ms"));
        assert!(page.contains("<td>service</td>"));
    }

    #[test]
    fn what_is_wrong_stands_in_front() {
        let mut result = result();
        result.promises.clear();
        assert!(page(&result, &[]).contains("Valid, every record accounted for, nothing"));
        result.counts.failed = 1200;
        let page = page(&result, &[]);
        assert!(page.contains("<li>1,200 records were not acknowledged</li>"));
        assert!(!page.contains("Valid"));
    }
}
