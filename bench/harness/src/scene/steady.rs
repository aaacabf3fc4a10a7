//! The tail of the latency while the engine keeps house: the same planned load on a broker that has
//! nothing to tidy up, and on one whose journal turns over, that takes checkpoints, rolls segments
//! and deletes old ones all the time.

use std::io;

use crate::bench::Bench;
use crate::broker::{Broker, Start};
use crate::client::{Client, Outcome, Plan, create_topics, spread_frames};
use crate::metrics::Metrics;
use crate::table::{MICROS, Section, TIMES, row};

pub(super) const TOPIC: &str = "steady";
pub(super) const PARTITIONS: i32 = 16;
pub(super) const CONNECTIONS: usize = 16;
/// Records a second.
pub(super) const RATE: u64 = 4_000;
const SECONDS: u64 = 8;
const SECONDS_QUICK: u64 = 3;
/// Seconds before the clock starts: the first journal files are made in them.
const WARM_SECONDS: u64 = 4;

pub(super) const SECTIONS: &[Section] = &[Section {
    title: "One 1 KiB record a request, flushed; 4,000/s as planned (open loop) over 16 partitions, 16 connections",
    rows: &[
        row("steady.calm.p50", "nothing to tidy up: p50", MICROS, 0),
        row("steady.calm.p99", "p99", MICROS, 0),
        row("steady.calm.p999", "p99.9", MICROS, 0),
        row("steady.busy.p50", "always tidying up: p50", MICROS, 0),
        row("steady.busy.p99", "p99", MICROS, 0),
        row("steady.busy.p999", "p99.9", MICROS, 0).at_most_of(
            "2 x the calm p99.9",
            0.0,
            &[(2.0, "steady.calm.p999")],
        ),
        row("steady.turns", "journal turn-overs meanwhile", TIMES, 0),
        row("steady.checkpoints", "checkpoints", TIMES, 0),
        row("steady.rolled", "segments rolled", TIMES, 0),
        row("steady.deleted", "segments deleted by retention", TIMES, 0),
    ],
}];

/// A journal whose one large file lasts for the whole measurement, and segments that never fill.
pub(super) const CALM: [&str; 4] = [
    "--set",
    "flumen.journal.file.bytes=536870912",
    "--set",
    "flumen.journal.files.max=2",
];
/// Small journal files and segments, and little that is retained.
pub(super) const BUSY: [&str; 10] = [
    "--set",
    "flumen.journal.file.bytes=2097152",
    "--set",
    "flumen.journal.files.max=8",
    "--set",
    "log.segment.bytes=1048576",
    "--set",
    "log.retention.bytes=2097152",
    "--set",
    "log.retention.check.interval.ms=250",
];

/// What the engine did besides appending.
const TIDYING: [(&str, &str); 4] = [
    ("turns", "flumen_journal_turns_total"),
    ("checkpoints", "flumen_checkpoints_total"),
    ("rolled", "flumen_segments_rolled_total"),
    ("deleted", "flumen_segments_deleted_total"),
];

pub(super) async fn run(bench: &mut Bench) -> io::Result<()> {
    let mut cases = [("calm", &CALM[..]), ("busy", &BUSY[..])];
    if bench.round % 2 == 1 {
        cases.reverse();
    }
    for (name, args) in cases {
        let broker = Start::new(&bench.options).args(args).run(&bench.options)?;
        let (outcome, did) = measured(bench, &broker).await?;
        broker.stop().await?;
        for (quantile, value) in [("p50", 0.5), ("p99", 0.99), ("p999", 0.999)] {
            bench.add(&format!("steady.{name}.{quantile}"), outcome.micros(value))?;
        }
        check(name, &did)?;
        if name == "busy" {
            for (what, count) in did {
                bench.add(&format!("steady.{what}"), count)?;
            }
        }
    }
    Ok(())
}

async fn measured(
    bench: &mut Bench,
    broker: &Broker,
) -> io::Result<(Outcome, Vec<(&'static str, f64)>)> {
    create_topics(broker.addr, &[(TOPIC, PARTITIONS)]).await?;
    let client = Client::connect(broker.addr, CONNECTIONS).await?;
    let seconds = if bench.options.quick {
        SECONDS_QUICK
    } else {
        SECONDS
    };
    client.keep_to(&plan(WARM_SECONDS)?).await?;
    let plan = plan(seconds)?;
    let load = async {
        let before = Metrics::scrape(broker.admin).await?;
        let outcome = client.keep_to(&plan).await?;
        let after = Metrics::scrape(broker.admin).await?;
        let did = |(what, metric): (&'static str, &str)| Ok((what, after.since(&before, metric)?));
        let did: io::Result<Vec<_>> = TIDYING.into_iter().map(did).collect();
        Ok((outcome, did?))
    };
    let ((outcome, did), _) = bench.watch(broker.pid(), load).await?;
    Ok((outcome, did))
}

/// So many seconds of the load.
pub(super) fn plan(seconds: u64) -> io::Result<Plan> {
    Ok(Plan {
        frames: spread_frames(TOPIC, PARTITIONS, CONNECTIONS)?,
        rate: RATE,
        requests: seconds * RATE,
    })
}

/// A comparison of what did not happen says nothing.
fn check(name: &str, did: &[(&str, f64)]) -> io::Result<()> {
    let expected = |count: f64| (name == "busy") == (count > 0.0);
    let wrong = did.iter().find(|(_, count)| !expected(*count));
    wrong.map_or(Ok(()), |(what, count)| {
        Err(io::Error::other(format!("{name}: {count} {what}")))
    })
}
