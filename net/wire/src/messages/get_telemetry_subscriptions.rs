//! `GetTelemetrySubscriptions` (key 71, KIP-714): which metrics of its own a client shall push.

use crate::error_code::ErrorCode;
use crate::schema::schema;
use crate::uuid::Uuid;

schema! {
    /// Asks what to push.
    pub struct GetTelemetrySubscriptionsRequest for GetTelemetrySubscriptions {
        /// The id of the client instance; zero in the first request.
        client_instance_id: Uuid [0..],
    }

    /// What to push, how and how often.
    pub struct GetTelemetrySubscriptionsResponse<'a> for GetTelemetrySubscriptions {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The id of the client instance; zero in the first request.
        client_instance_id: Uuid [0..],
        /// Which set of metrics the client was asked for.
        subscription_id: i32 [0..],
        /// How pushes may be compressed, the best first, by the numbers of record batches.
        accepted_compression_types: Vec<i8> [0..],
        /// How often to push.
        push_interval_ms: i32 [0..],
        /// Most bytes in one push.
        telemetry_max_bytes: i32 [0..],
        /// Whether counters are sent as differences.
        delta_temporality: bool [0..],
        /// Prefixes of the names of metrics; a single empty one means all, none means nothing.
        requested_metrics: Vec<&'a str> [0..],
    }
}
