//! What a seed decides about a node and its clients before anything happens.

use std::ops::Range;
use std::time::Duration;

use engine_rt::sim::{DiskOptions, NetOptions, Options};
use flumen::broker::MEMORY_BYTES_MIN;
use net_wire::codec::Codec;

use super::compaction::CompactionPlan;
use super::groups::GroupPlan;
use crate::checker::{Compacted, LogRules};
use crate::rng::Rng;

/// Smallest journal file that the engine takes.
const JOURNAL_FILE_BYTES: u64 = 256 << 10;
/// Smallest segment.
const SEGMENT_BYTES_MIN: u64 = 16 << 10;
/// Largest segment of a compacted topic: only what has left the active one is cleaned.
const COMPACTED_SEGMENT_BYTES_MAX: u64 = 256 << 10;
pub(super) const DAY_MS: i64 = 86_400_000;

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
    /// Bytes of a journal file.
    pub journal_file_bytes: u64,
    /// Journal files at most.
    pub journal_files_max: u64,
    /// Bytes of batches that a shard holds in memory.
    pub tail_bytes: u64,
    /// The memory budget.
    pub memory_bytes: u64,
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
    /// Free space below which produce is refused.
    pub space_reserve_bytes: u64,
    /// Percent of topics whose acknowledgements do not wait for the flush.
    pub weak_percent: u64,
    /// How often the scrubber begins again.
    pub scrub_interval_ms: u64,
    /// Bytes that compaction reads in a second.
    pub cleaner_bytes_per_second: u64,
    /// Its memory for keys; so little is as little as it can have.
    pub cleaner_key_bytes: u64,
    /// Consumer groups.
    pub groups: GroupPlan,
    /// Whether the kernel lets go of pages.
    pub evicts: bool,
    /// Whether the wall clock jumps: tombstones and producers may be taken for older than they are.
    pub clock_jumps: bool,
}

/// What a seed is about, since not everything fits into one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    /// Many small things.
    Small,
    /// The journal fills up, turns over and uses its files again.
    Bulky,
    /// Sizes as in production: batches that bypass the journal have 256 KiB and more.
    Large,
}

/// The habits of a producer.
#[derive(Clone, Debug)]
pub struct ProducerPlan {
    /// Whether it numbers its batches and repeats those that got no answer.
    pub idempotent: bool,
    /// Which acknowledgement it asks for.
    pub acks: i16,
    /// How it compresses batches, one of these each.
    pub codecs: &'static [Codec],
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
    pub retention_ms: i64,
    /// `flush.ms` of a weak topic, one with `flush.messages` above 1.
    pub weak: Option<i64>,
    /// `message.timestamp.type` of `LogAppendTime`.
    pub stamps_time: bool,
    /// How it is compacted.
    pub compaction: Option<CompactionPlan>,
    /// Whether tombstones and producers may be taken for older than they are.
    clock_jumps: bool,
}

impl Plan {
    /// Draws a plan.
    pub fn draw(rng: &mut Rng) -> Self {
        let scale = Scale::draw(rng);
        let bypass_bytes = scale.bypass_bytes(rng);
        let topics = rng.between(1, 3);
        let producers = rng.between(1, 4);
        let producers = (0..producers).map(|_| ProducerPlan::draw(rng, bypass_bytes, scale));
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
            lives: rng.between(18, 28) as u32,
            journal_file_bytes: scale.journal_file_bytes(rng),
            journal_files_max: rng.between(2, 4),
            tail_bytes: *rng.pick(&[256 << 10, 1 << 20, 8 << 20]),
            memory_bytes: MEMORY_BYTES_MIN * *rng.pick(&[1, 1, 2, 4]),
            open_files: 256 + 2 * rng.between(0, 100) as usize,
            bypass_bytes,
            meta_generation_bytes: *rng.pick(&[4096, 4096, 32 << 10, 256 << 10]),
            retention_check_ms: rng.magnitude(20, 2000),
            read_path: *rng.pick(&["auto", "direct", "sendfile"]),
            producers,
            admin: rng.percent(70),
            troubled_percent: *rng.pick(&[0, 0, 20, 60]),
            space_reserve_bytes: *rng.pick(&[0, 0, 1 << 20, 8 << 20]),
            weak_percent: *rng.pick(&[0, WEAK_PERCENT]),
            scrub_interval_ms: *rng.pick(&[50, 3_600_000]),
            cleaner_bytes_per_second: *rng.pick(&[1 << 20, 1 << 30, 1 << 30]),
            cleaner_key_bytes: *rng.pick(&[1, 1 << 20]),
            groups: GroupPlan::default(),
            evicts: true,
            clock_jumps: false,
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

impl Scale {
    const fn draw(rng: &mut Rng) -> Self {
        match rng.below(100) {
            0..15 => Self::Bulky,
            15..20 => Self::Large,
            _ => Self::Small,
        }
    }

    const fn bypass_bytes(self, rng: &mut Rng) -> u64 {
        match self {
            Self::Small => *rng.pick(&[12 << 10, 24 << 10, 64 << 10]),
            Self::Bulky => 96 << 10,
            Self::Large => 256 << 10,
        }
    }

    const fn journal_file_bytes(self, rng: &mut Rng) -> u64 {
        match self {
            Self::Large => *rng.pick(&[1 << 20, 4 << 20]),
            Self::Small | Self::Bulky => JOURNAL_FILE_BYTES,
        }
    }

    /// Batches of a producer in one life: bounds of the most.
    const fn batches_max(self) -> Range<u64> {
        match self {
            Self::Small => 30..120,
            Self::Bulky => 10..150,
            Self::Large => 10..35,
        }
    }
}

impl TopicPlan {
    /// Draws a topic.
    pub(super) fn draw(rng: &mut Rng, plan: &Plan) -> Self {
        let bypass_bytes = plan.bypass_bytes;
        let compaction = CompactionPlan::draw(rng);
        let segment_bytes_max = compaction.map_or(4 << 20, |_| COMPACTED_SEGMENT_BYTES_MAX);
        let segment_bytes_min = SEGMENT_BYTES_MIN.max(bypass_bytes / 2);
        let segment_bytes = rng.magnitude(segment_bytes_min, segment_bytes_max);
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
            retention_ms: if short { 500 } else { DAY_MS },
            weak: draw_weak(rng, plan.weak_percent).filter(|_| compaction.is_none()),
            stamps_time: rng.percent(15),
            compaction,
            clock_jumps: plan.clock_jumps,
        }
    }

    /// What is promised of its logs.
    pub(super) fn rules(&self) -> LogRules {
        let compacted = self.compaction.map(|compaction| Compacted {
            keeps_tombstones: compaction.keeps_tombstones() && !self.clock_jumps,
            keeps_producers: !self.clock_jumps,
        });
        LogRules {
            expires: self.expires(),
            keeps_bytes: self.keeps_bytes(),
            weak: self.weak.is_some(),
            stamps_time: self.stamps_time,
            compacted,
        }
    }

    /// Whether records may be deleted from the front.
    pub(super) fn deletes(&self) -> bool {
        self.compaction.is_none_or(|compaction| compaction.deletes)
    }

    /// What retention leaves of a log.
    const fn keeps_bytes(&self) -> u64 {
        let by_time = self.retention_ms >= 0 && self.retention_ms < DAY_MS;
        if by_time || self.retention_bytes < 0 {
            return 0;
        }
        self.retention_bytes as u64
    }

    /// Whether the front of its logs may go by itself.
    pub(super) fn expires(&self) -> bool {
        let by_time = self.retention_ms >= 0 && self.retention_ms < DAY_MS;
        self.deletes() && (self.retention_bytes >= 0 || by_time)
    }

    /// Kafka's names and values of it.
    pub(super) fn configs(&self) -> Vec<(&'static str, String)> {
        let mut configs = vec![
            ("internal.segment.bytes", self.segment_bytes.to_string()),
            ("segment.ms", self.segment_ms.to_string()),
            ("retention.bytes", self.retention_bytes.to_string()),
            ("retention.ms", self.retention_ms.to_string()),
            // Clocks jump.
            ("message.timestamp.after.max.ms", i64::MAX.to_string()),
        ];
        if let Some(flush_ms) = self.weak {
            configs.push(("flush.messages", i64::MAX.to_string()));
            configs.push(("flush.ms", flush_ms.to_string()));
        }
        if self.stamps_time {
            configs.push(("message.timestamp.type", "LogAppendTime".to_owned()));
        }
        if let Some(compaction) = &self.compaction {
            configs.extend(compaction.configs());
        }
        configs
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

/// Share of weak topics where there are any.
const WEAK_PERCENT: u64 = 20;

const fn draw_segment_ms(rng: &mut Rng) -> u64 {
    if rng.percent(20) { 50 } else { 3_600_000 }
}

/// Some topics acknowledge what is written, flushed or not; the delay of a flush has a bound or not.
const fn draw_weak(rng: &mut Rng, percent: u64) -> Option<i64> {
    if rng.percent(percent) {
        Some(*rng.pick(&[10, 1000, i64::MAX]))
    } else {
        None
    }
}

/// Most producers do not compress.
const CODECS: &[&[Codec]] = &[
    &[Codec::None],
    &[Codec::None],
    &[Codec::None],
    &[Codec::None],
    &[Codec::None, Codec::Snappy],
    &[Codec::Lz4],
    &[
        Codec::None,
        Codec::Gzip,
        Codec::Snappy,
        Codec::Lz4,
        Codec::Zstd,
    ],
];

impl ProducerPlan {
    fn draw(rng: &mut Rng, bypass_bytes: u64, scale: Scale) -> Self {
        let small = match scale {
            Scale::Bulky => bypass_bytes / 4..bypass_bytes - 200,
            Scale::Small => 100..rng.magnitude(200, bypass_bytes - 200).max(200),
            Scale::Large => 100..16 << 10,
        };
        let idempotent = rng.percent(65);
        let batches_max = scale.batches_max();
        Self {
            idempotent,
            // Kafka's idempotent producers ask for all.
            acks: if idempotent {
                -1
            } else {
                *rng.pick(&[-1, -1, 1, 0])
            },
            codecs: *rng.pick::<&[Codec]>(CODECS),
            spread_percent: *rng.pick(&[20, 50, 100]),
            in_flight_max: rng.between(1, 5) as usize,
            batches: 1..rng.between(batches_max.start, batches_max.end),
            small,
            large_percent: *rng.pick(&[0, 5, 20, 60]),
            pause_us: *rng.pick(&[0, 100, 2000, 20_000]),
        }
    }
}
