//! What the machine needs for the parts of a broker's work: rows that goals are made of.

use std::io;
use std::net::SocketAddr;

use engine_rt::Stream;

use crate::bench::{Bench, GIB, Window};
use crate::child::Child;
use crate::client::{Client, Consumer, Load, Outcome, consume};
use crate::part::{receive_pieces, send_frames};
use crate::scene::{bulk, fetch, small};
use crate::table::{self, KRPS, MBPS, MICROS, MILLION, Section, row};

/// Bytes of the measurement of a socket.
const SOCKET_BYTES: u64 = 2 << 30;
/// One in so many bytes or requests goes before the clock starts.
const WARM_SHARE: u64 = 10;

pub(super) const SECTIONS: &[Section] = &[
    Section {
        title: "Physical parts, on the broker's core and reactor",
        rows: &[
            row(
                "receive.warm.cpu",
                "receive 1 MiB frames into one aligned buffer",
                table::GIB,
                3,
            ),
            row("receive.warm.mbps", "", MBPS, 0),
            row(
                "receive.cold.cpu",
                "the same into 64 buffers by turns",
                table::GIB,
                3,
            ),
            row("receive.cold.mbps", "", MBPS, 0),
            row(
                "send.1024.cpu",
                "send 1 MiB pieces of memory that no cache has",
                table::GIB,
                3,
            ),
            row("send.1024.mbps", "", MBPS, 0),
            row("send.256.cpu", "the same in 256 KiB pieces", table::GIB, 3),
            row("send.256.mbps", "", MBPS, 0),
            row(
                "read.cpu",
                "sequential direct reads, 1 MiB x 4",
                table::GIB,
                3,
            ),
            row("read.mbps", "", MBPS, 0),
            row("crc.cpu", "CRC-32C of 256 KiB from memory", table::GIB, 3),
            row(
                "disk.256.allocated.cpu",
                "direct write + DSYNC, 256 KiB x 4, fallocated",
                table::GIB,
                3,
            ),
            row("disk.256.allocated.mbps", "", MBPS, 0),
            row(
                "disk.256.zeroed.cpu",
                "direct write + DSYNC, 256 KiB x 4, zeroed",
                table::GIB,
                3,
            ),
            row("disk.256.zeroed.mbps", "", MBPS, 0),
            row(
                "disk.1024.allocated.cpu",
                "direct write + DSYNC, 1 MiB x 4, fallocated",
                table::GIB,
                3,
            ),
            row("disk.1024.allocated.mbps", "", MBPS, 0),
            row(
                "disk.1024.zeroed.cpu",
                "direct write + DSYNC, 1 MiB x 4, zeroed",
                table::GIB,
                3,
            ),
            row("disk.1024.zeroed.mbps", "", MBPS, 0),
            row(
                "echo.small.cpu",
                "echo of 1 KiB requests, 16 connections",
                MILLION,
                1,
            ),
            row("echo.small.krps", "", KRPS, 1),
            row(
                "echo.fetch.cpu",
                "echo of fetches of a 1 KiB record, 16 connections",
                MILLION,
                1,
            ),
            row("echo.fetch.krps", "", KRPS, 1),
            row("echo.single.p50", "echo, 1 connection, p50", MICROS, 0),
            row("echo.single.p99", "p99", MICROS, 0),
            row(
                "flush.cpu",
                "4 KiB direct overwrite + DSYNC, one after the other",
                MILLION,
                1,
            ),
            row("flush.p50", "p50", MICROS, 0),
            row("flush.p99", "p99", MICROS, 0),
        ],
    },
    Section {
        title: "A broker that keeps nothing: received, decoded, answered; the client's own limit",
        rows: &[
            row("null.bulk.cpu", "256-record batches", table::GIB, 3),
            row("null.bulk.mbps", "", MBPS, 0).at_least_of(
                "2 x the broker",
                0.0,
                &[(2.0, "bulk1.mbps")],
            ),
            row(
                "null.small.cpu",
                "single records, 16 connections",
                MILLION,
                1,
            ),
            row("null.small.krps", "", KRPS, 1),
            row(
                "null.single.p50",
                "single records, 1 connection, p50",
                MICROS,
                0,
            ),
        ],
    },
    Section {
        title: "Checking a batch of 256 x 1 KiB as Produce does, per GiB before compression",
        rows: &[
            row("check.none", "not compressed", table::GIB, 3),
            row("check.lz4", "lz4", table::GIB, 3),
            row("check.snappy", "snappy", table::GIB, 3),
            row("check.zstd", "zstd", table::GIB, 3),
            row("check.gzip", "gzip", table::GIB, 3),
        ],
    },
];

pub(super) async fn run(bench: &mut Bench) -> io::Result<()> {
    let cpu = bench.options.server_cpu;
    let dir = bench.options.data.to_string_lossy().into_owned();
    for args in [
        &["alone"][..],
        &["disk", "--dir", &dir],
        &["read", "--dir", &dir],
    ] {
        bench.quiet().await?;
        for (key, value) in Child::figures(args, cpu).await? {
            bench.add(&key, value)?;
        }
    }
    receive(bench, "warm", "1").await?;
    receive(bench, "cold", "64").await?;
    send(bench, "1024", 1 << 20).await?;
    send(bench, "256", 256 << 10).await?;
    echo_fetch(bench).await?;
    let (many, one) = (small::many(bench)?, small::one(bench)?);
    let (echo, addr) = Child::serve(&["echo"], cpu).await?;
    for (key, load) in [("echo.small", &many), ("echo.single", &one)] {
        let (outcome, window) = measured(bench, addr, load, echo.pid()).await?;
        requests(bench, key, &outcome, &window)?;
    }
    drop(echo);
    let (null, addr) = Child::serve(&["null"], cpu).await?;
    let load = bulk::LARGE.load(bench, "bulk1", 1, 1)?;
    let (outcome, window) = measured(bench, addr, &load, null.pid()).await?;
    bench.add("null.bulk.cpu", window.charged() / outcome.gib())?;
    bench.add("null.bulk.mbps", outcome.mbps())?;
    for (key, load) in [("null.small", &many), ("null.single", &one)] {
        let (outcome, window) = measured(bench, addr, load, null.pid()).await?;
        requests(bench, key, &outcome, &window)?;
    }
    Ok(())
}

async fn receive(bench: &mut Bench, name: &str, buffers: &str) -> io::Result<()> {
    let args = ["receive", "--buffers", buffers];
    let (child, addr) = Child::serve(&args, bench.options.server_cpu).await?;
    let stream = Stream::connect(addr).await?;
    send_frames(&stream, SOCKET_BYTES / WARM_SHARE).await?;
    let load = send_frames(&stream, SOCKET_BYTES);
    let ((), window) = bench.watch(child.pid(), load).await?;
    let cpu = window.charged() / (SOCKET_BYTES as f64 / GIB);
    bench.add(&format!("receive.{name}.cpu"), cpu)?;
    let mbps = SOCKET_BYTES as f64 / 1e6 / window.seconds();
    bench.add(&format!("receive.{name}.mbps"), mbps)
}

async fn send(bench: &mut Bench, name: &str, piece: u64) -> io::Result<()> {
    let piece = piece.to_string();
    let args = ["send", "--piece", &piece];
    let (child, addr) = Child::serve(&args, bench.options.server_cpu).await?;
    let stream = Stream::connect(addr).await?;
    receive_pieces(&stream, SOCKET_BYTES / WARM_SHARE).await?;
    let load = receive_pieces(&stream, SOCKET_BYTES);
    let ((), window) = bench.watch(child.pid(), load).await?;
    let cpu = window.charged() / (SOCKET_BYTES as f64 / GIB);
    bench.add(&format!("send.{name}.cpu"), cpu)?;
    let mbps = SOCKET_BYTES as f64 / 1e6 / window.seconds();
    bench.add(&format!("send.{name}.mbps"), mbps)
}

async fn echo_fetch(bench: &mut Bench) -> io::Result<()> {
    let (echo, addr) = Child::serve(&["echo-fetch"], bench.options.server_cpu).await?;
    let mut consumers = Vec::new();
    for reading in fetch::one_by_one() {
        consumers.push(Consumer::connect(addr, reading, 0).await?);
    }
    let bytes = fetch::one_by_one_bytes(bench);
    let (consumers, _) = consume(consumers, bytes / WARM_SHARE).await?;
    let ((_, outcome), window) = bench.watch(echo.pid(), consume(consumers, bytes)).await?;
    requests(bench, "echo.fetch", &outcome, &window)
}

/// Sends `load` to a server, after a share of it that does not count.
pub(super) async fn measured(
    bench: &mut Bench,
    addr: SocketAddr,
    load: &Load,
    server: u32,
) -> io::Result<(Outcome, Window)> {
    let client = Client::connect(addr, load.frames.len()).await?;
    client.run(&load.share(WARM_SHARE)).await?;
    bench.watch(server, client.run(load)).await
}

/// The figures of a case of small requests that have a row.
fn requests(bench: &mut Bench, key: &str, outcome: &Outcome, window: &Window) -> io::Result<()> {
    let figures = [
        ("cpu", window.charged() / outcome.millions()),
        ("krps", outcome.krps()),
        ("p50", outcome.micros(0.5)),
        ("p99", outcome.micros(0.99)),
    ];
    for (name, value) in figures {
        bench.add_known(&format!("{key}.{name}"), value)?;
    }
    Ok(())
}
