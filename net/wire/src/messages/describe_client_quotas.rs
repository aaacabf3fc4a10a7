//! `DescribeClientQuotas` (key 48, KIP-546): quotas of users, clients and addresses.
//!
//! Version 1 is flexible.

use std::borrow::Cow;

use super::quota_entity::EntityData;
use crate::error_code::ErrorCode;
use crate::schema::schema;
use crate::wire::Float64;

/// The entity has the given name.
pub const MATCH_EXACT: i8 = 0;
/// The entity is the default.
pub const MATCH_DEFAULT: i8 = 1;
/// The entity has any name.
pub const MATCH_SPECIFIED: i8 = 2;

schema! {
    /// Asks for quotas by the entities that they hold for.
    pub struct DescribeClientQuotasRequest<'a> for DescribeClientQuotas {
        /// What an entity must have to be matched.
        components: Vec<ComponentData<'a>> [0..],
        /// Whether entities with further parts are left out.
        strict: bool [0..],
    }

    /// What one part of an entity must be.
    pub struct ComponentData<'a> {
        /// The type: `user`, `client-id` or `ip`.
        entity_type: &'a str [0..],
        /// How to match; see the constants of this file.
        match_type: i8 [0..],
        /// The name, for an exact match.
        r#match: Option<&'a str> [0.., null 0..],
    }

    /// The quotas.
    pub struct DescribeClientQuotasResponse<'a> for DescribeClientQuotas {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [0.., null 0..],
        /// The entities and their quotas; null on an error.
        entries: Option<Vec<EntryData<'a>>> [0.., null 0..],
    }

    /// The quotas of one entity.
    pub struct EntryData<'a> {
        /// The parts of the entity.
        entity: Vec<EntityData<'a>> [0..],
        /// The quotas.
        values: Vec<ValueData<'a>> [0..],
    }

    /// One quota.
    pub struct ValueData<'a> {
        /// The name of the quota.
        key: &'a str [0..],
        /// The value of the quota.
        value: Float64 [0..],
    }
}
