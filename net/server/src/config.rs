//! What the server is told at start.

use std::time::Duration;

use cluster_meta::config::StaticConfig;
use net_wire::batch::DECOMPRESSED_BYTES_MAX;

/// A request with an empty answer took 3.8 us of a core over loopback, nearly all of it in the
/// kernel's sockets.
const REQUEST_OVERHEAD: Duration = Duration::from_micros(4);

/// A listener as clients are told of it (`advertised.listeners`). A client gets the addresses of
/// the listener that it came in by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvertisedListener {
    /// Kafka's name of the listener, such as `PLAINTEXT`.
    pub name: String,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// Everything about the server that does not change while it runs; the same on every shard.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// The operator's settings.
    pub fixed: StaticConfig,
    /// The listeners, in the order in which [`crate::accept`] numbers them.
    pub listeners: Vec<AdvertisedListener>,
    /// The absolute path of the data directory (`DescribeLogDirs`).
    pub log_dir: String,
    /// Whether clients are asked for metrics of their own (KIP-714).
    pub client_telemetry: bool,
    /// Bounds.
    pub limits: Limits,
}

/// Bounds on what clients may make one shard hold or do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest request frame (`socket.request.max.bytes`).
    pub request_bytes_max: usize,
    /// Silence, or slowness, after which a connection is closed (`connections.max.idle.ms`).
    pub connection_idle_max: Duration,
    /// Bytes of requests of one connection that may wait for their answers.
    pub connection_bytes_queued_max: usize,
    /// Requests of one connection that may wait for their answers.
    pub connection_requests_queued_max: usize,
    /// Bytes of requests of one shard that may wait for their answers.
    pub shard_request_bytes_max: usize,
    /// Bytes of fetched records of one shard that may wait to be sent.
    pub shard_response_bytes_max: usize,
    /// Bytes of long answers about the metadata that one shard keeps for the next who asks.
    pub kept_answer_bytes_max: usize,
    /// How long a client may hold bytes that others wait for while its own do not move.
    pub contended_patience: Duration,
    /// Most bytes of a fetch response (`fetch.max.bytes`).
    pub fetch_bytes_max: usize,
    /// Fetch sessions of this shard (`max.incremental.fetch.session.cache.slots` over all shards).
    pub fetch_sessions_max: usize,
    /// Partitions in all fetch sessions of this shard.
    pub fetch_session_partitions_max: usize,
    /// Most bytes that a compressed batch may have when decompressed.
    pub decompressed_bytes_max: usize,
    /// Most bytes that a client may push as telemetry (`telemetry.max.bytes`).
    pub telemetry_bytes_max: usize,
    /// What a request counts for in a quota of time besides its handler: reading it from the socket
    /// and sending its answer.
    pub request_overhead: Duration,
}

impl Limits {
    /// The limits that the operator's settings give, for one of `shards` shards with so much memory
    /// for clients.
    pub fn new(fixed: &StaticConfig, shards: usize, memory_bytes: usize) -> Self {
        let integer = |name| fixed.integer(name).unwrap_or(0);
        let size = |name| usize::try_from(integer(name)).unwrap_or(0);
        let shards = shards.max(1);
        let slots = size("max.incremental.fetch.session.cache.slots");
        Self {
            request_bytes_max: size("socket.request.max.bytes"),
            connection_idle_max: idle(integer("connections.max.idle.ms")),
            connection_bytes_queued_max: 16 << 20,
            connection_requests_queued_max: 256,
            shard_request_bytes_max: memory_bytes / 2,
            shard_response_bytes_max: memory_bytes / 2 - memory_bytes / 16,
            kept_answer_bytes_max: memory_bytes / 16,
            contended_patience: Duration::from_secs(5),
            fetch_bytes_max: size("fetch.max.bytes"),
            fetch_sessions_max: slots.div_ceil(shards).min(slots),
            fetch_session_partitions_max: 500_000,
            decompressed_bytes_max: DECOMPRESSED_BYTES_MAX,
            telemetry_bytes_max: size("telemetry.max.bytes"),
            request_overhead: REQUEST_OVERHEAD,
        }
    }
}

/// A negative idle time means for ever, as in Kafka.
fn idle(ms: i64) -> Duration {
    u64::try_from(ms).map_or(Duration::MAX, Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_follow_the_settings_of_the_operator() {
        let settings = [
            ("socket.request.max.bytes", "1000"),
            ("connections.max.idle.ms", "-1"),
            ("max.incremental.fetch.session.cache.slots", "5"),
        ];
        let fixed = StaticConfig::from_settings(settings).unwrap();
        let limits = Limits::new(&fixed, 2, 1 << 20);
        assert_eq!(limits.request_bytes_max, 1_000);
        assert_eq!(limits.connection_idle_max, Duration::MAX);
        assert_eq!(limits.fetch_sessions_max, 3);
        let defaults = Limits::new(&StaticConfig::default(), 1, 1 << 20);
        assert_eq!(defaults.connection_idle_max, Duration::from_mins(10));
        assert_eq!(defaults.fetch_bytes_max, 57_671_680);
    }
}
