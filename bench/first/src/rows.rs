//! The figures: their names, units and goals.

/// One figure of the results.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Its key in JSON.
    pub(crate) key: &'static str,
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) digits: usize,
    /// The largest median that meets the goal.
    pub(crate) goal: Option<f64>,
    /// The same on Apache Kafka 4.1 with `flush.messages=1`, measured earlier on such a machine.
    pub(crate) kafka: &'static str,
}

/// A part of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) rows: &'static [Row],
}

const fn row(key: &'static str, name: &'static str, unit: &'static str, digits: usize) -> Row {
    Row {
        key,
        name,
        unit,
        digits,
        goal: None,
        kafka: "",
    }
}

const fn goal(row: Row, most: f64, kafka: &'static str) -> Row {
    Row {
        goal: Some(most),
        kafka,
        ..row
    }
}

const GIB: &str = "CPU-s/GiB";
const MILLION: &str = "CPU-s/million";
const MBPS: &str = "MB/s";
const KRPS: &str = "thousand/s";
const MICROS: &str = "us";

pub(crate) const SECTIONS: &[Section] = &[
    Section {
        title: "Broker: 1 KiB records in 256-record batches, flushed; 1 partition, 8 requests in flight",
        rows: &[
            goal(row("bulk1.cpu", "broker process", GIB, 3), 0.7, "3.6-4.7"),
            row("bulk1.workers", "of it io_uring workers", GIB, 3),
            row("bulk1.kernel", "kernel threads beside it", GIB, 3),
            row("bulk1.machine", "machine less client less idle", GIB, 3),
            Row {
                kafka: "149-172",
                ..row("bulk1.mbps", "throughput", MBPS, 0)
            },
            row("bulk1.p50", "acknowledgement p50", MICROS, 0),
            row("bulk1.p99", "acknowledgement p99", MICROS, 0),
            row("bulk1.written", "bytes written per byte sent", "x", 2),
            row("bulk1.client", "client's core in use", "cores", 2),
        ],
    },
    Section {
        title: "Broker: the same over 16 partitions by turns",
        rows: &[
            goal(row("bulk16.cpu", "broker process", GIB, 3), 0.7, "3.6-4.7"),
            row("bulk16.workers", "of it io_uring workers", GIB, 3),
            row("bulk16.kernel", "kernel threads beside it", GIB, 3),
            row("bulk16.machine", "machine less client less idle", GIB, 3),
            Row {
                kafka: "149-172",
                ..row("bulk16.mbps", "throughput", MBPS, 0)
            },
            row("bulk16.p50", "acknowledgement p50", MICROS, 0),
            row("bulk16.p99", "acknowledgement p99", MICROS, 0),
            row("bulk16.written", "bytes written per byte sent", "x", 2),
            row("bulk16.client", "client's core in use", "cores", 2),
        ],
    },
    Section {
        title: "Broker: one 1 KiB record a request, flushed; 16 connections, 1 in flight each",
        rows: &[
            goal(
                row("small.cpu", "broker process", MILLION, 1),
                15.0,
                "111-118",
            ),
            row("small.workers", "of it io_uring workers", MILLION, 1),
            row("small.kernel", "kernel threads beside it", MILLION, 1),
            row("small.machine", "machine less client less idle", MILLION, 1),
            Row {
                kafka: "6.9-7.5",
                ..row("small.krps", "requests", KRPS, 1)
            },
            row("small.p50", "acknowledgement p50", MICROS, 0),
            row("small.p99", "acknowledgement p99", MICROS, 0),
            row("small.written", "bytes written per byte sent", "x", 2),
            row("small.client", "client's core in use", "cores", 2),
        ],
    },
    Section {
        title: "Broker: one 1 KiB record a request, flushed; 1 connection, 1 in flight",
        rows: &[
            goal(
                row(
                    "single.ratio",
                    "acknowledgement p50 to raw write + DSYNC p50",
                    "x",
                    2,
                ),
                3.0,
                "",
            ),
            Row {
                kafka: "615 (at 1,000/s)",
                ..row("single.p50", "acknowledgement p50", MICROS, 0)
            },
            Row {
                kafka: "7,700 (at 1,000/s)",
                ..row("single.p99", "acknowledgement p99", MICROS, 0)
            },
            Row {
                kafka: "217-224",
                ..row("single.cpu", "broker process", MILLION, 1)
            },
        ],
    },
    Section {
        title: "Physical parts, on the broker's core and reactor",
        rows: &[
            row(
                "receive.warm.cpu",
                "receive 1 MiB frames into one aligned buffer",
                GIB,
                3,
            ),
            row("receive.warm.mbps", "", MBPS, 0),
            row(
                "receive.cold.cpu",
                "the same into 64 buffers by turns",
                GIB,
                3,
            ),
            row("receive.cold.mbps", "", MBPS, 0),
            row("crc.cpu", "CRC-32C of 256 KiB from memory", GIB, 3),
            row(
                "disk.256.allocated.cpu",
                "direct write + DSYNC, 256 KiB x 4, fallocated",
                GIB,
                3,
            ),
            row("disk.256.allocated.mbps", "", MBPS, 0),
            row(
                "disk.256.zeroed.cpu",
                "direct write + DSYNC, 256 KiB x 4, zeroed",
                GIB,
                3,
            ),
            row("disk.256.zeroed.mbps", "", MBPS, 0),
            row(
                "disk.1024.allocated.cpu",
                "direct write + DSYNC, 1 MiB x 4, fallocated",
                GIB,
                3,
            ),
            row("disk.1024.allocated.mbps", "", MBPS, 0),
            row(
                "disk.1024.zeroed.cpu",
                "direct write + DSYNC, 1 MiB x 4, zeroed",
                GIB,
                3,
            ),
            row("disk.1024.zeroed.mbps", "", MBPS, 0),
            row(
                "echo.small.cpu",
                "echo of such requests, 16 connections",
                MILLION,
                1,
            ),
            row("echo.small.krps", "", KRPS, 1),
            row("echo.single.p50", "echo, 1 connection, p50", MICROS, 0),
            row("raw.p50", "4 KiB direct overwrite + DSYNC, p50", MICROS, 0),
            row("raw.p99", "4 KiB direct overwrite + DSYNC, p99", MICROS, 0),
        ],
    },
    Section {
        title: "A broker that keeps nothing: received, decoded, answered; the client's own limit",
        rows: &[
            row("null.bulk.cpu", "256-record batches", GIB, 3),
            row("null.bulk.mbps", "", MBPS, 0),
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
            row("check.none", "not compressed", GIB, 3),
            row("check.lz4", "lz4", GIB, 3),
            row("check.snappy", "snappy", GIB, 3),
            row("check.zstd", "zstd", GIB, 3),
            row("check.gzip", "gzip", GIB, 3),
        ],
    },
    Section {
        title: "How quiet the machine was",
        rows: &[
            row("noise.idle", "cores in use before each case", "cores", 2),
            row(
                "noise.others",
                "cores used by others during the broker's cases",
                "cores",
                2,
            ),
        ],
    },
];

/// The row of a key.
pub(crate) fn find(key: &str) -> Option<&'static Row> {
    SECTIONS
        .iter()
        .flat_map(|section| section.rows)
        .find(|row| row.key == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unique() {
        let mut keys: Vec<_> = SECTIONS
            .iter()
            .flat_map(|one| one.rows)
            .map(|row| row.key)
            .collect();
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all);
    }

    #[test]
    fn the_goals_are_those_of_the_project() {
        let most = |key: &str| find(key).and_then(|row| row.goal);
        assert_eq!(most("bulk1.cpu"), Some(0.7));
        assert_eq!(most("small.cpu"), Some(15.0));
        assert_eq!(most("single.ratio"), Some(3.0));
        assert_eq!(most("raw.p50"), None);
    }
}
