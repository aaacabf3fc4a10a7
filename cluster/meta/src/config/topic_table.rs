//! The table of topic configurations (`LogConfig`).
//!
//! Names, types, defaults and bounds are those that the classes of Kafka 4.1.1 print; what a key
//! does is said in our own words, with Flumen's differences.

use super::key::Check::{Any, AtLeast, Between, GzipLevel, OneOf, Ratio, ThrottledReplicas};
use super::key::{ConfigKey, ConfigType};
use super::{CLEANUP_POLICIES, COMPRESSION_TYPES, LONG_MAX, TIMESTAMP_TYPES};

/// A key of the topic configuration, and the broker keys that give its default.
#[derive(Debug, Clone, Copy)]
pub struct TopicKey {
    /// The key itself.
    pub key: ConfigKey,
    /// Broker keys by precedence: the first one that is set counts.
    pub synonyms: &'static [&'static str],
}

impl TopicKey {
    /// Whether it is accepted but not shown, as Kafka's keys for tests are.
    pub fn is_internal(&self) -> bool {
        self.key.name.starts_with("internal.")
    }
}

macro_rules! topic_keys {
    ($(
        $name:literal: $kind:ident = $default:expr, $check:expr, $synonyms:expr, $doc:literal;
    )*) => {
        /// Every key, sorted by name.
        pub static TOPIC_KEYS: &[TopicKey] = &[$(TopicKey {
            key: ConfigKey {
                name: $name,
                kind: ConfigType::$kind,
                default: $default,
                check: $check,
                doc: $doc,
            },
            synonyms: &$synonyms,
        }),*];
    };
}

topic_keys! {
    "cleanup.policy": List = Some("delete"), OneOf(CLEANUP_POLICIES), ["log.cleanup.policy"],
        "What happens to old segments: delete drops them by age and size, compact keeps the \
         latest record of each key, both may be given.";
    "compression.gzip.level": Int = Some("-1"), GzipLevel, ["compression.gzip.level"],
        "Level for compression.type=gzip; -1 leaves it to the codec.";
    "compression.lz4.level": Int = Some("9"), Between(1, 17), ["compression.lz4.level"],
        "Level for compression.type=lz4.";
    "compression.type": String = Some("producer"), OneOf(COMPRESSION_TYPES), ["compression.type"],
        "Codec in which batches are stored. producer stores what was sent; any other codec \
         makes the broker compress again.";
    "compression.zstd.level": Int = Some("3"), Between(-131_072, 22), ["compression.zstd.level"],
        "Level for compression.type=zstd.";
    "delete.retention.ms": Long = Some("86400000"), AtLeast(0), ["log.cleaner.delete.retention.ms"],
        "How long a compacted topic keeps tombstones, which bounds the time a reader from \
         offset 0 may take.";
    "file.delete.delay.ms": Long = Some("60000"), AtLeast(0), ["log.segment.delete.delay.ms"],
        "Delay between dropping a segment and deleting its file.";
    "flush.messages": Long = Some("1"), AtLeast(1), ["log.flush.interval.messages"],
        "Records that may be acknowledged before a flush. 1, which is what an unset value \
         means in Flumen, flushes before every acknowledgement; anything above is weaker: a \
         power cut may lose acknowledged records.";
    "flush.ms": Long = LONG_MAX, AtLeast(0),
        ["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
        "With flush.messages above 1, the longest an acknowledged record waits for its flush. \
         Alone it weakens nothing.";
    "follower.replication.throttled.replicas": List = Some(""), ThrottledReplicas, [],
        "Replicas whose followers are throttled: partition:broker pairs, or * for all.";
    "index.interval.bytes": Int = Some("4096"), AtLeast(0), ["log.index.interval.bytes"],
        "Bytes of the log between two entries of its index.";
    "internal.segment.bytes": Int = None, AtLeast(1), [],
        "Segment size below the limit of segment.bytes, for tests.";
    "leader.replication.throttled.replicas": List = Some(""), ThrottledReplicas, [],
        "Replicas whose leaders are throttled: partition:broker pairs, or * for all.";
    "local.retention.bytes": Long = Some("-2"), AtLeast(-2), ["log.local.retention.bytes"],
        "With remote storage, bytes of a partition kept locally; -2 means retention.bytes.";
    "local.retention.ms": Long = Some("-2"), AtLeast(-2), ["log.local.retention.ms"],
        "With remote storage, age up to which segments are kept locally; -2 means \
         retention.ms.";
    "max.compaction.lag.ms": Long = LONG_MAX, AtLeast(1), ["log.cleaner.max.compaction.lag.ms"],
        "Age at which a record must become eligible for compaction.";
    "max.message.bytes": Int = Some("1048588"), AtLeast(0), ["message.max.bytes"],
        "Largest record batch accepted, after compression.";
    "message.timestamp.after.max.ms": Long = Some("3600000"), AtLeast(0),
        ["log.message.timestamp.after.max.ms"],
        "How far a CreateTime timestamp may lie ahead of the broker's clock.";
    "message.timestamp.before.max.ms": Long = LONG_MAX, AtLeast(0),
        ["log.message.timestamp.before.max.ms"],
        "How far a CreateTime timestamp may lie behind the broker's clock.";
    "message.timestamp.type": String = Some("CreateTime"), OneOf(TIMESTAMP_TYPES),
        ["log.message.timestamp.type"],
        "Whose clock stamps records: the producer's (CreateTime) or the broker's \
         (LogAppendTime).";
    "min.cleanable.dirty.ratio": Double = Some("0.5"), Ratio, ["log.cleaner.min.cleanable.ratio"],
        "Share of a log that must be uncompacted before compaction runs.";
    "min.compaction.lag.ms": Long = Some("0"), AtLeast(0), ["log.cleaner.min.compaction.lag.ms"],
        "Age below which a record is not compacted.";
    "min.insync.replicas": Int = Some("1"), AtLeast(1), ["min.insync.replicas"],
        "In-sync replicas, leader included, without which acks=all is refused.";
    "preallocate": Boolean = Some("false"), Any, ["log.preallocate"],
        "Whether a segment reserves its whole size at once. Flumen allocates in growing \
         chunks either way.";
    "remote.log.copy.disable": Boolean = Some("false"), Any, [],
        "With remote storage, whether copying of segments has stopped.";
    "remote.log.delete.on.disable": Boolean = Some("false"), Any, [],
        "Whether switching remote storage off deletes what it holds.";
    "remote.storage.enable": Boolean = Some("false"), Any, [],
        "Whether segments are also kept in remote storage, which needs a broker that has it.";
    "retention.bytes": Long = Some("-1"), Any, ["log.retention.bytes"],
        "Bytes per partition above which delete drops the oldest segments; -1 sets no limit.";
    "retention.ms": Long = Some("604800000"), AtLeast(-1),
        ["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
        "Age above which delete drops segments; -1 sets no limit.";
    "segment.bytes": Int = Some("1073741824"), AtLeast(1_048_576), ["log.segment.bytes"],
        "Size at which a segment is closed and the next begun.";
    "segment.index.bytes": Int = Some("10485760"), AtLeast(4), ["log.index.size.max.bytes"],
        "Size at which an index, and with it the segment, is closed.";
    "segment.jitter.ms": Long = Some("0"), AtLeast(0),
        ["log.roll.jitter.ms", "log.roll.jitter.hours"],
        "Random share taken off segment.ms, so that segments do not all close at once.";
    "segment.ms": Long = Some("604800000"), AtLeast(1), ["log.roll.ms", "log.roll.hours"],
        "Age at which a segment is closed even if not full.";
    "unclean.leader.election.enable": Boolean = Some("false"), Any,
        ["unclean.leader.election.enable"],
        "Whether a replica that is not in sync may lead when no other is left, at the price \
         of records.";
}
