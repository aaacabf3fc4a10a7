//! `PushTelemetry` (key 72, KIP-714): metrics of a client, encoded by OpenTelemetry's protocol.

use crate::error_code::ErrorCode;
use crate::schema::schema;
use crate::uuid::Uuid;

schema! {
    /// Metrics of the client.
    pub struct PushTelemetryRequest<'a> for PushTelemetry {
        /// The id of the client instance; zero in the first request.
        client_instance_id: Uuid [0..],
        /// Which set of metrics the client was asked for.
        subscription_id: i32 [0..],
        /// Whether the client ends, and this is its last push.
        terminating: bool [0..],
        /// How the metrics are compressed.
        compression_type: i8 [0..],
        /// The metrics.
        metrics: &'a [u8] [0..],
    }

    /// What became of them.
    pub struct PushTelemetryResponse for PushTelemetry {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
    }
}
