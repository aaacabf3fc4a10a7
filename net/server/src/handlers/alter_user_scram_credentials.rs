//! `AlterUserScramCredentials` (key 51, KIP-554): sets and removes SCRAM credentials.
//!
//! Behaviour:
//! - each user is altered once in a request, by whatever mechanism: twice is `DUPLICATE_RESOURCE`;
//! - each user is judged by itself; the records of all are durable before the answer;
//! - what is kept are the two keys that RFC 5802 derives from the salted password; that one, with
//!   which one could pretend to be the user, is not;
//! - a bad number of iterations is `UNACCEPTABLE_CREDENTIAL`, an unknown mechanism
//!   `UNSUPPORTED_SASL_MECHANISM`, to delete what is not there `RESOURCE_NOT_FOUND`;
//! - no listener has SASL yet: the credentials are kept and told, and nobody is asked for them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::rc::Rc;

use cluster_meta::command::{alter_scram_credential, check_scram_credential, check_scram_user};
use cluster_meta::config::StaticConfig;
use cluster_meta::{MetaError, ScramCredential, ScramMechanism, State};
use net_wire::ErrorCode;
use net_wire::messages::alter_user_scram_credentials::{
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse,
    AlterUserScramCredentialsResult, ScramCredentialUpsertion,
};
use ring::{digest, hmac};

use crate::connection::Context;
use crate::error_map::Refusal;
use crate::propose::Change;
use crate::request::{Outcome, Request};

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let broker = &context.broker;
    let body: AlterUserScramCredentialsRequest<'_> = request.body()?;
    let wishes = broker.with_state(|state| wishes(state, &body));
    let good = wishes.iter();
    let changes = good.filter_map(|(user, wish)| Some(wish.as_ref().ok()?.change(user)));
    let mut results = broker.propose_all(changes).await.into_iter();
    let results = wishes.into_iter().map(|(user, wish)| {
        let refusal = match wish {
            Ok(_) => results.next().and_then(Result::err).map(Refusal::from),
            Err(refusal) => Some(refusal.into()),
        };
        let (error_code, error_message) = refusal.map_or((ErrorCode::NONE, None), |refusal| {
            (refusal.code, Some(refusal.message))
        });
        broker.metrics.error(error_code);
        AlterUserScramCredentialsResult {
            user,
            error_code,
            error_message,
        }
    });
    request.respond(&AlterUserScramCredentialsResponse {
        results: results.collect(),
        ..AlterUserScramCredentialsResponse::default()
    })
}

/// What a client wants of one user.
#[derive(Debug)]
struct Wish<'a> {
    mechanism: ScramMechanism,
    /// None removes.
    credential: Option<&'a ScramCredentialUpsertion<'a>>,
}

/// The one wish for each user, or why there is none.
fn wishes<'a>(
    state: &State,
    body: &'a AlterUserScramCredentialsRequest<'a>,
) -> BTreeMap<&'a str, Result<Wish<'a>, MetaError>> {
    let deletions = body.deletions.iter();
    let deletions = deletions.map(|one| (one.name, one.mechanism, None));
    let upsertions = body.upsertions.iter();
    let upsertions = upsertions.map(|one| (one.name, one.mechanism, Some(one)));
    let mut wishes = BTreeMap::new();
    for (user, mechanism, credential) in deletions.chain(upsertions) {
        match wishes.entry(user) {
            Entry::Vacant(place) => {
                place.insert(Wish::checked(state, user, mechanism, credential));
            },
            Entry::Occupied(mut known) if known.get().is_ok() => {
                let message = "A user credential cannot be altered twice in the same request";
                let twice = MetaError::new(ErrorCode::DUPLICATE_RESOURCE, message);
                *known.get_mut() = Err(twice);
            },
            // The first fault is told.
            Entry::Occupied(_) => {},
        }
    }
    wishes
}

impl<'a> Wish<'a> {
    fn checked(
        state: &State,
        user: &str,
        mechanism: i8,
        credential: Option<&'a ScramCredentialUpsertion<'a>>,
    ) -> Result<Self, MetaError> {
        let mechanism = check_scram_user(user, mechanism)?;
        match credential {
            Some(one) if one.salted_password.is_empty() => {
                let message = "The salted password must not be empty";
                return Err(MetaError::new(ErrorCode::UNACCEPTABLE_CREDENTIAL, message));
            },
            Some(one) => check_scram_credential(one.iterations, one.salt)?,
            None => {
                alter_scram_credential(state, user.to_owned(), mechanism, None)?;
            },
        }
        Ok(Self {
            mechanism,
            credential,
        })
    }

    fn change(&self, user: &str) -> Change {
        let (user, mechanism) = (user.to_owned(), self.mechanism);
        let credential = self.credential.map(|one| derive(mechanism, one));
        Box::new(move |state: &State, _: &StaticConfig| {
            let record = alter_scram_credential(state, user, mechanism, credential)?;
            Ok(vec![record])
        })
    }
}

/// The keys of RFC 5802, section 3.
fn derive(mechanism: ScramMechanism, from: &ScramCredentialUpsertion<'_>) -> ScramCredential {
    let (mac, hash) = match mechanism {
        ScramMechanism::Sha256 => (hmac::HMAC_SHA256, &digest::SHA256),
        ScramMechanism::Sha512 => (hmac::HMAC_SHA512, &digest::SHA512),
    };
    let salted = hmac::Key::new(mac, from.salted_password);
    let client_key = hmac::sign(&salted, b"Client Key");
    let server_key = hmac::sign(&salted, b"Server Key");
    ScramCredential {
        salt: from.salt.to_vec(),
        stored_key: digest::digest(hash, client_key.as_ref()).as_ref().to_vec(),
        server_key: server_key.as_ref().to_vec(),
        iterations: from.iterations,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::state_with;
    use net_wire::messages::alter_user_scram_credentials::ScramCredentialDeletion;

    /// The password `pencil`, salted as in RFC 7677, section 3.
    const SALTED: &str = "c4a49510323ab4f952cac1fa99441939e78ea74d6be81ddf7096e87513dc615d";
    const STORED_KEY: &str = "586e5df283e6dceb5c3e791d8b8528ec191e664045ce971792e2e6b5bb13e2a6";
    const SERVER_KEY: &str = "c1f3cbc1c13a9d35a14c0990eed97629ea225863e566a4314ab99f3f00e5d9d5";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits = (0..hex.len()).step_by(2);
        digits
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    }

    fn set(name: &str, mechanism: i8, iterations: i32) -> ScramCredentialUpsertion<'_> {
        ScramCredentialUpsertion {
            name,
            mechanism,
            iterations,
            salt: b"salt",
            salted_password: b"salted",
        }
    }

    #[test]
    fn keys_are_derived_as_the_rfc_has_it() {
        let salted = bytes(SALTED);
        let from = ScramCredentialUpsertion {
            salted_password: &salted,
            ..set("user", 1, 4_096)
        };
        let kept = derive(ScramMechanism::Sha256, &from);
        assert_eq!(kept.stored_key, bytes(STORED_KEY));
        assert_eq!(kept.server_key, bytes(SERVER_KEY));
        assert_eq!((&*kept.salt, kept.iterations), (&b"salt"[..], 4_096));
        let long = derive(ScramMechanism::Sha512, &from);
        assert_eq!((long.stored_key.len(), long.server_key.len()), (64, 64));
    }

    #[test]
    fn each_user_has_one_wish_or_a_fault() {
        let mut state = state_with(&[]);
        let credential = derive(ScramMechanism::Sha512, &set("there", 2, 4_096));
        for user in ["there", "twice"] {
            let (user, mechanism) = (user.to_owned(), ScramMechanism::Sha512);
            let record = alter_scram_credential(&state, user, mechanism, Some(credential.clone()));
            state.apply(&record.unwrap());
        }
        let delete = |name, mechanism| ScramCredentialDeletion { name, mechanism };
        let body = AlterUserScramCredentialsRequest {
            deletions: vec![
                delete("there", 2),
                delete("other", 1),
                delete("twice", 2),
                delete("", 1),
            ],
            upsertions: vec![
                set("twice", 1, 4_096),
                // What was wrong first is told.
                set("other", 1, 4_096),
                set("few", 1, 4_095),
                set("many", 2, 16_385),
                set("unknown", 3, 4_096),
                set("new", 1, 16_384),
                ScramCredentialUpsertion {
                    salted_password: b"",
                    ..set("empty", 1, 4_096)
                },
            ],
        };
        let wishes = wishes(&state, &body).into_iter();
        let codes =
            wishes.map(|(user, wish)| (user, wish.map_or_else(|it| it.code, |_| ErrorCode::NONE)));
        let expected = [
            ("", ErrorCode::UNACCEPTABLE_CREDENTIAL),
            ("empty", ErrorCode::UNACCEPTABLE_CREDENTIAL),
            ("few", ErrorCode::UNACCEPTABLE_CREDENTIAL),
            ("many", ErrorCode::UNACCEPTABLE_CREDENTIAL),
            ("new", ErrorCode::NONE),
            ("other", ErrorCode::RESOURCE_NOT_FOUND),
            ("there", ErrorCode::NONE),
            ("twice", ErrorCode::DUPLICATE_RESOURCE),
            ("unknown", ErrorCode::UNSUPPORTED_SASL_MECHANISM),
        ];
        assert_eq!(codes.collect::<Vec<_>>(), expected);
    }
}
