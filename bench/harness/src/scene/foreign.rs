//! A control: the same work by clients that others wrote, each a process on the client's core. It
//! shows whether what the lean client makes cheap is cheap with real clients, too. Once a run, in its
//! first round.

use std::io;

use crate::bench::{self, Bench, Window};
use crate::broker::{Broker, Start};
use crate::client::create_topics;
use crate::foreign::{Figures, Foreign};
use crate::metrics::Metrics;
use crate::table::{CORES, GIB, KRPS, MBPS, MICROS, MILLION, Section, TIMES, row};

const BULK_SECONDS: u64 = 5;
const SINGLE_SECONDS: u64 = 2;
const MANY_SECONDS: u64 = 6;
const SECONDS_QUICK: u64 = 1;
/// Partitions, and records a second over them.
const MANY: (i32, u64) = (10_000, 10_000);
const KIB: f64 = 1024.0;

pub(super) const SECTIONS: &[Section] = &[
    Section {
        title: "The same with foreign clients (control): librdkafka, 1 KiB records, acks=all, batch.size 256 KiB, linger 5 ms; 1 partition",
        rows: &[
            row("foreign.bulk1.cpu", "CPU charged", GIB, 3),
            row(
                "foreign.bulk1.process",
                "of it the broker's process",
                GIB,
                3,
            ),
            row("foreign.bulk1.kernel", "kernel threads", GIB, 3),
            row(
                "foreign.bulk1.times",
                "CPU charged, of what the lean client's batches cost",
                TIMES,
                2,
            ),
            row("foreign.bulk1.mbps", "throughput", MBPS, 0),
            row("foreign.bulk1.kib", "mean bytes of a request", "KiB", 0),
            row("foreign.bulk1.client", "client's core in use", CORES, 2),
        ],
    },
    Section {
        title: "The same over 16 partitions, as librdkafka itself spreads records",
        rows: &[
            row("foreign.bulk16.cpu", "CPU charged", GIB, 3),
            row(
                "foreign.bulk16.process",
                "of it the broker's process",
                GIB,
                3,
            ),
            row("foreign.bulk16.kernel", "kernel threads", GIB, 3),
            row(
                "foreign.bulk16.times",
                "CPU charged, of what the lean client's batches cost",
                TIMES,
                2,
            ),
            row("foreign.bulk16.mbps", "throughput", MBPS, 0),
            row("foreign.bulk16.kib", "mean bytes of a request", "KiB", 0),
            row("foreign.bulk16.client", "client's core in use", CORES, 2),
        ],
    },
    Section {
        title: "librdkafka (control): one 1 KiB record and flush() after the other, 1 connection",
        rows: &[
            row("foreign.single.cpu", "CPU charged", MILLION, 1),
            row(
                "foreign.single.process",
                "of it the broker's process",
                MILLION,
                1,
            ),
            row(
                "foreign.single.times",
                "CPU charged, of what the lean client's requests cost",
                TIMES,
                2,
            ),
            row("foreign.single.p50", "acknowledgement p50", MICROS, 0),
            row("foreign.single.p99", "p99", MICROS, 0),
        ],
    },
    Section {
        title: "franz-go (control): single 1 KiB records over 10,000 partitions; 10,000/s as planned (open loop)",
        rows: &[
            row("foreign.many.cpu", "CPU charged", MILLION, 1),
            row(
                "foreign.many.process",
                "of it the broker's process",
                MILLION,
                1,
            ),
            row("foreign.many.kernel", "kernel threads", MILLION, 1),
            row(
                "foreign.many.times",
                "CPU charged, of what the lean client's requests cost",
                TIMES,
                2,
            ),
            row("foreign.many.group", "records in a request", TIMES, 1),
            row("foreign.many.krps", "records", KRPS, 1),
            row(
                "foreign.many.p50",
                "from planned time to acknowledgement, p50",
                MICROS,
                0,
            ),
            row("foreign.many.p99", "p99", MICROS, 0),
            row("foreign.many.client", "client's core in use", CORES, 2),
        ],
    },
];

/// What a client did, by its own account and by the broker's.
#[derive(Debug)]
struct Done {
    figures: Figures,
    window: Window,
    /// Produce requests that the broker decoded.
    requests: f64,
    /// Bytes that the broker received.
    received: f64,
}

pub(super) async fn run(bench: &mut Bench) -> io::Result<()> {
    if bench.round > 0 {
        return Ok(());
    }
    let broker = Start::new(&bench.options).run(&bench.options)?;
    let topics = [("bulk1", 1), ("bulk16", 16), ("single", 1)];
    create_topics(broker.addr, &topics).await?;
    for topic in ["bulk1", "bulk16"] {
        let done = librdkafka(bench, &broker, "bulk", topic, BULK_SECONDS).await?;
        bulk(bench, topic, &done)?;
    }
    let done = librdkafka(bench, &broker, "single", "single", SINGLE_SECONDS).await?;
    requests(bench, "single", &done)?;
    broker.stop().await?;
    let broker = Start::new(&bench.options).run(&bench.options)?;
    let (partitions, rate) = MANY;
    create_topics(broker.addr, &[("many", partitions)]).await?;
    let args = ["many".to_owned(), partitions.to_string(), rate.to_string()];
    let done = work(bench, &broker, "franz", &[], &args, MANY_SECONDS).await?;
    requests(bench, "many", &done)?;
    broker.stop().await
}

async fn librdkafka(
    bench: &mut Bench,
    broker: &Broker,
    what: &str,
    topic: &str,
    seconds: u64,
) -> io::Result<Done> {
    let (what, topic) = ([what.to_owned()], [topic.to_owned()]);
    work(bench, broker, "librdkafka", &what, &topic, seconds).await
}

/// Runs a program: its arguments are `first`, the broker's address, `then`, and how long it warms up
/// and works.
async fn work(
    bench: &mut Bench,
    broker: &Broker,
    program: &str,
    first: &[String],
    then: &[String],
    seconds: u64,
) -> io::Result<Done> {
    let seconds = if bench.options.quick {
        SECONDS_QUICK
    } else {
        seconds
    };
    let times = [1, seconds].map(|seconds| seconds.to_string());
    let args = [first, &[broker.addr.to_string()], then, &times].concat();
    let client = Foreign::start(&bench.options, program, &args).await?;
    let before = Metrics::scrape(broker.admin).await?;
    let pid = client.pid();
    let watched = bench.watch_client(broker.pid(), pid, client.work()).await?;
    let ((_client, figures), window) = watched;
    let after = Metrics::scrape(broker.admin).await?;
    let received = after.since(&before, "flumen_received_bytes_total")?;
    if received < figures.get("bytes")? {
        return Err(io::Error::other(
            "the broker received less than was acknowledged",
        ));
    }
    Ok(Done {
        figures,
        window,
        requests: after.since(&before, "flumen_requests_total/Produce")?,
        received,
    })
}

fn bulk(bench: &mut Bench, topic: &str, done: &Done) -> io::Result<()> {
    let bytes = done.figures.get("bytes")?;
    let mbps = bytes / 1e6 / done.figures.get("seconds")?;
    let figures = [("mbps", mbps), ("kib", done.received / done.requests / KIB)];
    charged(bench, topic, &done.window, bytes / bench::GIB)?;
    add(bench, topic, &figures)
}

fn requests(bench: &mut Bench, topic: &str, done: &Done) -> io::Result<()> {
    let records = done.figures.get("records")?;
    let figures = [
        ("group", records / done.requests),
        ("krps", records / 1e3 / done.figures.get("seconds")?),
        ("p50", done.figures.get("p50")?),
        ("p99", done.figures.get("p99")?),
    ];
    charged(bench, topic, &done.window, records / 1e6)?;
    add(bench, topic, &figures)
}

/// The rows of CPU time, by the unit of the work; the lean client's row of the same name has what it
/// costs there, where it was measured.
fn charged(bench: &mut Bench, topic: &str, window: &Window, work: f64) -> io::Result<()> {
    let cpu = window.charged() / work;
    let figures = [
        ("cpu", cpu),
        ("process", window.server.cpu.as_secs_f64() / work),
        ("kernel", window.kernel.as_secs_f64() / work),
        ("client", window.client_cores()),
    ];
    add(bench, topic, &figures)?;
    let times = cpu / bench.results.median(&format!("{topic}.cpu"));
    if times.is_nan() {
        return Ok(());
    }
    add(bench, topic, &[("times", times)])
}

fn add(bench: &mut Bench, topic: &str, figures: &[(&str, f64)]) -> io::Result<()> {
    for (name, value) in figures {
        bench.add_known(&format!("foreign.{topic}.{name}"), *value)?;
    }
    Ok(())
}
