//! All rounds, then the results.

use std::fs;
use std::io::{self, Write};

use clap::ValueEnum;
use engine_rt::ring::{self, Options as RingOptions};
use engine_rt::{ExecutorSpec, now};

use crate::Options;
use crate::bench::Bench;
use crate::environment::Environment;
use crate::report::Report;
use crate::scene::Scene;

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
    let mut bench = Bench::new(options);
    let mut failed = Vec::new();
    for round in 0..bench.options.rounds {
        bench.round = round;
        for scene in order(&bench.options, round) {
            if let Err(error) = timed(scene, &mut bench).await {
                writeln!(io::stderr(), ": {error}")?;
                failed.push(format!("{scene:?}"));
            }
        }
        // A run that is cut short has its whole rounds.
        Report::new(&bench, &machine).write()?;
    }
    let report = Report::new(&bench, &machine);
    io::stdout().write_all(report.markdown().as_bytes())?;
    if failed.is_empty() {
        return Ok(());
    }
    Err(io::Error::other(format!("failed: {}", failed.join(", "))))
}

/// Runs a scene and says how long it took. One that fails leaves the others their turn.
async fn timed(scene: Scene, bench: &mut Bench) -> io::Result<()> {
    let (started, rounds) = (now(), bench.options.rounds);
    let number = bench.round + 1;
    write!(io::stderr(), "round {number} of {rounds}: {scene:?}")?;
    scene.run(bench).await?;
    writeln!(io::stderr(), ", {} s", (now() - started).as_secs())
}

/// The physical parts come first, as others are held against them; every other round goes through
/// the rest backwards.
fn order(options: &Options, round: usize) -> Vec<Scene> {
    let full = |scene: &Scene| *scene != Scene::Hour || (options.full && round == 0);
    let chosen =
        |scene: &Scene| options.only.contains(scene) || (options.only.is_empty() && full(scene));
    let all = Scene::value_variants().iter().copied();
    let mut scenes: Vec<Scene> = all.filter(chosen).collect();
    if round % 2 == 1 {
        scenes.reverse();
        scenes.sort_by_key(|scene| *scene != Scene::Physical);
    }
    scenes
}
