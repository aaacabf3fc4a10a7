//! `UpdateFeatures` (key 57, KIP-584): raises and lowers the levels of features.
//!
//! Version 1 adds dry runs and unsafe downgrades (KIP-778), 2 drops the results of the single
//! features: all are changed or none (KIP-1022).

use std::borrow::Cow;

use crate::error_code::ErrorCode;
use crate::schema::schema;

/// The level may only rise.
pub const UPGRADE: i8 = 1;
/// The level may fall, if nothing is lost by it.
pub const SAFE_DOWNGRADE: i8 = 2;
/// The level may fall, even if metadata is lost.
pub const UNSAFE_DOWNGRADE: i8 = 3;

schema! {
    /// Changes the levels of features.
    pub struct UpdateFeaturesRequest<'a> for UpdateFeatures {
        /// How long the broker may take.
        timeout_ms: i32 [0..] = 60000,
        /// The changes.
        feature_updates: Vec<FeatureUpdateKey<'a>> [0..],
        /// Whether to check only and change nothing.
        validate_only: bool [1..],
    }

    /// A feature and the level it shall have.
    pub struct FeatureUpdateKey<'a> {
        /// The name of the feature.
        feature: &'a str [0..],
        /// The level it shall have; 0 removes it.
        max_version_level: i16 [0..],
        /// Whether the level may fall.
        allow_downgrade: bool [0..=0],
        /// Whether the level may fall; see the constants of this file.
        upgrade_type: i8 [1..] = 1,
    }

    /// What became of the changes.
    pub struct UpdateFeaturesResponse<'a> for UpdateFeatures {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [0.., null 0..],
        /// The features.
        results: Vec<UpdatableFeatureResult<'a>> [0..=1],
    }

    /// What became of one feature.
    pub struct UpdatableFeatureResult<'a> {
        /// The name of the feature.
        feature: &'a str [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [0.., null 0..],
    }
}
