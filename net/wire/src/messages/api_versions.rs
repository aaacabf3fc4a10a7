//! `ApiVersions` (key 18, KIP-35): the first request of nearly every client.
//!
//! Version 1 adds the throttle time, 3 the client's name and the features (KIP-511, KIP-584), 4
//! allows features whose lowest level is 0. A version too new is answered in version 0 with
//! `UNSUPPORTED_VERSION` and the line of `ApiVersions`. The response header is version 0 in all
//! versions.

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Asks which APIs and versions the broker serves.
    pub struct ApiVersionsRequest<'a> for ApiVersions {
        /// Name of the client library (KIP-511).
        client_software_name: &'a str [3..],
        /// Its version.
        client_software_version: &'a str [3..],
    }

    /// The served APIs and the features of the cluster.
    pub struct ApiVersionsResponse<'a> for ApiVersions {
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The served APIs. A broker that does not know the version asked for puts `ApiVersions`
        /// here.
        api_keys: Vec<ApiVersion> [0..],
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [1..],
        /// Features that this broker can run with.
        supported_features: Vec<SupportedFeatureKey<'a>> [3.., tag 0],
        /// Grows with each change of the finalized features; -1 when there are none.
        finalized_features_epoch: i64 [3.., tag 1] = -1,
        /// Features that the cluster runs with.
        finalized_features: Vec<FinalizedFeatureKey<'a>> [3.., tag 2],
        /// Whether a move away from `ZooKeeper` is on; always false.
        zk_migration_ready: bool [3.., tag 3],
    }

    /// One served API.
    pub struct ApiVersion {
        /// The key.
        api_key: i16 [0..],
        /// Lowest version.
        min_version: i16 [0..],
        /// Highest version.
        max_version: i16 [0..],
    }

    /// A feature this broker can run with (KIP-584).
    pub struct SupportedFeatureKey<'a> {
        /// The name of the feature.
        name: &'a str [3..],
        /// Lowest level. Below version 4 a feature with 0 here must be left out, or older
        /// Java clients fail to decode the answer (KAFKA-17011, KAFKA-17492).
        min_version: i16 [3..],
        /// Highest version.
        max_version: i16 [3..],
    }

    /// A feature the cluster runs with (KIP-584).
    pub struct FinalizedFeatureKey<'a> {
        /// The name of the feature.
        name: &'a str [3..],
        /// Highest level that the cluster runs with.
        max_version_level: i16 [3..],
        /// Lowest level that the cluster runs with.
        min_version_level: i16 [3..],
    }
}
