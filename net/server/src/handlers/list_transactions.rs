//! `ListTransactions` (key 66, KIP-664): there are no transactions yet, so the list is empty.
//!
//! Behaviour:
//! - states that Kafka does not know are named in the answer;
//! - a pattern that is no regular expression: `INVALID_REGULAR_EXPRESSION`.
//!
//! Version notes:
//! - 1: how long they must have run (KIP-994); 2: what their ids match (KIP-1152).

use cluster_group::consumer::Pattern;
use net_wire::ErrorCode;
use net_wire::messages::list_transactions::{ListTransactionsRequest, ListTransactionsResponse};

use crate::request::{Outcome, Request};

/// What a transaction can be (`TransactionState`).
const STATES: [&str; 8] = [
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
    "Dead",
    "PrepareEpochFence",
];

pub(crate) fn handle(request: &Request) -> Outcome {
    let body: ListTransactionsRequest<'_> = request.body()?;
    request.respond(&answer(&body))
}

fn answer<'a>(body: &ListTransactionsRequest<'a>) -> ListTransactionsResponse<'a> {
    let pattern = body.transactional_id_pattern.unwrap_or_default();
    if Pattern::new(pattern).is_err() {
        return ListTransactionsResponse {
            error_code: ErrorCode::INVALID_REGULAR_EXPRESSION,
            ..ListTransactionsResponse::default()
        };
    }
    let states = body.state_filters.iter().copied();
    ListTransactionsResponse {
        unknown_state_filters: states.filter(|state| !STATES.contains(state)).collect(),
        ..ListTransactionsResponse::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_states_are_named() {
        let body = ListTransactionsRequest {
            state_filters: vec!["Ongoing", "Lost"],
            ..ListTransactionsRequest::default()
        };
        let response = answer(&body);
        assert_eq!(response.unknown_state_filters, ["Lost"]);
        assert!(response.transaction_states.is_empty() && response.error_code.is_none());
    }

    #[test]
    fn patterns_are_read() {
        let code = |pattern| {
            let body = ListTransactionsRequest {
                transactional_id_pattern: pattern,
                ..ListTransactionsRequest::default()
            };
            answer(&body).error_code
        };
        assert_eq!(
            [None, Some(""), Some("a.*")].map(code),
            [ErrorCode::NONE; 3]
        );
        assert_eq!(code(Some("(")), ErrorCode::INVALID_REGULAR_EXPRESSION);
    }
}
