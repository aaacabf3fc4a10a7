//! `CreateAcls` (key 30, KIP-140): creates access control entries.
//!
//! Version 1 adds pattern types (KIP-290), 3 user resources (KIP-373).

use std::borrow::Cow;

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Creates entries.
    pub struct CreateAclsRequest<'a> for CreateAcls {
        /// The entries.
        creations: Vec<AclCreation<'a>> [0..],
    }

    /// An entry to create.
    pub struct AclCreation<'a> {
        /// The type of the resource.
        resource_type: i8 [0..],
        /// The name of the resource, or its prefix.
        resource_name: &'a str [0..],
        /// Whether the name is meant literally (3) or as a prefix (4).
        resource_pattern_type: i8 [1..] = 3,
        /// Who, such as `User:alice`.
        principal: &'a str [0..],
        /// The address of the client, or `*`.
        host: &'a str [0..],
        /// The operation.
        operation: i8 [0..],
        /// Whether it is denied (2) or allowed (3).
        permission_type: i8 [0..],
    }

    /// What became of each entry, in their order.
    pub struct CreateAclsResponse<'a> for CreateAcls {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The results.
        results: Vec<AclCreationResult<'a>> [0..],
    }

    /// What became of one entry.
    pub struct AclCreationResult<'a> {
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [0.., null 0..],
    }
}
