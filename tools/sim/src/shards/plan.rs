//! What a seed decides about a node before anything happens on it.

use std::ops::Range;
use std::time::Duration;

use engine_rt::sim::{DiskOptions, Options};
use engine_shard::LogConfig;

use crate::rng::Rng;

/// Smallest journal file that the engine takes.
const JOURNAL_FILE_BYTES: u64 = 256 << 10;

/// The layout of a node and the habits of its clients.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Partitions, each with its configuration.
    pub logs: Vec<LogConfig>,
    /// Shards at first.
    pub shards: usize,
    /// Lives of the node before the last look.
    pub lives: u32,
    /// Size of a journal file.
    pub journal_file_bytes: u64,
    /// Journal files at most.
    pub journal_files_max: usize,
    /// Bytes of batches that a shard holds in memory.
    pub tail_bytes_max: u64,
    /// Chunks that readers share.
    pub read_chunks_max: usize,
    /// Open segment files at most.
    pub open_files_max: usize,
    /// Appends of this size bypass the journal.
    pub bypass_bytes: usize,
    /// How often retention looks.
    pub retention_check_ms: u64,
    /// Producers.
    pub producers: Vec<ProducerPlan>,
    /// Consumers.
    pub consumers: usize,
    /// Whether somebody deletes records and changes configurations.
    pub admin: bool,
}

/// The habits of a producer.
#[derive(Clone, Debug)]
pub struct ProducerPlan {
    /// Whether it numbers its batches and repeats those that got no answer.
    pub idempotent: bool,
    /// The logs it writes to.
    pub logs: Vec<u32>,
    /// Batches of a log under way at most.
    pub in_flight_max: usize,
    /// Batches in one life.
    pub batches: Range<u64>,
    /// Sizes of small batches.
    pub small: Range<u64>,
    /// Percent of batches that bypass the journal.
    pub large_percent: u64,
    /// Longest pause between batches, in microseconds.
    pub pause_us: u64,
}

impl Plan {
    /// Draws a plan.
    pub fn draw(rng: &mut Rng) -> Self {
        // Some seeds fill the journal so that it turns over and uses its files again.
        let bulky = rng.percent(12);
        let bypass_bytes = if bulky {
            96 << 10
        } else {
            *rng.pick(&[12 << 10, 24 << 10, 64 << 10])
        };
        let logs: Vec<_> = (0..rng.between(1, 6)).map(|_| draw_log(rng)).collect();
        let producers = rng.between(1, 4);
        let producers = (0..producers)
            .map(|_| ProducerPlan::draw(rng, logs.len() as u64, bypass_bytes as u64, bulky))
            .collect();
        Self {
            logs,
            shards: rng.between(1, 3) as usize,
            lives: rng.between(6, 11) as u32,
            journal_file_bytes: JOURNAL_FILE_BYTES,
            journal_files_max: rng.between(2, 4) as usize,
            tail_bytes_max: *rng.pick(&[256 << 10, 1 << 20, 8 << 20]),
            read_chunks_max: rng.between(2, 6) as usize,
            open_files_max: rng.between(2, 32) as usize,
            bypass_bytes,
            retention_check_ms: rng.magnitude(20, 2000),
            producers,
            consumers: rng.between(1, 3) as usize,
            admin: rng.percent(60),
        }
    }

    /// Whether a log may lose its front by itself.
    pub fn expires(&self, log: u32) -> bool {
        expires(&self.logs[log as usize])
    }

    /// The world for this plan.
    pub fn world(rng: &mut Rng) -> Options {
        let slowest = Duration::from_micros(rng.magnitude(100, 5000));
        Options {
            disk: DiskOptions {
                latency: Duration::from_micros(10)..slowest,
                stall_probability: *rng.pick(&[0.0, 0.0, 0.002, 0.02]),
                stall: Duration::from_millis(5)..Duration::from_millis(200),
                linger: *rng.pick(&[0.0, 0.5, 1.0]),
                ..DiskOptions::default()
            },
            ..Options::default()
        }
    }
}

/// What of a topic's configuration matters here.
pub(super) fn draw_log(rng: &mut Rng) -> LogConfig {
    let segment_bytes = rng.magnitude(16 << 10, 2 << 20);
    let bounded = rng.percent(30);
    let short = rng.percent(15);
    LogConfig {
        segment_bytes,
        segment_ms: if rng.percent(20) { 50 } else { 3_600_000 },
        retention_bytes: if bounded {
            2 * segment_bytes as i64
        } else {
            -1
        },
        retention_ms: if short { 500 } else { 86_400_000 },
        ..LogConfig::default()
    }
}

/// Whether a log of this configuration may lose its front by itself.
pub(super) const fn expires(config: &LogConfig) -> bool {
    config.retention_bytes >= 0 || config.retention_ms < 86_400_000
}

impl ProducerPlan {
    fn draw(rng: &mut Rng, logs: u64, bypass_bytes: u64, bulky: bool) -> Self {
        let count = rng.between(1, logs.min(3));
        let mut own: Vec<u32> = (0..count).map(|_| rng.below(logs) as u32).collect();
        own.sort_unstable();
        own.dedup();
        let small = if bulky {
            bypass_bytes / 4..bypass_bytes - 200
        } else {
            100..rng.magnitude(200, bypass_bytes - 200).max(200)
        };
        Self {
            idempotent: rng.percent(70),
            logs: own,
            in_flight_max: rng.between(1, 5) as usize,
            batches: 1..rng.between(10, if bulky { 150 } else { 60 }),
            small,
            large_percent: *rng.pick(&[0, 5, 20, 60]),
            pause_us: *rng.pick(&[0, 100, 2000, 20_000]),
        }
    }
}
