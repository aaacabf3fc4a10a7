//! `AlterClientQuotas` (key 49, KIP-546): sets and removes quotas.
//!
//! Behaviour:
//! - each entity is judged by itself; the records of all are durable before the answer;
//! - an address must be one: names of hosts are not looked up;
//! - quotas of produced and fetched bytes and of request time hold for the next request of every
//!   connection (`quotas/mod.rs`); others are kept and told.
//!
//! Version notes:
//! - 1: tagged fields.

use std::rc::Rc;

use cluster_meta::command::alter_client_quotas;
use cluster_meta::config::StaticConfig;
use cluster_meta::{MetaError, Record, State};
use net_wire::ErrorCode;
use net_wire::messages::alter_client_quotas::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, EntryData, EntryDataResult,
};
use tracing::warn;

use crate::connection::Context;
use crate::error_map::Refusal;
use crate::propose::Change;
use crate::request::{Outcome, Request};

/// Quotas that slow nobody down.
const IDLE: [&str; 2] = ["controller_mutation_rate", "connection_creation_rate"];

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let broker = &context.broker;
    let body: AlterClientQuotasRequest<'_> = request.body()?;
    let wishes = body.entries.iter().map(Wish::of);
    let refusals: Vec<Option<Refusal>> = if body.validate_only {
        let judged = wishes.map(|wish| broker.with_state(|state| wish.judge(state)));
        judged
            .map(|judged| judged.err().map(Refusal::from))
            .collect()
    } else {
        let results = broker.propose_all(wishes.map(Wish::change)).await;
        let refusals = results.into_iter();
        refusals
            .map(|result| result.err().map(Refusal::from))
            .collect()
    };
    let entries = body.entries.iter().zip(refusals).map(|(entry, refusal)| {
        let (error_code, error_message) = refusal.map_or((ErrorCode::NONE, None), |refusal| {
            (refusal.code, Some(refusal.message))
        });
        broker.metrics.error(error_code);
        EntryDataResult {
            error_code,
            error_message,
            entity: entry.entity.clone(),
        }
    });
    let entries: Vec<EntryDataResult<'_>> = entries.collect();
    if !body.validate_only && entries.iter().any(|entry| entry.error_code.is_none()) {
        warn_of_idle(&body);
    }
    request.respond(&AlterClientQuotasResponse {
        entries,
        ..AlterClientQuotasResponse::default()
    })
}

fn warn_of_idle(body: &AlterClientQuotasRequest<'_>) {
    let mut changes = body.entries.iter().flat_map(|entry| &entry.ops);
    if changes.any(|op| !op.remove && IDLE.contains(&op.key)) {
        warn!("quotas {IDLE:?} are kept and told, but nobody is slowed down by them");
    }
}

/// What a client wants of one entity, owned: it is judged on another executor.
struct Wish {
    entity: Vec<(String, Option<String>)>,
    changes: Vec<(String, Option<f64>)>,
}

impl Wish {
    fn of(entry: &EntryData<'_>) -> Self {
        let entity = entry.entity.iter();
        let entity = entity.map(|part| {
            let name = part.entity_name.map(str::to_owned);
            (part.entity_type.to_owned(), name)
        });
        let changes = entry.ops.iter();
        let changes = changes.map(|op| (op.key.to_owned(), (!op.remove).then_some(op.value.0)));
        Self {
            entity: entity.collect(),
            changes: changes.collect(),
        }
    }

    fn judge(&self, state: &State) -> Result<Option<Record>, MetaError> {
        let entity = self.entity.iter();
        let entity: Vec<_> = entity
            .map(|(kind, name)| (kind.as_str(), name.as_deref()))
            .collect();
        let changes = self.changes.iter();
        let changes: Vec<_> = changes.map(|(key, value)| (key.as_str(), *value)).collect();
        alter_client_quotas(state, &entity, &changes)
    }

    fn change(self) -> Change {
        Box::new(move |state: &State, _: &StaticConfig| {
            Ok(self.judge(state)?.into_iter().collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::state_with;
    use net_wire::Float64;
    use net_wire::messages::alter_client_quotas::OpData;
    use net_wire::messages::quota_entity::EntityData;

    #[test]
    fn values_are_set_and_removed() {
        let mut state = state_with(&[]);
        let mut alter = |value: f64, remove| {
            let entry = EntryData {
                entity: vec![EntityData {
                    entity_type: "user",
                    entity_name: None,
                }],
                ops: vec![OpData {
                    key: "consumer_byte_rate",
                    value: Float64(value),
                    remove,
                }],
            };
            let record = Wish::of(&entry).judge(&state)?;
            if let Some(record) = &record {
                state.apply(record);
            }
            Ok::<_, MetaError>((record.is_some(), state.client_quotas().len()))
        };
        assert_eq!(alter(5.0, false), Ok((true, 1)));
        assert_eq!(alter(5.0, false), Ok((false, 1)));
        assert_eq!(alter(5.0, true), Ok((true, 0)));
        let refused = alter(-1.0, false).unwrap_err();
        assert_eq!(refused.code, ErrorCode::INVALID_REQUEST);
    }
}
