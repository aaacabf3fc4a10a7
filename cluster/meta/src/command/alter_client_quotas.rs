//! `AlterClientQuotas`, one entity of it (KIP-546).

use std::collections::BTreeSet;
use std::net::IpAddr;

use net_wire::ErrorCode;

use crate::error::MetaError;
use crate::quota::{QuotaEntity, QuotaEntityType, QuotaValue, Quotas};
use crate::record::Record;
use crate::state::State;

/// What numbers a quota takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Number {
    Any,
    Whole,
}

const USER_AND_CLIENT_QUOTAS: &[(&str, Number)] = &[
    ("consumer_byte_rate", Number::Whole),
    ("controller_mutation_rate", Number::Any),
    ("producer_byte_rate", Number::Whole),
    ("request_percentage", Number::Any),
];
const IP_QUOTAS: &[(&str, Number)] = &[("connection_creation_rate", Number::Whole)];

/// How far from a whole number a whole one may be.
const EPSILON: f64 = 1e-6;

/// The record that changes quotas of an entity, given by types and names; none when nothing
/// changes. A quota without value is removed.
pub fn alter_client_quotas(
    state: &State,
    entity: &[(&str, Option<&str>)],
    changes: &[(&str, Option<f64>)],
) -> Result<Option<Record>, MetaError> {
    let entity = checked_entity(entity).map_err(invalid_request)?;
    let keys = keys_of(&entity).map_err(invalid_request)?;
    let nothing = Quotas::new();
    let now = state.client_quotas().get(&entity).unwrap_or(&nothing);
    let (mut set, mut removed) = (Quotas::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for (key, value) in changes {
        if !seen.insert(*key) {
            let message = format!("Duplicate quota key {key} not updating quota for this entity");
            return Err(invalid_request(message));
        }
        match value {
            Some(value) => {
                check_value(keys, key, *value).map_err(invalid_request)?;
                let value = QuotaValue(*value);
                if now.get(*key) != Some(&value) {
                    set.insert((*key).to_owned(), value);
                }
            },
            None if now.contains_key(*key) => removed.push((*key).to_owned()),
            None => {},
        }
    }
    let changes = !set.is_empty() || !removed.is_empty();
    Ok(changes.then_some(Record::ClientQuotasChanged {
        entity,
        set,
        removed,
    }))
}

fn invalid_request(message: impl Into<String>) -> MetaError {
    MetaError::new(ErrorCode::INVALID_REQUEST, message)
}

fn checked_entity(parts: &[(&str, Option<&str>)]) -> Result<QuotaEntity, String> {
    let mut entity = QuotaEntity::new();
    for (kind, name) in parts {
        let known = QuotaEntityType::from_name(kind)
            .ok_or_else(|| format!("Unhandled client quota entity type: {kind}"))?;
        if *name == Some("") {
            return Err(format!("Empty {kind} not supported"));
        }
        entity.insert(known, name.map(str::to_owned));
    }
    Ok(entity)
}

/// The quotas that an entity of such parts can have.
fn keys_of(entity: &QuotaEntity) -> Result<&'static [(&'static str, Number)], String> {
    let ip = entity.get(&QuotaEntityType::Ip);
    match ip {
        None if !entity.is_empty() => Ok(USER_AND_CLIENT_QUOTAS),
        Some(Some(address)) if entity.len() == 1 && address.parse::<IpAddr>().is_err() => {
            Err(format!("{address} is not a valid IP or resolvable host."))
        },
        Some(_) if entity.len() == 1 => Ok(IP_QUOTAS),
        _ => Err("Invalid empty client quota entity".to_owned()),
    }
}

fn check_value(keys: &[(&str, Number)], key: &str, value: f64) -> Result<(), String> {
    let Some((_, number)) = keys.iter().find(|(known, _)| *known == key) else {
        return Err(format!("Invalid configuration key {key}"));
    };
    if value.is_nan() || value <= 0.0 {
        return Err(format!("Quota {key} must be greater than 0"));
    }
    // A long, as Kafka keeps it: what is larger than the largest is none.
    let whole = (value + EPSILON) as i64 as f64;
    if *number == Number::Whole && (value - whole).abs() > EPSILON {
        return Err(format!("Configuration {key} must be a Long value"));
    }
    Ok(())
}
