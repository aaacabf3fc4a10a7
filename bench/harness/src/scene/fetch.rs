//! Fetches without a producer beside them: of what is in memory, of what is only on the disk, and
//! of one small batch at a time. Consumers drop what comes.

use std::fs;
use std::io;

use bench_micro::batches::VALUE_BYTES;
use engine_rt::blocking;

use crate::bench::{Bench, Window};
use crate::broker::{Broker, Start};
use crate::client::{
    Client, Consumer, Load, Outcome, Reading, bulk_frames, consume, create_topics, single_frames,
    wait_until_led,
};
use crate::scene::bulk::LARGE;
use crate::table::{CORES, GIB, KRPS, MBPS, MICROS, MILLION, Section, TIMES, row};

/// Bytes of a fetch of many records.
const FETCH_BYTES: i32 = 1 << 20;
/// Large batches in a topic that the broker has in memory: 160 MiB of its 512 MiB.
const HOT_BATCHES: u64 = 640;
/// Batches of one record that each partition has, and partitions.
const SINGLES: u64 = 2000;
const PARTITIONS: i32 = 16;
/// One byte in so many goes before the clock starts.
const WARM_SHARE: u64 = 10;

pub(super) const SECTIONS: &[Section] = &[
    Section {
        title: "Fetch of the tail in memory, 256-record batches, 1 MiB a fetch; 1 consumer",
        rows: &[
            row("hot1.cpu", "CPU charged", GIB, 3).at_most_of(
                "1.5 x memory to socket",
                0.0,
                &[(1.5, "send.1024.cpu")],
            ),
            row("hot1.process", "of it the broker's process", GIB, 3),
            row("hot1.mbps", "throughput", MBPS, 0),
            row("hot1.p99", "answer p99", MICROS, 0),
            row("hot1.read", "bytes read from disk per byte sent", TIMES, 4).at_most(0.0),
            row("hot1.client", "client's core in use", CORES, 2),
        ],
    },
    Section {
        title: "Fetch of the tail in memory, 256-record batches, 1 MiB a fetch; 10 consumers",
        rows: &[
            row("hot10.cpu", "CPU charged", GIB, 3).at_most_of(
                "1.5 x memory to socket",
                0.0,
                &[(1.5, "send.1024.cpu")],
            ),
            row("hot10.process", "of it the broker's process", GIB, 3),
            row("hot10.mbps", "throughput", MBPS, 0),
            row("hot10.p99", "answer p99", MICROS, 0),
            row("hot10.read", "bytes read from disk per byte sent", TIMES, 4).at_most(0.0),
            row("hot10.client", "client's core in use", CORES, 2),
        ],
    },
    Section {
        title: "Fetch of old data from its beginning after a restart, nothing in memory; 1 consumer",
        rows: &[
            row("cold1.cpu", "CPU charged", GIB, 3).at_most_of(
                "2 x memory to socket",
                0.0,
                &[(2.0, "send.1024.cpu")],
            ),
            row("cold1.process", "of it the broker's process", GIB, 3),
            row("cold1.kernel", "kernel threads", GIB, 3),
            row("cold1.mbps", "throughput", MBPS, 0).at_least_of(
                "80 % of the raw reader",
                0.0,
                &[(0.8, "read.mbps")],
            ),
            row("cold1.p99", "answer p99", MICROS, 0),
            row("cold1.read", "bytes read from disk per byte sent", TIMES, 2),
            row("cold1.client", "client's core in use", CORES, 2),
        ],
    },
    Section {
        title: "Fetch of one 1 KiB batch at a time from memory, 16 consumers, 1 in flight each",
        rows: &[
            row("tailone.cpu", "CPU charged", MILLION, 1).at_most_of(
                "2 x echo of the same bytes",
                0.0,
                &[(2.0, "echo.fetch.cpu")],
            ),
            row("tailone.process", "of it the broker's process", MILLION, 1),
            row("tailone.krps", "requests", KRPS, 1),
            row("tailone.p50", "answer p50", MICROS, 0),
            row("tailone.p99", "answer p99", MICROS, 0),
            row("tailone.client", "client's core in use", CORES, 2),
        ],
    },
];

/// Reads large batches, so many of them.
pub(super) const fn large(topic: &'static str, batches: u64) -> Reading {
    Reading {
        topic,
        partition: 0,
        until: batches as i64 * LARGE.records as i64,
        max_bytes: FETCH_BYTES,
        batch_bytes: LARGE.records * (LARGE.value_bytes + 64),
        max_wait_ms: 0,
    }
}

/// Consumers that read one batch of a record at a time, each a partition of its own.
pub(super) fn one_by_one() -> impl Iterator<Item = Reading> {
    (0..PARTITIONS).map(|partition| Reading {
        topic: "single",
        partition,
        until: SINGLES as i64,
        max_bytes: 1,
        batch_bytes: 2 * VALUE_BYTES,
        max_wait_ms: 0,
    })
}

/// How much of that comes to the number of requests that the options say.
pub(super) fn one_by_one_bytes(bench: &Bench) -> u64 {
    bench.options.small_requests * VALUE_BYTES as u64
}

pub(super) async fn run(bench: &mut Bench) -> io::Result<()> {
    let broker = Start::new(&bench.options).run(&bench.options)?;
    create_topics(broker.addr, &[("hot", 1)]).await?;
    preload(&broker, "hot", HOT_BATCHES).await?;
    for (key, count) in [("hot1", 1), ("hot10", 10)] {
        let bytes = bench.options.bulk_mib << 20;
        let readings = vec![large("hot", HOT_BATCHES); count];
        let (outcome, window) = measured(bench, &broker, readings, bytes).await?;
        figures(bench, key, &outcome, &window)?;
    }
    broker.stop().await?;
    one_at_a_time(bench).await?;
    cold(bench).await
}

/// On a broker of its own, which has all of it in its tail.
async fn one_at_a_time(bench: &mut Bench) -> io::Result<()> {
    let broker = Start::new(&bench.options).run(&bench.options)?;
    create_topics(broker.addr, &[("single", PARTITIONS)]).await?;
    let singles = Load {
        frames: single_frames("single", PARTITIONS)?,
        in_flight: 16,
        requests: SINGLES * PARTITIONS as u64,
    };
    let client = Client::connect(broker.addr, singles.frames.len()).await?;
    client.run(&singles).await?;
    let (readings, bytes) = (one_by_one().collect(), one_by_one_bytes(bench));
    let (outcome, window) = measured(bench, &broker, readings, bytes).await?;
    figures(bench, "tailone", &outcome, &window)?;
    broker.stop().await
}

async fn cold(bench: &mut Bench) -> io::Result<()> {
    let bytes = (bench.options.bulk_mib << 20) / 2;
    let batches = bytes / (LARGE.records * LARGE.value_bytes) as u64;
    let start = Start::new(&bench.options);
    let broker = start.run(&bench.options)?;
    create_topics(broker.addr, &[("cold", 1)]).await?;
    preload(&broker, "cold", batches).await?;
    broker.end().await?;
    drop_page_cache().await?;
    let broker = start.again(&[]).run(&bench.options)?;
    wait_until_led(broker.addr, &[("cold", 1)]).await?;
    let consumer = Consumer::connect(broker.addr, large("cold", batches), 0).await?;
    let load = consume(vec![consumer], bytes);
    let ((_, outcome), window) = bench.watch(broker.pid(), load).await?;
    figures(bench, "cold1", &outcome, &window)?;
    broker.stop().await
}

/// Fills partition 0 of a topic with so many large batches.
pub(super) async fn preload(broker: &Broker, topic: &str, batches: u64) -> io::Result<()> {
    let load = Load {
        frames: vec![bulk_frames(topic, 1, LARGE)?],
        in_flight: 8,
        requests: batches,
    };
    let client = Client::connect(broker.addr, 1).await?;
    client.run(&load).await?;
    Ok(())
}

/// Reads of files begin at the disk.
pub(super) async fn drop_page_cache() -> io::Result<()> {
    blocking(|| fs::write("/proc/sys/vm/drop_caches", "1")).await
}

/// Consumers that begin at offsets spread over their partitions, after a share of the bytes that
/// does not count.
async fn measured(
    bench: &mut Bench,
    broker: &Broker,
    readings: Vec<Reading>,
    bytes: u64,
) -> io::Result<(Outcome, Window)> {
    let mut consumers = Vec::new();
    let count = readings.len() as i64;
    for (number, reading) in readings.into_iter().enumerate() {
        let offset = reading.until * number as i64 / count;
        consumers.push(Consumer::connect(broker.addr, reading, offset).await?);
    }
    let (consumers, _) = consume(consumers, bytes / WARM_SHARE).await?;
    let load = consume(consumers, bytes);
    let ((_, outcome), window) = bench.watch(broker.pid(), load).await?;
    Ok((outcome, window))
}

/// The figures of a case that have a row; what one costs is by GiB or by requests.
fn figures(bench: &mut Bench, key: &str, outcome: &Outcome, window: &Window) -> io::Result<()> {
    let amount = if key == "tailone" {
        outcome.millions()
    } else {
        outcome.gib()
    };
    let figures = [
        ("cpu", window.charged() / amount),
        ("process", window.server.cpu.as_secs_f64() / amount),
        ("kernel", window.kernel.as_secs_f64() / amount),
        ("mbps", outcome.mbps()),
        ("krps", outcome.krps()),
        ("p50", outcome.micros(0.5)),
        ("p99", outcome.micros(0.99)),
        ("read", window.server.read as f64 / outcome.bytes as f64),
        ("client", window.client_cores()),
    ];
    for (name, value) in figures {
        bench.add_known(&format!("{key}.{name}"), value)?;
    }
    Ok(())
}
