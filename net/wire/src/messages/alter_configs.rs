//! `AlterConfigs` (key 33, KIP-133): replaces all configurations of a resource. Old tools use it.

use std::borrow::Cow;

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Replaces all configurations of resources: what is not named goes back to its default.
    pub struct AlterConfigsRequest<'a> for AlterConfigs {
        /// The resources.
        resources: Vec<AlterConfigsResource<'a>> [0..],
        /// Whether to check only and change nothing.
        validate_only: bool [0..],
    }

    /// One topic or broker.
    pub struct AlterConfigsResource<'a> {
        /// The type of the resource; see [`ConfigResource`](super::ConfigResource).
        resource_type: i8 [0..],
        /// The name of the topic, or the id of the broker as text; empty for all brokers.
        resource_name: &'a str [0..],
        /// The configurations.
        configs: Vec<AlterableConfig<'a>> [0..],
    }

    /// One configuration.
    pub struct AlterableConfig<'a> {
        /// The key.
        name: &'a str [0..],
        /// The value, or null.
        value: Option<&'a str> [0.., null 0..],
    }

    /// What became of each resource.
    pub struct AlterConfigsResponse<'a> for AlterConfigs {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The topics.
        responses: Vec<AlterConfigsResourceResponse<'a>> [0..],
    }

    /// What became of one resource.
    pub struct AlterConfigsResourceResponse<'a> {
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [0.., null 0..],
        /// The type of the resource; see [`ConfigResource`](super::ConfigResource).
        resource_type: i8 [0..],
        /// The name of the topic, or the id of the broker as text; empty for all brokers.
        resource_name: &'a str [0..],
    }
}
