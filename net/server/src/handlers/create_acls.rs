//! `CreateAcls` (key 30, KIP-140): without an authorizer each entry is refused.

use net_wire::ErrorCode;
use net_wire::messages::create_acls::{AclCreationResult, CreateAclsRequest, CreateAclsResponse};

use crate::connection::Context;
use crate::request::{Outcome, Request};

/// Kafka's words for it.
pub(super) const NO_AUTHORIZER: &str = "No Authorizer is configured.";

pub(crate) fn handle(context: &Context, request: &Request) -> Outcome {
    let body: CreateAclsRequest<'_> = request.body()?;
    context.broker.metrics.error(ErrorCode::SECURITY_DISABLED);
    request.respond(&answer(&body))
}

fn answer(body: &CreateAclsRequest<'_>) -> CreateAclsResponse<'static> {
    let results = body.creations.iter().map(|_| AclCreationResult {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: Some(NO_AUTHORIZER.into()),
    });
    CreateAclsResponse {
        results: results.collect(),
        ..CreateAclsResponse::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use net_wire::messages::create_acls::AclCreation;

    #[test]
    fn each_entry_is_refused() {
        let body = CreateAclsRequest {
            creations: vec![AclCreation::default(); 2],
        };
        let results = answer(&body).results;
        assert_eq!(results.len(), 2);
        let refused = |one: &AclCreationResult<'_>| one.error_code == ErrorCode::SECURITY_DISABLED;
        assert!(results.iter().all(refused));
    }
}
