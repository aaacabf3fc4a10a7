//! The table.

use std::fmt::Write as _;
use std::time::Duration;

use hdrhistogram::Histogram;
use net_admin::Snapshot;

use super::content::RECORD_BYTES;

const GIB: f64 = (1_u64 << 30) as f64;
const MIB: f64 = (1_u64 << 20) as f64;

/// What was measured.
pub(super) struct Figures {
    pub(super) records: u64,
    pub(super) partitions: usize,
    pub(super) written_in: Duration,
    pub(super) read_in: Duration,
    /// Time to the flushed acknowledgement, with five requests on their way.
    pub(super) busy: Histogram<u64>,
    /// The same, one record at a time.
    pub(super) alone: Histogram<u64>,
    /// The broker's time on CPUs while records were written, and while they were read.
    pub(super) cpu: [Duration; 2],
    /// What the disk did.
    pub(super) disk: Disk,
}

/// What the disk did, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Disk {
    pub(super) appended: u64,
    pub(super) journal: u64,
    pub(super) flushes: u64,
    pub(super) segments: u64,
    pub(super) in_memory: u64,
}

impl Disk {
    /// The node's counters so far.
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let mut disk = Self::default();
        for shard in &snapshot.shards {
            disk.appended += shard.engine.appended_bytes;
            disk.journal += shard.engine.journal.bytes;
            disk.flushes += shard.engine.journal.frames;
            disk.segments += shard.engine.segment_bytes;
            disk.in_memory += shard.engine.tail_bytes;
        }
        disk
    }

    /// What happened since `earlier`; what is in memory is as it is.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            appended: self.appended - earlier.appended,
            journal: self.journal - earlier.journal,
            flushes: self.flushes - earlier.flushes,
            segments: self.segments - earlier.segments,
            in_memory: self.in_memory,
        }
    }
}

impl Figures {
    /// The table, line by line.
    pub(super) fn table(&self) -> String {
        let mut table = String::new();
        let mut row = |what: &str, figure: String| {
            // Writing to a string does not fail.
            let _written = writeln!(table, "  {what:<36} {figure}");
        };
        let bytes = self.records as f64 * RECORD_BYTES as f64;
        let records = format!(
            "{} of {RECORD_BYTES} bytes, {} partitions, all compared",
            self.records, self.partitions
        );
        row("records", records);
        row("written", rate(self.records, bytes, self.written_in));
        row("read", rate(self.records, bytes, self.read_in));
        row("flushed acknowledgement, 5 requests", quantiles(&self.busy));
        row("flushed acknowledgement, 1 record", quantiles(&self.alone));
        row("broker CPU, writing", per_gib(self.cpu[0], bytes));
        row("broker CPU, reading", per_gib(self.cpu[1], bytes));
        row(
            "journal",
            format!(
                "{} in {} flushes",
                mib(self.disk.journal),
                self.disk.flushes
            ),
        );
        let left = mib(self.disk.in_memory);
        row(
            "segments",
            format!("{} so far, {left} in memory", mib(self.disk.segments)),
        );
        row("write amplification so far", self.amplification());
        table
    }

    fn amplification(&self) -> String {
        let disk = (self.disk.journal + self.disk.segments) as f64;
        format!("{:.2}", disk / (self.disk.appended.max(1)) as f64)
    }
}

fn rate(records: u64, bytes: f64, took: Duration) -> String {
    let seconds = took.as_secs_f64().max(1e-6);
    format!(
        "{:.0} records/s, {:.0} MiB/s ({seconds:.2} s)",
        records as f64 / seconds,
        bytes / MIB / seconds
    )
}

fn quantiles(latency: &Histogram<u64>) -> String {
    let [p50, p99] = [0.5, 0.99].map(|at| millis(latency.value_at_quantile(at)));
    format!("p50 {p50}, p99 {p99}")
}

fn millis(us: u64) -> String {
    if us < 10_000 {
        format!("{us} us")
    } else {
        format!("{:.1} ms", us as f64 / 1_000.0)
    }
}

fn per_gib(cpu: Duration, bytes: f64) -> String {
    format!(
        "{:.2} CPU-s per GiB",
        cpu.as_secs_f64() / (bytes.max(1.0) / GIB)
    )
}

fn mib(bytes: u64) -> String {
    format!("{:.0} MiB", bytes as f64 / MIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_was_measured() {
        let mut busy = Histogram::new_with_bounds(1, 60_000_000, 3).unwrap();
        busy.record_n(300, 99).unwrap();
        busy.record(20_000).unwrap();
        let mut alone = busy.clone();
        alone.record_n(20_000, 1_000).unwrap();
        let before = Disk {
            appended: 1,
            journal: 2,
            flushes: 3,
            segments: 4,
            in_memory: 5,
        };
        let after = Disk {
            appended: 1 + (100 << 20),
            journal: 2 + (110 << 20),
            flushes: 1003,
            segments: 4 + (50 << 20),
            in_memory: 50 << 20,
        };
        let figures = Figures {
            records: 1 << 20,
            partitions: 8,
            written_in: Duration::from_secs(2),
            read_in: Duration::from_secs(1),
            busy,
            alone,
            cpu: [Duration::from_secs(1), Duration::from_millis(500)],
            disk: after.since(before),
        };
        let table = figures.table();
        for text in [
            "524288 records/s, 132 MiB/s (2.00 s)",
            "p50 300 us, p99 300 us",
            "p50 20.0 ms",
            "3.88 CPU-s per GiB",
            "110 MiB in 1000 flushes",
            "50 MiB so far, 50 MiB in memory",
            "1.60",
        ] {
            assert!(table.contains(text), "{text}\n{table}");
        }
    }
}
