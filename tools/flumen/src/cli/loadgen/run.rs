//! `flumen loadgen run`.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use engine_rt::{Listener, random_u64, spawn, wall_clock_ms};
use tools_loadgen::delays::Delays;
use tools_loadgen::drive::{self, Live, Options};
use tools_loadgen::metrics::Metrics;
use tools_loadgen::report::{Environment, RunResult, ToldBy, page, table, write_hlog};
use tools_loadgen::scenario::{Scenario, ScenarioError};
use tools_loadgen::search::Step;

use super::args::{RunArgs, ScenarioArgs};
use super::progress;
use super::verdict;
use crate::cli::output::Output;
use crate::errors::{Exit, Failure};

/// The scenario where none is named.
const PRESET: &str = "canonical";

/// Carries out one scenario.
pub(super) async fn once(args: RunArgs) -> Result<(), Failure> {
    let scenario = scenario(&args.scenario)?;
    let metrics = metrics(args.scenario.metrics_addr)?;
    let (result, delays) = carry_out(&scenario, &args.scenario.broker.addr, &metrics).await?;
    let mut out = Output::new();
    out.line(table(&result))?;
    let dir = leave(&result, &delays, &[], args.scenario.out.as_deref())?;
    out.line(format!("{}", dir.join("report.html").display()))?;
    out.flush()?;
    verdict(&result)
}

/// The scenario that the words mean.
pub(super) fn scenario(args: &ScenarioArgs) -> Result<Scenario, Failure> {
    let text = if let Some(path) = &args.file {
        fs::read_to_string(path).map_err(|error| cannot_read(path, &error))?
    } else {
        let preset = args.preset.as_deref().unwrap_or(PRESET);
        let text = Scenario::preset(preset).map_err(|error| wrong(&error))?;
        text.to_owned()
    };
    Scenario::parse_with(&text, &pairs(&args.set)?).map_err(|error| wrong(&error))
}

/// The scenario of a command without words.
pub(super) fn preset() -> Result<Scenario, Failure> {
    let text = Scenario::preset(PRESET).map_err(|error| wrong(&error))?;
    Scenario::parse(text).map_err(|error| wrong(&error))
}

/// Keys with their values.
pub(super) fn pairs(texts: &[String]) -> Result<Vec<(&str, &str)>, Failure> {
    let pair = |text: &'_ String| -> Result<usize, Failure> {
        let at = text.find('=');
        at.ok_or_else(|| Failure::invalid(format!("--set {text}: KEY=VALUE is wanted")))
    };
    texts
        .iter()
        .map(|text| pair(text).map(|at| (&text[..at], &text[at + 1..])))
        .collect()
}

pub(super) fn cannot_read(path: &Path, error: &io::Error) -> Failure {
    Failure::new("FL5006", path.display().to_string())
        .because(error)
        .exit(Exit::Usage)
}

fn wrong(error: &ScenarioError) -> Failure {
    Failure::new("FL5006", "the scenario")
        .because(error)
        .exit(Exit::Usage)
}

/// Where runs are shown, and served if there is an address.
pub(super) fn metrics(addr: Option<SocketAddr>) -> Result<Rc<Metrics>, Failure> {
    let metrics = Rc::new(Metrics::default());
    if let Some(addr) = addr {
        let listener = Listener::bind(addr)
            .map_err(|error| Failure::new("FL1004", addr.to_string()).because(error))?;
        spawn(Rc::clone(&metrics).serve(listener)).detach();
    }
    Ok(metrics)
}

/// Runs a scenario and shows how far it is.
pub(super) async fn carry_out(
    scenario: &Scenario,
    broker: &str,
    metrics: &Metrics,
) -> Result<(RunResult, Delays), Failure> {
    let run = random_u64();
    let options = Options {
        brokers: vec![broker.to_owned()],
        run,
        asks_cpu: true,
        replay: scenario.load.replay.as_deref().map(replay).transpose()?,
    };
    let live = Arc::new(Live::default());
    let shown = spawn(progress::show(Arc::clone(&live)));
    metrics.show(&scenario.name, run, Arc::clone(&live));
    let told_by = ToldBy {
        run,
        command: std::env::args().collect::<Vec<_>>().join(" "),
        at_ms: wall_clock_ms(),
        environment: Environment::look(),
    };
    let done = Box::pin(drive::run(Arc::new(scenario.clone()), &options, &live)).await;
    shown.cancel();
    progress::end();
    let done = done?;
    Ok((RunResult::new(scenario, &done, told_by), done.delays))
}

/// Reads planned times: nanoseconds from the start, one a line, ascending.
fn replay(path: &Path) -> Result<Arc<[u64]>, Failure> {
    let text = fs::read_to_string(path).map_err(|error| cannot_read(path, &error))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let times: Result<Vec<u64>, _> = lines.map(str::parse).collect();
    let times = times
        .ok()
        .filter(|times| !times.is_empty() && times.is_sorted());
    let times = times.ok_or_else(|| {
        let message = format!("{}: ascending nanoseconds are wanted", path.display());
        Failure::new("FL5006", message).exit(Exit::Usage)
    })?;
    Ok(times.into())
}

/// Writes everything about a run into a directory, which it names.
pub(super) fn leave(
    result: &RunResult,
    delays: &Delays,
    steps: &[Step],
    out: Option<&Path>,
) -> Result<PathBuf, Failure> {
    let name = format!("loadgen-{}", result.run);
    let dir = out.map_or_else(|| PathBuf::from(name), Path::to_path_buf);
    write_all(result, delays, steps, &dir)
        .map_err(|error| Failure::new("FL5007", dir.display().to_string()).because(error))?;
    Ok(dir)
}

fn write_all(result: &RunResult, delays: &Delays, steps: &[Step], dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let text = serde_json::to_string_pretty(result).map_err(io::Error::other)?;
    fs::write(dir.join("result.json"), text)?;
    fs::write(dir.join("report.html"), page(result, steps))?;
    let mut log = BufWriter::new(File::create(dir.join("histograms.hlog"))?);
    write_hlog(delays, result.at_ms, &mut log)?;
    log.flush()
}
