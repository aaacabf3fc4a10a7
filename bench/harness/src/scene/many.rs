//! 10,000 partitions: how long it takes to make them, what their metadata costs, and single records
//! spread over all of them at a steady rate.

use std::io;
use std::time::Duration;

use engine_rt::now;

use crate::bench::Bench;
use crate::broker::{Broker, Start};
use crate::child::Child;
use crate::client::{
    Client, Connection, Plan, create_topics, first_answer, latencies, metadata_request,
    spread_frames,
};
use crate::metrics::Metrics;
use crate::scene::{add_flushes, add_load};
use crate::table::{CORES, KRPS, MICROS, MILLION, SECONDS, Section, TIMES, row};

const PARTITIONS: i32 = 10_000;
const CONNECTIONS: usize = 16;
/// Records a second.
const RATE: u64 = 10_000;
/// One in so many requests goes before the clock starts.
const WARM_SHARE: u64 = 6;
/// Requests of the measurement of metadata, and bytes of one.
const METADATA_REQUESTS: u64 = 400;
/// How often a start is looked at.
const LOOK: Duration = Duration::from_millis(2);
const KIB: f64 = 1024.0;

pub(super) const SECTIONS: &[Section] = &[
    Section {
        title: "One 1 KiB record a request, flushed, over 10,000 partitions; 10,000/s as planned (open loop), 16 connections",
        rows: &[
            row("many.cpu", "CPU charged", MILLION, 1)
                .at_most_of(
                    "2 x echo at this rate + the flushes",
                    0.0,
                    &[(2.0, "many.echo"), (1.0, "many.flush_share")],
                )
                .kafka("81"),
            row("many.process", "of it the broker's process", MILLION, 1),
            row("many.kernel", "kernel threads", MILLION, 1),
            row("many.echo", "raw echo at this rate", MILLION, 1),
            row(
                "many.flush_share",
                "raw flushes, as many as it made",
                MILLION,
                1,
            ),
            row("many.group", "requests in a flush", TIMES, 1),
            row("many.krps", "requests", KRPS, 1),
            row(
                "many.p50",
                "from planned time to acknowledgement, p50",
                MICROS,
                0,
            )
            .kafka("47,000"),
            row("many.p99", "p99", MICROS, 0)
                .at_most_of("raw p99 + 5 ms", 5000.0, &[(1.0, "flush.p99")])
                .kafka("103,000"),
            row(
                "many.written",
                "bytes written per byte acknowledged",
                TIMES,
                2,
            ),
            row("many.client", "client's core in use", CORES, 2),
        ],
    },
    Section {
        title: "10,000 new partitions, until Metadata leads to all and one record in the last is acknowledged",
        rows: &[
            row("create.ten", "10 topics of 1,000", SECONDS, 3)
                .at_most(1.0)
                .kafka("32-49"),
            row("create.one", "1 topic of 10,000", SECONDS, 3)
                .at_most(1.0)
                .kafka("32-49"),
        ],
    },
    Section {
        title: "Metadata of 10,000 partitions, 1 connection, 1 in flight",
        rows: &[
            row("metadata.cpu", "CPU of the server, of a request", MICROS, 1).at_most_of(
                "2 x as many bytes from memory",
                0.0,
                &[(2.0, "metadata.raw")],
            ),
            row("metadata.raw", "as many bytes from memory", MICROS, 1),
            row("metadata.kib", "bytes of the answer", "KiB", 1),
            row("metadata.p50", "answer p50", MICROS, 0),
            row(
                "metadata.raw.p50",
                "as many bytes from memory, p50",
                MICROS,
                0,
            ),
        ],
    },
];

pub(super) async fn run(bench: &mut Bench) -> io::Result<()> {
    let start = Start::new(&bench.options);
    let broker = start.run(&bench.options)?;
    let ten = ["t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8", "t9"];
    let took = create(&broker, &ten.map(|topic| (topic, PARTITIONS / 10))).await?;
    bench.add("create.ten", took)?;
    metadata(bench, &broker).await?;
    broker.stop().await?;
    let broker = start.run(&bench.options)?;
    let took = create(&broker, &[("many", PARTITIONS)]).await?;
    bench.add("create.one", took)?;
    records(bench, &broker).await?;
    broker.stop().await
}

/// Seconds until all these topics are usable, on a broker that is ready.
async fn create(broker: &Broker, topics: &[(&str, i32)]) -> io::Result<f64> {
    broker.ready(LOOK).await?;
    let (topic, partitions) = topics[topics.len() - 1];
    let frames = spread_frames(topic, partitions, 1)?;
    let last = &frames[0][partitions as usize - 1];
    let started = now();
    create_topics(broker.addr, topics).await?;
    first_answer(broker.addr, last).await?;
    Ok((now() - started).as_secs_f64())
}

async fn records(bench: &mut Bench, broker: &Broker) -> io::Result<()> {
    let seconds = if bench.options.quick { 2 } else { 6 };
    let plan = Plan {
        frames: spread_frames("many", PARTITIONS, CONNECTIONS)?,
        rate: RATE,
        requests: seconds * RATE,
    };
    let (echo, addr) = Child::serve(&["echo"], bench.options.server_cpu).await?;
    let client = Client::connect(addr, CONNECTIONS).await?;
    client.keep_to(&plan.share(WARM_SHARE)).await?;
    let (outcome, window) = bench.watch(echo.pid(), client.keep_to(&plan)).await?;
    bench.add("many.echo", window.charged() / outcome.millions())?;
    drop((client, echo));

    let client = Client::connect(broker.addr, CONNECTIONS).await?;
    client.keep_to(&plan.share(WARM_SHARE)).await?;
    let before = Metrics::scrape(broker.admin).await?;
    let (outcome, window) = bench.watch(broker.pid(), client.keep_to(&plan)).await?;
    let after = Metrics::scrape(broker.admin).await?;
    if outcome.requests != plan.requests {
        return Err(io::Error::other("not all that was planned was answered"));
    }
    add_flushes(bench, "many", &before, &after)?;
    add_load(bench, "many", outcome.millions(), &outcome, &window)
}

async fn metadata(bench: &mut Bench, broker: &Broker) -> io::Result<()> {
    let connection = Connection::connect(broker.addr).await?;
    let bytes = connection.ask(&metadata_request(None)?).await?;
    bench.add("metadata.kib", bytes as f64 / KIB)?;
    let bytes = bytes.to_string();
    let args = ["memory", "--bytes", &bytes];
    let (raw, addr) = Child::serve(&args, bench.options.server_cpu).await?;
    let connection_to_raw = Connection::connect(addr).await?;
    answers(bench, "metadata.raw", &connection_to_raw, raw.pid()).await?;
    drop(raw);
    answers(bench, "metadata", &connection, broker.pid()).await
}

async fn answers(
    bench: &mut Bench,
    key: &str,
    connection: &Connection,
    server: u32,
) -> io::Result<()> {
    let request = metadata_request(None)?;
    let mut found = latencies();
    let load = async {
        for _ in 0..METADATA_REQUESTS {
            let started = now();
            connection.ask(&request).await?;
            found.saturating_record((now() - started).as_nanos() as u64);
        }
        Ok(())
    };
    let ((), window) = bench.watch(server, load).await?;
    let micros = window.charged() / METADATA_REQUESTS as f64 * 1e6;
    let key_of_cpu = if key == "metadata" {
        "metadata.cpu"
    } else {
        key
    };
    bench.add(key_of_cpu, micros)?;
    bench.add(
        &format!("{key}.p50"),
        found.value_at_quantile(0.5) as f64 / 1e3,
    )
}
