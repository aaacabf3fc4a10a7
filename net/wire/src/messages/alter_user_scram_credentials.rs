//! `AlterUserScramCredentials` (key 51, KIP-554): sets and removes SCRAM credentials. The broker
//! never sees a password, only what was derived from it.

use std::borrow::Cow;

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Sets and removes credentials.
    pub struct AlterUserScramCredentialsRequest<'a> for AlterUserScramCredentials {
        /// The credentials to remove.
        deletions: Vec<ScramCredentialDeletion<'a>> [0..],
        /// The credentials to set.
        upsertions: Vec<ScramCredentialUpsertion<'a>> [0..],
    }

    /// A credential to remove.
    pub struct ScramCredentialDeletion<'a> {
        /// The name of the user.
        name: &'a str [0..],
        /// The mechanism: 1 is SCRAM-SHA-256, 2 is SCRAM-SHA-512.
        mechanism: i8 [0..],
    }

    /// A credential to set.
    pub struct ScramCredentialUpsertion<'a> {
        /// The name of the user.
        name: &'a str [0..],
        /// The mechanism: 1 is SCRAM-SHA-256, 2 is SCRAM-SHA-512.
        mechanism: i8 [0..],
        /// How many iterations the derivation has.
        iterations: i32 [0..],
        /// The salt, made by the client.
        salt: &'a [u8] [0..],
        /// The salted password.
        salted_password: &'a [u8] [0..],
    }

    /// What became of each user.
    pub struct AlterUserScramCredentialsResponse<'a> for AlterUserScramCredentials {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The results.
        results: Vec<AlterUserScramCredentialsResult<'a>> [0..],
    }

    /// What became of one user.
    pub struct AlterUserScramCredentialsResult<'a> {
        /// The name of the user.
        user: &'a str [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [0.., null 0..],
    }
}
