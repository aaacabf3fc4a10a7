//! The table of broker configurations: what of `KafkaConfig` tools read or Flumen obeys.
//!
//! Names, types, defaults and bounds are those that the classes of Kafka 4.1.1 print; what a key
//! does is said in our own words, with Flumen's differences.

use super::key::Check::{Any, AtLeast, Between, GzipLevel, OneOf, Ratio};
use super::key::{ConfigKey, ConfigType};
use super::{CLEANUP_POLICIES, COMPRESSION_TYPES, LONG_MAX, TIMESTAMP_TYPES};

/// Kafka's listener names are its security protocols, unless told otherwise.
const PROTOCOLS: Option<&str> =
    Some("SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT");

/// A key of the broker configuration.
#[derive(Debug, Clone, Copy)]
pub struct BrokerKey {
    /// The key itself.
    pub key: ConfigKey,
    /// Whether it may be changed while the broker runs: the defaults of topics may.
    pub dynamic: bool,
}

macro_rules! broker_keys {
    (@dynamic fixed) => { false };
    (@dynamic dynamic) => { true };
    ($($how:ident $name:literal: $kind:ident = $default:expr, $check:expr, $doc:literal;)*) => {
        /// Every key, sorted by name.
        pub static BROKER_KEYS: &[BrokerKey] = &[$(BrokerKey {
            key: ConfigKey {
                name: $name,
                kind: ConfigType::$kind,
                default: $default,
                check: $check,
                doc: $doc,
            },
            dynamic: broker_keys!(@dynamic $how),
        }),*];
    };
}

broker_keys! {
    fixed "advertised.listeners": String = None, Any,
        "Addresses that clients are told, by listener; unset, those of listeners.";
    fixed "authorizer.class.name": String = Some(""), Any,
        "Not used by Flumen.";
    fixed "auto.create.topics.enable": Boolean = Some("true"), Any,
        "Whether a metadata request that allows it creates missing topics.";
    fixed "auto.leader.rebalance.enable": Boolean = Some("true"), Any,
        "Whether leadership returns to preferred replicas by itself.";
    fixed "background.threads": Int = Some("10"), AtLeast(1),
        "Accepted and shown; Flumen runs one thread per core.";
    fixed "broker.id": Int = Some("-1"), Any,
        "Former name of node.id.";
    fixed "broker.rack": String = None, Any,
        "Rack of this broker, for the placement of replicas.";
    dynamic "compression.gzip.level": Int = Some("-1"), GzipLevel,
        "Level for compression.type=gzip; -1 leaves it to the codec.";
    dynamic "compression.lz4.level": Int = Some("9"), Between(1, 17),
        "Level for compression.type=lz4.";
    dynamic "compression.type": String = Some("producer"), OneOf(COMPRESSION_TYPES),
        "Codec in which batches are stored. producer stores what was sent; any other codec \
         makes the broker compress again. Default for topics.";
    dynamic "compression.zstd.level": Int = Some("3"), Between(-131_072, 22),
        "Level for compression.type=zstd.";
    fixed "connections.max.idle.ms": Long = Some("600000"), Any,
        "Silence after which a connection is closed.";
    fixed "controlled.shutdown.enable": Boolean = Some("true"), Any,
        "Whether a stop hands leadership over first.";
    fixed "default.replication.factor": Int = Some("1"), Any,
        "Replicas of a topic whose creator asks for -1.";
    fixed "delete.topic.enable": Boolean = Some("true"), Any,
        "Whether topics may be deleted.";
    fixed "fetch.max.bytes": Int = Some("57671680"), AtLeast(1024),
        "Most bytes a fetch response carries; the first batch is returned even if larger.";
    fixed "group.consumer.assignors": List = Some("uniform,range"), Any,
        "Assignors of the consumer protocol, the default first.";
    fixed "group.consumer.heartbeat.interval.ms": Int = Some("5000"), AtLeast(1),
        "Heartbeat interval told to members of the consumer protocol.";
    fixed "group.consumer.max.heartbeat.interval.ms": Int = Some("15000"), AtLeast(1),
        "Upper bound of that interval.";
    fixed "group.consumer.max.session.timeout.ms": Int = Some("60000"), AtLeast(1),
        "Upper bound of the session timeout of the consumer protocol.";
    fixed "group.consumer.max.size": Int = Some("2147483647"), AtLeast(1),
        "Most members of a group of the consumer protocol.";
    fixed "group.consumer.migration.policy": String = Some("bidirectional"), Any,
        "Which way a group may change between the classic and the consumer protocol.";
    fixed "group.consumer.min.heartbeat.interval.ms": Int = Some("5000"), AtLeast(1),
        "Lower bound of the heartbeat interval of the consumer protocol.";
    fixed "group.consumer.min.session.timeout.ms": Int = Some("45000"), AtLeast(1),
        "Lower bound of the session timeout of the consumer protocol.";
    fixed "group.consumer.session.timeout.ms": Int = Some("45000"), AtLeast(1),
        "Silence after which a member of the consumer protocol is removed.";
    fixed "group.coordinator.rebalance.protocols": List = Some("classic,consumer,streams"),
        OneOf(&["consumer", "classic", "share", "streams"]),
        "Group protocols that are served.";
    fixed "group.initial.rebalance.delay.ms": Int = Some("3000"), Any,
        "Wait for further members before a new group is first balanced.";
    fixed "group.max.session.timeout.ms": Int = Some("1800000"), Any,
        "Longest session timeout a classic member may ask for.";
    fixed "group.max.size": Int = Some("2147483647"), AtLeast(1),
        "Most members of a classic group.";
    fixed "group.min.session.timeout.ms": Int = Some("6000"), Any,
        "Shortest session timeout a classic member may ask for.";
    fixed "group.share.delivery.count.limit": Int = Some("5"), Between(2, 10),
        "Deliveries of a record to a share group before it is given up.";
    fixed "group.share.max.record.lock.duration.ms": Int = Some("60000"), Between(30000, 3_600_000),
        "Upper bound of that time.";
    fixed "group.share.max.size": Int = Some("200"), Between(1, 1000),
        "Most members of a share group.";
    fixed "group.share.min.record.lock.duration.ms": Int = Some("15000"), Between(1000, 30000),
        "Lower bound of that time.";
    fixed "group.share.partition.max.record.locks": Int = Some("2000"), Between(100, 10000),
        "Most records of a partition held at a time.";
    fixed "group.share.record.lock.duration.ms": Int = Some("30000"), Between(1000, 3_600_000),
        "How long a share consumer holds a record.";
    fixed "inter.broker.listener.name": String = None, Any,
        "Listener by which brokers reach each other.";
    fixed "leader.imbalance.check.interval.seconds": Long = Some("300"), AtLeast(1),
        "Interval between checks for leaders away from their preferred replica.";
    fixed "listener.security.protocol.map": String = PROTOCOLS, Any,
        "Security protocol of each listener.";
    fixed "listeners": String = Some("PLAINTEXT://:9092"), Any,
        "Addresses on which this broker listens, by listener.";
    fixed "log.cleaner.backoff.ms": Long = Some("15000"), AtLeast(0),
        "Pause of compaction when nothing is eligible.";
    fixed "log.cleaner.dedupe.buffer.size": Long = Some("134217728"), Any,
        "Memory that compaction may use for its map of keys.";
    dynamic "log.cleaner.delete.retention.ms": Long = Some("86400000"), AtLeast(0),
        "How long a compacted topic keeps tombstones, which bounds the time a reader from \
         offset 0 may take. Default for topics.";
    dynamic "log.cleaner.max.compaction.lag.ms": Long = LONG_MAX, AtLeast(1),
        "Age at which a record must become eligible for compaction. Default for topics.";
    dynamic "log.cleaner.min.cleanable.ratio": Double = Some("0.5"), Ratio,
        "Share of a log that must be uncompacted before compaction runs. Default for topics.";
    dynamic "log.cleaner.min.compaction.lag.ms": Long = Some("0"), AtLeast(0),
        "Age below which a record is not compacted. Default for topics.";
    fixed "log.cleaner.threads": Int = Some("1"), AtLeast(0),
        "Accepted and shown; Flumen compacts on the core that owns the partition.";
    dynamic "log.cleanup.policy": List = Some("delete"), OneOf(CLEANUP_POLICIES),
        "What happens to old segments: delete drops them by age and size, compact keeps the \
         latest record of each key, both may be given. Default for topics.";
    fixed "log.dir": String = Some("/tmp/kafka-logs"), Any,
        "Data directory when log.dirs is unset.";
    fixed "log.dirs": String = None, Any,
        "Data directories.";
    dynamic "log.flush.interval.messages": Long = Some("1"), AtLeast(1),
        "Records that may be acknowledged before a flush. 1, which is what an unset value \
         means in Flumen, flushes before every acknowledgement; anything above is weaker: a \
         power cut may lose acknowledged records. Default for topics.";
    dynamic "log.flush.interval.ms": Long = None, Any,
        "With flush.messages above 1, the longest an acknowledged record waits for its flush. \
         Alone it weakens nothing. Default for topics.";
    fixed "log.flush.scheduler.interval.ms": Long = LONG_MAX, Any,
        "Stands in for log.flush.interval.ms where that is unset.";
    dynamic "log.index.interval.bytes": Int = Some("4096"), AtLeast(0),
        "Bytes of the log between two entries of its index. Default for topics.";
    dynamic "log.index.size.max.bytes": Int = Some("10485760"), AtLeast(4),
        "Size at which an index, and with it the segment, is closed. Default for topics.";
    dynamic "log.local.retention.bytes": Long = Some("-2"), AtLeast(-2),
        "With remote storage, bytes of a partition kept locally; -2 means retention.bytes. \
         Default for topics.";
    dynamic "log.local.retention.ms": Long = Some("-2"), AtLeast(-2),
        "With remote storage, age up to which segments are kept locally; -2 means \
         retention.ms. Default for topics.";
    dynamic "log.message.timestamp.after.max.ms": Long = Some("3600000"), AtLeast(0),
        "How far a CreateTime timestamp may lie ahead of the broker's clock. Default for \
         topics.";
    dynamic "log.message.timestamp.before.max.ms": Long = LONG_MAX, AtLeast(0),
        "How far a CreateTime timestamp may lie behind the broker's clock. Default for \
         topics.";
    dynamic "log.message.timestamp.type": String = Some("CreateTime"), OneOf(TIMESTAMP_TYPES),
        "Whose clock stamps records: the producer's (CreateTime) or the broker's \
         (LogAppendTime). Default for topics.";
    dynamic "log.preallocate": Boolean = Some("false"), Any,
        "Whether a segment reserves its whole size at once. Flumen allocates in growing \
         chunks either way. Default for topics.";
    dynamic "log.retention.bytes": Long = Some("-1"), Any,
        "Bytes per partition above which delete drops the oldest segments; -1 sets no limit. \
         Default for topics.";
    fixed "log.retention.check.interval.ms": Long = Some("300000"), AtLeast(1),
        "Interval between looks for segments that retention drops.";
    fixed "log.retention.hours": Int = Some("168"), Any,
        "Retention in hours, where neither milliseconds nor minutes are set.";
    fixed "log.retention.minutes": Int = None, Any,
        "Retention in minutes, where milliseconds are not set.";
    dynamic "log.retention.ms": Long = None, Any,
        "Age above which delete drops segments; -1 sets no limit. Default for topics.";
    fixed "log.roll.hours": Int = Some("168"), AtLeast(1),
        "Age in hours at which a segment is closed, where log.roll.ms is unset.";
    fixed "log.roll.jitter.hours": Int = Some("0"), AtLeast(0),
        "Jitter of it in hours, where log.roll.jitter.ms is unset.";
    dynamic "log.roll.jitter.ms": Long = None, Any,
        "Random share taken off segment.ms, so that segments do not all close at once. \
         Default for topics.";
    dynamic "log.roll.ms": Long = None, Any,
        "Age at which a segment is closed even if not full. Default for topics.";
    dynamic "log.segment.bytes": Int = Some("1073741824"), AtLeast(1_048_576),
        "Size at which a segment is closed and the next begun. Default for topics.";
    dynamic "log.segment.delete.delay.ms": Long = Some("60000"), AtLeast(0),
        "Delay between dropping a segment and deleting its file. Default for topics.";
    fixed "max.connection.creation.rate": Int = Some("2147483647"), AtLeast(0),
        "Most new connections a second.";
    fixed "max.connections": Int = Some("2147483647"), AtLeast(0),
        "Most connections at a time.";
    fixed "max.connections.per.ip": Int = Some("2147483647"), AtLeast(0),
        "Most connections at a time from one address.";
    fixed "max.connections.per.ip.overrides": String = Some(""), Any,
        "Exceptions from it, as address:number pairs.";
    fixed "max.incremental.fetch.session.cache.slots": Int = Some("1000"), AtLeast(0),
        "Most fetch sessions kept.";
    fixed "max.request.partition.size.limit": Int = Some("2000"), AtLeast(1),
        "Most partitions described in one answer.";
    dynamic "message.max.bytes": Int = Some("1048588"), AtLeast(0),
        "Largest record batch accepted, after compression. Default for topics.";
    dynamic "min.insync.replicas": Int = Some("1"), AtLeast(1),
        "In-sync replicas, leader included, without which acks=all is refused. Default for \
         topics.";
    fixed "node.id": Int = None, AtLeast(0),
        "Number of this node in its cluster.";
    fixed "num.io.threads": Int = Some("8"), AtLeast(1),
        "Accepted and shown; Flumen runs one thread per core.";
    fixed "num.network.threads": Int = Some("3"), AtLeast(1),
        "Accepted and shown; Flumen runs one thread per core.";
    fixed "num.partitions": Int = Some("1"), AtLeast(1),
        "Partitions of a topic whose creator asks for -1, and of one created by use.";
    fixed "num.recovery.threads.per.data.dir": Int = Some("2"), AtLeast(1),
        "Accepted and shown; every core recovers its own journal.";
    fixed "num.replica.fetchers": Int = Some("1"), Any,
        "Accepted and shown; followers are pushed to.";
    fixed "offset.metadata.max.bytes": Int = Some("4096"), Any,
        "Most bytes of text beside a committed offset.";
    fixed "offsets.commit.timeout.ms": Int = Some("5000"), AtLeast(1),
        "Longest wait for the replicas of an offset commit.";
    fixed "offsets.retention.check.interval.ms": Long = Some("600000"), AtLeast(1),
        "Interval between looks for expired offsets.";
    fixed "offsets.retention.minutes": Int = Some("10080"), AtLeast(1),
        "How long the offsets of a group without members are kept.";
    fixed "offsets.topic.num.partitions": Int = Some("50"), AtLeast(1),
        "Partitions of the offsets topic.";
    fixed "offsets.topic.replication.factor": Short = Some("3"), AtLeast(1),
        "Replicas of the offsets topic, at most one for each broker.";
    fixed "offsets.topic.segment.bytes": Int = Some("104857600"), AtLeast(1),
        "Segment size of the offsets topic.";
    fixed "process.roles": List = None, OneOf(&["broker", "controller"]),
        "Roles of this process.";
    fixed "producer.id.expiration.ms": Int = Some("86400000"), AtLeast(1),
        "Idle time after which the state of an idempotent producer is dropped.";
    fixed "queued.max.requests": Int = Some("500"), AtLeast(1),
        "Accepted and shown; Flumen bounds bytes in flight instead.";
    fixed "quota.window.num": Int = Some("11"), AtLeast(1),
        "Samples kept for a quota.";
    fixed "quota.window.size.seconds": Int = Some("1"), AtLeast(1),
        "Length of one of them.";
    fixed "replica.fetch.max.bytes": Int = Some("1048576"), AtLeast(0),
        "Bytes per partition that a follower takes at a time.";
    fixed "replica.lag.time.max.ms": Long = Some("30000"), Any,
        "Lag after which a follower counts as out of sync.";
    fixed "request.timeout.ms": Int = Some("30000"), Any,
        "Longest wait for an answer between brokers.";
    fixed "sasl.enabled.mechanisms": List = Some("GSSAPI"), Any,
        "SASL mechanisms that are served.";
    fixed "security.inter.broker.protocol": String = Some("PLAINTEXT"),
        OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]),
        "Security protocol between brokers.";
    fixed "socket.listen.backlog.size": Int = Some("50"), AtLeast(1),
        "Connections that may wait to be accepted.";
    fixed "socket.receive.buffer.bytes": Int = Some("102400"), Any,
        "Receive buffer of a socket; -1 leaves it to the kernel.";
    fixed "socket.request.max.bytes": Int = Some("104857600"), AtLeast(1),
        "Largest request; above, the connection is closed.";
    fixed "socket.send.buffer.bytes": Int = Some("102400"), Any,
        "Send buffer of a socket; -1 leaves it to the kernel.";
    fixed "transaction.max.timeout.ms": Int = Some("900000"), AtLeast(1),
        "Longest timeout a transactional producer may ask for.";
    fixed "transaction.partition.verification.enable": Boolean = Some("true"), Any,
        "Whether a transactional write needs its partition to be part of the transaction.";
    fixed "transaction.state.log.min.isr": Int = Some("2"), AtLeast(1),
        "min.insync.replicas of the transactions topic.";
    fixed "transaction.state.log.num.partitions": Int = Some("50"), AtLeast(1),
        "Partitions of the transactions topic.";
    fixed "transaction.state.log.replication.factor": Short = Some("3"), AtLeast(1),
        "Replicas of the transactions topic, at most one for each broker.";
    fixed "transaction.state.log.segment.bytes": Int = Some("104857600"), AtLeast(1),
        "Segment size of the transactions topic.";
    fixed "transaction.two.phase.commit.enable": Boolean = Some("false"), Any,
        "Whether transactions may be prepared for an outside coordinator.";
    fixed "transactional.id.expiration.ms": Int = Some("604800000"), AtLeast(1),
        "Idle time after which a transactional id is forgotten.";
    dynamic "unclean.leader.election.enable": Boolean = Some("false"), Any,
        "Whether a replica that is not in sync may lead when no other is left, at the price \
         of records. Default for topics.";
}
