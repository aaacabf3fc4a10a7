//! Old data whose pages the kernel has, more of it than the broker's own memory: read by direct I/O,
//! by sendfile, and as the broker itself chooses.

use std::io;

use crate::bench::{Bench, Window};
use crate::broker::{Broker, Start};
use crate::child::Child;
use crate::client::{Consumer, Outcome, consume, create_topics, wait_until_led};
use crate::metrics::Metrics;
use crate::part::longest_turn;
use crate::scene::bulk::LARGE;
use crate::scene::fetch::{large, preload};
use crate::table::{GIB, MBPS, MICROS, Section, TIMES, row};

/// More than the tail and the chunks of old data that the broker has memory for.
const OLD_MIB: u64 = 512;
const PATHS: [&str; 3] = ["direct", "sendfile", "auto"];

pub(super) const SECTIONS: &[Section] = &[
    Section {
        title: "Fetch of 512 MiB of old data again and again, in the kernel's pages; 1 consumer",
        rows: &[
            row("again.direct.cpu", "CPU charged, by direct I/O", GIB, 3),
            row("again.direct.mbps", "throughput", MBPS, 0),
            row("again.sendfile.cpu", "CPU charged, by sendfile", GIB, 3),
            row("again.sendfile.mbps", "throughput", MBPS, 0),
            row(
                "again.sendfile.files",
                "bytes that left from files, of all",
                TIMES,
                2,
            )
            .at_least_of("", 0.95, &[]),
            row("again.better", "the better of both", GIB, 3),
            row(
                "again.auto.cpu",
                "CPU charged, chosen by the broker",
                GIB,
                3,
            )
            .at_most_of("1.1 x the better of both", 0.0, &[(1.1, "again.better")]),
            row("again.auto.mbps", "throughput", MBPS, 0),
        ],
    },
    Section {
        title: "Fetch of 512 MiB of old data in the kernel's pages, every turn of the shard audited",
        rows: &[
            row(
                "audit.sendfile.cpu",
                "most CPU in a turn, by sendfile",
                MICROS,
                0,
            )
            .at_most(200.0),
            row(
                "audit.sendfile.switches",
                "times that a turn waited",
                TIMES,
                0,
            )
            .at_most(0.0),
            row("audit.sendfile.faults", "major faults", TIMES, 0).at_most(0.0),
            row("audit.auto.cpu", "most CPU in a turn, chosen", MICROS, 0).at_most(200.0),
            row("audit.auto.switches", "times that a turn waited", TIMES, 0).at_most(0.0),
            row("audit.auto.faults", "major faults", TIMES, 0).at_most(0.0),
            row(
                "audit.raw.cpu",
                "most CPU in a turn that only sends 128 KiB from memory",
                MICROS,
                0,
            ),
        ],
    },
];

pub(super) async fn run(bench: &mut Bench) -> io::Result<()> {
    let batches = (OLD_MIB << 20) / (LARGE.records * LARGE.value_bytes) as u64;
    let start = Start::new(&bench.options);
    let broker = start.run(&bench.options)?;
    create_topics(broker.addr, &[("old", 1)]).await?;
    preload(&broker, "old", batches).await?;
    broker.end().await?;
    let mut costs = Vec::new();
    for path in PATHS {
        let broker = started(bench, &start, path, &[]).await?;
        let (outcome, window, metrics) = again(bench, &broker, batches).await?;
        let cpu = window.charged() / outcome.gib();
        costs.push(cpu);
        bench.add(&format!("again.{path}.cpu"), cpu)?;
        bench.add(&format!("again.{path}.mbps"), outcome.mbps())?;
        let files = metrics.get("flumen_sent_file_bytes_total")?;
        bench.add_known(
            &format!("again.{path}.files"),
            files / metrics.get("flumen_sent_bytes_total")?,
        )?;
        broker.end().await?;
    }
    bench.add("again.better", costs[0].min(costs[1]))?;
    for path in ["sendfile", "auto"] {
        let broker = started(bench, &start, path, &["--audit-turns"]).await?;
        let (_, _, audit) = again(bench, &broker, batches).await?;
        let figure = |name: &str| audit.get(&format!("flumen_reactor_audit_{name}"));
        let cpu = figure("turn_cpu_max_seconds")? * 1e6;
        bench.add(&format!("audit.{path}.cpu"), cpu)?;
        let switches = figure("voluntary_switches_total")?;
        bench.add(&format!("audit.{path}.switches"), switches)?;
        bench.add(
            &format!("audit.{path}.faults"),
            figure("major_faults_total")?,
        )?;
        if path == "auto" {
            broker.stop().await?;
            break;
        }
        broker.end().await?;
    }
    let (_raw, addr) = Child::serve(&["turns"], bench.options.server_cpu).await?;
    let longest = longest_turn(addr).await?;
    bench.add("audit.raw.cpu", longest.as_secs_f64() * 1e6)
}

/// The broker on the same data with that `fetch.read.path`.
async fn started(bench: &Bench, start: &Start, path: &str, args: &[&str]) -> io::Result<Broker> {
    let path = format!("fetch.read.path={path}");
    let start = start.again(&[]).args(&["--set", &path]).args(args);
    let broker = start.run(&bench.options)?;
    wait_until_led(broker.addr, &[("old", 1)]).await?;
    Ok(broker)
}

/// Reads everything twice before the clock starts, so that all of it has been seen and made
/// resident; gives what the broker counted meanwhile.
async fn again(
    bench: &mut Bench,
    broker: &Broker,
    batches: u64,
) -> io::Result<(Outcome, Window, Metrics)> {
    let consumer = Consumer::connect(broker.addr, large("old", batches), 0).await?;
    let (consumers, _) = consume(vec![consumer], 2 * (OLD_MIB << 20)).await?;
    let before = Metrics::scrape(broker.admin).await?;
    let load = consume(consumers, (bench.options.bulk_mib << 20) / 2);
    let ((_, outcome), window) = bench.watch(broker.pid(), load).await?;
    let after = Metrics::scrape(broker.admin).await?;
    Ok((outcome, window, after.all_since(&before)))
}
