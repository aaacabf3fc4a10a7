//! What is measured: each scene sets something up, works it and adds figures to its rows.
//!
//! A scene's file has its rows, with their goals, beside the code that measures them.

mod bulk;
mod bypass;
mod cold;
mod compaction;
mod fetch;
mod foreign;
mod groups;
mod hour;
mod idle;
mod many;
mod memory;
mod noise;
mod physical;
mod restart;
mod sendfile;
mod shards;
mod small;
mod steady;
mod waiting;

use std::io;

use clap::ValueEnum;

use crate::bench::{Bench, Window};
use crate::client::Outcome;
use crate::metrics::Metrics;
use crate::table::{Row, Section};

/// A scene, by the name that `--only` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scene {
    /// The physical parts, without a broker.
    Physical,
    /// Large batches and batches of 64 records: CPU, throughput, write amplification.
    Bulk,
    /// Through the journal or not: batches of several sizes over few and many partitions.
    Bypass,
    /// One record a request: CPU, latency, write amplification.
    Small,
    /// Latency while the journal turns over, segments roll and old ones are deleted.
    Steady,
    /// 10,000 partitions: made, described, one record each at a steady rate.
    Many,
    /// Nothing to do: the start, memory, CPU.
    Idle,
    /// Most memory under load.
    Memory,
    /// Starts after SIGKILL, with much data and with many partitions.
    Restart,
    /// Fetches of what is in memory, of what is on the disk, and of one small batch at a time.
    Fetch,
    /// An hour of steady load: with `--full` only.
    Hour,
    /// Many fetches that wait beside small requests.
    Waiting,
    /// A consumer of old data beside producers.
    Cold,
    /// A compacted topic that becomes clean beside a producer.
    Compaction,
    /// 10,000 consumer groups, 1,000 members in one; beside Apache Kafka where it is installed.
    Groups,
    /// Old data in the kernel's pages: by direct I/O, by sendfile, and what the broker chooses.
    Sendfile,
    /// Two shards, a connection on one and its partition on the other.
    Shards,
    /// The same with librdkafka and franz-go.
    Foreign,
}

/// The table from its top.
pub(crate) const SECTIONS: &[&[Section]] = &[
    bulk::SECTIONS,
    bypass::SECTIONS,
    small::SECTIONS,
    steady::SECTIONS,
    hour::SECTIONS,
    many::SECTIONS,
    idle::SECTIONS,
    memory::SECTIONS,
    restart::SECTIONS,
    fetch::SECTIONS,
    waiting::SECTIONS,
    cold::SECTIONS,
    compaction::SECTIONS,
    groups::SECTIONS,
    sendfile::SECTIONS,
    shards::SECTIONS,
    foreign::SECTIONS,
    physical::SECTIONS,
    noise::SECTIONS,
];

impl Scene {
    /// Measures once.
    pub(crate) async fn run(self, bench: &mut Bench) -> io::Result<()> {
        match self {
            Self::Physical => physical::run(bench).await,
            Self::Bulk => bulk::run(bench).await,
            Self::Bypass => bypass::run(bench).await,
            Self::Small => small::run(bench).await,
            Self::Many => many::run(bench).await,
            Self::Idle => idle::run(bench).await,
            Self::Memory => memory::run(bench).await,
            Self::Restart => restart::run(bench).await,
            Self::Fetch => fetch::run(bench).await,
            Self::Steady => steady::run(bench).await,
            Self::Hour => hour::run(bench).await,
            Self::Waiting => waiting::run(bench).await,
            Self::Cold => cold::run(bench).await,
            Self::Compaction => compaction::run(bench).await,
            Self::Groups => groups::run(bench).await,
            Self::Sendfile => sendfile::run(bench).await,
            Self::Shards => shards::run(bench).await,
            Self::Foreign => foreign::run(bench).await,
        }
    }
}

/// What a load on a broker showed, where `key` has rows for it; CPU is that of one of `amount`.
fn add_load(
    bench: &mut Bench,
    key: &str,
    amount: f64,
    outcome: &Outcome,
    window: &Window,
) -> io::Result<()> {
    let figures = [
        ("cpu", window.charged() / amount),
        ("process", window.server.cpu.as_secs_f64() / amount),
        ("kernel", window.kernel.as_secs_f64() / amount),
        ("mbps", outcome.mbps()),
        ("krps", outcome.krps()),
        ("p50", outcome.micros(0.5)),
        ("p99", outcome.micros(0.99)),
        (
            "written",
            window.server.written as f64 / outcome.bytes as f64,
        ),
        ("client", window.client_cores()),
    ];
    for (name, value) in figures {
        bench.add_known(&format!("{key}.{name}"), value)?;
    }
    Ok(())
}

/// Requests that a flush answered between two looks at a broker, and what its raw flushes cost for
/// a million of them.
fn add_flushes(bench: &mut Bench, key: &str, before: &Metrics, after: &Metrics) -> io::Result<()> {
    let group = after.since(before, "flumen_batches_appended_total")?
        / after.since(before, "flumen_journal_frames_total")?;
    bench.add(&format!("{key}.group"), group)?;
    let share = bench.results.median("flush.cpu") / group;
    bench.add(&format!("{key}.flush_share"), share)
}

/// All sections in order.
pub(crate) fn sections() -> impl Iterator<Item = &'static Section> {
    SECTIONS.iter().copied().flatten()
}

/// All rows in order.
pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    sections().flat_map(|section| section.rows)
}

/// The row of a key.
pub(crate) fn row(key: &str) -> Option<&'static Row> {
    rows().find(|row| row.key == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unique() {
        let mut keys: Vec<_> = rows().map(|row| row.key).collect();
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all);
    }

    #[test]
    fn bounds_are_made_of_rows_that_exist() {
        let goals = rows().filter_map(|row| row.goal.as_ref());
        for (_, key) in goals.flat_map(|goal| goal.bound().of) {
            assert!(row(key).is_some(), "{key}");
        }
    }
}
