//! `AlterClientQuotas` (key 49, KIP-546): sets and removes quotas.
//!
//! Version 1 is flexible.

use std::borrow::Cow;

use super::quota_entity::EntityData;
use crate::error_code::ErrorCode;
use crate::schema::schema;
use crate::wire::Float64;

schema! {
    /// Sets and removes quotas.
    pub struct AlterClientQuotasRequest<'a> for AlterClientQuotas {
        /// The entities.
        entries: Vec<EntryData<'a>> [0..],
        /// Whether to check only and change nothing.
        validate_only: bool [0..],
    }

    /// The changes of one entity.
    pub struct EntryData<'a> {
        /// The parts of the entity.
        entity: Vec<EntityData<'a>> [0..],
        /// The changes.
        ops: Vec<OpData<'a>> [0..],
    }

    /// The change of one quota.
    pub struct OpData<'a> {
        /// The name of the quota.
        key: &'a str [0..],
        /// The value to set.
        value: Float64 [0..],
        /// Whether to remove it instead.
        remove: bool [0..],
    }

    /// What became of each entity.
    pub struct AlterClientQuotasResponse<'a> for AlterClientQuotas {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The entities.
        entries: Vec<EntryDataResult<'a>> [0..],
    }

    /// What became of one entity.
    pub struct EntryDataResult<'a> {
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [0.., null 0..],
        /// The parts of the entity.
        entity: Vec<EntityData<'a>> [0..],
    }
}
