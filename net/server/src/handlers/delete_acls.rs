//! `DeleteAcls` (key 31, KIP-140): without an authorizer each filter is refused.

use net_wire::ErrorCode;
use net_wire::messages::delete_acls::{
    DeleteAclsFilterResult, DeleteAclsRequest, DeleteAclsResponse,
};

use super::create_acls::NO_AUTHORIZER;
use crate::connection::Context;
use crate::request::{Outcome, Request};

pub(crate) fn handle(context: &Context, request: &Request) -> Outcome {
    let body: DeleteAclsRequest<'_> = request.body()?;
    context.broker.metrics.error(ErrorCode::SECURITY_DISABLED);
    request.respond(&answer(&body))
}

fn answer(body: &DeleteAclsRequest<'_>) -> DeleteAclsResponse<'static> {
    let filter_results = body.filters.iter().map(|_| DeleteAclsFilterResult {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: Some(NO_AUTHORIZER.into()),
        matching_acls: Vec::new(),
    });
    DeleteAclsResponse {
        filter_results: filter_results.collect(),
        ..DeleteAclsResponse::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use net_wire::messages::delete_acls::DeleteAclsFilter;

    #[test]
    fn each_filter_is_refused() {
        let body = DeleteAclsRequest {
            filters: vec![DeleteAclsFilter::default(); 3],
        };
        let results = answer(&body).filter_results;
        assert_eq!(results.len(), 3);
        assert_eq!(results[2].error_code, ErrorCode::SECURITY_DISABLED);
    }
}
