//! `DescribeTransactions` (key 65, KIP-664): there are no transactions yet, so none is found.

use net_wire::ErrorCode;
use net_wire::messages::describe_transactions::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, TransactionState,
};

use crate::connection::Context;
use crate::request::{Outcome, Request};

pub(crate) fn handle(context: &Context, request: &Request) -> Outcome {
    let body: DescribeTransactionsRequest<'_> = request.body()?;
    let response = answer(&body);
    for one in &response.transaction_states {
        context.broker.metrics.error(one.error_code);
    }
    request.respond(&response)
}

fn answer<'a>(body: &'a DescribeTransactionsRequest<'_>) -> DescribeTransactionsResponse<'a> {
    let states = body.transactional_ids.iter().map(|id| TransactionState {
        error_code: if id.is_empty() {
            ErrorCode::INVALID_REQUEST
        } else {
            ErrorCode::TRANSACTIONAL_ID_NOT_FOUND
        },
        transactional_id: id,
        ..TransactionState::default()
    });
    DescribeTransactionsResponse {
        transaction_states: states.collect(),
        ..DescribeTransactionsResponse::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_is_found() {
        let body = DescribeTransactionsRequest {
            transactional_ids: vec!["t", ""],
        };
        let response = answer(&body);
        let states = response.transaction_states.iter();
        let codes: Vec<_> = states.map(|one| one.error_code).collect();
        let expected = [
            ErrorCode::TRANSACTIONAL_ID_NOT_FOUND,
            ErrorCode::INVALID_REQUEST,
        ];
        assert_eq!(codes, expected);
    }
}
