//! `DescribeConfigs` (key 32, KIP-133).
//!
//! Version 1 adds sources and synonyms (KIP-226), 3 types and documentation (KIP-569).

use std::borrow::Cow;

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Asks for the configurations of topics or brokers.
    pub struct DescribeConfigsRequest<'a> for DescribeConfigs {
        /// The resources.
        resources: Vec<DescribeConfigsResource<'a>> [0..],
        /// Whether to list where values would come from.
        include_synonyms: bool [1..],
        /// Whether to send the documentation.
        include_documentation: bool [3..],
    }

    /// One topic or broker.
    pub struct DescribeConfigsResource<'a> {
        /// The type of the resource; see [`ConfigResource`](super::ConfigResource).
        resource_type: i8 [0..],
        /// The name of the topic, or the id of the broker as text; empty for all brokers.
        resource_name: &'a str [0..],
        /// The keys wanted; null means all.
        configuration_keys: Option<Vec<&'a str>> [0.., null 0..],
    }

    /// The configurations of each resource.
    pub struct DescribeConfigsResponse<'a> for DescribeConfigs {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The results.
        results: Vec<DescribeConfigsResult<'a>> [0..],
    }

    /// The configurations of one resource.
    pub struct DescribeConfigsResult<'a> {
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [0.., null 0..],
        /// The type of the resource; see [`ConfigResource`](super::ConfigResource).
        resource_type: i8 [0..],
        /// The name of the topic, or the id of the broker as text; empty for all brokers.
        resource_name: &'a str [0..],
        /// The configurations.
        configs: Vec<DescribeConfigsResourceResult<'a>> [0..],
    }

    /// One configuration.
    pub struct DescribeConfigsResourceResult<'a> {
        /// The key.
        name: &'a str [0..],
        /// The value, or null.
        value: Option<Cow<'a, str>> [0.., null 0..],
        /// Whether it cannot be changed while the broker runs.
        read_only: bool [0..],
        /// Where the value comes from; see [`ConfigSource`](super::ConfigSource).
        config_source: i8 [1..] = -1,
        /// Whether the value is secret, and therefore null.
        is_sensitive: bool [0..],
        /// Values by precedence, the one in force first.
        synonyms: Vec<DescribeConfigsSynonym<'a>> [1..],
        /// The type of the value; see [`ConfigType`](super::ConfigType).
        config_type: i8 [3..],
        /// What it does, or null.
        documentation: Option<Cow<'a, str>> [3.., null 3..],
    }

    /// Where a value would come from, in order of precedence.
    pub struct DescribeConfigsSynonym<'a> {
        /// The key there.
        name: &'a str [1..],
        /// The value, or null.
        value: Option<Cow<'a, str>> [1.., null 1..],
        /// Where it comes from; see [`ConfigSource`](super::ConfigSource).
        source: i8 [1..],
    }
}
