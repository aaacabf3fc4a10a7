//! `ListConfigResources` (key 74): lists resources that have configurations.
//!
//! Version 0 lists subscriptions to client metrics only (KIP-714), 1 any type (KIP-1142).

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Asks which resources there are.
    pub struct ListConfigResourcesRequest for ListConfigResources {
        /// The types wanted; none means all. See [`ConfigResource`](super::ConfigResource).
        resource_types: Vec<i8> [1..],
    }

    /// The resources.
    pub struct ListConfigResourcesResponse<'a> for ListConfigResources {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The resources.
        config_resources: Vec<ConfigResource<'a>> [0..],
    }

    /// One resource.
    pub struct ConfigResource<'a> {
        /// The name of the resource.
        resource_name: &'a str [0..],
        /// The type of the resource; see [`ConfigResource`](super::ConfigResource).
        resource_type: i8 [1..] = 16,
    }
}
