//! `DescribeAcls` (key 29, KIP-140): without an authorizer there are no entries to list.

use net_wire::ErrorCode;
use net_wire::messages::describe_acls::{DescribeAclsRequest, DescribeAclsResponse};

use crate::connection::Context;
use crate::request::{Outcome, Request};

pub(crate) fn handle(context: &Context, request: &Request) -> Outcome {
    let _body: DescribeAclsRequest<'_> = request.body()?;
    context.broker.metrics.error(ErrorCode::SECURITY_DISABLED);
    request.respond(&answer())
}

fn answer() -> DescribeAclsResponse<'static> {
    DescribeAclsResponse {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: Some("No Authorizer is configured on the broker".into()),
        ..DescribeAclsResponse::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mirror tools look for this code; another one stops them.
    #[test]
    fn security_is_disabled() {
        assert_eq!(answer().error_code.code(), 54);
    }
}
