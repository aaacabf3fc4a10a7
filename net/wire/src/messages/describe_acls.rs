//! `DescribeAcls` (key 29, KIP-140): lists access control entries.
//!
//! Version 1 adds pattern types (KIP-290), 3 user resources (KIP-373).

use std::borrow::Cow;

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Asks for the entries that a filter matches.
    pub struct DescribeAclsRequest<'a> for DescribeAcls {
        /// The type of the resource; 1 means any.
        resource_type_filter: i8 [0..],
        /// The name of the resource; null means any.
        resource_name_filter: Option<&'a str> [0.., null 0..],
        /// Literal names (3), prefixes (4), any (1), or all that apply to the name (2).
        pattern_type_filter: i8 [1..] = 3,
        /// Who; null means anyone.
        principal_filter: Option<&'a str> [0.., null 0..],
        /// The address of the client; null means any.
        host_filter: Option<&'a str> [0.., null 0..],
        /// The operation; 1 means any.
        operation: i8 [0..],
        /// Denied (2), allowed (3) or any (1).
        permission_type: i8 [0..],
    }

    /// The entries, by resource.
    pub struct DescribeAclsResponse<'a> for DescribeAcls {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [0.., null 0..],
        /// The resources.
        resources: Vec<DescribeAclsResource<'a>> [0..],
    }

    /// The entries of one resource.
    pub struct DescribeAclsResource<'a> {
        /// The type of the resource.
        resource_type: i8 [0..],
        /// The name of the resource, or its prefix.
        resource_name: &'a str [0..],
        /// Whether the name is meant literally (3) or as a prefix (4).
        pattern_type: i8 [1..] = 3,
        /// The entries.
        acls: Vec<AclDescription<'a>> [0..],
    }

    /// One entry.
    pub struct AclDescription<'a> {
        /// Who, such as `User:alice`.
        principal: &'a str [0..],
        /// The address of the client, or `*`.
        host: &'a str [0..],
        /// The operation.
        operation: i8 [0..],
        /// Whether it is denied (2) or allowed (3).
        permission_type: i8 [0..],
    }
}
