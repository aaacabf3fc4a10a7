//! `AlterUserScramCredentials`, one user of it (KIP-554).

use net_wire::ErrorCode;

use crate::error::MetaError;
use crate::record::Record;
use crate::scram::{
    ITERATIONS_MAX, ITERATIONS_MIN, SALT_BYTES_MAX, ScramCredential, ScramMechanism,
};
use crate::state::State;

/// The mechanism of a change, of a user who can have a credential.
pub fn check_scram_user(user: &str, mechanism: i8) -> Result<ScramMechanism, MetaError> {
    if user.is_empty() {
        return Err(unacceptable("Username must not be empty"));
    }
    ScramMechanism::from_code(mechanism).ok_or_else(|| {
        let code = ErrorCode::UNSUPPORTED_SASL_MECHANISM;
        MetaError::new(code, "Unknown SCRAM mechanism")
    })
}

/// Whether a credential of so many iterations and such a salt is kept.
pub fn check_scram_credential(iterations: i32, salt: &[u8]) -> Result<(), MetaError> {
    if iterations < ITERATIONS_MIN {
        Err(unacceptable("Too few iterations"))
    } else if iterations > ITERATIONS_MAX {
        Err(unacceptable("Too many iterations"))
    } else if salt.len() > SALT_BYTES_MAX {
        Err(unacceptable("The salt is too long"))
    } else {
        Ok(())
    }
}

/// The record that sets a user's credential, or removes it where none is given.
pub fn alter_scram_credential(
    state: &State,
    user: String,
    mechanism: ScramMechanism,
    credential: Option<ScramCredential>,
) -> Result<Record, MetaError> {
    let of = (user, mechanism);
    match &credential {
        Some(credential) => check_scram_credential(credential.iterations, &credential.salt)?,
        None if state.scram_credentials().contains_key(&of) => {},
        None => {
            let message = "Attempt to delete a user credential that does not exist";
            return Err(MetaError::new(ErrorCode::RESOURCE_NOT_FOUND, message));
        },
    }
    let (user, mechanism) = of;
    Ok(Record::ScramCredentialChanged {
        user,
        mechanism,
        credential,
    })
}

fn unacceptable(message: &str) -> MetaError {
    MetaError::new(ErrorCode::UNACCEPTABLE_CREDENTIAL, message)
}
