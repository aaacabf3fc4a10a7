//! `AlterUserScramCredentials` (key 51, KIP-554): Flumen has no SASL, so it takes no credentials
//! that it could not check.
//!
//! Behaviour:
//! - one to set is `UNSUPPORTED_SASL_MECHANISM`, one to delete is not there;
//! - a user who is named twice is `DUPLICATE_RESOURCE`.

use std::collections::BTreeMap;

use net_wire::ErrorCode;
use net_wire::messages::alter_user_scram_credentials::{
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse,
    AlterUserScramCredentialsResult,
};

use crate::connection::Context;
use crate::request::{Outcome, Request};

const NO_SASL: (ErrorCode, &str) = (
    ErrorCode::UNSUPPORTED_SASL_MECHANISM,
    "This broker has no SASL.",
);
const NOT_THERE: (ErrorCode, &str) = (
    ErrorCode::RESOURCE_NOT_FOUND,
    "Attempt to delete a user credential that does not exist",
);
const TWICE: (ErrorCode, &str) = (
    ErrorCode::DUPLICATE_RESOURCE,
    "A user credential cannot be altered twice in the same request",
);

pub(crate) fn handle(context: &Context, request: &Request) -> Outcome {
    let body: AlterUserScramCredentialsRequest<'_> = request.body()?;
    let response = answer(&body);
    for one in &response.results {
        context.broker.metrics.error(one.error_code);
    }
    request.respond(&response)
}

fn answer<'a>(
    body: &AlterUserScramCredentialsRequest<'a>,
) -> AlterUserScramCredentialsResponse<'a> {
    let mut refusals: BTreeMap<(&str, i8), (ErrorCode, &str)> = BTreeMap::new();
    let deletions = body.deletions.iter();
    let deletions = deletions.map(|one| ((one.name, one.mechanism), NOT_THERE));
    let upsertions = body.upsertions.iter();
    let upsertions = upsertions.map(|one| ((one.name, one.mechanism), NO_SASL));
    for (credential, refusal) in deletions.chain(upsertions) {
        let kept = refusals.entry(credential);
        kept.and_modify(|kept| *kept = TWICE).or_insert(refusal);
    }
    // One result for each user.
    let by_user: BTreeMap<&str, (ErrorCode, &str)> = refusals
        .into_iter()
        .map(|((user, _), refusal)| (user, refusal))
        .collect();
    let results =
        by_user.into_iter().map(
            |(user, (error_code, message))| AlterUserScramCredentialsResult {
                user,
                error_code,
                error_message: Some(message.to_owned().into()),
            },
        );
    AlterUserScramCredentialsResponse {
        results: results.collect(),
        ..AlterUserScramCredentialsResponse::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use net_wire::messages::alter_user_scram_credentials::{
        ScramCredentialDeletion, ScramCredentialUpsertion,
    };

    #[test]
    fn no_credentials_are_taken() {
        let delete = |name| ScramCredentialDeletion { name, mechanism: 1 };
        let set = |name| ScramCredentialUpsertion {
            name,
            mechanism: 1,
            ..ScramCredentialUpsertion::default()
        };
        let body = AlterUserScramCredentialsRequest {
            deletions: vec![delete("a"), delete("b")],
            upsertions: vec![set("b"), set("c")],
        };
        let response = answer(&body);
        let results = response.results.iter();
        let codes: Vec<_> = results.map(|one| (one.user, one.error_code)).collect();
        let expected = [
            ("a", ErrorCode::RESOURCE_NOT_FOUND),
            ("b", ErrorCode::DUPLICATE_RESOURCE),
            ("c", ErrorCode::UNSUPPORTED_SASL_MECHANISM),
        ];
        assert_eq!(codes, expected);
    }
}
