//! One 1 KiB record a request: what a million of them costs, and how long one waits for its flush.

use std::io;

use crate::bench::Bench;
use crate::broker::Start;
use crate::client::{Load, create_topics, single_frames};
use crate::metrics::Metrics;
use crate::scene::physical::measured;
use crate::scene::{add_flushes, add_load};
use crate::table::{CORES, KRPS, MICROS, MILLION, Section, TIMES, row};

/// Connections of the case of many.
const CONNECTIONS: i32 = 16;

pub(super) const SECTIONS: &[Section] = &[
    Section {
        title: "One 1 KiB record a request, flushed; 16 connections, 1 in flight each",
        rows: &[
            row("small.cpu", "CPU charged", MILLION, 1)
                .at_most_of(
                    "2 x echo + the flushes",
                    0.0,
                    &[(2.0, "echo.small.cpu"), (1.0, "small.flush_share")],
                )
                .kafka("111-118"),
            row("small.process", "of it the broker's process", MILLION, 1),
            row("small.kernel", "kernel threads", MILLION, 1),
            row(
                "small.flush_share",
                "raw flushes, as many as it made",
                MILLION,
                1,
            ),
            row("small.group", "requests in a flush", TIMES, 1),
            row("small.krps", "requests", KRPS, 1).kafka("6.9-7.5"),
            row("small.p50", "acknowledgement p50", MICROS, 0),
            row("small.p99", "acknowledgement p99", MICROS, 0),
            row(
                "small.written",
                "bytes written per byte acknowledged",
                TIMES,
                2,
            )
            .at_most(2.6),
            row("small.client", "client's core in use", CORES, 2),
        ],
    },
    Section {
        title: "One 1 KiB record a request, flushed; 1 connection, 1 in flight",
        rows: &[
            row("single.p50", "acknowledgement p50", MICROS, 0)
                .at_most_of("2 x raw write + DSYNC", 0.0, &[(2.0, "flush.p50")])
                .kafka("615 (at 1,000/s)"),
            row("single.p99", "acknowledgement p99", MICROS, 0)
                .at_most_of("raw p99 + 150 us", 150.0, &[(1.0, "flush.p99")])
                .kafka("7,700 (at 1,000/s)"),
            row("single.cpu", "CPU charged", MILLION, 1).kafka("217-224"),
            row(
                "single.written",
                "bytes written per byte acknowledged",
                TIMES,
                2,
            )
            .at_most(6.0),
        ],
    },
];

/// 16 connections, each with a partition of its own.
pub(super) fn many(bench: &Bench) -> io::Result<Load> {
    load("small", CONNECTIONS, bench.options.small_requests)
}

/// One connection.
pub(super) fn one(bench: &Bench) -> io::Result<Load> {
    load("single", 1, bench.options.single_requests)
}

fn load(topic: &str, connections: i32, requests: u64) -> io::Result<Load> {
    Ok(Load {
        frames: single_frames(topic, connections)?,
        in_flight: 1,
        requests,
    })
}

pub(super) async fn run(bench: &mut Bench) -> io::Result<()> {
    let broker = Start::new(&bench.options).run(&bench.options)?;
    create_topics(broker.addr, &[("small", CONNECTIONS), ("single", 1)]).await?;
    let before = Metrics::scrape(broker.admin).await?;
    let (outcome, window) = measured(bench, broker.addr, &many(bench)?, broker.pid()).await?;
    let after = Metrics::scrape(broker.admin).await?;
    add_flushes(bench, "small", &before, &after)?;
    add_load(bench, "small", outcome.millions(), &outcome, &window)?;
    let (outcome, window) = measured(bench, broker.addr, &one(bench)?, broker.pid()).await?;
    add_load(bench, "single", outcome.millions(), &outcome, &window)?;
    broker.stop().await
}
