//! One hour of the load of `steady.rs` on a broker that tidies up all the time: does anything grow?
//! Only with `--full`.

use std::cell::Cell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use engine_rt::{Task, sleep, spawn};

use crate::bench::Bench;
use crate::broker::Start;
use crate::client::{Client, create_topics};
use crate::metrics::Metrics;
use crate::resident::Resident;
use crate::scene::steady::{BUSY, CALM, CONNECTIONS, PARTITIONS, RATE, TOPIC, plan};
use crate::table::{MICROS, SECONDS, Section, TIMES, row};

/// Parts that the hour is looked at in. Halves are compared: the most that a half needed, since memory
/// and disk breathe with every checkpoint and every segment.
const PARTS: u64 = 12;
const HALVES: [&str; 2] = ["first", "second"];
/// Shorter than the calm broker's one journal file lasts.
const CALM_SECONDS: u64 = 30;
/// How often memory and disk are looked at.
const LOOK: Duration = Duration::from_secs(1);
const MIB: f64 = (1 << 20) as f64;

pub(super) const SECTIONS: &[Section] = &[Section {
    title: "An hour of that on a broker that always tidies up (`--full`), its first and its second half",
    rows: &[
        row("hour.seconds", "measured", SECONDS, 0),
        row("hour.calm.p999", "p99.9 with nothing to tidy up", MICROS, 0),
        row(
            "hour.first.p999",
            "p99.9, median of six parts of the first half",
            MICROS,
            0,
        ),
        row("hour.second.p999", "of the second half", MICROS, 0).at_most_of(
            "2 x calm",
            0.0,
            &[(2.0, "hour.calm.p999")],
        ),
        row("hour.first.rss", "most memory, first half", "MiB", 1),
        row("hour.second.rss", "second half", "MiB", 1).at_most_of(
            "1.02 x the first + 1 MiB",
            1.0,
            &[(1.02, "hour.first.rss")],
        ),
        row(
            "hour.first.disk",
            "most in the data directory, first half",
            "MiB",
            1,
        ),
        row("hour.second.disk", "second half", "MiB", 1).at_most_of(
            "1.02 x the first + 1 MiB",
            1.0,
            &[(1.02, "hour.first.disk")],
        ),
        row(
            "hour.first.journals",
            "journal files made, first half",
            TIMES,
            0,
        ),
        row(
            "hour.second.journals",
            "in the second half besides",
            TIMES,
            0,
        )
        .at_most(0.0),
        row("hour.turns", "journal turn-overs", TIMES, 0),
        row("hour.deleted", "segments deleted by retention", TIMES, 0),
    ],
}];

pub(super) async fn run(bench: &mut Bench) -> io::Result<()> {
    let part = plan(bench.options.hour_seconds / PARTS)?;
    bench.add("hour.seconds", (part.requests / RATE * PARTS) as f64)?;
    calm(bench).await?;
    let broker = Start::new(&bench.options).args(&BUSY).run(&bench.options)?;
    create_topics(broker.addr, &[(TOPIC, PARTITIONS)]).await?;
    let client = Client::connect(broker.addr, CONNECTIONS).await?;
    let data = bench.options.data.join("broker");
    let mut journals = 0.0;
    for half in HALVES {
        let watch = Watch::start(broker.pid(), data.clone());
        let mut tails = Vec::new();
        for _ in 0..PARTS / 2 {
            tails.push(client.keep_to(&part).await?.micros(0.999));
        }
        tails.sort_by(f64::total_cmp);
        bench.add(&format!("hour.{half}.p999"), tails[tails.len() / 2])?;
        let most = watch.stop();
        bench.add(&format!("hour.{half}.rss"), most.resident as f64 / MIB)?;
        bench.add(&format!("hour.{half}.disk"), most.disk as f64 / MIB)?;
        let newest = newest_journal(&data)?;
        bench.add(&format!("hour.{half}.journals"), newest - journals)?;
        journals = newest;
    }
    let metrics = Metrics::scrape(broker.admin).await?;
    bench.add("hour.turns", metrics.get("flumen_journal_turns_total")?)?;
    bench.add(
        "hour.deleted",
        metrics.get("flumen_segments_deleted_total")?,
    )?;
    broker.stop().await
}

/// What the hour's tail is held against: the load on a broker with nothing to tidy up.
async fn calm(bench: &mut Bench) -> io::Result<()> {
    let broker = Start::new(&bench.options).args(&CALM).run(&bench.options)?;
    create_topics(broker.addr, &[(TOPIC, PARTITIONS)]).await?;
    let client = Client::connect(broker.addr, CONNECTIONS).await?;
    bench.add(
        "hour.calm.p999",
        client.keep_to(&plan(CALM_SECONDS)?).await?.micros(0.999),
    )?;
    broker.stop().await
}

/// The most of something, in bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Most {
    resident: u64,
    disk: u64,
}

/// Looks at a broker's memory and data directory until it is stopped.
struct Watch {
    most: Rc<Cell<Most>>,
    task: Task<()>,
}

impl Watch {
    fn start(pid: u32, data: PathBuf) -> Self {
        let most = Rc::new(Cell::new(Most::default()));
        let seen = Rc::clone(&most);
        let task = spawn(async move {
            while let (Ok(memory), Ok(disk)) = (Resident::of(pid), disk_bytes(&data)) {
                let Most { resident, disk: d } = seen.get();
                seen.set(Most {
                    resident: resident.max(memory.now),
                    disk: d.max(disk),
                });
                sleep(LOOK).await;
            }
        });
        Self { most, task }
    }

    fn stop(self) -> Most {
        self.task.cancel();
        self.most.get()
    }
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
