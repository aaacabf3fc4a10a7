//! A result for the terminal.

use std::fmt::Write;

use super::result::{Percentiles, RunResult};
use crate::delays::Delay;
use crate::ledger::Verdict;
use crate::units::nanos_shown;

/// A result in lines for people.
pub fn table(result: &RunResult) -> String {
    let mut out = String::new();
    // A string takes everything.
    let _infallible = write_table(result, &mut out);
    out
}

/// What became of the records, in lines.
pub(super) fn books(result: &RunResult) -> String {
    let mut out = String::new();
    // A string takes everything.
    let _infallible = write_books(result, &mut out);
    out
}

fn write_table(result: &RunResult, out: &mut String) -> std::fmt::Result {
    let delivered = result.delivered() * 100.0;
    writeln!(
        out,
        "{}: offered {:.0}/s, achieved {:.0}/s ({delivered:.2} %), {:.2} MB/s over {:.1} s",
        result.scenario.name,
        result.offered,
        result.achieved,
        result.megabytes,
        result.seconds_measured
    )?;
    writeln!(
        out,
        "{:.0} requests/s, {:.1} records a batch, {:.1} in flight{}\n",
        result.requests,
        result.records_per_batch,
        result.in_flight,
        result.generator_cpu.map_or_else(String::new, |cpu| format!(
            ", generator {:.0} % of a core",
            cpu * 100.0
        )),
    )?;
    write_delays(result, out)?;
    writeln!(out)?;
    for promise in &result.promises {
        writeln!(
            out,
            "{} {} is {}, promised are {}",
            if promise.kept { "kept  " } else { "BROKEN" },
            promise.name,
            nanos_shown(promise.found_ns),
            nanos_shown(promise.limit_ns)
        )?;
    }
    write_books(result, out)?;
    if let Some(why) = &result.aborted {
        writeln!(out, "ENDED EARLY: {why}")?;
    }
    for doubt in &result.doubts {
        writeln!(out, "INVALID: {doubt}")?;
    }
    Ok(())
}

fn write_delays(result: &RunResult, out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "{:<12}{:>10}{:>10}{:>10}{:>10}{:>10}",
        "", "p50", "p90", "p99", "p99.9", "max"
    )?;
    for delay in Delay::ALL {
        let Some(found) = result.delays.get(delay.name()) else {
            continue;
        };
        if found.count > 0 {
            write_delay(delay.name(), found, out)?;
        }
    }
    Ok(())
}

fn write_delay(name: &str, found: &Percentiles, out: &mut String) -> std::fmt::Result {
    write!(out, "{name:<12}")?;
    for value in [found.p50_ns, found.p90_ns, found.p99_ns, found.p999_ns] {
        let shown = value.map_or_else(|| "-".to_owned(), nanos_shown);
        write!(out, "{shown:>10}")?;
    }
    writeln!(out, "{:>10}", nanos_shown(found.max_ns))
}

fn write_books(result: &RunResult, out: &mut String) -> std::fmt::Result {
    let counts = &result.counts;
    if counts.failed > 0 || counts.undelivered > 0 {
        writeln!(
            out,
            "{} records failed, {} were not answered in time",
            counts.failed, counts.undelivered
        )?;
    }
    for (name, count) in &counts.errors {
        writeln!(out, "  {name}: {count}")?;
    }
    for (name, count) in &counts.retried {
        writeln!(out, "{count} batches were sent again: {name}")?;
    }
    if counts.reconnects > 0 {
        writeln!(
            out,
            "{} broken connections were made again",
            counts.reconnects
        )?;
    }
    if counts.throttled_ms > 0 {
        writeln!(
            out,
            "throttled by quotas for {} ms in all",
            counts.throttled_ms
        )?;
    }
    for (number, verdict) in result.verdicts.iter().enumerate() {
        let name = format!("consumer {number}");
        if verdict.is_clean() {
            writeln!(
                out,
                "{name}: all {} acknowledged records are there, once, in order",
                verdict.acknowledged
            )?;
        } else {
            write_verdict(&name, verdict, out)?;
        }
    }
    for (what, count) in &result.consumer_retried {
        writeln!(out, "reading was tried again: {what} ({count})")?;
    }
    for (what, count) in &result.consumer_errors {
        writeln!(out, "reading: {what} ({count})")?;
    }
    Ok(())
}

fn write_verdict(name: &str, verdict: &Verdict, out: &mut String) -> std::fmt::Result {
    writeln!(
        out,
        "{name}: of {} acknowledged records {} LOST, {} duplicated, {} reordered, {} corrupted, \
         {} of others",
        verdict.acknowledged,
        verdict.lost,
        verdict.duplicated,
        verdict.reordered,
        verdict.corrupted,
        verdict.strange
    )
}

#[cfg(test)]
mod tests {
    use super::super::result::tests::result;
    use super::*;
    use crate::honesty::Doubt;

    #[test]
    fn a_table_says_what_matters() {
        let mut result = result();
        let text = table(&result);
        assert!(
            text.contains("offered 2000/s, achieved 2000/s (100.00 %)"),
            "{text}"
        );
        assert!(
            text.contains("BROKEN total p99 is 11.9 ms, promised are 10.0 ms"),
            "{text}"
        );
        assert!(text.contains("kept   end to end p99"), "{text}");
        assert!(text.contains("once, in order"), "{text}");
        assert!(!text.contains("INVALID"), "{text}");
        result.doubts = vec![Doubt::Saturated { cpu: 0.97 }];
        result.verdicts[0].lost = 3;
        result.counts.retried.insert("connection".to_owned(), 4);
        result.counts.reconnects = 2;
        let text = table(&result);
        assert!(
            text.contains("INVALID: the generator used 97 % of a core"),
            "{text}"
        );
        assert!(text.contains("3 LOST"), "{text}");
        assert!(
            text.contains("4 batches were sent again: connection"),
            "{text}"
        );
        assert!(
            text.contains("2 broken connections were made again"),
            "{text}"
        );
    }
}
