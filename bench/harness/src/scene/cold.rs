//! A consumer of old data beside producers on the same shard, held against a raw reader beside a
//! raw writer at the same rates.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use engine_rt::spawn;

use crate::bench::Bench;
use crate::broker::Start;
use crate::child::Child;
use crate::client::{
    Client, Consumer, Outcome, Plan, create_topics, read_while, single_frames, wait_until_led,
};
use crate::scene::bulk::LARGE;
use crate::scene::fetch::{drop_page_cache, large, preload};
use crate::table::{MBPS, MICROS, Section, TIMES, row};

/// Records a second, of all connections.
const RATE: u64 = 2000;
const CONNECTIONS: i32 = 4;
const WARM_SHARE: u64 = 10;
const OLD_MIB: u64 = 1024;

pub(super) const SECTIONS: &[Section] = &[Section {
    title: "A consumer of old data beside 2,000 records of 1 KiB a second, planned, 4 connections",
    rows: &[
        row("beside.mbps", "the consumer's throughput", MBPS, 0).at_least_of(
            "40 % of the raw reader",
            0.0,
            &[(0.4, "read.mbps")],
        ),
        row("beside.alone.p50", "acknowledgement p50 alone", MICROS, 0),
        row("beside.alone.p99", "p99", MICROS, 0),
        row(
            "beside.p50",
            "acknowledgement p50 beside the consumer",
            MICROS,
            0,
        ),
        row("beside.p99", "p99", MICROS, 0),
        row(
            "beside.moves",
            "p99 beside it as a multiple of p99 alone",
            TIMES,
            2,
        )
        .at_most_of(
            "1.1 x as much as the raw writer's moves",
            0.0,
            &[(1.1, "beside.raw.moves")],
        ),
        row(
            "beside.raw.alone.p50",
            "raw 4 KiB writes + DSYNC, as many, p50 alone",
            MICROS,
            0,
        ),
        row("beside.raw.alone.p99", "p99", MICROS, 0),
        row(
            "beside.raw.p50",
            "p50 beside a raw reader of the consumer's throughput",
            MICROS,
            0,
        ),
        row("beside.raw.p99", "p99", MICROS, 0),
        row(
            "beside.raw.moves",
            "p99 beside it as a multiple of p99 alone",
            TIMES,
            2,
        ),
    ],
}];

pub(super) async fn run(bench: &mut Bench) -> io::Result<()> {
    let seconds = if bench.options.quick { 3 } else { 5 };
    let plan = Plan {
        frames: single_frames("new", CONNECTIONS)?,
        rate: RATE,
        requests: seconds * RATE,
    };
    let batches = (OLD_MIB << 20) / (LARGE.records * LARGE.value_bytes) as u64;
    let start = Start::new(&bench.options);
    let broker = start.run(&bench.options)?;
    let topics = [("old", 1), ("new", CONNECTIONS)];
    create_topics(broker.addr, &topics).await?;
    preload(&broker, "old", batches).await?;
    broker.end().await?;
    drop_page_cache().await?;
    let broker = start.again(&[]).run(&bench.options)?;
    wait_until_led(broker.addr, &topics).await?;

    let client = Client::connect(broker.addr, plan.frames.len()).await?;
    client.keep_to(&plan.share(WARM_SHARE)).await?;
    let (alone, _) = bench.watch(broker.pid(), client.keep_to(&plan)).await?;
    let consumer = Consumer::connect(broker.addr, large("old", batches), 0).await?;
    let load = beside(consumer, &client, &plan);
    let ((read, both), _) = bench.watch(broker.pid(), load).await?;
    broker.stop().await?;
    let mbps = read as f64 / 1e6 / both.elapsed.as_secs_f64();
    bench.add("beside.mbps", mbps)?;
    for (key, outcome) in [("beside.alone", &alone), ("beside", &both)] {
        bench.add(&format!("{key}.p50"), outcome.micros(0.5))?;
        bench.add(&format!("{key}.p99"), outcome.micros(0.99))?;
    }
    bench.add("beside.moves", both.micros(0.99) / alone.micros(0.99))?;
    raw(bench, mbps, seconds).await
}

/// Lets the consumer read until the plan is carried out; the bytes that it got.
async fn beside(consumer: Consumer, client: &Client, plan: &Plan) -> io::Result<(u64, Outcome)> {
    let goes_on = Rc::new(Cell::new(true));
    let reading = spawn(read_while(consumer, Rc::clone(&goes_on)));
    let outcome = client.keep_to(plan).await;
    goes_on.set(false);
    Ok((reading.await?, outcome?))
}

async fn raw(bench: &mut Bench, mbps: f64, seconds: u64) -> io::Result<()> {
    let dir = bench.options.data.to_string_lossy().into_owned();
    let (rate, mbps, seconds) = (RATE.to_string(), mbps.to_string(), seconds.to_string());
    let args = [
        "beside",
        "--dir",
        &dir,
        "--rate",
        &rate,
        "--mbps",
        &mbps,
        "--seconds",
        &seconds,
    ];
    bench.quiet().await?;
    let cpu = bench.options.server_cpu;
    for (key, value) in Child::figures(&args, cpu).await? {
        bench.add(&key, value)?;
    }
    Ok(())
}
