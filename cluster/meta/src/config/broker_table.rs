//! The table of broker configurations: every key that `KafkaConfig` prints.
//!
//! Names, types, defaults and bounds are those that the classes of Kafka 4.1.1 print; what a key
//! does is said in our own words, with Flumen's differences. Tools set keys that mean nothing to
//! Flumen, so those are taken, kept and shown as well, and their documentation says so.

use super::key::Check::{Any, AtLeast, Between, GzipLevel, NonEmpty, OneOf, OneOfAnyCase, Ratio};
use super::key::{ConfigKey, ConfigType};
use super::{CLEANUP_POLICIES, COMPRESSION_TYPES, LONG_MAX, TIMESTAMP_TYPES};

/// Kafka's listener names are its security protocols, unless told otherwise.
const PROTOCOLS: Option<&str> =
    Some("SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT");
const REMOTE_METADATA: Option<&str> =
    Some("org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager");

/// A key of the broker configuration.
#[derive(Debug, Clone, Copy)]
pub struct BrokerKey {
    /// The key itself.
    pub key: ConfigKey,
    /// How it may be changed while the broker runs.
    pub update: UpdateMode,
}

/// How a broker's key may be changed while the broker runs. It is Kafka's, but for keys that
/// Flumen reads at its start alone: those are read-only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateMode {
    /// Not at all.
    ReadOnly,
    /// Of one broker.
    PerBroker,
    /// Of one broker, or of all that have none of their own.
    ClusterWide,
    /// In Kafka of one listener, whose name stands before the key. Flumen's have no such values.
    PerListener,
    /// As `ClusterWide`, but shown only where it is set.
    Unlisted,
}

impl BrokerKey {
    /// Whether it cannot be changed while the broker runs, as `DescribeConfigs` says it.
    pub fn is_read_only(&self) -> bool {
        // Kafka's list of what is dynamic leaves the unlisted out.
        matches!(self.update, UpdateMode::ReadOnly | UpdateMode::Unlisted)
    }
}

macro_rules! broker_keys {
    (@update read_only) => { UpdateMode::ReadOnly };
    (@update per_broker) => { UpdateMode::PerBroker };
    (@update cluster_wide) => { UpdateMode::ClusterWide };
    (@update per_listener) => { UpdateMode::PerListener };
    (@update unlisted) => { UpdateMode::Unlisted };
    (@doc $doc:literal) => { $doc };
    (@doc idle $doc:literal) => { concat!($doc, " Flumen does not act on it.") };
    ($($update:ident $name:literal: $kind:ident = $default:expr, $check:expr,
        $($mark:ident)? $doc:literal;)*) => {
        /// Every key, sorted by name.
        pub static BROKER_KEYS: &[BrokerKey] = &[$(BrokerKey {
            key: ConfigKey {
                name: $name,
                kind: ConfigType::$kind,
                default: $default,
                check: $check,
                doc: broker_keys!(@doc $($mark)? $doc),
            },
            update: broker_keys!(@update $update),
        }),*];
    };
}

broker_keys! {
    read_only "add.partitions.to.txn.retry.backoff.max.ms": Int = Some("100"), AtLeast(0),
        idle "Longest retry of adding a partition to a transaction.";
    read_only "add.partitions.to.txn.retry.backoff.ms": Int = Some("20"), AtLeast(1),
        idle "Pause between two such tries.";
    read_only "advertised.listeners": String = None, Any,
        "Addresses that clients are told, by listener; unset, those of listeners.";
    read_only "alter.config.policy.class.name": Class = None, Any,
        idle "Java class that judges changes of configurations.";
    read_only "alter.log.dirs.replication.quota.window.num": Int = Some("11"), AtLeast(1),
        idle "Samples kept for the quota of moves between directories.";
    read_only "alter.log.dirs.replication.quota.window.size.seconds": Int = Some("1"), AtLeast(1),
        idle "Length of one of them.";
    read_only "authorizer.class.name": String = Some(""), Any, idle "Java class that authorizes.";
    read_only "auto.create.topics.enable": Boolean = Some("true"), Any,
        "Whether a metadata request that allows it creates missing topics.";
    read_only "auto.leader.rebalance.enable": Boolean = Some("true"), Any,
        idle "Whether leadership returns to preferred replicas by itself.";
    cluster_wide "background.threads": Int = Some("10"), AtLeast(1),
        "Accepted and shown; Flumen runs one thread per core.";
    read_only "broker.heartbeat.interval.ms": Int = Some("2000"), Any,
        idle "Interval between heartbeats to the controller.";
    read_only "broker.id": Int = Some("-1"), Any, "Former name of node.id.";
    read_only "broker.rack": String = None, Any,
        "Rack of this broker, for the placement of replicas.";
    read_only "broker.session.timeout.ms": Int = Some("9000"), Any,
        idle "Silence after which the controller fences a broker.";
    read_only "client.quota.callback.class": Class = None, Any,
        idle "Java class that decides on quotas.";
    cluster_wide "compression.gzip.level": Int = Some("-1"), GzipLevel,
        "Level for compression.type=gzip; -1 leaves it to the codec.";
    cluster_wide "compression.lz4.level": Int = Some("9"), Between(1, 17),
        "Level for compression.type=lz4.";
    cluster_wide "compression.type": String = Some("producer"), OneOf(COMPRESSION_TYPES),
        "Codec in which batches are stored. producer stores what was sent; any other codec makes \
         the broker compress again. Default for topics.";
    cluster_wide "compression.zstd.level": Int = Some("3"), Between(-131_072, 22),
        "Level for compression.type=zstd.";
    read_only "connection.failed.authentication.delay.ms": Int = Some("100"), AtLeast(0),
        idle "Delay before a connection is closed that failed to authenticate.";
    read_only "connections.max.idle.ms": Long = Some("600000"), Any,
        "Silence after which a connection is closed.";
    read_only "connections.max.reauth.ms": Long = Some("0"), Any,
        idle "Lifetime of a SASL session.";
    read_only "controlled.shutdown.enable": Boolean = Some("true"), Any,
        idle "Whether a stop hands leadership over first.";
    read_only "controller.listener.names": String = None, Any, idle "Listeners of controllers.";
    read_only "controller.quorum.append.linger.ms": Int = Some("25"), AtLeast(0),
        idle "How long the controller gathers writes before a flush.";
    read_only "controller.quorum.bootstrap.servers": List = Some(""), Any,
        idle "Controllers to ask first.";
    read_only "controller.quorum.election.backoff.max.ms": Int = Some("1000"), AtLeast(0),
        idle "Longest pause before a new election.";
    read_only "controller.quorum.election.timeout.ms": Int = Some("1000"), AtLeast(0),
        idle "Wait for a leader before an election.";
    read_only "controller.quorum.fetch.timeout.ms": Int = Some("2000"), AtLeast(0),
        idle "Silence of the leader after which a voter stands for election.";
    read_only "controller.quorum.request.timeout.ms": Int = Some("2000"), AtLeast(0),
        idle "Longest wait for an answer between controllers.";
    read_only "controller.quorum.retry.backoff.ms": Int = Some("20"), AtLeast(0),
        idle "Pause before such a request is repeated.";
    read_only "controller.quorum.voters": List = Some(""), Any,
        idle "Controllers with their addresses.";
    read_only "controller.quota.window.num": Int = Some("11"), AtLeast(1),
        idle "Samples kept for the quota of controller mutations.";
    read_only "controller.quota.window.size.seconds": Int = Some("1"), AtLeast(1),
        idle "Length of one of them.";
    read_only "controller.socket.timeout.ms": Int = Some("30000"), Any,
        idle "Longest wait on a connection to a controller.";
    read_only "create.topic.policy.class.name": Class = None, Any,
        idle "Java class that judges new topics.";
    read_only "default.replication.factor": Int = Some("1"), Any,
        "Replicas of a topic whose creator asks for -1.";
    read_only "delegation.token.expiry.check.interval.ms": Long = Some("3600000"), AtLeast(1),
        idle "Interval between looks for expired delegation tokens.";
    read_only "delegation.token.expiry.time.ms": Long = Some("86400000"), AtLeast(1),
        idle "Lifetime of a delegation token unless renewed.";
    read_only "delegation.token.max.lifetime.ms": Long = Some("604800000"), AtLeast(1),
        idle "Longest lifetime of one.";
    read_only "delegation.token.secret.key": Password = None, Any,
        idle "Secret that signs delegation tokens.";
    read_only "delete.records.purgatory.purge.interval.requests": Int = Some("1"), Any,
        idle "Requests between two clearings of what waits.";
    read_only "delete.topic.enable": Boolean = Some("true"), Any, "Whether topics may be deleted.";
    read_only "early.start.listeners": String = None, Any,
        idle "Listeners that open before the authorizer is ready.";
    read_only "fetch.max.bytes": Int = Some("57671680"), AtLeast(1024),
        "Most bytes a fetch response carries; the first batch is returned even if larger.";
    read_only "fetch.purgatory.purge.interval.requests": Int = Some("1000"), Any,
        idle "Requests between two clearings of what waits.";
    unlisted "follower.replication.throttled.rate": Long = LONG_MAX, AtLeast(0),
        idle "Most bytes a second that throttled followers take.";
    read_only "group.consumer.assignors": List = Some("uniform,range"), Any,
        "Assignors of the consumer protocol, the default first.";
    read_only "group.consumer.heartbeat.interval.ms": Int = Some("5000"), AtLeast(1),
        "Heartbeat interval told to members of the consumer protocol.";
    read_only "group.consumer.max.heartbeat.interval.ms": Int = Some("15000"), AtLeast(1),
        "Upper bound of that interval.";
    read_only "group.consumer.max.session.timeout.ms": Int = Some("60000"), AtLeast(1),
        "Upper bound of the session timeout of the consumer protocol.";
    read_only "group.consumer.max.size": Int = Some("2147483647"), AtLeast(1),
        "Most members of a group of the consumer protocol.";
    read_only "group.consumer.migration.policy": String = Some("bidirectional"),
        OneOfAnyCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]),
        "Which way a group may change between the classic and the consumer protocol.";
    read_only "group.consumer.min.heartbeat.interval.ms": Int = Some("5000"), AtLeast(1),
        "Lower bound of the heartbeat interval of the consumer protocol.";
    read_only "group.consumer.min.session.timeout.ms": Int = Some("45000"), AtLeast(1),
        "Lower bound of the session timeout of the consumer protocol.";
    read_only "group.consumer.session.timeout.ms": Int = Some("45000"), AtLeast(1),
        "Silence after which a member of the consumer protocol is removed.";
    read_only "group.coordinator.append.linger.ms": Int = Some("5"), AtLeast(0),
        idle "How long the coordinator gathers writes.";
    read_only "group.coordinator.rebalance.protocols": List = Some("classic,consumer,streams"),
        OneOf(&["consumer", "classic", "share", "streams"]),
        "Group protocols that are served.";
    read_only "group.coordinator.threads": Int = Some("4"), AtLeast(1),
        "Threads of the coordinator; Flumen runs one for each core.";
    read_only "group.initial.rebalance.delay.ms": Int = Some("3000"), Any,
        "Wait for further members before a new group is first balanced.";
    read_only "group.max.session.timeout.ms": Int = Some("1800000"), Any,
        "Longest session timeout a classic member may ask for.";
    read_only "group.max.size": Int = Some("2147483647"), AtLeast(1),
        "Most members of a classic group.";
    read_only "group.min.session.timeout.ms": Int = Some("6000"), Any,
        "Shortest session timeout a classic member may ask for.";
    read_only "group.share.assignors": List = Some("simple"), Any,
        idle "Assignors of share groups.";
    read_only "group.share.delivery.count.limit": Int = Some("5"), Between(2, 10),
        idle "Deliveries of a record to a share group before it is given up.";
    read_only "group.share.heartbeat.interval.ms": Int = Some("5000"), AtLeast(1),
        idle "Heartbeat interval told to members of share groups.";
    read_only "group.share.max.heartbeat.interval.ms": Int = Some("15000"), AtLeast(1),
        idle "Upper bound of that interval.";
    read_only "group.share.max.record.lock.duration.ms": Int = Some("60000"),
        Between(30000, 3_600_000),
        idle "Upper bound of that time.";
    read_only "group.share.max.session.timeout.ms": Int = Some("60000"), AtLeast(1),
        idle "Upper bound of the session timeout of share groups.";
    read_only "group.share.max.share.sessions": Int = Some("2000"), AtLeast(1),
        idle "Most share sessions of a broker.";
    read_only "group.share.max.size": Int = Some("200"), Between(1, 1000),
        idle "Most members of a share group.";
    read_only "group.share.min.heartbeat.interval.ms": Int = Some("5000"), AtLeast(1),
        idle "Lower bound of the heartbeat interval of share groups.";
    read_only "group.share.min.record.lock.duration.ms": Int = Some("15000"), Between(1000, 30000),
        idle "Lower bound of that time.";
    read_only "group.share.min.session.timeout.ms": Int = Some("45000"), AtLeast(1),
        idle "Lower bound of the session timeout of share groups.";
    read_only "group.share.partition.max.record.locks": Int = Some("2000"), Between(100, 10000),
        idle "Most records of a partition held at a time.";
    read_only "group.share.record.lock.duration.ms": Int = Some("30000"), Between(1000, 3_600_000),
        idle "How long a share consumer holds a record.";
    read_only "group.share.session.timeout.ms": Int = Some("45000"), AtLeast(1),
        idle "Silence after which a member of a share group is removed.";
    read_only "group.streams.heartbeat.interval.ms": Int = Some("5000"), AtLeast(1),
        idle "Heartbeat interval told to members of streams groups.";
    read_only "group.streams.max.heartbeat.interval.ms": Int = Some("15000"), AtLeast(1),
        idle "Upper bound of that interval.";
    read_only "group.streams.max.session.timeout.ms": Int = Some("60000"), AtLeast(1),
        idle "Upper bound of the session timeout of streams groups.";
    read_only "group.streams.max.size": Int = Some("2147483647"), AtLeast(1),
        idle "Most members of a streams group.";
    read_only "group.streams.max.standby.replicas": Int = Some("2"), AtLeast(0),
        idle "Most standby replicas that a group may ask for.";
    read_only "group.streams.min.heartbeat.interval.ms": Int = Some("5000"), AtLeast(1),
        idle "Lower bound of the heartbeat interval of streams groups.";
    read_only "group.streams.min.session.timeout.ms": Int = Some("45000"), AtLeast(1),
        idle "Lower bound of the session timeout of streams groups.";
    read_only "group.streams.num.standby.replicas": Int = Some("0"), AtLeast(0),
        idle "Standby replicas of each task.";
    read_only "group.streams.session.timeout.ms": Int = Some("45000"), AtLeast(1),
        idle "Silence after which a member of a streams group is removed.";
    read_only "initial.broker.registration.timeout.ms": Int = Some("60000"), Any,
        idle "Longest wait for the first registration with the controller.";
    read_only "inter.broker.listener.name": String = None, Any,
        idle "Listener by which brokers reach each other.";
    read_only "kafka.metrics.polling.interval.secs": Int = Some("10"), AtLeast(1),
        idle "Interval between looks of metrics reporters.";
    read_only "kafka.metrics.reporters": List = Some(""), Any,
        idle "Java classes that report metrics.";
    read_only "leader.imbalance.check.interval.seconds": Long = Some("300"), AtLeast(1),
        idle "Interval between checks for leaders away from their preferred replica.";
    unlisted "leader.replication.throttled.rate": Long = LONG_MAX, AtLeast(0),
        idle "Most bytes a second that throttled leaders give.";
    read_only "listener.security.protocol.map": String = PROTOCOLS, Any,
        idle "Security protocol of each listener.";
    read_only "listeners": String = Some("PLAINTEXT://:9092"), Any,
        "Addresses on which this broker listens, by listener.";
    cluster_wide "log.cleaner.backoff.ms": Long = Some("15000"), AtLeast(0),
        "Pause of compaction when nothing is eligible.";
    cluster_wide "log.cleaner.dedupe.buffer.size": Long = Some("134217728"), Any,
        "Memory that compaction may use for its map of keys, of all cores together. Flumen takes \
         no more than a sixteenth of its memory budget; keys beyond that take another pass.";
    cluster_wide "log.cleaner.delete.retention.ms": Long = Some("86400000"), AtLeast(0),
        "How long a compacted topic keeps tombstones, which bounds the time a reader from offset \
         0 may take. Default for topics.";
    read_only "log.cleaner.enable": Boolean = Some("true"), Any,
        "Whether logs are compacted at all.";
    cluster_wide "log.cleaner.io.buffer.load.factor": Double = Some("0.9"), Any,
        idle "Share of the map of keys that may be filled.";
    cluster_wide "log.cleaner.io.buffer.size": Int = Some("524288"), AtLeast(0),
        idle "Memory for reading and writing while compacting.";
    cluster_wide "log.cleaner.io.max.bytes.per.second": Double = Some("1.7976931348623157E308"),
        Any,
        "Most bytes that compaction reads a second, of all cores together; it writes no more than \
         that. Kafka's default, no bound at all, means 32 MiB to Flumen.";
    cluster_wide "log.cleaner.max.compaction.lag.ms": Long = LONG_MAX, AtLeast(1),
        "Age at which a record must become eligible for compaction. Default for topics.";
    cluster_wide "log.cleaner.min.cleanable.ratio": Double = Some("0.5"), Ratio,
        "Share of a log that must be uncompacted before compaction runs. Default for topics.";
    cluster_wide "log.cleaner.min.compaction.lag.ms": Long = Some("0"), AtLeast(0),
        "Age below which a record is not compacted. Default for topics.";
    cluster_wide "log.cleaner.threads": Int = Some("1"), AtLeast(0),
        "Accepted and shown; Flumen compacts on the core that owns the partition.";
    cluster_wide "log.cleanup.policy": List = Some("delete"), OneOf(CLEANUP_POLICIES),
        "What happens to old segments: delete drops them by age and size, compact keeps the \
         latest record of each key, both may be given. Default for topics.";
    read_only "log.dir": String = Some("/tmp/kafka-logs"), Any,
        "Data directory when log.dirs is unset.";
    read_only "log.dir.failure.timeout.ms": Long = Some("30000"), AtLeast(1),
        idle "How long a failed directory may stay unreported.";
    read_only "log.dirs": String = None, Any, "Data directories.";
    cluster_wide "log.flush.interval.messages": Long = Some("1"), AtLeast(1),
        "Records that may be acknowledged before a flush. 1, which is what an unset value means \
         in Flumen, flushes before every acknowledgement; anything above is weaker: a power cut \
         may lose acknowledged records. Default for topics.";
    cluster_wide "log.flush.interval.ms": Long = None, Any,
        "With flush.messages above 1, the longest an acknowledged record waits for its flush. \
         Alone it weakens nothing. Default for topics.";
    read_only "log.flush.offset.checkpoint.interval.ms": Int = Some("60000"), AtLeast(0),
        idle "Interval between records of the last flush.";
    read_only "log.flush.scheduler.interval.ms": Long = LONG_MAX, Any,
        "Stands in for log.flush.interval.ms where that is unset.";
    read_only "log.flush.start.offset.checkpoint.interval.ms": Int = Some("60000"), AtLeast(0),
        idle "Interval between records of log starts.";
    cluster_wide "log.index.interval.bytes": Int = Some("4096"), AtLeast(0),
        "Bytes of the log between two entries of its index. Default for topics.";
    cluster_wide "log.index.size.max.bytes": Int = Some("10485760"), AtLeast(4),
        "Size at which an index, and with it the segment, is closed. Default for topics.";
    cluster_wide "log.local.retention.bytes": Long = Some("-2"), AtLeast(-2),
        "With remote storage, bytes of a partition kept locally; -2 means retention.bytes. \
         Default for topics.";
    cluster_wide "log.local.retention.ms": Long = Some("-2"), AtLeast(-2),
        "With remote storage, age up to which segments are kept locally; -2 means retention.ms. \
         Default for topics.";
    cluster_wide "log.message.timestamp.after.max.ms": Long = Some("3600000"), AtLeast(0),
        "How far a CreateTime timestamp may lie ahead of the broker's clock. Default for topics.";
    cluster_wide "log.message.timestamp.before.max.ms": Long = LONG_MAX, AtLeast(0),
        "How far a CreateTime timestamp may lie behind the broker's clock. Default for topics.";
    cluster_wide "log.message.timestamp.type": String = Some("CreateTime"), OneOf(TIMESTAMP_TYPES),
        "Whose clock stamps records: the producer's (CreateTime) or the broker's (LogAppendTime). \
         Default for topics.";
    cluster_wide "log.preallocate": Boolean = Some("false"), Any,
        "Whether a segment reserves its whole size at once. Flumen allocates in growing chunks \
         either way. Default for topics.";
    cluster_wide "log.retention.bytes": Long = Some("-1"), Any,
        "Bytes per partition above which delete drops the oldest segments; -1 sets no limit. \
         Default for topics.";
    read_only "log.retention.check.interval.ms": Long = Some("300000"), AtLeast(1),
        "Interval between looks for segments that retention drops.";
    read_only "log.retention.hours": Int = Some("168"), Any,
        "Retention in hours, where neither milliseconds nor minutes are set.";
    read_only "log.retention.minutes": Int = None, Any,
        "Retention in minutes, where milliseconds are not set.";
    cluster_wide "log.retention.ms": Long = None, Any,
        "Age above which delete drops segments; -1 sets no limit. Default for topics.";
    read_only "log.roll.hours": Int = Some("168"), AtLeast(1),
        "Age in hours at which a segment is closed, where log.roll.ms is unset.";
    read_only "log.roll.jitter.hours": Int = Some("0"), AtLeast(0),
        "Jitter of it in hours, where log.roll.jitter.ms is unset.";
    cluster_wide "log.roll.jitter.ms": Long = None, Any,
        "Random share taken off segment.ms, so that segments do not all close at once. Default \
         for topics.";
    cluster_wide "log.roll.ms": Long = None, Any,
        "Age at which a segment is closed even if not full. Default for topics.";
    cluster_wide "log.segment.bytes": Int = Some("1073741824"), AtLeast(1_048_576),
        "Size at which a segment is closed and the next begun. Default for topics.";
    cluster_wide "log.segment.delete.delay.ms": Long = Some("60000"), AtLeast(0),
        "Delay between dropping a segment and deleting its file. Default for topics.";
    cluster_wide "max.connection.creation.rate": Int = Some("2147483647"), AtLeast(0),
        idle "Most new connections a second.";
    cluster_wide "max.connections": Int = Some("2147483647"), AtLeast(0),
        idle "Most connections at a time.";
    cluster_wide "max.connections.per.ip": Int = Some("2147483647"), AtLeast(0),
        idle "Most connections at a time from one address.";
    cluster_wide "max.connections.per.ip.overrides": String = Some(""), Any,
        idle "Exceptions from it, as address:number pairs.";
    read_only "max.incremental.fetch.session.cache.slots": Int = Some("1000"), AtLeast(0),
        "Most fetch sessions kept.";
    read_only "max.request.partition.size.limit": Int = Some("2000"), AtLeast(1),
        "Most partitions described in one answer.";
    cluster_wide "message.max.bytes": Int = Some("1048588"), AtLeast(0),
        "Largest record batch accepted, after compression. Default for topics.";
    read_only "metadata.log.dir": String = None, Any, idle "Directory of the metadata log.";
    read_only "metadata.log.max.record.bytes.between.snapshots": Long = Some("20971520"),
        AtLeast(1),
        idle "Bytes of changes between two snapshots of the metadata.";
    read_only "metadata.log.max.snapshot.interval.ms": Long = Some("3600000"), AtLeast(0),
        idle "Time between two of them.";
    read_only "metadata.log.segment.bytes": Int = Some("1073741824"), AtLeast(8_388_608),
        idle "Size at which a file of the metadata log is closed.";
    read_only "metadata.log.segment.ms": Long = Some("604800000"), Any,
        idle "Age at which it is closed.";
    read_only "metadata.max.idle.interval.ms": Int = Some("500"), AtLeast(0),
        idle "Interval between records that say nothing.";
    read_only "metadata.max.retention.bytes": Long = Some("104857600"), Any,
        idle "Bytes of the metadata log and its snapshots that are kept.";
    read_only "metadata.max.retention.ms": Long = Some("604800000"), Any,
        idle "Age up to which they are kept.";
    cluster_wide "metric.reporters": List = Some("org.apache.kafka.common.metrics.JmxReporter"),
        Any,
        idle "Java classes that report metrics.";
    read_only "metrics.num.samples": Int = Some("2"), AtLeast(1),
        idle "Samples from which a metric is computed.";
    read_only "metrics.recording.level": String = Some("INFO"), Any,
        idle "Which metrics are recorded.";
    read_only "metrics.sample.window.ms": Long = Some("30000"), AtLeast(1),
        idle "Length of a sample.";
    cluster_wide "min.insync.replicas": Int = Some("1"), AtLeast(1),
        "In-sync replicas, leader included, without which acks=all is refused. Default for topics.";
    read_only "node.id": Int = None, AtLeast(0), "Number of this node in its cluster.";
    cluster_wide "num.io.threads": Int = Some("8"), AtLeast(1),
        "Accepted and shown; Flumen runs one thread per core.";
    cluster_wide "num.network.threads": Int = Some("3"), AtLeast(1),
        "Accepted and shown; Flumen runs one thread per core.";
    read_only "num.partitions": Int = Some("1"), AtLeast(1),
        "Partitions of a topic whose creator asks for -1, and of one created by use.";
    cluster_wide "num.recovery.threads.per.data.dir": Int = Some("2"), AtLeast(1),
        "Accepted and shown; every core recovers its own journal.";
    read_only "num.replica.alter.log.dirs.threads": Int = None, Any,
        idle "Threads that move replicas between directories.";
    cluster_wide "num.replica.fetchers": Int = Some("1"), Any,
        "Accepted and shown; followers are pushed to.";
    read_only "offset.metadata.max.bytes": Int = Some("4096"), Any,
        "Most bytes of text beside a committed offset.";
    read_only "offsets.commit.timeout.ms": Int = Some("5000"), AtLeast(1),
        "Longest wait for the replicas of an offset commit.";
    read_only "offsets.load.buffer.size": Int = Some("5242880"), AtLeast(1),
        idle "Bytes read at a time when groups are loaded.";
    read_only "offsets.retention.check.interval.ms": Long = Some("600000"), AtLeast(1),
        "Interval between looks for expired offsets.";
    read_only "offsets.retention.minutes": Int = Some("10080"), AtLeast(1),
        "How long the offsets of a group without members are kept.";
    read_only "offsets.topic.compression.codec": Int = Some("0"), Any,
        idle "Codec of the offsets topic.";
    read_only "offsets.topic.num.partitions": Int = Some("50"), AtLeast(1),
        "Partitions of the offsets topic.";
    read_only "offsets.topic.replication.factor": Short = Some("3"), AtLeast(1),
        "Replicas of the offsets topic, at most one for each broker.";
    read_only "offsets.topic.segment.bytes": Int = Some("104857600"), AtLeast(1),
        "Segment size of the offsets topic.";
    per_broker "principal.builder.class": Class =
        Some("org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder"), Any,
        idle "Java class that names who a client is.";
    read_only "process.roles": List = None, OneOf(&["broker", "controller"]),
        "Roles of this process.";
    read_only "producer.id.expiration.ms": Int = Some("86400000"), AtLeast(1),
        "Idle time after which the state of an idempotent producer is dropped.";
    read_only "producer.purgatory.purge.interval.requests": Int = Some("1000"), Any,
        idle "Requests between two clearings of what waits.";
    read_only "queued.max.request.bytes": Long = Some("-1"), Any,
        "Bytes of requests that may wait; Flumen takes them from its memory budget.";
    read_only "queued.max.requests": Int = Some("500"), AtLeast(1),
        "Accepted and shown; Flumen bounds bytes in flight instead.";
    read_only "quota.window.num": Int = Some("11"), AtLeast(1),
        "Windows over which the rates of clients with quotas are measured.";
    read_only "quota.window.size.seconds": Int = Some("1"), AtLeast(1),
        "Length of one of them.";
    cluster_wide "remote.fetch.max.wait.ms": Int = Some("500"), AtLeast(1),
        idle "Longest wait for remote storage in a fetch.";
    cluster_wide "remote.list.offsets.request.timeout.ms": Long = Some("30000"), AtLeast(1),
        idle "The same for offsets by time.";
    cluster_wide "remote.log.index.file.cache.total.size.bytes": Long = Some("1073741824"),
        AtLeast(1),
        idle "Bytes of indexes of remote segments kept locally.";
    cluster_wide "remote.log.manager.copier.thread.pool.size": Int = Some("10"), AtLeast(1),
        idle "Threads that copy segments to remote storage.";
    cluster_wide "remote.log.manager.copy.max.bytes.per.second": Long = LONG_MAX, AtLeast(1),
        idle "Most bytes copied there a second.";
    read_only "remote.log.manager.copy.quota.window.num": Int = Some("11"), AtLeast(1),
        idle "Samples kept for that limit.";
    read_only "remote.log.manager.copy.quota.window.size.seconds": Int = Some("1"), AtLeast(1),
        idle "Length of one of them.";
    cluster_wide "remote.log.manager.expiration.thread.pool.size": Int = Some("10"), AtLeast(1),
        idle "Threads that drop remote segments.";
    cluster_wide "remote.log.manager.fetch.max.bytes.per.second": Long = LONG_MAX, AtLeast(1),
        idle "Most bytes read from remote storage a second.";
    read_only "remote.log.manager.fetch.quota.window.num": Int = Some("11"), AtLeast(1),
        idle "Samples kept for that limit.";
    read_only "remote.log.manager.fetch.quota.window.size.seconds": Int = Some("1"), AtLeast(1),
        idle "Length of one of them.";
    read_only "remote.log.manager.task.interval.ms": Long = Some("30000"), AtLeast(1),
        idle "Interval between runs of its tasks.";
    read_only "remote.log.manager.thread.pool.size": Int = Some("2"), AtLeast(1),
        idle "Threads for remote storage.";
    read_only "remote.log.metadata.custom.metadata.max.bytes": Int = Some("128"), AtLeast(0),
        idle "Most bytes that a plugin may keep for a segment.";
    read_only "remote.log.metadata.manager.class.name": String = REMOTE_METADATA, NonEmpty,
        idle "Java class that keeps the list of remote segments.";
    read_only "remote.log.metadata.manager.class.path": String = None, Any,
        idle "Where that class is found.";
    read_only "remote.log.metadata.manager.impl.prefix": String = Some("rlmm.config."), NonEmpty,
        idle "Prefix of its configurations.";
    read_only "remote.log.metadata.manager.listener.name": String = None, NonEmpty,
        idle "Listener that it uses.";
    read_only "remote.log.reader.max.pending.tasks": Int = Some("100"), AtLeast(1),
        idle "Most reads from remote storage that may wait.";
    cluster_wide "remote.log.reader.threads": Int = Some("10"), AtLeast(1),
        idle "Threads that read from it.";
    read_only "remote.log.storage.manager.class.name": String = None, NonEmpty,
        idle "Java class that reaches remote storage.";
    read_only "remote.log.storage.manager.class.path": String = None, Any,
        idle "Where that class is found.";
    read_only "remote.log.storage.manager.impl.prefix": String = Some("rsm.config."), NonEmpty,
        idle "Prefix of its configurations.";
    read_only "remote.log.storage.system.enable": Boolean = Some("false"), Any,
        idle "Whether there is remote storage.";
    unlisted "replica.alter.log.dirs.io.max.bytes.per.second": Long = LONG_MAX, AtLeast(0),
        idle "Most bytes a second that moves between directories take.";
    read_only "replica.fetch.backoff.ms": Int = Some("1000"), AtLeast(0),
        idle "Pause of a follower after an error.";
    read_only "replica.fetch.max.bytes": Int = Some("1048576"), AtLeast(0),
        idle "Bytes per partition that a follower takes at a time.";
    read_only "replica.fetch.min.bytes": Int = Some("1"), Any,
        idle "Least bytes that a follower waits for.";
    read_only "replica.fetch.response.max.bytes": Int = Some("10485760"), AtLeast(0),
        idle "Most bytes that a follower takes at a time.";
    read_only "replica.fetch.wait.max.ms": Int = Some("500"), Any,
        idle "Longest wait of a follower for them.";
    read_only "replica.high.watermark.checkpoint.interval.ms": Long = Some("5000"), Any,
        idle "Interval between records of high watermarks.";
    read_only "replica.lag.time.max.ms": Long = Some("30000"), Any,
        idle "Lag after which a follower counts as out of sync.";
    read_only "replica.selector.class": String = None, Any,
        idle "Java class that sends readers to near replicas.";
    read_only "replica.socket.receive.buffer.bytes": Int = Some("65536"), Any,
        idle "Receive buffer of a follower's socket.";
    read_only "replica.socket.timeout.ms": Int = Some("30000"), Any,
        idle "Longest wait of a follower for an answer.";
    read_only "replication.quota.window.num": Int = Some("11"), AtLeast(1),
        idle "Samples kept for the quota of replication.";
    read_only "replication.quota.window.size.seconds": Int = Some("1"), AtLeast(1),
        idle "Length of one of them.";
    read_only "request.timeout.ms": Int = Some("30000"), Any,
        idle "Longest wait for an answer between brokers.";
    read_only "sasl.client.callback.handler.class": Class = None, Any,
        idle "Java class of the client's side.";
    per_broker "sasl.enabled.mechanisms": List = Some("GSSAPI"), Any,
        idle "SASL mechanisms that are served.";
    per_broker "sasl.jaas.config": Password = None, Any,
        idle "Login of the broker, in the form of a JAAS file.";
    per_broker "sasl.kerberos.kinit.cmd": String = Some("/usr/bin/kinit"), Any,
        idle "Path of kinit.";
    per_broker "sasl.kerberos.min.time.before.relogin": Long = Some("60000"), Any,
        idle "Pause between two logins.";
    per_broker "sasl.kerberos.principal.to.local.rules": List = Some("DEFAULT"), Any,
        idle "Rules that give principals their short names.";
    per_broker "sasl.kerberos.service.name": String = None, Any,
        idle "Kerberos principal under which brokers run.";
    per_broker "sasl.kerberos.ticket.renew.jitter": Double = Some("0.05"), Any,
        idle "Random share added to the time of renewal.";
    per_broker "sasl.kerberos.ticket.renew.window.factor": Double = Some("0.8"), Any,
        idle "Share of a ticket's lifetime after which it is renewed.";
    read_only "sasl.login.callback.handler.class": Class = None, Any,
        idle "Java class that logs in.";
    read_only "sasl.login.class": Class = None, Any, idle "Java class of a login.";
    read_only "sasl.login.connect.timeout.ms": Int = None, Any,
        idle "Longest wait for a connection to the provider.";
    read_only "sasl.login.read.timeout.ms": Int = None, Any, idle "Longest wait for its answer.";
    per_broker "sasl.login.refresh.buffer.seconds": Short = Some("300"), Any,
        idle "Time before expiry that is left when a login is renewed.";
    per_broker "sasl.login.refresh.min.period.seconds": Short = Some("60"), Any,
        idle "Shortest time between two renewals.";
    per_broker "sasl.login.refresh.window.factor": Double = Some("0.8"), Any,
        idle "Share of its lifetime after which a login is renewed.";
    per_broker "sasl.login.refresh.window.jitter": Double = Some("0.05"), Any,
        idle "Random share added to that.";
    read_only "sasl.login.retry.backoff.max.ms": Long = Some("10000"), Any,
        idle "Longest pause between tries to log in.";
    read_only "sasl.login.retry.backoff.ms": Long = Some("100"), Any,
        idle "First pause between them.";
    read_only "sasl.mechanism.controller.protocol": String = Some("GSSAPI"), Any,
        idle "SASL mechanism towards controllers.";
    per_broker "sasl.mechanism.inter.broker.protocol": String = Some("GSSAPI"), Any,
        idle "SASL mechanism between brokers.";
    read_only "sasl.oauthbearer.assertion.algorithm": String = Some("RS256"),
        OneOfAnyCase(&["ES256", "RS256"]),
        idle "Algorithm that signs the assertion.";
    read_only "sasl.oauthbearer.assertion.claim.aud": String = None, Any,
        idle "Audience claim of the assertion.";
    read_only "sasl.oauthbearer.assertion.claim.exp.seconds": Int = Some("300"), Between(0, 86400),
        idle "How long the assertion is valid.";
    read_only "sasl.oauthbearer.assertion.claim.iss": String = None, Any,
        idle "Issuer claim of the assertion.";
    read_only "sasl.oauthbearer.assertion.claim.jti.include": Boolean = Some("false"), Any,
        idle "Whether the assertion has an id.";
    read_only "sasl.oauthbearer.assertion.claim.nbf.seconds": Int = Some("60"), Between(0, 3600),
        idle "How long before now the assertion begins to be valid.";
    read_only "sasl.oauthbearer.assertion.claim.sub": String = None, Any,
        idle "Subject claim of the assertion.";
    read_only "sasl.oauthbearer.assertion.file": String = None, Any,
        idle "File with a finished assertion.";
    read_only "sasl.oauthbearer.assertion.private.key.file": String = None, Any,
        idle "File with the key that signs the assertion.";
    read_only "sasl.oauthbearer.assertion.private.key.passphrase": Password = None, Any,
        idle "Passphrase of that file.";
    read_only "sasl.oauthbearer.assertion.template.file": String = None, Any,
        idle "File with fixed parts of the assertion.";
    read_only "sasl.oauthbearer.client.credentials.client.id": String = None, Any,
        idle "Client id for the provider.";
    read_only "sasl.oauthbearer.client.credentials.client.secret": Password = None, Any,
        idle "Secret of that client.";
    read_only "sasl.oauthbearer.clock.skew.seconds": Int = Some("30"), Any,
        idle "How far clocks of provider and broker may differ.";
    read_only "sasl.oauthbearer.expected.audience": List = None, Any,
        idle "Audiences of which a token must name one.";
    read_only "sasl.oauthbearer.expected.issuer": String = None, Any,
        idle "Issuer that a token must name.";
    read_only "sasl.oauthbearer.jwks.endpoint.refresh.ms": Long = Some("3600000"), Any,
        idle "Interval at which the provider's keys are read again.";
    read_only "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms": Long = Some("10000"), Any,
        idle "Longest pause between tries to read them.";
    read_only "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms": Long = Some("100"), Any,
        idle "First pause between tries.";
    read_only "sasl.oauthbearer.jwks.endpoint.url": String = None, Any,
        idle "Where the provider's keys are.";
    read_only "sasl.oauthbearer.jwt.retriever.class": Class =
        Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever"), Any,
        idle "Java class that fetches tokens.";
    read_only "sasl.oauthbearer.jwt.validator.class": Class =
        Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator"), Any,
        idle "Java class that checks tokens.";
    read_only "sasl.oauthbearer.scope": String = None, Any, idle "Access that is asked for.";
    read_only "sasl.oauthbearer.scope.claim.name": String = Some("scope"), Any,
        idle "Name of the scope claim.";
    read_only "sasl.oauthbearer.sub.claim.name": String = Some("sub"), Any,
        idle "Name of the subject claim.";
    read_only "sasl.oauthbearer.token.endpoint.url": String = None, Any,
        idle "Where tokens are issued.";
    read_only "sasl.server.callback.handler.class": Class = None, Any,
        idle "Java class of the server's side.";
    read_only "sasl.server.max.receive.size": Int = Some("524288"), Any,
        idle "Largest request before a client is authenticated.";
    read_only "security.inter.broker.protocol": String = Some("PLAINTEXT"),
        OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]),
        idle "Security protocol between brokers.";
    read_only "security.providers": String = None, Any, idle "Java classes of security algorithms.";
    read_only "share.coordinator.append.linger.ms": Int = Some("5"), AtLeast(0),
        idle "How long the share coordinator gathers writes.";
    read_only "share.coordinator.load.buffer.size": Int = Some("5242880"), AtLeast(1),
        idle "Bytes read at a time when its state is loaded.";
    read_only "share.coordinator.snapshot.update.records.per.snapshot": Int = Some("500"),
        AtLeast(0),
        idle "Changes between two snapshots of a partition's state.";
    read_only "share.coordinator.state.topic.compression.codec": Int = Some("0"), Any,
        idle "Codec of its topic.";
    read_only "share.coordinator.state.topic.min.isr": Short = Some("2"), AtLeast(1),
        idle "min.insync.replicas of its topic.";
    read_only "share.coordinator.state.topic.num.partitions": Int = Some("50"), AtLeast(1),
        idle "Partitions of its topic.";
    read_only "share.coordinator.state.topic.replication.factor": Short = Some("3"), AtLeast(1),
        idle "Replicas of its topic.";
    read_only "share.coordinator.state.topic.segment.bytes": Int = Some("104857600"), AtLeast(1),
        idle "Segment size of its topic.";
    read_only "share.coordinator.threads": Int = Some("1"), AtLeast(1), idle "Its threads.";
    read_only "share.coordinator.write.timeout.ms": Int = Some("5000"), AtLeast(1),
        idle "Longest wait for the replicas of its writes.";
    read_only "share.fetch.purgatory.purge.interval.requests": Int = Some("1000"), Any,
        idle "Requests between two clearings of what waits.";
    read_only "socket.connection.setup.timeout.max.ms": Long = Some("30000"), Any,
        idle "Longest wait for a connection between brokers.";
    read_only "socket.connection.setup.timeout.ms": Long = Some("10000"), Any,
        idle "First wait for one.";
    read_only "socket.listen.backlog.size": Int = Some("50"), AtLeast(1),
        idle "Connections that may wait to be accepted.";
    read_only "socket.receive.buffer.bytes": Int = Some("102400"), Any,
        idle "Receive buffer of a socket; -1 leaves it to the kernel.";
    read_only "socket.request.max.bytes": Int = Some("104857600"), AtLeast(1),
        "Largest request; above, the connection is closed.";
    read_only "socket.send.buffer.bytes": Int = Some("102400"), Any,
        idle "Send buffer of a socket; -1 leaves it to the kernel.";
    read_only "ssl.allow.dn.changes": Boolean = Some("false"), Any,
        idle "Whether a new certificate may have another name.";
    read_only "ssl.allow.san.changes": Boolean = Some("false"), Any,
        idle "Whether it may have other alternative names.";
    per_broker "ssl.cipher.suites": List = Some(""), Any, idle "Cipher suites.";
    per_broker "ssl.client.auth": String = Some("none"), OneOf(&["required", "requested", "none"]),
        idle "Whether clients must show a certificate.";
    per_broker "ssl.enabled.protocols": List = Some("TLSv1.2,TLSv1.3"), Any,
        idle "Versions of TLS.";
    per_broker "ssl.endpoint.identification.algorithm": String = Some("https"), Any,
        idle "How a server's name is checked.";
    per_broker "ssl.engine.factory.class": Class = None, Any, idle "Java class of TLS.";
    per_listener "ssl.key.password": Password = None, Any, idle "Password of the private key.";
    per_broker "ssl.keymanager.algorithm": String = Some("SunX509"), Any,
        idle "Java's algorithm for keys.";
    per_listener "ssl.keystore.certificate.chain": Password = None, Any,
        idle "Certificates of the broker.";
    per_listener "ssl.keystore.key": Password = None, Any, idle "Private key of the broker.";
    per_listener "ssl.keystore.location": String = None, Any, idle "File of certificate and key.";
    per_listener "ssl.keystore.password": Password = None, Any, idle "Password of that file.";
    per_listener "ssl.keystore.type": String = Some("JKS"), Any, idle "Format of that file.";
    read_only "ssl.principal.mapping.rules": String = Some("DEFAULT"), Any,
        idle "Rules that give certificates their short names.";
    per_broker "ssl.protocol": String = Some("TLSv1.3"), Any,
        idle "Version of TLS that is preferred.";
    per_broker "ssl.provider": String = None, Any, idle "Java's provider of TLS.";
    per_broker "ssl.secure.random.implementation": String = None, Any,
        idle "Java's source of randomness.";
    per_broker "ssl.trustmanager.algorithm": String = Some("PKIX"), Any,
        idle "Java's algorithm for trust.";
    per_listener "ssl.truststore.certificates": Password = None, Any,
        idle "Certificates that are trusted.";
    per_listener "ssl.truststore.location": String = None, Any,
        idle "File of certificates that are trusted.";
    per_listener "ssl.truststore.password": Password = None, Any, idle "Password of that file.";
    per_listener "ssl.truststore.type": String = Some("JKS"), Any, idle "Format of that file.";
    read_only "telemetry.max.bytes": Int = Some("1048576"), AtLeast(1),
        "Most bytes that a client may push as telemetry, with flumen.client.telemetry.";
    read_only "transaction.abort.timed.out.transaction.cleanup.interval.ms": Int = Some("10000"),
        AtLeast(1),
        idle "Interval between looks for transactions that ran out of time.";
    read_only "transaction.max.timeout.ms": Int = Some("900000"), AtLeast(1),
        idle "Longest timeout a transactional producer may ask for.";
    cluster_wide "transaction.partition.verification.enable": Boolean = Some("true"), Any,
        idle "Whether a transactional write needs its partition to be part of the transaction.";
    read_only "transaction.remove.expired.transaction.cleanup.interval.ms": Int = Some("3600000"),
        AtLeast(1),
        idle "Interval between looks for transactional ids that expired.";
    read_only "transaction.state.log.load.buffer.size": Int = Some("5242880"), AtLeast(1),
        idle "Bytes read at a time when transactions are loaded.";
    read_only "transaction.state.log.min.isr": Int = Some("2"), AtLeast(1),
        idle "min.insync.replicas of the transactions topic.";
    read_only "transaction.state.log.num.partitions": Int = Some("50"), AtLeast(1),
        idle "Partitions of the transactions topic.";
    read_only "transaction.state.log.replication.factor": Short = Some("3"), AtLeast(1),
        idle "Replicas of the transactions topic, at most one for each broker.";
    read_only "transaction.state.log.segment.bytes": Int = Some("104857600"), AtLeast(1),
        idle "Segment size of the transactions topic.";
    read_only "transaction.two.phase.commit.enable": Boolean = Some("false"), Any,
        idle "Whether transactions may be prepared for an outside coordinator.";
    read_only "transactional.id.expiration.ms": Int = Some("604800000"), AtLeast(1),
        idle "Idle time after which a transactional id is forgotten.";
    cluster_wide "unclean.leader.election.enable": Boolean = Some("false"), Any,
        "Whether a replica that is not in sync may lead when no other is left, at the price of \
         records. Default for topics.";
}
