//! Large batches, each a request: what a GiB of flushed records costs, and how fast it goes.

use std::io;

use crate::bench::{Bench, Window};
use crate::broker::Start;
use crate::client::{Content, Load, Outcome, bulk_frames, create_topics};
use crate::scene::physical::measured;
use crate::table::{CORES, GIB, MBPS, MICROS, Section, TIMES, row};

/// Large requests in flight.
const IN_FLIGHT: usize = 8;

/// 1 KiB records in batches of 256: each goes to its segment directly.
pub(super) const LARGE: Content = Content {
    records: 256,
    value_bytes: 1024,
};
/// 1 KiB records in batches of 64: through the journal, from as many connections as it takes to keep
/// the disk busy.
const MIDDLE: Content = Content {
    records: 64,
    value_bytes: 1024,
};
/// 100-byte records in batches of as many bytes as the large ones.
const TINY: Content = Content {
    records: 2560,
    value_bytes: 100,
};

/// 1 KiB records in batches of 16.
const SMALL: Content = Content {
    records: 16,
    value_bytes: 1024,
};

/// Topics with their partitions, batches and connections.
const CASES: [(&str, i32, Content, usize); 6] = [
    ("bulk1", 1, LARGE, 1),
    ("bulk16", 16, LARGE, 1),
    ("mid1", 1, MIDDLE, 4),
    ("mid16", 16, MIDDLE, 4),
    ("kib16", 16, SMALL, 4),
    ("tiny", 1, TINY, 1),
];

const SUM: &[(f64, &str)] = &[
    (2.0, "receive.cold.cpu"),
    (2.0, "crc.cpu"),
    (2.0, "disk.256.allocated.cpu"),
];
const SUM_3: &[(f64, &str)] = &[
    (3.0, "receive.cold.cpu"),
    (3.0, "crc.cpu"),
    (3.0, "disk.256.allocated.cpu"),
];

pub(super) const SECTIONS: &[Section] = &[
    Section {
        title: "1 KiB records in 256-record batches, flushed; 1 partition, 8 requests in flight",
        rows: &[
            row("bulk1.cpu", "CPU charged", GIB, 3)
                .at_most_of("2 x (receive + CRC + write)", 0.0, SUM)
                .kafka("3.6-4.7"),
            row("bulk1.process", "of it the broker's process", GIB, 3),
            row("bulk1.kernel", "kernel threads", GIB, 3),
            row("bulk1.mbps", "throughput", MBPS, 0)
                .at_least_of(
                    "80 % of the raw writer",
                    0.0,
                    &[(0.8, "disk.256.allocated.mbps")],
                )
                .kafka("149-172"),
            row("bulk1.p50", "acknowledgement p50", MICROS, 0),
            row("bulk1.p99", "acknowledgement p99", MICROS, 0),
            row(
                "bulk1.written",
                "bytes written per byte acknowledged",
                TIMES,
                2,
            )
            .at_most(1.1),
            row("bulk1.client", "client's core in use", CORES, 2),
        ],
    },
    Section {
        title: "The same over 16 partitions by turns",
        rows: &[
            row("bulk16.cpu", "CPU charged", GIB, 3)
                .at_most_of("2 x (receive + CRC + write)", 0.0, SUM)
                .kafka("3.6-4.7"),
            row("bulk16.process", "of it the broker's process", GIB, 3),
            row("bulk16.kernel", "kernel threads", GIB, 3),
            row("bulk16.mbps", "throughput", MBPS, 0)
                .at_least_of(
                    "80 % of the raw writer",
                    0.0,
                    &[(0.8, "disk.256.allocated.mbps")],
                )
                .kafka("149-172"),
            row("bulk16.p50", "acknowledgement p50", MICROS, 0),
            row("bulk16.p99", "acknowledgement p99", MICROS, 0),
            row(
                "bulk16.written",
                "bytes written per byte acknowledged",
                TIMES,
                2,
            )
            .at_most(1.1),
            row("bulk16.client", "client's core in use", CORES, 2),
        ],
    },
    Section {
        title: "1 KiB records in 64-record batches, flushed; 1 partition, 4 connections, 8 in flight each",
        rows: &[
            row("mid1.cpu", "CPU charged", GIB, 3)
                .at_most_of("3 x (receive + CRC + write)", 0.0, SUM_3)
                .kafka("7.3"),
            row("mid1.process", "of it the broker's process", GIB, 3),
            row("mid1.kernel", "kernel threads", GIB, 3),
            row("mid1.mbps", "throughput", MBPS, 0)
                .at_least_of(
                    "80 % of the raw writer, every byte twice",
                    0.0,
                    &[(0.4, "disk.256.zeroed.mbps")],
                )
                .kafka("149-172"),
            row("mid1.p50", "acknowledgement p50", MICROS, 0),
            row("mid1.p99", "acknowledgement p99", MICROS, 0),
            row(
                "mid1.written",
                "bytes written per byte acknowledged",
                TIMES,
                2,
            ),
            row("mid1.client", "client's core in use", CORES, 2),
        ],
    },
    Section {
        title: "The same over 16 partitions by turns",
        rows: &[
            row("mid16.cpu", "CPU charged", GIB, 3)
                .at_most_of("3 x (receive + CRC + write)", 0.0, SUM_3)
                .kafka("7.3"),
            row("mid16.process", "of it the broker's process", GIB, 3),
            row("mid16.kernel", "kernel threads", GIB, 3),
            row("mid16.mbps", "throughput", MBPS, 0)
                .at_least_of(
                    "80 % of the raw writer, every byte twice",
                    0.0,
                    &[(0.4, "disk.256.zeroed.mbps")],
                )
                .kafka("149-172"),
            row("mid16.p50", "acknowledgement p50", MICROS, 0),
            row("mid16.p99", "acknowledgement p99", MICROS, 0),
            row(
                "mid16.written",
                "bytes written per byte acknowledged",
                TIMES,
                2,
            ),
            row("mid16.client", "client's core in use", CORES, 2),
        ],
    },
    Section {
        title: "1 KiB records in 16-record batches, flushed; 16 partitions by turns, 4 connections, 8 in flight each",
        rows: &[
            row("kib16.cpu", "CPU charged", GIB, 3),
            row("kib16.mbps", "throughput", MBPS, 0),
            row("kib16.p50", "acknowledgement p50", MICROS, 0),
            row("kib16.p99", "acknowledgement p99", MICROS, 0),
            row(
                "kib16.written",
                "bytes written per byte acknowledged",
                TIMES,
                2,
            )
            .at_most(2.3),
        ],
    },
    Section {
        title: "100-byte records in batches of 256 KiB, flushed; 1 partition, 8 requests in flight",
        rows: &[
            row("tiny.cpu", "CPU charged", GIB, 3).at_most_of(
                "1.3 x the 1 KiB row",
                0.0,
                &[(1.3, "bulk1.cpu")],
            ),
            row("tiny.process", "of it the broker's process", GIB, 3),
            row("tiny.mbps", "throughput", MBPS, 0),
        ],
    },
];

impl Content {
    /// So many bytes as the options say, for the partitions of a topic by turns.
    pub(super) fn load(
        self,
        bench: &Bench,
        topic: &str,
        partitions: i32,
        connections: usize,
    ) -> io::Result<Load> {
        let batch_bytes = (self.records * self.value_bytes) as u64;
        Ok(Load {
            frames: vec![bulk_frames(topic, partitions, self)?; connections],
            in_flight: IN_FLIGHT,
            requests: (bench.options.bulk_mib << 20) / batch_bytes,
        })
    }
}

pub(super) async fn run(bench: &mut Bench) -> io::Result<()> {
    let broker = Start::new(&bench.options).run(&bench.options)?;
    let topics = CASES.map(|(topic, partitions, ..)| (topic, partitions));
    create_topics(broker.addr, &topics).await?;
    let chosen = bench.options.case.clone();
    let is_chosen = |topic: &str| chosen.is_empty() || chosen.iter().any(|one| one == topic);
    for (topic, partitions, content, connections) in
        CASES.into_iter().filter(|case| is_chosen(case.0))
    {
        let load = content.load(bench, topic, partitions, connections)?;
        let (outcome, window) = measured(bench, broker.addr, &load, broker.pid()).await?;
        figures(bench, topic, &outcome, &window)?;
    }
    broker.stop().await
}

fn figures(bench: &mut Bench, topic: &str, outcome: &Outcome, window: &Window) -> io::Result<()> {
    let gib = outcome.gib();
    let figures = [
        ("cpu", window.charged() / gib),
        ("process", window.server.cpu.as_secs_f64() / gib),
        ("kernel", window.kernel.as_secs_f64() / gib),
        ("mbps", outcome.mbps()),
        ("p50", outcome.micros(0.5)),
        ("p99", outcome.micros(0.99)),
        (
            "written",
            window.server.written as f64 / outcome.bytes as f64,
        ),
        ("client", window.client_cores()),
    ];
    for (name, value) in figures {
        bench.add_known(&format!("{topic}.{name}"), value)?;
    }
    Ok(())
}
