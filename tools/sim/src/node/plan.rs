//! What a seed decides about a node and its clients before anything happens.

use std::ops::Range;
use std::time::Duration;

use engine_rt::sim::{DiskOptions, NetOptions, Options};

use crate::rng::Rng;

/// Smallest journal file that the engine takes.
pub(super) const JOURNAL_FILE_BYTES: u64 = 256 << 10;
/// Smallest segment.
const SEGMENT_BYTES_MIN: u64 = 16 << 10;

/// The layout of a node and the habits of its clients.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Topics at first.
    pub topics: u64,
    /// Topics at most at a time.
    pub topics_max: u64,
    /// Shards at first.
    pub shards: usize,
    /// Lives of the node before the last look.
    pub lives: u32,
    /// Journal files at most.
    pub journal_files_max: u64,
    /// Bytes of batches that a shard holds in memory.
    pub tail_bytes: u64,
    /// Descriptors of the process.
    pub open_files: usize,
    /// Appends of this size bypass the journal.
    pub bypass_bytes: u64,
    /// Metadata changes, in bytes, after which its log begins again.
    pub meta_generation_bytes: u64,
    /// How often retention looks.
    pub retention_check_ms: u64,
    /// How old data is read (`fetch.read.path`).
    pub read_path: &'static str,
    /// Producers.
    pub producers: Vec<ProducerPlan>,
    /// Consumers.
    pub consumers: Vec<Reading>,
    /// Whether somebody deletes records, changes configurations, creates and deletes topics.
    pub admin: bool,
    /// Percent of lives in which the network fails now and then.
    pub troubled_percent: u64,
}

/// The habits of a producer.
#[derive(Clone, Debug)]
pub struct ProducerPlan {
    /// Whether it numbers its batches and repeats those that got no answer.
    pub idempotent: bool,
    /// Percent of the partitions that it writes to.
    pub spread_percent: u64,
    /// Batches of a partition under way at most.
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

/// How a consumer asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Names topics by their ids.
    pub by_id: bool,
    /// Keeps a fetch session (KIP-227).
    pub session: bool,
}

/// What a new topic is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct TopicPlan {
    /// Partitions.
    pub partitions: i32,
    /// Largest batch that it is sent: no configuration of it has smaller segments.
    pub batch_bytes_max: u64,
    /// `internal.segment.bytes`.
    pub segment_bytes: u64,
    /// `segment.ms`.
    pub segment_ms: u64,
    /// `retention.bytes`.
    pub retention_bytes: i64,
    /// `retention.ms`.
    pub retention_ms: u64,
}

impl Plan {
    /// Draws a plan.
    pub fn draw(rng: &mut Rng) -> Self {
        // Some seeds fill the journal so that it turns over and uses its files again.
        let bulky = rng.percent(15);
        let bypass_bytes = if bulky {
            96 << 10
        } else {
            *rng.pick(&[12 << 10, 24 << 10, 64 << 10])
        };
        let topics = rng.between(1, 3);
        let producers = rng.between(1, 4);
        let producers = (0..producers).map(|_| ProducerPlan::draw(rng, bypass_bytes, bulky));
        let producers = producers.collect();
        let consumers = (0..rng.between(1, 3)).map(|_| Reading {
            by_id: rng.percent(50),
            session: rng.percent(50),
        });
        Self {
            consumers: consumers.collect(),
            topics,
            topics_max: topics + rng.below(3),
            shards: rng.between(1, 3) as usize,
            lives: rng.between(6, 10) as u32,
            journal_files_max: rng.between(2, 4),
            tail_bytes: *rng.pick(&[256 << 10, 1 << 20, 8 << 20]),
            open_files: 512 + rng.between(0, 100) as usize,
            bypass_bytes,
            meta_generation_bytes: *rng.pick(&[4096, 4096, 32 << 10, 256 << 10]),
            retention_check_ms: rng.magnitude(20, 2000),
            read_path: *rng.pick(&["auto", "direct"]),
            producers,
            admin: rng.percent(70),
            troubled_percent: *rng.pick(&[0, 0, 20, 60]),
        }
    }

    /// The world for this plan.
    pub fn world(rng: &mut Rng) -> Options {
        let slowest = Duration::from_micros(rng.magnitude(100, 5000));
        let silence = Duration::from_millis(rng.magnitude(2, 2000));
        Options {
            disk: DiskOptions {
                latency: Duration::from_micros(10)..slowest,
                stall_probability: *rng.pick(&[0.0, 0.0, 0.002, 0.02]),
                stall: Duration::from_millis(5)..Duration::from_millis(200),
                linger: *rng.pick(&[0.0, 0.5, 1.0]),
                evict: *rng.pick(&[0.0, 0.05, 0.5]),
                ..DiskOptions::default()
            },
            net: NetOptions {
                delay: Duration::from_micros(10)
                    ..Duration::from_micros(*rng.pick(&[50, 1000, 10_000])),
                window_bytes: *rng.pick(&[64 << 10, 256 << 10, 1 << 20]),
                segment_bytes: *rng.pick(&[1460, 64 << 10, 64 << 10]),
                keepalive: Some(Duration::from_millis(1)..silence),
                ..NetOptions::default()
            },
            ..Options::default()
        }
    }
}

impl TopicPlan {
    /// Draws a topic.
    pub(super) fn draw(rng: &mut Rng, bypass_bytes: u64) -> Self {
        let segment_bytes = rng.magnitude(SEGMENT_BYTES_MIN, 2 << 20);
        let bounded = rng.percent(30);
        let short = rng.percent(15);
        Self {
            partitions: rng.between(1, 3) as i32,
            batch_bytes_max: segment_bytes.min(bypass_bytes * 4),
            segment_bytes,
            segment_ms: draw_segment_ms(rng),
            retention_bytes: if bounded {
                2 * segment_bytes as i64
            } else {
                -1
            },
            retention_ms: if short { 500 } else { 86_400_000 },
        }
    }

    /// Whether the front of its logs may go by itself.
    pub(super) const fn expires(&self) -> bool {
        self.retention_bytes >= 0 || self.retention_ms < 86_400_000
    }

    /// Kafka's names and values of it.
    pub(super) fn configs(&self) -> [(&'static str, String); 4] {
        [
            ("internal.segment.bytes", self.segment_bytes.to_string()),
            ("segment.ms", self.segment_ms.to_string()),
            ("retention.bytes", self.retention_bytes.to_string()),
            ("retention.ms", self.retention_ms.to_string()),
        ]
    }

    /// Another size and age of segments for a topic that is there.
    #[must_use]
    pub(super) fn change(&self, rng: &mut Rng) -> Self {
        let least = self.batch_bytes_max.max(SEGMENT_BYTES_MIN);
        let bounded = rng.percent(10);
        Self {
            segment_bytes: rng.magnitude(least, least.max(2 << 20)),
            segment_ms: draw_segment_ms(rng),
            retention_bytes: if bounded {
                2 * least as i64
            } else {
                self.retention_bytes
            },
            ..*self
        }
    }
}

const fn draw_segment_ms(rng: &mut Rng) -> u64 {
    if rng.percent(20) { 50 } else { 3_600_000 }
}

impl ProducerPlan {
    fn draw(rng: &mut Rng, bypass_bytes: u64, bulky: bool) -> Self {
        let small = if bulky {
            bypass_bytes / 4..bypass_bytes - 200
        } else {
            100..rng.magnitude(200, bypass_bytes - 200).max(200)
        };
        Self {
            idempotent: rng.percent(70),
            spread_percent: *rng.pick(&[20, 50, 100]),
            in_flight_max: rng.between(1, 5) as usize,
            batches: 1..rng.between(10, if bulky { 150 } else { 60 }),
            small,
            large_percent: *rng.pick(&[0, 5, 20, 60]),
            pause_us: *rng.pick(&[0, 100, 2000, 20_000]),
        }
    }
}
