//! Large batches, each a request: what a GiB of flushed records costs, and how fast it goes.

use std::io;

use crate::bench::Bench;
use crate::broker::Start;
use crate::client::{Content, Load, bulk_frames, create_topics};
use crate::scene::add_load;
use crate::scene::physical::measured;
use crate::table::{CORES, GIB, MBPS, MICROS, Row, Section, TIMES, row};

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

/// The rows of a case, with its goals for CPU, throughput and bytes written.
macro_rules! rows {
    ($case:literal, $cpu:expr, $mbps:expr, $written:expr) => {
        &[
            $cpu(row(concat!($case, ".cpu"), "CPU charged", GIB, 3)),
            row(
                concat!($case, ".process"),
                "of it the broker's process",
                GIB,
                3,
            ),
            row(concat!($case, ".kernel"), "kernel threads", GIB, 3),
            $mbps(row(concat!($case, ".mbps"), "throughput", MBPS, 0)),
            row(concat!($case, ".p50"), "acknowledgement p50", MICROS, 0),
            row(concat!($case, ".p99"), "acknowledgement p99", MICROS, 0),
            $written(row(
                concat!($case, ".written"),
                "bytes written per byte acknowledged",
                TIMES,
                2,
            )),
            row(concat!($case, ".client"), "client's core in use", CORES, 2),
        ]
    };
}

const fn no_goal(row: Row) -> Row {
    row
}

const fn large_cpu(row: Row) -> Row {
    row.at_most_of("2 x (receive + CRC + write)", 0.0, SUM)
        .kafka("3.6-4.7")
}

const fn large_mbps(row: Row) -> Row {
    let of = &[(0.8, "disk.256.allocated.mbps")];
    row.at_least_of("80 % of the raw writer", 0.0, of)
        .kafka("149-172")
}

const fn large_written(row: Row) -> Row {
    row.at_most(1.1)
}

const fn middle_cpu(row: Row) -> Row {
    row.at_most_of("3 x (receive + CRC + write)", 0.0, SUM_3)
        .kafka("7.3")
}

const fn middle_mbps(row: Row) -> Row {
    let of = &[(0.4, "disk.256.zeroed.mbps")];
    row.at_least_of("80 % of the raw writer, every byte twice", 0.0, of)
        .kafka("149-172")
}

const fn small_written(row: Row) -> Row {
    row.at_most(2.3)
}

const fn tiny_cpu(row: Row) -> Row {
    row.at_most_of("1.3 x the 1 KiB row", 0.0, &[(1.3, "bulk1.cpu")])
}

pub(super) const SECTIONS: &[Section] = &[
    Section {
        title: "1 KiB records in 256-record batches, flushed; 1 partition, 8 requests in flight",
        rows: rows!("bulk1", large_cpu, large_mbps, large_written),
    },
    Section {
        title: "1 KiB records in 256-record batches, flushed; 16 partitions by turns, 8 requests in flight",
        rows: rows!("bulk16", large_cpu, large_mbps, large_written),
    },
    Section {
        title: "1 KiB records in 64-record batches, flushed; 1 partition, 4 connections, 8 in flight each",
        rows: rows!("mid1", middle_cpu, middle_mbps, no_goal),
    },
    Section {
        title: "1 KiB records in 64-record batches, flushed; 16 partitions by turns, 4 connections, 8 in flight each",
        rows: rows!("mid16", middle_cpu, middle_mbps, no_goal),
    },
    Section {
        title: "1 KiB records in 16-record batches, flushed; 16 partitions by turns, 4 connections, 8 in flight each",
        rows: rows!("kib16", no_goal, no_goal, small_written),
    },
    Section {
        title: "100-byte records in batches of 256 KiB, flushed; 1 partition, 8 requests in flight",
        rows: rows!("tiny", tiny_cpu, no_goal, no_goal),
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
        add_load(bench, topic, outcome.gib(), &outcome, &window)?;
    }
    broker.stop().await
}
