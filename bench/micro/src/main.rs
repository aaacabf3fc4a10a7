//! `bench-micro [ROUNDS]`: every case by turns, printed as a table of medians with ranges.
//!
//! It is the command line of this crate and nothing else; the cases stand in `cases.rs` and
//! `journal.rs`, the arithmetic in `measure.rs`.
//!
//! First file to read: `cases.rs`.

#![forbid(unsafe_code)]

use std::env;
use std::io::{self, Write};
use std::time::Duration;

use bench_micro::cases::{Case, PER_CALL, all};
use bench_micro::journal::nanos_per_group;
use bench_micro::measure::Series;
use engine_rt::ExecutorSpec;
use engine_rt::ring::{Options, run};

const ROUNDS_DEFAULT: usize = 5;
const AT_LEAST: Duration = Duration::from_millis(150);
/// Entries of the journal's groups: one request alone, and 16 connections in step.
const GROUPS: [usize; 2] = [1, 16];
const ENTRY_BYTES: usize = 1200;

fn main() -> io::Result<()> {
    let rounds = env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(ROUNDS_DEFAULT);
    let spec = ExecutorSpec {
        name: "bench".to_owned(),
        cpu: None,
    };
    run(spec, Options::default(), || measure(rounds))?
}

async fn measure(rounds: usize) -> io::Result<()> {
    let mut cases = all(AT_LEAST);
    let mut found = vec![Series::default(); cases.len()];
    let mut groups = GROUPS.map(|_| Series::default());
    for _ in 0..rounds {
        for (case, series) in cases.iter_mut().zip(&mut found) {
            series.push((case.run)()?);
        }
        for (entries, series) in GROUPS.into_iter().zip(&mut groups) {
            series.push(nanos_per_group(entries, ENTRY_BYTES, 500).await?);
        }
    }
    print(&cases, &found, &groups)
}

fn print(cases: &[Case], found: &[Series], groups: &[Series]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "| case | median (range) | unit |\n|---|---|---|")?;
    let mut row = |name: &str, series: &Series, unit: &str| {
        let digits = if unit == PER_CALL { 0 } else { 3 };
        let (median, min, max) = (series.median(), series.min(), series.max());
        writeln!(
            out,
            "| {name} | {median:.digits$} ({min:.digits$}-{max:.digits$}) | {unit} |"
        )
    };
    for (case, series) in cases.iter().zip(found) {
        row(&case.name, series, case.unit)?;
    }
    for (entries, series) in GROUPS.into_iter().zip(groups) {
        row(
            &format!("journal: group of {entries} x {ENTRY_BYTES} B, flushed"),
            series,
            PER_CALL,
        )?;
    }
    Ok(())
}
