//! Consumers that wait for records that do not come, beside producers of other partitions: nobody
//! looks at those who wait.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use bench_micro::batches::VALUE_BYTES;
use engine_rt::{sleep, spawn};

use crate::bench::Bench;
use crate::broker::{Broker, Start};
use crate::client::{Client, Consumer, Load, Reading, create_topics, single_frames};
use crate::scene::physical::measured;
use crate::scene::small;
use crate::table::{MILLION, Section, TIMES, row};

/// Consumers, each with a connection and a partition of its own.
const CONSUMERS: i32 = 1000;
/// Longer than all of it takes.
const MAX_WAIT_MS: i32 = 600_000;
/// Enough for all that was sent to be read, and for what is woken to answer.
const SETTLE: Duration = Duration::from_millis(500);

pub(super) const SECTIONS: &[Section] = &[Section {
    title: "One 1 KiB record a request, 16 connections, beside 1,000 fetches that wait",
    rows: &[
        row("waiting.none", "CPU charged without them", MILLION, 1),
        row("waiting.cpu", "CPU charged beside them", MILLION, 1).at_most_of(
            "1.1 x without them",
            0.0,
            &[(1.1, "waiting.none")],
        ),
        row(
            "waiting.woken",
            "fetches that one record for one of them answers",
            TIMES,
            0,
        )
        .at_most(1.0),
    ],
}];

pub(super) async fn run(bench: &mut Bench) -> io::Result<()> {
    let broker = Start::new(&bench.options).run(&bench.options)?;
    let load = small::many(bench)?.share(2);
    let topics = [("small", load.frames.len() as i32), ("parked", CONSUMERS)];
    create_topics(broker.addr, &topics).await?;
    let (outcome, window) = measured(bench, broker.addr, &load, broker.pid()).await?;
    bench.add("waiting.none", window.charged() / outcome.millions())?;
    let answered = Rc::new(Cell::new(0));
    for partition in 0..CONSUMERS {
        park(&broker, partition, &answered).await?;
    }
    sleep(SETTLE).await;
    let (outcome, window) = measured(bench, broker.addr, &load, broker.pid()).await?;
    bench.add("waiting.cpu", window.charged() / outcome.millions())?;
    if answered.get() > 0 {
        return Err(io::Error::other("fetches were answered without records"));
    }
    let one = Load {
        frames: single_frames("parked", 1)?,
        in_flight: 1,
        requests: 1,
    };
    Client::connect(broker.addr, 1).await?.run(&one).await?;
    sleep(SETTLE).await;
    if answered.get() == 0 {
        return Err(io::Error::other("a record woke nobody"));
    }
    bench.add("waiting.woken", f64::from(answered.get()))?;
    broker.stop().await
}

/// Sends a fetch for a partition that has nothing; its answer is counted.
async fn park(broker: &Broker, partition: i32, answered: &Rc<Cell<u32>>) -> io::Result<()> {
    let reading = Reading {
        topic: "parked",
        partition,
        until: i64::MAX,
        max_bytes: 1,
        batch_bytes: 2 * VALUE_BYTES,
        max_wait_ms: MAX_WAIT_MS,
    };
    let mut consumer = Consumer::connect(broker.addr, reading, 0).await?;
    let answered = Rc::clone(answered);
    spawn(async move {
        // The broker ends all others when it stops.
        if consumer.fetch().await.is_ok() {
            answered.set(answered.get() + 1);
        }
    })
    .detach();
    Ok(())
}
