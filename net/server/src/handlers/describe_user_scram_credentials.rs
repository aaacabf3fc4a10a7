//! `DescribeUserScramCredentials` (key 50, KIP-554): which credentials users have, without keys.
//!
//! Behaviour:
//! - without names, all who have some;
//! - a user without any is `RESOURCE_NOT_FOUND`, one named twice `DUPLICATE_RESOURCE`.

use std::collections::BTreeMap;

use cluster_meta::{ScramMechanism, State};
use net_wire::ErrorCode;
use net_wire::messages::describe_user_scram_credentials::{
    CredentialInfo, DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse,
    DescribeUserScramCredentialsResult,
};

use crate::connection::Context;
use crate::error_map::Refusal;
use crate::request::{Outcome, Request};

pub(crate) fn handle(context: &Context, request: &Request) -> Outcome {
    let broker = &context.broker;
    let body: DescribeUserScramCredentialsRequest<'_> = request.body()?;
    broker.with_state(|state| {
        let response = answer(state, &body);
        for one in &response.results {
            broker.metrics.error(one.error_code);
        }
        request.respond(&response)
    })
}

fn answer<'a>(
    state: &'a State,
    body: &DescribeUserScramCredentialsRequest<'a>,
) -> DescribeUserScramCredentialsResponse<'a> {
    let mut named: BTreeMap<&str, usize> = BTreeMap::new();
    for user in body.users.iter().flatten() {
        *named.entry(user.name).or_default() += 1;
    }
    if named.is_empty() {
        let users = state.scram_credentials().keys();
        named.extend(users.map(|(user, _)| (user.as_str(), 1)));
    }
    let results = named.into_iter().map(|(user, times)| {
        let (refusal, credential_infos) = match credentials(state, user, times) {
            Ok(infos) => (None, infos),
            Err(refusal) => (Some(refusal), Vec::new()),
        };
        let (error_code, error_message) = refusal.map_or((ErrorCode::NONE, None), |refusal| {
            (refusal.code, Some(refusal.message))
        });
        DescribeUserScramCredentialsResult {
            user,
            error_code,
            error_message,
            credential_infos,
        }
    });
    DescribeUserScramCredentialsResponse {
        results: results.collect(),
        ..DescribeUserScramCredentialsResponse::default()
    }
}

fn credentials(state: &State, user: &str, times: usize) -> Result<Vec<CredentialInfo>, Refusal> {
    if times > 1 {
        let message = format!(
            "Cannot describe SCRAM credentials for the same user twice in a single request: {user}"
        );
        return Err(Refusal::new(ErrorCode::DUPLICATE_RESOURCE, message));
    }
    let infos = ScramMechanism::ALL.into_iter().filter_map(|mechanism| {
        let of = (user.to_owned(), mechanism);
        let credential = state.scram_credentials().get(&of)?;
        Some(CredentialInfo {
            mechanism: mechanism.code(),
            iterations: credential.iterations,
        })
    });
    let infos: Vec<_> = infos.collect();
    if infos.is_empty() {
        let message = format!("Attempt to describe a user credential that does not exist: {user}");
        return Err(Refusal::new(ErrorCode::RESOURCE_NOT_FOUND, message));
    }
    Ok(infos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::state_with;
    use cluster_meta::ScramCredential;
    use cluster_meta::command::alter_scram_credential;
    use net_wire::messages::describe_user_scram_credentials::UserName;

    fn state() -> State {
        let mut state = state_with(&[]);
        for (user, mechanism, iterations) in [
            ("a", ScramMechanism::Sha256, 4_096),
            ("a", ScramMechanism::Sha512, 8_192),
            ("c", ScramMechanism::Sha512, 4_096),
        ] {
            let credential = ScramCredential {
                salt: Vec::new(),
                stored_key: vec![2; mechanism.key_bytes()],
                server_key: vec![3; mechanism.key_bytes()],
                iterations,
            };
            let user = user.to_owned();
            let record = alter_scram_credential(&state, user, mechanism, Some(credential));
            state.apply(&record.unwrap());
        }
        state
    }

    /// A user, the error, and the credentials.
    type Told = (String, ErrorCode, Vec<(i8, i32)>);

    fn told(users: Option<&[&str]>) -> Vec<Told> {
        let (state, users) = (state(), users.map(<[_]>::iter));
        let body = DescribeUserScramCredentialsRequest {
            users: users.map(|users| users.map(|name| UserName { name }).collect()),
        };
        let results = answer(&state, &body).results.into_iter();
        let told = results.map(|one| {
            let infos = one.credential_infos.iter();
            let infos = infos.map(|info| (info.mechanism, info.iterations));
            (one.user.to_owned(), one.error_code, infos.collect())
        });
        told.collect()
    }

    #[test]
    fn all_or_those_named_are_told() {
        let a = (
            "a".to_owned(),
            ErrorCode::NONE,
            vec![(1, 4_096), (2, 8_192)],
        );
        let c = ("c".to_owned(), ErrorCode::NONE, vec![(2, 4_096)]);
        assert_eq!(told(None), [a.clone(), c.clone()]);
        assert_eq!(told(Some(&[])), [a.clone(), c]);
        assert_eq!(told(Some(&["a"])), [a]);
        let faults: Vec<_> = told(Some(&["b", "c", "c"]))
            .into_iter()
            .map(|(_, code, infos)| (code, infos.len()))
            .collect();
        let expected = [
            (ErrorCode::RESOURCE_NOT_FOUND, 0),
            (ErrorCode::DUPLICATE_RESOURCE, 0),
        ];
        assert_eq!(faults, expected);
    }
}
