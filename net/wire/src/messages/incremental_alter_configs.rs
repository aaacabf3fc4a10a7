//! `IncrementalAlterConfigs` (key 44, KIP-339): sets, deletes, appends to and subtracts from single
//! keys.

use std::borrow::Cow;

use crate::error_code::ErrorCode;
use crate::schema::schema;

/// Sets the value.
pub const OP_SET: i8 = 0;
/// Goes back to the default.
pub const OP_DELETE: i8 = 1;
/// Adds elements to a list.
pub const OP_APPEND: i8 = 2;
/// Removes elements from a list.
pub const OP_SUBTRACT: i8 = 3;

schema! {
    /// Changes single configurations of resources.
    pub struct IncrementalAlterConfigsRequest<'a> for IncrementalAlterConfigs {
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
        /// What to do with it; see the constants of this file.
        config_operation: i8 [0..],
        /// The value, or null.
        value: Option<&'a str> [0.., null 0..],
    }

    /// What became of each resource.
    pub struct IncrementalAlterConfigsResponse<'a> for IncrementalAlterConfigs {
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
