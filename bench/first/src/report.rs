//! The results as a table for people and as JSON.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use bench_micro::measure::Series;
use serde_json::{Value, json};

use crate::Options;
use crate::environment::Environment;
use crate::round::Results;
use crate::rows::{Row, SECTIONS};

/// The table in Markdown.
pub(crate) fn markdown(options: &Options, machine: &Environment, results: &Results) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _written = head(&mut text, options, machine);
    for section in SECTIONS {
        let measured = section
            .rows
            .iter()
            .filter_map(|row| Some((row, results.get(row.key)?)));
        let lines: Vec<String> = measured.map(|(row, series)| line(row, series)).collect();
        if !lines.is_empty() {
            let _written = write!(
                text,
                "| **{}** | | | | |\n{}",
                section.title,
                lines.concat()
            );
        }
    }
    text
}

fn head(text: &mut String, options: &Options, machine: &Environment) -> std::fmt::Result {
    writeln!(text, "# One shard on one core, {}\n", options.date)?;
    writeln!(
        text,
        "Commit {}; Linux {}, {} x {}, {}; broker (`{}`) on one core, client on another; medians of {} \
         rounds with their ranges. CPU is that of all the process's threads by `schedstat`, workers \
         of io_uring included.\n",
        options.commit,
        machine.kernel,
        machine.cpus,
        machine.cpu,
        machine.file_system,
        options.broker_args,
        options.rounds
    )?;
    writeln!(
        text,
        "| | median (range) | unit | goal | Apache Kafka 4.1 |\n|---|---|---|---|---|"
    )
}

fn line(row: &Row, series: &Series) -> String {
    let digits = row.digits;
    let (median, min, max) = (series.median(), series.min(), series.max());
    let goal = row.goal.map_or(String::new(), |most| {
        let verdict = if median <= most { "met" } else { "MISSED" };
        format!("<= {most}: {verdict}")
    });
    let (name, unit, kafka) = (row.name, row.unit, row.kafka);
    format!(
        "| {name} | {median:.digits$} ({min:.digits$}-{max:.digits$}) | {unit} | {goal} | {kafka} |\n"
    )
}

/// The same with every measurement.
pub(crate) fn json(options: &Options, machine: &Environment, results: &Results) -> Value {
    let rows = SECTIONS.iter().flat_map(|section| section.rows);
    let measured = rows.filter_map(|row| Some((row, results.get(row.key)?)));
    let figures: serde_json::Map<String, Value> = measured
        .map(|(row, series)| (row.key.to_owned(), figure(row, series)))
        .collect();
    json!({
        "format": 1,
        "date": options.date,
        "commit": options.commit,
        "machine": machine.json(),
        "rounds": options.rounds,
        "bulk_mib": options.bulk_mib,
        "small_requests": options.small_requests,
        "single_requests": options.single_requests,
        "broker_args": options.broker_args,
        "figures": figures,
    })
}

fn figure(row: &Row, series: &Series) -> Value {
    json!({
        "unit": row.unit,
        "goal": row.goal,
        "median": series.median(),
        "min": series.min(),
        "max": series.max(),
        "values": series.values(),
    })
}

/// Writes both beside each other.
pub(crate) fn write(dir: &Path, name: &str, markdown: &str, json: &Value) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    fs::write(dir.join(format!("{name}.md")), markdown)?;
    let json = serde_json::to_string_pretty(json).map_err(io::Error::other)?;
    fs::write(dir.join(format!("{name}.json")), json + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::find;

    #[test]
    fn a_miss_is_shown_as_a_miss() {
        let row = find("bulk1.cpu").unwrap();
        let of = |values: &[f64]| line(row, &values.iter().copied().collect());
        assert!(of(&[0.5, 0.6, 0.9]).contains("0.600 (0.500-0.900) | CPU-s/GiB | <= 0.7: met"));
        assert!(of(&[0.8, 0.9, 0.1]).contains("MISSED"));
        // Nothing measured is not a goal met.
        assert!(of(&[]).contains("MISSED"));
    }
}
