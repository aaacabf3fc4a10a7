//! A broker that has nothing to do: how soon it is ready, and what partitions and connections cost
//! that nobody uses.

use std::io;
use std::time::Duration;

use engine_rt::{Buf, now, sleep};
use net_wire::frame::encode_request;
use net_wire::messages::api_versions::ApiVersionsRequest;

use crate::bench::Bench;
use crate::broker::{Broker, Start};
use crate::client::{Connection, create_topics, fetch_request, first_answer, spread_frames};
use crate::resident::Resident;
use crate::table::{BYTES, CORES, MIB, SECONDS, Section, row};

const FEW: i32 = 1_000;
const MANY: i32 = 20_000;
const CONNECTIONS: usize = 1_000;
const API_VERSIONS_VERSION: i16 = 3;
const FETCH_BYTES: i32 = 1 << 20;
const RECORD_BYTES: usize = 1024;
/// How often a start is looked at.
const LOOK: Duration = Duration::from_millis(1);
/// What happens behind an answer is over by then.
const SETTLED: Duration = Duration::from_millis(700);

pub(super) const SECTIONS: &[Section] = &[Section {
    title: "A broker with nothing to do",
    rows: &[
        row("idle.ready", "from its start to /readyz", SECONDS, 3).at_most(0.3),
        row("idle.rss", "resident, no partition", MIB, 1).at_most(64.0),
        row("idle.rss.few", "resident, 1,000 partitions", MIB, 1).at_most(64.0),
        row(
            "idle.partition",
            "resident, of each of 20,000 more partitions",
            BYTES,
            0,
        )
        .at_most(1024.0),
        row(
            "idle.connection",
            "resident, of each of 1,000 connections that asked for versions and fetched a record",
            BYTES,
            0,
        )
        .at_most(8192.0),
        row("idle.cpu", "CPU with these connections", CORES, 4).at_most(0.002),
    ],
}];

pub(super) async fn run(bench: &mut Bench) -> io::Result<()> {
    let started = now();
    let broker = Start::new(&bench.options).run(&bench.options)?;
    broker.ready(LOOK).await?;
    bench.add("idle.ready", (now() - started).as_secs_f64())?;
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    bench.add("idle.rss", mib(settled(&broker).await?))?;
    create_topics(broker.addr, &[("few", FEW)]).await?;
    // What a first record brings with it is of no partition.
    let frames = spread_frames("few", FEW, 1)?;
    first_answer(broker.addr, &frames[0][0]).await?;
    let few = settled(&broker).await?;
    bench.add("idle.rss.few", mib(few))?;
    let connections = connections(&broker).await?;
    let connected = settled(&broker).await?;
    let each = connected.saturating_sub(few) as f64 / CONNECTIONS as f64;
    bench.add("idle.connection", each)?;
    let seconds = if bench.options.quick { 2 } else { 5 };
    let nothing = async {
        sleep(Duration::from_secs(seconds)).await;
        Ok(())
    };
    let ((), window) = bench.watch(broker.pid(), nothing).await?;
    let cores = window.server.cpu.as_secs_f64() / window.seconds();
    bench.add("idle.cpu", cores)?;
    drop(connections);
    let before = settled(&broker).await?;
    create_topics(broker.addr, &[("more", MANY)]).await?;
    let more = settled(&broker).await?.saturating_sub(before);
    bench.add("idle.partition", more as f64 / f64::from(MANY))?;
    broker.stop().await
}

async fn settled(broker: &Broker) -> io::Result<u64> {
    sleep(SETTLED).await;
    Ok(Resident::of(broker.pid())?.now)
}

/// Connections that have each asked for versions and fetched a record.
async fn connections(broker: &Broker) -> io::Result<Vec<Connection>> {
    let (versions, fetch) = (versions_request()?, fetch_request("few", 0, FETCH_BYTES)?);
    let mut connections = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let connection = Connection::connect(broker.addr).await?;
        connection.ask(&versions).await?;
        let fetched = connection.ask(&fetch).await?;
        if fetched < RECORD_BYTES {
            return Err(io::Error::other("no record was fetched"));
        }
        connections.push(connection);
    }
    Ok(connections)
}

fn versions_request() -> io::Result<Buf> {
    let request = ApiVersionsRequest::default();
    let encoded = encode_request(API_VERSIONS_VERSION, 1, Some("bench"), &request);
    Ok(Buf::copy_from_slice(
        &encoded.map_err(io::Error::other)?.bytes,
    ))
}
