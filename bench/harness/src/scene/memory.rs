//! Memory under load: what a broker that was given 256 MiB takes of the machine.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::{Buf, Task, sleep, spawn};

use crate::bench::Bench;
use crate::broker::{Broker, Start};
use crate::client::{
    Client, Connection, Content, Load, create_topics, fetch_request, shared_frames, spread_frames,
};
use crate::resident::{Resident, socket_bytes};
use crate::table::{MIB, Section, row};

const CONNECTIONS: usize = 16;
/// Large and small requests of a connection in flight.
const LARGE_IN_FLIGHT: usize = 8;
const SMALL_IN_FLIGHT: usize = 64;
const LARGE: Content = Content {
    records: 256,
    value_bytes: 1024,
};
const LARGE_REQUESTS: u64 = 16_384;
const SMALL_REQUESTS: u64 = 400_000;
const SMALL_PARTITIONS: i32 = 10_000;
/// Clients that ask for records and never take them, and how often each asks.
const SLOW_CONNECTIONS: usize = 200;
const SLOW_REQUESTS: usize = 8;
const SLOW_BYTES: i32 = 1 << 20;
const SLOW_TIME: Duration = Duration::from_secs(2);
/// How often sockets are looked at.
const LOOK: Duration = Duration::from_millis(20);

pub(super) const SECTIONS: &[Section] = &[Section {
    title: "Most memory of a broker with `--memory 256MiB`, each load on top of those before",
    rows: &[
        row(
            "memory.bulk",
            "resident, 256-record batches, 16 connections x 8",
            MIB,
            0,
        )
        .at_most(256.0 + 48.0),
        row(
            "memory.small",
            "resident, single records over 10,000 partitions, 16 connections x 64",
            MIB,
            0,
        )
        .at_most(256.0 + 48.0),
        row(
            "memory.slow",
            "resident, 200 clients with 8 fetches of 1 MiB each that take nothing",
            MIB,
            0,
        )
        .at_most(256.0 + 48.0),
        row(
            "memory.sockets",
            "sockets of both ends, the two loads",
            MIB,
            0,
        ),
        row(
            "memory.sockets.slow",
            "sockets of both ends, clients that take nothing",
            MIB,
            0,
        )
        .at_most(SLOW_CONNECTIONS as f64 / 2.0),
    ],
}];

pub(super) async fn run(bench: &mut Bench) -> io::Result<()> {
    let start = Start::new(&bench.options).with("--memory", "256MiB");
    let broker = start.run(&bench.options)?;
    create_topics(broker.addr, &[("bulk", 16), ("small", SMALL_PARTITIONS)]).await?;
    let share = if bench.options.quick { crate::QUICK } else { 1 };
    let sockets = Sockets::watch()?;
    let bulk = Load {
        frames: vec![shared_frames("bulk", 16, LARGE)?; CONNECTIONS],
        in_flight: LARGE_IN_FLIGHT,
        requests: LARGE_REQUESTS / share,
    };
    work(&broker, &bulk).await?;
    bench.add("memory.bulk", peak(&broker)?)?;
    let small = Load {
        frames: spread_frames("small", SMALL_PARTITIONS, CONNECTIONS)?,
        in_flight: SMALL_IN_FLIGHT,
        requests: SMALL_REQUESTS / share,
    };
    work(&broker, &small).await?;
    bench.add("memory.small", peak(&broker)?)?;
    bench.add("memory.sockets", sockets.most())?;
    let sockets = Sockets::watch()?;
    let clients = slow(&broker).await?;
    bench.add("memory.slow", peak(&broker)?)?;
    bench.add("memory.sockets.slow", sockets.most())?;
    drop(clients);
    broker.stop().await
}

async fn work(broker: &Broker, load: &Load) -> io::Result<()> {
    let client = Client::connect(broker.addr, CONNECTIONS).await?;
    client.run(load).await.map(drop)
}

/// Clients that have asked and will take nothing, after a while.
async fn slow(broker: &Broker) -> io::Result<Vec<Connection>> {
    let request: Buf = fetch_request("bulk", 0, SLOW_BYTES)?;
    let mut connections = Vec::with_capacity(SLOW_CONNECTIONS);
    for _ in 0..SLOW_CONNECTIONS {
        let connection = Connection::connect(broker.addr).await?;
        for _ in 0..SLOW_REQUESTS {
            connection.send(&request).await?;
        }
        connections.push(connection);
    }
    sleep(SLOW_TIME).await;
    Ok(connections)
}

fn peak(broker: &Broker) -> io::Result<f64> {
    Ok(mib(Resident::of(broker.pid())?.peak))
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Looks at the memory of the machine's sockets until it is dropped.
struct Sockets {
    before: u64,
    most: Rc<Cell<u64>>,
    task: Task<()>,
}

impl Sockets {
    fn watch() -> io::Result<Self> {
        let before = socket_bytes()?;
        let most = Rc::new(Cell::new(before));
        let seen = Rc::clone(&most);
        let task = spawn(async move {
            while let Ok(bytes) = socket_bytes() {
                seen.set(seen.get().max(bytes));
                sleep(LOOK).await;
            }
        });
        Ok(Self { before, most, task })
    }

    /// The most there was, in MiB, beyond what others had before.
    fn most(self) -> f64 {
        self.task.cancel();
        mib(self.most.get() - self.before)
    }
}
