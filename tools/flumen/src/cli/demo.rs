//! `flumen demo`: a broker with nothing to set, and a client that shows what it does.

use engine_rt::{ExecutorSpec, ring};
use flumen::broker::Settings;
use flumen::demo::{self, DemoOptions};

use super::args::{DemoArgs, LogFormat, RuntimeChoice, StartArgs};
use super::{log, runtime, start};
use crate::errors::Failure;

/// Only what is wrong stands between the demonstration's own lines.
const LOG_LEVEL: &str = "warn";

/// Shows what a broker does.
pub(crate) fn run(args: DemoArgs) -> Result<(), Failure> {
    let log = log::init(LogFormat::Text, LOG_LEVEL)?;
    let executors = ring::Options {
        runtime: runtime::choose(RuntimeChoice::Auto, &ring::probe())?,
        ..ring::Options::default()
    };
    let asked = StartArgs {
        data: args.data,
        kafka_addr: vec![args.kafka_addr],
        ..StartArgs::default()
    };
    let broker = start::broker_config(&asked, Settings::default())?;
    let options = DemoOptions {
        broker,
        records: args.records,
        exit: args.exit,
    };
    let spec = ExecutorSpec {
        name: "control".to_owned(),
        cpu: None,
    };
    let shown = ring::run(spec, executors, move || demo::run(options));
    // What waits of the log is written before an error is.
    drop(log);
    let shown = shown.map_err(|error| {
        Failure::new("FL1017", "the control executor cannot start").because(error)
    })?;
    Ok(shown?)
}
