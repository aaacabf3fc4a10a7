//! `DescribeUserScramCredentials` (key 50, KIP-554): without SASL nobody has credentials, so the
//! list of all is empty.
//!
//! Behaviour:
//! - a user who is named is `RESOURCE_NOT_FOUND`, one named twice `DUPLICATE_RESOURCE`.

use std::collections::BTreeMap;

use net_wire::ErrorCode;
use net_wire::messages::describe_user_scram_credentials::{
    DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse,
    DescribeUserScramCredentialsResult,
};

use crate::connection::Context;
use crate::request::{Outcome, Request};

pub(crate) fn handle(context: &Context, request: &Request) -> Outcome {
    let body: DescribeUserScramCredentialsRequest<'_> = request.body()?;
    let response = answer(&body);
    for one in &response.results {
        context.broker.metrics.error(one.error_code);
    }
    request.respond(&response)
}

fn answer<'a>(
    body: &DescribeUserScramCredentialsRequest<'a>,
) -> DescribeUserScramCredentialsResponse<'a> {
    let mut named: BTreeMap<&str, usize> = BTreeMap::new();
    for user in body.users.iter().flatten() {
        *named.entry(user.name).or_default() += 1;
    }
    let results = named.into_iter().map(|(user, times)| {
        let (error_code, message) = if times > 1 {
            let message = format!(
                "Cannot describe SCRAM credentials for the same user twice in a single request: \
                 {user}"
            );
            (ErrorCode::DUPLICATE_RESOURCE, message)
        } else {
            let message =
                format!("Attempt to describe a user credential that does not exist: {user}");
            (ErrorCode::RESOURCE_NOT_FOUND, message)
        };
        DescribeUserScramCredentialsResult {
            user,
            error_code,
            error_message: Some(message.into()),
            credential_infos: Vec::new(),
        }
    });
    DescribeUserScramCredentialsResponse {
        results: results.collect(),
        ..DescribeUserScramCredentialsResponse::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use net_wire::messages::describe_user_scram_credentials::UserName;

    #[test]
    fn nobody_has_credentials() {
        let all = DescribeUserScramCredentialsRequest { users: None };
        let response = answer(&all);
        assert!(response.error_code.is_none() && response.results.is_empty());
        let named = ["a", "b", "a"].map(|name| UserName { name });
        let body = DescribeUserScramCredentialsRequest {
            users: Some(named.to_vec()),
        };
        let response = answer(&body);
        let results = response.results.iter();
        let codes: Vec<_> = results.map(|one| (one.user, one.error_code)).collect();
        let expected = [
            ("a", ErrorCode::DUPLICATE_RESOURCE),
            ("b", ErrorCode::RESOURCE_NOT_FOUND),
        ];
        assert_eq!(codes, expected);
    }
}
