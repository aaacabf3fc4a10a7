//! One hour of the load of `steady.rs` on a broker that tidies up all the time: does anything grow?
//! Only with `--full`.

use std::fs;
use std::io;
use std::path::Path;

use crate::bench::Bench;
use crate::broker::Start;
use crate::client::{Client, create_topics};
use crate::metrics::Metrics;
use crate::resident::Resident;
use crate::scene::steady::{BUSY, CONNECTIONS, PARTITIONS, RATE, TOPIC, plan};
use crate::table::{MICROS, SECONDS, Section, TIMES, row};

/// Parts that the hour is looked at in.
const PARTS: u64 = 12;
const MIB: f64 = (1 << 20) as f64;

pub(super) const SECTIONS: &[Section] = &[Section {
    title: "An hour of that on a broker that always tidies up (`--full`), first and last five minutes",
    rows: &[
        row("hour.seconds", "measured", SECONDS, 0),
        row("hour.first.p999", "first p99.9", MICROS, 0),
        row("hour.last.p999", "last p99.9", MICROS, 0).at_most_of(
            "2 x the first",
            0.0,
            &[(2.0, "hour.first.p999")],
        ),
        row("hour.first.rss", "memory after the first", "MiB", 1),
        row("hour.last.rss", "memory at the end", "MiB", 1).at_most_of(
            "1.02 x the first + 1 MiB",
            1.0,
            &[(1.02, "hour.first.rss")],
        ),
        row(
            "hour.first.disk",
            "data directory after the first",
            "MiB",
            1,
        ),
        row("hour.last.disk", "data directory at the end", "MiB", 1).at_most_of(
            "1.1 x the first",
            0.0,
            &[(1.1, "hour.first.disk")],
        ),
        row("hour.journals", "journal files made in the hour", TIMES, 0).at_most(8.0),
        row("hour.turns", "journal turn-overs", TIMES, 0),
        row("hour.deleted", "segments deleted by retention", TIMES, 0),
    ],
}];

pub(super) async fn run(bench: &mut Bench) -> io::Result<()> {
    let broker = Start::new(&bench.options).args(&BUSY).run(&bench.options)?;
    create_topics(broker.addr, &[(TOPIC, PARTITIONS)]).await?;
    let data = bench.options.data.join("broker");
    let client = Client::connect(broker.addr, CONNECTIONS).await?;
    let part = plan(bench.options.hour_seconds / PARTS)?;
    bench.add("hour.seconds", (part.requests / RATE * PARTS) as f64)?;
    for number in 0..PARTS {
        let outcome = client.keep_to(&part).await?;
        let name = match number {
            0 => "first",
            last if last == PARTS - 1 => "last",
            _ => continue,
        };
        bench.add(&format!("hour.{name}.p999"), outcome.micros(0.999))?;
        let resident = Resident::of(broker.pid())?.now as f64 / MIB;
        bench.add(&format!("hour.{name}.rss"), resident)?;
        bench.add(
            &format!("hour.{name}.disk"),
            disk_bytes(&data)? as f64 / MIB,
        )?;
    }
    let metrics = Metrics::scrape(broker.admin).await?;
    bench.add("hour.journals", newest_journal(&data)?)?;
    bench.add("hour.turns", metrics.get("flumen_journal_turns_total")?)?;
    bench.add(
        "hour.deleted",
        metrics.get("flumen_segments_deleted_total")?,
    )?;
    broker.stop().await
}

/// Bytes of all files below `dir`. A file may go while they are counted.
fn disk_bytes(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)?.filter_map(Result::ok) {
        let Ok(found) = entry.metadata() else {
            continue;
        };
        bytes += if found.is_dir() {
            disk_bytes(&entry.path())?
        } else {
            found.len()
        };
    }
    Ok(bytes)
}

/// Journal files are numbered as they are made: recycled ones keep their number.
fn newest_journal(data: &Path) -> io::Result<f64> {
    let mut newest = 0;
    for generation in fs::read_dir(data.join("shards"))? {
        for file in fs::read_dir(generation?.path().join("0"))? {
            let name = file?.file_name().to_string_lossy().into_owned();
            let number = name.strip_suffix(".journal").and_then(|n| n.parse().ok());
            newest = newest.max(number.unwrap_or(0));
        }
    }
    Ok(f64::from(newest))
}
