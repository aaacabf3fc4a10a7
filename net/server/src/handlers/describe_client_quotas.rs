//! `DescribeClientQuotas` (key 48, KIP-546): quotas of the entities that a filter matches.
//!
//! Behaviour:
//! - each component asks for a name, for the default, or for any of its type;
//! - with `strict`, entities with further parts are left out.
//!
//! Version notes:
//! - 1: tagged fields.

use std::collections::BTreeMap;

use cluster_meta::{QuotaEntity, QuotaEntityType, Quotas};
use net_wire::messages::describe_client_quotas::{
    ComponentData, DescribeClientQuotasRequest, DescribeClientQuotasResponse, EntryData,
    MATCH_DEFAULT, MATCH_EXACT, MATCH_SPECIFIED, ValueData,
};
use net_wire::messages::quota_entity::EntityData;
use net_wire::{ErrorCode, Float64};

use crate::connection::Context;
use crate::error_map::Refusal;
use crate::request::{Outcome, Request};

pub(crate) fn handle(context: &Context, request: &Request) -> Outcome {
    let broker = &context.broker;
    let body: DescribeClientQuotasRequest<'_> = request.body()?;
    let found = filter(&body.components).map(|filter| {
        broker.with_state(|state| {
            let quotas = state.client_quotas().iter();
            let matching = quotas.filter(|(entity, _)| matches(&filter, body.strict, entity));
            let owned = matching.map(|(entity, quotas)| (entity.clone(), quotas.clone()));
            owned.collect::<Vec<_>>()
        })
    });
    let response = match &found {
        Ok(entries) => DescribeClientQuotasResponse {
            entries: Some(entries.iter().map(entry).collect()),
            ..DescribeClientQuotasResponse::default()
        },
        Err(refusal) => DescribeClientQuotasResponse {
            error_code: refusal.code,
            error_message: Some(refusal.message.clone()),
            entries: None,
            ..DescribeClientQuotasResponse::default()
        },
    };
    broker.metrics.error(response.error_code);
    request.respond(&response)
}

/// What a part of an entity must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted<'a> {
    /// This name, or the default.
    Exactly(Option<&'a str>),
    Any,
}

type Filter<'a> = BTreeMap<QuotaEntityType, Wanted<'a>>;

fn filter<'a>(components: &[ComponentData<'a>]) -> Result<Filter<'a>, Refusal> {
    let invalid = |message: String| Refusal::new(ErrorCode::INVALID_REQUEST, message);
    let mut filter = Filter::new();
    for one in components {
        let name = one.entity_type;
        if name.is_empty() {
            return Err(invalid("Invalid empty entity type.".to_owned()));
        }
        let kind = QuotaEntityType::from_name(name).ok_or_else(|| {
            let message = format!("Unsupported entity type: {name}");
            Refusal::new(ErrorCode::UNSUPPORTED_VERSION, message)
        })?;
        let wanted = wanted(one).map_err(invalid)?;
        if filter.insert(kind, wanted).is_some() {
            return Err(invalid(format!(
                "Entity type {name} cannot appear more than once in the filter."
            )));
        }
    }
    if filter.contains_key(&QuotaEntityType::Ip) && filter.len() > 1 {
        let message = "Invalid entity filter component combination";
        return Err(invalid(message.to_owned()));
    }
    Ok(filter)
}

fn wanted<'a>(component: &ComponentData<'a>) -> Result<Wanted<'a>, String> {
    match (component.match_type, component.r#match) {
        (MATCH_EXACT, Some(name)) => Ok(Wanted::Exactly(Some(name))),
        (MATCH_EXACT, None) => {
            Err("Request specified MATCH_TYPE_EXACT, but set match to null".to_owned())
        },
        (MATCH_DEFAULT, None) => Ok(Wanted::Exactly(None)),
        (MATCH_DEFAULT, Some(_)) => Err(
            "Request specified MATCH_TYPE_DEFAULT, but also specified a match string.".to_owned(),
        ),
        (MATCH_SPECIFIED, None) => Ok(Wanted::Any),
        (MATCH_SPECIFIED, Some(_)) => Err(
            "Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.".to_owned(),
        ),
        (other, _) => Err(format!("Unknown match type {other}")),
    }
}

fn matches(filter: &Filter<'_>, strict: bool, entity: &QuotaEntity) -> bool {
    let every = filter.iter().all(|(kind, wanted)| {
        entity.get(kind).is_some_and(|name| match wanted {
            Wanted::Exactly(wanted) => name.as_deref() == *wanted,
            Wanted::Any => true,
        })
    });
    every && (!strict || entity.len() == filter.len())
}

fn entry((entity, quotas): &(QuotaEntity, Quotas)) -> EntryData<'_> {
    let parts = entity.iter().map(|(kind, name)| EntityData {
        entity_type: kind.name(),
        entity_name: name.as_deref(),
    });
    let values = quotas.iter().map(|(key, value)| ValueData {
        key,
        value: Float64(value.0),
    });
    EntryData {
        entity: parts.collect(),
        values: values.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component<'a>(
        entity_type: &'a str,
        match_type: i8,
        name: Option<&'a str>,
    ) -> ComponentData<'a> {
        ComponentData {
            entity_type,
            match_type,
            r#match: name,
        }
    }

    fn entity(parts: &[(QuotaEntityType, Option<&str>)]) -> QuotaEntity {
        let parts = parts.iter();
        parts
            .map(|(kind, name)| (*kind, name.map(str::to_owned)))
            .collect()
    }

    #[test]
    fn filters_match_by_name_default_and_type() {
        use QuotaEntityType::{ClientId, User};
        let both = entity(&[(User, Some("u")), (ClientId, None)]);
        let hit = |components: &[ComponentData<'_>], strict| {
            matches(&filter(components).unwrap(), strict, &both)
        };
        assert!(hit(&[], false) && !hit(&[], true));
        let user = component("user", MATCH_EXACT, Some("u"));
        assert!(hit(std::slice::from_ref(&user), false));
        assert!(!hit(std::slice::from_ref(&user), true));
        let client = component("client-id", MATCH_DEFAULT, None);
        assert!(hit(&[user, client], true));
        assert!(hit(&[component("client-id", MATCH_SPECIFIED, None)], false));
        assert!(!hit(&[component("user", MATCH_DEFAULT, None)], false));
        assert!(!hit(&[component("ip", MATCH_SPECIFIED, None)], false));
    }

    #[test]
    fn filters_are_checked() {
        let code = |components: &[ComponentData<'_>]| filter(components).unwrap_err().code;
        let user = component("user", MATCH_SPECIFIED, None);
        let refused = [
            vec![component("", MATCH_SPECIFIED, None)],
            vec![user.clone(), user.clone()],
            vec![user, component("ip", MATCH_SPECIFIED, None)],
            vec![component("user", MATCH_EXACT, None)],
            vec![component("user", MATCH_DEFAULT, Some("u"))],
            vec![component("user", MATCH_SPECIFIED, Some("u"))],
            vec![component("user", 3, None)],
        ];
        for components in refused {
            assert_eq!(code(&components), ErrorCode::INVALID_REQUEST);
        }
        let unknown = component("group", MATCH_SPECIFIED, None);
        assert_eq!(code(&[unknown]), ErrorCode::UNSUPPORTED_VERSION);
    }
}
