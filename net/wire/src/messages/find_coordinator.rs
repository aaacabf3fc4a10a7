//! `FindCoordinator` (key 10): which broker coordinates a group or a transactional id.
//!
//! Version 1 adds the type of the key (KIP-98), 4 many keys in one request (KIP-699), 5 the error
//! `TRANSACTION_ABORTABLE` (KIP-890), 6 share groups (KIP-932).

use std::borrow::Cow;

use crate::error_code::ErrorCode;
use crate::schema::schema;

/// The key is the id of a group.
pub const KEY_GROUP: i8 = 0;
/// The key is a transactional id.
pub const KEY_TRANSACTION: i8 = 1;
/// The key is a partition of a share group.
pub const KEY_SHARE: i8 = 2;

schema! {
    /// Asks for coordinators.
    pub struct FindCoordinatorRequest<'a> for FindCoordinator {
        /// The id of the group, or the transactional id.
        key: &'a str [0..=3],
        /// What the keys are; see the constants of this file.
        key_type: i8 [1..],
        /// The keys.
        coordinator_keys: Vec<&'a str> [4..],
    }

    /// The coordinators.
    pub struct FindCoordinatorResponse<'a> for FindCoordinator {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [1..],
        /// The error, or 0.
        error_code: ErrorCode [0..=3],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [1..=3, null 1..=3],
        /// The id of the coordinator, or -1.
        node_id: i32 [0..=3],
        /// Its host name or address.
        host: &'a str [0..=3],
        /// Its port.
        port: i32 [0..=3],
        /// The coordinator of each key.
        coordinators: Vec<Coordinator<'a>> [4..],
    }

    /// The coordinator of one key.
    pub struct Coordinator<'a> {
        /// The id of the group, or the transactional id.
        key: &'a str [4..],
        /// The id of the coordinator, or -1.
        node_id: i32 [4..],
        /// Its host name or address.
        host: &'a str [4..],
        /// Its port.
        port: i32 [4..],
        /// The error, or 0.
        error_code: ErrorCode [4..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [4.., null 4..],
    }
}
