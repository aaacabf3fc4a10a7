//! The results: a table for people, its short form for the README, and JSON.

use std::fmt::Write as _;
use std::fs;
use std::io;

use bench_micro::measure::Series;
use serde_json::{Value, json};

use crate::Options;
use crate::bench::Bench;
use crate::environment::Environment;
use crate::results::Results;
use crate::scene::{rows, sections};
use crate::table::{Goal, Row};

/// The README's short form stands between these lines.
const MARKS: [&str; 2] = ["<!-- limits -->\n", "<!-- end of limits -->\n"];

/// What is reported.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report<'a> {
    options: &'a Options,
    /// Rounds that were measured.
    rounds: usize,
    results: &'a Results,
    machine: &'a Environment,
}

/// How a row stands to its goal.
#[derive(Clone, Copy, Debug)]
struct Verdict {
    bound: f64,
    /// The median as a multiple of the bound.
    share: f64,
    met: bool,
}

impl<'a> Report<'a> {
    pub(crate) const fn new(bench: &'a Bench, machine: &'a Environment) -> Self {
        Self {
            options: &bench.options,
            rounds: bench.round + 1,
            results: &bench.results,
            machine,
        }
    }

    /// The whole table in Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text = self.head();
        text +=
            "| | median (range) | unit | goal | | Apache Kafka 4.1 |\n|---|---|---|---|---|---|\n";
        for section in sections() {
            let lines: Vec<String> = section
                .rows
                .iter()
                .filter_map(|row| self.line(row.name, row))
                .collect();
            if !lines.is_empty() {
                // Writing to a string does not fail.
                let _written = writeln!(text, "| **{}** | | | | | |", section.title);
                text += &lines.concat();
            }
        }
        text
    }

    /// Rows with a goal only, each with what it is about.
    fn short(&self) -> String {
        let mut text =
            "| | median (range) | unit | goal | | Apache Kafka 4.1 |\n|---|---|---|---|---|---|\n"
                .to_owned();
        for section in sections() {
            for row in section.rows.iter().filter(|row| row.goal.is_some()) {
                let name = format!("{}: {}", section.title, row.name);
                text += &self.line(&name, row).unwrap_or_default();
            }
        }
        text
    }

    fn head(&self) -> String {
        let (options, machine) = (self.options, self.machine);
        format!(
            "# The engine at its limits, {}\n\nCommit {}; Linux {}, {} x {}, {}; broker (`{}`) on one core, \
             client on another; medians of {} rounds with their ranges. CPU charged is the larger of the \
             server's process and of what the machine used but for the client and its use when idle. A goal \
             is followed by what it came to in this run, and by the median as a multiple of it.\n\n",
            options.date,
            options.commit,
            machine.kernel,
            machine.cpus,
            machine.cpu,
            machine.file_system,
            options.broker_args,
            self.rounds
        )
    }

    fn line(&self, name: &str, row: &Row) -> Option<String> {
        let series = self.results.get(row.key)?;
        let digits = row.digits;
        let (median, min, max) = (series.median(), series.min(), series.max());
        let (goal, verdict) = row.goal.as_ref().map_or_else(Default::default, |goal| {
            self.goal_cells(goal, series, digits)
        });
        let (unit, kafka) = (row.unit, row.kafka);
        Some(format!(
            "| {name} | {median:.digits$} ({min:.digits$}-{max:.digits$}) | {unit} | {goal} | {verdict} | {kafka} |\n"
        ))
    }

    fn goal_cells(&self, goal: &Goal, series: &Series, digits: usize) -> (String, String) {
        let Verdict { bound, share, met } = self.verdict(goal, series);
        let says = goal.bound().says;
        let equals = if says.is_empty() { "" } else { " = " };
        let word = if met { "met" } else { "MISSED" };
        // Nothing is a multiple of nothing.
        let share = if bound == 0.0 {
            String::new()
        } else {
            format!("{share:.2} x, ")
        };
        (
            format!("{} {says}{equals}{bound:.digits$}", goal.sign()),
            share + word,
        )
    }

    fn verdict(&self, goal: &Goal, series: &Series) -> Verdict {
        let bound = goal.bound().value(|key| self.results.median(key));
        let median = series.median();
        Verdict {
            bound,
            share: median / bound,
            met: goal.is_met(median, bound),
        }
    }

    /// The same with every measurement.
    fn json(&self) -> Value {
        let measured = rows().filter_map(|row| Some((row, self.results.get(row.key)?)));
        let figures: serde_json::Map<String, Value> = measured
            .map(|(row, series)| (row.key.to_owned(), self.figure(row, series)))
            .collect();
        let options = self.options;
        json!({
            "format": 2,
            "date": options.date,
            "commit": options.commit,
            "machine": self.machine.json(),
            "rounds": self.rounds,
            "quick": options.quick,
            "bulk_mib": options.bulk_mib,
            "small_requests": options.small_requests,
            "single_requests": options.single_requests,
            "broker_args": options.broker_args,
            "figures": figures,
        })
    }

    fn figure(&self, row: &Row, series: &Series) -> Value {
        let goal = row.goal.as_ref().map(|goal| {
            let Verdict { bound, share, met } = self.verdict(goal, series);
            let says = goal.bound().says;
            json!({ "sign": goal.sign(), "says": says, "bound": bound, "share": share, "met": met })
        });
        json!({
            "name": row.name,
            "unit": row.unit,
            "goal": goal,
            "median": series.median(),
            "min": series.min(),
            "max": series.max(),
            "values": series.values(),
        })
    }

    /// Writes the table, its JSON and the README's part of it, where the options ask for them.
    pub(crate) fn write(&self) -> io::Result<()> {
        if let Some(dir) = &self.options.results {
            fs::create_dir_all(dir)?;
            let name = &self.options.name;
            fs::write(dir.join(format!("{name}.md")), self.markdown())?;
            let json = serde_json::to_string_pretty(&self.json()).map_err(io::Error::other)?;
            fs::write(dir.join(format!("{name}.json")), json + "\n")?;
        }
        if let Some(readme) = &self.options.readme {
            let text = between(&fs::read_to_string(readme)?, &self.short())?;
            fs::write(readme, text)?;
        }
        Ok(())
    }
}

/// `page` with what stands between the marks replaced.
fn between(page: &str, text: &str) -> io::Result<String> {
    let [begin, end] = MARKS;
    let parts = page.split_once(begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(end)?;
        Some((before, after))
    });
    let (before, after) = parts.ok_or_else(|| io::Error::other("no place for the table"))?;
    Ok(format!("{before}{begin}{text}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::row;

    fn with_results(values: &[(&str, f64)], check: impl Fn(&Report<'_>)) {
        let mut results = Results::default();
        for (key, value) in values {
            results.add(key, *value).unwrap();
        }
        let options = Options::for_tests();
        let machine = Environment::default();
        check(&Report {
            options: &options,
            rounds: 1,
            results: &results,
            machine: &machine,
        });
    }

    #[test]
    fn a_miss_is_shown_as_a_miss() {
        let parts = [
            ("receive.cold.cpu", 0.1),
            ("crc.cpu", 0.05),
            ("disk.256.allocated.cpu", 0.05),
        ];
        let with = |value| [&parts[..], &[("bulk1.cpu", value)]].concat();
        with_results(&with(0.3), |report| {
            let text = report.markdown();
            assert!(
                text.contains("<= 2 x (receive + CRC + write) = 0.400 | 0.75 x, met | 3.6-4.7"),
                "{text}"
            );
        });
        with_results(&with(0.5), |report| {
            assert!(report.markdown().contains("1.25 x, MISSED"));
        });
        // A bound whose parts were not measured is kept by nothing.
        with_results(&[("bulk1.cpu", 0.1)], |report| {
            assert!(report.short().contains("MISSED"));
        });
    }

    #[test]
    fn what_was_not_measured_has_no_line() {
        with_results(&[], |report| {
            assert!(report.line("x", &row("bulk1.cpu", "", "", 1)).is_none());
        });
    }

    #[test]
    fn only_the_readmes_place_changes() {
        let page = format!("a\n{}old\n{}b\n", MARKS[0], MARKS[1]);
        let changed = between(&page, "new\n").unwrap();
        assert_eq!(changed, page.replace("old", "new"));
        assert!(between("a\n", "new").is_err());
    }
}
