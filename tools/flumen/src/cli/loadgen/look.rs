//! `flumen loadgen plan`, `compare`, `report` and `import`: what needs no broker.

use std::fs;
use std::path::{Path, PathBuf};

use tools_loadgen::compare::{CompareError, RUNS_MIN, Thresholds, compare as compared};
use tools_loadgen::omb;
use tools_loadgen::plan::{Inputs, PlanError, plan as planned};
use tools_loadgen::report::{RunResult, SCHEMA, page, table};

use super::args::{CompareArgs, ImportArgs, PlanArgs, ReportArgs};
use super::run::{cannot_read, pairs};
use crate::cli::output::Output;
use crate::errors::{Exit, Failure};

/// Prints how many machines a load needs.
pub(super) fn plan(args: &PlanArgs) -> Result<(), Failure> {
    let wrong = |error: PlanError| {
        Failure::new("FL5006", "the plan")
            .because(error)
            .exit(Exit::Usage)
    };
    let text = match &args.file {
        Some(path) => fs::read_to_string(path).map_err(|error| cannot_read(path, &error))?,
        None => String::new(),
    };
    let inputs = Inputs::parse_with(&text, &pairs(&args.set)?).map_err(wrong)?;
    let made = planned(&inputs).map_err(wrong)?;
    let mut out = Output::new();
    for line in &made.lines {
        out.line(line)?;
    }
    out.line(format!(
        "\n{} nodes; {} binds",
        made.nodes,
        made.binding.name()
    ))?;
    out.flush()
}

/// Holds results against each other.
pub(super) fn compare(args: &CompareArgs) -> Result<(), Failure> {
    let thresholds: Thresholds = args
        .threshold
        .parse()
        .map_err(|why: String| Failure::invalid(format!("--threshold: {why}")))?;
    let (base, new) = (results(&args.base)?, results(&args.new)?);
    let comparison = compared(&base, &new, &thresholds, args.force)
        .map_err(|error: CompareError| Failure::new("FL5008", error.to_string()))?;
    let mut out = Output::new();
    out.line(format!(
        "{:<14}{:<32}{:<32}{:>9}",
        "", "base", "new", "change"
    ))?;
    for line in &comparison.lines {
        out.line(line)?;
    }
    if !comparison.has_enough_runs {
        out.line(format!(
            "fewer than {RUNS_MIN} runs a side: a difference may be chance"
        ))?;
    }
    out.flush()?;
    if comparison.keeps_thresholds() {
        return Ok(());
    }
    Err(Failure::new("FL5005", "a threshold is broken").exit(Exit::Promise))
}

/// Prints a result again and makes its page anew.
pub(super) fn report(args: &ReportArgs) -> Result<(), Failure> {
    let result = read(&args.result)?;
    let beside = || args.result.with_file_name("report.html");
    let path = args.page.clone().unwrap_or_else(beside);
    fs::write(&path, page(&result, &[]))
        .map_err(|error| Failure::new("FL5007", path.display().to_string()).because(error))?;
    let mut out = Output::new();
    out.line(table(&result))?;
    out.line(format!("{}", path.display()))?;
    out.flush()
}

fn results(paths: &[PathBuf]) -> Result<Vec<RunResult>, Failure> {
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Result<RunResult, Failure> {
    let text = fs::read_to_string(path).map_err(|error| cannot_read(path, &error))?;
    let result: RunResult = serde_json::from_str(&text).map_err(|error| {
        let message = format!("{}: no result of schema {SCHEMA}", path.display());
        Failure::new("FL5006", message)
            .because(error)
            .exit(Exit::Usage)
    })?;
    if result.schema != SCHEMA {
        let message = format!(
            "{} has schema {}, not {SCHEMA}",
            path.display(),
            result.schema
        );
        return Err(Failure::new("FL5006", message).exit(Exit::Usage));
    }
    Ok(result)
}

/// Prints the scenario that files of OMB mean.
pub(super) fn import(args: &ImportArgs) -> Result<(), Failure> {
    let read = |path: &Path| fs::read_to_string(path).map_err(|error| cannot_read(path, &error));
    let driver = args.driver.as_deref().map(read).transpose()?;
    let made = omb::import(&read(&args.workload)?, driver.as_deref());
    let text = made.and_then(|made| Ok(made.text()?)).map_err(|error| {
        Failure::new("FL5006", args.workload.display().to_string())
            .because(error)
            .exit(Exit::Usage)
    })?;
    let mut out = Output::new();
    out.line(text.trim_end())?;
    out.flush()
}
