//! All rounds, then the results.

use std::fs;
use std::io::{self, Write};

use engine_rt::ExecutorSpec;
use engine_rt::ring::{self, Options as RingOptions};

use crate::Options;
use crate::environment::Environment;
use crate::report;
use crate::round::{self, Cases, Results};

pub(crate) fn run(mut options: Options) -> io::Result<()> {
    fs::create_dir_all(&options.data)?;
    // Parts and brokers may look at it from elsewhere.
    options.data = fs::canonicalize(&options.data)?;
    let spec = ExecutorSpec {
        name: "client".to_owned(),
        cpu: Some(options.client_cpu),
    };
    ring::run(spec, RingOptions::default(), || measure(options))?
}

async fn measure(options: Options) -> io::Result<()> {
    let machine = Environment::look(&options.data)?;
    let cases = Cases::new(&options)?;
    let mut results = Results::default();
    for number in 0..options.rounds {
        writeln!(io::stderr(), "round {} of {}", number + 1, options.rounds)?;
        round::run(&options, &cases, &mut results, number).await?;
    }
    let table = report::markdown(&options, &machine, &results);
    io::stdout().write_all(table.as_bytes())?;
    if let Some(dir) = &options.results {
        let name = format!(
            "{}-{}",
            options.date,
            env!("CARGO_PKG_NAME").trim_start_matches("bench-")
        );
        report::write(
            dir,
            &name,
            &table,
            &report::json(&options, &machine, &results),
        )?;
    }
    Ok(())
}
