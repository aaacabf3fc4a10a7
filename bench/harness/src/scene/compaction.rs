//! A compacted topic becomes clean beside a producer of another one, held against a raw writer beside
//! raw reads and writes at the same rates. With `--full` ten times as much, and once a run.

use std::fs;
use std::io;
use std::mem;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use bench_micro::batches::drawn;
use engine_rt::now;
use hdrhistogram::Histogram;

use crate::bench::{self, Bench, Window};
use crate::broker::{Broker, Start};
use crate::child::Child;
use crate::client::{
    Client, Content, Frame, Load, Plan, alter_topic, create_topic_with, create_topics, keyed_frame,
    latencies, single_frames,
};
use crate::metrics::Metrics;
use crate::resident::Resident;
use crate::table::{GIB, MIB, MICROS, SECONDS, Section, TIMES, row};

const TOPIC: &str = "compacted";
const PARTITIONS: i32 = 4;
/// Of all partitions together.
const KEYS: u64 = 1_000_000;
const CONTENT: Content = Content {
    records: 1_000,
    value_bytes: 100,
};
/// Two of them for each partition are 128 MiB.
const SEGMENT_BYTES: &str = "16777216";
/// Nothing is due at first.
const RATIO: &str = "min.cleanable.dirty.ratio";
const CONFIGS: [(&str, &str); 3] = [
    ("cleanup.policy", "compact"),
    ("segment.bytes", SEGMENT_BYTES),
    (RATIO, "1"),
];
/// Kafka's default.
const RATIO_DUE: &str = "0.5";
/// Four times the rate that a node has by itself.
const CLEANER_RATE: f64 = (128 << 20) as f64;
const SETTINGS: [&str; 6] = [
    "--set",
    "log.cleaner.io.max.bytes.per.second=134217728",
    "--set",
    "log.cleaner.dedupe.buffer.size=33554432",
    "--set",
    "log.cleaner.backoff.ms=500",
];
const IN_FLIGHT: usize = 8;
/// Frames that are made at a time: about 30 MiB.
const FRAMES_AT_ONCE: i32 = 256;

/// Records a second beside it, of all connections.
const RATE: u64 = 2_000;
const CONNECTIONS: i32 = 4;
/// Looks in a second at how far it is.
const PARTS: u64 = 2;
/// A cleaning may take so many times what its rate says, and this much more.
const PATIENCE_FACTOR: u32 = 10;
const PATIENCE: Duration = Duration::from_mins(1);
const FULL: u64 = 10;
/// The unit in which a file's space is told.
const BLOCK_BYTES: u64 = 512;
const MIB_BYTES: f64 = (1 << 20) as f64;
const CLEANINGS: &str = "flumen_cleanings_total";
const DUE: &str = "flumen_cleaner_due_partitions";
const READ: &str = "flumen_cleaner_read_bytes_total";

pub(super) const SECTIONS: &[Section] = &[Section {
    title: "A compacted topic, 1,000,000 keys at random, 100-byte values, 4 partitions, segments of 16 MiB, \
            read at 128 MiB/s at most, beside 2,000 records of 1 KiB a second, planned, 4 connections",
    rows: &[
        row("compaction.before", "on the disk before", MIB, 0),
        row("compaction.live", "last records of their keys", MIB, 0),
        row("compaction.disk", "on the disk when nothing is due", MIB, 0).at_most_of(
            "2 x live + two segments a partition",
            128.0,
            &[(2.0, "compaction.live")],
        ),
        row("compaction.seconds", "until nothing is due", SECONDS, 1).at_most_of(
            "2 x what it read at its rate + 2 s",
            2.0,
            &[(2.0, "compaction.by_rate")],
        ),
        row("compaction.by_rate", "what it read at its rate", SECONDS, 1),
        row(
            "compaction.read",
            "bytes read of each byte of log",
            TIMES,
            2,
        )
        .at_most(2.1),
        row("compaction.written", "bytes written", TIMES, 2),
        row("compaction.rss", "most memory resident", MIB, 0).at_most_of(
            "--memory + 48 MiB",
            560.0,
            &[],
        ),
        row("compaction.memory", "above that before it", MIB, 0),
        row(
            "compaction.cpu",
            "CPU charged beyond the producer's, of each GiB of log",
            GIB,
            3,
        ),
        row(
            "compaction.alone.p50",
            "acknowledgement p50 before",
            MICROS,
            0,
        ),
        row("compaction.alone.p99", "p99", MICROS, 0),
        row("compaction.p50", "acknowledgement p50 beside it", MICROS, 0),
        row("compaction.p99", "p99", MICROS, 0),
        row(
            "compaction.moves",
            "p99 beside it as a multiple of p99 before",
            TIMES,
            2,
        )
        .at_most_of(
            "1.1 x as much as the raw writer's moves",
            0.0,
            &[(1.1, "compaction.raw.moves")],
        ),
        row(
            "compaction.raw.alone.p50",
            "raw 4 KiB writes + DSYNC, as many, p50 alone",
            MICROS,
            0,
        ),
        row("compaction.raw.alone.p99", "p99", MICROS, 0),
        row(
            "compaction.raw.p50",
            "p50 beside raw reads and writes of 1 MiB at the cleaner's rates",
            MICROS,
            0,
        ),
        row("compaction.raw.p99", "p99", MICROS, 0),
        row(
            "compaction.raw.moves",
            "p99 beside them as a multiple of p99 alone",
            TIMES,
            2,
        ),
    ],
}];

/// What was seen while the producer kept to its plan.
struct Seen {
    latencies: Histogram<u64>,
    window: Window,
    before: Metrics,
    after: Metrics,
}

pub(super) async fn run(bench: &mut Bench) -> io::Result<()> {
    let options = &bench.options;
    if options.full && bench.round > 0 {
        return Ok(());
    }
    let mib = options.compaction_mib * if options.full { FULL } else { 1 };
    let broker = Start::new(options).args(&SETTINGS).run(options)?;
    create_topics(broker.addr, &[("new", CONNECTIONS)]).await?;
    let id = create_topic_with(broker.addr, (TOPIC, PARTITIONS), &CONFIGS).await?;
    let name = format!("{:032x}", u128::from_be_bytes(*id.as_bytes()));
    let dir = options.data.join("broker/topics").join(name);
    // The memory for the newest records is full behind it, and does not grow any more.
    let live = fill(&broker, mib).await?;
    bench.add("compaction.live", live / MIB_BYTES)?;
    let read = beside(bench, &broker, &dir, mib).await?;
    broker.stop().await?;
    raw(bench, read).await
}

/// Fills the topic; the bytes that the last records of all keys come to.
async fn fill(broker: &Broker, mib: u64) -> io::Result<f64> {
    let client = Client::connect(broker.addr, 1).await?;
    let mut keys = Keys {
        seen: vec![false; KEYS as usize],
        last: 0,
        drawn: 0,
    };
    let (mut number, mut bytes) = (0, 0);
    while bytes < mib << 20 {
        let frames = (number..number + FRAMES_AT_ONCE).map(|number| keys.frame(number));
        let frames: Rc<[Frame]> = frames.collect::<io::Result<_>>()?;
        let load = Load {
            requests: frames.len() as u64,
            frames: vec![frames],
            in_flight: IN_FLIGHT,
        };
        bytes += client.run(&load).await?.bytes;
        number += FRAMES_AT_ONCE;
    }
    Ok(bytes as f64 * keys.last as f64 / keys.drawn as f64)
}

/// Which keys were drawn.
struct Keys {
    seen: Vec<bool>,
    /// Records that are the last ones of their keys.
    last: usize,
    /// Records.
    drawn: usize,
}

impl Keys {
    /// The next request, with keys of its partition only.
    fn frame(&mut self, number: i32) -> io::Result<Frame> {
        let partition = number % PARTITIONS;
        let of_all = |key| key * PARTITIONS as u64 + partition as u64;
        let keys = drawn(CONTENT.records, KEYS / PARTITIONS as u64, number as u64);
        let keys: Vec<u64> = keys.into_iter().map(of_all).collect();
        self.drawn += keys.len();
        for key in &keys {
            let is_new = !mem::replace(&mut self.seen[*key as usize], true);
            self.last += usize::from(is_new);
        }
        keyed_frame(TOPIC, partition, &keys, CONTENT.value_bytes, number)
    }
}

/// The producer alone, then beside the cleaning; the bytes that it reads and writes in a second.
async fn beside(bench: &mut Bench, broker: &Broker, dir: &Path, mib: u64) -> io::Result<[f64; 2]> {
    let client = Client::connect(broker.addr, CONNECTIONS as usize).await?;
    let mut parts = PARTS * seconds(bench);
    let alone = produce(bench, broker, &client, mib, |_| {
        parts -= 1;
        parts == 0
    })
    .await?;
    bench.add("compaction.before", on_disk(dir)? / MIB_BYTES)?;
    Resident::forget_peak(broker.pid())?;
    let before = Resident::of(broker.pid())?.now;
    alter_topic(broker.addr, TOPIC, (RATIO, RATIO_DUE)).await?;
    let seen = produce(bench, broker, &client, mib, is_clean).await?;
    let peak = Resident::of(broker.pid())?.peak;
    bench.add("compaction.disk", on_disk(dir)? / MIB_BYTES)?;
    let more = peak.saturating_sub(before) as f64;
    bench.add("compaction.rss", peak as f64 / MIB_BYTES)?;
    bench.add("compaction.memory", more / MIB_BYTES)?;
    for (key, seen) in [("compaction.alone", &alone), ("compaction", &seen)] {
        bench.add(&format!("{key}.p50"), seen.micros(0.5))?;
        bench.add(&format!("{key}.p99"), seen.micros(0.99))?;
    }
    bench.add("compaction.moves", seen.micros(0.99) / alone.micros(0.99))?;
    cleaned(bench, &alone, &seen, mib)
}

/// What the cleaning took; the bytes that it read and wrote in a second.
fn cleaned(bench: &mut Bench, alone: &Seen, seen: &Seen, mib: u64) -> io::Result<[f64; 2]> {
    let seconds = seen.window.seconds();
    let share = seconds / alone.window.seconds();
    let of_producer = |used: f64| used * share;
    let cpu = seen.window.charged() - of_producer(alone.window.charged());
    let written = seen.window.server.written as f64;
    let written = (written - of_producer(alone.window.server.written as f64)).max(0.0);
    let read = seen.after.since(&seen.before, READ)?;
    let log = mib as f64 * MIB_BYTES;
    let figures = [
        ("seconds", seconds),
        ("by_rate", read / CLEANER_RATE),
        ("read", read / log),
        ("written", written / log),
        ("cpu", cpu / (log / bench::GIB)),
    ];
    for (name, value) in figures {
        bench.add(&format!("compaction.{name}"), value)?;
    }
    Ok([read / seconds, written / seconds])
}

/// Every partition was cleaned, and none is due again.
fn is_clean(metrics: &Metrics) -> bool {
    let get = |name| metrics.get(name).unwrap_or_default();
    get(CLEANINGS) >= f64::from(PARTITIONS) && get(DUE) == 0.0
}

/// Keeps to the plan in parts, until the broker's metrics say that it is over.
async fn produce(
    bench: &mut Bench,
    broker: &Broker,
    client: &Client,
    mib: u64,
    mut is_over: impl FnMut(&Metrics) -> bool,
) -> io::Result<Seen> {
    let part = Plan {
        frames: single_frames("new", CONNECTIONS)?,
        rate: RATE,
        requests: RATE / PARTS,
    };
    let by_rate = 2.0 * mib as f64 * MIB_BYTES / CLEANER_RATE;
    let deadline = now() + PATIENCE + Duration::from_secs_f64(by_rate) * PATIENCE_FACTOR;
    let load = async {
        let before = Metrics::scrape(broker.admin).await?;
        let mut found = latencies();
        loop {
            let outcome = client.keep_to(&part).await?;
            found.add(&outcome.latencies).map_err(io::Error::other)?;
            let after = Metrics::scrape(broker.admin).await?;
            if is_over(&after) {
                return Ok((found, before, after));
            }
            if now() > deadline {
                return Err(io::Error::other("the topic does not become clean"));
            }
        }
    };
    let ((latencies, before, after), window) = bench.watch(broker.pid(), load).await?;
    Ok(Seen {
        latencies,
        window,
        before,
        after,
    })
}

impl Seen {
    fn micros(&self, quantile: f64) -> f64 {
        self.latencies.value_at_quantile(quantile) as f64 / 1e3
    }
}

const fn seconds(bench: &Bench) -> u64 {
    if bench.options.quick { 3 } else { 5 }
}

async fn raw(bench: &mut Bench, [read, written]: [f64; 2]) -> io::Result<()> {
    let dir = bench.options.data.to_string_lossy().into_owned();
    let values = [
        ("--scene", "compaction".to_owned()),
        ("--dir", dir),
        ("--rate", RATE.to_string()),
        ("--mbps", (read / 1e6).to_string()),
        ("--written-mbps", (written / 1e6).to_string()),
        ("--seconds", seconds(bench).to_string()),
    ];
    let mut args = vec!["beside"];
    args.extend(
        values
            .iter()
            .flat_map(|(name, value)| [*name, value.as_str()]),
    );
    bench.quiet().await?;
    for (key, value) in Child::figures(&args, bench.options.server_cpu).await? {
        bench.add(&key, value)?;
    }
    Ok(())
}

/// Bytes of the file system that a topic's files have. A file may go while they are counted.
fn on_disk(dir: &Path) -> io::Result<f64> {
    let files = fs::read_dir(dir)?.filter_map(|entry| entry.ok()?.metadata().ok());
    let blocks: u64 = files.map(|file| file.blocks()).sum();
    Ok((blocks * BLOCK_BYTES) as f64)
}
