//! `DescribeUserScramCredentials` (key 50, KIP-554): which SCRAM credentials users have, without
//! secrets.

use std::borrow::Cow;

use crate::error_code::ErrorCode;
use crate::schema::schema;

schema! {
    /// Asks for the credentials of users.
    pub struct DescribeUserScramCredentialsRequest<'a> for DescribeUserScramCredentials {
        /// The users; null or none means all.
        users: Option<Vec<UserName<'a>>> [0.., null 0..],
    }

    /// A user asked for.
    pub struct UserName<'a> {
        /// The name of the user.
        name: &'a str [0..],
    }

    /// The credentials of each user.
    pub struct DescribeUserScramCredentialsResponse<'a> for DescribeUserScramCredentials {
        /// How long the client is throttled by a quota, or 0.
        throttle_time_ms: i32 [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [0.., null 0..],
        /// The results.
        results: Vec<DescribeUserScramCredentialsResult<'a>> [0..],
    }

    /// The credentials of one user.
    pub struct DescribeUserScramCredentialsResult<'a> {
        /// The name of the user.
        user: &'a str [0..],
        /// The error, or 0.
        error_code: ErrorCode [0..],
        /// The error in words, or null.
        error_message: Option<Cow<'a, str>> [0.., null 0..],
        /// The credentials.
        credential_infos: Vec<CredentialInfo> [0..],
    }

    /// One credential, without its secrets.
    pub struct CredentialInfo {
        /// The mechanism: 1 is SCRAM-SHA-256, 2 is SCRAM-SHA-512.
        mechanism: i8 [0..],
        /// How many iterations the derivation has.
        iterations: i32 [0..],
    }
}
